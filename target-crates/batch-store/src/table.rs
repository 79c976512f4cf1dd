//! [`Table`]: a typed record with its derived index keys, and the only way to
//! put either into a [`WriteBatch`].

use std::collections::BTreeMap;
use std::marker::PhantomData;

use crate::batch::WriteBatch;
use crate::bulk::{BulkLoad, SortedRun};
use crate::engine::{Engine, Range};
use crate::error::Result;
use crate::page::{Cursor, Page, page_rows};

/// How a family's rows are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layout {
    /// Rows in arrival order with an index on the key: for values of about 1 KB
    /// and more, which would spill to overflow pages in a clustered tree.
    Rowid,
    /// Rows inside the key's tree: for short values and for index entries.
    Clustered,
}

/// A physical table of the engine: a name and a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Family {
    name: &'static str,
    layout: Layout,
}

impl Family {
    /// A family; `name` is an SQL identifier.
    #[must_use]
    pub const fn new(name: &'static str, layout: Layout) -> Self {
        Self { name, layout }
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// Its layout.
    #[must_use]
    pub const fn layout(self) -> Layout {
        self.layout
    }
}

/// A record: its key, its value and the entries of its secondary indexes.
pub trait Record: Sized {
    /// Where the record itself is stored.
    const PRIMARY: Family;
    /// Its secondary indexes, in the order of [`Record::index_keys`].
    const INDEXES: &'static [Family];

    /// The primary key.
    fn key(&self) -> Vec<u8>;

    /// The key of each secondary index's entry; each must end in the primary key's
    /// own components, so that entries of two records differ.
    fn index_keys(&self) -> Vec<Vec<u8>>;

    /// The value's bytes: equal records give equal bytes.
    ///
    /// # Errors
    /// [`Error::Encode`](crate::Error::Encode) when a field cannot be written.
    fn encode(&self) -> Result<Vec<u8>>;

    /// The record from its key and value.
    ///
    /// # Errors
    /// [`Error::Decode`](crate::Error::Decode) when the bytes are not its format.
    fn decode(key: &[u8], value: &[u8]) -> Result<Self>;

    /// The primary key inside an entry of index number `index`.
    ///
    /// # Errors
    /// [`Error::Decode`](crate::Error::Decode) when the bytes are not its format.
    fn primary_of(index: usize, index_key: &[u8]) -> Result<Vec<u8>>;
}

/// The typed view of one record type.
#[derive(Debug)]
pub struct Table<R>(PhantomData<fn() -> R>);

impl<R> Clone for Table<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Table<R> {}

impl<R> Default for Table<R> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<R: Record> Table<R> {
    /// The table of `R`.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The record as the batch, then the engine, has it.
    fn current(self, engine: &dyn Engine, batch: &WriteBatch, key: &[u8]) -> Result<Option<R>> {
        match batch.pending(R::PRIMARY, key) {
            Some(pending) => pending.map(|value| R::decode(key, value)).transpose(),
            None => engine
                .get(R::PRIMARY, key)?
                .map(|value| R::decode(key, &value))
                .transpose(),
        }
    }

    /// Adds a put of `record` and of its index entries, replacing those of the
    /// record now stored under the same key.
    ///
    /// # Errors
    /// When the record cannot be encoded or the stored one not read; the batch
    /// is then as it was.
    pub fn stage_put(self, engine: &dyn Engine, batch: &mut WriteBatch, record: &R) -> Result<()> {
        let key = record.key();
        let value = record.encode()?;
        self.stage_index_deletes(engine, batch, &key)?;
        batch.put(R::PRIMARY, key, value);
        for (family, index_key) in R::INDEXES.iter().zip(record.index_keys()) {
            batch.put(*family, index_key, Vec::new());
        }
        Ok(())
    }

    /// Adds a delete of the record under `key` and of its index entries; of a
    /// missing record, nothing.
    ///
    /// # Errors
    /// When the stored record cannot be read; the batch is then as it was.
    pub fn stage_delete(
        self,
        engine: &dyn Engine,
        batch: &mut WriteBatch,
        key: &[u8],
    ) -> Result<bool> {
        let found = self.current(engine, batch, key)?.is_some();
        if found {
            self.stage_index_deletes(engine, batch, key)?;
            batch.delete(R::PRIMARY, key.to_vec());
        }
        Ok(found)
    }

