//! The workspace surface: `/?token=…&workspaceSlug=…`. There is no greeting, and no frame but notifications.

use serde_json::{Value, json};

use super::Frame;
use crate::actions::Action;
use crate::notification::Notification;

pub(crate) fn query(token: &str, workspace: &str) -> Vec<(&'static str, String)> {
    vec![("token", token.to_owned()), ("workspaceSlug", workspace.to_owned())]
}

pub(crate) fn decode(text: &str) -> Option<Frame> {
    let value: Value = serde_json::from_str(text).ok()?;
    if value.get("id").is_none() {
        return (value.get("type")? == "pong").then_some(Frame::Pong {});
    }
    let mut item: Notification = serde_json::from_value(value).ok()?;
    item.seq = None;
    item.seen |= item.read;
    Some(Frame::Notification { seq: None, item: Box::new(item) })
}

/// Campanile takes `mark_read` here too. Nothing depends on it: no answer comes, and the original ignores it.
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
    fn a_notification_needs_no_more_than_an_id() {
        let text = r#"{"id":"notif_123","title":"New Order","message":"M","type":"info","read":false}"#;
        let Some(Frame::Notification { seq: None, item }) = decode(text) else { panic!("not understood") };
        assert_eq!((item.title.as_str(), item.kind.as_str()), ("New Order", "info"));
        assert_eq!(decode(r#"{"type":"pong"}"#), Some(Frame::Pong {}));
        assert_eq!(decode(r#"["no object"]"#), None);
    }
}
