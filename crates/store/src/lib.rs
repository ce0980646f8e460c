//! The log and the receipts: a contract ([`Store`]), its conformance suite, and two backends.
//!
//! A workspace is an ordered, append-only log of entries; receipts say what each user did with them.
//! This crate knows no sockets: who is told about a commit is up to whoever reads [`Store::commits`].

mod contract;
mod error;

pub use contract::*;
pub use error::StoreError;
