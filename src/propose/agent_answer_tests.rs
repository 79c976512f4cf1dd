use proptest::prelude::*;

use super::*;

#[test]
fn an_answer_is_read_and_becomes_a_proposal() {
    let text = r#"{"description": " Batch\u0007 writes\r\n\nBecause. ", "asi": {"next": "b"},
        "cost_usd": 0.5}"#;
    let answer = parse_answer(text).unwrap();
    let proposal = proposal(Some("batch".to_owned()), answer, &[]);
    assert_eq!(proposal.description, "Batch writes\n\nBecause.");
    assert_eq!(proposal.origin.proposer, "agent");
    assert_eq!(proposal.origin.idea.as_deref(), Some("batch"));
    assert_eq!(
        Value::from(proposal.asi.unwrap()).to_string(),
        r#"{"next":"b","cost_usd":0.5}"#
    );
}

#[test]
fn an_empty_answer_says_nothing() {
    for text in ["", " \n", "{}", r#"{"description": " "}"#] {
        assert_eq!(parse_answer(text).unwrap(), Answer::default(), "{text:?}");
    }
    let proposal = proposal(None, Answer::default(), &["src/a.rs".to_owned()]);
    assert_eq!(proposal.description, "agent: change src/a.rs");
    assert_eq!(proposal.asi, None);
}

#[test]
fn a_bad_answer_is_an_error_that_names_the_key() {
    let long = format!(r#"{{"description": "{}"}}"#, "x".repeat(5_000));
    let deep = format!(r#"{{"asi": {{"a": "{}"}}}}"#, "x".repeat(20_000));
    let huge = format!(r#"{{"asi": {{"a": "{}"}}}}"#, "x".repeat(70_000));
    for (text, expected) in [
        (r#"{"descripton": "x"}"#, "unknown field `descripton`"),
        (r#"{"asi": 5}"#, "cannot be read"),
        (r#"{"cost_usd": -1}"#, "has a `cost_usd` of -1"),
        (r#"{"cost_usd": 1e7}"#, "has a `cost_usd` of 10000000"),
        ("[\"x\"]", "is no JSON object"),
        ("not json", "is no JSON object"),
        ("{} {}", "cannot be read"),
        (long.as_str(), "has a `description` of 5000 bytes"),
        (deep.as_str(), "has an `asi` of"),
        (huge.as_str(), "has 70018 bytes"),
    ] {
        let message = parse_answer(text).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_diff_is_described_by_its_first_paths() {
    let paths: Vec<String> = ["a", "b\n", "c", "d", "e"].map(str::to_owned).to_vec();
    assert_eq!(describe_diff(&[]), "agent: no change");
    assert_eq!(describe_diff(&paths[..2]), "agent: change a, b?");
    assert_eq!(describe_diff(&paths), "agent: change a, b?, c and 2 more");
}

proptest! {
    #[test]
    fn reading_an_answer_never_panics(text in "(?s)[{}\\[\\]\":,a-z0-9 ß]{0,80}|\\PC{0,80}") {
        let _ = parse_answer(&text);
    }
}
