//! The `autoresearch` binary.
fn main() {}
