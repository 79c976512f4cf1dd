//! What `repair` found and did, as text and as JSON.

use serde::Serialize;

use crate::flow::ledger::repair::Gap;

/// What `repair` found and did.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The ledger's path.
    pub ledger: String,
    /// Whether it was changed.
    pub written: bool,
    /// Name of the file beside it that keeps the damaged ledger, or would; null when nothing is damaged.
    pub original: Option<String>,
    /// Lines that stay as they are.
    pub kept_lines: u64,
    /// What is taken out.
    pub gaps: Vec<Gap>,
}

/// The report for people.
pub fn text(report: &Report) -> String {
    let Some(original) = &report.original else {
        return format!("{}: nothing to repair", report.ledger);
    };
    let mut text = String::new();
    for gap in &report.gaps {
        let which = match gap.lines {
            0 => format!("before line {}", gap.line),
            1 => format!("line {}", gap.line),
            lines => format!("lines {} to {}", gap.line, gap.line + lines - 1),
        };
        text.push_str(&format!("{which}: {}\n", gap.reason));
    }
    let taken: u64 = report.gaps.iter().map(|gap| gap.lines).sum();
    let lines = |count| match count {
        1 => "1 line".to_owned(),
        count => format!("{count} lines"),
    };
    text.push_str(&if report.written {
        format!(
            "took {} out of {}, kept {}; the file as it was is {original}",
            lines(taken),
            report.ledger,
            lines(report.kept_lines)
        )
    } else {
        format!(
            "would take {} out of {}, keep {}, and keep the file as it is in {original}",
            lines(taken),
            report.ledger,
            lines(report.kept_lines)
        )
    });
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_healthy_ledger_is_said_to_be_so() {
        let report = Report {
            ledger: "a/experiments.jsonl".to_owned(),
            written: false,
            original: None,
            kept_lines: 3,
            gaps: Vec::new(),
        };
        assert_eq!(text(&report), "a/experiments.jsonl: nothing to repair");
    }
}
