//! What whoever listens notices.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;

use super::{super::client::fake::*, *};
use crate::protocol::{ClientInfo, Close, Payload, Refusal};

#[test]
fn a_message_is_one_line_with_its_data_as_it_was_sent() {
    let info = ClientInfo { user: "ana".into(), client: "c1".into(), ..Default::default() };
    let said = Publication {
        data: Payload::json(Bytes::from_static(b"{\"big\": 12345678901234567890,\n \"a\":1.0}")),
        info: Some(Arc::new(info)),
        offset: 7,
        ..Publication::default()
    };
    assert_eq!(
        line(&said).unwrap(),
        r#"{"offset":7,"data":{"big": 12345678901234567890, "a":1.0},"user":"ana","client":"c1"}"#
    );
    let bare = Publication { info: None, offset: 0, ..said };
    assert!(line(&bare).unwrap().starts_with(r#"{"data":{"#));
}

#[test]
fn rests_grow_to_a_bound_and_differ() {
    assert_eq!(rest(0, 0.0), FIRST_REST);
    assert_eq!(rest(1, 0.0), FIRST_REST * 2);
    assert_eq!(rest(99, 0.0), LONGEST_REST);
    assert_eq!(rest(99, 1.0), LONGEST_REST / 2);
}

#[test]
fn only_what_may_pass_is_tried_again_and_only_after_it_worked_once() {
    let lost = Trouble::Lost("x".into());
    let mut listener = Listener::new("c", None, |_| Ok(()));
    assert!(!listener.comes_back(&lost));
    listener.joined = true;
    assert!(listener.comes_back(&lost));
    assert!(listener.comes_back(&Trouble::Closed(Close::SHUTDOWN)));
    assert!(!listener.comes_back(&Trouble::Closed(Close::INVALID_TOKEN)));
    assert!(!listener.comes_back(&Trouble::Refused(Refusal::PERMISSION_DENIED)));
}

#[test]
fn after_a_restart_of_the_server_it_goes_on_where_it_was() {
    between(
        async |listener| {
            let mut socket = accept(&listener).await;
            let_in(&mut socket, "tok").await;
            assert!(!heard(&mut socket).await.contains("recover"));
            let result = r#"{"recoverable":true,"positioned":true,"epoch":"e","offset":4}"#;
            says(&mut socket, &format!(r#"{{"id":2,"subscribe":{result}}}"#)).await;
            says(&mut socket, r#"{"push":{"channel":"other","pub":{"data":0,"offset":9}}}"#).await;
            says(&mut socket, r#"{"push":{"channel":"hello","pub":{"data":0,"offset":5}}}"#).await;
            closes(&mut socket, 3001, "shutdown").await;

            let mut socket = accept(&listener).await;
            let_in(&mut socket, "tok").await;
            let again = heard(&mut socket).await;
            assert!(again.contains(r#""recover":true"#), "{again}");
            assert!(again.contains(r#""epoch":"e""#) && again.contains(r#""offset":5"#), "{again}");
            let missed = r#""publications":[{"data":0,"offset":6},{"data":0,"offset":7}]"#;
            let result = format!(
                r#"{{"recoverable":true,"epoch":"e","offset":5,"was_recovering":true,"recovered":true,{missed}}}"#
            );
            says(&mut socket, &format!(r#"{{"id":2,"subscribe":{result}}}"#)).await;
            socket.next().await;
        },
        async |url| {
            let visit = Visit::with_token(url, "tok");
            let mut printed = Vec::new();
            let print = |publication: &Publication| {
                printed.push(publication.offset);
                Ok(())
            };
            let mut listener = Listener::new("hello", Some(3), print);
            match listener.listen(&visit).await {
                Err(Failing::There(trouble)) => assert!(listener.comes_back(&trouble)),
                _ => panic!("the server was shut down"),
            }
            assert!(listener.listen(&visit).await.is_ok());
            drop(listener);
            assert_eq!(printed, [5, 6, 7]);
        },
    );
}
