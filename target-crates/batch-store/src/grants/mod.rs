//! Grants: who holds which entitlement, loaded in bulk, packed into one file,
//! read back page by page.
//!
//! [`GrantSession`] (open) becomes a [`SealedSession`] (finished, durable) by
//! [`GrantSession::end`]; only that one can be packed, and only the open one
//! takes grants. [`GrantReader`] reads either a finished directory or an archive.

mod reader;
mod session;

pub use reader::{GrantCounts, GrantReader};
pub use session::{GrantSession, PutReport, SealedSession};

use crate::codec::{Decoder, Encoder};
use crate::error::Result;
use crate::keys::{KeyBuilder, KeyReader};
use crate::table::{Family, Layout, Record};

/// The grants, by sync and id.
pub const GRANTS: Family = Family::new("grants", Layout::Clustered);
/// Index number 0: by entitlement, then principal.
pub const BY_ENTITLEMENT: Family = Family::new("grants_by_entitlement", Layout::Clustered);
/// Index number 1: by principal.
pub const BY_PRINCIPAL: Family = Family::new("grants_by_principal", Layout::Clustered);
/// One row: the session and how far it has got.
pub const SESSIONS: Family = Family::new("sessions", Layout::Clustered);

/// An entitlement of a resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EntitlementRef {
    /// Type of the resource: "app".
    pub resource_type: String,
    /// The resource: "github".
    pub resource: String,
    /// The entitlement's own id.
    pub entitlement: String,
}

/// Who is granted it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PrincipalRef {
    /// Type of the principal: "user".
    pub resource_type: String,
    /// The principal's own id.
    pub resource: String,
}

/// One grant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// Its id, unique in a sync; a later grant with the same id replaces it.
    pub id: String,
    /// What is granted.
    pub entitlement: EntitlementRef,
    /// To whom.
    pub principal: PrincipalRef,
    /// When it was seen, in nanoseconds since 1970.
    pub discovered_at_ns: i64,
    /// Whether it stands for further grants yet to be derived.
    pub needs_expansion: bool,
}

impl Grant {
    /// A grant of an entitlement of app `github` to a user.
    #[must_use]
    pub fn new(id: &str, entitlement: &str, user: &str) -> Self {
        Self {
            id: id.to_owned(),
            entitlement: EntitlementRef {
                resource_type: "app".to_owned(),
                resource: "github".to_owned(),
                entitlement: entitlement.to_owned(),
            },
            principal: PrincipalRef {
                resource_type: "user".to_owned(),
                resource: user.to_owned(),
            },
            discovered_at_ns: 0,
            needs_expansion: false,
        }
    }
}

/// A grant in its sync.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredGrant {
    /// The sync that found it.
    pub sync_id: String,
    /// The grant.
    pub grant: Grant,
}

impl Record for StoredGrant {
    const PRIMARY: Family = GRANTS;
    const INDEXES: &'static [Family] = &[BY_ENTITLEMENT, BY_PRINCIPAL];

    fn key(&self) -> Vec<u8> {
        KeyBuilder::new()
            .str(&self.sync_id)
            .str(&self.grant.id)
            .finish()
    }

    fn index_keys(&self) -> Vec<Vec<u8>> {
        let Grant {
            id,
            entitlement,
            principal,
            ..
        } = &self.grant;
        let key = || KeyBuilder::new().str(&self.sync_id);
        let by_entitlement = key()
            .str(&entitlement.entitlement)
            .str(&principal.resource_type);
        let by_principal = key().str(&principal.resource_type);
        vec![
            by_entitlement.str(&principal.resource).str(id).finish(),
            by_principal.str(&principal.resource).str(id).finish(),
        ]
    }

    fn encode(&self) -> Result<Vec<u8>> {
        let Grant {
            id,
            entitlement,
            principal,
            discovered_at_ns,
            needs_expansion,
        } = &self.grant;
        let mut out = Encoder::new();
        out.str(&self.sync_id).str(id);
        out.str(&entitlement.resource_type)
            .str(&entitlement.resource)
            .str(&entitlement.entitlement);
        out.str(&principal.resource_type).str(&principal.resource);
        out.i64(*discovered_at_ns).bool(*needs_expansion);
        Ok(out.finish())
    }

    fn decode(_key: &[u8], value: &[u8]) -> Result<Self> {
        let mut input = Decoder::new(GRANTS.name(), value);
        let sync_id = input.string()?;
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
        Ok(Self { sync_id, grant })
    }

    fn primary_of(index: usize, index_key: &[u8]) -> Result<Vec<u8>> {
        let mut reader = KeyReader::new(Self::INDEXES[index].name(), index_key);
        let sync_id = reader.str()?;
        let components_between = if index == 0 { 3 } else { 2 };
        for _ in 0..components_between {
            reader.str()?;
        }
        let id = reader.str()?;
        reader.finish()?;
        Ok(KeyBuilder::new().str(&sync_id).str(&id).finish())
    }
}
