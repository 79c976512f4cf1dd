//! Property: whatever a user has in a checkout and however the loop ends, every byte, mode, link, index
//! entry, HEAD, branch and setting of the user's stays. `PROPTEST_CASES=60` tries as many cases.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use autoresearch::edge::fault::{FAULT_VARIABLE, KILL_POINTS, WRITE_POINTS};
use proptest::prelude::*;

use crate::support::{EXACT_SCRIPT, Project};
use crate::users_checkout::{self, KINDS, assert_same, disturb, state};

/// Cases of an ordinary test run: each starts the loop two or three times.
const CASES: u32 = 6;

/// Files to have an edit: committed, new, in directories that are there and that are not, and ignored.
const PATHS: &[&str] = &[
    "src/cost.txt",
    "src/note.txt",
    "docs/guide.txt",
    "tools/run.sh",
    "new.txt",
    "src/new file.txt",
    "src/deep/er/ümlaut.txt",
    "other/deep/file",
    "-dash",
    "ignored",
    ".hidden/file",
];

#[derive(Debug, Clone)]
enum Edit {
    Write(Vec<u8>),
    Stage,
    Unstage,
    Remove,
    Mode(u32),
    Link(&'static str),
    Directory,
}

#[derive(Debug, Clone, Copy)]
enum Ending {
    /// The candidates run out, after one that is like this.
    After(Candidate),
    CtrlC,
    Killed(&'static str, u32),
    NoSpace(&'static str, u32),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Candidate {
    Kept,
    Discarded,
    Crashes,
    FailsTheGate,
}

impl Candidate {
    const ALL: [Self; 4] = [
        Self::Crashes,
        Self::Discarded,
        Self::FailsTheGate,
        Self::Kept,
    ];

    fn status(self) -> &'static str {
        match self {
            Self::Kept => "keep",
            Self::Discarded => "discard",
            Self::Crashes => "crash",
            Self::FailsTheGate => "checks_failed",
        }
    }

    fn idea(self) -> (&'static str, &'static [(&'static str, &'static str)]) {
        match self {
            Self::Kept => ("kept", &[("src/cost.txt", "99\n")]),
            Self::Discarded => ("discarded", &[("src/cost.txt", "101\n")]),
            Self::Crashes => ("crashes", &[("src/cost.txt", "none\n")]),
            Self::FailsTheGate => (
                "gate",
                &[("src/cost.txt", "90\n"), ("src/bad.txt", "bad\n")],
            ),
        }
    }
}

#[derive(Debug, Clone)]
struct Case {
    kind: usize,
    edits: Vec<(&'static str, Edit)>,
    from_subdirectory: bool,
    ending: Ending,
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Edit::Write),
        2 => "[a\r\n ]{0,12}".prop_map(|text| Edit::Write(text.into_bytes())),
        4 => Just(Edit::Stage),
        1 => Just(Edit::Unstage),
        2 => Just(Edit::Remove),
        2 => prop::sample::select(&[0o600, 0o644, 0o755, 0o444][..]).prop_map(Edit::Mode),
        1 => prop::sample::select(&["nowhere", "../src", "cost.txt", "/etc"][..]).prop_map(Edit::Link),
        1 => Just(Edit::Directory),
    ]
}

fn ending() -> impl Strategy<Value = Ending> {
    prop_oneof![
        4 => prop::sample::select(&Candidate::ALL[..]).prop_map(Ending::After),
        1 => Just(Ending::CtrlC),
        3 => (prop::sample::select(KILL_POINTS), 1_u32..4).prop_map(|(at, time)| Ending::Killed(at, time)),
        3 => (prop::sample::select(WRITE_POINTS), 1_u32..4).prop_map(|(at, time)| Ending::NoSpace(at, time)),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    let edits = prop::collection::vec((prop::sample::select(PATHS), edit()), 0..16);
    (0..KINDS.len(), edits, any::<bool>(), ending()).prop_map(
        |(kind, edits, from_subdirectory, ending)| Case {
            kind,
            edits,
            from_subdirectory,
            ending,
        },
    )
}

/// Makes the edit, where the edits before leave room for it.
fn make(project: &Project, top: &Path, path: &str, edit: &Edit) {
    let file = top.join(path);
    let is_directory = file
        .symlink_metadata()
        .is_ok_and(|metadata| metadata.is_dir());
    let git = |arguments: &str| {
        // Git itself would run the filters and hooks of the checkout now.
        let top = top.display();
        project.shell(&format!(
            "git -C '{top}' -c core.hooksPath=/dev/null -c filter.lfs.clean= -c filter.lfs.required=false {arguments} -- '{path}'"
        ));
    };
    match edit {
        Edit::Stage => git("add"),
        Edit::Unstage => git("reset --quiet"),
        _ if is_directory => {}
        Edit::Mode(mode) if file.is_file() && !file.is_symlink() => {
            fs::set_permissions(&file, fs::Permissions::from_mode(*mode)).expect("a mode");
        }
        Edit::Mode(_) => {}
        Edit::Write(_) | Edit::Remove | Edit::Link(_) | Edit::Directory => {
            fs::create_dir_all(file.parent().expect("a parent")).expect("directories");
            fs::remove_file(&file).ok();
            match edit {
                Edit::Write(content) => fs::write(&file, content).expect("written"),
                Edit::Link(target) => symlink(target, &file).expect("a link"),
                Edit::Directory => fs::create_dir(&file).expect("a directory"),
                _ => {}
            }
        }
    }
}

/// The project with its candidates, before its checkout becomes one of a kind.
fn project(ending: Ending) -> Project {
    let project = Project::new(EXACT_SCRIPT);
    project.write("docs/guide.txt", "read me\n");
    project.write("tools/run.sh", "true\n");
    project.commit("more");
    let candidates = match ending {
        Ending::After(candidate) => vec![candidate],
        Ending::CtrlC | Ending::Killed(..) | Ending::NoSpace(..) => Candidate::ALL.to_vec(),
    };
    let ideas: Vec<_> = candidates.into_iter().map(Candidate::idea).collect();
    project.ideas(&ideas);
    project
}

fn play(case: &Case) {
    let project = project(case.ending);
    let (kind, become_kind) = KINDS[case.kind];
    let shown = format!("{kind}, {case:?}");
    let mut stands = become_kind(&project);
    let at = stands.to_str().expect("UTF-8");
    let top = project.git(&["-C", at, "rev-parse", "--show-toplevel"]);
    let top = PathBuf::from(top.trim());
    for (path, edit) in &case.edits {
        make(&project, &top, path, edit);
    }
    if case.from_subdirectory {
        stands = top.join("src");
    }
    let mut before = state(&project, &top);
    fs::remove_file(project.beside("filtered")).ok();
    let run = ["-C", stands.to_str().expect("UTF-8"), "run", "-n", "9"];
    let faulty = |fault: String| project.run_with(&run, &[(FAULT_VARIABLE, Path::new(&fault))]);
    match case.ending {
        Ending::After(candidate) => {
            project.run(&run).expect(0);
            let ledger = fs::read_to_string(top.join("experiments.jsonl")).expect("a ledger");
            let status = format!("\"status\":\"{}\"", candidate.status());
            assert!(ledger.contains(&status), "{shown}: {ledger}");
        }
        Ending::CtrlC => {
            let interrupted = users_checkout::Ending::Interrupted;
            before = disturb(&project, &top, &run, interrupted, before);
        }
        Ending::Killed(at, time) => {
            let ran = faulty(format!("kill:{at}:{time}"));
            assert!(matches!(ran.code, None | Some(0)), "{shown}: {ran:?}");
        }
        Ending::NoSpace(at, time) => {
            let ran = faulty(format!("full:{at}:{time}"));
            assert!(matches!(ran.code, Some(0 | 3)), "{shown}: {ran:?}");
        }
    }
    assert_same(&before, &state(&project, &top), &shown);
    // Whatever was left undone is done by the next run.
    project.run(&run).expect(0);
    assert_same(&before, &state(&project, &top), &shown);
    assert!(
        !project.beside("filtered").exists(),
        "{shown}: a hook or filter ran"
    );
}

#[test]
fn no_state_of_a_checkout_and_no_ending_changes_anything_of_the_users() {
    let cases = std::env::var("PROPTEST_CASES").ok();
    let cases = cases.and_then(|text| text.parse().ok()).unwrap_or(CASES);
    let config = ProptestConfig {
        cases,
        max_shrink_iters: 20,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(case in case())| play(&case));
}
