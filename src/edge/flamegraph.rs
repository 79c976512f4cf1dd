//! Pictures of profiles, and perf's output as folded stacks, through inferno.

use std::io::BufRead;

use inferno::collapse::Collapse;
use inferno::collapse::perf::Folder;
use inferno::{differential, flamegraph};

use crate::error::{Context, Result};
use crate::flow::profile::Profile;

/// The flamegraph of a profile, SVG.
///
/// # Errors
/// It cannot be drawn.
pub fn svg(profile: &Profile, title: &str) -> Result<Vec<u8>> {
    draw(&profile.folded(), title)
}

/// The flamegraph of `after` with what it has more of in red and what it has less of in blue. The
/// first is scaled to as many samples as the second.
///
/// # Errors
/// It cannot be drawn.
pub fn differential_svg(before: &Profile, after: &Profile, title: &str) -> Result<Vec<u8>> {
    let options = differential::Options {
        normalize: true,
        ..differential::Options::default()
    };
    let (before, after) = (before.folded(), after.folded());
    let mut folded = Vec::new();
    differential::from_readers(options, before.as_bytes(), after.as_bytes(), &mut folded)
        .context(|| "cannot compare two profiles".to_owned())?;
    draw(&String::from_utf8_lossy(&folded), title)
}

fn draw(folded: &str, title: &str) -> Result<Vec<u8>> {
    let mut options = flamegraph::Options::default();
    title.clone_into(&mut options.title);
    // One function has one colour in every picture.
    options.hash = true;
    let mut svg = Vec::new();
    flamegraph::from_lines(&mut options, folded.lines(), &mut svg)
        .context(|| "cannot draw a flamegraph".to_owned())?;
    Ok(svg)
}

/// What `perf script` prints, folded.
///
/// # Errors
/// It is not what perf prints.
pub fn collapse_perf(script: impl BufRead) -> Result<String> {
    let mut folded = Vec::new();
    Folder::default()
        .collapse(script, &mut folded)
        .context(|| "cannot read what `perf script` printed".to_owned())?;
    Ok(String::from_utf8_lossy(&folded).into_owned())
}
