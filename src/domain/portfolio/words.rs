//! What any text and list from outside has to keep.

use super::Refusal;

/// A text of one line or, where `lines` is true, of several: trimmed, `least` to `most` characters.
///
/// Other control characters are refused: the databases do not agree on them.
pub fn text(
    field: &str,
    text: &str,
    least: usize,
    most: usize,
    lines: bool,
) -> Result<String, Refusal> {
    let text = text.trim();
    let length = text.chars().count();
    if length < least || length > most {
        let expected = format!("{least} to {most} characters");
        return Err(Refusal::invalid(field, expected, format!("{length}")));
    }
    let bad = |c: &char| c.is_control() && !(lines && matches!(c, '\n' | '\r' | '\t'));
    match text.chars().find(bad) {
        None => Ok(text.to_owned()),
        Some(bad) => {
            Err(Refusal::invalid(field, "a text without control characters", format!("{bad:?}")))
        }
    }
}

/// The same for one that may be left out; an empty one is none.
pub(super) fn optional(
    field: &str,
    given: Option<&str>,
    most: usize,
) -> Result<Option<String>, Refusal> {
    let read = given.map(|given| text(field, given, 0, most, true)).transpose()?;
    Ok(read.filter(|text| !text.is_empty()))
}

/// That a list called `field` has `least` to `most` entries.
pub fn list(field: &str, length: usize, least: usize, most: usize) -> Result<(), Refusal> {
    match (least..=most).contains(&length) {
        true => Ok(()),
        false => Err(Refusal::invalid(field, format!("{least} to {most} of them"), length)),
    }
}
