//! Test support: the real server on port 0 in this process, a clock that tests step, tokens of any shape,
//! and clients that share no code with the server.
//!
//! Everything here panics with a message where a test would: it is for tests only.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test's failure is its panic")]

mod client;
mod http;
mod server;
mod tls;
mod token;

pub use client::{BY_NOW, Client, Io, Refused, WAIT, frame, raw_upgrade, read_head, upgrade_on};
pub use http::{Answer, request};
pub use server::{Options, TestServer};
pub use tls::{Authority, Signed, connect_tls};
pub use token::{SECRET, Token, forge};
