//! What the terminal and its user allow: colour, and signs beyond ASCII.

use ratatui::buffer::Buffer;
use ratatui::style::Color;

/// How the picture may look. Nothing is said by colour alone, nor by a sign beyond ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Whether there may be colour.
    pub color: bool,
    /// Whether the terminal's encoding is UTF-8.
    pub unicode: bool,
}

impl Look {
    /// Takes from the picture what may not be there.
    pub(super) fn apply(self, buffer: &mut Buffer) {
        if self.color && self.unicode {
            return;
        }
        for cell in &mut buffer.content {
            if !self.color {
                (cell.fg, cell.bg) = (Color::Reset, Color::Reset);
            }
            if !self.unicode && !cell.symbol().is_ascii() {
                cell.set_symbol(ascii(cell.symbol()));
            }
        }
    }
}

fn ascii(symbol: &str) -> &'static str {
    match symbol {
        "─" => "-",
        "│" => "|",
        "┌" | "┐" | "└" | "┘" | "┤" => "+",
        "█" => "#",
        "░" => ".",
        "→" => ">",
        "…" => "~",
        "·" | "•" => ".",
        _ => "?",
    }
}
