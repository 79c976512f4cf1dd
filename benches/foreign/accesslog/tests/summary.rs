use accesslog::{parse_line, summarise, ParseError};

const LINE: &str =
    r#"10.0.0.1 - ann [10/Oct/2025:13:55:36 +0000] "GET /a b.html HTTP/1.1" 200 2326"#;

#[test]
fn a_line_is_split_into_its_fields() {
    let entry = parse_line(&LINE.replace(" b.html", "")).unwrap();
    assert_eq!((entry.host.as_str(), entry.path.as_str()), ("10.0.0.1", "/a"));
    assert_eq!((entry.method.as_str(), entry.status, entry.bytes), ("GET", 200, 2326));
}

#[test]
fn what_is_no_entry_is_refused() {
    assert_eq!(parse_line("10.0.0.1 - -"), Err(ParseError::TooShort));
    let word = LINE.replace("GET /a b.html HTTP/1.1", "GET");
    assert_eq!(parse_line(&word), Err(ParseError::BadRequest));
    assert_eq!(parse_line(&LINE.replace("200", "ok")), Err(ParseError::BadNumber));
    assert_eq!(parse_line(&LINE.replace("2326", "2k")), Err(ParseError::BadNumber));
}

#[test]
fn paths_are_counted_most_first() {
    let line = |path: &str, status: u16, bytes: &str| {
        format!("h - - [t] \"GET {path} HTTP/1.1\" {status} {bytes}\n")
    };
    let log = [line("/b", 200, "5"), line("/a", 503, "-"), String::from("\n"), line("/b", 404, "7")];
    let summary = summarise(&log.concat()).unwrap();
    assert_eq!((summary.requests, summary.errors, summary.bytes), (3, 1, 12));
    assert_eq!(summary.paths, [("/b".to_owned(), 2), ("/a".to_owned(), 1)]);
}
