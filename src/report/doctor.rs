//! [`Finding`]s as a table for people and as JSON for programs.

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::json;

use crate::doctor::{Finding, Level};

/// The table, a summary line after it, no trailing newline. `width` is the terminal's, in columns.
pub fn table(findings: &[Finding], width: u16) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width)
        .set_header(["check", "result", "found"]);
    for finding in findings {
        let text = match &finding.advice {
            Some(advice) => format!("{}\n  -> {advice}", finding.message),
            None => finding.message.clone(),
        };
        table.add_row([finding.check, finding.level.as_str(), &text]);
    }
    let lines: Vec<String> = table
        .to_string()
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect();
    format!("{}\n\n{}", lines.join("\n"), summary(findings))
}

/// One sentence: whether the loop can run here, and how many findings speak against trusting it.
pub fn summary(findings: &[Finding]) -> String {
    let count = |level| {
        findings
            .iter()
            .filter(|finding| finding.level == level)
            .count()
    };
    let plural = |number, what: &str| match number {
        1 => format!("1 {what}"),
        number => format!("{number} {what}s"),
    };
    let warnings = plural(count(Level::Warning), "warning");
    match count(Level::Problem) {
        0 if count(Level::Warning) == 0 => "Ready to run.".to_owned(),
        0 => format!("Ready to run, with {warnings}."),
        problems => format!("Not ready: {}, {warnings}.", plural(problems, "problem")),
    }
}

/// `{"ok", "findings": [{check, level, message, advice?}]}`, indented, no trailing newline. `ok` is
/// false exactly when there is a problem.
pub fn json(findings: &[Finding]) -> String {
    let ok = findings
        .iter()
        .all(|finding| finding.level != Level::Problem);
    let report = json!({ "ok": ok, "findings": findings });
    serde_json::to_string_pretty(&report).expect("findings are plain texts")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(check: &'static str, level: Level, advice: Option<&str>) -> Finding {
        Finding {
            check,
            level,
            message: format!("{check} as found"),
            advice: advice.map(str::to_owned),
        }
    }

    #[test]
    fn the_table_has_a_row_a_finding_its_advice_below_and_a_summary() {
        let findings = [
            finding("load", Level::Warning, Some("stop it")),
            finding("disk", Level::Ok, None),
        ];
        let expected = [
            " check  result   found",
            " load   warning  load as found",
            "                   -> stop it",
            " disk   ok       disk as found",
            "",
            "Ready to run, with 1 warning.",
        ];
        assert_eq!(table(&findings, 80), expected.join("\n"));
    }

    #[test]
    fn a_narrow_terminal_wraps_instead_of_cutting() {
        let long = Finding {
            message: "word ".repeat(30),
            ..finding("load", Level::Note, None)
        };
        let text = table(&[long], 40);
        assert!(
            text.lines().all(|line| line.chars().count() <= 40),
            "{text}"
        );
        assert_eq!(text.matches("word").count(), 30);
    }

    #[test]
    fn the_summary_counts() {
        let at = |levels: &[Level]| {
            let findings: Vec<_> = levels
                .iter()
                .map(|level| finding("x", *level, None))
                .collect();
            summary(&findings)
        };
        assert_eq!(at(&[Level::Ok, Level::Note]), "Ready to run.");
        assert_eq!(
            at(&[Level::Problem, Level::Warning, Level::Warning]),
            "Not ready: 1 problem, 2 warnings."
        );
    }

    #[test]
    fn json_says_ok_unless_there_is_a_problem() {
        let read = |levels: &[Level]| -> serde_json::Value {
            let findings: Vec<_> = levels
                .iter()
                .map(|level| finding("x", *level, None))
                .collect();
            serde_json::from_str(&json(&findings)).unwrap()
        };
        assert_eq!(read(&[Level::Warning])["ok"], true);
        let value = read(&[Level::Ok, Level::Problem]);
        assert_eq!(value["ok"], false);
        assert_eq!(
            value["findings"][1],
            json!({"check": "x", "level": "problem", "message": "x as found"})
        );
    }
}
