//! [`EngineKind`]: which engine a directory holds, or is to hold.

use std::path::Path;

use super::Engine;
use super::segment::SegmentEngine;
use super::sqlite::SqliteEngine;
use crate::durability::Durability;
use crate::error::{Error, Result};
use crate::table::Family;

/// An engine that stores a directory of files. Which one a directory has, its
/// files say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum EngineKind {
    /// [`SegmentEngine`]: a log and sorted, compressed files; made for bulk loads.
    #[default]
    Segment,
    /// [`SqliteEngine`]: one database file.
    Sqlite,
}

impl EngineKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Segment, Self::Sqlite];

    /// Its name, in archives and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Segment => "segment",
            Self::Sqlite => "sqlite",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The file that every store of this kind has.
    fn main_file(self) -> &'static str {
        match self {
            Self::Segment => "MANIFEST",
            Self::Sqlite => "store.db",
        }
    }

    /// Whether its files are compressed already.
    pub(crate) fn is_compressed(self) -> bool {
        self == Self::Segment
    }

    /// The kind of the store in `dir`; `None` when it has none.
    ///
    /// # Errors
    /// When the directory cannot be read, or holds stores of two kinds.
    pub fn of(dir: &Path) -> Result<Option<Self>> {
        let mut found = None;
        for kind in Self::ALL {
            let file = dir.join(kind.main_file());
            let is_there = file.try_exists().map_err(Error::io("look for", &file))?;
            if is_there && found.replace(kind).is_some() {
                let reason = format!("{} holds the files of two engines", dir.display());
                return Err(Error::State {
                    action: "open a store",
                    reason,
                });
            }
        }
        Ok(found)
    }

    /// Opens the store in `dir`, or creates one, with these tables.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn open(self, dir: &Path, families: &[Family]) -> Result<Box<dyn Engine>> {
        let file = dir.join(self.main_file());
        Ok(match self {
            Self::Segment => Box::new(SegmentEngine::open(dir)?),
            Self::Sqlite => Box::new(SqliteEngine::open(&file, families, Durability::Checkpoint)?),
        })
    }

    /// Opens an existing store for reading only.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn open_read_only(self, dir: &Path) -> Result<Box<dyn Engine>> {
        let file = dir.join(self.main_file());
        Ok(match self {
            Self::Segment => Box::new(SegmentEngine::open_read_only(dir)?),
            Self::Sqlite => Box::new(SqliteEngine::open_read_only(&file)?),
        })
    }
}
