//! What is published, and what becomes of it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Who is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Audience {
    /// One user.
    User(String),
    /// 1 to 1,000 users.
    Users(Vec<String>),
    /// The subscribers of a topic.
    Topic(String),
    /// Everybody in the workspace. The value is always `true`.
    Workspace(bool),
}

/// A notification to publish. What is not set is left to the server.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Draft {
    to: Audience,
    title: String,
    message: String,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    product_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiry_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    durable: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    except: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    send_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    collapse_key: Option<String>,
}

impl Draft {
    /// Says `title` (1 to 200 characters) and `message` (may be empty) to somebody.
    pub fn new(to: Audience, title: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            to,
            title: title.into(),
            message: message.into(),
            kind: None,
            level: None,
            metadata: None,
            event: None,
            product_name: None,
            expiry_date: None,
            durable: None,
            except: Vec::new(),
            ttl: None,
            send_at: None,
            collapse_key: None,
        }
    }

    /// Says it to one user.
    pub fn to_user(user: impl Into<String>, title: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Audience::User(user.into()), title, message)
    }

    /// What it is called. Default: `info`.
    #[must_use]
    pub fn kind(mut self, kind: impl Into<String>) -> Self {
        self.kind = Some(kind.into());
        self
    }

    /// `info`, `success`, `warning`, `error` or `alert`.
    #[must_use]
    pub fn level(mut self, level: impl Into<String>) -> Self {
        self.level = Some(level.into());
        self
    }

    /// Any JSON, passed through.
    #[must_use]
    pub fn metadata(mut self, metadata: impl Into<Value>) -> Self {
        self.metadata = Some(metadata.into());
        self
    }

    /// The name of what happened.
    #[must_use]
    pub fn event(mut self, event: impl Into<String>) -> Self {
        self.event = Some(event.into());
        self
    }

    /// The product that it is about.
    #[must_use]
    pub fn product_name(mut self, name: impl Into<String>) -> Self {
        self.product_name = Some(name.into());
        self
    }

    /// When that product expires.
    #[must_use]
    pub fn expiry_date(mut self, date: impl Into<String>) -> Self {
        self.expiry_date = Some(date.into());
        self
    }

    /// `false`: told to whoever is connected, kept by nobody. Default: as the workspace's mode says.
    #[must_use]
    pub fn durable(mut self, durable: bool) -> Self {
        self.durable = Some(durable);
        self
    }

    /// At most 10 users who are not told although `to` names them.
    #[must_use]
    pub fn except(mut self, users: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.except = users.into_iter().map(Into::into).collect();
        self
    }

    /// How many seconds it is seen. Default: for ever.
    #[must_use]
    pub fn ttl(mut self, seconds: u64) -> Self {
        self.ttl = Some(seconds);
        self
    }

    /// When to send it: RFC 3339, with its zone. Default: now.
    #[must_use]
    pub fn send_at(mut self, instant: impl Into<String>) -> Self {
        self.send_at = Some(instant.into());
        self
    }

    /// The next one of this key to the same users supersedes it.
    #[must_use]
    pub fn collapse_key(mut self, key: impl Into<String>) -> Self {
        self.collapse_key = Some(key.into());
        self
    }
}

/// A notification that the server took.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Published {
    /// Its id.
    pub id: String,
    /// Its place in the log; `None`: it is in no log, or not yet.
    pub seq: Option<u64>,
    /// When the server took it, RFC 3339.
    pub timestamp: String,
    /// When it will be sent, where that is later.
    #[serde(default)]
    pub send_at: Option<String>,
}
