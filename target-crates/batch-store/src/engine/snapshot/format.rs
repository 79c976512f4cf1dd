//! The bytes of one snapshot file, whole or delta. Pure.
//!
//! | bytes | what |
//! |---|---|
//! | 4 | magic `BSSN` |
//! | 2 | version, big-endian |
//! | 4 | CRC-32 of those 6, big-endian: the same in every version |
//! | 8 | generation, big-endian |
//! | 8 | number in the generation, big-endian: 0 is the whole map, others deltas |
//! | 8 | length of the payload, big-endian |
//! | n | payload: changes, each a varint tag and its fields |
//! | 4 | CRC-32 of everything after the first 10 bytes, big-endian |
//!
//! Tag 1, text: the family of the changes that follow. Tag 2, key and value: a put.
//! Tag 3, key: a delete.

use std::path::Path;

use crate::codec::{Decoder, Encoder};
use crate::error::{Error, Result};

pub(super) const VERSION: u16 = 1;
const MAGIC: &[u8; 4] = b"BSSN";
const PREAMBLE_BYTES: usize = 10;
const HEADER_BYTES: usize = PREAMBLE_BYTES + 24;
const CHECKSUM_BYTES: usize = 4;
const FAMILY: u64 = 1;
const PUT: u64 = 2;
const DELETE: u64 = 3;

/// A change of one row: its family's name, its key, and its value unless deleted.
pub(super) type Change<'a> = (&'a str, &'a [u8], Option<&'a [u8]>);

/// Which file of a store this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Id {
    /// Counts whole snapshots from 1.
    pub(super) generation: u64,
    /// 0 is the whole snapshot; a delta's number counts from 1.
    pub(super) number: u64,
}

/// The file's bytes. Changes of one family should follow each other.
pub(super) fn encode<'a>(id: Id, changes: impl Iterator<Item = Change<'a>>) -> Vec<u8> {
    let mut out = Encoder::new();
    let mut family = None;
    for (name, key, value) in changes {
        if family != Some(name) {
            out.u64(FAMILY).str(name);
            family = Some(name);
        }
        match value {
            Some(value) => out.u64(PUT).bytes(key).bytes(value),
            None => out.u64(DELETE).bytes(key),
        };
    }
    let payload = out.finish();
    let mut bytes = Vec::with_capacity(HEADER_BYTES + payload.len() + CHECKSUM_BYTES);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_be_bytes());
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
    for field in [id.generation, id.number, payload.len() as u64] {
        bytes.extend_from_slice(&field.to_be_bytes());
    }
    bytes.extend_from_slice(&payload);
    bytes.extend_from_slice(&crc32fast::hash(&bytes[PREAMBLE_BYTES..]).to_be_bytes());
    bytes
}

fn corrupt(path: &Path, reason: &str) -> Error {
    Error::Corrupt {
        path: path.to_owned(),
        reason: reason.to_owned(),
    }
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..at + 8]
        .iter()
        .fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// Whether the last four bytes are the CRC-32 of the others, big-endian.
fn has_checksum(bytes: &[u8]) -> bool {
    bytes
        .split_last_chunk()
        .is_some_and(|(body, checksum)| crc32fast::hash(body) == u32::from_be_bytes(*checksum))
}

/// The file's id and payload, once every byte of it is known to be as written.
pub(super) fn check<'a>(path: &Path, bytes: &'a [u8]) -> Result<(Id, &'a [u8])> {
    let preamble = bytes
        .get(..PREAMBLE_BYTES)
        .ok_or_else(|| corrupt(path, "it is shorter than its header"))?;
    if preamble[..4] != MAGIC[..] || !has_checksum(preamble) {
        return Err(corrupt(path, "its first bytes are not a snapshot's"));
    }
    let version = u16::from_be_bytes([preamble[4], preamble[5]]);
    if version != VERSION {
        return Err(Error::UnknownVersion {
            path: path.to_owned(),
            found: version.into(),
            known: VERSION.into(),
        });
    }
    if bytes.len() < HEADER_BYTES + CHECKSUM_BYTES {
        return Err(corrupt(path, "it is shorter than its header"));
    }
    let payload = &bytes[HEADER_BYTES..bytes.len() - CHECKSUM_BYTES];
    if u64_at(bytes, PREAMBLE_BYTES + 16) != payload.len() as u64 {
        return Err(corrupt(path, "its length is not the one it states"));
    }
    if !has_checksum(&bytes[PREAMBLE_BYTES..]) {
        return Err(corrupt(path, "its checksum does not match"));
    }
    let id = Id {
        generation: u64_at(bytes, PREAMBLE_BYTES),
        number: u64_at(bytes, PREAMBLE_BYTES + 8),
    };
    Ok((id, payload))
}

