//! The error every layer returns: what failed, why, and what to do about it.

use std::fmt;

use crate::exit::Exit;

/// Longest message, characters; it may quote a file that is all one line.
const MESSAGE_CHARS_MAX: usize = 1000;

/// Names this similar to an unknown one are offered; 1 is equal.
const SIMILARITY_MIN: f64 = 0.4;

/// The known name that was probably meant by `given`, upper and lower case alike.
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Comparing takes memory by the product of both lengths.
    const GIVEN_CHARS_MAX: usize = 100;
    let given: String = given.chars().take(GIVEN_CHARS_MAX).collect();
    let given = given.to_lowercase();
    let similarity =
        |known: &str| strsim::normalized_damerau_levenshtein(&given, &known.to_lowercase());
    known
        .into_iter()
        .map(|known| (similarity(known), known))
        .filter(|(similarity, _)| *similarity >= SIMILARITY_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

/// A text that may quote anything, cut where it becomes too long for a message.
pub fn cut(text: &str) -> String {
    match text.char_indices().nth(MESSAGE_CHARS_MAX) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// The text of a file; `origin` names it in errors.
///
/// # Errors
/// It is not UTF-8; the message has the line.
pub fn utf8<'a>(bytes: &'a [u8], origin: &str) -> Result<&'a str> {
    std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        Error::usage(format!("{origin}:{line}: a byte that is not UTF-8"))
            .hint("save the file as UTF-8")
    })
}

/// What can be done about a failed operation of the operating system, when the error says nothing
/// better.
fn usual_remedy(error: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    use std::io::ErrorKind;
    let no_space = "free some space on that file system and start again: what was recorded is kept";
    let Some(error) = error.downcast_ref::<std::io::Error>() else {
        // libgit2 hands on the system's words.
        return error
            .to_string()
            .contains("No space left")
            .then_some(no_space);
    };
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Some(no_space),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            Some("look at the rights of the file and of its directory: `ls -ld`")
        }
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory => {
            Some("look at the path: is the file there, and its directory?")
        }
        _ => None,
    }
}

/// Control characters made visible: what is quoted may come from anybody, and the terminal obeys.
fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && !matches!(c, '\n' | '\t') {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Which [`Exit`] an error ends the process with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The user must change a flag or a file.
    Usage,
    /// The machine or the repository is not in a state to go on.
    Environment,
    /// Two commits that should compute the same do not.
    Differs,
    /// The user asked to stop.
    Interrupted,
}

/// An error with a lowercase message that names the path, command, line or field, the cause it
/// came from, and a hint.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    message: String,
    hint: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// `Result` with [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The user must change a flag or a file.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// The machine or the repository is not in a state to go on.
    pub fn environment(message: impl Into<String>) -> Self {
        Self::new(Kind::Environment, message)
    }

    /// Two commits that should compute the same do not.
    pub fn differs(message: impl Into<String>) -> Self {
        Self::new(Kind::Differs, message)
    }

    /// The user asked to stop.
    pub fn interrupted() -> Self {
        Self::new(Kind::Interrupted, "interrupted")
    }

    fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: cut(&message.into()),
            hint: None,
            source: None,
        }
    }

    /// Adds what the user can do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Keeps the error this one came from.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Which family this error belongs to.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The exit code that goes with it.
    pub fn exit(&self) -> Exit {
        match self.kind {
            Kind::Usage => Exit::Usage,
            Kind::Environment | Kind::Differs => Exit::Environment,
            Kind::Interrupted => Exit::Interrupted,
        }
    }

    /// Whether a write failed for want of space. libgit2 keeps of the system's error only its words.
    pub fn is_disk_full(&self) -> bool {
        self.chain().contains("No space left on device")
    }

    /// The message with its causes, in one line.
    pub fn chain(&self) -> String {
        let mut text = self.message.clone();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(&format!(": {error}"));
            cause = error.source();
        }
        text
    }

    /// The message with its causes and the hint, in one line.
    pub fn explained(&self) -> String {
        match &self.hint {
            Some(hint) => format!("{}; {}", self.chain(), hint.replace('\n', " ")),
            None => self.chain(),
        }
    }

    /// The whole text for a terminal: message, causes, hint, no control characters but line ends and
    /// tabs; no trailing newline.
    pub fn render(&self) -> String {
        let mut text = format!("error: {}", self.message);
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(&format!("\n  caused by: {error}"));
            cause = error.source();
        }
        let remedy = || usual_remedy(std::error::Error::source(self)?);
        if let Some(hint) = self.hint.as_deref().or_else(remedy) {
            text.push_str(&format!("\n  hint: {hint}"));
        }
        visible(&text)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn std::error::Error + 'static))
    }
}

/// Names the step that failed; the original error stays as the cause.
pub trait Context<T> {
    /// Turns any error into an [`Kind::Environment`] error with this message.
    ///
    /// # Errors
    /// The wrapped error, when there was one.
    fn context(self, message: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: std::error::Error + Send + Sync + 'static> Context<T> for std::result::Result<T, E> {
    fn context(self, message: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| Error::environment(message()).because(error))
    }
}
