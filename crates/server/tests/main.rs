//! The server from outside, a file for each part of its surface.
#![allow(clippy::unwrap_used, reason = "a test's failure is its panic")]

mod access;
mod announcements;
mod api;
mod backend;
mod burst;
mod cli;
mod config;
mod conformance;
mod crash;
mod deadlines;
mod events;
mod functions;
mod guides;
mod handover;
mod hostile;
mod http_edge;
mod http_inbox;
mod http_notifications;
mod http_product;
mod http_topics;
mod imports;
mod lifecycle;
mod limits;
mod openapi;
mod places;
mod process;
mod products;
mod program;
mod records;
mod rules;
mod settings;
mod shelf;
mod shop;
mod smoke;
mod sockets;
