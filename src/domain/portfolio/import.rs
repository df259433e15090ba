//! Reading a CSV of transactions: what each row says, or what is wrong with it.

use std::collections::HashMap;

use serde::Serialize;

use super::{
    Refusal,
    id::TokenId,
    records::Records,
    token::Token,
    transaction::{Entry, Kind, MOST},
};
use crate::domain::{decimal::Decimal, moment::Moment};

/// The first row, whatever the case of its letters.
pub const HEADER: [&str; 7] = ["Date", "Symbol", "Type", "Quantity", "Price", "Amount", "Notes"];

/// A row that was read; which token its symbol means is yet to be found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// The line of the file that it begins on; the header is on line 1.
    pub line: u64,
    /// As it stands there.
    pub symbol: String,
    kind: Kind,
    quantity: Decimal,
    amount: Decimal,
    occurred_at: Moment,
    notes: Option<String>,
}

/// A row that is not taken.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, utoipa::ToSchema)]
pub struct BadRow {
    pub line: u64,
    pub reason: String,
}

/// Reads a file. Refused whole are a wrong header, more rows than [`MOST`], and none at all.
pub fn read(file: &[u8]) -> Result<(Vec<Row>, Vec<BadRow>), Refusal> {
    let mut records = Records::new(file, HEADER.len());
    if let Some((_, header)) = records.next() {
        check_header(header)?;
    }
    let (mut rows, mut bad) = (Vec::new(), Vec::new());
    for (line, record) in records {
        if rows.len() + bad.len() == MOST {
            let expected = format!("at most {MOST} rows");
            return Err(Refusal::invalid("file", expected, "more"));
        }
        match record.and_then(|record| row(line, &record)) {
            Ok(row) => rows.push(row),
            Err(reason) => bad.push(BadRow { line, reason }),
        }
    }
    match rows.is_empty() && bad.is_empty() {
        true => Err(Refusal::invalid(
            "file",
            format!("the row {} and others below it", HEADER.join(",")),
            "none",
        )),
        false => Ok((rows, bad)),
    }
}

fn check_header(header: Result<csv::ByteRecord, String>) -> Result<(), Refusal> {
    let refused =
        |came| Err(Refusal::invalid("file", format!("the header {}", HEADER.join(",")), came));
    let header = match header {
        Ok(header) => header,
        Err(reason) => return refused(format!("one of which {reason}")),
    };
    let same = |(came, expected): (&[u8], &str)| {
        came.trim_ascii().eq_ignore_ascii_case(expected.as_bytes())
    };
    if header.len() == HEADER.len() && header.iter().zip(HEADER).all(same) {
        return Ok(());
    }
    let came: Vec<_> = header.iter().take(10).map(String::from_utf8_lossy).collect();
    let came: String = came.join(",").chars().take(120).collect();
    refused(format!("{came:?}"))
}

fn row(line: u64, record: &csv::ByteRecord) -> Result<Row, String> {
    if record.len() != HEADER.len() {
        return Err(format!("expected {} fields, got {}", HEADER.len(), record.len()));
    }
    let mut fields = [""; HEADER.len()];
    for ((name, field), bytes) in HEADER.iter().zip(&mut fields).zip(record) {
        *field = std::str::from_utf8(bytes).map_err(|_| format!("{name}: expected UTF-8"))?.trim();
    }
    let [date, symbol, kind, quantity, price, amount, notes] = fields;
    let occurred_at = match Moment::of_day(date) {
        Some(day) => day,
        None => date.parse().map_err(|bad| format!("Date: {bad}, or a day like 2026-01-31"))?,
    };
    if symbol.is_empty() {
        return Err(
            "Symbol: expected a symbol like BTC, or #1 for the token that CoinMarketCap calls 1"
                .into(),
        );
    }
    // Such a text can't be asked of every database.
    if symbol.chars().any(char::is_control) {
        return Err("Symbol: expected one without control characters".into());
    }
    let kind =
        Kind::parse(&kind.to_ascii_lowercase().replace([' ', '-'], "_")).ok_or_else(|| {
            let names: Vec<_> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
            format!("Type: expected one of {}, got {kind:?}", names.join(", "))
        })?;
    let decimal =
        |name: &str, text: &str| text.parse::<Decimal>().map_err(|bad| format!("{name}: {bad}"));
    let quantity = decimal("Quantity", quantity)?;
    // Read also where it does not count: who wrote what is no price may have put the rest into wrong columns, too.
    let price = match price {
        "" => None,
        text => Some(decimal("Price", text)?),
    };
    if let Some(price) = price.filter(|price| price.is_negative()) {
        return Err(format!("Price: expected 0 or more, got {price}"));
    }
    let amount = match (amount, price) {
        ("", None) if matches!(kind, Kind::Buy | Kind::Sell) => {
            return Err("Amount: expected an amount or a price".into());
        }
        ("", None) => Decimal::ZERO,
        ("", Some(price)) => price.times(quantity).map_err(|bad| format!("Price: {bad}"))?,
        // It may hold fees that the price does not.
        (amount, _) => decimal("Amount", amount)?,
    };
    let symbol = symbol.chars().take(64).collect();
    let notes = Some(notes.to_owned()).filter(|notes| !notes.is_empty());
    Ok(Row { line, symbol, kind, quantity, amount, occurred_at, notes })
}

/// Tokens by what a file may call them.
#[derive(Debug, Default)]
pub struct Names(HashMap<String, Vec<(TokenId, i64)>>);

impl Names {
    /// By symbol, whatever the case of its letters.
    pub fn of<'a>(tokens: impl IntoIterator<Item = &'a Token>) -> Self {
        let mut names = Self::default();
        for token in tokens {
            let them = names.0.entry(token.symbol.to_uppercase()).or_default();
            them.push((token.id, token.provider_id));
            names.0.insert(format!("#{}", token.provider_id), vec![(token.id, token.provider_id)]);
        }
        names
    }

    fn find(&self, symbol: &str) -> Result<TokenId, String> {
        match self.0.get(&symbol.to_uppercase()).map_or(&[][..], Vec::as_slice) {
            [] => Err(format!("Symbol: expected a token that is known here, got {symbol:?}")),
            [(id, _)] => Ok(*id),
            several => {
                let them: Vec<_> = several.iter().map(|(_, number)| format!("#{number}")).collect();
                Err(format!(
                    "Symbol: {} tokens are called {symbol}; write which is meant: {}",
                    several.len(),
                    them.join(", ")
                ))
            }
        }
    }
}

/// Finds out which tokens rows mean, and checks what they say.
pub fn entries(rows: Vec<Row>, names: &Names, bad: &mut Vec<BadRow>) -> Vec<(u64, Entry)> {
    let mut entries = Vec::with_capacity(rows.len());
    for row in rows {
        let Row { line, symbol, kind, quantity, amount, occurred_at, notes } = row;
        let entry = names.find(&symbol).and_then(|token_id| {
            let entry = Entry { token_id, kind, quantity, amount, occurred_at, notes };
            entry.checked().map_err(|refused| refused.to_string())
        });
        match entry {
            Ok(entry) => entries.push((line, entry)),
            Err(reason) => bad.push(BadRow { line, reason }),
        }
    }
    entries
}
