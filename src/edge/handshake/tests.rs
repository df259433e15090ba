//! Which upgrade requests are let in, and what the others are told.

use actix_http::{Method, test::TestRequest};

use super::*;

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

fn request(uri: &str, headers: &[(&'static str, &str)]) -> actix_http::Request {
    let mut request = TestRequest::with_uri(uri);
    let usual = [
        ("upgrade", "websocket"),
        ("connection", "Upgrade"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", KEY),
        ("host", "example.com"),
    ];
    for (name, value) in
        usual.into_iter().filter(|(name, _)| headers.iter().all(|(n, _)| n != name))
    {
        request.insert_header((name, value));
    }
    for (name, value) in headers.iter().filter(|(_, value)| *value != "-") {
        request.insert_header((*name, *value));
    }
    request.finish()
}

fn verdict(uri: &str, headers: &[(&'static str, &str)]) -> Result<Welcome, Rejection> {
    judge(request(uri, headers).head(), &Origins::new(&[]))
}

#[test]
fn sdks_are_let_in_whatever_they_say_of_subprotocols() {
    use Encoding::*;
    for (uri, subprotocol, encoding, echoed) in [
        (PATH, "-", Json, None),
        (PATH, "", Json, None),
        (PATH, "unknown", Json, None),
        (PATH, "centrifuge-json", Json, Some(JSON)),
        (PATH, "centrifuge-protobuf", Protobuf, Some(PROTOBUF)),
        (PATH, "x, centrifuge-protobuf", Protobuf, Some(PROTOBUF)),
        ("/connection/websocket?format=protobuf", "-", Protobuf, None),
        ("/connection/websocket?a=b&cf_protocol=protobuf", "-", Protobuf, None),
        ("/connection/websocket?cf_protocol_version=v2", "-", Json, None),
    ] {
        let welcome = verdict(uri, &[("sec-websocket-protocol", subprotocol)]).unwrap();
        assert_eq!(
            (welcome.encoding, welcome.subprotocol),
            (encoding, echoed),
            "{uri} {subprotocol}"
        );
        let answer = String::from_utf8(welcome.answer()).unwrap();
        assert_eq!(answer.contains("sec-websocket-protocol"), echoed.is_some());
    }
}

#[test]
fn native_pings_are_for_those_who_ask() {
    assert!(!verdict(PATH, &[]).unwrap().native_ping);
    assert!(verdict(&format!("{PATH}?cf_ws_frame_ping_pong=true"), &[]).unwrap().native_ping);
}

#[test]
fn the_answer_proves_that_the_key_was_read() {
    let answer = String::from_utf8(verdict(PATH, &[]).unwrap().answer()).unwrap();
    // The example of RFC 6455, section 1.3.
    assert!(answer.contains("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"));
}

#[test]
fn requests_that_open_no_socket_are_told_what_was_expected() {
    for (uri, header, status, says) in [
        ("/", ("x", "y"), 404, PATH),
        ("/connection/sse", ("x", "y"), 404, PATH),
        ("/connection/websocket/", ("x", "y"), 404, PATH),
        (PATH, ("sec-websocket-version", "8"), 426, "sec-websocket-version: 13"),
        (PATH, ("sec-websocket-version", "-"), 426, "13"),
        (PATH, ("sec-websocket-key", "-"), 400, "Sec-WebSocket-Key"),
        (PATH, ("sec-websocket-key", "short"), 400, "Sec-WebSocket-Key"),
        (PATH, ("origin", "https://evil.com"), 403, "allowed_origins"),
        (PATH, ("origin", "null"), 403, "allowed_origins"),
    ] {
        let rejection = verdict(uri, &[header]).unwrap_err();
        assert_eq!(rejection.status.as_u16(), status, "{uri} {header:?}");
        let answer = String::from_utf8(rejection.answer()).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(answer.contains(says), "{answer}");
    }
}

#[test]
fn only_get_opens_a_socket() {
    let mut request = request(PATH, &[]);
    request.head_mut().method = Method::POST;
    let rejection = judge(request.head(), &Origins::new(&[])).unwrap_err();
    assert_eq!(rejection.status.as_u16(), 405);
}

#[test]
fn a_page_of_this_host_and_a_program_without_origin_are_let_in() {
    assert!(verdict(PATH, &[("origin", "https://example.com")]).is_ok());
    assert!(verdict(PATH, &[]).is_ok());
}
