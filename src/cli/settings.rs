//! Arguments of every verb that say where the settings come from.

use std::path::PathBuf;

use super::Failure;
use crate::platform::{
    settings::{BadSettings, Flag, Loaded, Origin, Problem, Settings, Sources, load},
    tokens::Verifier,
};

/// Where the settings come from.
#[derive(clap::Args, Debug, Default)]
#[group(id = "settings")]
pub(super) struct Args {
    /// Take settings from this TOML file [else: what FANFARE_CONFIG names].
    #[arg(long, value_name = "FILE", global = true, help_heading = "Settings")]
    pub config: Option<PathBuf>,
    /// Keep journal, generated secrets and lock in this directory [setting data_dir; ./data].
    #[arg(long, value_name = "DIR", global = true, help_heading = "Settings")]
    pub data_dir: Option<String>,
}

impl Args {
    /// Arguments that find the same settings and data again, each with a blank in front, for a line
    /// to copy into another terminal, which has not the variables of this one.
    pub fn repeated(&self, settings: &Settings) -> String {
        let config = self.config.as_ref().map(|path| path.display().to_string());
        let elsewhere = settings.data_dir != Settings::default().data_dir;
        let data_dir = elsewhere.then(|| settings.data_dir.clone());
        [("--config", config), ("--data-dir", data_dir)]
            .into_iter()
            .filter_map(|(flag, text)| Some(format!(" {flag} {}", quoted(&text?))))
            .collect()
    }

    /// The settings with all layers, `flags` of the verb on top.
    pub fn load(&self, flags: impl IntoIterator<Item = Flag>) -> Result<Loaded, Failure> {
        self.laid(flags, false)
    }

    /// The same for a verb that opens the database and lets nobody in: it asks for no secret that only nodes need.
    pub fn load_for_database(&self) -> Result<Loaded, Failure> {
        self.laid([], true)
    }

    fn laid(
        &self,
        flags: impl IntoIterator<Item = Flag>,
        lets_nobody_in: bool,
    ) -> Result<Loaded, Failure> {
        // What is no Unicode is no setting of ours: names and values are checked text.
        let environment = std::env::vars_os()
            .filter_map(|(name, text)| Some((name.into_string().ok()?, text.into_string().ok()?)));
        let mut sources = Sources::new(self.config.clone(), environment);
        sources.lets_nobody_in = lets_nobody_in;
        let data_dir = self.data_dir.clone();
        sources.flags.extend(data_dir.map(|text| Flag {
            flag: "--data-dir",
            key: "data_dir",
            text,
        }));
        sources.flags.extend(flags);
        let loaded = load(&sources)?;
        check_keys(&loaded)?;
        Ok(loaded)
    }
}

/// Finds keys and patterns of tokens that are well written and yet none.
fn check_keys(loaded: &Loaded) -> Result<(), BadSettings> {
    let client = &loaded.settings.client;
    let own = &client.subscription_token;
    let sections = [
        ("client.token", Some(&client.token)),
        ("client.subscription_token", own.enabled.then_some(&own.keys)),
    ];
    let bad = sections.into_iter().filter_map(|(section, keys)| {
        let bad = Verifier::new(keys?).err()?;
        let key = format!("{section}.{}", bad.setting);
        let origin = loaded.origins.get(&key).cloned().unwrap_or(Origin::BuiltIn);
        let (got, expected) = ("something else".into(), bad.expected.into());
        Some(Problem::Bad { key, got, origin, expected })
    });
    let bad: Vec<_> = bad.collect();
    if bad.is_empty() { Ok(()) } else { Err(BadSettings(bad)) }
}

/// As a shell takes it for one word.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:,@".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.into();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_none_is_told_by_name() {
        let pem = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----";
        let key = "client.token.rsa_public_key".to_owned();
        let mut loaded = Loaded { settings: Settings::default(), origins: Default::default() };
        assert_eq!(check_keys(&loaded), Ok(()));
        loaded.settings.client.token.rsa_public_key = pem.into();
        loaded.origins.insert(key, Origin::Variable("V".into()));
        let message = check_keys(&loaded).unwrap_err().to_string();
        assert!(message.starts_with("client.token.rsa_public_key: expected "), "{message}");
        assert!(message.ends_with("from V") && !message.contains("AAAA"), "{message}");
    }

    #[test]
    fn arguments_to_copy_survive_a_shell() {
        let args = Args { config: Some("/a b/c.toml".into()), data_dir: None };
        let settings = Settings { data_dir: "./d".into(), ..Settings::default() };
        assert_eq!(args.repeated(&settings), " --config '/a b/c.toml' --data-dir ./d");
        assert_eq!(Args::default().repeated(&Settings::default()), "");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
