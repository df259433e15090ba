//! Listing tokens, so that people can hold them: what a provider's token has to be, and reading a CSV of them.

use std::collections::HashMap;

use super::{Refusal, import::BadRow, records::Records, text};

/// The first row, whatever the case of its letters; the last one may be missing.
pub const HEADER: [&str; 4] = ["symbol", "name", "provider_id", "logo_url"];

/// Tokens of one file, at most: more than any provider has.
pub const MOST: usize = 50_000;

/// A token as its provider has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewToken {
    pub symbol: String,
    pub name: String,
    pub provider_id: i64,
    pub logo_url: Option<String>,
}

impl NewToken {
    /// Checks it; what comes back is trimmed.
    pub fn checked(self) -> Result<Self, Refusal> {
        if self.provider_id < 1 {
            return Err(Refusal::invalid("provider_id", "1 or more", self.provider_id));
        }
        Ok(Self {
            symbol: text("symbol", &self.symbol, 1, 64, false)?,
            name: text("name", &self.name, 1, 200, false)?,
            provider_id: self.provider_id,
            logo_url: self.logo_url.map(|url| logo(&url)).transpose()?,
        })
    }
}

/// The address of a picture, which screens of many people will ask for.
fn logo(url: &str) -> Result<String, Refusal> {
    let url = text("logo_url", url, 1, 2_000, false)?;
    match ["https://", "http://"].iter().any(|start| url.starts_with(start)) {
        true => Ok(url),
        false => {
            let came: String = url.chars().take(64).collect();
            Err(Refusal::invalid("logo_url", "nothing, or what begins with https://", came))
        }
    }
}

/// Reads a file: all its tokens, or all that is wrong with it.
pub fn read(file: &[u8]) -> Result<Vec<NewToken>, Vec<BadRow>> {
    // A logo may be missing, so a line of three fields can be a row.
    let mut records = Records::new(file, HEADER.len() - 1);
    let (line, header) = records.next().unwrap_or((1, Ok(csv::ByteRecord::new())));
    let columns = header.and_then(|header| columns(&header));
    let columns = columns.map_err(|reason| vec![BadRow { line, reason }])?;
    let (mut tokens, mut bad) = (Vec::new(), Vec::new());
    let mut lines: HashMap<i64, u64> = HashMap::new();
    for (line, record) in records {
        if tokens.len() + bad.len() == MOST {
            bad.push(BadRow { line, reason: format!("expected at most {MOST} rows, got more") });
            break;
        }
        let token = record.and_then(|record| token(columns, &record));
        let once = token.and_then(|token| match lines.insert(token.provider_id, line) {
            None => Ok(token),
            Some(first) => Err(format!(
                "provider_id: expected each number once, got {}, which line {first} has; leave one out",
                token.provider_id
            )),
        });
        match once {
            Ok(token) => tokens.push(token),
            Err(reason) => bad.push(BadRow { line, reason }),
        }
    }
    if tokens.is_empty() && bad.is_empty() {
        bad.push(BadRow { line: 2, reason: "expected a row for each token, got none".into() });
    }
    if bad.is_empty() { Ok(tokens) } else { Err(bad) }
}

/// How many columns a file with this header has.
fn columns(header: &csv::ByteRecord) -> Result<usize, String> {
    let same = |(came, expected): (&[u8], &str)| {
        came.trim_ascii().eq_ignore_ascii_case(expected.as_bytes())
    };
    let fits = header.iter().zip(HEADER).all(same);
    if fits && (HEADER.len() - 1..=HEADER.len()).contains(&header.len()) {
        return Ok(header.len());
    }
    let came: Vec<_> = header.iter().take(10).map(String::from_utf8_lossy).collect();
    let came: String = came.join(",").chars().take(120).collect();
    Err(format!("expected the header {}, got {came:?}", HEADER.join(",")))
}

fn token(columns: usize, record: &csv::ByteRecord) -> Result<NewToken, String> {
    if record.len() != columns {
        return Err(format!("expected {columns} fields, got {}", record.len()));
    }
    let mut fields = [""; HEADER.len()];
    for ((name, field), bytes) in HEADER.iter().zip(&mut fields).zip(record) {
        *field = std::str::from_utf8(bytes).map_err(|_| format!("{name}: expected UTF-8"))?.trim();
    }
    let [symbol, name, number, logo_url] = fields;
    let provider_id = match number.parse() {
        Ok(provider_id) if number.bytes().all(|byte| byte.is_ascii_digit()) => provider_id,
        _ => {
            let came: String = number.chars().take(64).collect();
            return Err(format!("provider_id: expected a number like 1027, got {came:?}"));
        }
    };
    let logo_url = Some(logo_url.to_owned()).filter(|url| !url.is_empty());
    let token = NewToken { symbol: symbol.into(), name: name.into(), provider_id, logo_url };
    token.checked().map_err(|refused| refused.to_string())
}
