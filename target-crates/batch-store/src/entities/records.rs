//! The records of an entity store: rows, their versions, checkpoints and the
//! store's own state.

use std::marker::PhantomData;
use std::sync::Arc;

use crate::codec::{Decoder, Encoder};
use crate::entities::entity::{Entity, FieldValue, INT, TEXT};
use crate::error::{Error, Result};
use crate::keys::{KeyBuilder, KeyReader};
use crate::table::{Family, Layout, Record};

/// Rows of [`Checkpoint`].
pub const CHECKPOINTS: Family = Family::new("entity_checkpoints", Layout::Clustered);
/// The one row of [`StoreState`].
pub(super) const STATE: Family = Family::new("entity_state", Layout::Clustered);

/// An entity's bytes, and the fields it is found by.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stored {
    pub bytes: Vec<u8>,
    pub fields: Vec<FieldValue>,
}

/// An entity's bytes, or that there is none.
pub(super) type Value = Option<Arc<Stored>>;

impl Stored {
    pub(super) fn of<E: Entity>(entity: &E) -> Result<Arc<Self>> {
        let failed = |reason| Error::Encode {
            record: format!("{:?} of {}", entity.id(), E::ROWS.name()),
            reason,
        };
        let bytes = entity.encode().map_err(failed)?;
        let fields = entity.fields();
        if fields.len() != E::INDEXES.len() {
            let (found, wanted) = (fields.len(), E::INDEXES.len());
            return Err(failed(format!(
                "{found} indexed fields for {wanted} indexes"
            )));
        }
        Ok(Arc::new(Self { bytes, fields }))
    }

    /// From the bytes; the entity itself is needed for its fields only.
    pub(super) fn read<E: Entity>(id: &str, bytes: &[u8]) -> Result<Arc<Self>> {
        let fields = if E::INDEXES.is_empty() {
            Vec::new()
        } else {
            decode::<E>(id, bytes)?.fields()
        };
        Ok(Arc::new(Self {
            bytes: bytes.to_vec(),
            fields,
        }))
    }
}

pub(super) fn decode<E: Entity>(id: &str, bytes: &[u8]) -> Result<E> {
    E::decode(id, bytes).map_err(|reason| Error::Decode {
        table: E::ROWS.name(),
        reason: format!("{id:?}: {reason}"),
    })
}

pub(super) fn row_key(id: &str) -> Vec<u8> {
    KeyBuilder::new().str(id).finish()
}

/// The current row of an entity.
pub(super) struct Row<E> {
    pub id: Arc<str>,
    pub stored: Arc<Stored>,
    entity: PhantomData<fn() -> E>,
}

impl<E> Row<E> {
    pub(super) fn new(id: Arc<str>, stored: Arc<Stored>) -> Self {
        Self {
            id,
            stored,
            entity: PhantomData,
        }
    }
}

impl<E: Entity> Record for Row<E> {
    const PRIMARY: Family = E::ROWS;
    const INDEXES: &'static [Family] = E::INDEXES;

    fn key(&self) -> Vec<u8> {
        row_key(&self.id)
    }

    fn index_keys(&self) -> Vec<Vec<u8>> {
        let id = row_key(&self.id);
        let keys = self.stored.fields.iter().map(|field| {
            let mut key = field.key();
            key.extend_from_slice(&id);
            key
        });
        keys.collect()
    }

    fn encode(&self) -> Result<Vec<u8>> {
        Ok(self.stored.bytes.clone())
    }

    fn decode(key: &[u8], value: &[u8]) -> Result<Self> {
        let mut reader = KeyReader::new(E::ROWS.name(), key);
        let id = reader.str()?;
        reader.finish()?;
        let stored = Stored::read::<E>(&id, value)?;
        Ok(Self::new(id.into(), stored))
    }

    fn primary_of(index: usize, index_key: &[u8]) -> Result<Vec<u8>> {
        let table = E::INDEXES[index].name();
        let mut reader = KeyReader::new(table, index_key);
        match reader.str()?.as_str() {
            INT => reader.i64().map(drop)?,
            TEXT => reader.str().map(drop)?,
            tag => {
                return Err(Error::Decode {
                    table,
                    reason: format!("the kind of value {tag:?} is unknown"),
                });
            }
        }
        let id = reader.str()?;
        reader.finish()?;
        Ok(row_key(&id))
    }
}

