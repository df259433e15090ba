//! Publishers that use the server API: a thread each, over one kept connection, told what to publish by the main thread.

use std::{
    sync::mpsc::{self, Receiver, SyncSender, TrySendError},
    thread,
};

use bytes::Bytes;
use serde::Deserialize;

use super::{Failure, clock::Clock, http::Http, target::Target};

/// A message to publish.
pub struct Errand {
    pub room: usize,
    pub number: u32,
    pub channel: String,
    pub json: Bytes,
    /// When it was given to the publisher.
    pub at: u64,
}

/// What became of it.
pub struct Done {
    pub room: usize,
    pub number: u32,
    /// Nanoseconds from `at` to the answer.
    pub took: u64,
    /// Else the words of the refusal.
    pub outcome: Result<(), String>,
}

/// The threads.
pub struct ApiPublishers {
    errands: Vec<SyncSender<Errand>>,
    done: Receiver<Done>,
    under_way: usize,
}

impl ApiPublishers {
    /// Starts `count` threads that let `window` errands wait each.
    pub fn start(
        target: &Target,
        count: usize,
        window: usize,
        clock: Clock,
    ) -> Result<Self, Failure> {
        let (tell, done) = mpsc::channel();
        let mut errands = Vec::new();
        for number in 0..count {
            let (give, take) = mpsc::sync_channel(window);
            let publisher = Publisher {
                http: Http::new(target.door(number), &target.host),
                key: target.api_key.clone(),
                clock,
            };
            let tell = tell.clone();
            thread::Builder::new()
                .name("api-publisher".into())
                .spawn(move || publisher.work(&take, &tell))
                .map_err(|e| Failure(format!("can't start a publisher: {e}")))?;
            errands.push(give);
        }
        Ok(Self { errands, done, under_way: 0 })
    }

    /// How many threads there are.
    pub fn len(&self) -> usize {
        self.errands.len()
    }

    /// Gives an errand to one publisher, which does its errands in order. Returns it if that one has its hands full.
    pub fn give(&mut self, publisher: usize, errand: Errand) -> Result<(), Errand> {
        match self.errands[publisher].try_send(errand) {
            Ok(()) => {
                self.under_way += 1;
                Ok(())
            }
            Err(TrySendError::Full(errand) | TrySendError::Disconnected(errand)) => Err(errand),
        }
    }

    /// What is done by now.
    pub fn take_done(&mut self) -> Vec<Done> {
        let done: Vec<_> = self.done.try_iter().collect();
        self.under_way -= done.len();
        done
    }

    /// Errands given and not yet done.
    pub fn under_way(&self) -> usize {
        self.under_way
    }
}

struct Publisher {
    http: Http,
    key: String,
    clock: Clock,
}

impl Publisher {
    fn work(mut self, errands: &Receiver<Errand>, tell: &mpsc::Sender<Done>) {
        while let Ok(Errand { room, number, channel, json, at }) = errands.recv() {
            let outcome = self.publish(&channel, &json);
            let took = self.clock.now().saturating_sub(at);
            if tell.send(Done { room, number, took, outcome }).is_err() {
                return;
            }
        }
    }

    fn publish(&mut self, channel: &str, json: &[u8]) -> Result<(), String> {
        let mut body = format!(r#"{{"channel":"{channel}","data":"#).into_bytes();
        body.extend_from_slice(json);
        body.push(b'}');
        let response = self.http.post("/api/publish", &self.key, &body).map_err(|e| e.0)?;
        verdict(response.status, &response.body)
    }
}

/// Whether the server API did what it was asked.
fn verdict(status: u16, body: &[u8]) -> Result<(), String> {
    #[derive(Deserialize)]
    struct Answer {
        error: Option<ApiError>,
        result: Option<serde::de::IgnoredAny>,
    }
    #[derive(Deserialize)]
    struct ApiError {
        code: u32,
        message: String,
    }
    match (status, serde_json::from_slice(body)) {
        (200, Ok(Answer { error: None, result: Some(_) })) => Ok(()),
        (200, Ok(Answer { error: Some(ApiError { code, message }), .. })) => {
            Err(format!("{code} {message}"))
        }
        (401, _) => Err("HTTP 401: give the server's API key with --api-key".into()),
        (status, _) => Err(format!("HTTP {status} from /api/publish")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_result_is_a_success() {
        assert_eq!(verdict(200, br#"{"result":{"offset":1,"epoch":"e"}}"#), Ok(()));
        assert_eq!(verdict(200, br#"{"result":{}}"#), Ok(()));
        let refused = br#"{"error":{"code":102,"message":"unknown channel"}}"#;
        assert_eq!(verdict(200, refused), Err("102 unknown channel".into()));
        assert!(verdict(401, b"").unwrap_err().contains("--api-key"));
        for (status, body) in [(200, &b"{}"[..]), (200, b"hello"), (500, b"{\"result\":{}}")] {
            assert!(verdict(status, body).is_err());
        }
    }
}
