//! Mistakes in what a session works with: the backlog, the agent, the ledger. Chapters of `mistakes.rs`.

use std::fs;

use crate::answers::Answers;
use crate::mistakes::{with_key, with_script};
use crate::support::{EXACT_SCRIPT, Project};

fn with_ideas(text: &str) -> Project {
    let project = with_script(EXACT_SCRIPT);
    project.write("ideas.md", text);
    project.commit("ideas");
    project
}

/// A project in which one candidate was judged and not kept.
fn judged() -> Project {
    let project = with_script(EXACT_SCRIPT);
    project.ideas(&[("worse", &[("src/cost.txt", "101\n")])]);
    let _ = project.run(&["run", "-n", "1"]).expect(0);
    project
}

pub fn ideas(answers: &mut Answers) {
    answers.chapter("ideas.md");
    for (mistake, text) in [
        (
            "an id used twice",
            "# Ideas\n\n- [ ] **a** One.\n- [ ] **a** Two.\n",
        ),
        ("a malformed checkbox", "- [] **a** One.\n"),
        ("a priority out of range", "- [ ] **a** (p0) One.\n"),
        (
            "a patch outside the project",
            "- [ ] **a** One.\n  - patch: ../a.patch\n",
        ),
        (
            "a patch and a knob in one idea",
            "- [ ] **a** One.\n  - patch: a.patch\n  - knob: k = 1\n",
        ),
        (
            "a knob line without values",
            "- [ ] **a** One.\n  - knob: k\n",
        ),
        (
            "a knob that the config does not have",
            "- [ ] **a** One.\n  - knob: cache = 1, 2\n",
        ),
    ] {
        answers.refused(mistake, &with_ideas(text), &["run"], 2);
    }
    let project = with_script(EXACT_SCRIPT);
    fs::write(
        project.root().join("ideas.md"),
        b"- [ ] **a** One.\n- [ ] **b** \xff\n",
    )
    .expect("written");
    project.commit("latin 1");
    answers.refused("not UTF-8", &project, &["run"], 2);
    answers.recorded(
        "a patch that does not exist",
        &with_ideas("- [ ] **gone** One.\n  - patch: ideas/gone.patch\n"),
    );
    let stale = "--- a/src/cost.txt\n+++ b/src/cost.txt\n@@ -1 +1 @@\n-7\n+8\n";
    for (mistake, patch) in [
        ("a patch that does not apply", stale.to_owned()),
        (
            "a patch of a file that does not exist",
            stale.replace("cost.txt", "const.txt"),
        ),
        ("a patch that is prose", "make it faster\n".to_owned()),
        (
            "a patch that is cut short",
            "--- a/src/cost.txt\n+++ b/src/cost.txt\n@@ -1 +1 @@\n".to_owned(),
        ),
    ] {
        let project = with_script(EXACT_SCRIPT);
        project.write("ideas/one.patch", &patch);
        project.write(
            "ideas.md",
            "- [ ] **one** One.\n  - patch: ideas/one.patch\n",
        );
        project.commit("ideas");
        answers.recorded(mistake, &project);
    }
    let project = with_script(EXACT_SCRIPT);
    project.ideas(&[("outside", &[("src/cost.txt", "99\n")])]);
    let patch = project
        .read("ideas/outside.patch")
        .replace("src/cost.txt", ".gitignore")
        .replace("-100", "-/ignored");
    project.write("ideas/outside.patch", &patch);
    project.commit("outside");
    answers.recorded("a patch outside the scope", &project);
    let knob =
        r#""knobs": [{"name": "k", "file": "src/note.txt", "const": "SIZE", "values": [1, 2]}]"#;
    let project = with_key(knob);
    project.write("ideas.md", "- [ ] **size** One.\n  - knob: k = 3\n");
    project.commit("ideas");
    answers.recorded("a knob that is not in its file", &project);
    let project = with_key(&knob.replace("note.txt", "gone.txt"));
    project.write("ideas.md", "- [ ] **size** One.\n  - knob: k = 3\n");
    project.commit("ideas");
    answers.recorded("a knob whose file does not exist", &project);
}

