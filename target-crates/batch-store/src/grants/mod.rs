//! Grants: who holds which entitlement, loaded in bulk, packed into one file,
//! read back page by page.
//!
//! [`GrantSession`] (open) becomes a [`SealedSession`] (finished, durable) by
//! [`GrantSession::end`]; only that one can be packed, and only the open one
//! takes grants. [`GrantReader`] reads either a finished directory or an archive.

mod reader;
mod record;
mod sealed;
mod session;
mod status;
mod writer;

pub use reader::GrantReader;
pub use record::StoredGrant;
pub use sealed::SealedSession;
pub use session::{GrantSession, SessionOptions};
pub use writer::{DurableEvery, GrantCounts, GrantWriter, PutReport};

use crate::table::{Family, Layout};

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
