//! The steps that a property test is made of.

use batch_store::entities::Filter;
use proptest::prelude::*;

use super::model::IDS;
use super::support::{BY_BALANCE, BY_OWNER};

/// One step of a test.
#[derive(Debug, Clone)]
pub enum Step {
    /// At the current checkpoint, or `ahead` of it.
    Set {
        id: usize,
        owner: u8,
        balance: i64,
        ahead: u64,
    },
    Delete {
        id: usize,
        ahead: u64,
    },
    /// Hands over a batch; `partial` leaves out the current checkpoint.
    Commit {
        on: bool,
        partial: bool,
    },
    Begin,
    /// The part, in 255ths, of the way from the floor to what is processed.
    Rollback(u8),
    Prune(u8),
    Get(usize),
    Find(Filter),
    /// Lets the write in flight finish.
    Release,
    Flush,
}

pub fn step() -> impl Strategy<Value = Step> {
    let filter = prop_oneof![
        (0..3_u8).prop_map(|owner| Filter::equal(BY_OWNER, owner_name(owner).as_str())),
        (0..4_i64).prop_map(|balance| Filter::equal(BY_BALANCE, balance)),
        (0..4_i64).prop_map(|balance| Filter::less(BY_BALANCE, balance)),
        (0..4_i64).prop_map(|balance| Filter::greater(BY_BALANCE, balance)),
    ];
    prop_oneof![
        8 => (0..IDS, 0..3_u8, -1..4_i64, 0..3_u64)
            .prop_map(|(id, owner, balance, ahead)| Step::Set { id, owner, balance, ahead }),
        4 => (0..IDS, 0..3_u64).prop_map(|(id, ahead)| Step::Delete { id, ahead }),
        5 => (prop::bool::weighted(0.85), prop::bool::weighted(0.2))
            .prop_map(|(on, partial)| Step::Commit { on, partial }),
        2 => Just(Step::Begin),
        1 => any::<u8>().prop_map(Step::Rollback),
        1 => any::<u8>().prop_map(Step::Prune),
        3 => (0..IDS).prop_map(Step::Get),
        2 => filter.prop_map(Step::Find),
        2 => Just(Step::Release),
        1 => Just(Step::Flush),
    ]
}

pub fn owner_name(number: u8) -> String {
    format!("o\u{0}{number}")
}
