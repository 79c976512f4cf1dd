//! The archive: round trip, atomic replacement, and refusals.

use std::cell::RefCell;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use batch_store::archive::{self, MAX_MANIFEST_BYTES};
use batch_store::disk::sim::{Fault, SimDisk};
use batch_store::disk::{Disk, RealDisk};
use batch_store::grants::{GrantReader, GrantSession, SealedSession, SessionOptions};
use batch_store::{EngineKind, Error, Result};

use crate::hooked::FAMILIES;
use crate::support::{all_pages, check_indexes, some_grants};

fn sealed(kind: EngineKind, dir: &Path, n: usize) -> SealedSession {
    let options = SessionOptions {
        engine: kind,
        ..SessionOptions::default()
    };
    let mut session = GrantSession::start_with(dir, "s", options).unwrap();
    session.put_grants(&some_grants(n)).unwrap();
    session.end().unwrap()
}

/// Notes every call, and fails the one it is told to.
#[derive(Default)]
struct RecordingDisk {
    calls: RefCell<Vec<String>>,
    fail: Option<&'static str>,
}

impl RecordingDisk {
    fn note(&self, call: &'static str, path: &Path) -> Result<()> {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        self.calls.borrow_mut().push(format!("{call} {name}"));
        if self.fail != Some(call) {
            return Ok(());
        }
        let source = Arc::new(std::io::Error::other("a fault asked for by the test"));
        Err(Error::Io {
            action: call,
            path: path.to_owned(),
            source,
        })
    }
}

impl Disk for RecordingDisk {
    fn sync_file(&self, path: &Path, file: &File) -> Result<()> {
        let on_disk = std::fs::metadata(path).unwrap().len();
        assert_eq!(file.metadata().unwrap().len(), on_disk);
        assert!(on_disk > 100, "synced before it was written");
        self.note("sync_file", path)?;
        RealDisk.sync_file(path, file)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.note("rename", to)?;
        RealDisk.rename(from, to)
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        self.note("sync_dir", dir)?;
        RealDisk.sync_dir(dir)
    }
}

#[test]
fn the_archive_is_synced_then_renamed_then_its_directory_is_synced() {
    for kind in EngineKind::ALL {
        synced_then_renamed(kind);
    }
}

fn synced_then_renamed(kind: EngineKind) {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("final");
    std::fs::create_dir(&out).unwrap();
    let disk = RecordingDisk::default();
    sealed(kind, &dir.path().join("work"), 20)
        .pack_with(&out.join("out.bsa"), &disk)
        .unwrap();
    assert_eq!(
        *disk.calls.borrow(),
        ["sync_file out.bsa.tmp", "rename out.bsa", "sync_dir final"]
    );
}

#[test]
fn invariants_20_and_33_a_failed_pack_leaves_the_old_archive_and_can_be_repeated() {
    let faults = ["sync_file", "rename"];
    for (fail, kind) in faults
        .into_iter()
        .flat_map(|fail| EngineKind::ALL.map(|kind| (fail, kind)))
    {
        let dir = tempfile::tempdir().unwrap();
        let archive = dir.path().join("out.bsa");
        std::fs::write(&archive, "the old one").unwrap();
        let mut sealed = sealed(kind, &dir.path().join("work"), 20);
        let disk = RecordingDisk {
            fail: Some(fail),
            ..RecordingDisk::default()
        };
        assert!(
            matches!(sealed.pack_with(&archive, &disk), Err(Error::Io { .. })),
            "{fail}"
        );
        assert_eq!(std::fs::read(&archive).unwrap(), b"the old one");
        assert!(!dir.path().join("out.bsa.tmp").exists());
        assert!(!dir.path().join("work/checkpoint").exists());
        sealed.pack(&archive).unwrap();
        let reader = GrantReader::unpack(&archive, &dir.path().join("read")).unwrap();
        assert_eq!(reader.counts().unwrap().grants, 20);
    }
}

#[test]
fn invariant_35_packing_and_unpacking_keeps_every_row_and_index_entry() {
    for kind in EngineKind::ALL {
        round_trip(kind);
    }
}

