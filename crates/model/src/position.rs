//! Where in a log, and in which log.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The gapless number of a durable entry in its workspace, from 1. Zero stands before the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl Seq {
    /// Before the first entry.
    pub const ZERO: Self = Self(0);

    /// The number after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The gapless revision of one user's read state in one workspace, from 1. Zero: nothing was done yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rev(pub u64);

/// The random id of a log's lineage. A position is only good in the epoch it was counted in.
///
/// Renewed when a log starts from a backup or when its head is lower than one witnessed before.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Epoch({self})")
    }
}

impl Epoch {
    /// Reads what [`Display`](fmt::Display) writes: 16 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
        digits.then(|| u64::from_str_radix(text, 16).ok()).flatten().map(Self)
    }
}

/// A place in a log, and in which log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The lineage it counts in.
    pub epoch: Epoch,
    /// The place.
    pub seq: Seq,
}

impl Serialize for Epoch {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_read_as_they_are_written() {
        for epoch in [Epoch(0), Epoch(u64::MAX), Epoch(0x9f3c)] {
            assert_eq!(Epoch::parse(&epoch.to_string()), Some(epoch));
        }
        for text in ["", "9f3c", "+00000000000009f3", "0000000000009f3c0", "000000000000 f3c"] {
            assert_eq!(Epoch::parse(text), None, "{text}");
        }
    }
}
