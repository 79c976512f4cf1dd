//! The wall clock and the operating system's randomness.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970.
pub fn now_ms() -> u64 {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}

/// The time with the time zone of whoever asks.
pub fn here_and_now() -> jiff::Zoned {
    jiff::Zoned::now()
}

/// A seed nobody can foresee, below 2^53 so that every JSON reader keeps it exact.
pub fn fresh_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    // `RandomState` is keyed from the operating system's generator.
    let mut hasher = std::collections::hash_map::RandomState::new().build_hasher();
    hasher.write_u64(now_ms());
    hasher.write_u32(std::process::id());
    hasher.finish() >> 11
}

/// A session id: time and randomness, sortable, fit for a ref name.
pub fn session_id() -> String {
    let time = jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S");
    format!("{time}-{:04x}", fresh_seed() & 0xffff)
}
