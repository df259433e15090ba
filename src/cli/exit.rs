//! How a verb ends: the table of exit codes, and what is said on the way out.

use std::{
    fmt,
    io::{self, Write},
    process::ExitCode,
};

use crate::platform::{data_dir::DataDirError, postgres::ConnectError, settings::BadSettings};

/// Why a verb did not do what was asked.
#[derive(Debug)]
pub enum Failure {
    /// It did not work; what was expected, what came and what to do. Exit code 1.
    Failed(String),
    /// Another process holds the data directory. Exit code 75, as `EX_TEMPFAIL` of sysexits.h.
    InUse(String),
    /// Exit code 78, as `EX_CONFIG` there: starting again won't help.
    Settings(BadSettings),
    /// What the node was pointed at is set so that it can't keep its promise: the same code.
    Unfit(String),
    /// Who read our output has gone: nothing is wrong. Exit code 0.
    ReaderGone,
}

impl Failure {
    /// The exit code of the table above; wrong arguments end with 2 before any verb runs.
    pub fn code(&self) -> u8 {
        match self {
            Self::ReaderGone => 0,
            Self::Failed(_) => 1,
            Self::InUse(_) => 75,
            Self::Settings(_) | Self::Unfit(_) => 78,
        }
    }
}

/// Says on standard error what went wrong, if anything did.
pub(super) fn code_of(outcome: Result<(), Failure>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            for line in failure.to_string().lines() {
                eprintln!("fanfare: {line}");
            }
            failure.code().into()
        }
    }
}

/// Writes a line to standard output.
pub(super) fn say(line: impl fmt::Display) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::ReaderGone,
        _ => Failure::Failed(format!("can't write to standard output: {error}")),
    })
}

impl From<BadSettings> for Failure {
    fn from(bad: BadSettings) -> Self {
        Self::Settings(bad)
    }
}

impl From<DataDirError> for Failure {
    fn from(error: DataDirError) -> Self {
        match error {
            DataDirError::Held { .. } => Self::InUse(error.to_string()),
            error => Self::Failed(error.to_string()),
        }
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Unfit { .. } => Self::Unfit(error.to_string()),
            ConnectError::Unreachable(_) => Self::Failed(error.to_string()),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(why) | Self::InUse(why) | Self::Unfit(why) => f.write_str(why),
            Self::Settings(bad) => bad.fmt(f),
            Self::ReaderGone => Ok(()),
        }
    }
}