    /// The records and their index entries, sorted, for a store that holds none of
    /// their keys; of equal keys, the last record counts.
    ///
    /// # Errors
    /// When a record cannot be encoded.
    pub fn load(self, records: &[R]) -> Result<BulkLoad> {
        let latest: BTreeMap<Vec<u8>, &R> = records.iter().map(|r| (r.key(), r)).collect();
        let mut primary = SortedRun::with_capacity(R::PRIMARY, latest.len(), 0);
        let mut entries = vec![Vec::with_capacity(latest.len()); R::INDEXES.len()];
        for (key, record) in &latest {
            primary.push(key, &record.encode()?)?;
            for (entries, key) in entries.iter_mut().zip(record.index_keys()) {
                entries.push(key);
            }
        }
        let mut runs = vec![primary];
        for (family, mut entries) in R::INDEXES.iter().zip(entries) {
            entries.sort_unstable();
            let mut run = SortedRun::with_capacity(*family, entries.len(), 0);
            for key in &entries {
                run.push(key, &[])?;
            }
            runs.push(run);
        }
        Ok(BulkLoad::new(runs))
    }

    fn stage_index_deletes(
        self,
        engine: &dyn Engine,
        batch: &mut WriteBatch,
        key: &[u8],
    ) -> Result<()> {
        if R::INDEXES.is_empty() {
            return Ok(());
        }
        if let Some(old) = self.current(engine, batch, key)? {
            for (family, index_key) in R::INDEXES.iter().zip(old.index_keys()) {
                batch.delete(*family, index_key);
            }
        }
        Ok(())
    }

    /// The record under `key`, seen through `batch`: what a change that reads
    /// before it writes needs.
    ///
    /// # Errors
    /// When the engine cannot be read or the bytes not decoded.
    pub fn get_staged(
        self,
        engine: &dyn Engine,
        batch: &WriteBatch,
        key: &[u8],
    ) -> Result<Option<R>> {
        self.current(engine, batch, key)
    }

    /// The record under `key`.
    ///
    /// # Errors
    /// When the engine cannot be read or the bytes not decoded.
    pub fn get(self, engine: &dyn Engine, key: &[u8]) -> Result<Option<R>> {
        engine
            .get(R::PRIMARY, key)?
            .map(|value| R::decode(key, &value))
            .transpose()
    }

    /// One page of the records whose primary key starts with `prefix`, at most
    /// `limit` rows (0: [`MAX_PAGE_ROWS`](crate::MAX_PAGE_ROWS)).
    ///
    /// # Errors
    /// When the cursor is not this list's, or as [`Table::get`].
    pub fn list(
        self,
        engine: &dyn Engine,
        prefix: &[u8],
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<R>> {
        self.pages(engine, R::PRIMARY, prefix, cursor, limit, |key, value| {
            R::decode(key, value).map(Some)
        })
    }

    /// One page of the records whose entry in index number `index` starts with
    /// `prefix`, in that index's order. An entry without its record is passed over.
    ///
    /// # Errors
    /// As [`Table::list`].
    pub fn list_by(
        self,
        engine: &dyn Engine,
        index: usize,
        prefix: &[u8],
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<R>> {
        self.pages(
            engine,
            R::INDEXES[index],
            prefix,
            cursor,
            limit,
            |key, _| self.get(engine, &R::primary_of(index, key)?),
        )
    }

    fn pages(
        self,
        engine: &dyn Engine,
        family: Family,
        prefix: &[u8],
        cursor: Option<&Cursor>,
        limit: usize,
        mut read: impl FnMut(&[u8], &[u8]) -> Result<Option<R>>,
    ) -> Result<Page<R>> {
        let after = cursor.map(|cursor| cursor.key(family)).transpose()?;
        if after
            .as_ref()
            .is_some_and(|after| !after.starts_with(prefix))
        {
            return Err(crate::Error::InvalidCursor(
                "it points outside the list".to_owned(),
            ));
        }
        let limit = page_rows(limit);
        let mut range = Range::prefix(prefix);
        range.after = after;
        let rows = engine.scan(family, &range, limit)?;
        let next = (rows.len() == limit)
            .then(|| rows.last().map(|(key, _)| Cursor::after(family, key)))
            .flatten();
        let mut records = Vec::new();
        for (key, value) in &rows {
            if let Some(record) = read(key, value)? {
                records.push(record);
            }
        }
        Ok(Page {
            rows: records,
            next,
        })
    }
}
