//! Profiles in pprof's format, as far as it is needed for stacks with counts. Message and field
//! numbers are those of `profile.proto` in github.com/google/pprof.

use std::collections::HashMap;

use prost::Message;

use crate::flow::profile::Profile;

#[derive(Clone, PartialEq, Message)]
struct Proto {
    #[prost(message, repeated, tag = "1")]
    sample_type: Vec<ValueType>,
    #[prost(message, repeated, tag = "2")]
    sample: Vec<Sample>,
    #[prost(message, repeated, tag = "4")]
    location: Vec<Location>,
    #[prost(message, repeated, tag = "5")]
    function: Vec<Function>,
    #[prost(string, repeated, tag = "6")]
    string_table: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
struct ValueType {
    #[prost(int64, tag = "1")]
    kind: i64,
    #[prost(int64, tag = "2")]
    unit: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Sample {
    /// Innermost first.
    #[prost(uint64, repeated, tag = "1")]
    location_id: Vec<u64>,
    #[prost(int64, repeated, tag = "2")]
    value: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct Location {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(message, repeated, tag = "4")]
    line: Vec<LineOf>,
}

#[derive(Clone, PartialEq, Message)]
struct LineOf {
    #[prost(uint64, tag = "1")]
    function_id: u64,
}

#[derive(Clone, PartialEq, Message)]
struct Function {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(int64, tag = "2")]
    name: i64,
}

/// A profile as pprof reads it, not compressed.
pub fn encode(profile: &Profile) -> Vec<u8> {
    // Index 0 is the empty text by definition.
    let mut strings = vec![String::new(), "samples".to_owned(), "count".to_owned()];
    let mut ids: HashMap<&str, u64> = HashMap::new();
    let mut proto = Proto {
        sample_type: vec![ValueType { kind: 1, unit: 2 }],
        ..Proto::default()
    };
    for (frames, count) in profile.stacks() {
        let location_id = frames.iter().rev().map(|frame| {
            *ids.entry(frame).or_insert_with(|| {
                let id = proto.function.len() as u64 + 1;
                let name = strings.len() as i64;
                strings.push(frame.clone());
                proto.function.push(Function { id, name });
                let line = vec![LineOf { function_id: id }];
                proto.location.push(Location { id, line });
                id
            })
        });
        let sample = Sample {
            location_id: location_id.collect(),
            value: vec![i64::try_from(count).unwrap_or(i64::MAX)],
        };
        proto.sample.push(sample);
    }
    proto.string_table = strings;
    proto.encode_to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_names_its_functions_innermost_first() {
        let profile = Profile::parse("main;f 2\nmain;g;f 3\n").expect("a profile");
        let proto = Proto::decode(&encode(&profile)[..]).expect("a message");
        let name = |id: &u64| {
            let location = proto.location.iter().find(|one| one.id == *id)?;
            let function = proto
                .function
                .iter()
                .find(|one| one.id == location.line[0].function_id)?;
            proto.string_table.get(usize::try_from(function.name).ok()?)
        };
        let stacks: Vec<(Vec<&String>, i64)> = proto
            .sample
            .iter()
            .map(|sample| {
                (
                    sample.location_id.iter().filter_map(name).collect(),
                    sample.value[0],
                )
            })
            .collect();
        assert_eq!(
            format!("{stacks:?}"),
            r#"[(["f", "main"], 2), (["f", "g", "main"], 3)]"#
        );
        assert_eq!(proto.string_table[0], "");
    }
}
