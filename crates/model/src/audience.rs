//! Who sees an entry.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};

use crate::id::{IdError, UserId, is_plain_name};

/// The name of a topic: a list of subscribers within a workspace. 1 to 128 bytes, no control characters.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Topic(Arc<str>);

impl Topic {
    /// Checks the bounds.
    ///
    /// # Errors
    /// [`IdError::Topic`] if `text` breaks them.
    pub fn new(text: &str) -> Result<Self, IdError> {
        if is_plain_name(text) { Ok(Self(text.into())) } else { Err(IdError::Topic) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Topic {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

/// Who sees an entry, before its exception list is taken away. One body however many see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Audience {
    /// Named users, at least one, at most [`crate::limits::MAX_USERS_PER_ENTRY`], each once.
    Users(Vec<UserId>),
    /// Whoever is subscribed to the topic when the entry is committed.
    Topic(Topic),
    /// Every user with access to the workspace.
    Workspace,
}
