//! The crowd against a server that is just good enough, and against one that lies.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use serde_json::json;

use super::{
    crowd::{Crowd, Manner, Server},
    judge::tests::{divide, right},
};
use crate::load::clock::{Clock, nanos};

/// What the server does wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    None,
    /// One sum is a cent too large.
    Cent,
    /// It acknowledges what is bought and shows it one answer later.
    Late,
    /// Every other answer is a 503.
    Busy,
    /// It hangs up in the middle of every other answer.
    HangUp,
    /// It closes its connection after each answer, as it may.
    Close,
}

/// How many times each token has bought something.
type Bought = Arc<Mutex<HashMap<String, i64>>>;

fn start(fault: Fault) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let bought = Bought::default();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let bought = bought.clone();
            // The client hanging up is how each ends.
            thread::spawn(move || serve(stream, fault, &bought));
        }
    });
    address
}

fn serve(stream: TcpStream, fault: Fault, bought: &Bought) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut shown_before: HashMap<String, i64> = HashMap::new();
    for n in 0.. {
        let (mut head, mut length) = (String::new(), 0);
        let mut token = String::new();
        while !head.ends_with("\r\n\r\n") {
            let mut line = String::new();
            reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
            if let Some(value) = line.strip_prefix("Content-Length: ") {
                length = value.trim().parse().ok()?;
            }
            if let Some(value) = line.strip_prefix("Authorization: Bearer ") {
                token = value.trim().to_owned();
            }
            head.push_str(&line);
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let buys = head.starts_with("POST /v1/portfolios/p/transactions ");
        let times = {
            let mut all = bought.lock().unwrap();
            let times = all.entry(token.clone()).or_default();
            *times += i64::from(buys);
            *times
        };
        let shown = match fault {
            Fault::Late if !buys => shown_before.insert(token, times).unwrap_or(times),
            _ => times,
        };
        let (status, body) = match (buys, fault) {
            (_, Fault::Busy) if n % 2 == 1 => ("503 Service Unavailable", "{}".to_owned()),
            (true, _) => ("201 Created", "{}".to_owned()),
            (false, _) => ("200 OK", dashboard(shown, fault)),
        };
        let last = if fault == Fault::Close { "Connection: close\r\n" } else { "" };
        let answer =
            format!("HTTP/1.1 {status}\r\n{last}Content-Length: {}\r\n\r\n{body}", body.len());
        let end = if fault == Fault::HangUp && n % 2 == 1 { 80 } else { answer.len() };
        reader.get_mut().write_all(&answer.as_bytes()[..end]).ok()?;
        if end < answer.len() || fault == Fault::Close {
            return None;
        }
    }
    None
}

/// Of somebody who has bought a thousandth of the first token so many times, at 1 each.
fn dashboard(times: i64, fault: Fault) -> String {
    let mut it = right(1 + times);
    let thousandths = |whole: i64, n: i64| {
        format!("{whole}.{n:03}").trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    // 3 at 100, and so many thousandths more; 240 were paid for the 3.
    let value = |before: i64| before + times / 10;
    let tenth = times % 10;
    let profit = |before: i64| {
        let tenths = before * 10 + times - 10 * times;
        let sign = if tenths < 0 { "-" } else { "" };
        format!("{sign}{}.{}", tenths.abs() / 10, tenths.abs() % 10)
    };
    let cent = if fault == Fault::Cent { "1" } else { "" };
    for (place, figure) in [
        ("/holdings/items/0/quantity", thousandths(3, times)),
        ("/holdings/items/0/value", format!("{}.{tenth}", value(300))),
        ("/holdings/items/0/invested", (240 + times).to_string()),
        ("/holdings/items/0/profit", profit(60)),
        ("/portfolios/items/0/value", format!("{}.{tenth}{cent}", value(320))),
        ("/portfolios/items/0/invested", (250 + times).to_string()),
        ("/portfolios/items/0/profit", profit(70)),
    ] {
        *it.pointer_mut(place).unwrap() = json!(figure);
    }
    if fault != Fault::Cent {
        divide(&mut it);
    }
    it.to_string()
}

/// Some people look for a while, without much thinking, and buy on every third visit.
fn visited(fault: Fault) -> Crowd {
    let server = Server { doors: vec![start(fault)], host: "localhost".into() };
    let tokens: Vec<String> = (0..5).map(|n| format!("token-{n}")).collect();
    let manner = Manner { think: Duration::from_millis(2), buys: 333 };
    let clock = Clock::start();
    let mut crowd = Crowd::new(server, &tokens, manner, clock).unwrap();
    crowd.come(Duration::from_millis(10));
    crowd.measure();
    let end = clock.now() + nanos(Duration::from_secs(10));
    while crowd.figures.requests < 200 && clock.now() < end {
        crowd.turn().unwrap();
    }
    crowd.close().unwrap();
    crowd
}

#[test]
fn an_honest_server_is_found_right_whatever_people_buy() {
    for fault in [Fault::None, Fault::Close] {
        let crowd = visited(fault);
        let figures = &crowd.figures;
        assert_eq!((figures.errors, figures.wrong), (0, 0), "{fault:?}: {:?}", figures.words);
        assert!(figures.requests >= 200 && figures.writes > 20, "{}", figures.requests);
        assert_eq!(crowd.arrived(), 5);
        assert!(crowd.sample.starts_with(b"{"));
    }
}

#[test]
fn a_server_that_lies_has_wrong_answers() {
    for fault in [Fault::Cent, Fault::Late] {
        let crowd = visited(fault);
        assert!(crowd.figures.wrong > 0, "{fault:?}: {:?}", crowd.figures.words);
        assert_eq!(crowd.figures.errors, 0, "{fault:?}: {:?}", crowd.figures.words);
    }
}

#[test]
fn a_server_that_refuses_or_hangs_up_has_errors_and_people_go_on() {
    for fault in [Fault::Busy, Fault::HangUp] {
        let crowd = visited(fault);
        assert!(crowd.figures.errors > 0, "{fault:?}: {:?}", crowd.figures.words);
        assert_eq!(crowd.figures.wrong, 0, "{fault:?}: {:?}", crowd.figures.words);
        assert!(crowd.figures.requests >= 200, "{fault:?}");
    }
}
