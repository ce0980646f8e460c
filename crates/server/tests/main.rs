//! The server from outside, a file for each part of its surface.
#![allow(clippy::unwrap_used, reason = "a test's failure is its panic")]

mod api;
mod burst;
mod cli;
mod config;
mod conformance;
mod crash;
mod deadlines;
mod handover;
mod hostile;
mod http_edge;
mod http_inbox;
mod http_notifications;
mod http_product;
mod http_topics;
mod openapi;
mod places;
mod process;
mod program;
mod smoke;
mod sockets;
