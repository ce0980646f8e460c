//! Names: workspaces, users, notifications.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

/// Why a text is not a name of the kind asked for. Carries no part of the text: it may be secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// A workspace slug breaks `^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$`.
    #[error("a workspace slug is 1 to 63 of a-z, 0-9 and inner hyphens")]
    Slug,
    /// A user id is empty, longer than 128 bytes or holds a control character.
    #[error("a user id is 1 to 128 bytes of UTF-8 without control characters")]
    User,
    /// A topic name is empty, longer than 128 bytes or holds a control character.
    #[error("a topic is 1 to 128 bytes of UTF-8 without control characters")]
    Topic,
    /// A notification id is not a UUID in its hyphenated form.
    #[error("a notification id is a UUID")]
    Notification,
}

/// The name of a workspace, the tenant. Nothing crosses it. Compared by bytes.
///
/// Grammar: `^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$` (the protocol, §1).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Slug(Arc<str>);

impl Slug {
    /// Checks the grammar.
    ///
    /// # Errors
    /// [`IdError::Slug`] if `text` breaks it.
    pub fn new(text: &str) -> Result<Self, IdError> {
        let bytes = text.as_bytes();
        let inner = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-';
        let ends_well = |b: Option<&u8>| b.is_some_and(|b| *b != b'-');
        if (1..=63).contains(&bytes.len())
            && bytes.iter().all(inner)
            && ends_well(bytes.first())
            && ends_well(bytes.last())
        {
            Ok(Self(text.into()))
        } else {
            Err(IdError::Slug)
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Who receives: the token's `userId` (or `sub`). Unique within a workspace only.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct UserId(Arc<str>);

impl UserId {
    /// Checks the bounds: 1 to 128 bytes, no control characters.
    ///
    /// # Errors
    /// [`IdError::User`] if `text` breaks them.
    pub fn new(text: &str) -> Result<Self, IdError> {
        if is_plain_name(text) { Ok(Self(text.into())) } else { Err(IdError::User) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// 1 to 128 bytes of UTF-8 without control characters: user ids and topics.
pub(crate) fn is_plain_name(text: &str) -> bool {
    (1..=128).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// The public id of a notification: a UUIDv7, hyphenated lower case on the wire.
///
/// It leaks its creation time and is not strictly ordered between nodes: never a resume position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NotificationId(pub Uuid);

impl NotificationId {
    /// Reads the hyphenated form, either case.
    ///
    /// # Errors
    /// [`IdError::Notification`] for anything else, other UUID spellings included.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        if text.len() != 36 {
            return Err(IdError::Notification);
        }
        Uuid::try_parse(text).map(Self).map_err(|_| IdError::Notification)
    }
}

impl fmt::Display for NotificationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl Serialize for NotificationId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut buffer = Uuid::encode_buffer();
        serializer.serialize_str(self.0.as_hyphenated().encode_lower(&mut buffer))
    }
}

impl<'de> Deserialize<'de> for NotificationId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

macro_rules! text_impls {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::new(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}
text_impls!(Slug);
text_impls!(UserId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slug_grammar() {
        for good in ["a", "0", "my-workspace", "a-0", &"a".repeat(63)] {
            assert!(Slug::new(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a_b", "a/b", "a.", "ä", "a b", "a%2f", &"a".repeat(64)] {
            assert_eq!(Slug::new(bad), Err(IdError::Slug), "{bad}");
        }
    }

    #[test]
    fn user_bounds() {
        for good in ["a", "user@example.org", "Ünïcode 用户", &"u".repeat(128)] {
            assert!(UserId::new(good).is_ok(), "{good}");
        }
        for bad in ["", "a\0b", "a\nb", "\u{85}", &"u".repeat(129)] {
            assert_eq!(UserId::new(bad), Err(IdError::User), "{bad:?}");
        }
    }

    #[test]
    fn notification_id_reads_only_the_hyphenated_form() {
        let text = "01890a5d-ac96-774b-bcce-b302099a8057";
        assert_eq!(NotificationId::parse(text).unwrap().to_string(), text);
        assert!(NotificationId::parse(&text.to_uppercase()).is_ok());
        for bad in
            ["", "1", &text.replace('-', ""), &format!("{{{text}}}"), "01890a5d-ac96-774b-bcce-b302099a805z"]
        {
            assert!(NotificationId::parse(bad).is_err(), "{bad}");
        }
    }
}
