//! Fair coins from a recorded seed: which slot a candidate gets, which side of a pair runs first.
//!
//! The proof that a no-op is rarely kept rests on these coins alone, so they come from a
//! cryptographic generator (ChaCha8) whose seed is drawn anew for every candidate and recorded only
//! with its verdict: a candidate cannot foresee them.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A stream of coin flips.
#[derive(Debug, Clone)]
pub struct Coins(ChaCha8Rng);

impl Coins {
    /// The stream of this seed; the same on every machine.
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A whole number from 0 to 4294967295, which every shell can compute with.
    pub fn number(&mut self) -> u64 {
        u64::from(self.0.next_u32())
    }

    /// Heads or tails.
    pub fn flip(&mut self) -> bool {
        self.0.next_u32() & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_coins_and_they_are_fair() {
        let flips = |seed| -> Vec<bool> {
            let mut coins = Coins::new(seed);
            (0..4000).map(|_| coins.flip()).collect()
        };
        assert_eq!(flips(7), flips(7));
        assert_ne!(flips(7), flips(8));
        let heads = flips(7).iter().filter(|&&heads| heads).count();
        // Four standard deviations of a fair coin.
        assert!((1874..=2126).contains(&heads), "{heads} heads of 4000");
    }
}
