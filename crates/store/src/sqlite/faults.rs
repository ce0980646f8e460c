//! The seam through which tests break the store. Nothing in a running server sets it.

use std::path::Path;

/// What a commit is made to meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The device is full.
    Full,
    /// The device failed.
    Io,
}

/// Consulted by the writer where a disk would fail.
///
/// Honest about its limits: a fault before the commit leaves nothing behind and a fault after it leaves
/// everything, as a failed flush may do either; what lies between is SQLite's own tested ground. Whether
/// a flush reached the disk cannot be shown from within the process.
pub trait Faults: Send + Sync {
    /// Instead of the commit.
    fn before_commit(&self) -> Option<Fault> {
        None
    }

    /// After a commit that worked, reported as if it had not.
    fn after_commit(&self) -> Option<Fault> {
        None
    }

    /// Instead of copying the WAL into the database.
    fn checkpoint(&self) -> Option<Fault> {
        None
    }

    /// While every handle is closed, before they are opened again.
    fn while_closed(&self, dir: &Path) {
        let _ = dir;
    }
}
