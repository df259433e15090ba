//! The words of the protocol as the checker's clients say and read them: JSON, each reply parsed whole.
//!
//! Of its own, so that no mistake of the server's codec can hide here.

use std::{borrow::Cow, collections::BTreeMap};

use serde::Deserialize;
use serde_json::{json, value::RawValue};

/// A reply or a push.
#[derive(Deserialize, Debug)]
pub struct Reply<'a> {
    #[serde(default)]
    pub id: u32,
    #[serde(borrow)]
    pub push: Option<Push<'a>>,
    pub error: Option<Refusal>,
    pub connect: Option<Connected<'a>>,
    pub subscribe: Option<Subscribed<'a>>,
    pub rpc: Option<Answer<'a>>,
}

#[derive(Deserialize, Debug)]
pub struct Push<'a> {
    #[serde(borrow, default)]
    pub channel: Cow<'a, str>,
    #[serde(borrow, rename = "pub")]
    pub publication: Option<Publication<'a>>,
    pub unsubscribe: Option<Unsubscribed>,
}

#[derive(Deserialize, Debug)]
pub struct Publication<'a> {
    #[serde(borrow)]
    pub data: &'a RawValue,
    #[serde(default)]
    pub offset: u32,
}

#[derive(Deserialize, Debug)]
pub struct Unsubscribed {
    pub code: u16,
}

#[derive(Deserialize, Debug)]
pub struct Refusal {
    pub code: u16,
    #[serde(default)]
    pub temporary: bool,
}

#[derive(Deserialize, Debug)]
pub struct Connected<'a> {
    /// Seconds; 0: the server does not ping.
    #[serde(default)]
    pub ping: u64,
    #[serde(default)]
    pub pong: bool,
    #[serde(borrow, default)]
    pub subs: BTreeMap<Cow<'a, str>, Subscribed<'a>>,
}

#[derive(Deserialize, Debug)]
pub struct Subscribed<'a> {
    #[serde(borrow, default)]
    pub epoch: Cow<'a, str>,
    #[serde(default)]
    pub offset: u32,
    #[serde(default)]
    pub recovered: bool,
    #[serde(default)]
    pub was_recovering: bool,
    #[serde(borrow, default)]
    pub publications: Vec<Publication<'a>>,
}

/// What the method `publish` answers.
#[derive(Deserialize, Debug)]
pub struct Answer<'a> {
    #[serde(borrow)]
    pub data: Option<&'a RawValue>,
}

/// Where a publication stands.
#[derive(Deserialize, Debug)]
pub struct Place<'a> {
    pub offset: u32,
    #[serde(borrow)]
    pub epoch: Cow<'a, str>,
}

/// The replies of a frame, one a line.
pub fn replies(frame: &[u8]) -> impl Iterator<Item = serde_json::Result<Reply<'_>>> {
    frame
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(serde_json::from_slice::<Reply<'_>>)
}

impl Reply<'_> {
    /// Whether it asks if the client is there.
    pub fn is_ping(&self) -> bool {
        self.id == 0 && self.push.is_none()
    }
}

/// Where a client left off: offset and epoch.
pub type Position<'a> = Option<(u32, &'a str)>;

/// Says who connects, and where it stands in channels that the server subscribes it to.
pub fn connect<'a>(
    id: u32,
    token: &str,
    subs: impl Iterator<Item = (&'a str, u32, &'a str)>,
) -> String {
    let subs: BTreeMap<&str, serde_json::Value> = subs
        .map(|(channel, offset, epoch)| {
            (channel, json!({ "recover": true, "offset": offset, "epoch": epoch }))
        })
        .collect();
    json!({ "id": id, "connect": { "token": token, "name": "chaos", "subs": subs } }).to_string()
}

/// Asks for a recoverable subscription.
pub fn subscribe(id: u32, channel: &str, from: Position<'_>) -> String {
    let mut request = json!({ "channel": channel, "recoverable": true, "positioned": true });
    if let Some((offset, epoch)) = from {
        request["recover"] = true.into();
        request["offset"] = offset.into();
        request["epoch"] = epoch.into();
    }
    json!({ "id": id, "subscribe": request }).to_string()
}

