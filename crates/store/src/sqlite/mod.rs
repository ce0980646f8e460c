//! The embedded backend: SQLite in WAL mode, one thread that writes, others that read.
//!
//! Read in this order: `migrations` is the layout; [`row`] one entry; [`sight`], [`unread`]
//! and [`list`] what a user sees and how it is counted without a scan, [`dead`] and [`kept`] what no longer counts
//! and who sees it all the same; [`changes`] and [`receipts`] what was said and done since; [`documents`] what sources keep;
//! [`append`], [`mark`] and [`prune`] the writes; [`turn`] and [`writer`] the group commit; [`recover`], [`witness`] and [`lineage`] what
//! happens after a failure.

mod append;
mod backup;
mod changes;
mod check;
mod check_documents;
mod check_full;
mod check_life;
mod checkpoint;
mod config;
mod connect;
mod dead;
mod document_row;
mod documents;
mod failure;
mod faults;
mod fullness;
mod handles;
mod job;
mod kept;
mod lineage;
mod list;
mod mark;
mod mark_key;
mod names;
mod prune;
mod read;
mod readers;
mod receipts;
mod recover;
mod row;
mod schema;
mod seldom;
mod settle;
mod sight;
mod status;
mod store;
mod turn;
mod unread;
mod user;
mod witness;
mod workspace;
mod writer;

pub use backup::backup;
pub use check_full::{CheckReport, check_full};
pub use config::Config;
pub use faults::{Fault, Faults};
pub use store::SqliteStore;
