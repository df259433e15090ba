//! The load tool: clients of its own by the thousand, a judge of every delivery, one file a scenario.

// Nothing calls them yet.
#![allow(dead_code)]

mod checker;
mod clock;
mod frame;
mod handshake;
mod hearing;
mod histogram;
mod payload;
mod report;
