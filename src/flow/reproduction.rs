//! Claimed against measured again.

use serde::Serialize;

use super::record::Gain;

/// What a second measurement says of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reproduction {
    /// Better, and by as much as claimed as far as the intervals tell.
    Reproduced,
    /// Better, and by less than claimed.
    Weaker,
    /// Not as claimed, and not shown to be better at all.
    NotReproduced,
    /// The interval holds both nothing and the claim: this machine is too noisy, or the pairs too few.
    CannotTell,
}

impl Reproduction {
    /// Compares a claim with a fresh measurement. Without a claim (a commit that no ledger knows)
    /// only the sign is judged.
    pub fn judge(claimed: Option<&Gain>, measured: &Gain) -> Self {
        let (Some(lo), Some(hi)) = (measured.lo, measured.hi) else {
            return Self::CannotTell;
        };
        let claimed_lo = claimed.map_or(0.0, |gain| gain.lo.unwrap_or(gain.log).max(0.0));
        let falls_short = hi < claimed_lo;
        match (lo > 0.0, hi <= 0.0, falls_short) {
            (true, _, false) => Self::Reproduced,
            (true, _, true) => Self::Weaker,
            (false, true, _) | (false, false, true) => Self::NotReproduced,
            (false, false, false) => Self::CannotTell,
        }
    }

    /// Words for a person.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Reproduced => "reproduced",
            Self::Weaker => "weaker than claimed",
            Self::NotReproduced => "not reproduced",
            Self::CannotTell => "cannot tell on this machine",
        }
    }

    /// Whether the claim stands.
    pub fn holds(self) -> bool {
        self == Self::Reproduced
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gain(log: f64, lo: f64, hi: f64) -> Gain {
        Gain {
            log,
            lo: Some(lo),
            hi: Some(hi),
            percent: 0.0,
            pairs: 24,
        }
    }

    fn check(measured: Gain, expected: Reproduction) {
        let claimed = gain(0.10, 0.08, 0.12);
        assert_eq!(
            Reproduction::judge(Some(&claimed), &measured),
            expected,
            "{measured:?}"
        );
    }

    #[test]
    fn the_verdict_follows_from_the_two_intervals() {
        check(gain(0.09, 0.07, 0.11), Reproduction::Reproduced);
        check(gain(0.20, 0.19, 0.21), Reproduction::Reproduced);
        check(gain(0.04, 0.03, 0.05), Reproduction::Weaker);
        check(gain(0.01, -0.01, 0.03), Reproduction::NotReproduced);
        check(gain(-0.05, -0.07, -0.03), Reproduction::NotReproduced);
        check(gain(0.05, -0.05, 0.15), Reproduction::CannotTell);
    }

    #[test]
    fn without_an_interval_nothing_can_be_told() {
        let measured = Gain {
            log: 0.1,
            lo: None,
            hi: None,
            percent: 10.0,
            pairs: 3,
        };
        assert_eq!(
            Reproduction::judge(None, &measured),
            Reproduction::CannotTell
        );
    }

    #[test]
    fn without_a_claim_a_gain_is_enough() {
        assert_eq!(
            Reproduction::judge(None, &gain(0.02, 0.01, 0.03)),
            Reproduction::Reproduced
        );
        assert_eq!(
            Reproduction::judge(None, &gain(0.0, -0.01, 0.01)),
            Reproduction::CannotTell
        );
    }
}
