//! The search over the declared knobs.
//!
//! It is the direct search of Hooke and Jeeves ("'Direct search' solution of numerical and
//! statistical problems", Journal of the ACM 8(2), 1961, pages 212-229) on a grid: exploratory
//! moves of one knob at a time about the incumbent, and pattern moves that repeat a success with
//! twice the step. It needs comparisons only, which is what a verdict is: no gradient, no scale
//! common to all trials, and one wrong verdict in noise misleads it for a few trials and not for
//! good. A surrogate model would save trials with smooth surfaces and little noise; a handful of
//! knobs with cliffs (a cache size that no longer fits) has neither.
//!
//! In this order, always the first point that was not tried:
//!
//! 1. Pattern: the latest kept move again, with twice the step, then with the same.
//! 2. Follow: past the best known position of a knob when it is the outermost one tried and has a
//!    positive estimate, with twice the step.
//! 3. Explore: each knob's neighbours, then its extremes.
//! 4. Back off: between the best known position of a knob and the nearest ones tried, halving.
//! 5. Combine: the best known positions of two knobs at once, most promising pair first, then of
//!    all; then single and paired steps about the incumbent, which find what one-knob moves at an
//!    earlier incumbent could not.
//! 6. Cover: all remaining points, in a golden-ratio stride that spreads them over the grid.
//!
//! There is no state but the ledger: every call folds all verdicts again.

use std::collections::BTreeMap;

use super::plan::Plan;
use super::tune_space::{Known, Point, Space};
use crate::error::Result;
use crate::flow::config_parts::Knob;
use crate::flow::proposal::Tried;

/// The next point, as settings of all knobs; `None` when every point was tried.
///
/// `start` has the knobs' values at the session's start and `current` those of the incumbent;
/// `tried` is the session's runs in order, of which those with knob settings count, whoever
/// proposed them. The same arguments give the same answer; `seed` decides the order of knobs
/// that are as good as each other and of the points in step 6.
///
/// # Errors
/// A knob has too many values ([`super::knob::VALUES_MAX`]).
pub fn next(
    knobs: &[Knob],
    start: &BTreeMap<String, String>,
    current: &BTreeMap<String, String>,
    tried: &[Tried],
    seed: u64,
) -> Result<Option<Plan>> {
    if knobs.is_empty() {
        return Ok(None);
    }
    let space = Space::new(knobs, start, current)?;
    let known = Known::fold(&space, start, current, tried);
    let search = Search {
        space: &space,
        known: &known,
        order: axis_order(&space, &known, seed),
    };
    let point = search
        .pattern()
        .or_else(|| search.follow())
        .or_else(|| search.explore())
        .or_else(|| search.back_off())
        .or_else(|| search.combine())
        .or_else(|| search.step())
        .or_else(|| search.cover(seed));
    Ok(point.map(|point| Plan::Knobs {
        idea: None,
        title: title(&space, &known, &point),
        settings: space.settings(&point),
    }))
}

/// `tune: cache_kib = 32000 (was 8000), batch = 64 (was 128)`.
fn title(space: &Space, known: &Known, point: &Point) -> String {
    let mut changes = Vec::new();
    for (index, axis) in space.axes.iter().enumerate() {
        let (was, is) = (known.current[index], point[index]);
        if was != is {
            let (was, is) = (&axis.values[was], &axis.values[is]);
            changes.push(format!("{} = {is} (was {was})", axis.name));
        }
    }
    format!("tune: {}", changes.join(", "))
}

/// Axes with the fewest positions tried first; equal ones in an order the seed decides.
fn axis_order(space: &Space, known: &Known, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..space.axes.len()).collect();
    order.sort_by_key(|&axis| (known.profiles[axis].len(), mix(seed ^ axis as u64)));
    order
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): one seed to one well-spread number.
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

struct Search<'a> {
    space: &'a Space,
    known: &'a Known,
    order: Vec<usize>,
}

