//! The whole terminal: drawn with ratatui, keys from crossterm. Whatever ends the program but a
//! SIGKILL, the terminal is left as it was found.

use std::io::{self, IsTerminal, Stdout};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ratatui::backend::CrosstermBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::crossterm::{cursor, execute};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use crate::error::{Context, Error, Result};
use crate::watch::Key;

/// What the user does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// Presses a key.
    Key(Key),
    /// Changes the window's size: columns and rows.
    Resize(u16, u16),
}

/// The terminal, taken over; it is given back when this is dropped, and before a panic's message.
pub struct Screen {
    terminal: ratatui::Terminal<CrosstermBackend<Stdout>>,
}

impl Screen {
    /// Takes the terminal over.
    ///
    /// # Errors
    /// Standard input or output is no terminal, or one that cannot move its cursor.
    pub fn open() -> Result<Self> {
        let is_dumb = std::env::var_os("TERM").is_none_or(|name| name.is_empty() || name == "dumb");
        let what = match (io::stdin().is_terminal(), io::stdout().is_terminal()) {
            (_, false) => "standard output is none",
            (false, true) => "standard input is none",
            (true, true) if is_dumb => "TERM says that this one cannot move its cursor",
            (true, true) => "",
        };
        if !what.is_empty() {
            return Err(
                Error::usage(format!("`watch` needs a terminal: {what}")).hint(
                    "`autoresearch status` and `autoresearch log` print the same once, anywhere",
                ),
            );
        }
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            restore();
            previous(info);
        }));
        let context = || "cannot take the terminal over".to_owned();
        enable_raw_mode().context(context)?;
        IS_TAKEN.store(true, Ordering::SeqCst);
        // From here on whatever fails gives it back.
        let terminal = execute!(io::stdout(), EnterAlternateScreen, cursor::Hide)
            .and_then(|()| ratatui::Terminal::new(CrosstermBackend::new(io::stdout())));
        match terminal {
            Ok(terminal) => Ok(Self { terminal }),
            Err(error) => {
                restore();
                Err(error).context(context)
            }
        }
    }

    /// Columns and rows.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn size(&self) -> Result<(u16, u16)> {
        let size = self.terminal.size().context(gone)?;
        Ok((size.width, size.height))
    }

    /// Draws a picture; only what differs from the last one is sent.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn draw(&mut self, picture: impl FnOnce(&mut Buffer)) -> Result<()> {
        self.terminal
            .draw(|frame| picture(frame.buffer_mut()))
            .map(drop)
            .context(gone)
    }

    /// The next input, if there is one within this time. Keys that mean nothing are left out.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn next(&mut self, within: Duration) -> Result<Option<Input>> {
        let wait = if is_readable(within)? {
            UNREAD
        } else {
            Duration::ZERO
        };
        if !event::poll(wait).context(gone)? {
            return Ok(None);
        }
        Ok(match event::read().context(gone)? {
            Event::Key(key) => known(key).map(Input::Key),
            Event::Resize(columns, rows) => Some(Input::Resize(columns, rows)),
            Event::FocusGained | Event::FocusLost | Event::Mouse(_) | Event::Paste(_) => None,
        })
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// How long crossterm may take to read what is there.
const UNREAD: Duration = Duration::from_millis(10);

/// Waits for something to read on standard input. crossterm must not: when the terminal goes away
/// while it waits, it reads the end of the file for ever.
fn is_readable(within: Duration) -> Result<bool> {
    let stdin = io::stdin();
    let mut files = [PollFd::new(&stdin, PollFlags::IN)];
    let timeout = Timespec::try_from(within).ok();
    match rustix::event::poll(&mut files, timeout.as_ref()) {
        // A change of size comes as a signal.
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => return Err(io::Error::from(error)).context(gone),
    }
    let found = files[0].revents();
    if found.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
        return Err(Error::environment(gone()));
    }
    Ok(found.contains(PollFlags::IN))
}

fn gone() -> String {
    "the terminal is gone".to_owned()
}

/// Whether the terminal is to be given back.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);

/// Gives the terminal back, once: a second time would move the cursor over what was printed since.
/// Nothing can be done if it fails.
fn restore() {
    if !IS_TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    execute!(io::stdout(), LeaveAlternateScreen, cursor::Show).ok();
    disable_raw_mode().ok();
}

fn known(key: KeyEvent) -> Option<Key> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
    Some(match key.code {
        KeyCode::Char('c') if is_control => Key::Interrupt,
        KeyCode::Char('u') if is_control => Key::Clear,
        KeyCode::Char('b') if is_control => Key::PageUp,
        KeyCode::Char('f') if is_control => Key::PageDown,
        KeyCode::Char(_) if is_control || key.modifiers.contains(KeyModifiers::ALT) => return None,
        KeyCode::Char(letter) => Key::Char(letter),
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Escape,
        KeyCode::Tab => Key::Tab,
        KeyCode::BackTab => Key::BackTab,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        _ => return None,
    })
}
