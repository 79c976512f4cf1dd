//! The user's hooks: told what pi-autoresearch tells them, bounded, and never a reason to stop.

use serde_json::Value;

use crate::support::{CONFIG, EXACT_SCRIPT, Project, verdict};

fn with_hooks(hooks: &Value, more: &str) -> Project {
    let config = CONFIG.replace(
        "\"min_run_ms\"",
        &format!("\"hooks\": {hooks}, {more} \"min_run_ms\""),
    );
    let project = Project::with_config(EXACT_SCRIPT, &config);
    std::fs::create_dir(project.beside("home")).expect("a home");
    project.ideas(&[
        ("worse", &[("src/cost.txt", "101\n")]),
        ("better", &[("src/cost.txt", "80\n")]),
    ]);
    project
}

fn shell(script: &str) -> Value {
    serde_json::json!(["bash", "-c", script])
}

#[test]
fn hooks_are_told_the_run_and_the_session_as_in_pi_autoresearch() {
    let project = with_hooks(
        &serde_json::json!({
            "before": shell("cat >>\"$HOME/before\""),
            "after": shell("cat >>\"$HOME/after\"; pwd >\"$HOME/cwd\"")
        }),
        "",
    );
    project.run(&["run", "-n", "2"]).expect(0);
    let read = |name: &str| -> Vec<Value> {
        let text = std::fs::read_to_string(project.beside("home").join(name)).expect("written");
        text.lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    };
    let (before, after) = (read("before"), read("after"));
    assert_eq!((before.len(), after.len()), (2, 2));
    assert_eq!(before[0]["event"], "before");
    assert_eq!(before[0]["next_run"], 1);
    assert_eq!(before[0]["last_run"], Value::Null);
    assert_eq!(before[1]["last_run"]["run"], 1);
    assert_eq!(before[1]["last_run"]["status"], "discard");
    assert_eq!(after[1]["event"], "after");
    assert_eq!(after[1]["run_entry"]["status"], "keep");
    assert_eq!(after[1]["run_entry"]["metric"], 80.0);
    let session = &after[1]["session"];
    assert_eq!(session["metric_name"], "cost");
    assert_eq!(session["direction"], "lower");
    assert_eq!(
        (&session["baseline_metric"], &session["best_metric"]),
        (&100.0.into(), &80.0.into())
    );
    assert_eq!(session["run_count"], 2);
    // Never the pairs: a proposer could read them.
    assert!(after[1]["run_entry"].get("pairs").is_none());
    let cwd = std::fs::read_to_string(project.beside("home/cwd")).expect("written");
    let root = project.root().canonicalize().expect("a path");
    assert_eq!(cwd.trim(), root.to_str().expect("UTF-8"));
    assert_eq!(after[1]["cwd"], cwd.trim());
}

#[test]
fn a_hook_that_fails_hangs_or_cannot_start_is_warned_of_and_the_loop_goes_on() {
    for (hook, timeout_s, warning) in [
        (
            shell("echo no good >&2; exit 3"),
            60.0,
            "hook `after` exited with code 3",
        ),
        (
            shell("trap '' TERM; sleep 600"),
            0.2,
            "hook `after` passed its deadline and was killed",
        ),
        (
            serde_json::json!(["no-such-program-at-all"]),
            60.0,
            "hook `after` exited with code 127",
        ),
    ] {
        let hooks = serde_json::json!({"after": hook, "timeout_s": timeout_s});
        let project = with_hooks(&hooks, "");
        let ran = project.run(&["run", "-n", "2"]).expect(0).says(warning);
        assert_eq!(
            project.verdicts(),
            [verdict("discard", "no_gain"), verdict("keep", "improved")]
        );
        let types: Vec<Value> = project
            .ledger()
            .iter()
            .map(|line| line["type"].clone())
            .collect();
        assert!(
            types.iter().all(|kind| kind != "hook"),
            "{types:?}\n{}",
            ran.stderr
        );
        project.assert_nothing_left();
    }
}

