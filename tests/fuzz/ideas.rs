//! `ideas.md`.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use autoresearch::propose::ideas::IdeaKind;
use autoresearch::propose::ideas_file::{parse, tick};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::cases;
use crate::heap::bounded;
use crate::mutate::{any_input, line_named, text};

const FILE: &str = "ideas.md";

static VALID: LazyLock<Vec<String>> = LazyLock::new(|| {
    let small = "# Ideas\r\n\r\n- [ ] **one** (p1) Write less. More prose.\r\n  - patch: ideas/one.patch\r\n\
        - [x] **two** (p2) Cache → keep, run 12 (+4.1 %)\r\n  - knob: cache_kib = 8000, 32_000, 1 << 20\r\n\
        * a bullet\r\n\r\n```\r\n- [ ] code\r\n```\r\n<!-- - [ ] **no** -->\r\n";
    vec![include_str!("../../ideas.md").to_owned(), small.to_owned()]
});

/// One entry as a person writes it.
#[derive(Debug, Clone)]
struct Entry {
    bullet: char,
    done: bool,
    priority: Option<u8>,
    words: String,
    kind: IdeaKind,
}

fn entry() -> impl Strategy<Value = Entry> {
    let kind = prop_oneof![
        Just(IdeaKind::FreeText),
        "[a-z]{1,6}(/[a-z.]{1,6}x){0,2}".prop_map(IdeaKind::Patch),
        (
            "[a-z_]{1,8}",
            prop::collection::btree_set(any::<u64>(), 1..5)
        )
            .prop_map(|(knob, values)| {
                let values = values.iter().map(u64::to_string).collect();
                IdeaKind::Sweep { knob, values }
            }),
    ];
    let priority = prop::option::of(1_u8..=9);
    (
        select(&['-', '*', '+'][..]),
        any::<bool>(),
        priority,
        "[A-Z][a-zµé ]{0,30}[a-z]",
        kind,
    )
        .prop_map(|(bullet, done, priority, words, kind)| Entry {
            bullet,
            done,
            priority,
            words,
            kind,
        })
}

impl Entry {
    fn print(&self, id: &str) -> String {
        let mark = if self.done { 'x' } else { ' ' };
        let priority = self.priority.map_or(String::new(), |p| format!("(p{p}) "));
        let carried = match &self.kind {
            IdeaKind::FreeText => String::new(),
            IdeaKind::Patch(path) => format!("  - patch: {path}\n"),
            IdeaKind::Sweep { knob, values } => {
                format!("  - knob: {knob} = {}\n", values.join(", "))
            }
        };
        format!(
            "{} [{mark}] **{id}** {priority}{}\n{carried}",
            self.bullet, self.words
        )
    }
}

proptest! {
    #![proptest_config(cases(1))]

    #[test]
    fn any_text_is_a_backlog_with_distinct_ids_or_an_error_with_its_line(input in any_input(&VALID)) {
        let text = text(&input);
        let lines = text.split('\n').count();
        let backlog = match bounded(input.len(), 200, || parse(&text, FILE)) {
            Ok(backlog) => backlog,
            Err(error) => {
                let message = error.to_string();
                let line = line_named(&message, FILE);
                prop_assert!(line.is_some_and(|line| (1..=lines).contains(&line)), "{message}");
                return Ok(());
            }
        };
        let ids: BTreeSet<&str> = backlog.ideas.iter().map(|idea| idea.id.as_str()).collect();
        prop_assert_eq!(ids.len(), backlog.ideas.len());
        for idea in &backlog.ideas {
            prop_assert!((1..=lines).contains(&idea.line) && (1..=9).contains(&idea.priority));
            if let IdeaKind::Patch(path) = &idea.kind {
                let path = std::path::Path::new(path);
                let is_inside = path.components().all(|part| matches!(
                    part, std::path::Component::Normal(_) | std::path::Component::CurDir));
                prop_assert!(is_inside, "{path:?}");
            }
        }
        // A tick ends that entry, leaves the others as they were, and is not needed twice.
        if let Some(idea) = backlog.ideas.iter().find(|idea| !idea.done) {
            let ticked = tick(&text, &idea.id, "discard, run 3").expect("the entry is there");
            let mut expected = backlog.clone();
            expected.ideas.iter_mut().filter(|other| other.id == idea.id).for_each(|other| other.done = true);
            prop_assert_eq!(parse(&ticked, FILE).ok(), Some(expected));
            prop_assert_eq!(tick(&ticked, &idea.id, "x"), Some(ticked.clone()));
        }
    }

    #[test]
    fn a_written_backlog_is_read_as_it_was(entries in vec(entry(), 0..8)) {
        let printed: Vec<String> = entries.iter().enumerate().map(|(n, entry)| entry.print(&format!("id-{n}"))).collect();
        let backlog = parse(&format!("# Ideas\n\n{}", printed.concat()), FILE).expect("it is valid");
        prop_assert_eq!(backlog.ideas.len(), entries.len());
        for (index, (idea, entry)) in backlog.ideas.iter().zip(&entries).enumerate() {
            prop_assert_eq!(&idea.id, &format!("id-{index}"));
            prop_assert_eq!(idea.done, entry.done);
            prop_assert_eq!(idea.priority, entry.priority.unwrap_or(5));
            prop_assert_eq!(&idea.text, &entry.words);
            prop_assert_eq!(&idea.kind, &entry.kind);
        }
    }
}

#[test]
fn a_backlog_of_a_hundred_thousand_entries_and_a_sweep_of_as_many_values_are_read() {
    let entries: String = (0..100_000)
        .map(|n| format!("- [ ] **i{n}** Text.\n"))
        .collect();
    assert_eq!(parse(&entries, FILE).expect("valid").ideas.len(), 100_000);
    let values: Vec<String> = (0..100_000).map(|n| n.to_string()).collect();
    let sweep = format!("- [ ] **s** Text.\n  - knob: k = {}\n", values.join(","));
    // However it is answered, it is answered.
    let _ = parse(&sweep, FILE);
    let long = format!(
        "- [ ] {}\n{}",
        "x ".repeat(1_000_000),
        "  more\n".repeat(100_000)
    );
    assert_eq!(parse(&long, FILE).expect("valid").ideas.len(), 1);
}
