//! What whoever sets something notices.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::*;

fn from_env(variables: &[(&str, &str)]) -> Result<Loaded, BadSettings> {
    let variables = variables.iter().map(|(name, text)| (name.to_string(), text.to_string()));
    load(&Sources::new(None, variables))
}

fn complaint(variables: &[(&str, &str)]) -> String {
    from_env(variables).expect_err("these settings are wrong").to_string()
}

#[test]
fn nothing_need_be_set() {
    assert_eq!(from_env(&[]).unwrap().settings, Settings::default());
}

#[test]
fn the_default_file_says_what_is_built_in() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/default.toml");
    let shipped = std::fs::read_to_string(&path).unwrap();
    assert!(
        shipped == default_file(),
        "config/default.toml is stale: run `cargo run -- config default > config/default.toml`"
    );
    let loaded = load(&Sources { file: Some(path), ..Sources::default() }).unwrap();
    assert_eq!(loaded.settings, Settings::default());
}

#[test]
fn a_variable_wins_over_the_file_and_a_flag_over_both() {
    let dir = Scratch::new();
    let file = dir.write(
        "[http_server]\nport = 1\n[client]\nping_interval = \"30s\"\nqueue_max_size = \"2MiB\"\n",
    );
    let variables = [
        ("FANFARE_CONFIG".to_owned(), file.clone()),
        ("FANFARE_HTTP_SERVER__PORT".to_owned(), "2".to_owned()),
        ("FANFARE_CLIENT__PING_INTERVAL".to_owned(), "40s".to_owned()),
        ("FANFARE_DATA_DIR".to_owned(), "/tmp/elsewhere".to_owned()),
        ("PATH".to_owned(), "/bin".to_owned()),
    ];
    let mut sources = Sources::new(None, variables);
    sources.flags = vec![Flag { flag: "--port", key: "http_server.port", text: "3".into() }];
    let loaded = load(&sources).unwrap();
    assert_eq!(loaded.settings.http_server.port, 3);
    assert_eq!(loaded.settings.client.ping_interval, Duration::from_secs(40));
    assert_eq!(loaded.settings.client.queue_max_size, Size::mib(2));
    assert_eq!(loaded.settings.data_dir, "/tmp/elsewhere");
    let shown = effective(&loaded);
    assert!(shown.contains("port = 3 # from --port"), "{shown}");
    assert!(shown.contains("ping_interval = \"40s\" # from FANFARE_CLIENT__PING_INTERVAL"));
    assert!(shown.contains(&format!("queue_max_size = \"2MiB\" # from {file}")));
    assert!(shown.contains("pong_timeout = \"8s\"\n"));
}

