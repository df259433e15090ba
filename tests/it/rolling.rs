//! Three nodes behind NGINX are replaced one after the other under traffic: everybody comes back elsewhere and hears
//! everything, once and in order.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use fanfare::platform::scratch::{Nginx, nginx::PLAIN};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::{API_KEY, Client, Cluster, DEADLINE, Socket, request, sign, until};

const ROOM: &str = "room";
const PEOPLE: usize = 24;

/// How much longer than its node's drain a client may be away.
const GRACE: Duration = Duration::from_secs(2);

/// Says one message after the other, each until it is acknowledged, and that it was the last when told to.
/// Returns how many there were.
fn speak(port: u16, last: &AtomicBool) -> u64 {
    let head = format!("POST /api/publish HTTP/1.1\r\nX-API-Key: {API_KEY}");
    for n in 1.. {
        let ends = last.load(Ordering::Relaxed);
        let message = json!({
            "channel": ROOM, "data": { "n": n, "last": ends }, "idempotency_key": format!("key {n}"),
        });
        until("a message is acknowledged", DEADLINE, || {
            let answer = request(port, &head, &message.to_string()).ok()?;
            let offset = || answer.json()["result"]["offset"].as_u64();
            let offset = (answer.status == 200).then(offset).flatten()?;
            assert_eq!(offset, n, "a message stands twice, or one is missing");
            Some(())
        });
        if ends {
            return n;
        }
    }
    unreachable!("there are more numbers than time");
}

/// Somebody who comes back whenever the server sends it away.
struct Person {
    user: String,
    port: u16,
    epoch: Value,
    offset: u64,
    /// The longest time between being sent away and being back.
    away: Duration,
    returns: usize,
}

impl Person {
    fn new(port: u16, number: usize) -> Self {
        let user = format!("user-{number}");
        Self { user, port, epoch: Value::Null, offset: 0, away: Duration::ZERO, returns: 0 }
    }

    /// Comes in and catches up; none if it was refused or sent away again. The last word may be among what it missed.
    fn come_in(&mut self) -> Option<(Client, bool)> {
        let cookie = format!("Cookie: fanfare_user={}\r\n", self.user);
        let socket = Socket::try_open(self.port, "/connection/websocket", &cookie).ok()?;
        let mut client = Client::on(socket);
        let mut subscribe = json!({ "channel": ROOM });
        if self.epoch.is_string() {
            subscribe = json!({
                "channel": ROOM, "recover": true, "epoch": self.epoch, "offset": self.offset,
            });
        }
        client.send(json!({ "connect": { "token": sign(&json!({ "sub": self.user })) } }));
        client.next_reply().ok()?;
        client.send(json!({ "subscribe": subscribe }));
        let reply = client.next_reply().ok()?;
        if reply["error"]["temporary"] == true {
            return None;
        }
        let result = &reply["subscribe"];
        if self.epoch.is_null() {
            self.epoch = result["epoch"].clone();
            self.offset = result["offset"].as_u64().unwrap_or(0);
        } else {
            assert_eq!(
                (&result["recovered"], &result["epoch"]),
                (&true.into(), &self.epoch),
                "{reply}"
            );
        }
        let missed = result["publications"].as_array().into_iter().flatten();
        let mut last = false;
        for publication in missed {
            last |= self.hear(publication);
        }
        Some((client, last))
    }

    /// True for the last message.
    fn hear(&mut self, publication: &Value) -> bool {
        let offset = publication["offset"].as_u64().expect("an offset");
        assert_eq!(offset, self.offset + 1, "a hole, a repetition or a step back");
        assert_eq!(publication["data"]["n"], offset);
        self.offset = offset;
        publication["data"]["last"] == true
    }

    /// Listens until the last message.
    fn listen(mut self, is_in: impl FnOnce()) -> Self {
        let (mut client, _) = self.come_in().expect("everybody is let in at first");
        is_in();
        loop {
            match client.next_push() {
                Ok(push) if push["pub"].is_object() => {
                    if self.hear(&push["pub"]) {
                        return self;
                    }
                }
                Ok(push) if push["unsubscribe"].is_null() => {}
                // Sent away from the channel or from the node.
                Ok(_) | Err(_) => {
                    let went = Instant::now();
                    let (back, last) = until("it is back", DEADLINE, || self.come_in());
                    client = back;
                    self.away = self.away.max(went.elapsed());
                    self.returns += 1;
                    if last {
                        return self;
                    }
                }
            }
        }
    }
}

#[test]
fn three_nodes_are_replaced_under_traffic_and_nobody_misses_anything() {
    let settings = [("SHUTDOWN__BATCH_SIZE", "4"), ("SHUTDOWN__BATCH_PAUSE", "100ms")];
    let mut cluster = Cluster::with(3, &settings);
    let addresses: Vec<SocketAddr> =
        cluster.nodes.iter().map(|node| ([127, 0, 0, 1], node.port).into()).collect();
    let nginx = Nginx::start(&addresses, &[PLAIN]).expect("NGINX starts");
    let (port, last) = (nginx.port(), AtomicBool::new(false));
    let everybody = std::sync::Barrier::new(PEOPLE + 1);
    thread::scope(|scope| {
        let listen = |number| {
            Person::new(port, number).listen(|| {
                everybody.wait();
            })
        };
        let people: Vec<_> =
            (0..PEOPLE).map(|number| scope.spawn(move || listen(number))).collect();
        everybody.wait();
        let speaker = scope.spawn(|| speak(port, &last));
        let mut drain = Duration::ZERO;
        for node in &mut cluster.nodes {
            let told = Instant::now();
            node.signal(Signal::SIGTERM);
            assert_eq!(node.ended().code(), Some(0));
            drain = drain.max(told.elapsed());
            node.launch();
        }
        last.store(true, Ordering::Relaxed);
        let said = speaker.join().expect("everything was acknowledged");
        let people: Vec<Person> = people
            .into_iter()
            .map(|person| person.join().expect("nobody missed anything"))
            .collect();
        for person in &people {
            assert_eq!(person.offset, said);
            assert!(person.away <= drain + GRACE, "{:?} away, drained in {drain:?}", person.away);
        }
        let returns: usize = people.iter().map(|person| person.returns).sum();
        assert!(returns >= PEOPLE, "each was on a node that went: {returns} returns");
    });
}
