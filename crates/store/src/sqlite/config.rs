//! What an embedded store is opened with.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::faults::Faults;
use crate::Epochs;

/// How to open a [`SqliteStore`](super::SqliteStore). [`Config::new`] gives the defaults named here.
#[derive(Clone)]
pub struct Config {
    /// The data directory; created with mode 0700 where it is missing.
    pub dir: PathBuf,
    /// Draws the epochs of new workspaces, and of all after the log lost entries or came from a backup.
    pub epochs: Epochs,
    /// Writes that may wait for the writer, publishes and the rest counted apart; one more gets
    /// [`StoreError::Busy`](crate::StoreError::Busy). Default 4,096.
    pub queue: usize,
    /// Commits a reader of [`Store::commits`](crate::Store::commits) may fall behind. Default 4,096.
    pub broadcast: usize,
    /// Threads that read, each with a connection of its own; at least one. Default 2.
    pub readers: usize,
    /// Reads that may wait for them; one more gets `Busy`. Default 16,384.
    pub read_queue: usize,
    /// Page cache of each connection in MiB. Default 16.
    pub cache_mib: u32,
    /// The WAL is copied into the database whenever it grew by this many MiB, off the commit path.
    /// Default 16.
    pub checkpoint_mib: u64,
    /// How long a commit stays in the WAL at most, unless a long read holds on to it: then it is copied, and the WAL is cut
    /// back to nothing, so that what was erased is in no file any more. Default 10 minutes.
    pub wal_age: Duration,
    /// Pages of 16 KiB the database may hold; beyond, writes get
    /// [`StoreError::Full`](crate::StoreError::Full). Default `None`: what the disk holds.
    pub page_limit: Option<u32>,
    /// Receipts of retracted and superseded entries that are settled in one turn. Default 200.
    pub slice: usize,
    /// Where a test breaks things; see [`Faults`].
    #[doc(hidden)]
    pub faults: Option<Arc<dyn Faults>>,
}

impl Config {
    /// The defaults, for a database in `dir`.
    pub fn new(dir: impl Into<PathBuf>, epochs: Epochs) -> Self {
        Self {
            dir: dir.into(),
            epochs,
            queue: 4096,
            broadcast: 4096,
            readers: 2,
            read_queue: 16_384,
            cache_mib: 16,
            checkpoint_mib: 16,
            wal_age: Duration::from_secs(600),
            page_limit: None,
            slice: 200,
            faults: None,
        }
    }
}
