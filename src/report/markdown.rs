//! A [`Review`]'s last session as Markdown, for the text of a pull request.

use super::review::{Session, fates};
use super::{closing, format, review::Review};
use crate::flow::summary::ClaimState;

/// Kept runs that are listed.
const KEPT_MAX: usize = 50;
/// Ideas that are listed.
const IDEAS_MAX: usize = 30;

/// The text, with a newline at the end.
pub fn text(review: &Review) -> String {
    let Some(session) = review.sessions.last() else {
        return "The ledger holds no sessions yet.\n".to_owned();
    };
    let summary = &session.summary;
    let segment = &summary.segment;
    let mut text = match summary.claim_state() {
        ClaimState::Better(claim) => format!(
            "## {} {}\n\n",
            format::change(segment.direction, claim.estimate.percent),
            escaped(&segment.metric_name)
        ),
        ClaimState::NotMeasured | ClaimState::Nothing(_) | ClaimState::Outdated(_) => {
            format!("## {}\n\n", escaped(&segment.name))
        }
    };
    for line in closing::claim(summary).lines() {
        text.push_str(&format!("{}\n", escaped(line)));
    }
    text.push_str(&format!("\n- {}\n", closing::tally(summary)));
    let bound = summary.false_keeps_bound().filter(|_| summary.judged > 0);
    let facts = [
        bound.map(|bound| closing::bound_text(summary.judged, bound)),
        closing::placebos(summary),
        closing::dropped(summary),
    ];
    for fact in facts.iter().flatten() {
        text.push_str(&format!("- {fact}\n"));
    }
    text.push_str(&kept(session));
    text.push_str(&ideas(review, session));
    text.push_str(&environment(session));
    text
}

fn kept(session: &Session) -> String {
    let summary = &session.summary;
    if summary.kept.is_empty() {
        return String::new();
    }
    let mut text =
        "\n### Kept\n\n| run | commit | gain | description |\n|--:|---|--:|---|\n".to_owned();
    for kept in summary.kept.iter().take(KEPT_MAX) {
        let gain = kept.estimate.as_ref();
        text.push_str(&format!(
            "| {} | {} | {} | {} |\n",
            kept.run,
            escaped(format::short_id(&kept.commit)),
            gain.map_or(String::new(), |gain| escaped(&format::gain(
                summary.segment.direction,
                gain
            ))),
            escaped(&kept.description)
        ));
    }
    more(&mut text, summary.kept.len(), KEPT_MAX);
    text
}

fn ideas(review: &Review, session: &Session) -> String {
    let fates = fates(review.runs_of(session));
    if fates.iter().all(|fate| fate.proposer.is_empty()) {
        return String::new();
    }
    let mut text = "\n<details><summary>Ideas and their fate</summary>\n\n| by | idea | runs | kept | best gain |\n|---|---|--:|--:|--:|\n".to_owned();
    for fate in fates.iter().take(IDEAS_MAX) {
        text.push_str(&format!(
            "| {} | {} | {} | {} | {} |\n",
            escaped(&fate.proposer),
            escaped(fate.idea.as_deref().unwrap_or("")),
            fate.runs.len(),
            fate.kept,
            escaped(&fate.best_gain().unwrap_or_default())
        ));
    }
    more(&mut text, fates.len(), IDEAS_MAX);
    text.push_str("\n</details>\n");
    text
}

fn environment(session: &Session) -> String {
    let Some(line) = &session.summary.segment.session else {
        return String::new();
    };
    let machine = &line.environment;
    let noise = session.calibrations.last().map_or(String::new(), |line| {
        format!(
            "; noise of a pair {:.2} %",
            line.primary.s0.exp_m1() * 100.0
        )
    });
    let machine = format!(
        "{}, {} cores, {}, {}{noise}",
        machine.cpu, machine.cores, machine.os, machine.kernel
    );
    format!("\nMeasured on {}.\n", escaped(&machine))
}

