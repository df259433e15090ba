//! A backend in memory: remembers what it was asked, answers what the tests expect.

use std::sync::Mutex;

use super::super::*;
use crate::protocol::{ClientInfo, Epoch, Payload, Publication};

/// Remembers what it was asked; refuses what the channel's name says.
#[derive(Default)]
pub(super) struct Fake {
    asked: Mutex<Vec<String>>,
    pub(super) published: Mutex<Vec<Publish>>,
}

impl Fake {
    fn note<T: Send + 'static>(&self, asked: impl std::fmt::Debug, answer: T) -> Answer<'_, T> {
        self.asked.lock().unwrap().push(format!("{asked:?}"));
        Box::pin(async move { Ok(answer) })
    }

    pub(super) fn last(&self) -> String {
        self.asked.lock().unwrap().last().cloned().unwrap_or_default()
    }
}

fn info() -> Arc<ClientInfo> {
    let client = "c1".to_string();
    let conn_info = Payload::json(r#"{"n":1}"#.into());
    let chan_info = Payload::inspect(vec![255, 0].into());
    Arc::new(ClientInfo { user: "ana".into(), client, conn_info, chan_info })
}

impl Backend for Fake {
    fn publish(&self, request: Publish) -> Answer<'_, Option<Position>> {
        let name = request.channel.as_str().to_string();
        self.published.lock().unwrap().push(request);
        Box::pin(async move {
            match name.as_str() {
                "unknown:a" => Err(Refusal::UNKNOWN_CHANNEL),
                "full" => Err(Refusal::INTERNAL),
                "stuck" => std::future::pending().await,
                "typing" => Ok(None),
                _ => Ok(Some(Position { epoch: Epoch::new("e.1"), offset: 7 })),
            }
        })
    }
    fn subscribe(&self, request: Subscribe) -> Answer<'_, ()> {
        self.note(request, ())
    }
    fn unsubscribe(&self, request: Unsubscribe) -> Answer<'_, ()> {
        self.note(request, ())
    }
    fn disconnect(&self, request: Disconnect) -> Answer<'_, ()> {
        self.note(request, ())
    }
    fn refresh(&self, request: Refresh) -> Answer<'_, ()> {
        self.note(request, ())
    }
    fn bar(&self, bar: Bar) -> Answer<'_, ()> {
        self.note(bar, ())
    }
    fn allow(&self, user: String) -> Answer<'_, ()> {
        self.note(user, ())
    }
    fn presence(&self, channel: Channel) -> Answer<'_, PresenceResult> {
        self.note(channel, [("c1".to_string(), info())].into())
    }
    fn presence_stats(&self, channel: Channel) -> Answer<'_, (u32, u32)> {
        self.note(channel, (3, 2))
    }
    fn history(&self, request: History) -> Answer<'_, HistoryResult> {
        let one = Publication {
            data: Payload::json(r#"{"a":1}"#.into()),
            info: Some(info()),
            offset: 6,
            tags: [("k".to_string(), "v".to_string())].into(),
            delta: false,
        };
        let two = Publication {
            data: Payload::inspect(vec![0, 1].into()),
            offset: 7,
            ..Default::default()
        };
        let publications = vec![Arc::new(one), Arc::new(two)];
        self.note(request, HistoryResult { publications, epoch: Epoch::new("e.1"), offset: 7 })
    }
    fn history_remove(&self, channel: Channel) -> Answer<'_, ()> {
        self.note(channel, ())
    }
    fn channels(&self, pattern: Option<String>) -> Answer<'_, BTreeMap<String, ChannelInfo>> {
        self.note(pattern, [("news".to_owned(), ChannelInfo { num_clients: 2 })].into())
    }
    fn info(&self) -> Answer<'_, Vec<NodeInfo>> {
        let node = NodeInfo {
            uid: "u".into(),
            name: "n".into(),
            version: "v".into(),
            num_clients: 1,
            num_users: 1,
            num_subs: 1,
            num_channels: 1,
            uptime: 5,
            process: Some(Process { cpu: 1.5, rss: 1024 }),
        };
        self.note("info", vec![node])
    }
}
