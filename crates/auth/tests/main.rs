//! The crate as its users see it: tokens made by other means than its own, and what it says of them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod accepted;
mod cache;
mod hostile;
mod issuers;
mod jwks;
mod keys;
mod mint;
mod mutations;
mod properties;
