//! stub
use super::record::Environment;
pub fn differences(_: &Environment, _: &Environment) -> Vec<String> {
    vec![]
}
