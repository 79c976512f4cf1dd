//! `watch`: the terminal's dashboard as a pure state machine. [`State`] takes keys, ledger lines and
//! the loop's live state; [`draw`] makes the picture. The terminal and the growing ledger are edges
//! (`terminal`, `ledger_tail`); the driver's `watch` brings the three together.

mod chart;
pub mod detail;
mod header;
mod help;
mod layout;
mod look;
mod state;
mod table;
#[cfg(test)]
mod tests;
mod view;

pub use look::Look;
pub use state::{After, Pane, State, Wanted};
pub use view::draw;

/// A key, whatever terminal it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// A letter, digit or sign.
    Char(char),
    /// Return.
    Enter,
    /// Escape.
    Escape,
    /// Ctrl-C.
    Interrupt,
    /// Ctrl-U.
    Clear,
    /// Tab.
    Tab,
    /// Shift-Tab.
    BackTab,
    /// Backspace.
    Backspace,
    /// Arrow up.
    Up,
    /// Arrow down.
    Down,
    /// Page up.
    PageUp,
    /// Page down.
    PageDown,
    /// Home.
    Home,
    /// End.
    End,
}
