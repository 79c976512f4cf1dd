//! [`Effect`]: the remembered answer of an outside call, as an unversioned entity.

use crate::entities::entity::{Entity, FieldValue};
use crate::table::{Family, Layout};

/// Rows of the effects.
pub const EFFECTS: Family = Family::new("effects", Layout::Rowid);
/// Effects by the call's name.
pub const EFFECTS_BY_NAME: Family = Family::new("effects_by_name", Layout::Clustered);

/// What an outside call answered to an input. Not versioned: a rollback of the
/// entities does not make the answer wrong. Its count is the number of committed
/// rows ([`EntityStore::count`](super::EntityStore::count)), never a counter of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    id: String,
    name_len: usize,
    /// The answer.
    pub output: Vec<u8>,
}

impl Effect {
    /// The answer of the call `name` to `input`.
    #[must_use]
    pub fn new(name: &str, input: &str, output: &[u8]) -> Self {
        Self {
            id: Self::id_of(name, input),
            name_len: name.len(),
            output: output.to_vec(),
        }
    }

    /// The id of a call and its input; two pairs never share one.
    #[must_use]
    pub fn id_of(name: &str, input: &str) -> String {
        format!("{}:{name}{input}", name.len())
    }

    fn call(&self) -> &str {
        self.id.split_once(':').map_or("", |(_, rest)| rest)
    }

    /// The call's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.call()[..self.name_len]
    }

    /// The call's input.
    #[must_use]
    pub fn input(&self) -> &str {
        &self.call()[self.name_len..]
    }
}

impl Entity for Effect {
    const ROWS: Family = EFFECTS;
    const HISTORY: Option<Family> = None;
    const INDEXES: &'static [Family] = &[EFFECTS_BY_NAME];

    fn id(&self) -> &str {
        &self.id
    }

    fn fields(&self) -> Vec<FieldValue> {
        vec![self.name().into()]
    }

    fn encode(&self) -> Result<Vec<u8>, String> {
        Ok(self.output.clone())
    }

    fn decode(id: &str, bytes: &[u8]) -> Result<Self, String> {
        let name_len = id
            .split_once(':')
            .and_then(|(len, rest)| Some((len.parse().ok()?, rest)))
            .filter(|(len, rest)| rest.is_char_boundary(*len))
            .map(|(len, _)| len)
            .ok_or("the id names no call")?;
        Ok(Self {
            id: id.to_owned(),
            name_len,
            output: bytes.to_vec(),
        })
    }
}
