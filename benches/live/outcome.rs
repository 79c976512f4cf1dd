//! Verdicts against the truth.

use serde_json::{Value, json};

use super::candidates::{Candidate, Truth};

/// What came out, for the loop's rule or another.
#[derive(Debug, Clone, Copy, Default)]
struct Score {
    noops_kept: usize,
    losses_kept: usize,
    broken_kept: usize,
    gains_kept: usize,
    /// Product of the factors of what was kept: the truth.
    factor: f64,
    /// What the rule says of it, as a factor.
    claimed: f64,
}

/// The whole comparison.
pub struct Outcome {
    ours: Score,
    single: Score,
    interval: Option<(f64, f64)>,
    candidates: usize,
    noops: usize,
    gains: usize,
    losses: usize,
    broken: usize,
    placebos: usize,
    placebos_kept: usize,
    runs: usize,
    seconds: f64,
    misjudged: Vec<String>,
}

impl Outcome {
    /// Compares a ledger with the truth.
    pub fn of(ledger: &[Value], all: &[Candidate], metric: &str) -> Result<Self, String> {
        let runs: Vec<&Value> = ledger.iter().filter(|line| line["type"] == "run").collect();
        let count = |is: fn(&Truth) -> bool| all.iter().filter(|one| is(&one.truth)).count();
        let mut outcome = Self {
            ours: Score {
                factor: 1.0,
                claimed: 1.0,
                ..Score::default()
            },
            single: Score {
                factor: 1.0,
                claimed: 1.0,
                ..Score::default()
            },
            interval: None,
            candidates: all.len(),
            noops: count(|truth| *truth == Truth::NoOp),
            gains: count(is_gain),
            losses: count(is_loss),
            broken: count(|truth| matches!(truth, Truth::Broken(_))),
            placebos: 0,
            placebos_kept: 0,
            runs: 0,
            seconds: 0.0,
            misjudged: Vec::new(),
        };
        let baseline = first_value(
            ledger.iter().find(|line| line["type"] == "calibration"),
            metric,
        )
        .ok_or("the ledger has no calibration")?;
        let mut best = baseline;
        for run in runs {
            outcome.runs += 2 * run["pairs"].as_array().map_or(0, Vec::len);
            outcome.seconds += run["durations"]["total_s"].as_f64().unwrap_or(0.0);
            if run["origin"]["proposer"] == "placebo" {
                outcome.placebos += 1;
                outcome.placebos_kept += usize::from(run["reason"] == "placebo_passed");
                continue;
            }
            let id = run["origin"]["idea"].as_str().unwrap_or_default();
            let candidate = all
                .iter()
                .find(|one| one.id() == id)
                .ok_or(format!("run of an unknown idea {id:?}"))?;
            let kept = run["status"] == "keep";
            // The candidate stood on what our rule had kept; the work is proportional to the
            // factors, so on the other rule's tree the same run would have shown this.
            let other_tree = outcome.single.factor / outcome.ours.factor;
            if kept {
                outcome.ours.keep(candidate.truth);
            }
            if kept != is_gain(&candidate.truth) {
                let reason = run["reason"].as_str().unwrap_or_default();
                outcome
                    .misjudged
                    .push(format!("{id} {:?}: {reason}", candidate.truth));
            }
            // The same gate for both: what breaks is not kept by any rule.
            let passes = !matches!(candidate.truth, Truth::Broken(_));
            let value = first_value(Some(run), metric).map(|value| value * other_tree);
            if let Some(value) = value.filter(|_| passes)
                && value < best
            {
                best = value;
                outcome.single.keep(candidate.truth);
            }
        }
        outcome.single.claimed = best / baseline;
        if let Some(claim) = ledger.iter().rev().find(|line| line["type"] == "claim") {
            let log = |key: &str| claim["estimate"][key].as_f64();
            outcome.ours.claimed = (-log("log").unwrap_or(0.0)).exp();
            outcome.interval = log("lo").zip(log("hi"));
        }
        Ok(outcome)
    }

    /// A table for people.
    pub fn text(&self) -> String {
        let percent = |factor: f64| format!("{:.1} %", (1.0 - factor) * 100.0);
        let interval = self.interval.map_or(String::new(), |(lo, hi)| {
            format!(" [{}, {}]", percent((-lo).exp()), percent((-hi).exp()))
        });
        let row = |name: &str, ours: String, single: String| {
            format!("{name:<26}  {ours:>28}  {single:>22}\n")
        };
        let of = |kept: usize, all: usize| format!("{kept} of {all}");
        let (ours, single) = (&self.ours, &self.single);
        let mut text = row("", "this loop".into(), "one run against best".into());
        for (name, get, all) in [
            (
                "no-ops kept",
                (|s| s.noops_kept) as fn(&Score) -> usize,
                self.noops,
            ),
            ("losses kept", |s| s.losses_kept, self.losses),
            ("broken kept", |s| s.broken_kept, self.broken),
            ("gains kept", |s| s.gains_kept, self.gains),
        ] {
            text.push_str(&row(name, of(get(ours), all), of(get(single), all)));
        }
        text.push_str(&row(
            "claimed, less work",
            format!("{}{interval}", percent(ours.claimed)),
            percent(single.claimed),
        ));
        text.push_str(&row(
            "true, of what it kept",
            percent(ours.factor),
            percent(single.factor),
        ));
        text.push_str(&format!(
            "{} candidates, {} placebos ({} kept), {} benchmark runs, {:.0} s\n",
            self.candidates, self.placebos, self.placebos_kept, self.runs, self.seconds
        ));
        for misjudged in &self.misjudged {
            text.push_str(&format!("not as the truth: {misjudged}\n"));
        }
        text
    }

    /// The same as JSON.
    pub fn json(&self) -> Value {
        let score = |score: &Score| {
            json!({
                "noops_kept": score.noops_kept,
                "losses_kept": score.losses_kept,
                "broken_kept": score.broken_kept,
                "gains_kept": score.gains_kept,
                "true_factor": score.factor,
                "claimed_factor": score.claimed,
            })
        };
        json!({
            "candidates": self.candidates,
            "noops": self.noops,
            "gains": self.gains,
            "losses": self.losses,
            "broken": self.broken,
            "placebos": self.placebos,
            "placebos_kept": self.placebos_kept,
            "benchmark_runs": self.runs,
            "seconds": self.seconds,
            "ours": score(&self.ours),
            "single_run": score(&self.single),
            "interval_log": self.interval.map(|(lo, hi)| [lo, hi]),
            "misjudged": self.misjudged,
        })
    }
}

impl Score {
    fn keep(&mut self, truth: Truth) {
        match truth {
            Truth::NoOp => self.noops_kept += 1,
            Truth::Broken(_) => self.broken_kept += 1,
            Truth::Factor(factor) => {
                self.factor *= factor;
                if factor < 1.0 {
                    self.gains_kept += 1;
                } else {
                    self.losses_kept += 1;
                }
            }
        }
    }
}

fn is_gain(truth: &Truth) -> bool {
    matches!(truth, Truth::Factor(factor) if *factor < 1.0)
}

fn is_loss(truth: &Truth) -> bool {
    matches!(truth, Truth::Factor(factor) if *factor > 1.0)
}

/// What one run would have shown: the candidate's side of the first pair that is not a warm-up.
fn first_value(line: Option<&Value>, metric: &str) -> Option<f64> {
    let pairs = line?["pairs"].as_array()?;
    let pair = pairs.iter().find(|pair| pair["phase"] != "warm_up")?;
    pair["candidate"][metric].as_f64()
}
