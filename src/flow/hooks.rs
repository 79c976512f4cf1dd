//! Programs of the user's that a run calls before and after each candidate, as in pi-autoresearch:
//! what they are told, as one line of JSON on standard input.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::record::RunLine;
use super::session::SessionState;

/// Most bytes of a hook's output that are read; the rest is thrown away. pi-autoresearch's number.
pub const HOOK_OUTPUT_BYTES: usize = 8192;

/// The hooks of a run. They run off the measured path; one that fails or takes too long is warned of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Hooks {
    /// Program and arguments, run before each candidate is made. What a hook prints on standard output,
    /// at most 8 KiB, is told to the agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Vec<String>>,
    /// Program and arguments, run after each candidate was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Vec<String>>,
    /// Seconds after which a hook is killed with everything it started; above 0, to 3600.
    pub timeout_s: f64,
}

impl Default for Hooks {
    fn default() -> Self {
        Self {
            before: None,
            after: None,
            timeout_s: 30.0,
        }
    }
}

impl Hooks {
    /// Checks the commands and the range; the error is the field and the problem.
    pub(super) fn check(&self) -> Result<(), (String, String)> {
        for (field, command) in [("before", &self.before), ("after", &self.after)] {
            let program = command.as_ref().map(|command| command.first());
            if program.is_some_and(|program| program.is_none_or(String::is_empty)) {
                return Err((format!("hooks.{field}"), "is an empty command".to_owned()));
            }
        }
        if !(self.timeout_s > 0.0 && self.timeout_s <= 3600.0) {
            let problem = format!(
                "is {}; it must be above 0 and at most 3600 seconds",
                self.timeout_s
            );
            return Err(("hooks.timeout_s".to_owned(), problem));
        }
        Ok(())
    }
}

/// What the hook `before` is told. Keys as in pi-autoresearch.
pub fn before(state: &SessionState, cwd: &str, next_run: u64, last: Option<&RunLine>) -> Value {
    json!({
        "event": "before",
        "cwd": cwd,
        "next_run": next_run,
        "last_run": last.map(entry),
        "session": session(state),
    })
}

/// What the hook `after` is told.
pub fn after(state: &SessionState, cwd: &str, run: &RunLine) -> Value {
    json!({
        "event": "after",
        "cwd": cwd,
        "run_entry": entry(run),
        "session": session(state),
    })
}

/// The keys of a run that pi-autoresearch has too, and the reason.
fn entry(run: &RunLine) -> Value {
    json!({
        "run": run.run,
        "commit": run.commit,
        "metric": run.metric,
        "metrics": run.metrics,
        "status": run.status,
        "reason": run.reason,
        "description": run.description,
        "timestamp": run.timestamp,
        "segment": run.segment,
        "confidence": run.confidence,
        "asi": run.asi,
    })
}

fn session(state: &SessionState) -> Value {
    let opened = &state.opened;
    json!({
        "metric_name": opened.metric_name,
        "metric_unit": opened.metric_unit,
        "direction": opened.best_direction,
        "baseline_metric": state.baseline,
        "best_metric": state.incumbent_value(),
        "run_count": state.candidates,
        "goal": opened.name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(), (String, String)> {
        serde_json::from_str::<Hooks>(text).expect("hooks").check()
    }

    #[test]
    fn commands_have_a_program_and_times_an_end() {
        assert_eq!(check(r#"{"before": ["notify"], "timeout_s": 5}"#), Ok(()));
        for (text, field) in [
            (r#"{"before": []}"#, "hooks.before"),
            (r#"{"after": [""]}"#, "hooks.after"),
            (r#"{"timeout_s": 0}"#, "hooks.timeout_s"),
            (r#"{"timeout_s": 1e9}"#, "hooks.timeout_s"),
        ] {
            assert_eq!(check(text).unwrap_err().0, field);
        }
    }
}
