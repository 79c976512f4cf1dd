//! `explain N`: a verdict taken apart, for a terminal.

use super::closing::plural;
use super::format;
use crate::flow::decision::{Direction, ReplayPoint};
use crate::flow::entry::Segment;
use crate::flow::explain::{Explanation, MoreData, Recomputed};
use crate::flow::measure::percent_better;
use crate::flow::metric::median;
use crate::flow::record::{GuardOutcome, GuardResult, Reason, RunLine};

/// Lines of the chart, the axis not counted.
const CHART_LINES: usize = 9;

/// Most pairs listed one by one; the chart has all of them.
const PAIRS_MAX: usize = 60;

/// The whole explanation, with a newline at the end.
pub fn text(explanation: &Explanation, line: &RunLine, segment: &Segment) -> String {
    let direction = segment.direction;
    let mut text = format!(
        "run {}: {}\n\n",
        line.run,
        format::one_line(&line.description)
    );
    let mut field = |label: &str, value: &str| {
        for (index, part) in value.lines().enumerate() {
            let label = if index == 0 { label } else { "" };
            text.push_str(format!("{label:<12}{part}").trim_end());
            text.push('\n');
        }
    };
    field(
        "on record",
        &format!("{}: {}", line.status.as_str(), line.reason.describe()),
    );
    field("recomputed", &recomputed(explanation, line));
    field("judged by", &rule(explanation, segment));
    field("why", &why(explanation, line, direction));
    for (index, guard) in explanation.guards.iter().enumerate() {
        let label = if index == 0 { "guards" } else { "" };
        field(label, &guard_words(guard, segment));
    }
    if let Some(more) = explanation.more {
        field("more data", &more_words(more, direction));
    }
    if !explanation.screen.is_empty() {
        text.push_str(&chart(explanation));
        text.push_str(&pairs(&explanation.screen, direction));
    }
    text
}

fn recomputed(explanation: &Explanation, line: &RunLine) -> String {
    if explanation.holds() {
        return match explanation.recomputed {
            Recomputed::EndedFromOutside if line.pairs.is_empty() => {
                "nothing to recompute: it ended before the first pair".to_owned()
            }
            Recomputed::EndedFromOutside => format!(
                "the same: {} without a verdict when it was ended",
                count(line.pairs.len(), "pair")
            ),
            Recomputed::Verdict(_) | Recomputed::ReachesGate => {
                format!(
                    "the same, from {}",
                    count(line.pairs.len(), "recorded pair")
                )
            }
        };
    }
    let mut text = "DIFFERENT: the record does not follow from its pairs".to_owned();
    for difference in &explanation.differences {
        text.push_str(&format!("\n{}", format::one_line(difference)));
    }
    text
}

fn rule(explanation: &Explanation, segment: &Segment) -> String {
    let rule = &explanation.rule;
    let metric = format!(
        "{}, {} is better",
        format::one_line(&segment.metric_name),
        match segment.direction {
            Direction::Lower => "lower",
            Direction::Higher => "higher",
        }
    );
    if rule.exact {
        return format!("{metric}; exact: two runs of the candidate must agree");
    }
    format!(
        "{metric}; noise of a pair {}, smallest gain looked for {}\n\
         goes to fresh pairs at E >= {:.0}, is dropped at LR <= {}, after {} pairs at most\n\
         (no gain, however large, can be kept in fewer than {} pairs)",
        percent_of(rule.scale),
        percent_of(rule.delta),
        rule.e_keep,
        rule.beta,
        rule.cap_pairs,
        rule.keep_pairs_min
    )
}

fn count(number: usize, noun: &str) -> String {
    plural(number as u64, noun)
}

/// A scale in log units, as percent.
fn percent_of(log: f64) -> String {
    format!("{:.2} %", log.exp_m1() * 100.0)
}

fn why(explanation: &Explanation, line: &RunLine, direction: Direction) -> String {
    let screened = count(explanation.screen.len(), "pair");
    let last = explanation.screen.last();
    let e = last.map_or(String::new(), |point| e_value(point.ln_e));
    let fresh = || {
        let gain = explanation.estimate.as_ref();
        let gain = gain.map_or(String::new(), |gain| format::gain(direction, gain));
        format!(
            "{}, slots swapped: {gain}",
            count(explanation.confirm.len(), "fresh pair")
        )
    };
    let reached = match last {
        Some(_) if !explanation.confirm.is_empty() => {
            format!("the evidence reached E = {e} after {screened}\n")
        }
        _ => String::new(),
    };
    let words = match line.reason {
        Reason::NoGain => match last {
            Some(point) => format!(
                "LR fell to {:.3} after {screened}: they speak against a gain of {} (E = {e})",
                point.lr.exp(),
                percent_of(explanation.rule.delta)
            ),
            None => line.detail.clone(),
        },
        Reason::Inconclusive => {
            format!(
                "E = {e} after {screened}: neither shown nor excluded ({})",
                line.detail
            )
        }
        Reason::NotConfirmed => format!("{}, which is not above 0", fresh()),
        Reason::Improved if super::reason::is_of_unsure_size(line) => format!(
            "{}: the estimate is above 0, which is what is asked; its interval is not, so how much it gains is not sure",
            fresh()
        ),
        Reason::Improved => format!("{}, which is above 0", fresh()),
        Reason::PlaceboPassed => format!("{}; it changed nothing, so it was luck", fresh()),
        Reason::GuardFailed | Reason::GuardUndecided => line.detail.clone(),
        Reason::GateFailed | Reason::GateFlaky => format!("{}\n{}", fresh(), line.detail),
        reason => {
            let detail = line.detail.lines().next().unwrap_or_default();
            format!("{}: {detail}", reason.describe())
        }
    };
    format::printable(&format!("{reached}{words}"))
}

