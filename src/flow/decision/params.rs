//! Every constant of the rule, with its default and its source.

use serde::{Deserialize, Serialize};

use super::error::DecisionError;
use super::evidence::bet;

/// The constants of the rule. Recorded with a session, because a verdict is a
/// pure function of the pairs *and* of these.
///
/// The defaults were chosen by simulation on synthetic and recorded noise.
/// The bound on false keeps holds for every valid value; power does not.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Shifts, in units of the noise scale, for which the e-process bets.
    /// Finite, above 0. Default 0.5, 1, 2, 4: a grid that loses at most a
    /// small factor against the best shift between 0.3 and 6.
    pub thetas: [f64; 4],
    /// Prior weights of the shifts; above 0, sum 1. Default 0.3, 0.3, 0.2, 0.2.
    pub weights: [f64; 4],
    /// Degrees of freedom of the Student kernel of the bets, above 0.
    /// Default 5: measured pairs have kurtosis 3 to 23.
    pub nu: f64,
    /// The evidence that ends the screen in favour of a candidate. Default
    /// 100: with the confirmation at most `1 / (2 * e_keep)` of all no-ops is
    /// kept. In `2 ..= 10_000`.
    pub e_keep: f64,
    /// Level of the futility test; in (0, 1). Default 0.05.
    pub beta: f64,
    /// Huber clip of the futility test, in units of the noise scale, above 0.
    /// Default 3.
    pub huber_clip: f64,
    /// Pairs after which a screen without an answer is dropped. Default 60.
    pub cap_pairs: usize,
    /// Smallest gain the user cares about, as a log ratio; above 0. Default
    /// 0.01, about 1 %.
    pub min_effect: f64,
    /// Pairs before futility may drop; at least 1. Default 2: one stalled run
    /// must not end a candidate.
    pub min_drop_pairs: usize,
    /// Pair differences the noise scale is computed from. Default 60.
    pub window: usize,
    /// Fewest screen pairs whose residuals enter the noise history; at least
    /// 2. Default 4: residuals of one or two pairs are nearly 0 and the scale
    /// would collapse.
    pub residual_pairs_min: usize,
    /// A/A pairs of a calibration. Default 20.
    pub calibration_pairs: usize,
    /// Fewest confirmation pairs. Default 8.
    pub confirm_pairs_min: usize,
    /// Most confirmation pairs. Default 24.
    pub confirm_pairs_max: usize,
    /// Pairs of the end-to-end comparison, fixed in advance. Default 24.
    pub end_to_end_pairs: usize,
    /// Lower bound of the noise scale, in log units; above 0. Default 1e-4.
    pub scale_floor: f64,
    /// Evidence that decides a guard, either way; above 1. Default 20.
    pub guard_e: f64,
    /// Pairs after which an undecided guard fails. Default 40.
    pub guard_cap_pairs: usize,
    /// Evidence of a slot bias at which a calibration warns. Default 20: false
    /// alarm at most 10 %, two sides.
    pub slot_warn_e: f64,
    /// Evidence of a slot bias at which a calibration is refused. Default 100:
    /// false alarm at most 2 %, two sides. A session is refused when two in a row are.
    pub slot_refuse_e: f64,
    /// Every how many candidates one is a placebo; at least 2, or 0 for never.
    /// Default 25, a cost of 4 %.
    pub placebo_every: usize,
}

/// Fewest pairs of which an interval of 95 % is finite: two in `2^6` sign patterns are 3.1 %.
const INTERVAL_PAIRS_MIN: usize = 6;

impl Params {
    /// The same for a metric that is the same in every run: more end-to-end pairs than an interval needs
    /// would say nothing new.
    #[must_use]
    pub fn for_exact(self) -> Self {
        Self {
            end_to_end_pairs: self.end_to_end_pairs.min(INTERVAL_PAIRS_MIN),
            ..self
        }
    }
}

impl Default for Params {
    fn default() -> Self {
        Self {
            thetas: [0.5, 1.0, 2.0, 4.0],
            weights: [0.3, 0.3, 0.2, 0.2],
            nu: 5.0,
            e_keep: 100.0,
            beta: 0.05,
            huber_clip: 3.0,
            cap_pairs: 60,
            min_effect: 0.01,
            min_drop_pairs: 2,
            window: 60,
            residual_pairs_min: 4,
            calibration_pairs: 20,
            confirm_pairs_min: 8,
            confirm_pairs_max: 24,
            end_to_end_pairs: 24,
            scale_floor: 1e-4,
            guard_e: 20.0,
            guard_cap_pairs: 40,
            slot_warn_e: 20.0,
            slot_refuse_e: 100.0,
            placebo_every: 25,
        }
    }
}

