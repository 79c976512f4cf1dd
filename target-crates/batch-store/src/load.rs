//! Encoding and sorting a bulk load: in shards, on several threads, into one
//! buffer per family and shard.
//!
//! Each shard takes a contiguous part of the records, encodes it, sorts each
//! family's rows and drops all but the last record of equal keys; then the
//! shards are merged family by family. The result does not depend on the number
//! of shards.

use std::marker::PhantomData;
use std::thread;

use crate::bulk::{BulkLoad, Slot, SortedRun, StagedLoad, too_long};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::sort;
use crate::table::{Record, Table};
use crate::tuning::{LOAD_LOOKUP_ROWS, LOAD_SHARD_ROWS};

/// What a load writes for one record: the record itself, or a borrowed form that
/// writes the same bytes and owns nothing.
pub trait LoadRow {
    /// The record it stands for.
    type Record: Record;

    /// Appends [`Record::key`].
    fn append_key(&self, out: &mut Vec<u8>);

    /// Appends element `index` of [`Record::index_keys`].
    fn append_index_key(&self, index: usize, out: &mut Vec<u8>);

    /// Appends [`Record::encode`].
    ///
    /// # Errors
    /// As [`Record::encode`].
    fn append_value(&self, out: &mut Vec<u8>) -> Result<()>;
}

impl<R: Record> LoadRow for &R {
    type Record = R;

    fn append_key(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.key());
    }

    fn append_index_key(&self, index: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.index_keys()[index]);
    }

    fn append_value(&self, out: &mut Vec<u8>) -> Result<()> {
        out.extend_from_slice(&self.encode()?);
        Ok(())
    }
}

/// Encoded records and their index entries, not yet compared with what is stored.
#[derive(Debug)]
pub struct EncodedLoad<R> {
    load: BulkLoad,
    record: PhantomData<fn() -> R>,
}

impl<R: Record> Table<R> {
    /// Encodes and sorts the records and their index entries, on at most `threads`
    /// threads; of equal keys the last stays. Touches no engine, so that several
    /// producers can encode at once.
    ///
    /// # Errors
    /// The first record's that cannot be encoded.
    pub fn encode<'a, T: Sync, L: LoadRow<Record = R>>(
        self,
        items: &'a [T],
        threads: usize,
        row: impl Fn(&'a T) -> L + Sync,
    ) -> Result<EncodedLoad<R>> {
        if u32::try_from(items.len()).is_err() {
            return Err(Error::State {
                action: "encode a load",
                reason: format!("{} records are too many for one", items.len()),
            });
        }
        let shards = (items.len() / LOAD_SHARD_ROWS).clamp(1, threads.max(1));
        let size = items.len().div_ceil(shards).max(1);
        let shards = in_parallel(items.chunks(size).enumerate(), |(number, part)| {
            Shard::encode(part, number, number * size, &row)
        });
        let shards = shards.into_iter().collect::<Result<Vec<_>>>()?;
        Ok(EncodedLoad {
            load: merge::<R>(shards),
            record: PhantomData,
        })
    }
}

impl<R: Record + Sync> Table<R> {
    /// The records and their index entries, sorted, for a store that holds none of
    /// their keys; of equal keys, the last record counts.
    ///
    /// # Errors
    /// When a record cannot be encoded.
    pub fn load(self, records: &[R]) -> Result<BulkLoad> {
        Ok(self.encode(records, 1, |record| record)?.load)
    }
}

impl<R: Record> EncodedLoad<R> {
    /// The load for a store that holds no record yet: nothing is read.
    #[must_use]
    pub fn over_nothing(self) -> StagedLoad {
        StagedLoad {
            load: self.load,
            replaced: 0,
        }
    }

    /// The load for a store with records: those under the same keys are read, and
    /// the index entries that they had and the new ones have not are to be deleted.
    ///
    /// # Errors
    /// When the engine cannot be read or the bytes not decoded.
    pub fn over(self, engine: &dyn Engine) -> Result<StagedLoad> {
        let mut staged = self.over_nothing();
        let Some(primary) = staged.load.runs().first() else {
            return Ok(staged);
        };
        let mut stale = vec![Vec::new(); R::INDEXES.len()];
        let mut from = 0;
        while from < primary.len() {
            let to = primary.len().min(from + LOAD_LOOKUP_ROWS);
            let rows: Vec<_> = primary.rows_in(from..to).collect();
            let keys: Vec<&[u8]> = rows.iter().map(|(key, _)| *key).collect();
            let found = engine.get_many(R::PRIMARY, &keys)?;
            for ((key, new), old) in rows.into_iter().zip(found) {
                let Some(old) = old else { continue };
                staged.replaced += 1;
                stale_entries::<R>(key, &old, new.unwrap_or_default(), &mut stale)?;
            }
            from = to;
        }
        for (family, keys) in R::INDEXES.iter().zip(&stale) {
            if !keys.is_empty() {
                staged.load.delete(*family, keys);
            }
        }
        Ok(staged)
    }
}

/// Adds, per index, the entry that the old value has and the new one has not.
fn stale_entries<R: Record>(
    key: &[u8],
    old: &[u8],
    new: &[u8],
    stale: &mut [Vec<Vec<u8>>],
) -> Result<()> {
    if stale.is_empty() || old == new {
        return Ok(());
    }
    let (old, new) = (R::decode(key, old)?, R::decode(key, new)?);
    let entries = old.index_keys().into_iter().zip(new.index_keys());
    for (stale, (old, new)) in stale.iter_mut().zip(entries) {
        if old != new {
            stale.push(old);
        }
    }
    Ok(())
}

