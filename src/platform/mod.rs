//! The ground under everything: settings, tokens, databases, cache levels, metrics, failpoints, mutants, scratch servers. Knows nothing of channels or people.

pub mod cache;
pub mod data_dir;
pub mod database;
pub mod dice;
pub mod engine;
pub mod failpoint;
pub mod file_size;
pub mod glob;
pub mod metrics;
pub mod mutant;
pub mod network;
pub mod open_files;
pub mod postgres;
pub mod redis_client;
pub mod scratch;
pub mod settings;
pub mod telemetry;
pub mod tokens;
pub mod watchdog;
pub mod wrong_json;
