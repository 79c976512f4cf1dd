//! The peers' rows of a package: MessagePack in `pacquet`'s shape, with each
//! digest as 128 hexadecimal digits and the check time as a float.

use batch_store::packages::{FileInfo, PackageRow};

fn string(out: &mut Vec<u8>, text: &str) {
    match text.len() {
        length @ 0..32 => out.push(0xa0 | length as u8),
        length @ 32..256 => out.extend_from_slice(&[0xd9, length as u8]),
        length => {
            out.push(0xda);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
    }
    out.extend_from_slice(text.as_bytes());
}

fn map(out: &mut Vec<u8>, length: usize) {
    out.push(0xde);
    out.extend_from_slice(&(length as u16).to_be_bytes());
}

/// A `msgpackr` record: field names are defined once a row and referred to by
/// this number afterwards.
const FILE_RECORD: u8 = 0x40;

fn file(out: &mut Vec<u8>, file: &FileInfo) {
    out.push(FILE_RECORD);
    out.push(0xcb);
    let checked_at = file.checked_at_ms.unwrap_or_default() as f64;
    out.extend_from_slice(&checked_at.to_be_bytes());
    string(out, &file.digest);
    out.push(0xce);
    out.extend_from_slice(&file.mode.to_be_bytes());
    out.push(0xcf);
    out.extend_from_slice(&file.size.to_be_bytes());
}

/// The value of a row.
pub(super) fn encode(row: &PackageRow) -> Vec<u8> {
    let files = &row.files;
    let mut out = Vec::with_capacity(64 + 200 * files.files.len());
    out.extend_from_slice(&[0xd4, 0x72, FILE_RECORD, 0x94]);
    for name in ["checkedAt", "digest", "mode", "size"] {
        string(&mut out, name);
    }
    map(&mut out, 3);
    string(&mut out, "requiresBuild");
    out.push(match files.requires_build {
        None => 0xc0,
        Some(false) => 0xc2,
        Some(true) => 0xc3,
    });
    string(&mut out, "algo");
    string(&mut out, &files.algo);
    string(&mut out, "files");
    map(&mut out, files.files.len());
    for (path, info) in &files.files {
        string(&mut out, path);
        file(&mut out, info);
    }
    out
}
