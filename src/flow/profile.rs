//! Profiles as folded stacks, the text format of Brendan Gregg's FlameGraph: one line a stack,
//! `outermost;...;innermost count`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

/// Variable with the path, without ending, to which a benchmark script may write a profile of its
/// own: `PATH.folded`, and what else it likes beside it.
pub const PROFILE_VARIABLE: &str = "AUTORESEARCH_PROFILE";

/// Fewest samples whose shares are compared or passed on. The 95 % interval of a share of one half is
/// then 43 % to 57 %: its half width is 1.96 √(p (1 − p) / n).
pub const SAMPLES_MIN: u64 = 200;

/// Stacks with the samples they were seen in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Profile {
    stacks: BTreeMap<Vec<String>, u64>,
}

/// One function of a profile.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Samples in which it was running itself, percent of all.
    pub self_percent: f64,
    /// Samples in which it or what it calls was running, percent of all.
    pub total_percent: f64,
}

/// One function in two profiles.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shift {
    /// Its name.
    pub name: String,
    /// Its own share in the first, percent.
    pub before_percent: f64,
    /// In the second.
    pub after_percent: f64,
}

impl Profile {
    /// Reads folded stacks; a stack that is there twice is added up.
    ///
    /// # Errors
    /// A line is not a stack and a count, with its number.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut profile = Self::default();
        for (index, line) in text.lines().enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            let parts = line.trim_end().rsplit_once(' ');
            let parsed = parts.and_then(|(stack, count)| Some((stack, count.parse().ok()?)));
            let Some((stack, count)): Option<(&str, u64)> = parsed else {
                let number = index + 1;
                return Err(format!("line {number} is no stack with a count at its end"));
            };
            let frames = stack.split(';').map(|frame| frame.trim().to_owned());
            let sum = profile.stacks.entry(frames.collect()).or_insert(0);
            *sum = sum.saturating_add(count);
        }
        Ok(profile)
    }

    /// Adds the samples of another execution of the same program.
    pub fn add(&mut self, other: Self) {
        for (frames, count) in other.stacks {
            let sum = self.stacks.entry(frames).or_insert(0);
            *sum = sum.saturating_add(count);
        }
    }

    /// Whether there are enough samples for shares that are more than chance.
    pub fn is_telling(&self) -> bool {
        self.samples() >= SAMPLES_MIN
    }

    /// The same as text.
    pub fn folded(&self) -> String {
        let line =
            |(frames, count): (&Vec<String>, &u64)| format!("{} {count}\n", frames.join(";"));
        self.stacks.iter().map(line).collect()
    }

    /// The stacks, outermost frame first, with their samples.
    pub fn stacks(&self) -> impl Iterator<Item = (&[String], u64)> {
        let stacks = self.stacks.iter();
        stacks.map(|(frames, count)| (frames.as_slice(), *count))
    }

    /// All samples.
    pub fn samples(&self) -> u64 {
        self.stacks
            .values()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The functions in which most samples were, those with the largest own share first.
    pub fn top(&self, most: usize) -> Vec<Function> {
        let mut counts: BTreeMap<&str, [u64; 2]> = BTreeMap::new();
        for (frames, count) in &self.stacks {
            if let Some(innermost) = frames.last() {
                counts.entry(innermost).or_default()[0] += count;
            }
            // A function that calls itself is in a stack several times, and its sample is one.
            let distinct: BTreeSet<&str> = frames.iter().map(String::as_str).collect();
            for name in distinct {
                counts.entry(name).or_default()[1] += count;
            }
        }
        let mut functions: Vec<(&str, [u64; 2])> = counts.into_iter().collect();
        functions.sort_by_key(|(_, counts)| std::cmp::Reverse(*counts));
        let percent = |count: u64| 100.0 * count as f64 / self.samples().max(1) as f64;
        let functions = functions.into_iter().take(most);
        functions
            .map(|(name, [own, total])| Function {
                name: name.to_owned(),
                self_percent: percent(own),
                total_percent: percent(total),
            })
            .collect()
    }

    /// The functions whose own share differs most from `before`'s, the largest difference first.
    pub fn shifts(&self, before: &Self, most: usize) -> Vec<Shift> {
        let shares = |profile: &Self| -> BTreeMap<String, f64> {
            let functions = profile.top(usize::MAX).into_iter();
            functions
                .map(|function| (function.name, function.self_percent))
                .collect()
        };
        let (old, new) = (shares(before), shares(self));
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        let share = |of: &BTreeMap<String, f64>, name| of.get(name).copied().unwrap_or(0.0);
        let mut shifts: Vec<Shift> = names
            .into_iter()
            .map(|name| Shift {
                name: name.clone(),
                before_percent: share(&old, name),
                after_percent: share(&new, name),
            })
            .collect();
        let size = |shift: &Shift| (shift.after_percent - shift.before_percent).abs();
        shifts.sort_by(|a, b| size(b).total_cmp(&size(a)));
        shifts.truncate(most);
        shifts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(name: &str, self_percent: f64, total_percent: f64) -> Function {
        Function {
            name: name.to_owned(),
            self_percent,
            total_percent,
        }
    }

    #[test]
    fn shares_are_of_all_samples_and_recursion_counts_once() {
        let profile =
            Profile::parse("main;f;f;g 6\nmain;f 2\n\nmain;f 1\nmain;<T as A<B, C>>::x 1").unwrap();
        assert_eq!(profile.samples(), 10);
        assert_eq!(
            profile.top(3),
            [
                function("g", 60.0, 60.0),
                function("f", 30.0, 90.0),
                function("<T as A<B, C>>::x", 10.0, 10.0),
            ]
        );
        assert_eq!(Profile::parse(&profile.folded()), Ok(profile));
    }

    #[test]
    fn what_is_no_profile_is_refused_with_its_line() {
        for (text, expected) in [
            (
                "a;b 1\nnonsense\n",
                "line 2 is no stack with a count at its end",
            ),
            ("a;b -1\n", "line 1 is no stack with a count at its end"),
        ] {
            assert_eq!(Profile::parse(text).unwrap_err(), expected);
        }
    }

    #[test]
    fn executions_add_up_and_few_samples_tell_nothing() {
        let mut sum = Profile::parse("").unwrap();
        assert_eq!(sum.samples(), 0);
        sum.add(Profile::parse("m;a 150\nm;b 9").unwrap());
        sum.add(Profile::parse("m;a 40").unwrap());
        assert_eq!(sum.folded(), "m;a 190\nm;b 9\n");
        assert!(!sum.is_telling());
        sum.add(Profile::parse("m;c 1").unwrap());
        assert!(sum.is_telling());
    }

    #[test]
    fn the_largest_shift_comes_first_whichever_way() {
        let before = Profile::parse("m;a 50\nm;b 30\nm;c 20").unwrap();
        let after = Profile::parse("m;a 5\nm;b 4\nm;d 1").unwrap();
        let shifts = after.shifts(&before, 3);
        let names: Vec<&str> = shifts.iter().map(|shift| shift.name.as_str()).collect();
        assert_eq!(names, ["c", "b", "d"]);
        assert_eq!(
            (shifts[0].before_percent, shifts[0].after_percent),
            (20.0, 0.0)
        );
    }
}
