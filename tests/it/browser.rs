//! The report in a browser, where there is one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::ledger_of;
use crate::support::{EXACT_SCRIPT, Project};

/// A browser, if there is one: `CHROMIUM`, or the usual names.
fn browser() -> Option<PathBuf> {
    let named = std::env::var_os("CHROMIUM").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["chromium", "chromium-browser", "google-chrome", "chrome"];
    let in_path = || {
        let mut directories = std::env::split_paths(&path);
        directories.find_map(|directory| {
            usual
                .iter()
                .map(|name| directory.join(name))
                .find(|file| file.exists())
        })
    };
    named.or_else(in_path)
}

/// The document as the browser has it after its scripts, and what it logged; `None` without one.
fn document(page: &Path, fragment: &str) -> Option<(String, String)> {
    let Some(browser) = browser() else {
        eprintln!("SKIPPED: no Chromium found; name one in CHROMIUM");
        return None;
    };
    let profile = tempfile::tempdir().expect("a temporary directory");
    let output = Command::new(browser)
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--enable-logging=stderr",
            "--allow-file-access-from-files",
        ])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(["--virtual-time-budget=5000", "--dump-dom"])
        .arg(format!("file://{}{fragment}", page.display()))
        .stdin(Stdio::null())
        .output()
        .expect("the browser starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let log = text(&output.stderr);
    let log: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("CONSOLE"))
        .collect();
    Some((text(&output.stdout), log.join("\n")))
}

/// What a reader does not see of a page in a window of this width: parts that must be scrolled
/// sideways, and labels that leave their picture or cross the line of no gain. Then the labels of
/// the gains by pair. `None` without a browser.
fn looked_at(page: &Path, fragment: &str, width: u32) -> Option<(Vec<String>, Vec<String>)> {
    const LOOK: &str = r#"
        onload = () => {
          const page = document.querySelector("iframe").contentDocument, unseen = [], labels = [];
          if (page.documentElement.scrollWidth > innerWidth) unseen.push("the page");
          const box = (element) => element.getBoundingClientRect();
          // On a phone two tables of figures must be scrolled.
          const few = innerWidth < 600 ? ":not([aria-label=calibrations], [aria-labelledby=ideas])" : "";
          for (const part of page.querySelectorAll(".scroll" + few))
            if (part.scrollWidth > part.clientWidth) unseen.push((part.firstChild.getAttribute("class") || part.textContent.slice(0, 40)) + `: ${part.scrollWidth} in ${part.clientWidth}`);
          for (const svg of page.querySelectorAll("svg")) for (const text of svg.querySelectorAll("text")) {
            const of = box(svg), at = box(text);
            if (at.left < of.left - 1 || at.right > of.right + 1 || at.top < of.top - 1) unseen.push("beyond the edge: " + text.textContent);
            for (const line of svg.querySelectorAll(".dots .zero")) {
              const zero = box(line);
              if (at.left < zero.right && at.right > zero.left && at.top < zero.bottom && at.bottom > zero.top + 2) unseen.push("on the line: " + text.textContent);
            }
            if (svg.classList.contains("dots")) labels.push(text.textContent);
          }
          const out = document.createElement("pre");
          out.textContent = JSON.stringify([unseen, labels]);
          document.body.replaceChildren(out);
        };"#;
    let frame = page.with_file_name("frame.html");
    let name = page.file_name().expect("a file").to_string_lossy();
    let text = format!(
        "<!doctype html><body style=\"margin:0\"><iframe style=\"border:0\" width={width} \
         height=2000 src=\"{name}{fragment}\"></iframe><script>{LOOK}</script>"
    )
    .replace("innerWidth", &width.to_string());
    fs::write(&frame, text).expect("a written file");
    let (dom, _) = document(&frame, "")?;
    let (_, json) = dom.split_once("<pre>").expect("it was looked at");
    let json = json.split_once("</pre>").expect("it ends").0;
    Some(serde_json::from_str(json).expect("JSON"))
}

