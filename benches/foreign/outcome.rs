//! Verdicts against the truth.

use std::fmt::Write as _;

use serde_json::Value;

use super::project::Project;

/// What a candidate truly does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// The benchmark takes at most two thirds of its time.
    Gain,
    /// Better, but on a busy machine perhaps not visibly.
    SmallGain,
    /// Another text, the same work.
    NoOp,
    /// More work.
    Loss,
    /// Less work and wrong results: the tests fail.
    WrongAnswer,
    /// It does not compile, or not start.
    NoBuild,
    /// It changes the benchmark.
    TouchesBenchmark,
    /// A patch for other code.
    DoesNotApply,
}

impl Truth {
    fn as_str(self) -> &'static str {
        match self {
            Self::Gain => "gain of 1.5x or more",
            Self::SmallGain => "smaller gain",
            Self::NoOp => "no-op",
            Self::Loss => "loss",
            Self::WrongAnswer => "fast and wrong",
            Self::NoBuild => "does not build",
            Self::TouchesBenchmark => "changes the benchmark",
            Self::DoesNotApply => "does not apply",
        }
    }
}

/// One candidate beside its verdict.
pub struct Row {
    pub project: &'static str,
    pub candidate: &'static str,
    truth: Truth,
    kept: bool,
    reason: String,
    /// The gain claimed, with its interval; as percent less time.
    claim: Option<[f64; 3]>,
}

impl Row {
    /// The candidates of a project with the runs of its ledger.
    pub fn all(project: &Project, ledger: &[Value]) -> Result<Vec<Self>, String> {
        let runs: Vec<&Value> = ledger.iter().filter(|line| line["type"] == "run").collect();
        if runs.len() != project.candidates.len() {
            let (found, wanted) = (runs.len(), project.candidates.len());
            return Err(format!("{}: {found} runs, not {wanted}", project.name));
        }
        let rows = project.candidates.iter().zip(runs);
        Ok(rows
            .map(|((candidate, truth), run)| Self {
                project: project.name,
                candidate,
                truth: *truth,
                kept: run["status"] == "keep",
                reason: run["reason"].as_str().unwrap_or_default().replace('_', " "),
                claim: claim(run),
            })
            .collect())
    }

    /// Whether a gain was missed, or anything else was kept.
    pub fn is_wrong(&self) -> bool {
        match self.truth {
            Truth::Gain => !self.kept,
            Truth::SmallGain => false,
            _ => self.kept,
        }
    }
}

/// The estimate of a kept run, from the logarithms of the ratios.
fn claim(run: &Value) -> Option<[f64; 3]> {
    let estimate = run.get("estimate").filter(|_| run["status"] == "keep")?;
    let percent = |key: &str| {
        let log = estimate[key].as_f64()?;
        Some((1.0 - (-log).exp()) * 100.0)
    };
    Some([percent("log")?, percent("lo")?, percent("hi")?])
}

/// A table for people.
pub fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<11} {:<20} {:<22} {:<9} {:<18} claimed\n",
        "project", "candidate", "truth", "verdict", "why"
    );
    for row in rows {
        let verdict = if row.kept { "kept" } else { "refused" };
        let claim = row.claim.map_or(String::new(), |[gain, lo, hi]| {
            format!("{gain:.1} % less time [{lo:.1}, {hi:.1}]")
        });
        let line = format!(
            "{:<11} {:<20} {:<22} {:<9} {:<18} {claim}",
            row.project,
            row.candidate,
            row.truth.as_str(),
            verdict,
            row.reason
        );
        writeln!(text, "{}", line.trim_end()).ok();
    }
    text
}
