//! The node as its neighbours see it: a real process, raw sockets, signals. One binary, so that it links once.

mod support;

mod alerts;
mod bad_input;
mod caches;
mod chaos;
mod cluster;
mod command_line;
mod container;
mod crash;
mod crowd;
mod dependencies;
mod disk;
mod doors;
mod drain;
mod durability;
mod feed;
mod forecasts;
#[cfg(feature = "fuzzing")]
mod fuzz;
mod heartbeat;
mod house;
mod http;
mod identity;
mod levels;
mod load;
mod metrics;
#[cfg(feature = "failpoints")]
mod mutants;
mod nginx;
mod orders;
#[cfg(feature = "failpoints")]
mod panics;
mod portfolio;
mod postgres;
mod prices;
mod proxied;
mod rate_limits;
mod recovery;
mod replica;
mod rolling;
#[cfg(feature = "failpoints")]
mod screens;
mod seed;
mod sizes;
mod slow_reader;
mod tokens;
mod trying;