fn round_trip(kind: EngineKind) {
    let dir = tempfile::tempdir().unwrap();
    let archive = dir.path().join("out.bsa");
    let info = sealed(kind, &dir.path().join("work"), 700)
        .pack(&archive)
        .unwrap();
    assert_eq!(
        info.archive_bytes,
        std::fs::metadata(&archive).unwrap().len()
    );
    // A database is compressed; segments are already, and only get a header.
    match kind {
        EngineKind::Sqlite => assert!(info.payload_bytes > info.archive_bytes),
        EngineKind::Segment => assert!(info.archive_bytes - info.payload_bytes < 300),
    }
    let reader = GrantReader::unpack(&archive, &dir.path().join("read")).unwrap();
    assert_eq!(
        all_pages(|cursor| reader.list(cursor, 0)).0,
        some_grants(700)
    );
    check_indexes(reader.engine());
}

#[test]
fn equal_sessions_give_equal_archives() {
    for kind in EngineKind::ALL {
        equal_archives(kind);
    }
}

fn equal_archives(kind: EngineKind) {
    let archives: Vec<Vec<u8>> = (0..2)
        .map(|_| {
            let dir = tempfile::tempdir().unwrap();
            let archive = dir.path().join("out.bsa");
            sealed(kind, &dir.path().join("work"), 700)
                .pack(&archive)
                .unwrap();
            std::fs::read(archive).unwrap()
        })
        .collect();
    assert!(archives[0] == archives[1]);
}

fn refused(bytes: &[u8], why: &str) {
    let dir = tempfile::tempdir().unwrap();
    let (archive, target) = (dir.path().join("in.bsa"), dir.path().join("read"));
    std::fs::write(&archive, bytes).unwrap();
    let outcome = archive::unpack(&archive, &target);
    assert!(
        matches!(outcome, Err(Error::Archive { .. })),
        "{why}: {outcome:?}"
    );
    assert_eq!(
        std::fs::read_dir(&target).unwrap().count(),
        0,
        "{why}: something was left behind"
    );
    assert_eq!(
        std::fs::read_dir(dir.path()).unwrap().count(),
        2,
        "{why}: something was written outside"
    );
}

#[test]
fn invariant_34_a_truncated_or_altered_or_lengthened_archive_is_refused() {
    for kind in EngineKind::ALL {
        refused_when_altered(kind);
    }
}

fn refused_when_altered(kind: EngineKind) {
    let dir = tempfile::tempdir().unwrap();
    let archive = dir.path().join("out.bsa");
    sealed(kind, &dir.path().join("work"), 40)
        .pack(&archive)
        .unwrap();
    let bytes = std::fs::read(&archive).unwrap();
    for len in (0..bytes.len()).step_by(1 + bytes.len() / 97) {
        refused(&bytes[..len], &format!("cut to {len}"));
    }
    refused(&bytes[..bytes.len() - 1], "the last byte is missing");
    // Every bit of the headers, and one of each of some further bytes.
    let headers = (0..160).flat_map(|at| (0..8).map(move |bit| (at, bit)));
    let rest = (160..bytes.len())
        .step_by(1 + bytes.len() / 97)
        .map(|at| (at, at % 8));
    let last = (bytes.len() - 8..bytes.len()).map(|at| (at, 0));
    for (at, bit) in headers.chain(rest).chain(last) {
        let mut altered = bytes.clone();
        altered[at] ^= 1 << bit;
        refused(&altered, &format!("bit {bit} of byte {at} altered"));
    }
    let mut longer = bytes.clone();
    longer.push(0);
    refused(&longer, "a byte added");
    longer.extend_from_slice(&bytes);
    refused(&longer, "two archives");
}

