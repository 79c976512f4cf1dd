//! The metric over the runs of a session, as SVG. The verdicts differ in shape, not only in colour.

use super::markup::Html;
use crate::flow::decision::Direction;
use crate::flow::record::{PLACEBO, Status};
use crate::report::format;
use crate::report::review::{Run, Session};
use crate::report::row::{Row, RowGain};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 40.0;
/// Ratio of the largest to the smallest value from which on the scale is logarithmic.
const LOG_FROM: f64 = 10.0;

/// Values from here on do not stretch the scale: they are drawn at its edge, so that no step of the
/// arithmetic overflows.
const VALUE_MAX: f64 = 1e300;
/// Most decades that a logarithmic scale names.
const DECADES_MAX: i32 = 12;

/// The kinds of marks, in the order in which they are drawn: kept ones on top.
const KINDS: [(Kind, &str, &str); 5] = [
    (Kind::Crash, "mark crash", "not measured"),
    (Kind::Discard, "mark discard", "discarded"),
    (Kind::Placebo, "mark placebo", "placebo"),
    (Kind::Checks, "mark checks", "failed its checks"),
    (Kind::Keep, "mark keep", "kept"),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Keep,
    Discard,
    Checks,
    Placebo,
    Crash,
}

/// One run as it is drawn.
struct Point {
    x: f64,
    kind: Kind,
    value: Option<f64>,
    interval: Option<(f64, f64)>,
    is_confirmed: bool,
    incumbent: Option<f64>,
}