fn guard_words(guard: &GuardResult, segment: &Segment) -> String {
    let outcome = match guard.outcome {
        GuardOutcome::Pass => "not worse than its tolerance",
        GuardOutcome::Fail => "WORSE than its tolerance",
        GuardOutcome::Undecided => "undecided",
    };
    format!(
        "{}: {outcome}; median gain {} over {}, tolerance {}, noise {}",
        format::one_line(&guard.name),
        format::signed_percent(guard.median_percent),
        plural(u64::from(guard.pairs), "pair"),
        super::guard::tolerance(guard, segment),
        percent_of(guard.scale)
    )
}

fn more_words(more: MoreData, direction: Direction) -> String {
    match more {
        MoreData::Pairs { further } => format!(
            "the evidence was growing; at its mean rate E would reach the line {} later",
            plural(u64::from(further), "pair")
        ),
        MoreData::NoGainInSight { needed_gain } => format!(
            "the pairs point to no gain, so more of them would not have kept it; one of {} would have been",
            format::signed_percent(percent_better(direction, needed_gain))
        ),
    }
}

/// `0.52`, `130`, `3.1e6`.
fn e_value(ln: f64) -> String {
    let value = ln.exp();
    match value {
        v if v >= 1e5 => format!("{v:.1e}"),
        v if v >= 10.0 => format!("{v:.0}"),
        v if v >= 0.01 => format!("{v:.2}"),
        v => format!("{v:.1e}"),
    }
}

/// `ln E` after each pair as a line chart; `=` is the line at which it goes to fresh pairs.
fn chart(explanation: &Explanation) -> String {
    let line = explanation.rule.e_keep.ln();
    let path: Vec<f64> = explanation.screen.iter().map(|point| point.ln_e).collect();
    let top = path.iter().copied().fold(line, f64::max);
    let bottom = path.iter().copied().fold(0.0, f64::min);
    let step = (top - bottom) / (CHART_LINES - 1) as f64;
    let row_of = |value: f64| ((top - value) / step).round() as usize;
    let (keep, zero) = (row_of(line), row_of(0.0));
    let mut text = "\nevidence for a gain, E after each pair (log scale)\n".to_owned();
    for row in 0..CHART_LINES {
        let label = match row {
            row if row == keep => format!("{:.0}", explanation.rule.e_keep),
            row if row == zero => "1".to_owned(),
            0 => e_value(top),
            row if row == CHART_LINES - 1 => e_value(bottom),
            _ => String::new(),
        };
        let blank = match row {
            row if row == keep => '=',
            row if row == zero => '-',
            _ => ' ',
        };
        let cells: String = path
            .iter()
            .map(|&value| if row_of(value) == row { '*' } else { blank })
            .collect();
        text.push_str(format!("{label:>9} |{cells}").trim_end());
        text.push('\n');
    }
    text.push_str(&format!("{:>9} +{}\n", "", "-".repeat(path.len())));
    text
}

fn pairs(screen: &[ReplayPoint], direction: Direction) -> String {
    let mut text = "\n pair      gain     scale         E        LR\n".to_owned();
    for (index, point) in screen.iter().enumerate().take(PAIRS_MAX) {
        text.push_str(&format!(
            "{:>5}  {:>8}  {:>8}  {:>8}  {:>8}\n",
            index + 1,
            format::signed_percent(percent_better(direction, point.d)),
            percent_of(point.s),
            e_value(point.ln_e),
            e_value(point.lr)
        ));
    }
    if screen.len() > PAIRS_MAX {
        text.push_str(&format!(
            "  ... and {} more: --json has them\n",
            screen.len() - PAIRS_MAX
        ));
    }
    let gains: Vec<f64> = screen.iter().map(|point| point.d).collect();
    text.push_str(&format!(
        "median gain {} (a description: what is claimed comes from fresh pairs only)\n",
        format::signed_percent(percent_better(direction, median(&gains)))
    ));
    text
}

#[cfg(test)]
mod tests;
