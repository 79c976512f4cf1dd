//! The space the search moves in: each knob's values in order, and what is known of its points.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::knob;
use super::number::{Number, same_value};
use crate::error::Result;
use crate::flow::config_parts::Knob;
use crate::flow::proposal::Tried;
use crate::flow::record::{Reason, Status};

/// One index into each axis's values.
pub(super) type Point = Vec<usize>;

/// What a failed or refused candidate counts as, log units: worse than any measured loss.
const FAILURE: f64 = -10.0;

/// One knob.
pub(super) struct Axis {
    /// Its name.
    pub(super) name: String,
    /// Its values, ascending when all are numbers; else as declared.
    pub(super) values: Vec<String>,
    /// Whether all values are numbers, so that "further" means something.
    pub(super) ordered: bool,
    /// The values as numbers, where they are.
    numbers: Vec<Option<Number>>,
    /// Index by spelling: nearly every look-up is of a value written from here.
    by_text: HashMap<String, usize>,
}

impl Axis {
    /// `used` are values to add where they are not among the declared ones.
    fn new(knob: &Knob, used: [Option<&String>; 2]) -> Result<Self> {
        let mut values = knob::values(knob)?;
        for value in used.into_iter().flatten() {
            if !values.iter().any(|known| same_value(known, value)) {
                values.push(value.clone());
            }
        }
        let mut both: Vec<(Option<Number>, String)> = values
            .into_iter()
            .map(|value| (Number::parse(&value), value))
            .collect();
        let ordered = both.iter().all(|(number, _)| number.is_some());
        if ordered {
            let key = |number: Option<Number>| number.map_or(0.0, Number::as_f64);
            both.sort_by(|a, b| key(a.0).total_cmp(&key(b.0)));
        }
        let (numbers, values): (Vec<_>, Vec<String>) = both.into_iter().unzip();
        let by_text = values
            .iter()
            .cloned()
            .enumerate()
            .map(|(at, value)| (value, at))
            .collect();
        Ok(Self {
            name: knob.name.clone(),
            values,
            ordered,
            numbers,
            by_text,
        })
    }

    fn index_of(&self, value: &str) -> Option<usize> {
        self.by_text
            .get(value)
            .copied()
            .or_else(|| match Number::parse(value) {
                Some(number) => self.numbers.iter().position(|known| *known == Some(number)),
                None => self
                    .values
                    .iter()
                    .position(|known| known.trim() == value.trim()),
            })
    }
}

/// All axes.
pub(super) struct Space {
    pub(super) axes: Vec<Axis>,
}

impl Space {
    /// The declared values, and those the code had (at the session's start and now) when they are
    /// not among them: a value that is in use can always be gone back to.
    pub(super) fn new(
        knobs: &[Knob],
        start: &BTreeMap<String, String>,
        current: &BTreeMap<String, String>,
    ) -> Result<Self> {
        let mut axes = Vec::with_capacity(knobs.len());
        for knob in knobs {
            axes.push(Axis::new(
                knob,
                [start.get(&knob.name), current.get(&knob.name)],
            )?);
        }
        Ok(Self { axes })
    }

    /// The point of an assignment; what it leaves out is taken from `rest`. `None` when a value
    /// is none of the axis's.
    fn point(&self, settings: &BTreeMap<String, String>, rest: &Point) -> Option<Point> {
        let mut point = rest.clone();
        for (axis, index) in self.axes.iter().zip(&mut point) {
            if let Some(value) = settings.get(&axis.name) {
                *index = axis.index_of(value)?;
            }
        }
        Some(point)
    }

    /// The assignment of a point.
    pub(super) fn settings(&self, point: &Point) -> BTreeMap<String, String> {
        let pairs = self.axes.iter().zip(point);
        pairs
            .map(|(axis, &index)| (axis.name.clone(), axis.values[index].clone()))
            .collect()
    }
}

/// What the verdicts say, folded in order.
pub(super) struct Known {
    /// The incumbent's point now.
    pub(super) current: Point,
    /// The incumbents' points, oldest first, without immediate repeats; the last is `current`.
    pub(super) bases: Vec<Point>,
    /// Points that are not to be proposed: tried, or an incumbent's.
    pub(super) seen: HashSet<Point>,
    /// By axis: the gain of each position, log units against the session's start, as far as one
    /// knob's moves tell.
    pub(super) profiles: Vec<BTreeMap<usize, f64>>,
    /// By axis: the position that the latest move tried.
    pub(super) latest: Vec<Option<usize>>,
}

