//! How many descriptors the process may open.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Descriptors kept for everything that is not a connection: the store, logs, wakers, a reload.
const RESERVED: u64 = 128;

/// What the system allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptors {
    /// The limit now in force.
    pub limit: u64,
    /// Connections that fit below it.
    pub connections: usize,
}

/// Raises the limit of open descriptors as far as the system allows, and says how far that is.
pub fn raise_descriptors() -> Descriptors {
    let mut limits = getrlimit(Resource::Nofile);
    if limits.current != limits.maximum {
        let raised = rustix::process::Rlimit { current: limits.maximum, maximum: limits.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::warn!(%error, "the limit of open descriptors can't be raised");
        }
        limits = getrlimit(Resource::Nofile);
    }
    let limit = limits.current.unwrap_or(1 << 20);
    // A tiny limit still leaves a few connections; below that the server is of no use anyway.
    let connections = usize::try_from(limit.saturating_sub(RESERVED).max(8)).unwrap_or(usize::MAX);
    Descriptors { limit, connections }
}
