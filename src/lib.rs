//! Fanfare: a self-hosted realtime backend.

pub mod ids;

pub mod platform;

pub mod supervisor;

pub mod protocol;

pub mod realtime;

pub mod edge;

pub mod work;

pub mod app;

pub mod load;

pub mod cli;
