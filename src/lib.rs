//! Fanfare: a self-hosted realtime backend. Durable channels for messengers and dashboards, one binary.
//!
//! # One message's way
//!
//! Down: [`edge::socket`] lets Ana in; [`realtime::session`] reads a frame, [`protocol`] makes it a command, and the
//! session asks the [`room`](realtime::room) of the channel to publish; the [journal](realtime::journal) commits it
//! together with others and gives it a position; Ana gets her reply.
//!
//! Up: the room's one door lets it through in order; it is encoded once and handed to the hub of each worker thread
//! that has members; the hub walks its members, and from their outboxes it goes to Bo's socket.
//!
//! Lost the wire? Bo comes back with (epoch, offset): the room takes what he missed from its ring or from the journal,
//! merges it with what arrives meanwhile, and says whether that is all of it.
//!
//! # Floors, from the ground up
//!
//! A file imports its own folder or a lower floor; what goes up is a message type or a trait that the lower floor owns.
//! `tests/it/house.rs` reads the source and fails on an import that climbs. The reasons stand in `docs/ARCHITECTURE.md`.

pub mod ids;

pub mod domain;

pub mod platform;

pub mod supervisor;

pub mod protocol;

pub mod realtime;

pub mod work;

pub mod edge;

pub mod app;

pub mod load;

pub mod cli;
