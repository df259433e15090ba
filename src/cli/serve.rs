//! `fanfare serve`: makes the ground ready, in plain order, and starts the node.

use std::{
    net::{SocketAddr, TcpListener},
    path::PathBuf,
};

use super::{Failure, exit::say, screen::Screen, settings};
use crate::platform::{
    data_dir::{DataDir, Generated},
    open_files,
    settings::{API_KEY, Flag, Settings, TOKEN_SECRET},
    telemetry,
};
use crate::{
    app::{self, Listeners},
    edge::listener,
};

/// Run a node. Needs no configuration: listens on 127.0.0.1:8000 and keeps everything in ./data.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  fanfare serve
  fanfare serve --port 0                       takes a free port and says which
  fanfare serve --config fanfare.toml
  FANFARE_CLIENT__TOKEN__HMAC_SECRET_KEY=... FANFARE_HTTP_API__KEY=... \\
    fanfare serve --address 0.0.0.0            beyond this machine: with secrets of your own

Ctrl-C and SIGTERM drain: clients are told to come back, the journal is flushed.")]
pub(super) struct Args {
    /// Listen on this IP address [setting http_server.address; 127.0.0.1].
    #[arg(long, value_name = "IP")]
    address: Option<String>,
    /// Listen on this port [setting http_server.port; 8000].
    #[arg(long)]
    port: Option<String>,
}

pub(super) fn run(args: &Args, settings: &settings::Args) -> Result<(), Failure> {
    let flags = [
        ("--address", "http_server.address", &args.address),
        ("--port", "http_server.port", &args.port),
    ];
    let flags = flags
        .into_iter()
        .filter_map(|(flag, key, text)| text.clone().map(|text| Flag { flag, key, text }));
    let loaded = settings.load(flags)?.settings;
    let options = settings.repeated(&loaded);
    let ground = Ground::prepare(loaded, options)?;
    let http = &ground.settings.http_server;
    let public = bind("http_server", http.socket_address())?;
    let operator = &ground.settings.operator;
    let operator = match operator.enabled {
        true => Some(bind("operator", operator.socket_address())?),
        false => None,
    };
    let address = |listener: &TcpListener| {
        listener.local_addr().map_err(|why| Failure::Failed(format!("no address: {why}")))
    };
    let screen = ground.screen(address(&public)?, operator.as_ref().map(address).transpose()?);
    let listeners = Listeners { public, operator };
    let started = move || {
        if let Err(why) = say(screen) {
            log::warn!("the start screen could not be shown: {why}");
        }
    };
    app::run(ground.settings.clone(), listeners, started).map_err(|failed| match failed.unfit {
        true => Failure::Unfit(failed.why),
        false => Failure::Failed(failed.why),
    })
}

fn bind(section: &str, address: SocketAddr) -> Result<TcpListener, Failure> {
    listener::bind(address).map_err(|why| {
        Failure::Failed(format!("can't listen on {address} (settings {section}.*): {why}"))
    })
}

/// What a node stands on: settings with every secret and limit filled in, and the data directory.
pub struct Ground {
    /// As they hold.
    pub settings: Settings,
    /// Held until this is dropped.
    pub data_dir: DataDir,
    /// Files of secrets that are generated ones.
    generated: Vec<PathBuf>,
    /// Options that find this node again, for the lines to copy.
    options: String,
}

impl Ground {
    /// Starts logging, raises the limit of open files, takes the data directory, finds the secrets.
    fn prepare(mut settings: Settings, options: String) -> Result<Self, Failure> {
        telemetry::start(&settings.log.level);
        #[cfg(feature = "failpoints")]
        {
            crate::platform::failpoint::arm_from_env().map_err(Failure::Failed)?;
            crate::platform::mutant::switch_on_from_env().map_err(Failure::Failed)?;
        }
        let open_files = open_files::raise().unwrap_or_else(|(limit, why)| {
            log::warn!("the limit of open files stays at {limit}: {why}");
            limit
        });
        let client = &mut settings.client;
        client.connection_limit = open_files::connection_limit(client.connection_limit, open_files);
        let data_dir = DataDir::open(settings.data_dir())?;
        let generated = take_generated(&mut settings, &data_dir)?;
        Ok(Self { settings, data_dir, generated, options })
    }

    /// What to show once the node listens on these addresses.
    pub fn screen(&self, public: SocketAddr, operator: Option<SocketAddr>) -> Screen {
        let found = self.settings.http_server.port == public.port();
        let url = if found { String::new() } else { format!(" --url ws://{public}") };
        Screen {
            public,
            operator,
            journal: self.settings.journal_place(),
            generated: self.generated.clone(),
            options: format!("{}{url}", self.options),
        }
    }
}

/// Fills in the secrets that nobody set with those of the data directory; returns their files.
fn take_generated(settings: &mut Settings, data_dir: &DataDir) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for key in settings.generated_needed() {
        let (which, place) = match key {
            TOKEN_SECRET => (Generated::TokenSecret, &mut settings.client.token.hmac_secret_key),
            API_KEY => (Generated::ApiKey, &mut settings.http_api.key),
            _ => continue,
        };
        let (secret, fresh) = data_dir.secret(which)?;
        *place = secret;
        let file = which.path(data_dir.path());
        let how = if fresh { "generated" } else { "taken from" };
        log::info!("{key} is not set: {how} {}, for development", file.display());
        files.push(file);
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_without_configuration_has_secrets_and_a_limit_of_connections() {
        let dir = std::env::temp_dir().join(format!("fanfare-serve-{}", uuid::Uuid::new_v4()));
        let data_dir = dir.to_str().unwrap().into();
        let settings = Settings { data_dir, ..Settings::default() };
        let ground = Ground::prepare(settings.clone(), " --data-dir d".into()).unwrap();
        assert!(ground.settings.generated_needed().is_empty());
        assert!(ground.settings.client.connection_limit > 0);
        let shown = ground.screen(([127, 0, 0, 1], 9).into(), None).to_string();
        assert!(shown.contains("sub --data-dir d --url ws://127.0.0.1:9 hello"), "{shown}");
        assert!(shown.contains("token_secret (generated") && shown.contains("api_key (generated"));

        let second = Ground::prepare(settings, String::new()).err().unwrap();
        assert_eq!(second.code(), 75);
        drop(ground);
        std::fs::remove_dir_all(dir).unwrap();
    }
}
