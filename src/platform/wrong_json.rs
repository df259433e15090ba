//! What is wrong with a JSON text, in words that quote none of it: it may hold a token or a message.

use serde_json::error::Category;

/// Says what was expected of `what` ("a command"), and where something else came.
///
/// serde_json's own words quote the value that does not fit; of them only what a type expects, and the
/// names that it knows, are taken.
pub fn explain(wrong: &serde_json::Error, what: &str) -> String {
    let place = match (wrong.line(), wrong.column()) {
        (0 | 1, column) => format!("at column {column}"),
        (line, column) => format!("at line {line}, column {column}"),
    };
    match wrong.classify() {
        Category::Io | Category::Eof => {
            format!("expected {what} as a JSON object, got one that ends early, {place}")
        }
        Category::Syntax => format!("expected {what} as JSON, got a syntax error {place}"),
        Category::Data => {
            let text = wrong.to_string();
            match missing(&text) {
                Some(field) => format!("expected the field {field} in {what}, got none {place}"),
                None => format!("expected {} in {what}, got something else {place}", wanted(&text)),
            }
        }
    }
}

/// The field of ours that did not come.
fn missing(text: &str) -> Option<&str> {
    text.strip_prefix("missing field `")?.split('`').next()
}

/// What serde would have taken. It stands behind the value, which may hold the same words.
fn wanted(text: &str) -> &str {
    const QUOTING: [&str; 3] = ["invalid ", "unknown variant ", "unknown field "];
    if text.starts_with("duplicate field ") {
        return "each field once";
    }
    let (text, _) = text.rsplit_once(" at line ").unwrap_or((text, ""));
    if text.ends_with(", there are no fields") {
        return "no field";
    }
    let quotes = QUOTING.iter().any(|start| text.starts_with(start));
    let wanted = text.rsplit_once(", expected ").filter(|_| quotes);
    match wanted {
        // The name that it has here says nothing to who wrote the text.
        Some((_, wanted)) if wanted.starts_with("struct ") => "an object",
        Some((_, wanted)) => wanted,
        None => "another value",
    }
}

#[cfg(test)]
mod tests {
    use serde::{
        Deserialize, Deserializer,
        de::{DeserializeOwned, Error},
    };

    use super::*;

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code)]
    struct Request {
        channel: String,
        limit: Option<u8>,
        kind: Option<Kind>,
        pair: Option<(u8, u8)>,
        odd: Option<Odd>,
    }

    #[derive(Deserialize, Debug)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Stream,
        Map,
    }

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}

    #[derive(Debug)]
    struct Odd;

    impl<'de> Deserialize<'de> for Odd {
        fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            let text = String::deserialize(from)?;
            Err(D::Error::custom(format_args!("{text} is odd, expected {text}")))
        }
    }

    fn said<T: DeserializeOwned + std::fmt::Debug>(json: &str) -> String {
        explain(&serde_json::from_str::<T>(json).expect_err("it does not fit"), "a request")
    }

    #[test]
    fn what_was_expected_and_where_is_said_and_nothing_is_quoted() {
        for (json, expected) in [
            (r#"{"limit":"secret"}"#, "expected u8 in a request, got something else at column 17"),
            (
                r#"{"channel":["secret"]}"#,
                "expected a string in a request, got something else at column 11",
            ),
            (r#"{"limit":7777}"#, "expected u8 in a request, got something else at column 13"),
            (
                r#"{"secret":1}"#,
                "expected one of `channel`, `limit`, `kind`, `pair`, `odd` in a request, got something else at column 9",
            ),
            (
                r#"{"kind":"secret"}"#,
                "expected `stream` or `map` in a request, got something else at column 16",
            ),
            (
                r#"{"pair":[1]}"#,
                "expected a tuple of size 2 in a request, got something else at column 11",
            ),
            (r#"["secret"]"#, "expected an object in a request, got something else at column 10"),
            ("7777", "expected an object in a request, got something else at column 4"),
            ("{\n}", "expected the field channel in a request, got none at line 2, column 1"),
            (
                r#"{"limit":1,"limit":2}"#,
                "expected each field once in a request, got something else at column 18",
            ),
            (
                r#"{"limit":"secret, expected secret at line 7777"}"#,
                "expected u8 in a request, got something else at column 47",
            ),
            (
                r#"{"odd":"secret"}"#,
                "expected another value in a request, got something else at column 16",
            ),
            (
                r#"{"channel":"secret" 7777"#,
                "expected a request as JSON, got a syntax error at column 21",
            ),
            (
                r#"{"channel":"secret"#,
                "expected a request as a JSON object, got one that ends early, at column 18",
            ),
        ] {
            assert_eq!(said::<Request>(json), expected, "{json}");
        }
        assert_eq!(
            said::<Nothing>(r#"{"a, expected secret":1}"#),
            "expected no field in a request, got something else at column 21"
        );
    }
}
