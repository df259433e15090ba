//! The API as a caller sees it, over a backend in memory.

mod fake;

use actix_web::{App, http::StatusCode, test, web};

use super::*;
use fake::Fake;

use crate::{
    platform::metrics::Labels,
    protocol::{Close, Payload, Publication},
    realtime::journal::{Key, Version},
};

struct Asking {
    path: String,
    headers: Vec<(&'static str, &'static str)>,
    fake: Arc<Fake>,
    metrics: Arc<Metrics>,
}

fn to(method: &str) -> Asking {
    let metrics = Metrics::new(&Labels { refusals: vec![101, 102, 107], ..Labels::default() });
    Asking {
        path: format!("/api/{method}"),
        headers: vec![("x-api-key", "key")],
        fake: Arc::default(),
        metrics: metrics.unwrap().into(),
    }
}

impl Asking {
    fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    fn without_key(mut self) -> Self {
        self.headers.clear();
        self
    }

    async fn ask(&self, body: &str) -> (StatusCode, String) {
        self.send(test::TestRequest::post().set_payload(body.to_string())).await
    }

    async fn send(&self, mut request: test::TestRequest) -> (StatusCode, String) {
        let options = Options {
            keys: ApiKeys::Holders(vec!["key".into()]),
            body_limit: 1000,
            channel_max_length: 20,
            timeout: Duration::from_millis(50),
            transport_errors: false,
        };
        let backend = self.fake.clone();
        let api = Arc::new(Api { options, backend, metrics: self.metrics.clone() });
        let configure = |app: &mut web::ServiceConfig| routes(app, api);
        let app = test::init_service(App::new().configure(configure)).await;
        for header in &self.headers {
            request = request.insert_header(*header);
        }
        let answer = test::call_service(&app, request.uri(&self.path).to_request()).await;
        let status = answer.status();
        (status, String::from_utf8(test::read_body(answer).await.to_vec()).unwrap())
    }

    /// The body of an answer that must be 200.
    async fn told(&self, body: &str) -> String {
        let (status, answer) = self.ask(body).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }
}

