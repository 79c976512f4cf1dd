//! The pure part of the program, in the order the data flows.

pub mod decision;
