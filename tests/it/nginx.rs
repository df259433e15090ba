//! Nodes behind NGINX and the file that we give people for it: who comes to which node, and what does not get through.

use std::{
    io::{Read, Write},
    net::SocketAddr,
    process::{Command, Stdio},
};

use fanfare::platform::scratch::{Nginx, nginx::PLAIN};
use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::{API_KEY, Client, DEADLINE, Node, Socket, request, sign, until};

const PATH: &str = "/connection/websocket";

fn address(node: &Node) -> SocketAddr {
    ([127, 0, 0, 1], node.port).into()
}

fn in_front_of(nodes: &[Node], edits: &[(&str, &str)]) -> Nginx {
    let nodes: Vec<_> = nodes.iter().map(address).collect();
    Nginx::start(&nodes, &[&[PLAIN], edits].concat()).expect("NGINX starts")
}

fn cookie(user: &str) -> String {
    format!("Cookie: other=1; fanfare_user={user}\r\n")
}

/// Comes in through NGINX, into a room of the user's name.
fn come_in(nginx: &Nginx, user: &str) -> Client {
    let socket = Socket::try_open(nginx.port(), PATH, &cookie(user)).expect("it is let in");
    let mut client = Client::connect_on(socket, user);
    client.subscribe(user);
    client
}

/// How many are in that room on this node.
fn members(node: &Node, room: &str) -> u64 {
    let answer = node.api("presence_stats", &json!({ "channel": room }));
    answer["result"]["num_clients"].as_u64().expect("a number")
}

fn upgrade_refused(nginx: &Nginx) -> Option<u16> {
    Socket::try_open(nginx.port(), PATH, "").err().map(|refused| refused.status)
}

#[test]
fn the_file_is_one_that_nginx_takes_without_a_warning() {
    let node: SocketAddr = ([127, 0, 0, 1], 9).into();
    for edits in [&[][..], &[("# 5%    fanfare_canary;", "5%    fanfare_canary;")]] {
        let nginx = Nginx::start(&[node], edits).expect("NGINX starts");
        nginx.check().expect("nginx -t is content");
    }
}

#[test]
fn a_person_comes_to_one_node_and_people_to_all() {
    let nodes = [Node::start(), Node::start(), Node::start()];
    let nginx = in_front_of(&nodes, &[]);
    let mut taken = [0; 3];
    for user in (0..24).map(|n| format!("user-{n}")) {
        let devices = [come_in(&nginx, &user), come_in(&nginx, &user), come_in(&nginx, &user)];
        let all: Vec<u64> = nodes.iter().map(|node| members(node, &user)).collect();
        let at = all.iter().position(|count| *count == 3);
        taken[at.unwrap_or_else(|| panic!("the devices of one person are apart: {all:?}"))] += 1;
        drop(devices);
    }
    assert!(taken.iter().all(|count| *count > 0), "a node that nobody comes to: {taken:?}");
}

#[test]
fn messages_pass_both_ways_and_backends_are_served() {
    let nodes = [Node::start()];
    let nginx = in_front_of(&nodes, &[]);
    let mut client = come_in(&nginx, "ana");
    // Many times what NGINX holds of a socket.
    let long = "x".repeat(60_000);
    for _ in 0..20 {
        client.publish("ana", json!(long));
        assert_eq!(client.push()["pub"]["data"], json!(long));
    }
    let head = format!("POST /api/publish HTTP/1.1\r\nX-API-Key: {API_KEY}");
    let body = json!({ "channel": "ana", "data": "from a backend" }).to_string();
    let answer = request(nginx.port(), &head, &body).expect("an answer");
    assert_eq!((answer.status, answer.json()["result"]["offset"].as_u64()), (200, Some(21)));
    assert_eq!(client.push()["pub"]["data"], "from a backend");
}

#[test]
fn who_belongs_to_a_node_that_drains_or_is_dead_is_let_in_elsewhere() {
    let mut nodes = [Node::with(&[("SHUTDOWN__READY_DELAY", "20s")]), Node::start(), Node::start()];
    let nginx = in_front_of(&nodes, &[]);
    nodes[0].signal(Signal::SIGTERM);
    until("the first node drains", DEADLINE, || {
        nodes[0].ready().filter(|answer| answer.status == 503)
    });
    nodes[1].kill();
    for user in (0..30).map(|n| format!("user-{n}")) {
        let _client = come_in(&nginx, &user);
        assert_eq!(members(&nodes[2], &user), 1);
    }
}