#[actix_web::test]
async fn a_publish_is_answered_with_its_position() {
    let asking = to("publish");
    let body = r#"{"channel":"a","data":{"x":1},"tags":{"t":"1"},"idempotency_key":"k","delta":true,"version":3,"version_epoch":"v"}"#;
    assert_eq!(asking.told(body).await, r#"{"result":{"offset":7,"epoch":"e.1"}}"#);
    let expected = Publish {
        channel: Channel::trusted("a"),
        publication: Publication {
            data: Payload::json(r#"{"x":1}"#.into()),
            tags: [("t".to_string(), "1".to_string())].into(),
            delta: true,
            ..Default::default()
        },
        skip_history: false,
        key: Some(Key { publisher: "api".into(), key: "k".into() }),
        version: Some(Version { number: 3, epoch: "v".into() }),
    };
    assert_eq!(asking.fake.published.lock().unwrap()[0], expected);
    assert_eq!(asking.metrics.publish_ack_seconds.get_sample_count(), 1);
}

#[actix_web::test]
async fn a_publish_without_history_has_no_position() {
    assert_eq!(to("publish").told(r#"{"channel":"typing","data":1}"#).await, r#"{"result":{}}"#);
}

#[actix_web::test]
async fn any_json_and_any_bytes_can_be_published() {
    for (body, data) in [
        (r#""data":null"#, Payload::json("null".into())),
        (r#""data":"text""#, Payload::json(r#""text""#.into())),
        (r#""b64data":"AAE=""#, Payload::inspect(vec![0, 1].into())),
        (r#""data":1,"b64data":"AAE=""#, Payload::inspect(vec![0, 1].into())),
    ] {
        let asking = to("publish");
        asking.told(&format!(r#"{{"channel":"a",{body}}}"#)).await;
        assert_eq!(asking.fake.published.lock().unwrap()[0].publication.data, data, "{body}");
    }
}

#[actix_web::test]
async fn a_publish_that_makes_no_sense_is_a_bad_request() {
    for (body, code) in [
        (r#"{"data":1}"#, 107),
        (r#"{"channel":"","data":1}"#, 107),
        (r#"{"channel":"a"}"#, 107),
        (r#"{"channel":"a","b64data":"?"}"#, 107),
        (r#"{"channel":"a\n","data":1}"#, 107),
        (r#"{"channel":"longer-than-twenty-letters","data":1}"#, 107),
        (r#"{"channel":"unknown:a","data":1}"#, 102),
    ] {
        let answer = to("publish").told(body).await;
        assert!(
            answer.starts_with(&format!(r#"{{"error":{{"code":{code},"message":""#)),
            "{body}: {answer}"
        );
    }
    let key = "k".repeat(256);
    let body = format!(r#"{{"channel":"a","data":1,"idempotency_key":"{key}"}}"#);
    assert!(to("publish").told(&body).await.contains("idempotency_key has at most 255 bytes"));
}

#[actix_web::test]
async fn a_broadcast_is_answered_channel_by_channel_in_order() {
    let asking = to("broadcast");
    let answer = asking.told(r#"{"channels":["a","unknown:a","typing"],"data":1}"#).await;
    assert_eq!(
        answer,
        r#"{"result":{"responses":[{"result":{"offset":7,"epoch":"e.1"}},{"error":{"code":102,"message":"unknown channel"}},{"result":{}}]}}"#
    );
    assert_eq!(asking.metrics.refused_total.code(102).get(), 1);
    assert!(to("broadcast").told(r#"{"channels":[],"data":1}"#).await.contains("107"));
}

#[actix_web::test]
async fn users_are_subscribed_and_unsubscribed() {
    let asking = to("subscribe");
    let body = r#"{"channel":"a","user":"ana","expire_at":9,"info":{"i":1},"b64data":"AAE=","recover_since":{"offset":3,"epoch":"e"},"override":{"presence":{"value":true}}}"#;
    assert_eq!(asking.told(body).await, r#"{"result":{}}"#);
    let asked = asking.fake.last();
    for part in ["ana", "expire_at: Some(9)", "offset: 3", "presence: Some(true)", "client: None"] {
        assert!(asked.contains(part), "{part} in {asked}");
    }
    let asking = to("unsubscribe");
    asking.told(r#"{"channel":"","user":"ana"}"#).await;
    assert!(asking.fake.last().contains("channel: None"));
}

#[actix_web::test]
async fn a_disconnect_says_why_and_spares_whom_it_is_told_to() {
    let id = "0d7f5a52-4d9b-4a0f-9b0e-1c6a4d2d3a11";
    for (more, close) in [
        (String::new(), Close::FORCE_DISCONNECT),
        (r#","disconnect":{"code":0,"reason":""}"#.into(), Close::FORCE_DISCONNECT),
        (
            r#","disconnect":{"code":4001,"reason":"bye"}"#.into(),
            Close { code: 4001, reason: "bye".into() },
        ),
    ] {
        let asking = to("disconnect");
        let body = format!(r#"{{"user":"ana","whitelist":["{id}"]{more}}}"#);
        assert_eq!(asking.told(&body).await, r#"{"result":{}}"#);
        let asked = asking.fake.last();
        assert!(asked.contains(&format!("{close:?}")) && asked.contains(id), "{asked}");
    }
    for bad in [
        r#"{"user":"a","disconnect":{"code":1000,"reason":"x"}}"#,
        r#"{"user":"a","disconnect":{"code":4000,"reason":"{\"reconnect\":true}"}}"#,
        r#"{"user":"a","client":"no uuid"}"#,
        r#"{"user":"a","whitelist":["no uuid"]}"#,
    ] {
        assert!(to("disconnect").told(bad).await.contains(r#""code":107"#), "{bad}");
    }
    assert!(to("disconnect").told(r#"{"user":"a","session":"s"}"#).await.contains(r#""code":108"#));
}

#[actix_web::test]
async fn a_refresh_changes_how_long_a_user_stays() {
    let asking = to("refresh");
    asking.told(r#"{"user":"ana","expire_at":77,"expired":true}"#).await;
    let asked = asking.fake.last();
    assert!(asked.contains("expired: true, expire_at: Some(77), info: None"), "{asked}");
}

#[actix_web::test]
async fn presence_names_everybody_and_marks_what_is_not_json() {
    let answer = to("presence").told(r#"{"channel":"a"}"#).await;
    let ana = r#"{"user":"ana","client":"c1","conn_info":{"n":1},"b64chan_info":"/wA="}"#;
    assert_eq!(answer, format!(r#"{{"result":{{"presence":{{"c1":{ana}}}}}}}"#));
    let stats = to("presence_stats").told(r#"{"channel":"a"}"#).await;
    assert_eq!(stats, r#"{"result":{"num_clients":3,"num_users":2}}"#);
}

#[actix_web::test]
async fn history_is_read_and_forgotten() {
    let asking = to("history");
    let body = r#"{"channel":"a","limit":-1,"since":{"offset":5,"epoch":"e.1"},"reverse":true}"#;
    let answer = asking.told(body).await;
    assert!(answer.contains(r#"{"data":{"a":1},"info":{"user":"ana""#), "{answer}");
    assert!(answer.contains(r#""offset":6,"tags":{"k":"v"}}"#), "{answer}");
    assert!(
        answer.contains(r#"{"b64data":"AAE=","offset":7}],"epoch":"e.1","offset":7}"#),
        "{answer}"
    );
    let asked = asking.fake.last();
    assert!(asked.contains("limit: -1") && asked.contains("reverse: true"), "{asked}");
    assert_eq!(to("history_remove").told(r#"{"channel":"a"}"#).await, r#"{"result":{}}"#);
}

#[actix_web::test]
async fn channels_and_nodes_are_listed() {
    let asking = to("channels");
    let answer = asking.told(r#"{"pattern":"n*"}"#).await;
    assert_eq!(answer, r#"{"result":{"channels":{"news":{"num_clients":2}}}}"#);
    assert!(asking.fake.last().contains("n*"));
    to("channels").told("").await;
    let answer = to("info").told("{}").await;
    assert!(answer.starts_with(r#"{"result":{"nodes":[{"uid":"u","name":"n""#), "{answer}");
    assert!(answer.contains(r#""process":{"cpu":1.5,"rss":1024}"#), "{answer}");
}

#[actix_web::test]
async fn an_rpc_is_not_available() {
    assert!(to("rpc").told(r#"{"method":"x","params":{}}"#).await.contains(r#""code":108"#));
    assert!(to("rpc").told("{}").await.contains(r#""code":107"#));
}

#[actix_web::test]
async fn a_batch_is_answered_in_order_and_without_a_result_around_it() {
    let commands = r#"[{"publish":{"channel":"a","data":1}},{"presence_stats":{"channel":"a"}},{"nonsense":{}},{"publish":{"channel":5}},{"batch":{}},{}]"#;
    for parallel in [false, true] {
        let asking = to("batch");
        let body = format!(r#"{{"commands":{commands},"parallel":{parallel}}}"#);
        let answer = asking.told(&body).await;
        let start = r#"{"replies":[{"publish":{"offset":7,"epoch":"e.1"}},{"presence_stats":{"num_clients":3,"num_users":2}},{"error":{"code":104,"#;
        assert!(answer.starts_with(start), "{answer}");
        assert_eq!(answer.matches(r#""code":107"#).count(), 3, "{answer}");
    }
}

#[actix_web::test]
async fn only_holders_of_a_key_are_answered() {
    let body = r#"{"channel":"a","data":1}"#;
    let stranger = to("publish").without_key();
    assert_eq!(stranger.ask(body).await.0, 401);
    assert_eq!(stranger.metrics.refused_total.code(101).get(), 1);
    assert!(stranger.fake.published.lock().unwrap().is_empty());
    for (name, value, status) in [
        ("x-api-key", "key", 200),
        ("x-api-key", "wrong", 401),
        ("authorization", "apikey key", 200),
        ("authorization", "ApiKey key", 200),
        ("authorization", "apikey wrong", 401),
        ("authorization", "bearer key", 401),
        ("authorization", "key", 401),
    ] {
        let (seen, _) = to("publish").without_key().with(name, value).ask(body).await;
        assert_eq!(seen, status, "{name}: {value}");
    }
    assert_eq!(to("publish?api_key=key").without_key().ask(body).await.0, 200);
    assert_eq!(to("publish?api_key=wrong").without_key().ask(body).await.0, 401);
}

#[actix_web::test]
async fn requests_that_are_none_get_an_http_error() {
    assert_eq!(to("publish").ask("{").await.0, 400);
    assert_eq!(to("publish").ask(r#"{"channel":5,"data":1}"#).await.0, 400);
    assert_eq!(to("batch").ask("[]").await.0, 400);
    let long = format!(r#"{{"channel":"a","data":"{}"}}"#, "x".repeat(1000));
    assert_eq!(to("publish").ask(&long).await.0, 413);
    assert_eq!(to("publish").send(test::TestRequest::get()).await.0, 405);
    assert_eq!(to("map_publish").ask("{}").await.0, 404);
}

#[actix_web::test]
async fn a_request_that_is_none_is_told_what_was_expected_and_nothing_of_itself() {
    for (method, body, expected) in [
        ("publish", r#"{"channel":"secret","data":"secret""#, "one that ends early, at column 35"),
        ("publish", r#"{"channel":["secret"],"data":1}"#, "expected a string in a request"),
        ("publish", r#"["secret"]"#, "expected an object in a request"),
        ("history", r#"{"channel":"a","limit":"secret"}"#, "expected i32 in a request"),
        ("broadcast", r#"{"channels":"secret","data":1}"#, "expected a sequence in a request"),
    ] {
        let (status, answer) = to(method).ask(body).await;
        assert_eq!(status, 400, "{method} {body}");
        assert!(answer.contains(expected), "{method} {body}: {answer}");
        assert!(!answer.contains("secret"), "{answer}");
        let batch = format!(r#"{{"commands":[{{"{method}":{body}}}]}}"#);
        let (_, answer) = to("batch").ask(&batch).await;
        assert!(!answer.contains("secret"), "{answer}");
    }
}

#[actix_web::test]
async fn who_asks_for_it_gets_refusals_as_http_statuses() {
    for (channel, status) in [("unknown:a", 404), ("full", 500), ("", 400)] {
        let body = format!(r#"{{"channel":"{channel}","data":1}}"#);
        let (seen, answer) =
            to("publish").with("x-centrifugo-error-mode", "transport").ask(&body).await;
        assert_eq!(seen, status, "{answer}");
        assert!(answer.starts_with(r#"{"code":1"#), "{answer}");
    }
}

#[actix_web::test]
async fn a_backend_that_hangs_is_not_waited_for() {
    let answer = to("publish").told(r#"{"channel":"stuck","data":1}"#).await;
    assert!(answer.contains(r#""code":100"#) && answer.contains("may still happen"), "{answer}");
}

#[actix_web::test]
async fn every_method_of_the_table_is_served() {
    for name in method::METHODS {
        let asking = to(name);
        let (_, answer) =
            asking.ask(r#"{"channel":"a","channels":["a"],"data":1,"method":"m"}"#).await;
        assert!(!answer.contains(r#""code":104"#) && !answer.is_empty(), "{name}: {answer}");
    }
}

#[actix_web::test]
async fn users_are_blocked_and_tokens_revoked() {
    let asking = to("block_user");
    assert_eq!(asking.told(r#"{"user":"ana","expire_at":9}"#).await, r#"{"result":{}}"#);
    assert_eq!(asking.fake.last(), r#"Bar { whom: User("ana"), until: Some(9) }"#);
    let asking = to("revoke_token");
    asking.told(r#"{"uid":"t1"}"#).await;
    assert_eq!(asking.fake.last(), r#"Bar { whom: Token("t1"), until: None }"#);
    let asking = to("invalidate_user_tokens");
    asking.told(r#"{"user":"ana","issued_before":7,"expire_at":0}"#).await;
    let before = r#"Bar { whom: TokensBefore { user: "ana", before: 7 }, until: None }"#;
    assert_eq!(asking.fake.last(), before);
    let asking = to("unblock_user");
    asking.told(r#"{"user":"ana"}"#).await;
    assert_eq!(asking.fake.last(), r#""ana""#);
    for (method, body) in [
        ("block_user", "{}"),
        ("unblock_user", "{}"),
        ("revoke_token", r#"{"uid":""}"#),
        ("revoke_token", r#"{"uid":"a\u0000"}"#),
        ("invalidate_user_tokens", r#"{"user":"ana"}"#),
    ] {
        let asking = to(method);
        assert!(asking.told(body).await.contains(r#""code":107"#), "{method} {body}");
        assert_eq!(asking.fake.last(), "", "{method} {body}");
    }
}
