//! The peers' rows of a grant: the keys and the protobuf value of `baton-sdk`,
//! whose sizes define the workload's logical bytes.

use batch_store::grants::{EntitlementRef, Grant, PrincipalRef};

use crate::Result;
use crate::peers::failed;

/// Bytes of a grant as the generator makes it: value 114 (in general 111 to 115,
/// by the time's nanoseconds), primary key 37, index keys 74 and 57.
pub(super) const LOGICAL_BYTES: usize = 114 + 37 + 74 + 57;

/// A sync's id, raw, without zero bytes.
const SYNC: &[u8; 20] =
    b"\x0f\x1e\x2d\x3c\x4b\x5a\x69\x78\x87\x96\xa5\xb4\xc3\xd2\xe1\xf0\x11\x22\x33\x44";
/// The same in text, as the value has it.
const SYNC_TEXT: &str = "2kPZ8mVtQ0yXcJ5bRfW7uLsNaEd";

/// `family`, sync, then each component after a zero byte. The components of the
/// generated grants hold no zero bytes, so nothing is escaped.
fn key(out: &mut Vec<u8>, family: &[u8], components: &[&str]) {
    out.clear();
    out.extend_from_slice(family);
    out.extend_from_slice(SYNC);
    for component in components {
        out.push(0);
        out.extend_from_slice(component.as_bytes());
    }
}

pub(super) fn primary_key(out: &mut Vec<u8>, id: &str) {
    key(out, &[3, 4], &[id]);
}

pub(super) fn entitlement_key(out: &mut Vec<u8>, grant: &Grant) {
    let (entitlement, principal) = (&grant.entitlement.entitlement, &grant.principal);
    let PrincipalRef {
        resource_type,
        resource,
    } = principal;
    key(
        out,
        &[3, 7, 3],
        &[entitlement, resource_type, resource, &grant.id],
    );
}

pub(super) fn principal_key(out: &mut Vec<u8>, grant: &Grant) {
    let PrincipalRef {
        resource_type,
        resource,
    } = &grant.principal;
    key(out, &[3, 7, 4], &[resource_type, resource, &grant.id]);
}

/// The id at the end of an index key.
pub(super) fn id_of(index_key: &[u8]) -> Result<&str> {
    let id = index_key.rsplit(|byte| *byte == 0).next().unwrap_or(&[]);
    std::str::from_utf8(id).map_err(failed)
}

fn varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// A length-delimited protobuf field. Lengths here are below 128.
fn field(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    out.push(number << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn message(out: &mut Vec<u8>, number: u8, strings: &[&str]) {
    out.push(number << 3 | 2);
    let length: usize = strings.iter().map(|string| string.len() + 2).sum();
    varint(out, length as u64);
    for (at, string) in (1..).zip(strings) {
        field(out, at, string.as_bytes());
    }
}

/// The `GrantRecord`: sync id, id, entitlement, principal, time.
pub(super) fn encode(out: &mut Vec<u8>, grant: &Grant) {
    out.clear();
    let (entitlement, principal) = (&grant.entitlement, &grant.principal);
    field(out, 1, SYNC_TEXT.as_bytes());
    field(out, 2, grant.id.as_bytes());
    let resource = (&entitlement.resource_type, &entitlement.resource);
    message(out, 3, &[resource.0, resource.1, &entitlement.entitlement]);
    message(out, 4, &[&principal.resource_type, &principal.resource]);
    let mut time = Vec::with_capacity(12);
    for (number, part) in [
        (1, grant.discovered_at_ns.div_euclid(1_000_000_000)),
        (2, grant.discovered_at_ns.rem_euclid(1_000_000_000)),
    ] {
        time.push(number << 3);
        varint(&mut time, part as u64);
    }
    field(out, 5, &time);
    if grant.needs_expansion {
        out.extend_from_slice(&[7 << 3, 1]);
    }
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn varint(&mut self) -> Result<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self
                .0
                .split_first()
                .ok_or_else(|| failed("a row ends early"))?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(failed("a number in a row is too long"))
    }

    /// The contents of the next field, which must be this one.
    fn field(&mut self, number: u8) -> Result<&'a [u8]> {
        let tag = self.varint()?;
        let length = self.varint()? as usize;
        if tag != u64::from(number << 3 | 2) || length > self.0.len() {
            return Err(failed(format!(
                "a row has no field {number} where it should"
            )));
        }
        let (contents, rest) = self.0.split_at(length);
        self.0 = rest;
        Ok(contents)
    }

    fn string(&mut self, number: u8) -> Result<String> {
        let bytes = self.field(number)?;
        Ok(std::str::from_utf8(bytes).map_err(failed)?.to_owned())
    }
}

/// The grant in a value.
pub(super) fn decode(value: &[u8]) -> Result<Grant> {
    let mut input = Input(value);
    input.field(1)?;
    let id = input.string(2)?;
    let mut part = Input(input.field(3)?);
    let entitlement = EntitlementRef {
        resource_type: part.string(1)?,
        resource: part.string(2)?,
        entitlement: part.string(3)?,
    };
    let mut part = Input(input.field(4)?);
    let principal = PrincipalRef {
        resource_type: part.string(1)?,
        resource: part.string(2)?,
    };
    let mut time = Input(input.field(5)?);
    time.varint()?;
    let seconds = time.varint()? as i64;
    time.varint()?;
    let nanoseconds = time.varint()? as i64;
    Ok(Grant {
        id,
        entitlement,
        principal,
        discovered_at_ns: seconds * 1_000_000_000 + nanoseconds,
        needs_expansion: input.0 == [7 << 3, 1],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workloads::grants::generate;

    #[test]
    fn a_row_has_the_published_sizes_and_decodes_to_its_grant() {
        let mut grant = generate(12).remove(11);
        let (mut value, mut keys) = (Vec::new(), [Vec::new(), Vec::new(), Vec::new()]);
        encode(&mut value, &grant);
        primary_key(&mut keys[0], &grant.id);
        entitlement_key(&mut keys[1], &grant);
        principal_key(&mut keys[2], &grant);
        let sizes = keys.each_ref().map(Vec::len);
        assert_eq!((value.len(), sizes), (114, [37, 74, 57]));
        assert_eq!(decode(&value).expect("a grant"), grant);
        assert_eq!(id_of(&keys[1]).expect("an id"), grant.id);
        grant.needs_expansion = true;
        encode(&mut value, &grant);
        assert_eq!(decode(&value).expect("a grant"), grant);
        for length in 0..value.len() - 2 {
            assert!(decode(&value[..length]).is_err(), "{length} bytes decode");
        }
    }
}
