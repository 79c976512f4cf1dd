//! What is proposed: candidates by their true effect.

use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardUniform};

use crate::error::{Error, Result};

/// A share of the candidates, with effects between two bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Part {
    /// Relative to the shares of the others.
    share: f64,
    /// Smallest effect, log units.
    lo: f64,
    /// Largest; effects between are equally likely.
    hi: f64,
}

/// A law of candidates.
#[derive(Debug, Clone, PartialEq)]
pub struct Stream {
    name: String,
    parts: Vec<Part>,
}

/// The mix of the design notes: mostly nothing, some harm, few gains.
const STANDARD: &str = "70:0,13:-10..-0.5,3.5:1,3.5:2,3.5:3,2.5:5,1:10,3:-3..3";

/// Effects beyond this are mistakes, percent: a factor of `exp(3)`.
const EFFECT_MAX_PERCENT: f64 = 300.0;

impl Stream {
    /// Reads `standard`, `no-ops`, or a list of `SHARE:EFFECT` and `SHARE:LOW..HIGH`, comma
    /// separated. Effects are percent of log time (100 times the log gain), positive for faster.
    ///
    /// # Errors
    /// The text is none of these, a share is not above 0, or an effect is beyond 300 %.
    pub fn parse(text: &str) -> Result<Self> {
        let list = match text {
            "standard" => STANDARD,
            "no-ops" => "1:0",
            list => list,
        };
        let parts = list
            .split(',')
            .map(|part| parse_part(part.trim()))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| {
                Error::usage(format!("no stream of candidates is called `{text}`")).hint(format!(
                    "known: standard, no-ops, or a list of SHARE:PERCENT and SHARE:LOW..HIGH, as the \
                     standard one: {STANDARD}"
                ))
            })?;
        Ok(Self {
            name: text.to_owned(),
            parts,
        })
    }

    /// As it was asked for.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// True effects of `n` candidates, log units.
    pub fn draw(&self, n: usize, random: &mut ChaCha8Rng) -> Vec<f64> {
        let total: f64 = self.parts.iter().map(|part| part.share).sum();
        let mut uniform = || -> f64 { StandardUniform.sample(&mut *random) };
        let mut effect = || {
            let mut left = uniform() * total;
            let chosen = self.parts.iter().find(|part| {
                left -= part.share;
                left < 0.0
            });
            // The last one, when rounding leaves nothing.
            let part = chosen.unwrap_or(&self.parts[self.parts.len() - 1]);
            if part.lo == part.hi {
                part.lo
            } else {
                part.lo + (part.hi - part.lo) * uniform()
            }
        };
        (0..n).map(|_| effect()).collect()
    }
}

fn parse_part(text: &str) -> Option<Part> {
    let number = |text: &str| text.trim().parse::<f64>().ok();
    let (share, effects) = text.split_once(':')?;
    let (lo, hi) = match effects.split_once("..") {
        Some((lo, hi)) => (number(lo)?, number(hi)?),
        None => (number(effects)?, number(effects)?),
    };
    let share = number(share)?;
    let is_sane = share > 0.0 && share.is_finite() && lo <= hi;
    let in_range = lo >= -EFFECT_MAX_PERCENT && hi <= EFFECT_MAX_PERCENT;
    (is_sane && in_range).then_some(Part {
        share,
        lo: lo / 100.0,
        hi: hi / 100.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::generator;

    #[test]
    fn the_standard_stream_is_seventy_percent_exact_no_ops() {
        let n = 20_000;
        let drawn = Stream::parse("standard")
            .unwrap()
            .draw(n, &mut generator(1, 0, "candidates"));
        let share =
            |is: &dyn Fn(f64) -> bool| drawn.iter().filter(|&&e| is(e)).count() as f64 / n as f64;
        // Four standard deviations of the binomial are 1.3 points at most.
        assert!((share(&|e| e == 0.0) - 0.70).abs() < 0.013);
        assert!((share(&|e| e < 0.0) - 0.145).abs() < 0.010);
        assert!((share(&|e| e == 0.03) - 0.035).abs() < 0.006);
        assert!((share(&|e| e == 0.10) - 0.010).abs() < 0.003);
        assert!(drawn.iter().all(|e| (-0.1..=0.1).contains(e)));
    }

    #[test]
    fn a_stream_of_ones_own_has_the_effects_it_names() {
        let stream = Stream::parse("3:0, 1:-5..-4.5").unwrap();
        let drawn = stream.draw(1_000, &mut generator(2, 0, "candidates"));
        assert!(
            drawn
                .iter()
                .all(|&e| e == 0.0 || (-0.05..=-0.045).contains(&e))
        );
        assert!(drawn.contains(&0.0) && drawn.iter().any(|&e| e < 0.0));
    }

    #[test]
    fn what_is_no_stream_is_refused_with_the_known_ones() {
        for text in [
            "", "noops", "1", "0:1", "-1:1", "1:5..4", "1:nan", "inf:1", "1:301", "1:a",
        ] {
            let error = Stream::parse(text).unwrap_err();
            assert!(error.render().contains("known: standard, no-ops"), "{text}");
        }
    }
}
