//! What a producer sends and what a log entry holds.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{Audience, NotificationId, Seq, Timestamp, Topic, UserId};

/// How loud an entry is. The five levels of the workspace documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// For the record.
    #[default]
    Info,
    /// Something worked.
    Success,
    /// Something will need care.
    Warning,
    /// Something failed.
    Error,
    /// Look now.
    Alert,
}

impl Level {
    /// The wire name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Success => "success",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Alert => "alert",
        }
    }

    /// The level of that name, if `name` is one of the five.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Info, Self::Success, Self::Warning, Self::Error, Self::Alert]
            .into_iter()
            .find(|level| level.as_str() == name)
    }
}

/// A notification as it is stored and delivered.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Notification {
    /// Unique in the whole installation.
    pub id: NotificationId,
    /// Who sees it, before `except`.
    pub audience: Audience,
    /// Who does not see it although the audience names them: the actor who caused it, mostly.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<UserId>,
    /// At most [`crate::limits::MAX_TITLE_CHARS`] characters.
    pub title: String,
    /// May be empty.
    pub message: String,
    /// An open set of names: one of the five levels, an event name, or whatever the producer says.
    #[serde(rename = "type")]
    pub kind: String,
    /// The type itself where it is a level, else given by the producer, else info.
    pub level: Level,
    /// When the server took it.
    pub timestamp: Timestamp,
    /// The producer's own JSON, passed through to the letter.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Box<RawValue>>,
    /// What happened, for clients that switch on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// The product concerned (product surface).
    #[serde(default, rename = "productName", skip_serializing_if = "Option::is_none")]
    pub product_name: Option<String>,
    /// When the product expires, as the producer wrote it (product surface).
    #[serde(default, rename = "expiryDate", skip_serializing_if = "Option::is_none")]
    pub expiry_date: Option<String>,
    /// When nobody sees it any more.
    #[serde(default, rename = "expiresAt", skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The next notification of this key to the same audience supersedes it.
    #[serde(default, rename = "collapseKey", skip_serializing_if = "Option::is_none")]
    pub collapse_key: Option<String>,
    /// When it was last said anew.
    #[serde(default, rename = "updatedAt", skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
}

/// A member that is there is a value, `null` included: only its absence is none.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::deserialize(deserializer).map(Some)
}

impl PartialEq for Notification {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
            && self.audience == other.audience
            && self.except == other.except
            && self.title == other.title
            && self.message == other.message
            && self.kind == other.kind
            && self.level == other.level
            && self.timestamp == other.timestamp
            && self.metadata.as_deref().map(RawValue::get) == other.metadata.as_deref().map(RawValue::get)
            && self.event == other.event
            && self.product_name == other.product_name
            && self.expiry_date == other.expiry_date
            && self.expires_at == other.expires_at
            && self.collapse_key == other.collapse_key
            && self.updated_at == other.updated_at
    }
}

/// One durable entry of a workspace's log. Everything that changes what a user sees is an entry, so that
/// one number orders it all, on one node or many (docs/decisions/0002-one-order.md).
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its place.
    pub seq: Seq,
    /// What it says.
    pub kind: EntryKind,
}

/// Why a notification is withdrawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// Its producer withdrew it.
    #[default]
    Retracted,
    /// Its time was over (`ttl`).
    Expired,
}

/// What an entry says. Two are equal if they say the same; a withdrawn body that travels with one says nothing.
#[derive(Debug, Clone)]
pub enum EntryKind {
    /// A notification to its audience.
    Notification(Arc<Notification>),
    /// A notification is said anew: it stays in its place and reads like this from here on.
    Update {
        /// Its place.
        target_seq: Seq,
        /// The whole of it, under its old id.
        notification: Arc<Notification>,
    },
    /// The notification `target` is withdrawn: its body is erased, nobody sees it from here on.
    Retract {
        /// The withdrawn one's id.
        target: NotificationId,
        /// The withdrawn one's place.
        target_seq: Seq,
        /// Why.
        cause: Cause,
        /// The withdrawn one as it read, so that its audience can be told. Only with an entry that comes live
        /// from its commit: `None` where it was read back, for nothing keeps it.
        withdrawn: Option<Arc<Notification>>,
    },
    /// The notification `target` no longer holds: from here on only those see it who had read it.
    Supersede {
        /// The superseded one's id.
        target: NotificationId,
        /// The superseded one's place.
        target_seq: Seq,
        /// What took its place; `None`: it was resolved.
        by: Option<NotificationId>,
        /// The superseded one as it read, as with [`Retract`](Self::Retract).
        withdrawn: Option<Arc<Notification>>,
    },
    /// `user` sees the topic's entries after this one.
    Subscribe {
        /// What to.
        topic: Topic,
        /// Who.
        user: UserId,
    },
    /// `user` sees no further entries of the topic.
    Unsubscribe {
        /// What from.
        topic: Topic,
        /// Who.
        user: UserId,
    },
    /// `user` sees the workspace's entries after this one, and again those of earlier access.
    Grant {
        /// Who.
        user: UserId,
    },
    /// `user` sees nothing of the workspace from here on.
    Withdraw {
        /// Who.
        user: UserId,
    },
}

