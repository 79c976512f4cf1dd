//! The newest row of each key, over the memtable and the segments.

use std::collections::btree_map;
use std::sync::Arc;

use super::block::BlockCursor;
use super::cache::BlockCache;
use super::file::{FamilyIndex, Segment};
use crate::disk::Disk;
use crate::engine::Range;
use crate::error::Result;

/// Walks a family's rows in one segment.
pub(super) struct SegmentCursor<'a> {
    segment: &'a Segment,
    family: &'a FamilyIndex,
    disk: &'a dyn Disk,
    cache: &'a BlockCache,
    /// The next block to read.
    next: usize,
    plain: Arc<Vec<u8>>,
    row: BlockCursor,
}

impl SegmentCursor<'_> {
    fn advance(&mut self) -> Result<bool> {
        while !self.row.advance(&self.segment.path, &self.plain)? {
            let Some(block) = self.family.blocks.get(self.next) else {
                return Ok(false);
            };
            self.plain = self.segment.block(self.disk, self.cache, block, false)?;
            self.row.rewind();
            self.next += 1;
        }
        Ok(true)
    }
}

enum Source<'a> {
    Memtable {
        rows: btree_map::Range<'a, Vec<u8>, Option<Vec<u8>>>,
        row: Option<(&'a Vec<u8>, &'a Option<Vec<u8>>)>,
    },
    Segment(SegmentCursor<'a>),
}

impl Source<'_> {
    fn key(&self) -> &[u8] {
        match self {
            Self::Memtable { row, .. } => row.map_or(&[], |(key, _)| key),
            Self::Segment(cursor) => &cursor.row.key,
        }
    }

    fn value(&self) -> Option<&[u8]> {
        match self {
            Self::Memtable { row, .. } => row.and_then(|(_, value)| value.as_deref()),
            Self::Segment(cursor) => {
                let range = cursor.row.value.clone();
                range.map(|range| &cursor.plain[range])
            }
        }
    }

    fn advance(&mut self) -> Result<bool> {
        match self {
            Self::Memtable { rows, row } => {
                *row = rows.next();
                Ok(row.is_some())
            }
            Self::Segment(cursor) => cursor.advance(),
        }
    }
}

/// Rows of one family in key order, each key once, tombstones included.
pub(super) struct Merge<'a> {
    /// Newest first; none is at its end.
    sources: Vec<Source<'a>>,
    /// Which of them has the current row.
    current: usize,
    end: Option<Vec<u8>>,
}

impl<'a> Merge<'a> {
    /// Sources must be added from the newest to the oldest.
    pub(super) fn new(end: Option<Vec<u8>>) -> Self {
        Self {
            sources: Vec::new(),
            current: 0,
            end,
        }
    }

    pub(super) fn add_memtable(
        &mut self,
        mut rows: btree_map::Range<'a, Vec<u8>, Option<Vec<u8>>>,
    ) {
        let row = rows.next();
        if row.is_some() {
            self.sources.push(Source::Memtable { rows, row });
        }
    }

    pub(super) fn add_segment(
        &mut self,
        segment: &'a Segment,
        family: &'a FamilyIndex,
        disk: &'a dyn Disk,
        cache: &'a BlockCache,
        range: &Range,
    ) -> Result<()> {
        let (start, is_excluded) = match &range.after {
            Some(after) if *after >= range.start => (after, true),
            _ => (&range.start, false),
        };
        if start > &family.last_key {
            return Ok(());
        }
        let mut cursor = SegmentCursor {
            segment,
            family,
            disk,
            cache,
            next: family.block_of(start).unwrap_or(0),
            plain: Arc::default(),
            row: BlockCursor::default(),
        };
        while cursor.advance()? {
            if cursor.row.key > *start || (cursor.row.key == *start && !is_excluded) {
                self.sources.push(Source::Segment(cursor));
                break;
            }
        }
        Ok(())
    }

    /// Finds the current row; false at the end of the range.
    pub(super) fn find(&mut self) -> bool {
        let keys = self.sources.iter().map(Source::key).enumerate();
        // Of equal keys `min_by` takes the first: the newest.
        let Some((at, key)) = keys.min_by(|(_, a), (_, b)| a.cmp(b)) else {
            return false;
        };
        self.current = at;
        self.end.as_deref().is_none_or(|end| key < end)
    }

    pub(super) fn key(&self) -> &[u8] {
        self.sources[self.current].key()
    }

    pub(super) fn value(&self) -> Option<&[u8]> {
        self.sources[self.current].value()
    }

    /// Leaves the current row, in every source that has its key.
    pub(super) fn advance(&mut self) -> Result<()> {
        let mut at = self.sources.len();
        while at > self.current + 1 {
            at -= 1;
            if self.sources[at].key() == self.sources[self.current].key() {
                self.advance_source(at)?;
            }
        }
        self.advance_source(self.current)
    }

    fn advance_source(&mut self, at: usize) -> Result<()> {
        if !self.sources[at].advance()? {
            self.sources.remove(at);
        }
        Ok(())
    }
}
