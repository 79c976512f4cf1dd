use proptest::prelude::*;

use super::*;

const SAMPLE: &str = "\
# Ideas

Prose with a - dash. Priorities: p1 first.

1. a numbered line
---
- [ ] **one-transaction** (p1) Write the whole call in one transaction. More prose.
  - patch: ideas/one-transaction.patch
  - expect: 20-40 %; risk: larger WAL
- [ ] **page-cache** (p2) Larger page cache.
  - knob: cache_kib = 8000, 32000,
      64000
- [ ] **free-text-idea** (p3) For an agent: no patch,
  no knob.

  Still the same entry.

A paragraph ends it.

  - an indented bullet after prose
```
- [ ] **fenced** (p1) Not an idea.
```
<!-- - [ ] **hidden** Not one either.
- [ ] **hidden-too** x
-->
- [x] **done** (p1) Text → keep, run 12 (+4.1 %)
* Try a B-tree, as in [the paper](https://example.org)
- [a link](x) is no box
";

fn parsed(text: &str) -> Backlog {
    parse(text, "ideas.md").unwrap()
}

fn message(text: &str) -> String {
    parse(text, "ideas.md").unwrap_err().to_string()
}

#[test]
fn the_documented_format_is_read() {
    let backlog = parsed(SAMPLE);
    let ids: Vec<(&str, usize, u8, bool)> = backlog
        .ideas
        .iter()
        .map(|i| (i.id.as_str(), i.line, i.priority, i.done))
        .collect();
    assert_eq!(
        ids,
        [
            ("one-transaction", 7, 1, false),
            ("page-cache", 10, 2, false),
            ("free-text-idea", 13, 3, false),
            ("an-indented-bullet-after-prose", 20, 5, false),
            ("done", 27, 1, true),
            (
                "try-a-b-tree-as-in-the-paper-https-example-org",
                28,
                5,
                false
            ),
            ("a-link-x-is-no-box", 29, 5, false),
        ]
    );
    let [one, cache, free, ..] = &backlog.ideas[..] else {
        panic!("three entries")
    };
    assert_eq!(
        one.kind,
        IdeaKind::Patch("ideas/one-transaction.patch".to_owned())
    );
    assert_eq!(one.title, "Write the whole call in one transaction");
    assert_eq!(
        one.text,
        "Write the whole call in one transaction. More prose."
    );
    assert_eq!(one.notes, ["expect: 20-40 %; risk: larger WAL"]);
    assert_eq!(
        cache.kind,
        IdeaKind::Sweep {
            knob: "cache_kib".to_owned(),
            values: ["8000", "32000", "64000"].map(str::to_owned).to_vec()
        }
    );
    assert_eq!(free.kind, IdeaKind::FreeText);
    assert_eq!(
        free.text,
        "For an agent: no patch, no knob. Still the same entry."
    );
    assert_eq!(backlog.ideas[4].text, "Text");
}

#[test]
fn the_page_about_the_format_is_true() {
    let page = include_str!("../../docs/ideas.md");
    let (_, block) = page.split_once("```markdown\n").unwrap();
    let (example, _) = block.split_once("```").unwrap();
    let ideas = parsed(example).ideas;
    let read: Vec<(&str, u8, bool)> = ideas
        .iter()
        .map(|idea| (idea.id.as_str(), idea.priority, idea.done))
        .collect();
    let last = "a-bullet-without-box-id-and-priority-is-an-entry-too";
    let [.., bullet, _] = &ideas[..] else {
        panic!("entries")
    };
    assert!(bullet.id.starts_with(&last[..40]), "{}", bullet.id);
    assert_eq!(
        read,
        [
            ("one-transaction", 1, false),
            ("page-cache", 2, false),
            ("shorter-keys", 3, false),
            (bullet.id.as_str(), DEFAULT_PRIORITY, false),
            ("merge-scans", 1, true),
        ]
    );
    assert!(
        matches!(&ideas[0].kind, IdeaKind::Patch(path) if path == "ideas/one-transaction.patch")
    );
    assert_eq!(ideas[0].notes, ["expect: 20-40 %; risk: larger log"]);
    assert!(matches!(&ideas[1].kind, IdeaKind::Sweep { values, .. } if values.len() == 3));
    assert_eq!(ideas[2].kind, IdeaKind::FreeText);
    assert_eq!(ideas[4].text, "Merge the two scans", "without the verdict");
    let ticked = tick(example, "page-cache", "discard, runs 3-5").unwrap();
    assert!(
        ticked.contains("\n- [x] **page-cache** (p2) Larger page cache. → discard, runs 3-5\n")
    );
    assert!(page.contains(&format!("at most {TITLE_CHARS_MAX} characters")));
    assert!(page.contains(&format!("; {DEFAULT_PRIORITY} when there is none")));
}

#[test]
fn what_is_malformed_is_an_error_with_its_line() {
    for (text, expected) in [
        (
            "\n- [ ] **a** x\n- [ ] **a** y\n",
            "ideas.md:3: the id `a` is already used on line 2",
        ),
        (
            "- [] **a** x",
            "ideas.md:1: malformed checkbox `[]`; write `[ ] ` or `[x] `",
        ),
        (
            "- [ ]**a** x",
            "ideas.md:1: malformed checkbox `[ ]`; write `[ ] ` or `[x] `",
        ),
        (
            "- [y] **a** x",
            "ideas.md:1: malformed checkbox `[y]`; write `[ ] ` or `[x] `",
        ),
        (
            "- [  ] **a** x",
            "ideas.md:1: malformed checkbox `[  ]`; write `[ ] ` or `[x] `",
        ),
        ("- [ ] ", "ideas.md:1: the idea has no text"),
        (
            "- [ ] **a** (p0) x",
            "ideas.md:1: malformed priority `(p0)`; write (p1) to (p9)",
        ),
        (
            "- [ ] **a** (p10) x",
            "ideas.md:1: malformed priority `(p10)`; write (p1) to (p9)",
        ),
        (
            "- [ ] **a** (px) x",
            "ideas.md:1: malformed priority `(px)`; write (p1) to (p9)",
        ),
        (
            "- [ ] **a** (p1 x",
            "ideas.md:1: malformed priority `(p1 x)`; write (p1) to (p9)",
        ),
        (
            "- [ ] **a** x\n  - patch:",
            "ideas.md:2: `patch:` has no path",
        ),
        (
            "- [ ] **a** x\n  - patch: /etc/x",
            "ideas.md:2: the patch path `/etc/x` is absolute; write it relative to ideas.md",
        ),
        (
            "- [ ] **a** x\n  - patch: c:/x",
            "ideas.md:2: the patch path `c:/x` is absolute; write it relative to ideas.md",
        ),
        (
            "- [ ] **a** x\n  - patch: a/../../x",
            "ideas.md:2: the patch path `a/../../x` climbs out of the directory of ideas.md",
        ),
        (
            "- [ ] **a** x\n  - patch: p\n  - knob: k = 1",
            "ideas.md:3: a second `patch:` or `knob:` in one idea; give it an entry of its own",
        ),
        (
            "- [ ] **a** x\n  - knob: k 1",
            "ideas.md:2: malformed knob line `k 1`; write `knob: name = 1, 2, 3`",
        ),
        (
            "- [ ] **a** x\n  - knob: = 1",
            "ideas.md:2: malformed knob name ``; write `knob: name = 1, 2, 3`",
        ),
        (
            "- [ ] **a** x\n  - knob: k = 1,,2",
            "ideas.md:2: an empty value for knob `k`",
        ),
        (
            "- [ ] **a** x\n  - knob: k = 1000, 1_000",
            "ideas.md:2: knob `k` has one value twice: 1000 and 1_000",
        ),
        (
            "- [ ] **a** x\n  - knobs: k = 1",
            "ideas.md:2: unknown key `knobs`; write one `knob:` line",
        ),
    ] {
        assert_eq!(message(text), expected, "{text:?}");
    }
}

#[test]
fn prose_in_parentheses_is_no_priority() {
    let backlog = parsed("- [ ] **a** (pool of buffers) reuse them\n");
    assert_eq!(backlog.ideas[0].priority, DEFAULT_PRIORITY);
    assert_eq!(backlog.ideas[0].text, "(pool of buffers) reuse them");
}

#[test]
fn a_sub_line_without_a_dash_and_a_path_in_backticks_are_understood() {
    let backlog = parsed("- [ ] **a** Text\n  patch: `ideas/a b.patch`\n");
    assert_eq!(
        backlog.ideas[0].kind,
        IdeaKind::Patch("ideas/a b.patch".to_owned())
    );
}

#[test]
fn two_long_texts_with_one_beginning_get_two_ids() {
    let start = "the same long beginning of an idea that goes on and on";
    let backlog = parsed(&format!("- {start} one\n- {start} two\n- ß\n- → \n"));
    let ids: Vec<&str> = backlog.ideas.iter().map(|idea| idea.id.as_str()).collect();
    assert_eq!(ids.len(), 4);
    assert_ne!(ids[0], ids[1]);
    assert!(ids.iter().all(|id| is_id(id)), "{ids:?}");
}

#[test]
fn a_long_title_is_cut_at_a_word() {
    let words = "word ".repeat(40);
    let backlog = parsed(&format!("- [ ] **a** {words}\n- [ ] **only-an-id**\n"));
    let title = &backlog.ideas[0].title;
    assert!(
        title.chars().count() <= TITLE_CHARS_MAX && title.ends_with("word…"),
        "{title}"
    );
    assert_eq!(backlog.ideas[1].title, "only-an-id");
}

#[test]
fn a_tick_changes_one_line_and_keeps_crlf() {
    let text = "# T\r\n- [ ] **a** (p1) Text.\r\n  - patch: a.patch\r\n- [ ] **b** More\r\n";
    let ticked = tick(text, "a", "keep, run 12 (+4.1 %)").unwrap();
    assert_eq!(
        ticked,
        "# T\r\n- [x] **a** (p1) Text. → keep, run 12 (+4.1 %)\r\n  - patch: a.patch\r\n\
         - [ ] **b** More\r\n"
    );
    assert!(parsed(&ticked).ideas[0].done);
}

#[test]
fn a_tick_is_idempotent_and_knows_only_entries() {
    let once = tick(SAMPLE, "page-cache", "discard, runs 3-5").unwrap();
    assert_eq!(tick(&once, "page-cache", "keep, run 9").unwrap(), once);
    assert_eq!(tick(SAMPLE, "fenced", "x"), None);
    assert_eq!(tick(SAMPLE, "hidden-too", "x"), None);
    assert_eq!(tick(SAMPLE, "no-such-id", "x"), None);
}

#[test]
fn a_bullet_without_a_box_gets_one_and_keeps_its_id() {
    let ticked = tick("- Map A → B\n- next", "map-a-b", "discard,\nrun 3 → x").unwrap();
    assert_eq!(ticked, "- [x] Map A → B → discard, run 3 -> x\n- next");
    assert_eq!(parsed(&ticked).ideas[0].id, "map-a-b");
}

/// Files out of the pieces that matter, and noise.
fn files() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        "- \\[[ x]\\] \\*\\*[a-c]{1,2}\\*\\* (\\(p[1-9]\\) )?[a-z →]{0,12}",
        "[-*+] [a-zA-Z ]{1,20}",
        "  - (patch|knob|expect): [a-z=,. /0-9]{0,12}",
        "(  )?[ -~]{0,20}",
        Just("```".to_owned()),
        Just("<!-- x".to_owned()),
        Just("-->".to_owned()),
        "\\PC{0,12}",
    ];
    let end = prop_oneof![Just("\n"), Just("\r\n")];
    prop::collection::vec((line, end), 0..14)
        .prop_map(|lines| lines.into_iter().map(|(line, end)| line + end).collect())
}

