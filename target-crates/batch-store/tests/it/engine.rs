//! What is particular to the `SQLite` engine and to stored records; what all
//! engines do alike is in `conformance`.

use batch_store::grants::{Grant, StoredGrant};
use batch_store::{Error, Record, SqliteEngine};

#[test]
fn a_reader_creates_nothing_and_needs_a_database() {
    let dir = tempfile::tempdir().unwrap();
    assert!(SqliteEngine::open_read_only(&dir.path().join("none.db")).is_err());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_stored_record_that_is_no_record_is_an_error_and_not_a_row() {
    assert!(matches!(
        StoredGrant::decode(b"", b"\x05ab"),
        Err(Error::Decode { .. })
    ));
    let whole = StoredGrant {
        sync_id: "s".to_owned(),
        grant: Grant::new("g", "e", "u"),
    }
    .encode()
    .unwrap();
    for len in 0..whole.len() {
        assert!(StoredGrant::decode(b"", &whole[..len]).is_err(), "{len}");
    }
}