pub fn agents(answers: &mut Answers) {
    answers.chapter("Agents");
    let project = with_key(r#""agent": {"command": ["agent-of-nobody"]}, "proposers": ["agent"]"#);
    answers.refused("an agent that is not installed", &project, &["run"], 3);
    for (mistake, command) in [
        (
            "an agent that fails",
            r#"["bash", "-c", "echo 'not logged in'; exit 7"]"#,
        ),
        ("an agent that changes nothing", r#"["true"]"#),
        (
            "an agent that edits outside the scope",
            r#"["bash", "-c", "echo x >> README.txt"]"#,
        ),
        (
            "an agent that edits the benchmark",
            r#"["bash", "-c", "echo 'METRIC cost=1' > autoresearch.sh"]"#,
        ),
    ] {
        let project = with_key(&format!(
            r#""agent": {{"command": {command}}}, "proposers": ["agent"]"#
        ));
        answers.recorded(mistake, &project);
    }
}

pub fn ledgers(answers: &mut Answers) {
    answers.chapter("The ledger");
    let project = with_script(EXACT_SCRIPT);
    answers.refused("no ledger yet", &project, &["log"], 2);
    let project = judged();
    for (mistake, arguments) in [
        ("a run that does not exist", &["show", "999"][..]),
        ("a run that does not exist, explained", &["explain", "999"]),
        (
            "a run that does not exist, reproduced",
            &["reproduce", "999"],
        ),
        ("a run that was not kept, reproduced", &["reproduce", "1"]),
        ("a commit that does not exist", &["reproduce", "deadbeef"]),
        ("a run that was not kept, ablated", &["ablate", "1"]),
        ("nothing kept to reproduce", &["reproduce", "--all"]),
        ("nothing kept to finalize", &["finalize"]),
        ("nothing kept to ablate", &["ablate"]),
        (
            "a revision that does not exist",
            &["profile", "no-such-branch"],
        ),
        (
            "a ledger that does not exist",
            &["log", "--file", "gone.jsonl"],
        ),
        ("nothing to try", &["try"]),
    ] {
        answers.refused(mistake, &project, arguments, 2);
    }
    let whole = project.read("experiments.jsonl");
    for (mistake, text) in [
        (
            "a line that was damaged",
            whole.replacen("\"seed\":", "\"sed\":", 1),
        ),
        (
            "a line that is no JSON",
            whole.replacen("\"type\"", "type", 1),
        ),
        (
            "a line that was taken out",
            whole
                .lines()
                .skip(1)
                .map(|line| format!("{line}\n"))
                .collect(),
        ),
        (
            "a run out of order",
            whole.replacen("\"run\":1,", "\"run\":2,", 1),
        ),
        (
            "a verdict that does not exist",
            whole.replacen("\"status\":\"discard\"", "\"status\":\"kept\"", 1),
        ),
        (
            "a ledger of a newer version",
            whole.replace("\"format\":1", "\"format\":2"),
        ),
    ] {
        assert_ne!(whole, text, "{mistake}");
        project.write("experiments.jsonl", &text);
        answers.refused(mistake, &project, &["run"], 2);
    }
    project.write("experiments.jsonl", &whole);
    for (mistake, name, text) in [
        ("a file that is no ledger", "notes.txt", "Some notes.\n"),
        (
            "a JSON file of something else",
            "package.json",
            "{\n  \"name\": \"x\"\n}\n",
        ),
        (
            "a log of an unknown program",
            "other.jsonl",
            "{\"step\": 1, \"loss\": 0.5}\n",
        ),
        (
            "a status of an unknown program",
            "other.jsonl",
            "{\"run\": 1, \"status\": \"accepted\"}\n",
        ),
    ] {
        fs::write(project.root().join(name), text).expect("a file");
        answers.refused(mistake, &project, &["log", "--file", name], 2);
        fs::remove_file(project.root().join(name)).expect("it was written");
    }
    answers.refused(
        "a directory instead of a ledger",
        &project,
        &["log", "--file", "src"],
        2,
    );
    answers.refused(
        "a report that cannot be written",
        &project,
        &["report", "-o", "/proc/report.html"],
        3,
    );
    answers.refused(
        "a plan that does not exist",
        &project,
        &["finalize", "--from", "gone.json"],
        2,
    );
    project.git(&["checkout", "--quiet", "--detach"]);
    answers.recorded("a detached HEAD, which is none", &project);
}
