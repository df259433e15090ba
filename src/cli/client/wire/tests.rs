//! The wire against a server that says what the test wants.

use super::{super::fake::*, *};
use crate::protocol::{command::SubscribeRequest, push::Event};

fn subscribe() -> Request {
    let channel = "hello".into();
    Request::Subscribe(Box::new(SubscribeRequest { channel, ..SubscribeRequest::default() }))
}

#[test]
fn it_answers_pings_and_keeps_what_comes_before_an_answer() {
    between(
        async |listener| {
            let mut socket = accept(&listener).await;
            let_in(&mut socket, "tok").await;
            assert!(heard(&mut socket).await.contains("\"subscribe\""));
            let push = r#"{"push":{"channel":"hello","pub":{"data":1,"offset":1}}}"#;
            says(&mut socket, &format!("{push}\n{{}}")).await;
            assert_eq!(heard(&mut socket).await, "{}");
            says(&mut socket, r#"{"id":2,"subscribe":{"epoch":"e"}}"#).await;
            socket.next().await;
        },
        async |url| {
            let mut wire = Wire::open(&url, "tok").await.unwrap();
            assert!(matches!(wire.ask(subscribe()).await, Ok(Outcome::Subscribe(_))));
            let push = wire.next_push().await.unwrap();
            assert!(
                matches!(push.event, Event::Publication { publication, .. } if publication.offset == 1)
            );
        },
    );
}

#[test]
fn a_refusal_and_a_close_are_told_in_the_servers_words() {
    between(
        async |listener| {
            let mut socket = accept(&listener).await;
            let_in(&mut socket, "tok").await;
            heard(&mut socket).await;
            says(&mut socket, r#"{"id":2,"error":{"code":103,"message":"permission denied"}}"#)
                .await;
            closes(&mut socket, 3001, "shutdown").await;
        },
        async |url| {
            let mut wire = Wire::open(&url, "tok").await.unwrap();
            let refused = wire.ask(subscribe()).await.unwrap_err();
            assert_eq!(refused.to_string(), "refused: 103 permission denied");
            assert!(!refused.passes());
            let closed = wire.next_push().await.unwrap_err();
            assert_eq!(closed.to_string(), "the server closed the connection: 3001 shutdown");
            assert!(closed.passes());
        },
    );
}

#[test]
fn a_server_that_hangs_up_is_worth_another_try_and_nonsense_is_not() {
    between(
        async |listener| {
            drop(accept(&listener).await);
            let mut socket = accept(&listener).await;
            heard(&mut socket).await;
            says(&mut socket, "nonsense").await;
        },
        async |url| {
            assert!(Wire::open(&url, "").await.err().unwrap().passes());
            let nonsense = Wire::open(&url, "").await.err().unwrap();
            assert!(matches!(nonsense, Trouble::Strange(_)), "{nonsense}");
        },
    );
}