impl Params {
    /// The dial between speed and trust: the defaults with the bound on false
    /// keeps set to `fk` per 200 no-op candidates.
    ///
    /// `e_keep = 100 / fk`, because a no-op passes the screen with probability
    /// at most `1 / e_keep` and the confirmation with at most one half.
    /// `beta` is 0.05 up to `fk = 1` and 0.2 above: who accepts more false
    /// keeps wants speed, and dropping sooner is where the speed is.
    ///
    /// # Errors
    /// [`DecisionError::BadParam`] unless `0.01 <= fk <= 50`.
    pub fn with_false_keeps_per_200(fk: f64) -> Result<Self, DecisionError> {
        if !(0.01..=50.0).contains(&fk) {
            return Err(DecisionError::BadParam {
                name: "false_keeps_per_200",
                value: fk,
                expected: "must be between 0.01 and 50",
            });
        }
        let beta = if fk <= 1.0 { 0.05 } else { 0.2 };
        Ok(Self {
            e_keep: 100.0 / fk,
            beta,
            ..Self::default()
        })
    }

    /// The same rule for `m` alternatives of which any one may be kept, for
    /// instance `m` metrics tried in turn: each must show `m` times the
    /// evidence, so that the bound covers all of them together.
    ///
    /// # Errors
    /// [`DecisionError::BadParam`] if `m` is 0 or the evidence exceeds 10,000.
    pub fn for_alternatives(self, m: usize) -> Result<Self, DecisionError> {
        let out = Self {
            e_keep: self.e_keep * m as f64,
            ..self
        };
        out.validate()?;
        Ok(out)
    }

    /// Checks parameters read from a file.
    ///
    /// # Errors
    /// [`DecisionError::BadParam`] names the first field outside the range its
    /// documentation gives.
    pub fn validate(&self) -> Result<(), DecisionError> {
        let positive = |name, value: f64| {
            let ok = value.is_finite() && value > 0.0;
            require(ok, name, value, "must be finite and above 0")
        };
        for theta in self.thetas {
            positive("thetas", theta)?;
        }
        for weight in self.weights {
            positive("weights", weight)?;
        }
        let sum: f64 = self.weights.iter().sum();
        require((sum - 1.0).abs() < 1e-9, "weights", sum, "must sum to 1")?;
        positive("nu", self.nu)?;
        positive("huber_clip", self.huber_clip)?;
        positive("min_effect", self.min_effect)?;
        positive("scale_floor", self.scale_floor)?;
        let e_ok = (2.0..=10_000.0).contains(&self.e_keep);
        require(e_ok, "e_keep", self.e_keep, "must be between 2 and 10000")?;
        let beta_ok = self.beta > 0.0 && self.beta < 1.0;
        require(
            beta_ok,
            "beta",
            self.beta,
            "must be between 0 and 1, both excluded",
        )?;
        for (name, e) in [
            ("guard_e", self.guard_e),
            ("slot_warn_e", self.slot_warn_e),
            ("slot_refuse_e", self.slot_refuse_e),
        ] {
            require(
                e.is_finite() && e > 1.0,
                name,
                e,
                "must be finite and above 1",
            )?;
        }
        self.validate_counts()
    }

    fn validate_counts(&self) -> Result<(), DecisionError> {
        for (name, value, least) in [
            ("cap_pairs", self.cap_pairs, 1),
            ("min_drop_pairs", self.min_drop_pairs, 1),
            ("window", self.window, 4),
            ("residual_pairs_min", self.residual_pairs_min, 2),
            ("calibration_pairs", self.calibration_pairs, 4),
            ("confirm_pairs_min", self.confirm_pairs_min, 1),
            (
                "confirm_pairs_max",
                self.confirm_pairs_max,
                self.confirm_pairs_min,
            ),
            (
                "end_to_end_pairs",
                self.end_to_end_pairs,
                INTERVAL_PAIRS_MIN,
            ),
            ("guard_cap_pairs", self.guard_cap_pairs, 1),
            // 0 is never.
            (
                "placebo_every",
                self.placebo_every,
                2 * self.placebo_every.min(1),
            ),
        ] {
            let ok = value >= least && value <= COUNT_MAX;
            require(ok, name, value as f64, "is too small or above 10000")?;
        }
        Ok(())
    }

    /// Fewest pairs after which a candidate can be kept, whatever its gain.
    /// 8 at the defaults: a sign test cannot be surer than `2^-n`.
    ///
    /// `E_n = sum_k w_k prod_i g_k(z_i)`, and by Hölder's inequality the
    /// largest value has all `z_i` equal, so one scan over `z` is enough.
    #[must_use]
    pub fn keep_pairs_min(&self) -> usize {
        let best_e = |n: usize| {
            (1..=4_000)
                .map(|i| self.e_if_all_equal(f64::from(i) * 0.01, n))
                .fold(0.0, f64::max)
        };
        (1..=self.cap_pairs)
            .find(|&n| best_e(n) >= self.e_keep)
            .unwrap_or(self.cap_pairs + 1)
    }