/// The picture with its legend; `None` when nothing was measured.
pub fn progress(session: &Session, runs: &[&Run]) -> Option<Html> {
    let segment = &session.summary.segment;
    let radius = (WIDTH / runs.len() as f64 / 2.5).clamp(1.8, 5.0);
    let step = (WIDTH - LEFT - RIGHT) / (runs.len().max(2) - 1) as f64;
    let points: Vec<Point> = runs
        .iter()
        .enumerate()
        .map(|(index, run)| point(&run.row, LEFT + index as f64 * step, segment.allows_zero()))
        .collect();
    let scale = Scale::fit(&points)?;
    let mut svg = Html::new();
    svg.raw("<svg class=\"progress\" viewBox=\"0 0 960 300\" role=\"img\" aria-label=\"")
        .text(&summary(session, runs))
        .raw("\" data-first=\"")
        .number(runs.first().map_or(0, |run| run.row.run))
        .raw("\" data-count=\"")
        .number(runs.len() as u64)
        .raw("\">");
    axes(&mut svg, &scale, runs);
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
                .map_or(HEIGHT - BOTTOM + 12.0, |value| scale.y(value));
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

fn point(row: &Row, x: f64, allows_zero: bool) -> Point {
    let kind = match (row.status, row.metric) {
        _ if row.proposer.as_deref() == Some(PLACEBO) => Kind::Placebo,
        (Status::Keep, _) => Kind::Keep,
        (_, None) | (Status::Crash, _) => Kind::Crash,
        (Status::ChecksFailed, _) => Kind::Checks,
        (Status::Discard, _) => Kind::Discard,
    };
    let level = |log: f64| {
        let shift = if allows_zero { 1.0 } else { 0.0 };
        let factor = match row.direction {
            Direction::Lower => (-log).exp(),
            Direction::Higher => log.exp(),
        };
        row.incumbent
            .map(|incumbent| (incumbent + shift) * factor - shift)
    };
    let ends = |gain: RowGain| Some((level(gain.lo?)?, level(gain.hi?)?));
    Point {
        x,
        kind,
        value: row.gain.and_then(|gain| level(gain.log)).or(row.metric),
        interval: row.gain.and_then(ends),
        is_confirmed: row.gain.is_some_and(|gain| gain.confirmed),
        incumbent: row.incumbent.or(row.metric.filter(|_| kind == Kind::Keep)),
    }
}

/// From values to heights. It holds the kept runs and the incumbents with room around them; what
/// lies beyond is drawn at the edge.
struct Scale {
    lo: f64,
    hi: f64,
    is_log: bool,
}

impl Scale {
    fn fit(points: &[Point]) -> Option<Self> {
        let kept = points.iter().filter(|point| point.kind == Kind::Keep);
        let mut values: Vec<f64> = kept.filter_map(|point| point.value).collect();
        values.extend(points.iter().filter_map(|point| point.incumbent));
        if values.is_empty() {
            values = points.iter().filter_map(|point| point.value).collect();
        }
        values.retain(|value| value.abs() < VALUE_MAX);
        let lo = values.iter().copied().reduce(f64::min)?;
        let hi = values.iter().copied().reduce(f64::max)?;
        if lo > 0.0 && hi / lo > LOG_FROM {
            let room = (0.15 * (hi.ln() - lo.ln())).exp();
            return Some(Self {
                lo: (lo / room).max(f64::MIN_POSITIVE),
                hi: (hi * room).min(VALUE_MAX),
                is_log: true,
            });
        }
        let room = (0.3 * (hi - lo))
            .max(0.02 * lo.abs().max(hi.abs()))
            .max(f64::MIN_POSITIVE);
        Some(Self {
            lo: lo - room,
            hi: hi + room,
            is_log: false,
        })
    }

    fn y(&self, value: f64) -> f64 {
        let along = if self.is_log {
            (value.max(f64::MIN_POSITIVE).ln() - self.lo.ln()) / (self.hi.ln() - self.lo.ln())
        } else {
            (value - self.lo) / (self.hi - self.lo)
        };
        HEIGHT - BOTTOM - along.clamp(0.0, 1.0) * (HEIGHT - BOTTOM - TOP)
    }

    fn holds(&self, value: f64) -> bool {
        (self.lo..=self.hi).contains(&value)
    }

    /// Round values within it.
    fn ticks(&self) -> Vec<f64> {
        if self.is_log {
            let (first, last) = (
                self.lo.log10().floor() as i32,
                self.hi.log10().ceil() as i32,
            );
            let stride = ((last - first) / DECADES_MAX).max(1);
            let decades = (first..=last).step_by(stride.unsigned_abs() as usize);
            let steps: &[f64] = if self.hi / self.lo > 1e4 {
                &[1.0]
            } else {
                &[1.0, 2.0, 5.0]
            };
            let all =
                decades.flat_map(|decade| steps.iter().map(move |step| step * 10f64.powi(decade)));
            return all.filter(|tick| self.holds(*tick)).collect();
        }
        let rough = (self.hi - self.lo) / 8.0;
        let magnitude = 10f64.powf(rough.log10().floor());
        let factor = [1.0, 2.0, 5.0]
            .into_iter()
            .find(|factor| factor * magnitude >= rough);
        let step = factor.unwrap_or(10.0) * magnitude;
        let first = (self.lo / step).ceil();
        (0..20)
            .map(|index| (first + f64::from(index)) * step)
            .filter(|tick| self.holds(*tick))
            .collect()
    }
}

fn axes(svg: &mut Html, scale: &Scale, runs: &[&Run]) {
    for tick in scale.ticks() {
        let y = scale.y(tick);
        svg.raw("<path class=\"grid\" d=\"M")
            .at(LEFT)
            .at(y)
            .raw("H")
            .at(WIDTH - RIGHT)
            .raw("\"/><text class=\"tick\" text-anchor=\"end\" x=\"")
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
            svg.raw("H").at(point.x).raw("V").at(scale.y(value));
        } else {
            svg.raw("M").at(point.x).at(scale.y(value));
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
                    .at(scale.y(a))
                    .raw("V")
                    .at(scale.y(b));
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
        html.number(beyond as u64)
            .raw(if beyond == 1 {
                " run lies"
            } else {
                " runs lie"
            })
            .raw(" beyond the scale and stand at its edge. ");
    }
    if scale.is_log {
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