/// An archive written by hand, so that the tests do not rest on the packer.
fn forged(
    engine: &str,
    version: u8,
    encoding: &str,
    files: &[(&str, u64)],
    payload: &[u8],
) -> Vec<u8> {
    fn text(out: &mut Vec<u8>, text: &str) {
        assert!(text.len() < 128);
        out.push(text.len() as u8);
        out.extend_from_slice(text.as_bytes());
    }
    fn number(out: &mut Vec<u8>, mut value: u64) {
        while value >= 0x80 {
            out.push(value as u8 | 0x80);
            value >>= 7;
        }
        out.push(value as u8);
    }
    let mut manifest = Vec::new();
    text(&mut manifest, engine);
    manifest.push(version);
    text(&mut manifest, encoding);
    manifest.push(files.len() as u8);
    for (name, len) in files {
        text(&mut manifest, name);
        number(&mut manifest, *len);
        number(&mut manifest, u64::from(crc32fast::hash(payload)));
    }
    let mut archive = b"BSAR1".to_vec();
    archive.extend_from_slice(&(manifest.len() as u32).to_be_bytes());
    archive.extend_from_slice(&manifest);
    archive.extend_from_slice(&crc32fast::hash(&manifest).to_be_bytes());
    let frame = if encoding == "stored" {
        payload.to_vec()
    } else {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.include_checksum(true).unwrap();
        std::io::Write::write_all(&mut encoder, payload).unwrap();
        encoder.finish().unwrap()
    };
    archive.extend_from_slice(&frame);
    archive.extend_from_slice(&crc32fast::hash(&frame).to_be_bytes());
    archive
}

#[test]
fn the_format_is_what_the_documentation_says() {
    for (kind, encoding) in [
        (EngineKind::Sqlite, "zstd"),
        (EngineKind::Segment, "stored"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let archive = dir.path().join("in.bsa");
        let files = [("a.bin", 5)];
        std::fs::write(&archive, forged(kind.name(), 1, encoding, &files, b"hello")).unwrap();
        let found = archive::unpack(&archive, &dir.path().join("read")).unwrap();
        assert_eq!(found, kind);
        assert_eq!(
            std::fs::read(dir.path().join("read/a.bin")).unwrap(),
            b"hello"
        );
    }
}

#[test]
fn invariants_35_and_36_a_hostile_archive_or_one_of_another_version_is_refused() {
    for encoding in ["zstd", "stored"] {
        let forged = |files: &[(&str, u64)]| forged("sqlite", 1, encoding, files, b"hello");
        for name in [
            "", ".", "..", "../x", "/etc/x", "a/b", ".hidden", "a\0b", "a\\b", "é",
        ] {
            refused(&forged(&[(name, 5)]), name);
        }
        refused(&forged(&[("a", 5), ("a", 5)]), "a name twice");
        refused(&forged(&[("a", 4)]), "a payload longer than declared");
        refused(&forged(&[("a", 6)]), "a payload shorter than declared");
        refused(&forged(&[("a", 5), ("b", 1)]), "a file without bytes");
        refused(&forged(&[("a", 5 << 30)]), "a file too large");
        refused(&forged(&[("a", u64::MAX)]), "a length that overflows");
    }
    refused(
        &forged("sqlite", 2, "zstd", &[("a", 5)], b"hello"),
        "a newer version",
    );
    refused(
        &forged("other", 1, "zstd", &[("a", 5)], b"hello"),
        "another engine",
    );
    refused(
        &forged("sqlite", 1, "gzip", &[("a", 5)], b"hello"),
        "another encoding",
    );
    let mut long = b"BSAR1".to_vec();
    long.extend_from_slice(&(MAX_MANIFEST_BYTES + 1).to_be_bytes());
    long.resize(100_000, 0);
    refused(&long, "a manifest too long");
    refused(b"", "an empty file");
}

#[test]
fn an_archive_is_not_unpacked_over_other_files() {
    let dir = tempfile::tempdir().unwrap();
    let archive = dir.path().join("out.bsa");
    sealed(EngineKind::default(), &dir.path().join("work"), 4)
        .pack(&archive)
        .unwrap();
    std::fs::create_dir(dir.path().join("read")).unwrap();
    std::fs::write(dir.path().join("read/mine"), "mine").unwrap();
    assert!(matches!(
        GrantReader::unpack(&archive, &dir.path().join("read")),
        Err(Error::State { .. })
    ));
    assert_eq!(
        std::fs::read(dir.path().join("read/mine")).unwrap(),
        b"mine"
    );
}

#[test]
fn invariant_35_a_link_in_the_way_is_replaced_and_not_followed() {
    for kind in EngineKind::ALL {
        let dir = tempfile::tempdir().unwrap();
        let (archive, mine) = (dir.path().join("out.bsa"), dir.path().join("mine"));
        std::fs::write(&mine, "mine").unwrap();
        std::os::unix::fs::symlink(&mine, dir.path().join("out.bsa.tmp")).unwrap();
        std::os::unix::fs::symlink(&mine, &archive).unwrap();
        sealed(kind, &dir.path().join("work"), 20)
            .pack(&archive)
            .unwrap();
        assert_eq!(std::fs::read(&mine).unwrap(), b"mine");
        assert!(std::fs::symlink_metadata(&archive).unwrap().is_file());
        let reader = GrantReader::unpack(&archive, &dir.path().join("read")).unwrap();
        assert_eq!(reader.counts().unwrap().grants, 20);
    }
}

#[test]
fn what_would_not_be_unpacked_is_not_packed() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), "bytes").unwrap();
    std::os::unix::fs::symlink("file", dir.path().join("link")).unwrap();
    std::fs::create_dir(dir.path().join("dir")).unwrap();
    let archive = dir.path().join("out.bsa");
    let pack = |name: &str| {
        let files = [name.to_owned()];
        archive::pack(dir.path(), EngineKind::Sqlite, &files, &archive, &RealDisk)
    };
    for name in ["link", "dir", "missing", "../file", ".hidden"] {
        assert!(pack(name).is_err(), "{name}");
        assert!(!archive.exists() && !dir.path().join("out.bsa.tmp").exists());
    }
    pack("file").unwrap();
}