/// Gives a subscription up.
pub fn unsubscribe(id: u32, channel: &str) -> String {
    json!({ "id": id, "unsubscribe": { "channel": channel } }).to_string()
}

/// Publishes JSON by the method that answers with the place, perhaps under a key.
pub fn publish(id: u32, channel: &str, data: &[u8], key: Option<&str>) -> Vec<u8> {
    let channel = json!(channel);
    let mut out =
        format!(r#"{{"id":{id},"rpc":{{"method":"publish","data":{{"channel":{channel},"#);
    if let Some(key) = key {
        out += &format!(r#""idempotency_key":{},"#, json!(key));
    }
    out += r#""data":"#;
    let mut out = out.into_bytes();
    out.extend_from_slice(data);
    out.extend_from_slice(b"}}}");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Reply<'_> {
        replies(line.as_bytes()).next().unwrap().unwrap()
    }

    #[test]
    fn replies_are_read_as_they_come() {
        let frame =
            "{}\n{\"id\":3,\"error\":{\"code\":100,\"message\":\"x\",\"temporary\":true}}\n";
        let all: Vec<_> = replies(frame.as_bytes()).map(Result::unwrap).collect();
        assert!(all[0].is_ping() && !all[1].is_ping());
        assert!(all[1].error.as_ref().is_some_and(|e| e.code == 100 && e.temporary));
        let push = r#"{"push":{"channel":"a","pub":{"data":{"x":1},"offset":7}}}"#;
        let push = read(push).push.unwrap();
        let publication = push.publication.unwrap();
        assert_eq!((publication.offset, publication.data.get()), (7, r#"{"x":1}"#));
        let ended = r#"{"push":{"channel":"a","unsubscribe":{"code":2500,"reason":"r"}}}"#;
        assert_eq!(read(ended).push.unwrap().unsubscribe.unwrap().code, 2500);
    }

    #[test]
    fn a_subscription_says_where_it_stands() {
        let line =
            r#"{"id":2,"subscribe":{"recoverable":true,"epoch":"g.0","offset":3,"recovered":true,
            "was_recovering":true,"publications":[{"data":1,"offset":2},{"data":2,"offset":3}]}}"#
                .replace('\n', " ");
        let subscribed = read(&line).subscribe.unwrap();
        assert_eq!((subscribed.offset, subscribed.epoch.as_ref()), (3, "g.0"));
        assert!(subscribed.recovered && subscribed.was_recovering);
        assert_eq!(subscribed.publications.len(), 2);
        let line = r#"{"id":1,"connect":{"client":"c","ping":25,"pong":true,"subs":{"#.to_owned()
            + r##""#7":{"epoch":"g.0","offset":4}}}}"##;
        let connected = read(&line).connect.unwrap();
        assert_eq!((connected.ping, connected.pong, connected.subs["#7"].offset), (25, true, 4));
    }

    #[test]
    fn a_publish_is_answered_with_its_place() {
        let answer = r#"{"id":4,"rpc":{"data":{"offset":9,"epoch":"g.1"}}}"#;
        let data = read(answer).rpc.unwrap().data.unwrap();
        let place: Place<'_> = serde_json::from_str(data.get()).unwrap();
        assert_eq!((place.offset, place.epoch.as_ref()), (9, "g.1"));
        let said = publish(4, "a", b"{\"x\":1}", Some("k"));
        let said: serde_json::Value = serde_json::from_slice(&said).unwrap();
        let data = json!({ "channel": "a", "data": { "x": 1 }, "idempotency_key": "k" });
        assert_eq!(said, json!({ "id": 4, "rpc": { "method": "publish", "data": data } }));
    }

    #[test]
    fn who_comes_back_says_where_it_left_off() {
        let said = subscribe(2, "a", Some((5, "g.0")));
        assert!(said.contains(r#""recover":true"#) && said.contains(r#""offset":5"#), "{said}");
        assert!(!subscribe(2, "a", None).contains("recover\":true"));
        let said = connect(1, "t", [("#7", 4, "g.0")].into_iter());
        assert!(said.contains(r##""#7":{"epoch":"g.0""##), "{said}");
    }
}