proptest! {
    #[test]
    fn parsing_never_panics(text in "(?s).{0,200}") {
        let _ = parse(&text, "x");
        let _ = tick(&text, "a", "b");
    }

    #[test]
    fn a_tick_changes_the_line_of_its_entry_and_nothing_else(text in files()) {
        let Ok(before) = parse(&text, "x") else { return Ok(()) };
        for idea in before.ideas.iter().filter(|idea| !idea.done) {
            let ticked = tick(&text, &idea.id, "keep, run 1 (+2.0 %)").unwrap();
            let old: Vec<&str> = text.split('\n').collect();
            let new: Vec<&str> = ticked.split('\n').collect();
            prop_assert_eq!(old.len(), new.len());
            for (index, (old, new)) in old.iter().zip(&new).enumerate() {
                if index + 1 == idea.line {
                    prop_assert!(new.contains("[x] ") && new.contains(" → keep, run 1 (+2.0 %)"));
                } else {
                    prop_assert_eq!(old, new);
                }
            }
            let after = parse(&ticked, "x").unwrap();
            let mut expected = before.clone();
            let twin = expected.ideas.iter_mut().find(|other| other.id == idea.id).unwrap();
            twin.done = true;
            prop_assert_eq!(after, expected);
            prop_assert_eq!(tick(&ticked, &idea.id, "again").unwrap(), ticked);
        }
    }
}
