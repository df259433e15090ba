//! The ground under everything: settings, tokens, metrics, failpoints. Knows nothing of channels or people.

pub mod failpoint;
pub mod metrics;
pub mod settings;
pub mod tokens;
