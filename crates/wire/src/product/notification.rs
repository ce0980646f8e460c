//! The frames of the product surface.

use campanile_model::{Level, Notification, NotificationId, Timestamp, UserId};
use serde::Serialize;

use crate::surface::{Done, json};
use crate::{Asked, Payload, Shown};

pub(crate) fn greeting(user: &UserId) -> Payload {
    #[derive(Serialize)]
    struct Greeting<'a> {
        r#type: &'static str,
        message: &'static str,
        #[serde(rename = "userId")]
        user_id: &'a UserId,
    }
    let greeting = Greeting {
        r#type: "CONNECTION_ESTABLISHED",
        message: "Notification WebSocket connected",
        user_id: user,
    };
    Payload::new("greeting", json(&greeting))
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

pub(crate) fn encode(shown: &Shown<'_>) -> Payload {
    let notification = shown.notification;
    let frame = Frame {
        id: notification.id,
        message: message(notification),
        r#type: shown_type(notification.level),
        product_name: notification.product_name.as_deref().unwrap_or(""),
        created_at: notification.timestamp,
        timestamp: notification.timestamp,
        title: &notification.title,
        event: notification.event.as_deref(),
        expiry_date: notification.expiry_date.as_deref(),
    };
    Payload::new("notification", json(&frame)).up_to(shown.position)
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

pub(crate) fn marked(done: &Done<'_>) -> Payload {
    let answer = Answer { r#type: "marked_read", code: None, message: None, id: done.asked.id.as_deref() };
    Payload::new("marked_read", json(&answer))
}

pub(crate) fn not_marked(asked: &Asked, _key_reused: bool) -> Payload {
    let answer = Answer { r#type: "error", code: Some("not_found"), message: None, id: asked.id.as_deref() };
    Payload::new("error", json(&answer))
}

pub(crate) fn unknown(why: &str, _reference: Option<&str>) -> Payload {
    Payload::new(
        "error",
        json(&Answer { r#type: "error", code: Some("bad_request"), message: Some(why), id: None }),
    )
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
            encode(&Shown::live(&n, None)).text,
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
        let frame: serde_json::Value = serde_json::from_str(&encode(&Shown::live(&n, None)).text).unwrap();
        assert_eq!(frame["message"], "New order");
        assert_eq!(frame["type"], "error");
        assert_eq!((&frame["productName"], &frame["expiryDate"]), (&"Milk".into(), &"2026-01-03".into()));
    }

    #[test]
    fn answers() {
        let user = UserId::new("u\"1").unwrap();
        let x = Asked { id: Some("x".into()), reference: None };
        let (rev, head) = (campanile_model::Rev(1), campanile_model::Seq(2));
        let done = Done { asked: &x, changed: true, rev, unread: 0, head };
        assert_eq!(
            greeting(&user).text,
            r#"{"type":"CONNECTION_ESTABLISHED","message":"Notification WebSocket connected","userId":"u\"1"}"#
        );
        assert_eq!(marked(&done).text, r#"{"type":"marked_read","id":"x"}"#);
        assert_eq!(not_marked(&x, false).text, r#"{"type":"error","code":"not_found","id":"x"}"#);
        assert_eq!(unknown("why", None).text, r#"{"type":"error","code":"bad_request","message":"why"}"#);
    }
}
