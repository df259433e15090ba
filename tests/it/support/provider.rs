//! A provider of prices on this machine, that speaks like CoinMarketCap.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

/// An answer is held back for no longer.
const LONGEST: Duration = Duration::from_secs(30);

/// A call.
#[derive(Clone, Debug)]
pub struct Asked {
    pub at: Instant,
    pub key: String,
    pub ids: Vec<i64>,
}

/// The provider. Every token costs the same: one more than at the call before, unless it is told what.
#[derive(Clone, Default)]
pub struct Provider(Arc<(Mutex<State>, Condvar)>);

#[derive(Default)]
struct State {
    /// By the key that they show.
    calls: BTreeMap<String, u64>,
    /// All of them in their order: when, by whom, for what.
    asked: Vec<Asked>,
    price: Option<Value>,
    /// A call with one of these is refused.
    refused: BTreeSet<i64>,
    /// How long an answer takes.
    late: Duration,
    /// Whose answers are held back.
    held: Vec<String>,
    /// How often that was said: whoever is held back is let go by the next time, and not held by the one after.
    said: u64,
}

impl Provider {
    /// Starts it; with its address.
    pub fn start() -> (Self, String) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("its address"));
        let provider = Self::default();
        let mine = provider.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let provider = mine.clone();
                thread::spawn(move || provider.serve(stream));
            }
        });
        (provider, address)
    }

    /// From now on every token costs that, a number or whatever else.
    pub fn costs(&self, price: Value) {
        self.change(|state| state.price = Some(price));
    }

    /// Holds back what it answers to who shows one of these keys, and no other: it is of now, and comes later.
    pub fn hold(&self, keys: &[&str]) {
        self.change(|state| {
            state.held = keys.iter().map(|key| (*key).to_owned()).collect();
            state.said += 1;
        });
    }

    /// From now on calls with one of these are a bad request.
    pub fn refuses(&self, ids: &[i64]) {
        self.change(|state| state.refused = ids.iter().copied().collect());
    }

    /// From now on an answer takes that long.
    pub fn is_late(&self, by: Duration) {
        self.change(|state| state.late = by);
    }

    /// All calls so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.0.0.lock().expect("no panic").asked.clone()
    }

    /// How often who shows this key has asked.
    pub fn calls(&self, key: &str) -> u64 {
        self.0.0.lock().expect("no panic").calls.get(key).copied().unwrap_or_default()
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.0.lock().expect("no panic"));
        self.0.1.notify_all();
    }

    /// What it costs now, said when it may be; none if it does not say.
    fn price(&self, key: String, ids: &[i64]) -> Option<Value> {
        let (state, changed) = &*self.0;
        let mut state = state.lock().expect("no panic");
        *state.calls.entry(key.clone()).or_default() += 1;
        state.asked.push(Asked { at: Instant::now(), key: key.clone(), ids: ids.to_vec() });
        let is_refused = ids.iter().any(|id| state.refused.contains(id));
        let late = state.late;
        let count: u64 = state.calls.values().sum();
        let price = state.price.clone().unwrap_or(count.into());
        let said = state.said;
        let held = |state: &mut State| state.held.contains(&key) && state.said == said;
        drop(changed.wait_timeout_while(state, LONGEST, held).expect("no panic"));
        thread::sleep(late);
        (!is_refused).then_some(price)
    }

    fn serve(&self, mut stream: TcpStream) -> Option<()> {
        let mut lines = BufReader::new(stream.try_clone().ok()?).lines().map_while(Result::ok);
        while let Some(request) = lines.next() {
            let query = request.split(['?', '&', ' ']).find_map(|part| part.strip_prefix("id="));
            let ids = query.unwrap_or_default().split(',').map_while(|id| id.parse().ok());
            let ids: Vec<i64> = ids.collect();
            let shown = |line: &String| {
                line.to_lowercase().strip_prefix("x-cmc_pro_api_key: ").map(str::to_owned)
            };
            let head = lines.by_ref().take_while(|line| !line.is_empty());
            // All of the head is read.
            let keys: Vec<String> = head.filter_map(|line| shown(&line)).collect();
            let (status, body) = match self.price(keys.concat(), &ids) {
                None => ("400 Bad Request", json!({ "status": { "error_code": 400 } })),
                Some(price) => {
                    let quote = |id| json!({ "id": id, "quote": { "USD": { "price": price } } });
                    let one = |id: &i64| (id.to_string(), quote(*id));
                    let data: serde_json::Map<String, Value> = ids.iter().map(one).collect();
                    ("200 OK", json!({ "data": data }))
                }
            };
            let (body, length) = (body.to_string(), body.to_string().len());
            write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}").ok()?;
        }
        None
    }
}
