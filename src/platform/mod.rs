//! The ground under everything: settings, tokens, the database file, metrics, failpoints. Knows nothing of channels or people.

pub mod database;
pub mod failpoint;
pub mod metrics;
pub mod settings;
pub mod tokens;
