//! Where candidates come from. Pure: texts and past verdicts in, a [`plan::Plan`] out.
//!
//! - [`ideas_file`]: the text of `ideas.md` to a [`ideas::Backlog`], and the tick.
//! - [`ideas`]: which entry is next, and which are done.
//! - [`patch`]: plain diffs to git's form; [`patch_offset`]: hunks to where their lines are now.
//! - [`knob`]: finding and rewriting a knob's value in a source text.
//! - [`tune`]: a search over the declared knobs.
//! - [`agent`]: what an agent is told; [`agent_answer`]: what it answers.
//! - [`agent_presets`]: how the known agent CLIs are started.

pub mod agent;
pub mod agent_answer;
pub mod agent_presets;
pub mod agent_profile;
pub mod ideas;
pub mod ideas_file;
pub mod knob;
mod knob_scan;
mod knob_values;
pub mod number;
pub mod patch;
pub mod patch_offset;
pub mod plan;
pub mod tune;
mod tune_space;
