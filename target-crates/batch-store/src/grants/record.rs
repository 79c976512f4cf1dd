//! What is stored of a grant: its row and its two index entries.

use super::{BY_ENTITLEMENT, BY_PRINCIPAL, EntitlementRef, GRANTS, Grant, PrincipalRef};
use crate::codec::{Decoder, Encoder};
use crate::error::Result;
use crate::keys::{KeyBuilder, KeyReader, append_str};
use crate::load::LoadRow;
use crate::table::{Family, Record};

/// A grant in its sync.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredGrant {
    /// The sync that found it.
    pub sync_id: String,
    /// The grant.
    pub grant: Grant,
}

/// A sync's id as it begins every key and every value.
pub(super) struct SyncPrefix {
    key: Vec<u8>,
    value: Vec<u8>,
}

impl SyncPrefix {
    pub(super) fn new(sync_id: &str) -> Self {
        let mut value = Encoder::new();
        value.str(sync_id);
        Self {
            key: KeyBuilder::new().str(sync_id).finish(),
            value: value.finish(),
        }
    }
}

impl StoredGrant {
    fn with_row<T>(&self, work: impl FnOnce(GrantRow<'_>) -> T) -> T {
        work(GrantRow {
            sync: &SyncPrefix::new(&self.sync_id),
            grant: &self.grant,
        })
    }
}

/// A borrowed [`StoredGrant`].
pub(super) struct GrantRow<'a> {
    pub(super) sync: &'a SyncPrefix,
    pub(super) grant: &'a Grant,
}

impl LoadRow for GrantRow<'_> {
    type Record = StoredGrant;

    fn append_key(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.sync.key);
        append_str(out, &self.grant.id);
    }

    fn append_index_key(&self, index: usize, out: &mut Vec<u8>) {
        let Grant {
            id,
            entitlement,
            principal,
            ..
        } = self.grant;
        out.extend_from_slice(&self.sync.key);
        if index == 0 {
            append_str(out, &entitlement.entitlement);
        }
        append_str(out, &principal.resource_type);
        append_str(out, &principal.resource);
        append_str(out, id);
    }

    fn append_value(&self, out: &mut Vec<u8>) -> Result<()> {
        let Grant {
            id,
            entitlement,
            principal,
            discovered_at_ns,
            needs_expansion,
        } = self.grant;
        out.extend_from_slice(&self.sync.value);
        let mut value = Encoder::after(std::mem::take(out));
        value.str(id);
        value
            .str(&entitlement.resource_type)
            .str(&entitlement.resource)
            .str(&entitlement.entitlement);
        value.str(&principal.resource_type).str(&principal.resource);
        value.i64(*discovered_at_ns).bool(*needs_expansion);
        *out = value.finish();
        Ok(())
    }
}

/// The sync and the grant of a stored value.
fn decode(value: &[u8]) -> Result<(&str, Grant)> {
    let mut input = Decoder::new(GRANTS.name(), value);
    let sync_id = input.str()?;
    let grant = Grant {
        id: input.string()?,
        entitlement: EntitlementRef {
            resource_type: input.string()?,
            resource: input.string()?,
            entitlement: input.string()?,
        },
        principal: PrincipalRef {
            resource_type: input.string()?,
            resource: input.string()?,
        },
        discovered_at_ns: input.i64()?,
        needs_expansion: input.bool()?,
    };
    input.finish()?;
    Ok((sync_id, grant))
}

/// The grant of a stored row, without its sync.
pub(super) fn decode_grant(_key: &[u8], value: &[u8]) -> Result<Grant> {
    decode(value).map(|(_, grant)| grant)
}

impl Record for StoredGrant {
    const PRIMARY: Family = GRANTS;
    const INDEXES: &'static [Family] = &[BY_ENTITLEMENT, BY_PRINCIPAL];

    fn key(&self) -> Vec<u8> {
        let mut key = Vec::new();
        self.with_row(|row| row.append_key(&mut key));
        key
    }

    fn index_keys(&self) -> Vec<Vec<u8>> {
        let mut keys = vec![Vec::new(); Self::INDEXES.len()];
        self.with_row(|row| {
            for (index, key) in keys.iter_mut().enumerate() {
                row.append_index_key(index, key);
            }
        });
        keys
    }

    fn encode(&self) -> Result<Vec<u8>> {
        let mut value = Vec::new();
        self.with_row(|row| row.append_value(&mut value))?;
        Ok(value)
    }

    fn decode(_key: &[u8], value: &[u8]) -> Result<Self> {
        let (sync_id, grant) = decode(value)?;
        Ok(Self {
            sync_id: sync_id.to_owned(),
            grant,
        })
    }

    fn primary_of(index: usize, index_key: &[u8]) -> Result<Vec<u8>> {
        let mut reader = KeyReader::new(Self::INDEXES[index].name(), index_key);
        let sync_id = reader.raw_str()?;
        let components_between = if index == 0 { 3 } else { 2 };
        for _ in 0..components_between {
            reader.raw_str()?;
        }
        let id = reader.raw_str()?;
        reader.finish()?;
        Ok([sync_id, id].concat())
    }
}
