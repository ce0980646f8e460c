//! The product surface: `/api/ws/notification?access_token=…`. It greets, answers `PING` and `mark_read`.

use serde_json::{Value, json};

use super::{Done, Frame, Hello};
use crate::actions::Action;
use crate::notification::Notification;

pub(crate) const PATH: &str = "/api/ws/notification";

pub(crate) fn query(token: &str) -> Vec<(&'static str, String)> {
    vec![("access_token", token.to_owned())]
}

pub(crate) fn decode(text: &str) -> Option<Frame> {
    let value: Value = serde_json::from_str(text).ok()?;
    let text = |member: &str| value.get(member).and_then(Value::as_str).map(str::to_owned);
    match value.get("type").and_then(Value::as_str)? {
        "CONNECTION_ESTABLISHED" => {
            Some(Frame::Hello(Hello { user: text("userId").unwrap_or_default(), ..Hello::default() }))
        }
        "pong" => Some(Frame::Pong {}),
        "marked_read" => Some(Frame::Ok(Done { reference: text("id"), changed: true, ..Done::default() })),
        "error" if text("code").is_some() => Some(Frame::Error {
            code: text("code").unwrap_or_default(),
            message: text("message").unwrap_or_default(),
            reference: text("id"),
        }),
        _ => notification(value),
    }
}

fn notification(value: Value) -> Option<Frame> {
    let mut item: Notification = serde_json::from_value(value).ok()?;
    if item.id.is_empty() {
        return None;
    }
    item.seq = None;
    Some(Frame::Notification { seq: None, item: Box::new(item) })
}

pub(crate) fn encode(action: &Action) -> Option<String> {
    match action {
        Action::Read { id } => Some(json!({"action": "mark_read", "id": id}).to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notification_of_type_error_is_one() {
        let text =
            r#"{"id":"a","message":"Milk is over","type":"error","productName":"Milk","timestamp":"t"}"#;
        let Some(Frame::Notification { item, .. }) = decode(text) else { panic!("not understood") };
        assert_eq!((item.kind.as_str(), item.product_name.as_deref()), ("error", Some("Milk")));
        let error = decode(r#"{"type":"error","code":"not_found","id":"a"}"#);
        assert!(matches!(error, Some(Frame::Error { code, .. }) if code == "not_found"));
    }

    #[test]
    fn the_greeting_names_the_user() {
        let text = r#"{"type":"CONNECTION_ESTABLISHED","message":"Notification WebSocket connected","userId":"alice"}"#;
        assert!(matches!(decode(text), Some(Frame::Hello(hello)) if hello.user == "alice"));
    }
}
