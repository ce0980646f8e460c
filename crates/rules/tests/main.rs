//! The crate as its users see it: the built-in rules, hostile rules and events, and what is never exposed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod built_in;
mod hostile;
mod peak;
mod properties;
mod rules;
mod shop;
