//! Independent generators from one seed.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use sha2::{Digest, Sha256};

/// The generator for `purpose` in stream number `stream` of the simulation with `seed`. Each has a
/// ChaCha8 key of its own, a hash of the three, so that neither the order of the work nor what else
/// is simulated changes what it yields.
#[must_use]
pub fn generator(seed: u64, stream: u64, purpose: &str) -> ChaCha8Rng {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update(stream.to_le_bytes());
    hash.update(purpose.as_bytes());
    ChaCha8Rng::from_seed(hash.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::rand_core::Rng;

    #[test]
    fn each_purpose_and_stream_has_numbers_of_its_own_and_always_the_same() {
        let first = |seed, stream, purpose| generator(seed, stream, purpose).next_u64();
        assert_eq!(first(1, 2, "noise"), first(1, 2, "noise"));
        let all = [
            first(1, 2, "noise"),
            first(1, 2, "coins"),
            first(1, 3, "noise"),
            first(2, 2, "noise"),
        ];
        for (i, a) in all.iter().enumerate() {
            assert!(!all[i + 1..].contains(a));
        }
    }
}
