//! stub
use super::plan::Plan;
use crate::flow::config_parts::Knob;
use crate::flow::proposal::Tried;
use std::collections::BTreeMap;
/// stub
pub fn next(_: &[Knob], _: &BTreeMap<String, String>, _: &[Tried], _: u64) -> Option<Plan> {
    None
}
