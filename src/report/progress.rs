//! The metric over the runs of a session: points and their scale, for whatever draws them.

use super::row::{Row, RowGain};
use crate::flow::decision::Direction;
use crate::flow::record::{PLACEBO, Status};

/// Ratio of the largest to the smallest value from which on the scale is logarithmic.
const LOG_FROM: f64 = 10.0;

/// Values from here on do not stretch the scale: they are drawn at its edge, so that no step of the
/// arithmetic overflows.
const VALUE_MAX: f64 = 1e300;
/// Most decades that a logarithmic scale names.
const DECADES_MAX: i32 = 12;

/// What a run is drawn as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Kept.
    Keep,
    /// Measured and not kept.
    Discard,
    /// Better, and wrong.
    Checks,
    /// A no-op that the loop sent through itself.
    Placebo,
    /// Not measured.
    Crash,
}

/// One run as it is drawn. All values are of the metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Where it stands, left to right.
    pub x: f64,
    /// What it is drawn as.
    pub kind: Kind,
    /// The incumbent's value and the estimated gain together, else the value measured.
    pub value: Option<f64>,
    /// The 95 % interval of that: with the gain's lower end, and its upper.
    pub interval: Option<(f64, f64)>,
    /// Whether it is of fresh pairs.
    pub is_confirmed: bool,
    /// What it was measured against.
    pub incumbent: Option<f64>,
}

impl Point {
    /// The point of a row; `allows_zero` as of its segment.
    pub fn new(row: &Row, x: f64, allows_zero: bool) -> Self {
        let kind = match (row.status, row.metric) {
            _ if row.proposer.as_deref() == Some(PLACEBO) => Kind::Placebo,
            (Status::Keep, _) => Kind::Keep,
            (_, None) | (Status::Crash, _) => Kind::Crash,
            (Status::ChecksFailed, _) => Kind::Checks,
            (Status::Discard, _) => Kind::Discard,
        };
        let level = |log: f64| {
            let shift = if allows_zero { 1.0 } else { 0.0 };
            let factor = match row.direction {
                Direction::Lower => (-log).exp(),
                Direction::Higher => log.exp(),
            };
            row.incumbent
                .map(|incumbent| (incumbent + shift) * factor - shift)
        };
        let ends = |gain: RowGain| Some((level(gain.lo?)?, level(gain.hi?)?));
        Self {
            x,
            kind,
            value: row.gain.and_then(|gain| level(gain.log)).or(row.metric),
            interval: row.gain.and_then(ends),
            is_confirmed: row.gain.is_some_and(|gain| gain.confirmed),
            incumbent: row.incumbent.or(row.metric.filter(|_| kind == Kind::Keep)),
        }
    }
}

/// From values of the metric to places along an axis. It holds the kept runs and the incumbents with room around them; what
/// lies beyond is drawn at the edge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    lo: f64,
    hi: f64,
    is_log: bool,
}

impl Scale {
    /// The scale for these points; `None` when nothing was measured.
    pub fn fit(points: &[Point]) -> Option<Self> {
        let kept = points.iter().filter(|point| point.kind == Kind::Keep);
        let mut values: Vec<f64> = kept.filter_map(|point| point.value).collect();
        values.extend(points.iter().filter_map(|point| point.incumbent));
        if values.is_empty() {
            values = points.iter().filter_map(|point| point.value).collect();
        }
        values.retain(|value| value.abs() < VALUE_MAX);
        let lo = values.iter().copied().reduce(f64::min)?;
        let hi = values.iter().copied().reduce(f64::max)?;
        if lo > 0.0 && hi / lo > LOG_FROM {
            let room = (0.15 * (hi.ln() - lo.ln())).exp();
            return Some(Self {
                lo: (lo / room).max(f64::MIN_POSITIVE),
                hi: (hi * room).min(VALUE_MAX),
                is_log: true,
            });
        }
        let room = (0.3 * (hi - lo))
            .max(0.02 * lo.abs().max(hi.abs()))
            .max(f64::MIN_POSITIVE);
        Some(Self {
            lo: lo - room,
            hi: hi + room,
            is_log: false,
        })
    }

    /// Where a value lies: 0 is the lower end, 1 the upper.
    pub fn along(&self, value: f64) -> f64 {
        let along = if self.is_log {
            (value.max(f64::MIN_POSITIVE).ln() - self.lo.ln()) / (self.hi.ln() - self.lo.ln())
        } else {
            (value - self.lo) / (self.hi - self.lo)
        };
        along.clamp(0.0, 1.0)
    }

    /// Whether it is logarithmic.
    pub fn is_log(&self) -> bool {
        self.is_log
    }

    /// Whether a value lies within it.
    pub fn holds(&self, value: f64) -> bool {
        (self.lo..=self.hi).contains(&value)
    }

    /// Round values within it.
    pub fn ticks(&self) -> Vec<f64> {
        if self.is_log {
            let (first, last) = (
                self.lo.log10().floor() as i32,
                self.hi.log10().ceil() as i32,
            );
            let stride = ((last - first) / DECADES_MAX).max(1);
            let decades = (first..=last).step_by(stride.unsigned_abs() as usize);
            let steps: &[f64] = if self.hi / self.lo > 1e4 {
                &[1.0]
            } else {
                &[1.0, 2.0, 5.0]
            };
            let all =
                decades.flat_map(|decade| steps.iter().map(move |step| step * 10f64.powi(decade)));
            return all.filter(|tick| self.holds(*tick)).collect();
        }
        let rough = (self.hi - self.lo) / 8.0;
        let magnitude = 10f64.powf(rough.log10().floor());
        let factor = [1.0, 2.0, 5.0]
            .into_iter()
            .find(|factor| factor * magnitude >= rough);
        let step = factor.unwrap_or(10.0) * magnitude;
        let first = (self.lo / step).ceil();
        (0..20)
            .map(|index| (first + f64::from(index)) * step)
            .filter(|tick| self.holds(*tick))
            .collect()
    }
}