/// The sorted rows of a part of the records, one element per family.
struct Shard {
    families: Vec<Rows>,
    /// Records, by number, that a later one of the shard replaces.
    replaced: Vec<u32>,
}

/// Rows of one family and shard.
#[derive(Default)]
struct Rows {
    arena: Vec<u8>,
    slots: Vec<Slot>,
}

impl Rows {
    /// Appends what `write` writes: it returns how much of it is the key.
    fn push(
        &mut self,
        shard: usize,
        record: usize,
        write: impl FnOnce(&mut Vec<u8>) -> Result<usize>,
    ) -> Result<()> {
        let start = self.arena.len();
        let key_end = write(&mut self.arena)?;
        let len = |bytes: usize| u32::try_from(bytes).map_err(|_| too_long(record));
        self.slots.push(Slot {
            start,
            key_len: len(key_end - start)?,
            value_len: len(self.arena.len() - key_end)?,
            arena: shard as u32,
            record: record as u32,
        });
        Ok(())
    }

    /// Makes room for `rows` rows like the first, and an eighth more bytes; not when
    /// that is more than can be had, as the first may be unlike the others.
    fn reserve_like_first(&mut self, rows: usize) {
        let bytes = self.arena.len().saturating_mul(rows);
        let _ = self.arena.try_reserve(bytes.saturating_add(bytes / 8));
    }
}

impl Shard {
    fn encode<'a, T, L: LoadRow>(
        part: &'a [T],
        shard: usize,
        first: usize,
        row: &impl Fn(&'a T) -> L,
    ) -> Result<Self> {
        let indexes = L::Record::INDEXES.len();
        let mut families: Vec<Rows> = (0..=indexes).map(|_| Rows::default()).collect();
        for rows in &mut families {
            rows.slots.reserve_exact(part.len());
        }
        for (at, item) in part.iter().enumerate() {
            let (row, record) = (row(item), first + at);
            families[0].push(shard, record, |out| {
                row.append_key(out);
                let key_end = out.len();
                row.append_value(out)?;
                Ok(key_end)
            })?;
            for index in 0..indexes {
                families[1 + index].push(shard, record, |out| {
                    row.append_index_key(index, out);
                    Ok(out.len())
                })?;
            }
            if at == 0 {
                for rows in &mut families {
                    rows.reserve_like_first(part.len());
                }
            }
        }
        let mut replaced = Vec::new();
        for (family, rows) in families.iter_mut().enumerate() {
            sort::sort(&mut rows.slots, &mut rows.arena);
            if family == 0 {
                replaced = keep_last(rows);
            }
        }
        Ok(Self { families, replaced })
    }
}

/// Drops all but the last record of equal keys, and returns the others' numbers.
fn keep_last(rows: &mut Rows) -> Vec<u32> {
    let mut replaced = Vec::new();
    let arena = &rows.arena;
    // Equal keys are in the records' order, so the one kept moves to the front's place.
    rows.slots.dedup_by(|later, kept| {
        let is_equal = later.key(arena) == kept.key(arena);
        if is_equal {
            replaced.push(kept.record);
            *kept = *later;
        }
        is_equal
    });
    replaced
}

/// Merges the shards family by family: the primary rows first, because they say
/// which records have no index entries.
fn merge<R: Record>(shards: Vec<Shard>) -> BulkLoad {
    let mut replaced: Vec<u32> = Vec::new();
    let mut families: Vec<Vec<Rows>> = (0..=R::INDEXES.len()).map(|_| Vec::new()).collect();
    for shard in shards {
        replaced.extend(shard.replaced);
        for (family, rows) in families.iter_mut().zip(shard.families) {
            family.push(rows);
        }
    }
    let mut families = families.into_iter();
    let primary = families.next().map(split).unwrap_or_default();
    let slots = sort::merge(&primary.0, primary.1, |record| replaced.push(record));
    let mut runs = vec![SortedRun::new(R::PRIMARY, primary.0, slots)];
    replaced.sort_unstable();
    let indexes = families.zip(R::INDEXES);
    runs.extend(in_parallel(indexes, |(rows, family)| {
        let (arenas, mut slots) = split(rows);
        if !replaced.is_empty() {
            for shard in &mut slots {
                shard.retain(|slot| replaced.binary_search(&slot.record).is_err());
            }
        }
        let slots = sort::merge(&arenas, slots, |_| {});
        SortedRun::new(*family, arenas, slots)
    }));
    BulkLoad::new(runs)
}

fn split(rows: Vec<Rows>) -> (Vec<Vec<u8>>, Vec<Vec<Slot>>) {
    rows.into_iter()
        .map(|rows| (rows.arena, rows.slots))
        .unzip()
}

/// Runs the work for every element, the last on this thread and each other on one
/// of its own; results in order. A panic in any goes on here.
fn in_parallel<I: Send, O: Send>(
    items: impl ExactSizeIterator<Item = I>,
    work: impl Fn(I) -> O + Sync,
) -> Vec<O> {
    let others = items.len().saturating_sub(1);
    thread::scope(|scope| {
        let (mut threads, mut results) = (Vec::new(), Vec::with_capacity(others + 1));
        let mut last = None;
        for (number, item) in items.enumerate() {
            if number < others {
                let work = &work;
                threads.push(scope.spawn(move || work(item)));
            } else {
                last = Some(work(item));
            }
        }
        for thread in threads {
            match thread.join() {
                Ok(result) => results.push(result),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        results.extend(last);
        results
    })
}