    fn e_if_all_equal(&self, z: f64, n: usize) -> f64 {
        let part = |(&w, &theta): (&f64, &f64)| w * (n as f64 * bet(z, theta, self.nu)).exp();
        self.weights.iter().zip(&self.thetas).map(part).sum()
    }
}

/// No count of pairs is larger; a bound on everything.
const COUNT_MAX: usize = 10_000;

fn require(
    ok: bool,
    name: &'static str,
    value: f64,
    expected: &'static str,
) -> Result<(), DecisionError> {
    if ok {
        Ok(())
    } else {
        Err(DecisionError::BadParam {
            name,
            value,
            expected,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dial_sets_evidence_and_futility_together() {
        let one = Params::with_false_keeps_per_200(1.0).unwrap();
        assert_eq!(one, Params::default());
        let five = Params::with_false_keeps_per_200(5.0).unwrap();
        assert_eq!((five.e_keep, five.beta), (20.0, 0.2));
        let ten = Params::with_false_keeps_per_200(10.0).unwrap();
        assert_eq!((ten.e_keep, ten.beta), (10.0, 0.2));
        for bad in [0.0, -1.0, 0.009, 51.0, f64::NAN, f64::INFINITY] {
            assert!(Params::with_false_keeps_per_200(bad).is_err(), "{bad}");
        }
        for good in [0.01, 0.5, 50.0] {
            Params::with_false_keeps_per_200(good)
                .unwrap()
                .validate()
                .unwrap();
        }
    }

    #[test]
    fn eight_pairs_are_the_fewest_that_can_keep() {
        assert_eq!(Params::default().keep_pairs_min(), 8);
        assert_eq!(
            Params::with_false_keeps_per_200(5.0)
                .unwrap()
                .keep_pairs_min(),
            5
        );
        let slow = Params {
            cap_pairs: 5,
            ..Params::default()
        };
        assert_eq!(
            slow.keep_pairs_min(),
            6,
            "one more than the cap means never"
        );
    }

    #[test]
    fn alternatives_multiply_the_evidence() {
        assert_eq!(Params::default().for_alternatives(3).unwrap().e_keep, 300.0);
        assert!(Params::default().for_alternatives(0).is_err());
        assert!(Params::default().for_alternatives(101).is_err());
    }

    #[test]
    fn every_field_out_of_range_is_named() {
        type Spoil = fn(&mut Params);
        let spoilers: [(&str, Spoil); 16] = [
            ("thetas", |p| p.thetas[2] = f64::NAN),
            ("weights", |p| p.weights[2] = 0.3),
            ("weights", |p| p.weights = [1.0, 0.0, 0.0, 0.0]),
            ("nu", |p| p.nu = 0.0),
            ("huber_clip", |p| p.huber_clip = f64::INFINITY),
            ("e_keep", |p| p.e_keep = 1.0),
            ("beta", |p| p.beta = 1.0),
            ("min_effect", |p| p.min_effect = -0.01),
            ("scale_floor", |p| p.scale_floor = 0.0),
            ("guard_e", |p| p.guard_e = 1.0),
            ("cap_pairs", |p| p.cap_pairs = 0),
            ("min_drop_pairs", |p| p.min_drop_pairs = 0),
            ("residual_pairs_min", |p| p.residual_pairs_min = 1),
            ("confirm_pairs_max", |p| p.confirm_pairs_max = 7),
            ("placebo_every", |p| p.placebo_every = 1),
            ("window", |p| p.window = 1_000_000),
        ];
        for (name, spoil) in spoilers {
            let mut p = Params::default();
            spoil(&mut p);
            match p.validate() {
                Err(DecisionError::BadParam { name: got, .. }) => assert_eq!(got, name),
                other => panic!("{name}: {other:?}"),
            }
        }
        Params::default().validate().unwrap();
    }

    #[test]
    fn a_session_without_placebos_has_parameters_like_any_other() {
        let never = Params {
            placebo_every: 0,
            ..Params::default()
        };
        never.validate().unwrap();
    }

    #[test]
    fn params_survive_the_ledger_and_unknown_fields_do_not() {
        let text = serde_json::to_string(&Params::default()).unwrap();
        assert_eq!(
            serde_json::from_str::<Params>(&text).unwrap(),
            Params::default()
        );
        let extra = text.replacen('{', "{\"alpha\":1,", 1);
        assert!(serde_json::from_str::<Params>(&extra).is_err());
    }
}
