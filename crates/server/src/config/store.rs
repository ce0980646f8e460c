//! `[store]`: the log and the receipts.

use std::path::Path;

use campanile_store::Epochs;
use serde::{Deserialize, Serialize};

use super::ConfigError;
use super::range::within;

/// Pages of 16 KiB in a mebibyte.
const PAGES_PER_MIB: u32 = 64;

/// Bounds of the embedded store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// Writes that may wait for the writer, 1 to 1,000,000; above: 503. Default: 4,096.
    pub queue: usize,
    /// Threads that read, 1 to 64. Default: 2.
    pub readers: usize,
    /// Reads that may wait for them, 1 to 1,000,000; above: 503. Default: 16,384.
    pub read_queue: usize,
    /// Page cache of the writer and of each reader in MiB, 1 to 4,096. Default: 16.
    pub cache_mib: u32,
    /// MiB the write-ahead log grows by before it is copied into the database, 1 to 4,096. Default: 16.
    pub checkpoint_mib: u64,
    /// MiB the database may hold, 0 to 16,777,216; above, publishing gets 503. 0: what the disk holds.
    /// Default: 0.
    pub max_mib: u32,
}

impl Default for Store {
    fn default() -> Self {
        Self { queue: 4096, readers: 2, read_queue: 16_384, cache_mib: 16, checkpoint_mib: 16, max_mib: 0 }
    }
}

impl Store {
    /// What the embedded store in `dir` is opened with.
    pub fn sqlite(&self, dir: &Path, epochs: Epochs) -> campanile_store::Config {
        campanile_store::Config {
            queue: self.queue,
            readers: self.readers,
            read_queue: self.read_queue,
            cache_mib: self.cache_mib,
            checkpoint_mib: self.checkpoint_mib,
            page_limit: (self.max_mib > 0).then(|| self.max_mib.saturating_mul(PAGES_PER_MIB)),
            ..campanile_store::Config::new(dir, epochs)
        }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within("store.queue", self.queue, 1..=1_000_000)?;
        within("store.readers", self.readers, 1..=64)?;
        within("store.read_queue", self.read_queue, 1..=1_000_000)?;
        within("store.cache_mib", self.cache_mib, 1..=4096)?;
        within("store.checkpoint_mib", self.checkpoint_mib, 1..=4096)?;
        within("store.max_mib", self.max_mib, 0..=16_777_216)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_the_stores() {
        let epochs = Epochs::new(|| 1);
        let (ours, theirs) = (
            Store::default().sqlite(Path::new("data"), epochs.clone()),
            campanile_store::Config::new("data", epochs),
        );
        assert_eq!(
            (ours.queue, ours.readers, ours.read_queue, ours.cache_mib, ours.checkpoint_mib, ours.page_limit),
            (
                theirs.queue,
                theirs.readers,
                theirs.read_queue,
                theirs.cache_mib,
                theirs.checkpoint_mib,
                theirs.page_limit
            )
        );
    }

    #[test]
    fn mebibytes_become_pages() {
        let store = Store { max_mib: 1024, ..Store::default() };
        assert_eq!(store.sqlite(Path::new("data"), Epochs::new(|| 1)).page_limit, Some(65_536));
    }
}
