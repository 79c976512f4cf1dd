use super::*;
use crate::flow::ledger::samples;
use crate::report::review::tests::{review, sample};

fn setting() -> Setting {
    Setting {
        ledger: "experiments.jsonl".to_owned(),
        now_ms: 1_795_239_960_000,
        running: None,
        stamp: None,
    }
}

fn page_of(lines: &[String]) -> String {
    page(&review(lines.iter().map(String::as_str)), &setting())
}

/// Elements that have no end tag.
const VOID: [&str; 5] = ["meta", "link", "input", "br", "!doctype"];

/// The names of all tags, in order; fails where an element is not closed where it should be. What
/// the program's own script and style hold is left out.
#[track_caller]
fn tags(page: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut open: Vec<String> = Vec::new();
    let mut rest = page;
    while let Some(start) = rest.find('<') {
        let end = start + rest[start..].find('>').expect("a tag ends");
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        let name = tag
            .trim_start_matches('/')
            .split([' ', '/'])
            .next()
            .expect("a name")
            .to_owned();
        if tag.starts_with('/') {
            assert_eq!(open.pop().as_ref(), Some(&name), "before {:.60}", rest);
            continue;
        }
        names.push(name.clone());
        if name == "script" || name == "style" {
            let (_, after) = rest.split_once(&format!("</{name}>")).expect("it ends");
            rest = after;
        } else if !VOID.contains(&name.as_str()) && !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?} are open at the end");
    names
}

#[test]
fn the_claim_stands_on_top_and_every_section_is_there_in_well_formed_markup() {
    let page = page_of(&sample());
    tags(&page);
    let at = |text: &str| page.find(text).unwrap_or_else(|| panic!("no {text:?}"));
    let order = [
        "<h1>store</h1>",
        "9.5 % less total_ms",
        "95 % interval",
        "<h2 id=\"progress\">",
        "<svg class=\"progress\"",
        "<h2 id=\"runs\"",
        "<h2 id=\"ideas\">",
        "<h2 id=\"time\">",
        "<h2 id=\"environment\">",
    ]
    .map(at);
    assert!(order.is_sorted(), "{order:?}");
    for run in 1..=4 {
        assert!(page.contains(&format!("<tr id=\"run-{run}\"")), "run {run}");
    }
}

#[test]
fn verdicts_differ_in_shape_and_word_and_not_only_in_colour() {
    let page = page_of(&sample());
    for (class, words) in [
        ("mark keep", "kept (1)"),
        ("mark crash", "not measured (1)"),
        ("mark checks", "failed its checks (1)"),
        ("mark placebo", "placebo (1)"),
    ] {
        assert!(page.contains(&format!("class=\"{class}\"")), "{class}");
        assert!(page.contains(words), "{words}");
    }
    for glyph in [
        "●</span> keep",
        "✕</span> crash: build failed",
        "△</span> checks: gate failed",
    ] {
        assert!(page.contains(glyph), "{glyph}");
    }
}

#[test]
fn the_page_needs_no_network_and_its_policy_allows_its_own_style_and_script_only() {
    let page = page_of(&sample());
    for word in [
        "http://",
        "https://",
        "src=",
        "@import",
        "url(",
        "javascript:",
        "style=\"",
        " onclick",
    ] {
        let own = page.replace("http://www.w3.org/2000/svg", "");
        let own = own.replace("image.src =", "");
        assert!(!own.contains(word), "{word}");
    }
    let element = |name: &str| {
        let (_, after) = page.split_once(&format!("<{name}>")).expect("it is there");
        after.split_once(&format!("</{name}>")).expect("it ends").0
    };
    for (directive, name) in [("script-src", "script"), ("style-src", "style")] {
        let hash = STANDARD.encode(Sha256::digest(element(name)));
        let allowed = format!("{directive} &#39;sha256-{hash}&#39;");
        assert!(page.contains(&allowed), "{allowed}");
    }
    assert!(
        page.contains("default-src &#39;none&#39;") && page.contains("connect-src &#39;none&#39;")
    );
    assert!(!page.contains("data-live=") && !page.contains("unsafe"));
}

#[test]
fn a_served_page_may_ask_its_own_server_and_says_what_the_loop_does() {
    let setting = Setting {
        running: Some("iteration 3: <screening>".to_owned()),
        stamp: Some("77-1".to_owned()),
        ..setting()
    };
    let page = page(&review(sample().iter().map(String::as_str)), &setting);
    assert!(page.contains("<html lang=\"en\" data-live=\"77-1\">"));
    assert!(page.contains("connect-src &#39;self&#39;"));
    assert!(page.contains("running: iteration 3: &lt;screening&gt;"));
}

/// What tries to get out of every place that a ledger's text comes to.
const HOSTILE: &str = "</script><!--<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\u{2028}\u{202e}{{x}}&amp;";

