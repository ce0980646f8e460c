//! The bodies of the product surface's REST routes, which predate problem+json and keep their own shapes.

use campanile_model::{Notification, NotificationId, Timestamp};
use serde::Serialize;

/// One row of `GET /api/notification/list`.
#[derive(Debug, Serialize)]
pub struct ListItem<'a> {
    id: NotificationId,
    r#type: &'static str,
    message: &'a str,
    #[serde(rename = "createdAt")]
    created_at: Timestamp,
    #[serde(rename = "isRead")]
    is_read: bool,
}

impl<'a> ListItem<'a> {
    /// The row of `notification`.
    pub fn new(notification: &'a Notification, is_read: bool) -> Self {
        Self {
            id: notification.id,
            r#type: super::notification::shown_type(notification.level),
            message: super::notification::message(notification),
            created_at: notification.timestamp,
            is_read,
        }
    }
}

/// The message of a successful `POST /api/notification/mark-read/{id}`.
pub const MARKED: &str = "Notification marked as read";
/// The detail of its 404.
pub const NOT_FOUND: &str = "Notification not found";
/// The detail of a 401 without a usable header.
pub const HEADER_MISSING: &str = "Authorization header missing or invalid.";
/// The detail of a 401 with a token that is not accepted.
pub const TOKEN_INVALID: &str = "Access token is invalid.";
