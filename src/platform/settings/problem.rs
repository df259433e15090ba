//! What is wrong with the settings, said so that it can be put right: which one, where it came from, what was expected.

use std::{fmt, path::PathBuf};

/// Where a value came from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// Nobody said anything.
    BuiltIn,
    /// A settings file.
    File(PathBuf),
    /// An environment variable.
    Variable(String),
    /// A flag of the command line.
    Flag(&'static str),
}

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Problem {
    /// A value is not what it should be. `got` is `"***"` for a secret.
    Bad { key: String, got: String, origin: Origin, expected: String },
    /// There is no such setting.
    Unknown { key: String, origin: Origin, nearest: Option<String> },
    /// The file can't be read, or is no TOML. Never quotes the file: it may hold secrets.
    File { path: PathBuf, why: String },
}

/// All that is wrong, at least one thing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadSettings(pub Vec<Problem>);

/// The name of the variable that sets `key`.
pub fn variable_of(key: &str) -> String {
    format!("FANFARE_{}", key.replace('.', "__").to_uppercase())
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("the built-in settings"),
            Self::File(path) => path.display().fmt(f),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bad { key, got, origin, expected } => {
                write!(f, "{key}: expected {expected}, got {got} from {origin}")
            }
            Self::Unknown { key, origin, nearest } => {
                match origin {
                    Origin::Variable(name) => write!(f, "{name}: there is no setting {key}")?,
                    origin => write!(f, "{key}: there is no such setting, but {origin} has it")?,
                }
                match (nearest, origin) {
                    (None, _) => f.write_str("; `fanfare config default` shows all"),
                    (Some(near), Origin::Variable(_)) => {
                        write!(f, "; did you mean {}?", variable_of(near))
                    }
                    (Some(near), _) => write!(f, "; did you mean {near}?"),
                }
            }
            Self::File { path, why } => write!(f, "{}: {why}", path.display()),
        }
    }
}

impl fmt::Display for BadSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.0.iter().enumerate() {
            write!(f, "{}{problem}", if at > 0 { "\n" } else { "" })?;
        }
        Ok(())
    }
}

impl std::error::Error for BadSettings {}