#[test]
fn an_archive_without_a_finished_session_is_not_read() {
    for kind in EngineKind::ALL {
        let dir = tempfile::tempdir().unwrap();
        let (work, copy) = (dir.path().join("work"), dir.path().join("copy"));
        std::fs::create_dir(&work).unwrap();
        std::fs::create_dir(&copy).unwrap();
        let mut engine = kind.open(&work, &FAMILIES).unwrap();
        let files = engine.checkpoint(&copy).unwrap();
        let archive = dir.path().join("out.bsa");
        archive::pack(&copy, kind, &files, &archive, &RealDisk).unwrap();
        let outcome = GrantReader::unpack(&archive, &dir.path().join("read"));
        assert!(matches!(outcome, Err(Error::State { .. })), "{outcome:?}");
    }
}

#[test]
fn invariants_20_and_33_whatever_disk_operation_of_a_pack_fails_the_next_pack_succeeds() {
    let dir = tempfile::tempdir().unwrap();
    let mut sealed = sealed(EngineKind::default(), &dir.path().join("work"), 600);
    sealed.finish().unwrap();
    let archive = dir.path().join("out.bsa");
    let fault = |kind| [Fault::Fail(kind), Fault::FailAfter(kind)];
    for fault in fault(std::io::ErrorKind::StorageFull) {
        for at in 0.. {
            std::fs::write(&archive, "the old one").unwrap();
            let outcome = sealed.pack_with(&archive, &SimDisk::with_fault(at, fault));
            if outcome.is_ok() {
                assert!(at > 4, "{at} operations");
                break;
            }
            assert!(!dir.path().join("out.bsa.tmp").exists(), "operation {at}");
            if std::fs::read(&archive).unwrap() != b"the old one" {
                // Only the last operations come after the rename, and then it is whole.
                let read = dir.path().join(format!("read-{at}-{fault:?}"));
                assert_eq!(
                    GrantReader::unpack(&archive, &read)
                        .unwrap()
                        .counts()
                        .unwrap()
                        .grants,
                    600
                );
            }
            sealed.pack(&archive).unwrap();
        }
    }
}
