//! The use cases, a file each. The only place where the store and the sockets meet.
//!
//! A request goes: [`publish`] commits, [`follow`] takes what was committed to the sockets in order;
//! [`connect`] hands a new socket over without a gap or a duplicate; [`inbox`] and [`mark`] are what
//! a user does; [`topics`] is who listens; [`retain`] is what goes.

pub mod access;
pub mod announcement;
mod book;
mod config;
pub mod connect;
pub mod drain;
pub mod due;
mod error;
pub mod event;
pub mod follow;
pub mod function;
pub mod inbox;
mod limit;
pub mod mark;
pub mod page;
mod postpone;
pub mod product;
pub mod publish;
pub mod record;
mod rerun;
pub mod retain;
pub mod revise;
pub mod revocation;
mod rota;
pub mod rule;
pub mod run;
pub mod schedule;
pub mod service_account;
pub mod settings;
mod span;
pub mod topics;
mod workspaces;

use std::sync::Arc;

use campanile_model::{Notification, NotificationId, Slug, Timestamp};
use campanile_store::Store;

pub use book::Books;
pub use config::{Config, Mode, TypeStyle, WorkspaceConfig};
pub use error::EngineError;
pub use limit::Counts;
pub use rerun::rerun;
use revocation::Revocation;
pub use revocation::Revocations;
pub use rota::{Admitted, Rota, Turn};
pub use span::Span;
pub use workspaces::Workspaces;

/// The sockets of this node, as far as a use case needs them.
pub trait Live: Send + Sync + 'static {
    /// Hands notifications that are in no log to whoever is connected, all of them or none. First in, first
    /// out per workspace; unordered against durable entries.
    ///
    /// # Errors
    /// [`EngineError::Overloaded`] if a shard's queue is full: nobody got any of them.
    fn emit(&self, workspace: &Slug, notifications: &[Arc<Notification>]) -> Result<(), EngineError>;

    /// From the return on exactly the tokens of `revocations` are refused, and connections of one are being closed.
    fn revoke(&self, revocations: &mut dyn Iterator<Item = &Revocation>);
}

/// Makes the public id of a notification taken at an instant: a UUIDv7 with random tail.
pub type IdSource = Arc<dyn Fn(Timestamp) -> NotificationId + Send + Sync>;

/// Everything a use case needs.
pub struct Engine {
    /// The log and the receipts.
    pub store: Arc<dyn Store>,
    /// The sockets of this node.
    pub live: Arc<dyn Live>,
    /// Which workspaces there are and how each behaves.
    pub workspaces: Workspaces,
    /// Randomness is the server's.
    pub ids: IdSource,
    /// Rules, triggers and settings of the workspaces, compiled. Starts as its default.
    pub books: Books,
    /// Whose turn it is to have rules, conditions and filters asked.
    pub rota: Rota,
    /// What executes functions.
    pub runner: Arc<run::Runner>,
    /// Who has lost access. Starts as its default.
    pub judged: access::Judged,
    /// Who counts before they write. Starts as its default.
    pub counts: Counts,
    /// The planned end of this process. Starts as its default.
    pub drains: drain::Drains,
    /// Which tokens are not believed any more. Starts as [`Revocations::new`], and is [loaded](revocation::load).
    pub revocations: Revocations,
    /// Idempotency keys of what is not stored. Starts as its default.
    pub realtime_keys: publish::RealtimeKeys,
}
