//! [`Table`]: a typed record with its derived index keys, and the only way to
//! put either into a [`WriteBatch`].

use std::marker::PhantomData;

use crate::batch::WriteBatch;
use crate::engine::{Engine, Range, Row};
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

    /// Adds a delete of each record under `keys`, as [`Table::stage_delete`], with
    /// one read for all. Returns how many there were.
    ///
    /// # Errors
    /// When a stored record cannot be read; drop the batch then.
    pub fn stage_delete_many(
        self,
        engine: &dyn Engine,
        batch: &mut WriteBatch,
        keys: &[Vec<u8>],
    ) -> Result<usize> {
        let borrowed: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        let stored = engine.get_many(R::PRIMARY, &borrowed)?;
        let mut deleted = 0;
        for (key, stored) in keys.iter().zip(stored) {
            let old = match batch.pending(R::PRIMARY, key) {
                Some(pending) => pending.map(|value| R::decode(key, value)),
                None => stored.map(|value| R::decode(key, &value)),
            };
            let Some(old) = old.transpose()? else {
                continue;
            };
            for (family, index_key) in R::INDEXES.iter().zip(old.index_keys()) {
                batch.delete(*family, index_key);
            }
            batch.delete(R::PRIMARY, key.clone());
            deleted += 1;
        }
        Ok(deleted)
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

    /// The records under `keys`, in their order, with one read for all.
    ///
    /// # Errors
    /// As [`Table::get`].
    pub fn get_many(self, engine: &dyn Engine, keys: &[Vec<u8>]) -> Result<Vec<Option<R>>> {
        let borrowed: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        let values = engine.get_many(R::PRIMARY, &borrowed)?;
        let found = keys.iter().zip(values);
        found
            .map(|(key, value)| value.map(|value| R::decode(key, &value)).transpose())
            .collect()
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
        self.list_as(engine, prefix, cursor, limit, R::decode)
    }

    /// [`Table::list`] with another decoder, for a caller that needs less than
    /// the whole record.
    pub(crate) fn list_as<T>(
        self,
        engine: &dyn Engine,
        prefix: &[u8],
        cursor: Option<&Cursor>,
        limit: usize,
        decode: fn(&[u8], &[u8]) -> Result<T>,
    ) -> Result<Page<T>> {
        let (rows, next) = page(engine, R::PRIMARY, prefix, cursor, limit)?;
        let rows = rows.iter().map(|(key, value)| decode(key, value));
        Ok(Page {
            rows: rows.collect::<Result<_>>()?,
            next,
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
        self.list_by_as(engine, index, prefix, cursor, limit, R::decode)
    }

    /// [`Table::list_by`] with another decoder.
    pub(crate) fn list_by_as<T>(
        self,
        engine: &dyn Engine,
        index: usize,
        prefix: &[u8],
        cursor: Option<&Cursor>,
        limit: usize,
        decode: fn(&[u8], &[u8]) -> Result<T>,
    ) -> Result<Page<T>> {
        let (entries, next) = page(engine, R::INDEXES[index], prefix, cursor, limit)?;
        let keys = entries.iter().map(|(key, _)| R::primary_of(index, key));
        let keys = keys.collect::<Result<Vec<_>>>()?;
        let borrowed: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        let values = engine.get_many(R::PRIMARY, &borrowed)?;
        let found = keys.iter().zip(values);
        let rows = found.filter_map(|(key, value)| value.map(|value| decode(key, &value)));
        Ok(Page {
            rows: rows.collect::<Result<_>>()?,
            next,
        })
    }
}

/// The rows of a page, and where the next one starts.
fn page(
    engine: &dyn Engine,
    family: Family,
    prefix: &[u8],
    cursor: Option<&Cursor>,
    limit: usize,
) -> Result<(Vec<Row>, Option<Cursor>)> {
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
    Ok((rows, next))
}
