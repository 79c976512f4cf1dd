//! The archive: round trip, atomic replacement, and refusals.

use std::cell::RefCell;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use batch_store::archive::{self, MAX_MANIFEST_BYTES};
use batch_store::disk::{Disk, RealDisk};
use batch_store::grants::{GrantReader, GrantSession, SealedSession};
use batch_store::{Error, Result};

use crate::support::{all_pages, check_indexes, some_grants};

fn sealed(dir: &Path, n: usize) -> SealedSession {
    let mut session = GrantSession::start(dir, "s").unwrap();
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
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("final");
    std::fs::create_dir(&out).unwrap();
    let disk = RecordingDisk::default();
    sealed(&dir.path().join("work"), 20)
        .pack_with(&out.join("out.bsa"), &disk)
        .unwrap();
    assert_eq!(
        *disk.calls.borrow(),
        ["sync_file out.bsa.tmp", "rename out.bsa", "sync_dir final"]
    );
}

#[test]
fn a_failed_pack_leaves_the_old_archive_and_can_be_repeated() {
    for fail in ["sync_file", "rename"] {
        let dir = tempfile::tempdir().unwrap();
        let archive = dir.path().join("out.bsa");
        std::fs::write(&archive, "the old one").unwrap();
        let mut sealed = sealed(&dir.path().join("work"), 20);
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
        sealed.pack(&archive).unwrap();
        let reader = GrantReader::unpack(&archive, &dir.path().join("read")).unwrap();
        assert_eq!(reader.counts().unwrap().grants, 20);
    }
}

#[test]
fn packing_and_unpacking_keeps_every_row_and_index_entry() {
    let dir = tempfile::tempdir().unwrap();
    let archive = dir.path().join("out.bsa");
    let info = sealed(&dir.path().join("work"), 700)
        .pack(&archive)
        .unwrap();
    assert_eq!(
        info.archive_bytes,
        std::fs::metadata(&archive).unwrap().len()
    );
    assert!(info.payload_bytes > info.archive_bytes);
    let reader = GrantReader::unpack(&archive, &dir.path().join("read")).unwrap();
    assert_eq!(
        all_pages(|cursor| reader.list(cursor, 0)).0,
        some_grants(700)
    );
    check_indexes(reader.engine());
}

#[test]
fn equal_sessions_give_equal_archives() {
    let archives: Vec<Vec<u8>> = (0..2)
        .map(|_| {
            let dir = tempfile::tempdir().unwrap();
            let archive = dir.path().join("out.bsa");
            sealed(&dir.path().join("work"), 700)
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
fn a_truncated_or_altered_or_lengthened_archive_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let archive = dir.path().join("out.bsa");
    sealed(&dir.path().join("work"), 40).pack(&archive).unwrap();
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
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    std::io::Write::write_all(&mut encoder, payload).unwrap();
    let frame = encoder.finish().unwrap();
    archive.extend_from_slice(&frame);
    archive.extend_from_slice(&crc32fast::hash(&frame).to_be_bytes());
    archive
}

#[test]
fn the_format_is_what_the_documentation_says() {
    let dir = tempfile::tempdir().unwrap();
    let archive = dir.path().join("in.bsa");
    std::fs::write(
        &archive,
        forged("sqlite", 1, "zstd", &[("a.bin", 5)], b"hello"),
    )
    .unwrap();
    archive::unpack(&archive, &dir.path().join("read")).unwrap();
    assert_eq!(
        std::fs::read(dir.path().join("read/a.bin")).unwrap(),
        b"hello"
    );
}

#[test]
fn a_hostile_archive_is_refused() {
    for name in [
        "", ".", "..", "../x", "/etc/x", "a/b", ".hidden", "a\0b", "a\\b", "é",
    ] {
        refused(&forged("sqlite", 1, "zstd", &[(name, 5)], b"hello"), name);
    }
    refused(
        &forged("sqlite", 1, "zstd", &[("a", 5), ("a", 5)], b"hello"),
        "a name twice",
    );
    refused(
        &forged("sqlite", 1, "zstd", &[("a", 4)], b"hello"),
        "a payload longer than declared",
    );
    refused(
        &forged("sqlite", 1, "zstd", &[("a", 6)], b"hello"),
        "a payload shorter than declared",
    );
    refused(
        &forged("sqlite", 1, "zstd", &[("a", 5 << 30)], b"hello"),
        "a file too large",
    );
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
    sealed(&dir.path().join("work"), 4).pack(&archive).unwrap();
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
