//! The metric over the runs of a session, as SVG. The verdicts differ in shape, not only in colour.

use super::markup::Html;
use crate::flow::entry::Segment;
use crate::report::format;
use crate::report::progress::{Kind, Point, Scale};
use crate::report::review::{Run, Session};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 312.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 38.0;
const BOTTOM: f64 = 52.0;

/// The kinds of marks, in the order in which they are drawn: kept ones on top.
const KINDS: [(Kind, &str, &str); 5] = [
    (Kind::Crash, "mark crash", "not measured"),
    (Kind::Discard, "mark discard", "discarded"),
    (Kind::Placebo, "mark placebo", "placebo"),
    (Kind::Checks, "mark checks", "failed its checks"),
    (Kind::Keep, "mark keep", "kept"),
];

/// The picture with its legend; `None` when nothing was measured.
pub fn progress(session: &Session, runs: &[&Run]) -> Option<Html> {
    let segment = &session.summary.segment;
    let radius = (WIDTH / runs.len() as f64 / 2.5).clamp(1.8, 5.0);
    let step = (WIDTH - LEFT - RIGHT) / (runs.len().max(2) - 1) as f64;
    let points: Vec<Point> = runs
        .iter()
        .enumerate()
        .map(|(index, run)| {
            let x = LEFT + index as f64 * step;
            Point::new(&run.row, x, segment.allows_zero())
        })
        .collect();
    let scale = Scale::fit(&points)?;
    let mut svg = Html::new();
    svg.raw("<svg class=\"progress\" viewBox=\"0 0 960 312\" role=\"img\" aria-label=\"")
        .text(&summary(session, runs))
        .raw("\" data-first=\"")
        .number(runs.first().map_or(0, |run| run.row.run))
        .raw("\" data-count=\"")
        .number(runs.len() as u64)
        .raw("\">");
    axes(&mut svg, &scale, segment, runs);
    incumbents(&mut svg, &scale, &points);
    intervals(&mut svg, &scale, &points);
    for (kind, class, _) in KINDS {
        let of_kind = || points.iter().filter(|point| point.kind == kind);
        if of_kind().next().is_none() {
            continue;
        }
        svg.raw("<path class=\"").raw(class).raw("\" d=\"");
        for point in of_kind() {
            let y = point
                .value
                .map_or(HEIGHT - BOTTOM + 12.0, |value| height(&scale, value));
            mark(&mut svg, kind, point.x, y, radius);
        }
        svg.raw("\"/>");
    }
    svg.raw("</svg>");
    let mut html = Html::new();
    html.raw("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"progress chart\">")
        .piece(&svg)
        .raw("</div>");
    legend(&mut html, &points);
    caption(&mut html, &scale, &points);
    Some(html)
}

/// The height of a value on the scale.
fn height(scale: &Scale, value: f64) -> f64 {
    HEIGHT - BOTTOM - scale.along(value) * (HEIGHT - BOTTOM - TOP)
}

fn axes(svg: &mut Html, scale: &Scale, segment: &Segment, runs: &[&Run]) {
    svg.raw("<text class=\"tick\" text-anchor=\"middle\" x=\"")
        .at((LEFT + WIDTH - RIGHT) / 2.0)
        .raw("\" y=\"24\">")
        .text(&segment.metric_name);
    if !segment.metric_unit.is_empty() {
        svg.raw(", ").text(&segment.metric_unit);
    }
    svg.raw("</text>");
    for tick in scale.ticks() {
        let y = height(scale, tick);
        svg.raw("<path class=\"grid\" d=\"M")
            .at(LEFT)
            .at(y)
            .raw("H")
            .at(WIDTH - RIGHT)
            .raw("\"/><text class=\"tick level\" text-anchor=\"end\" x=\"")
            .at(LEFT - 8.0)
            .raw("\" y=\"")
            .at(y + 4.0)
            .raw("\">")
            .text(&format::value(tick))
            .raw("</text>");
    }
    let (first, last) = (runs.first(), runs.get(1..).and_then(<[&Run]>::last));
    for (run, x, anchor) in [(first, LEFT, "start"), (last, WIDTH - RIGHT, "end")] {
        if let Some(run) = run {
            svg.raw("<text class=\"tick\" text-anchor=\"")
                .raw(anchor)
                .raw("\" x=\"")
                .at(x)
                .raw("\" y=\"")
                .at(HEIGHT - 8.0)
                .raw("\">run ")
                .number(run.row.run)
                .raw("</text>");
        }
    }
}

