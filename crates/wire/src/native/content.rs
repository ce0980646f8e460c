//! The members of a notification that producers and readers are shown alike.

use campanile_model::{Level, Notification, NotificationId, Timestamp};
use serde::Serialize;
use serde_json::value::RawValue;

/// What a notification says.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Content<'a> {
    /// Its id, a UUID.
    #[schema(value_type = String, format = Uuid)]
    id: NotificationId,
    /// One line.
    title: &'a str,
    /// The text; may be empty.
    message: &'a str,
    /// One of the five levels, an event's name, or whatever the producer said.
    r#type: &'a str,
    /// How loud it is.
    #[schema(value_type = LevelName)]
    level: Level,
    /// When the server took it.
    #[schema(value_type = String, format = DateTime, example = "2026-01-01T00:00:00.123Z")]
    timestamp: Timestamp,
    /// The producer's own JSON, to the letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    metadata: Option<&'a RawValue>,
    /// The name of what happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    event: Option<&'a str>,
    /// The product concerned.
    #[serde(rename = "productName", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    product_name: Option<&'a str>,
    /// When the product expires, as the producer wrote it.
    #[serde(rename = "expiryDate", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    expiry_date: Option<&'a str>,
    /// When it was last changed.
    #[serde(rename = "updatedAt", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    updated_at: Option<Timestamp>,
    /// When nobody sees it any more.
    #[serde(rename = "expiresAt", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    expires_at: Option<Timestamp>,
}

impl<'a> From<&'a Notification> for Content<'a> {
    fn from(n: &'a Notification) -> Self {
        Self {
            id: n.id,
            title: &n.title,
            message: &n.message,
            r#type: &n.kind,
            level: n.level,
            timestamp: n.timestamp,
            metadata: n.metadata.as_deref(),
            event: n.event.as_deref(),
            product_name: n.product_name.as_deref(),
            expiry_date: n.expiry_date.as_deref(),
            updated_at: n.updated_at,
            expires_at: n.expires_at,
        }
    }
}

impl Content<'_> {
    /// It is not sent yet: when it runs out is not known.
    pub fn runs_later(&mut self) {
        self.expires_at = None;
    }
}

/// How loud an entry is.
#[derive(utoipa::ToSchema)]
#[schema(rename_all = "lowercase", as = Level)]
#[allow(dead_code, reason = "the schema of model::Level, which knows no OpenAPI")]
pub enum LevelName {
    /// For the record.
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