#[test]
fn on_a_phone_and_on_a_small_screen_nothing_that_counts_is_out_of_view() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let project = Project::new(EXACT_SCRIPT);
    let ledger = directory.path().join("experiments.jsonl");
    let mut bytes = Vec::new();
    ledger_of::write(60, &mut bytes).expect("memory can be written");
    let text = String::from_utf8(bytes).expect("UTF-8");
    let text = text.replace("\"idea-", "\"an-idea-with-a-name-of-some-length-");
    fs::write(&ledger, text).expect("a written file");
    let page = directory.path().join("report.html");
    let paths = [&ledger, &page].map(|path| path.display().to_string());
    project
        .run(&["report", "--file", &paths[0], "-o", &paths[1]])
        .expect(0);
    let rows = project
        .run(&["log", "--file", &paths[0], "--json", "--status", "keep"])
        .expect(0);
    let rows: Value = serde_json::from_str(&rows.stdout).expect("JSON");
    let gain = &rows[0]["gain"];
    let (percent, pairs) = (gain["percent"].as_f64().expect("a number"), &gain["pairs"]);
    let fragment = format!("#run-{}", rows[0]["run"]);
    for width in [390, 1280] {
        let Some((unseen, labels)) = looked_at(&page, &fragment, width) else {
            return;
        };
        assert_eq!(unseen, [] as [&str; 0], "{width}");
        let claimed = format!("{percent:+.1} % [");
        assert!(
            labels.contains(&format!("{pairs} pairs"))
                && labels.iter().any(|label| label.starts_with(&claimed)),
            "{claimed} {labels:?}"
        );
    }
}

#[test]
fn the_label_of_a_large_gain_stays_in_its_picture() {
    let project = Project::new(EXACT_SCRIPT);
    project.ideas(&[("better", &[("src/cost.txt", "90\n")])]);
    project.run(&["run", "-n", "1"]).expect(0);
    project.run(&["report", "-o", "report.html"]).expect(0);
    for width in [390, 1280] {
        let page = project.root().join("report.html");
        let Some((unseen, labels)) = looked_at(&page, "#run-1", width) else {
            return;
        };
        assert_eq!(unseen, [] as [&str; 0], "{width}");
        assert!(
            labels.contains(&"+10.0 % [+10.0, +10.0]".to_owned()),
            "{labels:?}"
        );
        assert!(labels.contains(&"1 pair".to_owned()), "{labels:?}");
    }
}

#[test]
fn a_browser_shows_two_thousand_runs_and_draws_the_details_of_one() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let project = Project::new(EXACT_SCRIPT);
    let ledger = directory.path().join("experiments.jsonl");
    ledger_of::write(2_000, &mut fs::File::create(&ledger).expect("a new file")).expect("space");
    let page = directory.path().join("report.html");
    let paths = [&ledger, &page].map(|path| path.display().to_string());
    project
        .run(&["report", "--file", &paths[0], "-o", &paths[1]])
        .expect(0);
    let bytes = fs::metadata(&page).expect("the page").len();
    assert!(bytes < 8 << 20, "{bytes} bytes");
    let Some((dom, log)) = document(&page, "#run-6") else {
        return;
    };
    assert_eq!(log, "");
    assert!(dom.contains("2000 of 2000 runs"));
    assert!(dom.contains("<h2>Run 6: "), "the link opens the run");
    for part in [
        "Gain by pair",
        "Evidence, pair by pair",
        "Metrics",
        "Reproduce",
    ] {
        assert!(dom.contains(&format!("<h3>{part}</h3>")), "{part}");
    }
    assert!(dom.contains("<polyline class=\"path\""));
}

#[test]
fn a_browser_runs_nothing_that_a_ledger_holds_and_marks_the_lines_of_a_change() {
    let project = Project::new(EXACT_SCRIPT);
    let hostile = "</script><img src=x onerror=document.title=1>\n";
    project.ideas(&[(
        "better",
        &[("src/cost.txt", "90\n"), ("src/note.txt", hostile)],
    )]);
    project.run(&["run", "-n", "1"]).expect(0);
    let ledger = project
        .read("experiments.jsonl")
        .replace("Try better", "</td><script>document.title=2</script>");
    fs::write(project.root().join("edited.jsonl"), ledger).expect("a written file");
    project
        .run(&["report", "--file", "edited.jsonl", "-o", "report.html"])
        .expect(0);
    let Some((dom, log)) = document(&project.root().join("report.html"), "#run-1") else {
        return;
    };
    assert_eq!(log, "", "not even a refusal: nothing tries");
    assert!(
        dom.contains("<title>toy · autoresearch report</title>"),
        "{dom:.600}"
    );
    assert!(
        dom.contains("<span class=\"add\">+90\n</span>"),
        "the change is marked"
    );
    assert!(dom.contains("<span class=\"add\">+&lt;/script&gt;&lt;img src=x"));
    assert!(dom.contains("Run 1: &lt;/td&gt;&lt;script&gt;"));
}
