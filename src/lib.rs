//! autoresearch