#[test]
fn nothing_in_a_ledger_becomes_markup() {
    let mut config = samples::config_line();
    config.name = HOSTILE.to_owned();
    config.metric_unit = HOSTILE.to_owned();
    config.branch = HOSTILE.to_owned();
    config.environment.cpu = HOSTILE.to_owned();
    let mut line = samples::kept(1);
    line.description = HOSTILE.to_owned();
    line.detail = HOSTILE.to_owned();
    line.origin.proposer = HOSTILE.to_owned();
    line.origin.idea = Some(HOSTILE.to_owned());
    line.origin
        .knobs
        .insert(HOSTILE.to_owned(), HOSTILE.to_owned());
    line.guards[0].name = HOSTILE.to_owned();
    line.guards[0].median_percent = -90.0;
    line.gate.output_tail = HOSTILE.to_owned();
    line.reference = Some(HOSTILE.to_owned());
    line.metrics.insert(HOSTILE.to_owned(), 1.0);
    for pair in &mut line.pairs {
        pair.candidate.insert(HOSTILE.to_owned(), 1.0);
    }
    line.asi = serde_json::json!({HOSTILE: [HOSTILE]}).as_object().cloned();
    let config = crate::flow::record::Line::Config(Box::new(config)).encode();
    let hostile = page_of(&[config, samples::run(line.clone())]);
    let mut tame = line;
    tame.description = "tame".to_owned();
    let expected = tags(&page_of(&[samples::config(), samples::run(tame)]));
    assert_eq!(
        tags(&hostile),
        expected,
        "the same elements, whatever the text"
    );
    assert!(!hostile.contains("<img") && !hostile.contains("<!--"));
    assert!(!hostile.contains('\u{202e}'));
    // What is data for the script reads back.
    let (_, json) = hostile.split_once("id=\"details\">").expect("the details");
    let json = json.split_once("</script>").expect("they end").0;
    assert!(!json.contains('\u{2028}'));
    let details: serde_json::Value = serde_json::from_str(json).expect("JSON");
    let shown = HOSTILE.replace('\u{202e}', "\u{fffd}");
    assert_eq!(details["1"]["gate"]["output_tail"], shown);
    assert_eq!(details["1"]["notes"][&shown][0], shown);
}

#[test]
fn other_programs_logs_and_empty_ledgers_are_pages_too() {
    for text in [
        include_str!("../../../tests/data/pi-autoresearch.jsonl"),
        include_str!("../../../tests/data/codex-autoresearch.jsonl"),
        include_str!("../../../tests/data/labloop.jsonl"),
        include_str!("../../../tests/data/karpathy-results.tsv"),
    ] {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let page = page_of(&lines);
        tags(&page);
        assert!(
            page.contains("<svg class=\"progress\"") && page.contains("mark keep"),
            "{text}"
        );
        assert!(page.contains("nothing is claimed"), "{text}");
    }
    let empty = page(&Review::default(), &setting());
    tags(&empty);
    assert!(
        empty.contains("no sessions yet") && empty.contains("No candidate has been judged yet")
    );
    let opened = page_of(&[samples::config()]);
    tags(&opened);
    assert!(opened.contains("Nothing has been measured yet"));
}

#[test]
fn the_table_has_the_columns_that_say_something_and_the_chart_names_the_metric() {
    let headings = |page: &str| -> Vec<String> {
        let (_, table) = page.split_once("id=\"table\"").expect("the table");
        let head = table.split_once("</thead>").expect("its head").0;
        let (cells, _) = head.rsplit_once("</th>").expect("its cells");
        let cells = cells
            .split("</th>")
            .filter_map(|cell| cell.rsplit_once('>'));
        cells.map(|(_, heading)| heading.to_owned()).collect()
    };
    let pi = include_str!("../../../tests/data/pi-autoresearch.jsonl");
    let pi: Vec<String> = pi.lines().map(str::to_owned).collect();
    assert_eq!(
        headings(&page_of(&pi)),
        ["run", "verdict", "metric", "description"]
    );
    let ours = page_of(&sample());
    let expected = "run verdict gain metric guards-moved gate time by description";
    let ours_has = headings(&ours)
        .join(" ")
        .replace("guards moved", "guards-moved");
    assert_eq!(ours_has, expected);
    assert!(ours.contains("y=\"24\">total_ms, ms</text>"));
}

#[test]
fn a_run_far_off_the_scale_stands_at_the_edge_of_the_picture_and_is_counted() {
    let mut far = samples::ended(2, crate::flow::record::Reason::NoGain, "");
    far.estimate = Some(samples::gain(-8.0, 0.01));
    let page = page_of(&[
        samples::config(),
        samples::run(samples::kept(1)),
        samples::run(far),
    ]);
    assert!(page.contains("1 run lies beyond the scale and stands at its edge."));
    let (_, path) = page
        .split_once("class=\"mark discard\" d=\"")
        .expect("its mark");
    let numbers = path.split_once('"').expect("it ends").0;
    let y: f64 = numbers[1..]
        .split([' ', 'a'])
        .nth(1)
        .expect("x and y")
        .parse()
        .expect("a number");
    assert!((12.0..=260.0).contains(&y), "{numbers}");
}

#[test]
fn earlier_sessions_are_folded_below_and_can_be_chosen_in_the_table() {
    let mut second = samples::config_line();
    second.session = "20261122-000000-ffff".to_owned();
    second.name = "second".to_owned();
    let mut lines = sample();
    lines.push(crate::flow::record::Line::Config(Box::new(second)).encode());
    let page = page_of(&lines);
    tags(&page);
    assert!(page.contains("<h1>second</h1>"));
    let (_, earlier) = page.split_once("<h2 id=\"earlier\">").expect("the section");
    assert!(
        earlier.contains("<summary>0 store: 4 runs"),
        "{earlier:.300}"
    );
    assert!(page.contains("<option value=\"1\">1 second</option>"));
}
