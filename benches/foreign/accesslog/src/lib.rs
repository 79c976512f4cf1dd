//! Summaries of web server logs in the common log format.

mod entry;
mod summary;

pub use entry::{parse_line, Entry, ParseError};
pub use summary::{summarise, Summary};