/// What each candidate was measured against, as a line of steps.
fn incumbents(svg: &mut Html, scale: &Scale, points: &[Point]) {
    svg.raw("<path class=\"incumbent\" d=\"");
    let mut has_begun = false;
    for point in points {
        let Some(value) = point.incumbent else {
            continue;
        };
        if std::mem::replace(&mut has_begun, true) {
            svg.raw("H").at(point.x).raw("V").at(height(scale, value));
        } else {
            svg.raw("M").at(point.x).at(height(scale, value));
        }
    }
    svg.raw("\"/>");
}

fn intervals(svg: &mut Html, scale: &Scale, points: &[Point]) {
    for (is_confirmed, class) in [(false, "screened"), (true, "confirmed")] {
        svg.raw("<path class=\"interval ").raw(class).raw("\" d=\"");
        for point in points
            .iter()
            .filter(|point| point.is_confirmed == is_confirmed)
        {
            if let Some((a, b)) = point.interval {
                svg.raw("M")
                    .at(point.x)
                    .at(height(scale, a))
                    .raw("V")
                    .at(height(scale, b));
            }
        }
        svg.raw("\"/>");
    }
}

/// Filled disc, ring, triangle, square, cross.
fn mark(svg: &mut Html, kind: Kind, x: f64, y: f64, r: f64) {
    match kind {
        Kind::Keep | Kind::Discard => {
            let r = if kind == Kind::Keep { r + 0.8 } else { r };
            svg.raw("M").at(x - r).at(y);
            for width in [2.0 * r, -2.0 * r] {
                svg.raw("a").at(r).at(r).raw(" 0 1 0").at(width).raw(" 0");
            }
            svg.raw("z");
        }
        Kind::Checks => {
            svg.raw("M")
                .at(x)
                .at(y - r)
                .raw("l")
                .at(r)
                .at(1.8 * r)
                .raw("h")
                .at(-2.0 * r)
                .raw("z");
        }
        Kind::Placebo => {
            svg.raw("M")
                .at(x - r)
                .at(y - r)
                .raw("h")
                .at(2.0 * r)
                .raw("v")
                .at(2.0 * r)
                .raw("h")
                .at(-2.0 * r)
                .raw("z");
        }
        Kind::Crash => {
            for tilt in [1.0, -1.0] {
                svg.raw("M")
                    .at(x - r)
                    .at(y - tilt * r)
                    .raw("l")
                    .at(2.0 * r)
                    .at(tilt * 2.0 * r);
            }
        }
    }
}

fn legend(html: &mut Html, points: &[Point]) {
    html.raw("<ul class=\"legend\">");
    for (kind, class, words) in KINDS.iter().rev() {
        let count = points.iter().filter(|point| point.kind == *kind).count();
        if count == 0 {
            continue;
        }
        html.raw("<li><svg viewBox=\"0 0 16 16\" aria-hidden=\"true\"><path class=\"")
            .raw(class)
            .raw("\" d=\"");
        mark(html, *kind, 8.0, 8.0, 4.5);
        html.raw("\"/></svg>")
            .raw(words)
            .raw(" (")
            .number(count as u64)
            .raw(")</li>");
    }
    html.raw("<li><svg viewBox=\"0 0 16 16\" aria-hidden=\"true\"><path class=\"incumbent\" d=\"M0 11H8V5H16\"/></svg>incumbent</li></ul>");
}

fn caption(html: &mut Html, scale: &Scale, points: &[Point]) {
    let beyond = points
        .iter()
        .filter_map(|point| point.value)
        .filter(|value| !scale.holds(*value))
        .count();
    html.raw("<p class=\"note\">");
    if points.iter().any(|point| point.interval.is_some()) {
        html.raw("Each mark is the median of the incumbent beside which the candidate ran, times the estimated change; the bar is its 95 % interval, strong where fresh pairs gave it, faint where only the screening did. ");
    }
    if beyond > 0 {
        html.number(beyond as u64).raw(if beyond == 1 {
            " run lies beyond the scale and stands at its edge. "
        } else {
            " runs lie beyond the scale and stand at its edge. "
        });
    }
    if scale.is_log() {
        html.raw("The scale is logarithmic.");
    }
    html.raw("</p><p class=\"note hover\" aria-hidden=\"true\"></p>");
}

fn summary(session: &Session, runs: &[&Run]) -> String {
    let segment = &session.summary.segment;
    let counts = &session.summary.counts;
    format!(
        "{} over {} runs, {} of them kept; the table of runs has the same figures",
        segment.metric_name,
        runs.len(),
        counts.kept
    )
}
