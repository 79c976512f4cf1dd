use std::fmt;

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub host: String,
    pub method: String,
    pub path: String,
    pub status: u16,
    pub bytes: u64,
}

/// Why a line is no entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParseError {
    TooShort,
    BadRequest,
    BadNumber,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooShort => "the line is too short",
            Self::BadRequest => "the request is not METHOD PATH PROTOCOL",
            Self::BadNumber => "status or size is no number",
        })
    }
}

impl std::error::Error for ParseError {}

/// Parses `host ident user [time] "METHOD path protocol" status bytes`; a size of `-` is 0.
pub fn parse_line(line: &str) -> Result<Entry, ParseError> {
    let fields = fields(line);
    let [host, _ident, _user, _time, request, status, size] = fields.as_slice() else {
        return Err(ParseError::TooShort);
    };
    let mut words = request.split(' ');
    let (Some(method), Some(path), Some(_protocol)) = (words.next(), words.next(), words.next())
    else {
        return Err(ParseError::BadRequest);
    };
    Ok(Entry {
        host: host.to_string(),
        method: method.to_owned(),
        path: path.to_owned(),
        status: status.parse().map_err(|_| ParseError::BadNumber)?,
        bytes: number(size)?,
    })
}

fn number(size: &str) -> Result<u64, ParseError> {
    match size {
        "-" => Ok(0),
        digits => digits.parse().map_err(|_| ParseError::BadNumber),
    }
}

/// Splits at spaces; `[...]` and `"..."` are one field each.
fn fields(line: &str) -> Vec<String> {
    let characters: Vec<char> = line.chars().collect();
    let mut fields = Vec::new();
    let mut start = 0;
    while start < characters.len() {
        let close = match characters[start] {
            '[' => ']',
            '"' => '"',
            ' ' => {
                start += 1;
                continue;
            }
            _ => ' ',
        };
        let begin = if close == ' ' { start } else { start + 1 };
        let mut field = String::new();
        let mut at = begin;
        while at < characters.len() && characters[at] != close {
            field = format!("{field}{}", characters[at]);
            at += 1;
        }
        fields.push(field);
        start = at + 1;
    }
    fields
}