/// Hands every change of a checked payload to `each`.
pub(super) fn decode<'a>(
    path: &Path,
    payload: &'a [u8],
    mut each: impl FnMut(Change<'a>),
) -> Result<()> {
    let mut input = Decoder::new("snapshot", payload);
    let mut family = None;
    let mut next = || -> Result<bool> {
        if input.is_empty() {
            return Ok(false);
        }
        let tag = input.u64()?;
        match (tag, family) {
            (FAMILY, _) => family = Some(input.str()?),
            (PUT, Some(family)) => each((family, input.bytes()?, Some(input.bytes()?))),
            (DELETE, Some(family)) => each((family, input.bytes()?, None)),
            (tag, _) => return Err(corrupt(path, &format!("a change has tag {tag}"))),
        }
        Ok(true)
    };
    // The checksum held, so only a program that writes this format wrongly gets here.
    loop {
        match next() {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(Error::Decode { reason, .. }) => return Err(corrupt(path, &reason)),
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: Id = Id {
        generation: 3,
        number: 1,
    };

    fn sample() -> Vec<u8> {
        let changes: [Change<'_>; 3] = [
            ("a", b"k1", Some(b"v1")),
            ("a", b"k2", None),
            ("b", b"", Some(b"")),
        ];
        encode(ID, changes.into_iter())
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let bytes = sample();
        let (id, payload) = check(Path::new("x"), &bytes).unwrap();
        assert_eq!(id, ID);
        let mut found = Vec::new();
        decode(Path::new("x"), payload, |change| found.push(change)).unwrap();
        assert_eq!(
            found,
            [
                ("a", b"k1".as_slice(), Some(b"v1".as_slice())),
                ("a", b"k2", None),
                ("b", b"", Some(b"")),
            ]
        );
    }

    /// The format on disk: these bytes must be read for as long as version 1 is.
    #[test]
    fn invariant_36_the_bytes_of_version_1_stay_as_they_are() {
        let mut expected = b"BSSN\x00\x01\x58\x5a\x8f\xcf".to_vec();
        expected.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 1]);
        expected.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 20]);
        expected.extend_from_slice(b"\x01\x01a\x02\x02k1\x02v1\x03\x02k2\x01\x01b\x02\x00\x00");
        expected.extend_from_slice(b"\xf1\x28\x2f\xb8");
        assert_eq!(sample(), expected);
    }

    #[test]
    fn invariant_36_another_version_is_refused_as_such() {
        let mut bytes = sample();
        bytes[5] = 2;
        let checksum = crc32fast::hash(&bytes[..6]);
        bytes[6..10].copy_from_slice(&checksum.to_be_bytes());
        let outcome = check(Path::new("x"), &bytes);
        assert!(
            matches!(outcome, Err(Error::UnknownVersion { found: 2, .. })),
            "{outcome:?}"
        );
    }

    #[test]
    fn invariant_34_every_flipped_bit_and_every_other_length_is_found() {
        let whole = sample();
        let is_corrupt =
            |bytes: &[u8]| matches!(check(Path::new("x"), bytes), Err(Error::Corrupt { .. }));
        for at in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[at / 8] ^= 1 << (at % 8);
            assert!(is_corrupt(&bytes), "bit {at}");
        }
        for len in 0..whole.len() {
            assert!(is_corrupt(&whole[..len]), "length {len}");
        }
        assert!(is_corrupt(&[whole.as_slice(), b"x"].concat()));
    }
}
