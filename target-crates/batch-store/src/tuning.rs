//! The numbers that decide speed, one `const` each, so that a knob search can
//! edit them. None of them may change what is stored or when it is durable.

use std::time::Duration;

/// Size of `SQLite`'s page cache, in KiB (`PRAGMA cache_size = -n`).
pub const CACHE_KIB: u32 = 32_000;

/// Bytes of the database file mapped into memory (`PRAGMA mmap_size`); 0 is none.
pub const MMAP_BYTES: u64 = 0;

/// Size of a database page in bytes; a power of two from 512 to 65536.
pub const PAGE_BYTES: u32 = 4096;

/// Pages in the write-ahead log at which a commit starts a checkpoint.
pub const WAL_AUTOCHECKPOINT_PAGES: u32 = 10_000;

/// Records that a thread encodes and sorts, at least: a bulk load of fewer than
/// twice as many is encoded on the calling thread.
pub const LOAD_SHARD_ROWS: usize = 1024;

/// Threads that encode and sort a bulk load, at most.
pub const LOAD_SHARDS: usize = 4;

/// Stored records that a bulk load over others reads at a time.
pub const LOAD_LOOKUP_ROWS: usize = 4096;

/// Records in one transaction of [`GrantSession::delete_grants`](crate::grants::GrantSession::delete_grants).
pub const DELETE_ROWS: usize = 10_000;

/// Prepared statements a connection keeps.
pub const STATEMENT_CACHE: usize = 16;

/// Compression level of an archive's payload (zstd; 1 is fastest).
pub const ARCHIVE_LEVEL: i32 = 3;

/// Bytes moved at a time while packing and unpacking an archive.
pub const COPY_BUFFER_BYTES: usize = 8192;

/// Requests that the package index's writer may hold uncommitted.
pub const PACKAGE_QUEUE_ITEMS: usize = 1024;

/// Operations after which the package index's writer commits, at the latest.
pub const PACKAGE_BATCH_OPS: usize = 256;

/// Requests that the event log's writer may hold uncommitted.
pub const EVENT_QUEUE_ITEMS: usize = 1024;

/// Operations after which the event log's writer commits, at the latest.
pub const EVENT_BATCH_OPS: usize = 100;

/// Bytes of a snapshot's deltas, in percent of the whole snapshot's, at which the
/// next commit writes a whole one instead.
pub const SNAPSHOT_DELTA_PERCENT: u64 = 200;

/// Deltas of a snapshot at which the next commit writes a whole one instead.
pub const SNAPSHOT_MAX_DELTAS: u64 = 64;

/// Bytes of keys and values that the segment engine keeps in memory and in its
/// log before it writes them into a segment.
pub const SEGMENT_MEMTABLE_BYTES: usize = 16 << 20;

/// Bytes of keys and values in one block of a segment, at least, before
/// compression: the unit of reading.
pub const SEGMENT_BLOCK_BYTES: usize = 16 << 10;

/// Compression level of a segment's blocks (zstd; 1 is fastest).
pub const SEGMENT_LEVEL: i32 = 1;

/// Segments a store has, at most, before some are merged.
pub const SEGMENT_MAX: usize = 8;

/// Bytes of decoded blocks kept in memory.
pub const SEGMENT_CACHE_BYTES: usize = 16 << 20;

/// Bulk loads of fewer bytes go through the log like any batch: a segment of its
/// own costs three syncs, and many small ones are merged again and again.
pub const SEGMENT_INGEST_MIN_BYTES: usize = 1 << 20;

/// Threads that encode a bulk load's blocks, at most.
pub const SEGMENT_ENCODERS: usize = 4;

/// The log grows by as many zeros as it holds already, from the first to at most
/// the second number of bytes: writing into space that the file has makes a sync
/// cheaper, as it need not record a new length.
pub const LOG_STEP_BYTES: (u64, u64) = (64 << 10, 1 << 20);

/// Requests that a bulk load's writer may hold uncommitted.
pub const GRANTS_QUEUE_ITEMS: usize = 65_536;

/// Requests that the artifact index's writer may hold uncommitted.
pub const ARTIFACT_QUEUE_ITEMS: usize = 16_384;

/// Operations after which the artifact index's writer commits, at the latest.
pub const ARTIFACT_BATCH_OPS: usize = 2048;

/// Bytes of keys and values that a writer may hold uncommitted.
pub const QUEUE_BYTES: usize = 256 << 20;

/// Bytes of keys and values at which a writer commits.
pub const BATCH_BYTES: usize = 8 << 20;

/// How long closing a writer may take.
pub const CLOSE_DEADLINE: Duration = Duration::from_secs(30);

/// Changes that an entity store keeps in memory, unless told otherwise.
pub const ENTITY_CAPACITY: usize = 100_000;
