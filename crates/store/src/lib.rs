//! The log and the receipts: a contract ([`Store`]), its conformance suite, and two backends.
//!
//! A workspace is an ordered, append-only log of entries; receipts say what each user did with them.
//! This crate knows no sockets: who is told about a commit is up to whoever reads [`Store::commits`].
//!
//! Read in this order: the contract, and what users do with what they see (`read_state.rs`); [`MemoryStore`], which
//! answers by brute force and so says what is right; [`SqliteStore`], which answers the same from indexes and
//! survives.

mod collapse;
#[cfg(feature = "conformance")]
pub mod conformance;
mod contract;
mod documents;
mod epochs;
mod error;
mod memory;
mod read_state;
mod sqlite;
mod validate;

pub use campanile_model::Mark;
pub use contract::*;
pub use documents::*;
pub use epochs::Epochs;
pub use error::StoreError;
pub use memory::MemoryStore;
pub use read_state::*;
pub use sqlite::{CheckReport, Config, SqliteStore, backup, check_full};
#[doc(hidden)]
pub use sqlite::{Fault, Faults};

pub(crate) use validate::validate;
pub use validate::validate_resolved;