impl Search<'_> {
    fn new_point(&self, point: Point) -> Option<Point> {
        (!self.known.seen.contains(&point)).then_some(point)
    }

    fn last(&self, axis: usize) -> usize {
        self.space.axes[axis].values.len() - 1
    }

    fn ordered(&self, axis: usize) -> bool {
        self.space.axes[axis].ordered
    }

    /// The incumbent with one knob elsewhere, unless that was tried.
    fn with(&self, axis: usize, at: usize) -> Option<Point> {
        let mut point = self.known.current.clone();
        point[axis] = at;
        self.new_point(point)
    }

    /// `at` moved by `by`, held inside the axis.
    fn moved(&self, axis: usize, at: usize, by: i64) -> usize {
        let last = i64::try_from(self.last(axis)).expect("an axis has at most 10,002 values");
        let target = i64::try_from(at)
            .expect("an index of the axis")
            .saturating_add(by);
        usize::try_from(target.clamp(0, last)).expect("not below 0")
    }

    fn pattern(&self) -> Option<Point> {
        let [.., before, base] = self.known.bases.as_slice() else {
            return None;
        };
        let repeat = |times: i64| {
            let mut point = base.clone();
            for axis in 0..point.len() {
                if self.ordered(axis) {
                    let step = signed(base[axis]) - signed(before[axis]);
                    point[axis] = self.moved(axis, base[axis], step * times);
                }
            }
            self.new_point(point)
                .filter(|point| !self.passes_a_loss(base, point))
        };
        repeat(2).or_else(|| repeat(1))
    }

    /// Whether a one-knob move goes past a position that is known to be worse.
    fn passes_a_loss(&self, from: &Point, to: &Point) -> bool {
        let mut moved = (0..to.len()).filter(|&axis| from[axis] != to[axis]);
        let (Some(axis), None) = (moved.next(), moved.next()) else {
            return false;
        };
        let profile = &self.known.profiles[axis];
        let here = profile.get(&from[axis]).copied().unwrap_or(0.0);
        let (low, high) = (from[axis].min(to[axis]), from[axis].max(to[axis]));
        profile.range(low..=high).any(|(_, &score)| score < here)
    }

    fn follow(&self) -> Option<Point> {
        let mut hot: Vec<(f64, usize, usize)> = Vec::new();
        for &axis in self.order.iter().filter(|&&axis| self.ordered(axis)) {
            let (best, gain) = self.known.best(axis);
            let profile = &self.known.profiles[axis];
            if gain <= 0.0 {
                continue;
            }
            let below = profile.range(..best).next_back().map(|(&at, _)| at);
            let above = profile.range(best + 1..).next().map(|(&at, _)| at);
            let target = match (below, above) {
                (Some(inner), None) => self.moved(axis, best, 2 * signed(best - inner)),
                (None, Some(inner)) => self.moved(axis, best, -2 * signed(inner - best)),
                (Some(_), Some(_)) | (None, None) => continue,
            };
            hot.push((gain, axis, target));
        }
        hot.sort_by(|a, b| b.0.total_cmp(&a.0));
        hot.iter()
            .find_map(|&(_, axis, target)| self.with(axis, target))
    }

    fn explore(&self) -> Option<Point> {
        // Rounds: one step up, one down, the ends. A side with any position tried is explored.
        for round in 0..4 {
            for &axis in self.order.iter().filter(|&&axis| self.ordered(axis)) {
                let here = self.known.current[axis];
                let profile = &self.known.profiles[axis];
                let target = match round {
                    0 if profile.range(here + 1..).next().is_none() => self.moved(axis, here, 1),
                    1 if profile.range(..here).next().is_none() => self.moved(axis, here, -1),
                    2 if !profile.contains_key(&self.last(axis)) => self.last(axis),
                    3 if !profile.contains_key(&0) => 0,
                    _ => continue,
                };
                if let Some(point) = self.with(axis, target) {
                    return Some(point);
                }
            }
        }
        // Values without an order are all neighbours: one of each knob in turn.
        let unordered = || {
            self.order
                .iter()
                .copied()
                .filter(|&axis| !self.ordered(axis))
        };
        unordered().find_map(|axis| {
            let untried = |at: &usize| !self.known.profiles[axis].contains_key(at);
            (0..=self.last(axis))
                .filter(untried)
                .find_map(|at| self.with(axis, at))
        })
    }

    fn back_off(&self) -> Option<Point> {
        for &axis in self.order.iter().filter(|&&axis| self.ordered(axis)) {
            let profile = &self.known.profiles[axis];
            let (best, _) = self.known.best(axis);
            let below = profile.range(..best).next_back();
            let above = profile.range(best + 1..).next();
            let mut gaps: Vec<(f64, usize)> = [below, above]
                .into_iter()
                .flatten()
                .filter(|(at, _)| at.abs_diff(best) > 1)
                .map(|(&at, &score)| (score, at.midpoint(best)))
                .collect();
            // Towards the better neighbour first.
            gaps.sort_by(|a, b| b.0.total_cmp(&a.0));
            let found = gaps.iter().find_map(|&(_, middle)| self.with(axis, middle));
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// Axes by how much better than now they are known to be, best first.
    fn by_effect(&self) -> Vec<(usize, usize, f64)> {
        let mut effects: Vec<(usize, usize, f64)> = Vec::new();
        for &axis in &self.order {
            let (best, gain) = self.known.best(axis);
            effects.push((axis, best, gain));
        }
        effects.sort_by(|a, b| b.2.total_cmp(&a.2));
        effects
    }

    fn combine(&self) -> Option<Point> {
        let better: Vec<(usize, usize, f64)> = self
            .by_effect()
            .into_iter()
            .filter(|&(_, _, gain)| gain > 0.0)
            .collect();
        let mut pairs: Vec<(f64, [(usize, usize); 2])> = Vec::new();
        for (index, &(a, a_best, a_gain)) in better.iter().enumerate() {
            for &(b, b_best, b_gain) in &better[index + 1..] {
                pairs.push((a_gain + b_gain, [(a, a_best), (b, b_best)]));
            }
        }
        pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
        let all = better.iter().map(|&(axis, best, _)| (axis, best)).collect();
        pairs
            .into_iter()
            .map(|(_, pair)| pair.to_vec())
            .chain(std::iter::once(all))
            .find_map(|changes| self.with_all(&changes))
    }

    fn with_all(&self, changes: &[(usize, usize)]) -> Option<Point> {
        let mut point = self.known.current.clone();
        for &(axis, at) in changes {
            point[axis] = at;
        }
        self.new_point(point)
    }

    /// Single and paired steps of one position about the incumbent.
    fn step(&self) -> Option<Point> {
        let axes: Vec<usize> = self
            .by_effect()
            .into_iter()
            .map(|(axis, _, _)| axis)
            .filter(|&axis| self.ordered(axis))
            .collect();
        let at = |axis: usize, by: i64| (axis, self.moved(axis, self.known.current[axis], by));
        let single = axes.iter().find_map(|&axis| {
            [1, -1]
                .into_iter()
                .find_map(|by| self.with_all(&[at(axis, by)]))
        });
        single.or_else(|| {
            axes.iter().enumerate().find_map(|(index, &a)| {
                axes[index + 1..].iter().find_map(|&b| {
                    [(1, 1), (-1, -1), (1, -1), (-1, 1)]
                        .into_iter()
                        .find_map(|(by_a, by_b)| self.with_all(&[at(a, by_a), at(b, by_b)]))
                })
            })
        })
    }

    /// The points of the grid counted through, about 0.618 of the grid further each time. The
    /// stride has no divisor in common with the count, so every point comes once.
    fn cover(&self, seed: u64) -> Option<Point> {
        // Axes beyond 2^120 points stay where they are: that many cannot be tried anyway.
        let mut axes = 0;
        let mut count: u128 = 1;
        for axis in &self.space.axes {
            let Some(more) = count.checked_mul(axis.values.len() as u128) else {
                break;
            };
            if more >= 1 << 120 {
                break;
            }
            (count, axes) = (more, axes + 1);
        }
        let mut stride = count / 1000 * 618 + count % 1000 * 618 / 1000;
        while gcd(stride, count) != 1 {
            stride += 1;
        }
        let mut at = u128::from(mix(seed)) % count;
        // Among `seen + 1` different points one is new, unless there are not that many.
        for _ in 0..count.min(self.known.seen.len() as u128 + 1) {
            let mut point = self.known.current.clone();
            let mut rest = at;
            for (index, axis) in self.space.axes.iter().enumerate().take(axes) {
                let size = axis.values.len() as u128;
                point[index] = usize::try_from(rest % size).expect("below the axis's length");
                rest /= size;
            }
            if let Some(point) = self.new_point(point) {
                return Some(point);
            }
            at = (at + stride) % count;
        }
        None
    }
}

fn signed(index: usize) -> i64 {
    i64::try_from(index).expect("an axis has at most 10,002 values")
}

fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
#[path = "tune_tests.rs"]
mod tests;
