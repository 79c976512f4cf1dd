//! stub
use super::ideas::{Backlog, Idea};
use crate::error::Result;
use crate::flow::config_parts::AgentSpec;
/// stub
pub struct Answer {
    /// d
    pub description: Option<String>,
    /// a
    pub asi: Option<serde_json::Map<String, serde_json::Value>>,
}
/// stub
pub struct Brief;
impl Brief {
    /// stub
    pub fn new(
        _: &crate::flow::session::SessionState,
        _: &[String],
        _: Option<&Idea>,
        _: &Backlog,
    ) -> Self {
        Brief
    }
    /// stub
    pub fn to_json(&self) -> String {
        String::new()
    }
}
/// stub
pub fn prompt(_: &Brief) -> String {
    String::new()
}
/// stub
pub fn command_line(s: &AgentSpec, _: &str, _: &str, _: &str) -> Result<Vec<String>> {
    Ok(s.command.clone().unwrap())
}
/// stub
pub fn parse_answer(t: &str) -> Result<Answer> {
    let v: serde_json::Value = serde_json::from_str(t).unwrap();
    Ok(Answer {
        description: v["description"].as_str().map(str::to_owned),
        asi: v["asi"].as_object().cloned(),
    })
}
/// stub
pub fn describe_diff(p: &[String]) -> String {
    p.join(", ")
}
