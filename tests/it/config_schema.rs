//! The JSON Schema that is checked in.

use std::fs;

use autoresearch::flow::config::json_schema;

/// Regenerate with `UPDATE_SCHEMA=1 cargo test --test it schema`.
#[test]
fn the_checked_in_schema_is_the_one_of_the_types() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/config.schema.json");
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs::write(path, json_schema()).expect("the schema is written");
    }
    let checked_in = fs::read_to_string(path).unwrap_or_default();
    assert!(
        checked_in == json_schema(),
        "docs/config.schema.json is stale; UPDATE_SCHEMA=1 cargo test --test it schema rewrites it"
    );
}
