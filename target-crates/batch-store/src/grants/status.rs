//! The row that says which session a store holds and whether it is whole.

use super::SESSIONS;
use crate::batch::WriteBatch;
use crate::codec::{Decoder, Encoder};
use crate::durability::Durability;
use crate::engine::Engine;
use crate::error::Result;
use crate::table::{Family, Record, Table};

/// The one row of [`SESSIONS`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SessionRow {
    pub(super) sync_id: String,
    pub(super) is_finished: bool,
}

impl SessionRow {
    const KEY: &'static [u8] = b"session";

    pub(super) fn load(engine: &dyn Engine) -> Result<Option<Self>> {
        Table::<Self>::new().get(engine, Self::KEY)
    }

    pub(super) fn store(&self, engine: &mut dyn Engine, durability: Durability) -> Result<()> {
        let mut batch = WriteBatch::new();
        Table::new().stage_put(&*engine, &mut batch, self)?;
        engine.commit(&batch, durability)?;
        Ok(())
    }
}

impl Record for SessionRow {
    const PRIMARY: Family = SESSIONS;
    const INDEXES: &'static [Family] = &[];

    fn key(&self) -> Vec<u8> {
        Self::KEY.to_vec()
    }

    fn index_keys(&self) -> Vec<Vec<u8>> {
        Vec::new()
    }

    fn encode(&self) -> Result<Vec<u8>> {
        let mut out = Encoder::new();
        out.str(&self.sync_id).bool(self.is_finished);
        Ok(out.finish())
    }

    fn decode(_key: &[u8], value: &[u8]) -> Result<Self> {
        let mut input = Decoder::new(SESSIONS.name(), value);
        let row = Self {
            sync_id: input.string()?,
            is_finished: input.bool()?,
        };
        input.finish()?;
        Ok(row)
    }

    fn primary_of(_index: usize, index_key: &[u8]) -> Result<Vec<u8>> {
        Ok(index_key.to_vec())
    }
}
