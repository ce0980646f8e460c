//! Where a client is.

use serde::{Deserialize, Serialize};

/// A place from which a client can go on without missing or repeating anything.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Position {
    /// The lineage of the log. `None`: nothing was ever stored.
    pub epoch: Option<String>,
    /// Up to here the client has everything.
    pub seq: u64,
    /// The revision of the read state that it has.
    pub rev: u64,
}