/// The entity as a checkpoint left it: its bytes, or `None` when deleted. At
/// checkpoint 0: as it was before its first version ("anchor").
pub(super) struct Version<E> {
    pub id: Arc<str>,
    pub checkpoint: u64,
    pub bytes: Option<Vec<u8>>,
    pub entity: PhantomData<fn() -> E>,
}

pub(super) fn version_key(id: &str, checkpoint: u64) -> Vec<u8> {
    KeyBuilder::new().str(id).u64(checkpoint).finish()
}

impl<E: Entity> Record for Version<E> {
    // An entity without history is never given a version.
    const PRIMARY: Family = match E::HISTORY {
        Some(history) => history,
        None => E::ROWS,
    };
    const INDEXES: &'static [Family] = &[];

    fn key(&self) -> Vec<u8> {
        version_key(&self.id, self.checkpoint)
    }

    fn index_keys(&self) -> Vec<Vec<u8>> {
        Vec::new()
    }

    fn encode(&self) -> Result<Vec<u8>> {
        let mut encoder = Encoder::new();
        encoder.option(self.bytes.as_deref(), |encoder, bytes| {
            encoder.bytes(bytes);
        });
        Ok(encoder.finish())
    }

    fn decode(key: &[u8], value: &[u8]) -> Result<Self> {
        let table = Self::PRIMARY.name();
        let mut reader = KeyReader::new(table, key);
        let (id, checkpoint) = (reader.str()?, reader.u64()?);
        reader.finish()?;
        let mut decoder = Decoder::new(table, value);
        let bytes = decoder.option(|decoder| decoder.bytes().map(<[u8]>::to_vec))?;
        decoder.finish()?;
        Ok(Self {
            id: id.into(),
            checkpoint,
            bytes,
            entity: PhantomData,
        })
    }

    fn primary_of(_index: usize, index_key: &[u8]) -> Result<Vec<u8>> {
        Ok(index_key.to_vec())
    }
}

/// A point in the processed stream, such as a block: stored with the batch that
/// it belongs to, and removed by a rollback below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Its number; they only grow, over rollbacks and restarts too.
    pub number: u64,
    /// What the caller needs to find the place again, such as a block's number and hash.
    pub data: Vec<u8>,
}

impl Record for Checkpoint {
    const PRIMARY: Family = CHECKPOINTS;
    const INDEXES: &'static [Family] = &[];

    fn key(&self) -> Vec<u8> {
        KeyBuilder::new().u64(self.number).finish()
    }

    fn index_keys(&self) -> Vec<Vec<u8>> {
        Vec::new()
    }

    fn encode(&self) -> Result<Vec<u8>> {
        Ok(self.data.clone())
    }

    fn decode(key: &[u8], value: &[u8]) -> Result<Self> {
        let mut reader = KeyReader::new(CHECKPOINTS.name(), key);
        let number = reader.u64()?;
        reader.finish()?;
        Ok(Self {
            number,
            data: value.to_vec(),
        })
    }

    fn primary_of(_index: usize, index_key: &[u8]) -> Result<Vec<u8>> {
        Ok(index_key.to_vec())
    }
}

/// What the store must know when it is opened again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct StoreState {
    /// The committed frontier.
    pub committed: u64,
    /// The lowest checkpoint that a rollback can reach.
    pub floor: u64,
    /// Whether there may be versions.
    pub has_history: bool,
}

impl StoreState {
    pub(super) fn the_key() -> Vec<u8> {
        KeyBuilder::new().str("state").finish()
    }
}

impl Record for StoreState {
    const PRIMARY: Family = STATE;
    const INDEXES: &'static [Family] = &[];

    fn key(&self) -> Vec<u8> {
        Self::the_key()
    }

    fn index_keys(&self) -> Vec<Vec<u8>> {
        Vec::new()
    }

    fn encode(&self) -> Result<Vec<u8>> {
        let mut encoder = Encoder::new();
        encoder
            .u64(self.committed)
            .u64(self.floor)
            .bool(self.has_history);
        Ok(encoder.finish())
    }

    fn decode(_key: &[u8], value: &[u8]) -> Result<Self> {
        let mut decoder = Decoder::new(STATE.name(), value);
        let state = Self {
            committed: decoder.u64()?,
            floor: decoder.u64()?,
            has_history: decoder.bool()?,
        };
        decoder.finish()?;
        Ok(state)
    }

    fn primary_of(_index: usize, index_key: &[u8]) -> Result<Vec<u8>> {
        Ok(index_key.to_vec())
    }
}