impl EntryKind {
    /// The entry as it is kept: without a withdrawn body.
    #[must_use]
    pub fn without_withdrawn(mut self) -> Self {
        if let Self::Retract { withdrawn, .. } | Self::Supersede { withdrawn, .. } = &mut self {
            *withdrawn = None;
        }
        self
    }
}

impl PartialEq for EntryKind {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Notification(one), Self::Notification(two)) => one == two,
            (
                Self::Update { target_seq, notification },
                Self::Update { target_seq: other_seq, notification: other },
            ) => (target_seq, notification) == (other_seq, other),
            (
                Self::Retract { target, target_seq, cause, withdrawn: _ },
                Self::Retract { target: other, target_seq: other_seq, cause: other_cause, withdrawn: _ },
            ) => (target, target_seq, cause) == (other, other_seq, other_cause),
            (
                Self::Supersede { target, target_seq, by, withdrawn: _ },
                Self::Supersede { target: other, target_seq: other_seq, by: other_by, withdrawn: _ },
            ) => (target, target_seq, by) == (other, other_seq, other_by),
            (Self::Subscribe { topic, user }, Self::Subscribe { topic: other_topic, user: other_user })
            | (
                Self::Unsubscribe { topic, user },
                Self::Unsubscribe { topic: other_topic, user: other_user },
            ) => (topic, user) == (other_topic, other_user),
            (Self::Grant { user }, Self::Grant { user: other })
            | (Self::Withdraw { user }, Self::Withdraw { user: other }) => user == other,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn level_names_round_trip() {
        for level in [Level::Info, Level::Success, Level::Warning, Level::Error, Level::Alert] {
            assert_eq!(Level::from_name(level.as_str()), Some(level));
        }
        assert_eq!(Level::from_name("record_created"), None);
        assert_eq!(Level::from_name("INFO"), None);
    }

    #[test]
    fn entries_are_equal_if_they_say_the_same() {
        let id = |n| NotificationId(uuid::Uuid::from_u128(n));
        let (user, topic) = (UserId::new("a").unwrap(), Topic::new("t").unwrap());
        let notification = |title: &str| {
            let text = format!(
                r#"{{"id":"{}","audience":"workspace","title":"{title}","message":"","type":"info","level":"info","timestamp":"2026-01-01T00:00:00Z"}}"#,
                id(1)
            );
            Arc::new(serde_json::from_str::<Notification>(&text).unwrap())
        };
        let different = [
            EntryKind::Notification(notification("one")),
            EntryKind::Notification(notification("two")),
            EntryKind::Update { target_seq: Seq(1), notification: notification("one") },
            EntryKind::Update { target_seq: Seq(2), notification: notification("one") },
            EntryKind::Retract {
                target: id(1),
                target_seq: Seq(1),
                cause: Cause::Retracted,
                withdrawn: None,
            },
            EntryKind::Retract { target: id(1), target_seq: Seq(1), cause: Cause::Expired, withdrawn: None },
            EntryKind::Supersede { target: id(1), target_seq: Seq(1), by: None, withdrawn: None },
            EntryKind::Supersede { target: id(1), target_seq: Seq(1), by: Some(id(2)), withdrawn: None },
            EntryKind::Subscribe { topic: topic.clone(), user: user.clone() },
            EntryKind::Unsubscribe { topic, user: user.clone() },
            EntryKind::Grant { user: user.clone() },
            EntryKind::Withdraw { user },
        ];
        for (n, one) in different.iter().enumerate() {
            for (m, two) in different.iter().enumerate() {
                assert_eq!(one == two, n == m, "{one:?} {two:?}");
            }
            let mut live = one.clone();
            if let EntryKind::Retract { withdrawn, .. } | EntryKind::Supersede { withdrawn, .. } = &mut live {
                *withdrawn = Some(notification("one"));
            }
            assert_eq!(live, *one);
            let kept = live.without_withdrawn();
            assert!(!format!("{kept:?}").contains("withdrawn: Some"));
        }
    }
}
