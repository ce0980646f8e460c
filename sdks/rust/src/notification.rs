//! One notification, as a user sees it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A notification with its read state. Members that a surface does not have are at their defaults.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Notification {
    /// Its place in the workspace's log. `None`: it is in no log, or the surface does not tell.
    pub seq: Option<u64>,
    /// Its id.
    pub id: String,
    /// The headline.
    pub title: String,
    /// The text; may be empty.
    pub message: String,
    /// What the producer called it.
    #[serde(rename = "type")]
    pub kind: String,
    /// `info`, `success`, `warning`, `error` or `alert`. Absent on the documented surfaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// When the server took it, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
    /// The producer's own JSON.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub metadata: Option<Value>,
    /// The name of what happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// The product it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_name: Option<String>,
    /// When that product expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiry_date: Option<String>,
    /// When it was said anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<String>,
    /// A later one took its place; this user had read it before.
    pub superseded: bool,
    /// It was shown in a list.
    pub seen: bool,
    /// It was opened or marked.
    pub read: bool,
    /// It was put away.
    pub archived: bool,
}

/// `null` is metadata too.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl Notification {
    /// Takes over what `update` says; place and read state stay.
    pub(crate) fn say_anew(&mut self, update: &Notification) {
        *self = Notification {
            seq: self.seq,
            superseded: self.superseded,
            seen: self.seen,
            read: self.read,
            archived: self.archived,
            ..update.clone()
        };
    }

    /// Takes over a read state; what is read is seen, what is archived is read.
    pub(crate) fn mark(&mut self, seen: bool, read: bool, archived: bool) {
        self.archived = archived;
        self.read = read || archived;
        self.seen = seen || self.read;
    }
}
