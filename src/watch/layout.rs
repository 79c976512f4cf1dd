//! Where what stands, for a size of the terminal.

use ratatui::layout::Rect;

use super::state::Pane;

/// Fewest columns and rows with which anything can be shown.
pub const LEAST: (u16, u16) = (40, 8);
/// Rows from which on two panes stand below each other.
const TWO_ROWS: u16 = 22;
/// Columns from which on chart and detail stand side by side.
const TWO_COLUMNS: u16 = 100;

/// The parts of the picture. Panes that are not shown have no area.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Areas {
    /// Progress.
    pub header: Rect,
    /// The runs.
    pub runs: Option<Rect>,
    /// The metric over the runs.
    pub chart: Option<Rect>,
    /// The selected run.
    pub detail: Option<Rect>,
    /// The last row.
    pub keys: Rect,
}

/// The areas; `None` when there is too little room. `whole` is the pane that has all of it.
pub fn areas((width, height): (u16, u16), focus: Pane, whole: Option<Pane>) -> Option<Areas> {
    if width < LEAST.0 || height < LEAST.1 {
        return None;
    }
    let header = if height >= TWO_ROWS { 4 } else { 2 };
    let body = Rect::new(0, header, width, height - header - 1);
    let mut areas = Areas {
        header: Rect::new(0, 0, width, header),
        keys: Rect::new(0, height - 1, width, 1),
        ..Areas::default()
    };
    if whole.is_some() || height < TWO_ROWS {
        let pane = whole.unwrap_or(focus);
        *areas.of(pane) = Some(body);
        return Some(areas);
    }
    let upper = body.height / 2;
    let lower = Rect::new(0, header + upper, width, body.height - upper);
    areas.runs = Some(Rect::new(0, header, width, upper));
    if width >= TWO_COLUMNS {
        let left = width * 9 / 20;
        areas.chart = Some(Rect::new(0, lower.y, left, lower.height));
        areas.detail = Some(Rect::new(left + 1, lower.y, width - left - 1, lower.height));
    } else {
        let pane = match focus {
            Pane::Detail => Pane::Detail,
            Pane::Runs | Pane::Chart => Pane::Chart,
        };
        *areas.of(pane) = Some(lower);
    }
    Some(areas)
}

impl Areas {
    fn of(&mut self, pane: Pane) -> &mut Option<Rect> {
        match pane {
            Pane::Runs => &mut self.runs,
            Pane::Chart => &mut self.chart,
            Pane::Detail => &mut self.detail,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_every_size_the_parts_lie_within_the_terminal_and_the_focused_pane_is_there() {
        for width in 1..200 {
            for height in 1..80 {
                for focus in [Pane::Runs, Pane::Chart, Pane::Detail] {
                    let Some(mut areas) = areas((width, height), focus, None) else {
                        assert!(width < LEAST.0 || height < LEAST.1);
                        continue;
                    };
                    assert!(areas.of(focus).is_some_and(|area| area.height >= 5));
                    let screen = Rect::new(0, 0, width, height);
                    let panes = [areas.runs, areas.chart, areas.detail];
                    let parts = [areas.header, areas.keys].into_iter();
                    let parts: Vec<Rect> = parts.chain(panes.into_iter().flatten()).collect();
                    for (index, part) in parts.iter().enumerate() {
                        assert_eq!(screen.intersection(*part), *part);
                        for other in &parts[..index] {
                            assert!(!part.intersects(*other), "{width}x{height} {focus:?}");
                        }
                    }
                }
            }
        }
    }
}