#[test]
fn lists_and_tables_come_as_json_or_toml() {
    for namespaces in [
        r#"[{"name": "chat", "history_size": 5, "history_ttl": "1m", "durable": true}]"#,
        r#"[{name = "chat", history_size = 5, history_ttl = "1m", durable = true}]"#,
    ] {
        let settings = from_env(&[
            ("FANFARE_CHANNEL__NAMESPACES", namespaces),
            ("FANFARE_CLIENT__ALLOWED_ORIGINS", r#"["https://a.example"]"#),
            ("FANFARE_CHANNEL__WITHOUT_NAMESPACE__FORCE_RECOVERY_MODE", "cache"),
        ])
        .unwrap()
        .settings;
        assert_eq!(settings.client.allowed_origins, ["https://a.example"]);
        let [chat] = &settings.channel.namespaces[..] else { panic!("one namespace") };
        assert_eq!((chat.name.as_str(), chat.options.history_size), ("chat", 5));
        assert!(chat.options.durable && !chat.options.allow_subscribe_for_client);
        assert_eq!(settings.channel.without_namespace.force_recovery_mode, RecoveryMode::Cache);
    }
}

#[test]
fn a_slip_of_the_pen_is_told_with_what_was_meant() {
    let dir = Scratch::new();
    let wrong = |text: &str| {
        let sources = Sources { file: Some(dir.write(text).into()), ..Sources::default() };
        load(&sources).unwrap_err().to_string()
    };
    for (text, key, meant) in [
        ("[client]\nping_intervall = \"1s\"", "client.ping_intervall", "client.ping_interval?"),
        ("ping_interval = \"1s\"", "ping_interval", "client.ping_interval?"),
        (
            "[[channel.namespaces]]\nname = \"ab\"\n[[channel.namespaces]]\nhistroy_size = 1",
            "channel.namespaces[1].histroy_size",
            "channel.namespaces[1].history_size?",
        ),
    ] {
        let message = wrong(text);
        assert!(message.starts_with(&format!("{key}: there is no such setting")), "{message}");
        assert!(message.ends_with(&format!("did you mean {meant}")), "{message}");
    }
    assert!(wrong("xyzzy = 1").ends_with("`fanfare config default` shows all"));
    assert_eq!(
        complaint(&[("FANFARE_CLIENT_PING_INTERVAL", "1s")]),
        "FANFARE_CLIENT_PING_INTERVAL: there is no setting client_ping_interval; \
         did you mean FANFARE_CLIENT__PING_INTERVAL?"
    );
}

#[test]
fn variables_of_schedulers_and_of_other_verbs_are_let_be() {
    from_env(&[
        ("FANFARE_PORT", "tcp://10.0.0.7:8000"),
        ("FANFARE_SERVICE_HOST", "10.0.0.7"),
        ("FANFARE_SERVICE_PORT_HTTP", "8000"),
        ("FANFARE_PORT_8000_TCP_ADDR", "10.0.0.7"),
        ("FANFARE_LOAD_SECRET", "x"),
    ])
    .unwrap();
}

#[test]
fn a_bad_value_says_where_it_came_from_and_what_was_expected() {
    let dir = Scratch::new();
    let file = dir.write("[client]\nping_interval = 25\n[http_server]\naddress = \"localhost\"\n");
    let bad = load(&Sources { file: Some(file.clone().into()), ..Sources::default() });
    assert_eq!(
        bad.unwrap_err().to_string(),
        format!(
            "client.ping_interval: expected a duration with its unit, like \"500ms\", \"25s\", \
             \"5m\", \"2h\" or \"7d\", got 25 from {file}\n\
             http_server.address: expected an IP address, like \"127.0.0.1\", \"0.0.0.0\" or \
             \"::1\", got \"localhost\" from {file}"
        )
    );
    assert_eq!(
        complaint(&[("FANFARE_HTTP_SERVER__PORT", "eighty")]),
        "http_server.port: expected a whole number from 0 to 65535, got \"eighty\" from \
         FANFARE_HTTP_SERVER__PORT"
    );
    assert_eq!(
        complaint(&[("FANFARE_CLIENT", "1")]),
        "client: expected a table, [client], got something else from FANFARE_CLIENT"
    );
}

#[test]
fn what_does_not_fit_together_is_told_with_both_names() {
    const OPEN: &str = "FANFARE_CHANNEL__WITHOUT_NAMESPACE__";
    for (variable, text, expected) in [
        (
            "FANFARE_CLIENT__PONG_TIMEOUT",
            "25s",
            "client.pong_timeout: expected more than 0s and less than client.ping_interval (25s), \
             got \"25s\" from FANFARE_CLIENT__PONG_TIMEOUT",
        ),
        ("FANFARE_CLIENT__PING_INTERVAL", "8500ms", "client.ping_interval: expected whole seconds"),
        ("FANFARE_CLIENT__COMMAND_TIMEOUT", "5s", "client.command_timeout: expected more than 0s"),
        ("FANFARE_CLIENT__PUBLISH_WINDOW", "0", "client.publish_window: expected 1 or more"),
        ("FANFARE_CLIENT__RECOVERY_MAX_SIZE", "1MiB", "client.recovery_max_size: expected less"),
        ("FANFARE_CLIENT__RECOVERY_BUDGET", "1KiB", "client.recovery_budget: expected at least"),
        (
            "FANFARE_CLIENT__RATE_LIMIT__USER_CONNECT_BURST",
            "0",
            "client.rate_limit.user_connect_burst: expected from 1 to 1000000000, got 0",
        ),
        (
            "FANFARE_CLIENT__RATE_LIMIT__DEVICE_PUBLISH_RATE",
            "1000000001",
            "client.rate_limit.device_publish_rate: expected at most 1000000000",
        ),
        ("FANFARE_CLIENT__QUEUES_MAX_SIZE", "1KiB", "client.queues_max_size: expected at least"),
        (
            "FANFARE_HTTP_SERVER__TRUSTED_PROXIES",
            "[\"10.0.0.0/40\"]",
            "http_server.trusted_proxies: expected IP addresses",
        ),
        ("FANFARE_CLIENT__ALLOWED_ORIGINS", "[\"\"]", "client.allowed_origins: expected patterns"),
        ("FANFARE_CLIENT__TOKEN__RSA_PUBLIC_KEY", "x", "client.token.rsa_public_key: expected a"),
        (
            "FANFARE_CLIENT__SUBSCRIPTION_TOKEN__ENABLED",
            "true",
            "client.subscription_token.enabled: expected a key beside it, or false, got true",
        ),
        (
            "FANFARE_CLIENT__SUBSCRIBE_TO_USER_PERSONAL_CHANNEL__PERSONAL_CHANNEL_NAMESPACE",
            "nope",
            "client.subscribe_to_user_personal_channel.personal_channel_namespace: expected the name",
        ),
        ("FANFARE_WEBSOCKET__MESSAGE_SIZE_LIMIT", "10", "websocket.message_size_limit: expected"),
        (
            "FANFARE_DATABASE__REPLICA_URL",
            "postgres://fanfare:hunter2@standby/fanfare",
            "database.replica_url: expected nothing, or beside it postgres.url: a file has nobody",
        ),
        (
            "FANFARE_DATABASE__REPLICA_URL",
            "standby",
            "database.replica_url: expected an address like postgres://USER:PASSWORD@HOST:5432/DATABASE, or",
        ),
        ("FANFARE_DATABASE__REPLICA_DEADLINE", "2s", "database.replica_deadline: expected more"),
        ("FANFARE_OPERATOR__PORT", "8000", "operator.port: expected another port"),
        ("FANFARE_CHANNEL__MAX_LENGTH", "256", "channel.max_length: expected from 1 to 255"),
        ("FANFARE_CHANNEL__USER_BOUNDARY", ":", "channel.user_boundary: expected another"),
        ("FANFARE_CHANNEL__USER_SEPARATOR", "ab", "channel.user_separator: expected one"),
        ("FANFARE_CHANNEL__NAMESPACES", "[{name = \"x\"}]", "channel.namespaces[0].name: expected"),
        (
            "FANFARE_CHANNEL__NAMESPACES",
            "[{name = \"ab\"}, {name = \"ab\"}]",
            "channel.namespaces[1].name: expected a name that no namespace before it has, got \"ab\" \
             from FANFARE_CHANNEL__NAMESPACES",
        ),
        (
            "FANFARE_CHANNEL__NAMESPACES",
            "[{name = \"ab\", durable = true}]",
            "channel.namespaces[0].durable: expected history_size and history_ttl beside it, or false",
        ),
        (
            "FANFARE_CHANNEL__NAMESPACES",
            "[{name = \"ab\", force_recovery = true}]",
            "channel.namespaces[0].force_recovery: expected history_size and history_ttl",
        ),
        (
            &format!("{OPEN}HISTORY_META_TTL"),
            "1d",
            "channel.without_namespace.history_meta_ttl: expected at least history_ttl",
        ),
        (
            &format!("{OPEN}ALLOWED_DELTA_TYPES"),
            "[\"zstd\"]",
            "channel.without_namespace.allowed_delta_types: expected [\"fossil\"] or []",
        ),
        (
            &format!("{OPEN}PUBLICATION_DATA_FORMAT"),
            "xml",
            "channel.without_namespace.publication_data_format: expected one of \"json\", ",
        ),
        ("FANFARE_SHUTDOWN__DEADLINE", "0s", "shutdown.deadline: expected more than 0s"),
        ("FANFARE_LOG__LEVEL", "loud=very", "log.level: expected \"error\", \"warn\""),
    ] {
        let message = complaint(&[(variable, text)]);
        assert!(message.lines().any(|line| line.starts_with(expected)), "{variable}: {message}");
        assert!(!message.contains("hunter2"), "{message}");
    }
}

#[test]
fn a_secret_is_never_repeated() {
    const SECRET: &str = "correct-horse-battery";
    let variables = [
        ("FANFARE_CLIENT__TOKEN__HMAC_SECRET_KEY", SECRET),
        ("FANFARE_HTTP_API__KEY", SECRET),
        ("FANFARE_HTTP_API__KEYS", "[\"correct-horse-battery\"]"),
    ];
    let loaded = from_env(&variables).unwrap();
    assert_eq!(loaded.settings.http_api.all_keys().count(), 2);
    let shown = format!("{:?}{}", loaded, effective(&loaded));
    assert!(!shown.contains(SECRET), "{shown}");
    assert!(effective(&loaded).contains("hmac_secret_key = \"***\" # from FANFARE_CLIENT__TOKEN"));

    let dir = Scratch::new();
    for text in [
        "[client.token]\nhmac_secret_key = [\"correct-horse-battery\"]",
        "[client.token]\nhmac_secret_key = correct-horse-battery",
        "[http_api]\nkeys = \"correct-horse-battery\"",
        "[http_api]\nkye = \"correct-horse-battery\"",
    ] {
        let sources = Sources { file: Some(dir.write(text).into()), ..Sources::default() };
        let message = load(&sources).unwrap_err().to_string();
        assert!(!message.contains("horse"), "{message}");
    }
}

#[test]
fn a_file_that_is_not_there_or_no_toml_is_told_by_name_and_line() {
    let missing = Sources { file: Some("/nowhere/fanfare.toml".into()), ..Sources::default() };
    let message = load(&missing).unwrap_err().to_string();
    assert!(message.starts_with("/nowhere/fanfare.toml: expected a settings file: "), "{message}");
    let dir = Scratch::new();
    let file = dir.write("[client]\n\nping_interval = \n");
    let message =
        load(&Sources { file: Some(file.clone().into()), ..Sources::default() }).unwrap_err();
    assert!(message.to_string().starts_with(&format!("{file}: line 3 is no TOML: ")), "{message}");
}

#[test]
fn who_lets_nobody_in_needs_no_secret_and_nothing_else_is_forgiven() {
    let sources = |given: &[(&str, &str)]| {
        let given = given.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        Sources { lets_nobody_in: true, ..Sources::new(None, given) }
    };
    let url = ("FANFARE_POSTGRES__URL", "postgres://127.0.0.1/x");
    let address = ("FANFARE_HTTP_SERVER__ADDRESS", "0.0.0.0");
    load(&sources(&[url, address])).unwrap();
    for (wrong, said) in [
        (("FANFARE_HTTP_SERVER__PORT", "8001"), "operator.port: expected another port than "),
        (("FANFARE_DATABASE__REPLICA_URL", "x"), "database.replica_url: expected "),
        (("FANFARE_CLIENT__PING_INTERVAL", "often"), "client.ping_interval: expected "),
        (("FANFARE_POSTGRES__URI", "x"), "FANFARE_POSTGRES__URI: there is no setting"),
    ] {
        let message = load(&sources(&[url, wrong])).unwrap_err().to_string();
        assert!(message.starts_with(said) && !message.contains("secret"), "{message}");
    }
    assert!(complaint(&[url]).starts_with("postgres.url: expected nothing, or beside it "));
}

#[test]
fn beyond_loopback_it_takes_secrets_of_your_own() {
    let token = ("FANFARE_CLIENT__TOKEN__HMAC_SECRET_KEY", "x");
    let api = ("FANFARE_HTTP_API__KEY", "y");
    for beyond in ["0.0.0.0", "::", "192.168.1.2"] {
        let address = ("FANFARE_HTTP_SERVER__ADDRESS", beyond);
        for given in [&[address][..], &[address, token], &[address, api]] {
            let message = complaint(given);
            let expected = "http_server.address: expected a loopback address, or beside it ";
            assert!(message.starts_with(expected), "{message}");
        }
        from_env(&[address, token, api]).unwrap();
    }
    from_env(&[("FANFARE_HTTP_SERVER__ADDRESS", "::1")]).unwrap();
}

#[test]
fn the_journal_is_in_the_data_directory_unless_it_is_told_otherwise() {
    let mut settings = Settings::default();
    assert_eq!(settings.journal_path(), Path::new("./data/fanfare.db"));
    settings.journal.path = "/elsewhere/j.db".into();
    assert_eq!(settings.journal_path(), Path::new("/elsewhere/j.db"));
}

#[test]
fn every_setting_is_read_by_something() {
    // Read through a method of the settings, which must be called.
    let methods = [
        ("key", "all_keys"),
        ("keys", "all_keys"),
        ("path", "journal_path"),
        ("url", "options"),
        ("replica_url", "options"),
        ("connect_timeout", "options"),
        ("statement_timeout", "options"),
        ("answer_timeout", "options"),
        ("ca_file", "options"),
        ("address", "socket_address"),
        ("port", "socket_address"),
        ("allowed_delta_types", "allows_fossil"),
    ];
    let code = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    for key in print::values(&Settings::default()).keys() {
        let name = key.rsplit('.').next().unwrap();
        let read = methods.iter().find(|(field, _)| *field == name).map_or(name, |(_, by)| by);
        let read = format!(".{read}");
        let used = code.match_indices(&read).any(|(at, _)| {
            let next = code[at + read.len()..].chars().next();
            next.is_none_or(|c| !c.is_alphanumeric() && c != '_')
        });
        assert!(used, "nothing reads {key}: a setting that does nothing is a false promise");
    }
}

/// All code below `dir` but the settings' own.
fn sources(dir: &Path) -> String {
    let mut code = String::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("platform/settings") {
            code += &sources(&path);
        } else if path.extension().is_some_and(|end| end == "rs") {
            code += &std::fs::read_to_string(&path).unwrap();
        }
    }
    code
}

/// A directory of this test alone, removed at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let dir = std::env::temp_dir().join(format!("fanfare-settings-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&dir).unwrap();
        Self(dir)
    }

    fn write(&self, text: &str) -> String {
        let path = self.0.join("fanfare.toml");
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
