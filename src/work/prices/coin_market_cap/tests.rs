//! Against a server on this machine that behaves like the service, on its good days and on its bad ones.

use std::{
    io::{BufRead, BufReader, Write},
    net::{Shutdown, TcpListener},
    sync::mpsc,
    thread,
};

use super::*;

const PATIENCE: Duration = Duration::from_secs(5);

/// Answers one request with these bytes, then waits until the client is gone. Returns its address, and what it was asked.
fn server(answer: String) -> (String, mpsc::Receiver<Vec<String>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (asked, told) = mpsc::channel();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let lines = (&mut reader).lines().map(Result::unwrap).take_while(|line| !line.is_empty());
        asked.send(lines.collect()).unwrap();
        stream.write_all(answer.as_bytes()).unwrap();
        if answer.ends_with('\u{4}') {
            return stream.shutdown(Shutdown::Both).unwrap();
        }
        // Silent until the client goes.
        let _ = reader.read_line(&mut String::new());
    });
    (address, told)
}

fn answer(status: &str, head: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{head}\r\n{body}", body.len())
}

async fn ask(base: &str, deadline: Duration) -> Result<Quotes, NoQuotes> {
    let wanted: Wanted = [(1, None), (1027, None)].into();
    CoinMarketCap::with(base, "the-key", deadline).quotes(&wanted).await
}

async fn asked(answer: String) -> Result<Quotes, NoQuotes> {
    ask(&server(answer).0, PATIENCE).await
}

#[actix::test]
async fn one_call_asks_for_many_and_shows_the_key() {
    let body = r#"{"status": {"error_code": 0}, "data": {
        "1": {"id": 1, "name": "A", "quote": {"USD": {"price": 6602.60701122, "volume_24h": 4314444687.5194}}},
        "1027": {"id": 1027, "quote": {"USD": {"price": 1.2e-9}}},
        "5": {"id": 5, "quote": {"USD": {"price": null}}},
        "7": {"id": 8, "quote": {"USD": {"price": 3}}},
        "8": {"id": "8"},
        "9": []
    }}"#;
    let (base, told) = server(answer("200 OK", "", body));
    let quotes = ask(&format!("{base}/"), PATIENCE).await.unwrap();
    let shown = |id| quotes[&id].map(|price| price.to_string());
    assert_eq!(shown(1).as_deref(), Some("6602.60701122"));
    assert_eq!(shown(1027).as_deref(), Some("0.0000000012"));
    assert_eq!([5, 7, 8, 9].map(shown), [None, None, None, None]);
    let head = told.recv().unwrap();
    assert_eq!(head[0], "GET /v1/cryptocurrency/quotes/latest?id=1,1027&convert=USD HTTP/1.1");
    let key = |line: &String| line.to_lowercase() == "x-cmc_pro_api_key: the-key";
    assert!(head.iter().any(key), "{head:?}");
}

#[actix::test]
async fn too_often_is_told_with_the_time_to_wait() {
    let busy = asked(answer("429 Too Many Requests", "Retry-After: 17\r\n", "{}")).await;
    assert_eq!(busy, Err(NoQuotes::Busy(Some(Duration::from_secs(17)))));
    let busy = asked(answer("429 Too Many Requests", "Retry-After: soon\r\n", "{}")).await;
    assert_eq!(busy, Err(NoQuotes::Busy(None)));
}

#[actix::test]
async fn a_wrong_key_is_told_apart_from_a_service_that_is_broken() {
    let refused = asked(answer("401 Unauthorized", "", "{}")).await;
    assert!(
        matches!(&refused, Err(NoQuotes::Refused(why)) if why.contains("prices.api_key")),
        "{refused:?}"
    );
    let broken = asked(answer("500 Internal Server Error", "", "{}")).await;
    assert!(
        matches!(&broken, Err(NoQuotes::Unavailable(why)) if why.contains("500")),
        "{broken:?}"
    );
    let elsewhere = asked(answer("302 Found", "Location: http://127.0.0.1:1/\r\n", "")).await;
    assert!(matches!(elsewhere, Err(NoQuotes::Unavailable(_))), "a key goes nowhere else");
}

#[actix::test]
async fn a_call_that_it_does_not_take_says_nothing_of_the_next() {
    for status in ["400 Bad Request", "404 Not Found", "414 URI Too Long"] {
        let rejected = asked(answer(status, "", r#"{"status": {"error_code": 400}}"#)).await;
        assert!(
            matches!(&rejected, Err(NoQuotes::Rejected(why)) if why.contains(status)),
            "{rejected:?}"
        );
    }
    let late = asked(answer("408 Request Timeout", "", "")).await;
    assert!(matches!(late, Err(NoQuotes::Unavailable(_))), "{late:?}");
}

#[actix::test]
async fn garbage_halves_and_floods_are_no_answer() {
    for body in ["", "<html>", "[]", "{}", r#"{"data": []}"#, r#"{"data": {"1": {"id": 1}}"#] {
        let garbage = asked(answer("200 OK", "", body)).await;
        assert!(matches!(garbage, Err(NoQuotes::Unavailable(_))), "{body}");
    }
    let half = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"data\": {\u{4}";
    assert!(matches!(asked(half.into()).await, Err(NoQuotes::Unavailable(_))));
    let flood = asked(answer("200 OK", "", &" ".repeat(LONGEST + 1))).await;
    assert!(matches!(flood, Err(NoQuotes::Unavailable(_))));
}

#[actix::test]
async fn who_is_slow_or_not_there_is_not_waited_for() {
    let slow = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{";
    let late = ask(&server(slow.into()).0, Duration::from_millis(200)).await;
    assert!(matches!(late, Err(NoQuotes::Unavailable(_))), "{late:?}");
    let nobody = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let absent = ask(&format!("http://{nobody}"), PATIENCE).await;
    assert!(matches!(absent, Err(NoQuotes::Unavailable(_))), "{absent:?}");
}
