//! Text that a database keeps: PostgreSQL has no place for U+0000, which a user's id may hold. Pure.

use std::borrow::Cow;

/// Stands before a character that is written otherwise.
const ESCAPE: char = '\u{1}';

/// As it is stored: itself, but for U+0000 and U+0001, which nobody uses on purpose.
pub(super) fn stored(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', ESCAPE]) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace(ESCAPE, "\u{1}1").replace('\0', "\u{1}0"))
}

/// Back again.
pub(super) fn loaded(text: String) -> String {
    match text.contains(ESCAPE) {
        true => text.replace("\u{1}0", "\0").replace("\u{1}1", "\u{1}"),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_comes_back(text in "[\0\u{1}01a\u{e9}]{0,9}") {
            let kept = stored(&text).into_owned();
            prop_assert!(!kept.contains('\0'));
            prop_assert_eq!(loaded(kept), text);
        }
    }
}