#[test]
fn the_beginning_of_what_a_hook_prints_reaches_the_agent_and_the_rest_nobody() {
    let agent = "cp \"$1\" \"$HOME/prompt\"; echo 90 >src/cost.txt";
    let agent = serde_json::json!({"command": ["bash", "-c", agent, "x", "{prompt_file}"], "writable": ["~/"]});
    let project = with_hooks(
        &serde_json::json!({
            "before": shell("echo noise >&2; echo look at the cache; head -c 5000000 /dev/zero | tr '\\0' x")
        }),
        &format!("\"proposers\": [\"agent\"], \"agent\": {agent},"),
    );
    project.run(&["run", "-n", "1"]).expect(0);
    let prompt = std::fs::read_to_string(project.beside("home/prompt")).expect("a prompt");
    let (_, hint) = prompt
        .split_once("From the user's own script:\n")
        .expect("the hint");
    assert!(hint.starts_with("look at the cache\nxxx"), "{prompt}");
    assert!(!prompt.contains("noise"));
    assert!(prompt.len() < 20_000, "{}", prompt.len());
    let kept = std::fs::read_dir(
        project
            .work_dir()
            .read_dir()
            .expect("slots")
            .next()
            .expect("one")
            .expect("readable")
            .path()
            .join("logs"),
    )
    .expect("logs");
    for file in kept.flatten() {
        let length = file.metadata().expect("a file").len();
        assert!(length < 100_000, "{:?} has {length} bytes", file.path());
    }
}

#[test]
fn garbage_on_standard_output_is_text_and_empty_commands_are_refused() {
    let agent = "cp \"$1\" \"$HOME/prompt\"; echo 90 >src/cost.txt";
    let agent = serde_json::json!({"command": ["bash", "-c", agent, "x", "{prompt_file}"], "writable": ["~/"]});
    let project = with_hooks(
        &serde_json::json!({"before": shell("printf 'a\\377\\000b\\033[2Jc'")}),
        &format!("\"proposers\": [\"agent\"], \"agent\": {agent},"),
    );
    project.run(&["run", "-n", "1"]).expect(0);
    let prompt = std::fs::read_to_string(project.beside("home/prompt")).expect("UTF-8");
    assert!(!prompt.contains(['\0', '\u{1b}']), "{prompt:?}");
    let empty = with_hooks(&serde_json::json!({"before": []}), "");
    empty
        .run(&["run"])
        .expect(2)
        .says("`hooks.before` is an empty command");
}

#[test]
fn try_calls_the_hooks_too_and_passes_on_what_they_say() {
    let project = with_hooks(
        &serde_json::json!({
            "before": shell("cat >>\"$HOME/before\"; echo look at the cache"),
            "after": shell("cat >>\"$HOME/after\"; echo well done")
        }),
        "",
    );
    for (cost, code) in [("90\n", 0), ("95\n", 1)] {
        project.write("src/cost.txt", cost);
        let ran = project.run(&["try", "-m", "Change the cost"]);
        let _ = ran
            .expect(code)
            .says("hook: look at the cache")
            .says("hook: well done");
    }
    let before = std::fs::read_to_string(project.beside("home/before")).expect("written");
    let last = before.lines().last().expect("two lines");
    let second: Value = serde_json::from_str(last).expect("JSON");
    assert_eq!(
        (&second["next_run"], &second["last_run"]["run"]),
        (&2.into(), &1.into())
    );
    assert_eq!(second["last_run"]["status"], "keep");
    let after = std::fs::read_to_string(project.beside("home/after")).expect("written");
    assert_eq!(after.lines().count(), 2);
}

#[test]
fn what_the_hook_after_says_reaches_the_next_agent_before_what_before_says() {
    let agent = "cp \"$1\" \"$HOME/prompt\"; echo $((RANDOM + 200)) >src/cost.txt";
    let agent = serde_json::json!({"command": ["bash", "-c", agent, "x", "{prompt_file}"], "sandbox": "off"});
    let project = with_hooks(
        &serde_json::json!({"before": shell("echo second"), "after": shell("echo first")}),
        &format!("\"proposers\": [\"agent\"], \"agent\": {agent},"),
    );
    project.run(&["run", "-n", "2"]).expect(0);
    let prompt = std::fs::read_to_string(project.beside("home/prompt")).expect("a prompt");
    assert!(
        prompt.contains("From the user's own script:\nfirst\nsecond\n"),
        "{prompt}"
    );
}
