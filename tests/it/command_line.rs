//! What people type: serve, pub, sub, token, config, and how a bad day looks in a terminal.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use serde_json::json;

use crate::support::{API_KEY, Client, DEADLINE, Node, SECRET, Socket, run, sign, until};

/// The exit code for settings that do not hold (EX_CONFIG of sysexits.h).
const BAD_CONFIGURATION: Option<i32> = Some(78);

#[test]
fn a_second_node_on_the_same_data_is_refused_and_says_who_holds_it() {
    let node = Node::start();
    let mut second = node.command(&["serve"]);
    second.env("FANFARE_HTTP_SERVER__PORT", "0").env("FANFARE_OPERATOR__PORT", "0");
    let (code, _, errors) = run(second);
    assert!(code.is_some_and(|code| code != 0), "{code:?}");
    assert!(errors.contains(&node.data_dir().display().to_string()), "{errors}");
    assert!(errors.contains("pid") || errors.contains("process"), "{errors}");
    Client::connect(&node, "ana").publish("room", json!("still here"));
}

#[test]
fn a_bad_setting_exits_78_and_names_itself_and_what_was_expected() {
    for (name, value, expected) in [
        ("HTTP_SERVER__PORT", "eighty", ""),
        ("CLIENT__PONG_TIMEOUT", "1h", "client.ping_interval"),
        ("CLIENT__NO_SUCH_SETTING", "1", ""),
        ("CHANNEL__MAX_LENGTH", "0", "1 to 255"),
    ] {
        let node = Node::prepared(&[(name, value)]);
        let (code, _, errors) = run(node.command(&["serve"]));
        assert_eq!(code, BAD_CONFIGURATION, "{name}={value}: {errors}");
        assert!(errors.contains(&format!("FANFARE_{name}")), "{errors}");
        assert!(errors.contains(expected), "expected {expected:?} in {errors}");
    }
}

#[test]
fn a_bad_key_is_not_shown() {
    let node = Node::prepared(&[("CLIENT__PONG_TIMEOUT", "1h")]);
    let (_, out, errors) = run(node.command(&["serve"]));
    assert!(!format!("{out}{errors}").contains(SECRET));
    let (code, out, errors) = run(Node::prepared(&[]).command(&["config", "print"]));
    assert_eq!(code, Some(0), "{errors}");
    assert!(out.contains("***") && !out.contains(SECRET) && !out.contains(API_KEY), "{out}");
}

#[test]
fn generated_secrets_do_not_leave_loopback() {
    let node = Node::prepared(&[("HTTP_SERVER__ADDRESS", "0.0.0.0")]);
    let mut command = node.command(&["serve"]);
    command
        .env_remove("FANFARE_CLIENT__TOKEN__HMAC_SECRET_KEY")
        .env_remove("FANFARE_HTTP_API__KEY");
    let (code, _, errors) = run(command);
    assert_eq!(code, BAD_CONFIGURATION, "{errors}");
    assert!(errors.contains("client.token") || errors.contains("http_api.key"), "{errors}");
}

#[test]
fn with_no_configuration_at_all_it_serves_and_shows_the_lines_to_copy() {
    let node = Node::prepared(&[]);
    let mut command = node.command(&["serve"]);
    command
        .env_remove("FANFARE_CONFIG")
        .env_remove("FANFARE_CLIENT__TOKEN__HMAC_SECRET_KEY")
        .env_remove("FANFARE_HTTP_API__KEY");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut screen = String::new();
    for line in lines {
        screen += &line;
        screen.push('\n');
        if screen.contains("fanfare sub") && screen.contains("fanfare pub") {
            break;
        }
    }
    let _ = child.kill();
    let _ = child.wait();
    assert!(screen.contains(&format!("127.0.0.1:{}", node.port)), "{screen}");
    assert!(screen.contains("fanfare sub") && screen.contains("fanfare pub"), "{screen}");
    assert!(node.data_dir().join("fanfare.db").exists());
}

#[test]
fn pub_is_heard_by_sub() {
    let node = Node::start();
    let mut sub = node
        .command(&["sub", "room"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(sub.stdout.take().unwrap()).lines().map_while(Result::ok);
    until("sub is in the room", DEADLINE, || {
        let stats = node.api("presence_stats", &json!({ "channel": "room" }));
        (stats["result"]["num_clients"] == 1).then_some(())
    });
    let (code, out, errors) = run(node.command(&["pub", "room", r#"{"text":"hello"}"#]));
    assert_eq!(code, Some(0), "{out}{errors}");
    let heard = lines.find(|line| line.contains("hello"));
    // Not by SIGINT: whoever starts the tests in the background lets them ignore it.
    let _ = sub.kill();
    let _ = sub.wait();
    assert!(heard.is_some());
}

#[test]
fn a_token_from_the_command_line_lets_its_user_in() {
    let node = Node::start();
    let (code, token, errors) = run(node.command(&["token", "--user", "ana", "--ttl", "1h"]));
    assert_eq!(code, Some(0), "{errors}");
    let mut client = Client::on(Socket::open(node.port));
    let reply = client.call(json!({ "connect": { "token": token.trim() } }));
    assert_eq!(reply["connect"]["expires"], true, "{reply}");

    let (_, token, _) = run(node.command(&["token", "--user", "ana", "--channel", "$private"]));
    let subscribe = json!({ "channel": "$private", "token": token.trim() });
    let reply = client.call(json!({ "subscribe": subscribe }));
    assert!(reply["subscribe"].is_object(), "{reply}");
}

#[test]
fn a_backup_taken_while_people_talk_can_be_served() {
    let node = Node::start();
    let mut client = Client::connect(&node, "ana");
    for n in 0..20 {
        client.publish("room", json!(n));
    }
    let old = client.subscribe("room");
    let other = Node::prepared(&[]);
    std::fs::create_dir_all(other.data_dir()).unwrap();
    let copy = other.data_dir().join("fanfare.db");
    let (code, _, errors) = run(node.command(&["backup", &copy.display().to_string()]));
    assert_eq!(code, Some(0), "{errors}");

    let mut other = other;
    other.launch();
    let history = other.api("history", &json!({ "channel": "room", "limit": -1 }));
    assert_eq!(history["result"]["publications"].as_array().map(Vec::len), Some(20));
    assert_ne!(history["result"]["epoch"], old["epoch"], "a restored history is another one");
}

#[test]
fn what_is_logged_names_no_token_key_or_message() {
    let node = Node::with(&[("LOG__LEVEL", "trace")]);
    let token = sign(&json!({ "sub": "ana" }));
    let mut client = Client::on(Socket::open(node.port));
    client.call(json!({ "connect": { "token": token } }));
    client.subscribe("room");
    client.publish("room", json!("a very private word"));
    client.push();
    let log = node.log();
    assert!(!log.is_empty());
    for secret in [token.as_str(), SECRET, API_KEY, "a very private word"] {
        assert!(!log.contains(secret), "the log contains {secret:?}");
    }
}
