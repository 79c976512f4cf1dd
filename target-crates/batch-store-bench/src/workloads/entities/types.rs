//! The two entity types.

use batch_store::entities::{Entity, FieldValue, Schema};
use batch_store::{Family, Layout};

pub const ACCOUNTS: Family = Family::new("accounts", Layout::Clustered);
pub const ACCOUNT_VERSIONS: Family = Family::new("account_versions", Layout::Clustered);
pub const ACCOUNTS_BY_OWNER: Family = Family::new("accounts_by_owner", Layout::Clustered);
pub const TRANSFERS: Family = Family::new("transfers", Layout::Clustered);
pub const TRANSFER_VERSIONS: Family = Family::new("transfer_versions", Layout::Clustered);

/// With an index.
#[derive(Debug)]
pub struct Account {
    pub id: String,
    pub value: u64,
}

/// Without one.
#[derive(Debug)]
pub struct Transfer {
    pub id: String,
    pub value: u64,
}

pub fn owner(value: u64) -> String {
    format!("0x{:08x}", value % 1000)
}

/// About 100 bytes, as such rows have.
pub fn body(value: u64) -> Vec<u8> {
    format!("{value:020}|{}|{:060}", owner(value), value / 7).into_bytes()
}

pub fn value_of(bytes: &[u8]) -> std::result::Result<u64, String> {
    let text = bytes
        .get(..20)
        .and_then(|digits| std::str::from_utf8(digits).ok());
    let value = text.and_then(|digits| digits.parse().ok());
    value.ok_or_else(|| "the value is no number".to_owned())
}

macro_rules! entity {
    ($name:ident, $rows:expr, $versions:expr, $indexes:expr, $fields:expr) => {
        impl Entity for $name {
            const ROWS: Family = $rows;
            const HISTORY: Option<Family> = Some($versions);
            const INDEXES: &'static [Family] = $indexes;

            fn id(&self) -> &str {
                &self.id
            }

            fn fields(&self) -> Vec<FieldValue> {
                $fields(self.value)
            }

            fn encode(&self) -> std::result::Result<Vec<u8>, String> {
                Ok(body(self.value))
            }

            fn decode(id: &str, bytes: &[u8]) -> std::result::Result<Self, String> {
                let (id, value) = (id.to_owned(), value_of(bytes)?);
                Ok(Self { id, value })
            }
        }
    };
}

entity!(
    Account,
    ACCOUNTS,
    ACCOUNT_VERSIONS,
    &[ACCOUNTS_BY_OWNER],
    |value| { vec![owner(value).as_str().into()] }
);
entity!(Transfer, TRANSFERS, TRANSFER_VERSIONS, &[], |_| Vec::new());

pub fn schema() -> Schema {
    Schema::new().with::<Account>().with::<Transfer>()
}
