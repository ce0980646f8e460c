//! The native surface: `/v1/connect`, subprotocol `campanile.v1`.

use serde_json::json;

use super::Frame;
use crate::actions::Action;
use crate::store::Position;

pub(crate) const PROTOCOL: &str = "campanile.v1";
/// Until `hello` says otherwise.
pub(crate) const HEARTBEAT_MS: u64 = 25_000;

/// The query of the address. The token travels in a header, never here.
pub(crate) fn query(workspace: &str, position: Option<&Position>) -> Vec<(&'static str, String)> {
    let mut query = vec![("workspace", workspace.to_owned())];
    if let Some(position) = position {
        // While the log has no name for this client, it can only ask for everything: the horizon drops what it has.
        let since = if position.epoch.is_some() { position.seq } else { 0 };
        query.extend(position.epoch.clone().map(|epoch| ("epoch", epoch)));
        query.push(("since", since.to_string()));
        query.push(("rev", position.rev.to_string()));
    }
    query
}

pub(crate) fn decode(text: &str) -> Option<Frame> {
    match serde_json::from_str(text) {
        Ok(Frame::Unknown) | Err(_) => None,
        Ok(Frame::Notification { seq, mut item }) => {
            item.seq = seq;
            Some(Frame::Notification { seq, item })
        }
        Ok(frame) => Some(frame),
    }
}

/// The key is the reference too: it is short, and names this action and no other.
pub(crate) fn encode(action: &Action, key: &str) -> String {
    let mut frame = json!({"action": action.name(), "ref": key, "key": key});
    match action {
        Action::Read { id } | Action::Unread { id } | Action::Archive { id } => frame["id"] = json!(id),
        Action::ReadAll { up_to } | Action::Seen { up_to } => frame["upTo"] = json!(up_to),
    }
    frame.to_string()
}

/// Has the socket live on with another token.
pub(crate) fn refresh(token: &str, reference: &str) -> String {
    json!({"action": "refresh", "token": token, "ref": reference}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unknown_is_ignored() {
        assert_eq!(decode(r#"{"type":"confetti","n":1}"#), None);
        assert_eq!(decode("not JSON"), None);
        let pong = decode(r#"{"type":"pong","ref":"a","more":true}"#);
        assert_eq!(pong, Some(Frame::Pong {}));
    }

    #[test]
    fn the_place_of_a_notification_is_that_of_its_frame() {
        let text = r#"{"type":"notification","seq":7,"item":{"id":"a","title":"T","message":"","type":"info",
                       "metadata":null,"read":true}}"#;
        let Some(Frame::Notification { seq: Some(7), item }) = decode(text) else { panic!("not understood") };
        assert_eq!((item.seq, item.read, item.metadata), (Some(7), true, Some(serde_json::Value::Null)));
        let live = decode(r#"{"type":"notification","seq":null,"item":{"id":"a","seq":null}}"#);
        assert!(matches!(live, Some(Frame::Notification { seq: None, .. })));
    }

    #[test]
    fn an_action_carries_its_key() {
        let frame = encode(&Action::Read { id: "n1".into() }, "k1");
        let frame: serde_json::Value = serde_json::from_str(&frame).unwrap();
        assert_eq!(frame, json!({"action": "read", "id": "n1", "ref": "k1", "key": "k1"}));
    }
}
