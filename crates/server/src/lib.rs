//! The process: sockets, HTTP, clock, configuration, signals, command line.
//!
//! [`run`] is the assembly on one page, [`routes`] all routes on one page.

pub mod auth_failures;
mod background;
pub mod cli;
pub mod clock;
pub mod config;
pub mod doors;
pub mod http;
pub mod key_sources;
mod lately;
pub mod logging;
pub mod origin;
mod private_file;
pub mod proxies;
mod rounds;
pub mod routes;
mod rows;
pub mod run;
pub mod signing_keys;
pub mod socket;
pub mod tickets;
pub mod tls;

/// The hidden command that makes a process run functions, and nothing else.
pub const WORKER: &str = "internal-js-worker";