#[test]
fn a_node_sees_the_clients_address_and_believes_it_of_its_proxy_only() {
    let settings = [("HTTP_SERVER__TRUSTED_PROXIES", r#"["127.0.0.1"]"#), ("LOG__LEVEL", "debug")];
    let nodes = [Node::with(&settings)];
    let nginx = in_front_of(&nodes, &[]);
    let said = |line: &str| until(line, DEADLINE, || nodes[0].log().contains(line).then_some(()));
    let forged = "X-Forwarded-For: 203.0.113.7\r\n";
    let _through =
        Socket::try_open_from([127, 0, 0, 8], nginx.port(), forged).expect("it is let in");
    said("127.0.0.8: a socket was let in");
    let _past = Socket::try_open_from([127, 0, 0, 9], nodes[0].port, forged).expect("it is let in");
    said("127.0.0.9: a socket was let in");
    assert!(!nodes[0].log().contains("203.0.113.7"));
}

#[test]
fn an_address_gets_so_many_sockets_and_no_more() {
    let nodes = [Node::start()];
    let nginx = in_front_of(
        &nodes,
        &[("limit_conn fanfare_sockets 2000;", "limit_conn fanfare_sockets 2;")],
    );
    let _two = [come_in(&nginx, "ana"), come_in(&nginx, "ana")];
    assert_eq!(upgrade_refused(&nginx), Some(429));
    Socket::try_open_from([127, 0, 0, 8], nginx.port(), "").expect("another address is let in");
}

#[test]
fn an_address_opens_sockets_at_a_bounded_rate() {
    let nodes = [Node::start()];
    let nginx = in_front_of(
        &nodes,
        &[("rate=50r/s;", "rate=1r/m;"), ("burst=500 nodelay;", "burst=2 nodelay;")],
    );
    let opened: Vec<_> = (0..4).map(|_| upgrade_refused(&nginx)).collect();
    assert_eq!(opened, [None, None, None, Some(429)]);
}

#[test]
fn operators_pages_and_long_bodies_do_not_get_through() {
    let nodes = [Node::start()];
    let nginx = in_front_of(&nodes, &[]);
    for path in ["/live", "/ready", "/metrics", "/version", "/", "/connection/websocket/x"] {
        let head = format!("GET {path} HTTP/1.1");
        assert_eq!(request(nginx.port(), &head, "").expect("an answer").status, 404, "{path}");
    }
    let head = format!("POST /api/publish HTTP/1.1\r\nX-API-Key: {API_KEY}");
    let long = "x".repeat(700 * 1024);
    assert_eq!(request(nginx.port(), &head, &long).expect("an answer").status, 413);
    let strangers = in_front_of(&nodes, &[("allow 127.0.0.0/8;", "")]);
    assert_eq!(request(strangers.port(), &head, "{}").expect("an answer").status, 403);
}

#[test]
fn portfolios_get_through_with_who_asks() {
    let nodes = [Node::start()];
    let nginx = in_front_of(&nodes, &[]);
    for (path, status) in [("/openapi.json", 200), ("/docs", 200), ("/v1/dashboard", 401)] {
        let head = format!("GET {path} HTTP/1.1");
        assert_eq!(request(nginx.port(), &head, "").expect("an answer").status, status, "{path}");
    }
    let token = sign(&json!({ "sub": "ana" }));
    let head = format!("GET /v1/dashboard HTTP/1.1\r\nAuthorization: Bearer {token}");
    let answer = request(nginx.port(), &head, "").expect("an answer");
    assert_eq!((answer.status, &answer.json()["generation"]), (200, &json!(0)));
}

#[test]
fn sockets_go_over_tls_and_nothing_without_it() {
    let nodes = [Node::start()];
    let nginx = Nginx::start(&[address(&nodes[0])], &[]).expect("NGINX starts");
    let answer = request(nginx.port(), "GET /connection/websocket HTTP/1.1", "");
    assert_eq!(answer.expect("an answer").status, 308);
    let authority = nginx.certificate().authority.display().to_string();
    let to = format!("127.0.0.1:{}", nginx.tls_port());
    let mut openssl = Command::new("openssl")
        .args(["s_client", "-quiet", "-verify_return_error", "-verify_ip", "127.0.0.1"])
        .args(["-CAfile", &authority, "-connect", &to])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("openssl starts");
    let mut input = openssl.stdin.take().expect("its input");
    write!(
        input,
        "GET {PATH} HTTP/1.1\r\nHost: {to}\r\nOrigin: https://{to}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    .expect("a request is sent");
    let mut first = [0; 12];
    let read = openssl.stdout.as_mut().expect("its output").read_exact(&mut first);
    let _ = openssl.kill();
    let _ = openssl.wait();
    read.expect("an answer over TLS");
    assert_eq!(String::from_utf8_lossy(&first), "HTTP/1.1 101");
}

#[test]
fn a_new_version_gets_its_share_of_people_and_they_stay_with_it() {
    let nodes = [Node::start(), Node::start()];
    let canary = format!("server 127.0.0.1:{} ", nodes[1].port);
    let edits = [
        ("# 5%    fanfare_canary;", "50%    fanfare_canary;"),
        ("server 127.0.0.1:8100 ", canary.as_str()),
    ];
    let nginx = in_front_of(&nodes[..1], &edits);
    let mut share = 0;
    for user in (0..40).map(|n| format!("user-{n}")) {
        let _devices = [come_in(&nginx, &user), come_in(&nginx, &user)];
        let at = nodes.each_ref().map(|node| members(node, &user));
        assert!(at == [2, 0] || at == [0, 2], "the devices of one person are apart: {at:?}");
        share += at[1] / 2;
    }
    assert!((8..=32).contains(&share), "{share} of 40 at a weight of half");
}
