//! Names of collections and records.

use std::sync::Arc;

use campanile_model::{NotificationId, limits::MAX_NAME_CHARS};

use crate::EngineError;

/// Bytes of a collection's name: it is part of a topic's name.
const MAX_COLLECTION: usize = 64;
/// Bytes of a record's id.
const MAX_ID: usize = MAX_NAME_CHARS;
/// What stands in a path where an id could, and what clients take out of one.
const RESERVED: [&str; 3] = ["bulk", ".", ".."];

/// The name of a collection: 1 to 64 of `A-Z`, `a-z`, `0-9`, underscore and hyphen, the first a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectionName(Arc<str>);

impl CollectionName {
    /// Checks the grammar.
    ///
    /// # Errors
    /// [`EngineError::Invalid`] if `text` breaks it.
    pub fn new(text: &str) -> Result<Self, EngineError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
        let bytes = text.as_bytes();
        if (1..=MAX_COLLECTION).contains(&bytes.len())
            && bytes.iter().all(|b| allowed(*b))
            && bytes[0].is_ascii_alphanumeric()
        {
            Ok(Self(text.into()))
        } else {
            let rule = "1 to 64 letters, digits, underscores and hyphens, a letter or digit first";
            Err(EngineError::invalid("collection", format!("a collection's name is {rule}")))
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn text(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}

/// The id of a record: 1 to 128 bytes of UTF-8 without control characters and slashes. `bulk`, `.` and `..`
/// stand for something else in a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RecordId(Arc<str>);

impl RecordId {
    /// Checks the grammar.
    ///
    /// # Errors
    /// [`EngineError::Invalid`] if `text` breaks it.
    pub fn new(text: &str) -> Result<Self, EngineError> {
        let plain =
            (1..=MAX_ID).contains(&text.len()) && !text.contains(|c: char| c.is_control() || c == '/');
        if plain && !RESERVED.contains(&text) {
            Ok(Self(text.into()))
        } else {
            let rule = "1 to 128 bytes without control characters and slashes, and none of bulk, . and ..";
            Err(EngineError::invalid("id", format!("a record's id is {rule}")))
        }
    }

    /// One that was made for it.
    pub(super) fn made(id: NotificationId) -> Self {
        Self(id.to_string().into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn text(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_grammar() {
        for good in ["orders", "O", "9-lives_", &"a".repeat(64)] {
            assert_eq!(CollectionName::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "-a", "_a", "a b", "a/b", "a.b", "ä", &"a".repeat(65)] {
            CollectionName::new(bad).unwrap_err();
        }
        for good in ["1", "o-1", "Zoë's order #7", "bulky", "...", &"é".repeat(64)] {
            assert_eq!(RecordId::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "a/b", "a\nb", "\u{85}", "bulk", ".", "..", &"é".repeat(65)] {
            RecordId::new(bad).unwrap_err();
        }
    }
}
