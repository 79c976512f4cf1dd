//! autoresearch

pub mod flow;
