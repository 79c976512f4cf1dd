//! What is compared: tables, their systems and their columns.

use crate::peers::{System, grants, heartbeats, packages};

/// Which way a value is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// The lower the better.
    Lower,
    /// The higher the better.
    Higher,
}

/// A measured value as a table shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Key in [`Measured`](crate::peers::Measured).
    pub key: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// Digits after the point.
    pub decimals: usize,
}

/// One table: systems that do the same work.
pub struct Table {
    /// Its name, for `--table`.
    pub name: &'static str,
    /// What the work is; `{rows}` stands for the number of rows.
    pub title: &'static str,
    /// Share of the grants that `--rows` names, and the most of it: `(divisor, most)`.
    pub share: (usize, usize),
    /// The column that the ratios are of, and which way it is better.
    pub primary: (&'static str, Better),
    /// This store's system, for the ratio "x store".
    pub store: &'static str,
    /// The systems; the first is the bound.
    pub systems: &'static [System],
    /// The columns.
    pub columns: &'static [Column],
}

impl Table {
    /// Rows of this table when the grants are `rows`; at least one for each of
    /// eight clients.
    #[must_use]
    pub fn rows(&self, rows: usize) -> usize {
        let (divisor, most) = self.share;
        (rows / divisor).clamp(8, most)
    }
}

const fn column(key: &'static str, title: &'static str, decimals: usize) -> Column {
    Column {
        key,
        title,
        decimals,
    }
}

const HEARTBEAT_COLUMNS: &[Column] = &[
    column("per_s", "per second", 0),
    column("p50_us", "p50 µs", 1),
    column("p99_us", "p99 µs", 1),
    column("syncs", "syncs", 0),
    column("written_per_byte", "written per byte", 2),
];

const PACKAGE_COLUMNS: &[Column] = &[
    column("ms", "ms", 1),
    column("per_s", "rows/s", 0),
    column("disk_mb", "MB on disk", 1),
    column("syncs", "syncs", 0),
    column("written_per_byte", "written per byte", 2),
    column("p99_us", "queue p99 µs", 1),
];

const PACKAGES_TITLE: &str = "Package index, {rows} rows, 16 producers, until all are synced";
const PACKAGES_PRIMARY: (&str, Better) = ("ms", Better::Lower);

/// All tables.
pub const TABLES: &[Table] = &[
    Table {
        name: "grants",
        title: "Grants, {rows}: open, write all with both indexes, sync, close",
        share: (1, usize::MAX),
        primary: ("write_ms", Better::Lower),
        store: "batch-store, sealed",
        systems: grants::SYSTEMS,
        columns: &[
            column("write_ms", "write ms", 1),
            column("scan_ms", "scan by entitlement ms", 1),
            column("read_ms", "open or unpack, read all ms", 1),
            column("disk_mb", "MB on disk", 1),
            column("written_per_byte", "written per byte", 2),
            column("syncs", "syncs", 0),
            column("extra_rss_mib", "extra RSS MiB", 1),
        ],
    },
    Table {
        name: "heartbeats",
        title: "Heartbeats, {rows}: each acknowledged, half of them merging, synced per 100 and at the end",
        share: (2, 50_000),
        primary: ("per_s", Better::Higher),
        store: "batch-store, 1 client",
        systems: heartbeats::SYSTEMS,
        columns: HEARTBEAT_COLUMNS,
    },
    Table {
        name: "durable-heartbeats",
        title: "Heartbeats, {rows}: each acknowledged once it is synced",
        share: (20, 5_000),
        primary: ("per_s", Better::Higher),
        store: "batch-store, 1 client",
        systems: heartbeats::DURABLE_SYSTEMS,
        columns: HEARTBEAT_COLUMNS,
    },
    Table {
        name: "packages-installation",
        title: PACKAGES_TITLE,
        share: (1, 1_352),
        primary: PACKAGES_PRIMARY,
        store: "batch-store",
        systems: packages::SYSTEMS,
        columns: PACKAGE_COLUMNS,
    },
    Table {
        name: "packages",
        title: PACKAGES_TITLE,
        share: (5, 20_000),
        primary: PACKAGES_PRIMARY,
        store: "batch-store",
        systems: packages::SYSTEMS,
        columns: PACKAGE_COLUMNS,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_has_its_store_once_and_distinct_names() {
        for table in TABLES {
            let mut names: Vec<_> = table.systems.iter().map(|system| system.name).collect();
            assert_eq!(names.iter().filter(|name| **name == table.store).count(), 1);
            assert!(names[0].starts_with("bound"), "{}", names[0]);
            let all = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), all, "{}", table.name);
            assert!(
                table
                    .columns
                    .iter()
                    .any(|column| column.key == table.primary.0)
            );
        }
    }
}
