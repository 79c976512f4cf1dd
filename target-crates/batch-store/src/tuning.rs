//! The numbers that decide speed, one `const` each, so that a knob search can
//! edit them. None of them may change what is stored or when it is durable.

/// Size of `SQLite`'s page cache, in KiB (`PRAGMA cache_size = -n`).
pub const CACHE_KIB: u32 = 2000;

/// Bytes of the database file mapped into memory (`PRAGMA mmap_size`); 0 is none.
pub const MMAP_BYTES: u64 = 0;

/// Size of a database page in bytes; a power of two from 512 to 65536.
pub const PAGE_BYTES: u32 = 4096;

/// Pages in the write-ahead log at which a commit starts a checkpoint.
pub const WAL_AUTOCHECKPOINT_PAGES: u32 = 1000;

/// Records in one transaction of [`GrantSession::put_grants`](crate::grants::GrantSession::put_grants).
pub const BATCH_ROWS: usize = 256;

/// Prepared statements a connection keeps.
pub const STATEMENT_CACHE: usize = 16;

/// Compression level of an archive's payload (zstd; 1 is fastest).
pub const ARCHIVE_LEVEL: i32 = 3;

/// Bytes moved at a time while packing and unpacking an archive.
pub const COPY_BUFFER_BYTES: usize = 8192;

/// Requests that may wait in the package index's queue.
pub const PACKAGE_QUEUE_ITEMS: usize = 1024;

/// Operations after which the package index's writer commits, at the latest.
pub const PACKAGE_BATCH_OPS: usize = 256;

/// Requests that may wait in the event log's queue.
pub const EVENT_QUEUE_ITEMS: usize = 1024;

/// Operations after which the event log's writer commits, at the latest.
pub const EVENT_BATCH_OPS: usize = 100;

/// Changes that an entity store keeps in memory, unless told otherwise.
pub const ENTITY_CAPACITY: usize = 100_000;
