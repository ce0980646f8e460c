//! The frames of the product surface.

use campanile_model::{Level, Notification, NotificationId, Timestamp, UserId};
use serde::Serialize;

use crate::surface::json;

pub(crate) fn greeting(user: &UserId) -> String {
    #[derive(Serialize)]
    struct Greeting<'a> {
        r#type: &'static str,
        message: &'static str,
        #[serde(rename = "userId")]
        user_id: &'a UserId,
    }
    json(&Greeting {
        r#type: "CONNECTION_ESTABLISHED",
        message: "Notification WebSocket connected",
        user_id: user,
    })
}

/// The five promised members first, in their documented order, all strings; then what we add.
#[derive(Serialize)]
struct Frame<'a> {
    id: NotificationId,
    message: &'a str,
    r#type: &'static str,
    #[serde(rename = "productName")]
    product_name: &'a str,
    created_at: Timestamp,
    timestamp: Timestamp,
    title: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a str>,
    #[serde(rename = "expiryDate", skip_serializing_if = "Option::is_none")]
    expiry_date: Option<&'a str>,
}

pub(crate) fn encode(notification: &Notification, _read: bool) -> String {
    json(&Frame {
        id: notification.id,
        message: message(notification),
        r#type: shown_type(notification.level),
        product_name: notification.product_name.as_deref().unwrap_or(""),
        created_at: notification.timestamp,
        timestamp: notification.timestamp,
        title: &notification.title,
        event: notification.event.as_deref(),
        expiry_date: notification.expiry_date.as_deref(),
    })
}

/// This surface shows no title of its own, so an empty message falls back to it.
pub(super) fn message(notification: &Notification) -> &str {
    if notification.message.is_empty() { &notification.title } else { &notification.message }
}

/// The surface knows three types: what worked is information, an alert is a warning.
pub(super) fn shown_type(level: Level) -> &'static str {
    match level {
        Level::Info | Level::Success => "info",
        Level::Warning | Level::Alert => "warning",
        Level::Error => "error",
    }
}

#[derive(Serialize)]
struct Answer<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
}

pub(crate) fn marked(id: &str) -> String {
    json(&Answer { r#type: "marked_read", code: None, message: None, id: Some(id) })
}

pub(crate) fn not_marked(id: &str) -> String {
    json(&Answer { r#type: "error", code: Some("not_found"), message: None, id: Some(id) })
}

pub(crate) fn unknown(why: &str) -> String {
    json(&Answer { r#type: "error", code: Some("bad_request"), message: Some(why), id: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::sample;

    #[test]
    fn golden() {
        let mut n = sample();
        n.level = Level::Alert;
        assert_eq!(
            encode(&n, false),
            r#"{"id":"01890a5d-ac96-774b-bcce-b302099a8057","message":"Order #12345","type":"warning","#
                .to_owned()
                + r#""productName":"","created_at":"2026-01-01T00:00:00.123Z","#
                + r#""timestamp":"2026-01-01T00:00:00.123Z","title":"New order"}"#
        );
        n.message.clear();
        n.product_name = Some("Milk".into());
        n.event = Some("product_expiration".into());
        n.expiry_date = Some("2026-01-03".into());
        n.level = Level::Error;
        let frame: serde_json::Value = serde_json::from_str(&encode(&n, false)).unwrap();
        assert_eq!(frame["message"], "New order");
        assert_eq!(frame["type"], "error");
        assert_eq!((&frame["productName"], &frame["expiryDate"]), (&"Milk".into(), &"2026-01-03".into()));
    }

    #[test]
    fn answers() {
        let user = UserId::new("u\"1").unwrap();
        assert_eq!(
            greeting(&user),
            r#"{"type":"CONNECTION_ESTABLISHED","message":"Notification WebSocket connected","userId":"u\"1"}"#
        );
        assert_eq!(marked("x"), r#"{"type":"marked_read","id":"x"}"#);
        assert_eq!(not_marked("x"), r#"{"type":"error","code":"not_found","id":"x"}"#);
        assert_eq!(unknown("why"), r#"{"type":"error","code":"bad_request","message":"why"}"#);
    }
}
