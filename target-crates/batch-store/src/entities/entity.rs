//! [`Entity`]: what the store keeps, and the fields it can be found by.

use crate::entities::effect::Effect;
use crate::entities::table::{EntityTable, Typed};
use crate::error::{Error, Result};
use crate::keys::KeyBuilder;
use crate::table::Family;

/// A row of an entity store. Where a method cannot do its work it returns the
/// reason; the store adds the table and the id.
pub trait Entity: Sized {
    /// Where the rows are.
    const ROWS: Family;
    /// Where the versions of each row are, for rollbacks. `None` for a cache of
    /// outside facts, which a rollback leaves alone.
    const HISTORY: Option<Family>;
    /// One per field that [`EntityStore::find`](super::EntityStore::find) can use,
    /// in the order of [`Entity::fields`].
    const INDEXES: &'static [Family];

    /// The id, unique in its table.
    fn id(&self) -> &str;

    /// The value of each indexed field.
    fn fields(&self) -> Vec<FieldValue>;

    /// The bytes to store. Called when the entity is set, so that an entity that
    /// cannot be stored is refused there and costs no other its batch.
    ///
    /// # Errors
    /// Which field, and why.
    fn encode(&self) -> Result<Vec<u8>, String>;

    /// The entity from its id and bytes.
    ///
    /// # Errors
    /// When the bytes are not the entity's format.
    fn decode(id: &str, bytes: &[u8]) -> Result<Self, String>;
}

/// The value of an indexed field. Integers sort before texts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FieldValue {
    /// A whole number.
    Int(i64),
    /// A text, compared by its bytes.
    Text(String),
}

impl FieldValue {
    /// The front of an index key, up to the id: these bytes sort as the values do.
    pub(super) fn key(&self) -> Vec<u8> {
        let tag = KeyBuilder::new().str(self.tag());
        match self {
            Self::Int(value) => tag.i64(*value),
            Self::Text(value) => tag.str(value),
        }
        .finish()
    }

    pub(super) fn tag(&self) -> &'static str {
        match self {
            Self::Int(_) => INT,
            Self::Text(_) => TEXT,
        }
    }
}

pub(super) const INT: &str = "i";
pub(super) const TEXT: &str = "t";

impl From<&str> for FieldValue {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<i64> for FieldValue {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

/// How a field compares to a filter's value. Only values of the same kind match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// The same.
    Equal,
    /// Strictly below.
    Less,
    /// Strictly above.
    Greater,
}

/// Which entities to find: those whose field compares so to the value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Filter {
    /// The field, by its index's family.
    pub index: Family,
    /// The comparison.
    pub comparison: Comparison,
    /// What the field is compared to.
    pub value: FieldValue,
}

impl Filter {
    /// Field = value.
    pub fn equal(index: Family, value: impl Into<FieldValue>) -> Self {
        Self::new(index, Comparison::Equal, value)
    }

    /// Field < value.
    pub fn less(index: Family, value: impl Into<FieldValue>) -> Self {
        Self::new(index, Comparison::Less, value)
    }

    /// Field > value.
    pub fn greater(index: Family, value: impl Into<FieldValue>) -> Self {
        Self::new(index, Comparison::Greater, value)
    }

    fn new(index: Family, comparison: Comparison, value: impl Into<FieldValue>) -> Self {
        Self {
            index,
            comparison,
            value: value.into(),
        }
    }

    pub(super) fn matches(&self, field: &FieldValue) -> bool {
        field.tag() == self.value.tag()
            && match self.comparison {
                Comparison::Equal => *field == self.value,
                Comparison::Less => *field < self.value,
                Comparison::Greater => *field > self.value,
            }
    }
}

/// The tables of one store.
#[derive(Default)]
pub struct Schema {
    pub(super) tables: Vec<Box<dyn EntityTable>>,
}

impl std::fmt::Debug for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.families()).finish()
    }
}

impl Schema {
    /// No tables.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With the table of `E`.
    #[must_use]
    pub fn with<E: Entity + 'static>(mut self) -> Self {
        self.tables.push(Box::new(Typed::<E>::new()));
        self
    }

    /// With the cache of [`Effect`]s.
    #[must_use]
    pub fn with_effects(self) -> Self {
        self.with::<Effect>()
    }

    /// Every family that the engine must have, the store's own included.
    #[must_use]
    pub fn families(&self) -> Vec<Family> {
        let own = [super::records::CHECKPOINTS, super::records::STATE];
        let tables = self.tables.iter().flat_map(|table| {
            [table.rows()]
                .into_iter()
                .chain(table.history())
                .chain(table.indexes().iter().copied())
        });
        own.into_iter().chain(tables).collect()
    }

    /// Refuses two uses of one family name.
    pub(super) fn check(&self) -> Result<()> {
        let mut names: Vec<_> = self.families().iter().map(|family| family.name()).collect();
        names.sort_unstable();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            None => Ok(()),
            Some(pair) => Err(Error::State {
                action: "declare the entity tables",
                reason: format!("the family {} is used twice", pair[0]),
            }),
        }
    }
}
