//! What a client says on the native surface.

use campanile_model::{Mark, NotificationId, Seq};
use serde::Deserialize;

use crate::Command;
use crate::command::{Asked, Marking, Secret};

/// Bytes of a `ref`.
const MAX_REF: usize = 64;
/// Bytes of a `key` (the protocol, §6: as any idempotency key).
const MAX_KEY: usize = 255;

/// One message. Members that an action does not know are ignored; none may stand twice.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = ClientFrame)]
pub(super) struct Message {
    /// What is asked for.
    action: Action,
    /// Which entry: `read`, `unread`, `archive`.
    #[schema(format = Uuid, nullable = false)]
    id: Option<String>,
    /// Up to which place: `read_all`, `seen`. Default: the horizon.
    #[serde(rename = "upTo")]
    #[schema(nullable = false)]
    up_to: Option<u64>,
    /// Sent again under the same key within 24 hours, a command does nothing.
    #[schema(min_length = 1, max_length = 255, nullable = false)]
    key: Option<String>,
    /// Repeated in the answer.
    #[serde(rename = "ref")]
    #[schema(max_length = 64, nullable = false)]
    reference: Option<String>,
    /// The new token: `refresh`.
    #[schema(nullable = false)]
    token: Option<String>,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Action {
    Read,
    Unread,
    Archive,
    ReadAll,
    Seen,
    Refresh,
    Ping,
}

pub(super) fn parse(text: &str) -> Command {
    if text == "PING" {
        return Command::Ping(None);
    }
    let Ok(message) = serde_json::from_str::<Message>(text) else {
        return Command::Unknown("expected PING or a JSON object with a known action", None);
    };
    let Message { action, id, up_to, key, reference, token } = message;
    if reference.as_ref().is_some_and(|reference| reference.len() > MAX_REF) {
        return Command::Unknown("ref has at most 64 bytes", None);
    }
    let is_key =
        |key: &String| (1..=MAX_KEY).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
    if !key.as_ref().is_none_or(is_key) {
        return Command::Unknown("key is 1 to 255 bytes of visible ASCII", reference);
    }
    let one: fn(NotificationId) -> Mark = match action {
        Action::Ping => return Command::Ping(reference),
        Action::Refresh => {
            return match token {
                Some(token) => Command::Refresh(Secret(token), reference),
                None => Command::Unknown("refresh needs a token", reference),
            };
        }
        Action::ReadAll | Action::Seen => {
            let up_to = up_to.map(Seq);
            let mark = if matches!(action, Action::Seen) { Mark::Seen(up_to) } else { Mark::ReadAll(up_to) };
            return Command::Mark(Box::new(Marking { mark, key, asked: Asked { id: None, reference } }));
        }
        Action::Read => Mark::Read,
        Action::Unread => Mark::Unread,
        Action::Archive => Mark::Archive,
    };
    let Some(id) = id else { return Command::Unknown("the action needs an id", reference) };
    match NotificationId::parse(&id) {
        Ok(id) => {
            let asked = Asked { id: Some(id.to_string()), reference };
            Command::Mark(Box::new(Marking { mark: one(id), key, asked }))
        }
        Err(_) => Command::MarkUnknown(Asked { id: None, reference }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    fn mark(text: &str) -> Marking {
        match parse(text) {
            Command::Mark(marking) => *marking,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn marks_in_their_forms() {
        let id = NotificationId::parse(ID).unwrap();
        for (word, expected) in
            [("read", Mark::Read(id)), ("unread", Mark::Unread(id)), ("archive", Mark::Archive(id))]
        {
            let text = format!(r#"{{"x":[1],"action":"{word}","id":"{ID}","ref":"7","key":"k"}}"#);
            let Marking { mark, key, asked } = mark(&text);
            assert_eq!((mark, key.as_deref(), asked.reference.as_deref()), (expected, Some("k"), Some("7")));
        }
        assert_eq!(mark(r#"{"action":"read_all"}"#).mark, Mark::ReadAll(None));
        assert_eq!(mark(r#"{"action":"read_all","upTo":7}"#).mark, Mark::ReadAll(Some(Seq(7))));
        assert_eq!(mark(r#"{"action":"seen","upTo":7}"#).mark, Mark::Seen(Some(Seq(7))));
        let unknown = parse(r#"{"action":"read","id":"abc","ref":"r"}"#);
        assert_eq!(unknown, Command::MarkUnknown(Asked { id: None, reference: Some("r".into()) }));
    }

    #[test]
    fn tokens_are_not_shown() {
        let command = parse(r#"{"action":"refresh","token":"a.b.c","ref":"r"}"#);
        assert_eq!(command, Command::Refresh(Secret("a.b.c".into()), Some("r".into())));
        assert!(!format!("{command:?}").contains("a.b.c"));
    }

    #[test]
    fn what_is_not_understood() {
        let long = "x".repeat(300);
        for text in [
            "",
            "ping",
            "[]",
            "{}",
            r#"{"action":"mark_read","id":"x"}"#,
            r#"{"action":"read"}"#,
            r#"{"action":"refresh"}"#,
            r#"{"action":"read_all","upTo":-1}"#,
            r#"{"action":"read_all","upTo":1.5}"#,
            r#"{"action":"ping","action":"ping"}"#,
            r#"{"action":"ping","ref":7}"#,
            r#"{"action":"read_all","key":""}"#,
            r#"{"action":"read_all","key":"a b"}"#,
            &format!(r#"{{"action":"ping","ref":"{long}"}}"#),
            &format!(r#"{{"action":"seen","key":"{long}"}}"#),
            &"[".repeat(60_000),
        ] {
            assert!(matches!(parse(text), Command::Unknown(..)), "{}", &text[..text.len().min(80)]);
        }
        assert_eq!(parse("PING"), Command::Ping(None));
        assert_eq!(parse(r#"{"action":"ping","ref":"a"}"#), Command::Ping(Some("a".into())));
    }
}
