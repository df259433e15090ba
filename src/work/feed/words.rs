//! What nodes tell each other through the feed: JSON, since each is read by nodes of two versions. Pure.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    ids::NodeId,
    realtime::{
        peers::Beat,
        session::everywhere::{Channels, Order},
    },
};

/// A word and the run that says it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Note {
    pub run: NodeId,
    pub word: Word,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Word {
    Beat(Beat),
    /// The run ends in good order.
    Farewell,
    Order(Order),
    /// Which channels each of the others has.
    Question {
        number: u64,
        pattern: Option<String>,
    },
    /// None: more than fit.
    Answer {
        to: NodeId,
        number: u64,
        found: Option<Channels>,
    },
}

impl Note {
    pub fn encode(&self) -> Bytes {
        // Names, numbers and texts: they always have a JSON form.
        serde_json::to_vec(self).unwrap_or_default().into()
    }

    /// None if it is of a kind that this version does not know.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::realtime::{
        barred::{Bar, Whom},
        journal::WriterId,
        peers::Place,
    };

    #[test]
    fn a_note_is_read_as_it_was_written() {
        let run = NodeId::new();
        let beat = Beat {
            trusts: true,
            passed: [(run, Place { writer: WriterId(uuid::Uuid::from_u128(5)), seq: 7 })].into(),
            buried: [NodeId::new()].into(),
            ..Beat::default()
        };
        let whom = Whom::TokensBefore { user: "ana".into(), before: 7 };
        let order = Order::Bar(Bar { whom, until: None });
        let found = Some([("news".to_owned(), 3)].into());
        let answer = Word::Answer { to: run, number: 1, found };
        let question = Word::Question { number: 1, pattern: Some("a*".into()) };
        for word in [Word::Beat(beat), Word::Farewell, Word::Order(order), question, answer] {
            let note = Note { run, word };
            assert_eq!(Note::decode(&note.encode()), Some(note));
        }
    }

    #[test]
    fn what_another_version_says_is_passed_over() {
        let run = NodeId::new();
        for strange in [
            r#"{"run":"RUN","word":{"sing":{"song":1}}}"#.replace("RUN", &run.to_string()),
            r#"{"run":"nobody","word":"farewell"}"#.into(),
            "".into(),
        ] {
            assert_eq!(Note::decode(strange.as_bytes()), None);
        }
        let more = r#"{"run":"RUN","word":"farewell","hat":"red"}"#;
        let more = more.replace("RUN", &run.to_string());
        assert_eq!(Note::decode(more.as_bytes()), Some(Note { run, word: Word::Farewell }));
    }
}