fn more(text: &mut String, count: usize, shown: usize) {
    if count > shown {
        text.push_str(&format!("\n... and {} more\n", count - shown));
    }
}

/// One line of text that stays text: no markup, no table cell's end, no HTML, no mention of a person
/// or an issue on a forge.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    let text = format::one_line(text);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '!' | '$' => {
                out.push('\\');
                out.push(c);
            }
            // A zero-width space keeps a forge from linking, and so notifying, anyone.
            '@' | '#' => {
                out.push(c);
                out.push_str("&#8203;");
            }
            ':' if rest.peek() == Some(&'/') => out.push_str("&#58;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::entry::Read;
    use crate::flow::ledger::samples;
    use crate::flow::record::Reason;
    use crate::report::review::Builder;

    fn review(lines: &[String]) -> Review {
        let mut decoder = crate::flow::ledger::Decoder::new("test");
        let mut builder = Builder::new();
        for (number, line) in (1..).zip(lines) {
            let read: Read = decoder.feed(number, line).expect("a valid line");
            builder
                .push(&read, decoder.segments())
                .expect("possible values");
        }
        builder.finish()
    }

    #[test]
    fn a_session_with_a_claim_leads_with_it() {
        let claim = samples::claim(0.1, 0.01, &samples::id("c0ffee1"));
        let claim = crate::flow::record::Line::Claim(Box::new(claim)).encode();
        let text = text(&review(&[
            samples::config(),
            samples::run(samples::kept(1)),
            claim,
        ]));
        assert!(
            text.starts_with(
                "## 9.5 % less total\\_ms\n\nend to end: 9.5 % less total\\_ms, 95 % interval"
            ),
            "{text}"
        );
        assert!(text.contains("| 1 | c0ffee100000 | +10.0 % \\[+8.9, +11.1\\] | Batch the writes of one commit |\n"), "{text}");
        assert!(
            text.contains("| ideas | batch-writes | 1 | 1 | +10.0 % |"),
            "{text}"
        );
    }

    #[test]
    fn the_best_gain_of_an_idea_is_marked_as_log_marks_it() {
        let mut seen = samples::ended(1, Reason::NoGain, "");
        let mut confirmed = samples::kept(2);
        confirmed.reason = Reason::GateFailed;
        confirmed.status = confirmed.reason.status();
        for (line, idea) in [(&mut seen, "seen"), (&mut confirmed, "confirmed")] {
            line.origin.idea = Some(idea.to_owned());
        }
        let review = review(&[
            samples::config(),
            samples::run(seen),
            samples::run(confirmed),
        ]);
        let text = text(&review);
        for row in [
            "| ideas | seen | 1 | 0 | \\~+0.20 % |",
            "| ideas | confirmed | 1 | 0 | +10.0 % |",
        ] {
            assert!(text.contains(row), "{text}");
        }
        let html = crate::report::html::page(&review, &Default::default());
        assert!(
            html.contains(">~+0.20 %<") && html.contains(">+10.0 %<"),
            "{html}"
        );
        assert!(!html.contains("~+10.0 %"), "the runs and the ideas agree");
    }

    #[test]
    fn nothing_in_a_description_is_obeyed() {
        let mut line = samples::kept(1);
        line.description =
            "a | b <img src=x> @octocat #7 `rm` [x](http://evil) https://evil".to_owned();
        let text = text(&review(&[samples::config(), samples::run(line)]));
        let row = text
            .lines()
            .find(|line| line.starts_with("| 1 |"))
            .expect("its row");
        assert!(row.ends_with("| a \\| b &lt;img src=x&gt; @&#8203;octocat #&#8203;7 \\`rm\\` \\[x\\](http&#58;//evil) https&#58;//evil |"), "{row}");
    }

    #[test]
    fn an_empty_ledger_says_so() {
        assert_eq!(
            text(&Review::default()),
            "The ledger holds no sessions yet.\n"
        );
    }
}
