//! The server from outside, a file for each part of its surface.

mod api;
mod cli;
mod config;
mod http_edge;
mod http_inbox;
mod http_notifications;
mod http_product;
mod http_topics;
mod openapi;
mod program;
mod handover;
mod smoke;
