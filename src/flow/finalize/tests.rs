use super::*;

const IDS: [&str; 3] = ["s", "aaaa", "bbbb"];

fn piece(run: u64, idea: Option<&str>, files: &[&str]) -> Piece {
    Piece {
        run,
        description: format!("Change number {run}"),
        idea: idea.map(str::to_owned),
        files: files.iter().map(|file| (*file).to_owned()).collect(),
    }
}

fn groups(pieces: &[Piece], joined: &[(u64, u64)]) -> Vec<Vec<u64>> {
    let plan = Plan::propose(pieces, joined, IDS);
    let text = plan.to_json();
    assert_eq!(Plan::parse(&text, "plan", pieces, IDS).unwrap(), plan);
    plan.groups.into_iter().map(|group| group.runs).collect()
}

#[test]
fn commits_of_one_file_or_one_idea_belong_together_and_others_do_not() {
    let pieces = [
        piece(1, None, &["a"]),
        piece(2, None, &["b"]),
        piece(4, None, &["c", "a"]),
        piece(5, Some("x"), &["d"]),
        piece(7, Some("x"), &["e"]),
        piece(8, Some("y"), &["f"]),
    ];
    assert_eq!(
        groups(&pieces, &[]),
        [vec![1, 4], vec![2], vec![5, 7], vec![8]]
    );
    assert_eq!(
        groups(&pieces, &[(8, 2), (2, 4)]),
        [vec![1, 2, 4, 8], vec![5, 7]]
    );
}

#[test]
fn a_later_commit_can_join_two_groups() {
    let pieces = [
        piece(1, None, &["a"]),
        piece(2, None, &["b"]),
        piece(3, None, &["a", "b"]),
    ];
    assert_eq!(groups(&pieces, &[]), [vec![1, 2, 3]]);
}

#[test]
fn proposed_names_are_distinct_and_fit_for_branches() {
    let mut pieces = [
        piece(1, Some("Ünter/..x"), &["a"]),
        piece(2, None, &["b"]),
        piece(3, None, &["c"]),
    ];
    pieces[1].description = "…".to_owned();
    pieces[2].description = "…".to_owned();
    let plan = Plan::propose(&pieces, &[], IDS);
    let names: Vec<&str> = plan
        .groups
        .iter()
        .map(|group| group.name.as_str())
        .collect();
    assert_eq!(names, ["nter-x", "change", "change-2"]);
    let long = slug(&"very-long word ".repeat(20));
    assert!(
        long.len() <= NAME_CHARS_MAX && is_branch_component(&long),
        "{long}"
    );
}

#[test]
fn an_edited_plan_must_have_every_run_once() {
    let pieces = [piece(1, None, &["a"]), piece(2, None, &["b"])];
    let check = |edit: &dyn Fn(&mut Plan), expected: &str| {
        let mut plan = Plan::propose(&pieces, &[], IDS);
        edit(&mut plan);
        let error = Plan::parse(&plan.to_json(), "p.json", &pieces, IDS).unwrap_err();
        assert_eq!(error.to_string(), format!("p.json: {expected}"));
    };
    check(
        &|plan| plan.groups[1].runs = vec![1],
        "run 1 is in \"change-number-1\" and in \"change-number-2\"",
    );
    check(&|plan| drop(plan.groups.pop()), "run 2 is in no group");
    check(
        &|plan| plan.groups[0].runs.push(9),
        "`groups[0].runs`: run 9 is not among those kept and not dropped",
    );
    check(
        &|plan| plan.groups[0].runs.clear(),
        "`groups[0].runs` is empty",
    );
    check(
        &|plan| plan.groups[0].name = "../x".to_owned(),
        "`groups[0].name` is \"../x\"; use lowercase letters, digits, '-', '_' and '.'",
    );
    check(
        &|plan| plan.groups[1].name = plan.groups[0].name.clone(),
        "`groups[1].name`: \"change-number-1\" is there a second time",
    );
    check(
        &|plan| plan.groups[0].title = "a\nb".to_owned(),
        "`groups[0].title` must be one line",
    );
    check(
        &|plan| plan.version = 2,
        "`version` is 2; this program knows 1",
    );
    check(
        &|plan| plan.head = "cccc".to_owned(),
        "`head` is cccc where the ledger has bbbb",
    );
    let error = Plan::parse("{", "p.json", &pieces, IDS).unwrap_err();
    assert_eq!(error.to_string(), "p.json is no plan");
}

#[test]
fn the_loops_figures_are_taken_out_of_a_message() {
    let message = "Subject\n\nBody\n\nResult: {\"status\":\"keep\"}\n\nAutoresearch-Run: 1\n";
    assert_eq!(plain_message(message), "Subject\n\nBody");
    assert_eq!(plain_message("Subject\n"), "Subject");
}

#[test]
fn what_a_tip_says_is_read_back_and_other_messages_say_nothing() {
    let gain = Gain {
        log: 0.1,
        lo: Some(0.05),
        hi: None,
        percent: 9.5,
        pairs: 24,
    };
    let expected = Said {
        start: "aaaa".to_owned(),
        runs: vec![1, 12],
        measured: Measured {
            gain,
            guards: vec![GuardGain {
                name: "b".to_owned(),
                direction: Direction::Higher,
                gain,
            }],
            gate: GateOutcome::Pass,
        },
    };
    let message = format!("Subject\n\n{}", trailers("g", "s", &expected));
    assert_eq!(said(&message), Some(expected));
    assert_eq!(said("Subject\n\nAutoresearch-Runs: 1\n"), None);
    assert_eq!(said(&message.replace("1, 12", "one")), None);
}
