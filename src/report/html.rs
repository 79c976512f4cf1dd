//! A [`Review`] as one HTML page that needs nothing else: no network, no other file. The page works
//! without scripts; the details of a run are drawn by one from data in the page when they are opened.

mod chart;
mod markup;
mod runs;
mod sections;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use self::markup::Html;
use super::format;
use super::review::{Review, Session};

const STYLE: &str = include_str!("html/style.css");
const SCRIPT: &str = include_str!("html/script.js");

/// What a page is made for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Setting {
    /// The ledger's name, as shown.
    pub ledger: String,
    /// When it is made, milliseconds since 1970.
    pub now_ms: u64,
    /// What a running loop is doing, one line; `None` when none runs or that was not asked.
    pub running: Option<String>,
    /// For a page that is served and asks its server for news: what the server calls this state.
    pub stamp: Option<String>,
}

/// The policy of a page: its own style and script by their hashes, pictures from within, and, when
/// it is served, its own server. Everything else is refused.
pub fn policy(is_live: bool) -> String {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text));
    let connect = if is_live { "'self'" } else { "'none'" };
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; img-src data:; \
         connect-src {connect}; base-uri 'none'; form-action 'none'",
        hash(SCRIPT),
        hash(STYLE)
    )
}

/// An SVG file as the address of an image: nothing in it can run.
pub fn svg_address(svg: &[u8]) -> String {
    format!("data:image/svg+xml;base64,{}", STANDARD.encode(svg))
}

/// The page.
pub fn page(review: &Review, setting: &Setting) -> String {
    let shown = review.sessions.last();
    let name = shown.map_or("", |session| session.summary.segment.name.as_str());
    let mut html = Html::new();
    html.raw("<!doctype html>\n<html lang=\"en\"");
    if let Some(stamp) = &setting.stamp {
        html.raw(" data-live=\"").text(stamp).raw("\"");
    }
    html.raw(">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"")
        .text(&policy(setting.stamp.is_some()))
        .raw("\">\n<meta name=\"color-scheme\" content=\"light dark\">\n<link rel=\"icon\" href=\"data:,\">\n<title>")
        .text(if name.is_empty() { "autoresearch" } else { name })
        .raw(" · autoresearch report</title>\n<style>")
        .raw(STYLE)
        .raw("</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#runs\">Skip to the runs</a>\n<main>\n");
    sections::header(&mut html, shown, setting);
    match shown {
        None => {
            html.raw("<p>The ledger holds no sessions yet.</p>\n");
        }
        Some(session) => last_session(&mut html, review, session),
    }
    runs::table(&mut html, review);
    if let Some(session) = shown {
        sections::ideas(&mut html, review, session);
        sections::time(&mut html, session);
        sections::environment(&mut html, session);
    }
    earlier(&mut html, review);
    sections::footer(&mut html, setting);
    runs::data(&mut html, review);
    html.raw("</main>\n<script>")
        .raw(SCRIPT)
        .raw("</script>\n</body>\n</html>\n");
    html.into_string()
}

fn last_session(html: &mut Html, review: &Review, session: &Session) {
    sections::claim(html, session);
    let runs: Vec<_> = review.runs_of(session).collect();
    html.raw("<section aria-labelledby=\"progress\"><h2 id=\"progress\">Progress</h2>\n");
    match chart::progress(session, &runs) {
        Some(chart) => html.piece(&chart),
        None => html.raw("<p>Nothing has been measured yet.</p>"),
    };
    html.raw("</section>\n");
    sections::kept(html, session);
}

/// The sessions before the last, folded.
fn earlier(html: &mut Html, review: &Review) {
    let Some((_, earlier)) = review.sessions.split_last() else {
        return;
    };
    if earlier.is_empty() {
        return;
    }
    html.raw("<section aria-labelledby=\"earlier\"><h2 id=\"earlier\">Earlier sessions</h2>\n");
    for session in earlier.iter().rev() {
        let segment = &session.summary.segment;
        html.raw("<details><summary>")
            .text(&format::one_line(&format!(
                "{} {}",
                segment.index, segment.name
            )))
            .raw(": ")
            .text(&super::closing::tally(&session.summary))
            .raw("</summary><p>")
            .text(&super::closing::claim(&session.summary))
            .raw("</p>");
        let runs: Vec<_> = review.runs_of(session).collect();
        if let Some(chart) = chart::progress(session, &runs) {
            html.piece(&chart);
        }
        sections::kept(html, session);
        html.raw("</details>\n");
    }
    html.raw("</section>\n");
}

#[cfg(test)]
mod tests;
