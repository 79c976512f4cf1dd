//! How much of each workload runs.

/// Environment variable that chooses: `fast` (the default) or `full`.
pub const PROFILE_VARIABLE: &str = "BATCH_STORE_BENCH_PROFILE";

/// Sizes of the workloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scale {
    /// Grants in the primary workload.
    pub grants: usize,
    /// Runs of the primary workload; each prints a sample.
    pub grant_samples: usize,
    /// Times the archive is unpacked and read; each prints a sample.
    pub read_samples: usize,
    /// Grants in the same session on SQLite; at most as many as `grants`.
    pub sqlite_grants: usize,
    /// Grants in the shuffled workload with repeated ids and skewed principals.
    pub mixed_grants: usize,
    /// Rows of the package index.
    pub package_rows: usize,
    /// Events stored before the heartbeats start.
    pub preloaded_events: usize,
    /// Heartbeats sent.
    pub heartbeats: usize,
    /// Heartbeats of which each is synced before the next is sent.
    pub durable_heartbeats: usize,
    /// Artifacts stored before the burst.
    pub artifact_rows: usize,
    /// Insertions of the burst; a multiple of the producers.
    pub artifact_burst: usize,
    /// Threads that insert.
    pub artifact_producers: usize,
    /// Batches of the entity store, not counting those that replace undone blocks.
    pub entity_batches: usize,
    /// Events in each; a multiple of 200.
    pub entity_batch_events: usize,
    /// Changes that it keeps in memory.
    pub entity_capacity: usize,
}

impl Scale {
    /// About a second: for the loop.
    pub const FAST: Self = Self {
        grants: 100_000,
        grant_samples: 5,
        read_samples: 2,
        sqlite_grants: 1_000,
        mixed_grants: 20_000,
        package_rows: 1_352,
        preloaded_events: 2_000,
        heartbeats: 10_000,
        durable_heartbeats: 200,
        artifact_rows: 2_000,
        artifact_burst: 2_048,
        artifact_producers: 8,
        entity_batches: 8,
        entity_batch_events: 400,
        entity_capacity: 1_400,
    };

    /// Minutes: the sizes of the systems that the store is modelled on.
    pub const FULL: Self = Self {
        grants: 1_000_000,
        grant_samples: 1,
        read_samples: 1,
        sqlite_grants: 10_000,
        mixed_grants: 100_000,
        package_rows: 20_000,
        preloaded_events: 544_000,
        heartbeats: 50_000,
        durable_heartbeats: 5_000,
        artifact_rows: 12_000,
        artifact_burst: 19_968,
        artifact_producers: 64,
        entity_batches: 100,
        entity_batch_events: 5_000,
        entity_capacity: 100_000,
    };

    /// Whether these are the large sizes, and further shapes run.
    #[must_use]
    pub fn is_full(&self) -> bool {
        *self == Self::FULL
    }

    /// As the environment says.
    ///
    /// # Errors
    /// The variable's value, when it is neither `fast` nor `full`.
    pub fn from_env() -> Result<Self, String> {
        match std::env::var(PROFILE_VARIABLE).as_deref() {
            Err(_) | Ok("" | "fast") => Ok(Self::FAST),
            Ok("full") => Ok(Self::FULL),
            Ok(other) => Err(other.to_owned()),
        }
    }
}