impl Known {
    /// Folds `tried` from the assignment `start`. An incumbent that other proposers changed the
    /// knobs of is corrected to `current` at the end.
    pub(super) fn fold(
        space: &Space,
        start: &BTreeMap<String, String>,
        current: &BTreeMap<String, String>,
        tried: &[Tried],
    ) -> Self {
        let origin = vec![0; space.axes.len()];
        let now = space
            .point(current, &origin)
            .unwrap_or_else(|| origin.clone());
        let begin = space.point(start, &now).unwrap_or_else(|| now.clone());
        let mut known = Self {
            current: begin.clone(),
            bases: vec![begin.clone()],
            seen: HashSet::from([begin.clone()]),
            profiles: begin
                .iter()
                .map(|&at| BTreeMap::from([(at, 0.0)]))
                .collect(),
            latest: vec![None; space.axes.len()],
        };
        for run in tried {
            let names_a_knob = space
                .axes
                .iter()
                .any(|axis| run.origin.knobs.contains_key(&axis.name));
            if let Some(point) = space.point(&run.origin.knobs, &known.current)
                && names_a_knob
            {
                known.learn(run, point);
            }
        }
        known.seen.insert(now.clone());
        known.move_to(now);
        known
    }

    fn learn(&mut self, run: &Tried, point: Point) {
        let gain = gain(run);
        let moved: Vec<usize> = (0..point.len())
            .filter(|&axis| point[axis] != self.current[axis])
            .collect();
        let kept = run.reason.status() == Status::Keep;
        // A move of several knobs says how good each is only once it was kept; then in equal parts.
        if moved.len() == 1 || kept {
            let share = gain / moved.len().max(1) as f64;
            for &axis in &moved {
                let from = self.score(axis, self.current[axis]);
                self.profiles[axis].insert(point[axis], from + share);
                self.latest[axis] = Some(point[axis]);
            }
        }
        self.seen.insert(point.clone());
        if kept {
            self.move_to(point);
        }
    }

    fn move_to(&mut self, point: Point) {
        for (profile, &at) in self.profiles.iter_mut().zip(&point) {
            profile.entry(at).or_insert(0.0);
        }
        if self.bases.last() != Some(&point) {
            self.bases.push(point.clone());
        }
        self.current = point;
    }

    fn score(&self, axis: usize, at: usize) -> f64 {
        self.profiles[axis].get(&at).copied().unwrap_or(0.0)
    }

    /// The best known position of an axis and how much better than the current one it is.
    pub(super) fn best(&self, axis: usize) -> (usize, f64) {
        let here = self.current[axis];
        let now = self.score(axis, here);
        // The current position wins ties; among others the nearest does.
        self.profiles[axis]
            .iter()
            .map(|(&at, &score)| (at, score - now))
            .max_by(|a, b| {
                a.1.total_cmp(&b.1)
                    .then(b.0.abs_diff(here).cmp(&a.0.abs_diff(here)))
            })
            .unwrap_or((here, 0.0))
    }
}

/// The measured gain, or what stands for it where the verdict is about something else.
fn gain(run: &Tried) -> f64 {
    let measured = run
        .estimate
        .map(|gain| gain.log)
        .filter(|log| log.is_finite());
    match run.reason {
        Reason::Improved => measured.unwrap_or(0.01).max(1e-9),
        Reason::NoGain
        | Reason::Inconclusive
        | Reason::NotConfirmed
        | Reason::GuardUndecided
        | Reason::GateFlaky => measured.unwrap_or(0.0),
        Reason::NoChange
        | Reason::Repeat
        | Reason::NotApplicable
        | Reason::PlaceboPassed
        | Reason::ProposeFailed => 0.0,
        Reason::GuardFailed
        | Reason::NotExact
        | Reason::SelfReport
        | Reason::BuildFailed
        | Reason::RunFailed
        | Reason::Timeout
        | Reason::BadMetric
        | Reason::Drift
        | Reason::DigestDiffers
        | Reason::GateFailed => FAILURE,
    }
}
