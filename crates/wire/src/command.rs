//! What a client asks for.

use std::fmt;

use campanile_model::NotificationId;
use serde::de::{IgnoredAny, MapAccess, Visitor};

/// One message of a client, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Keep-alive: wants one pong.
    Ping,
    /// One of the caller's own entries was read.
    MarkRead(NotificationId),
    /// As `MarkRead`, of an id that can't name an entry: handled like one that names none.
    MarkReadUnknown(String),
    /// Nothing that this surface knows; the text says what is wrong, without echoing the message.
    Unknown(&'static str),
}

/// Longest id that is worth an answer of its own; a notification id has 36 bytes.
const MAX_ECHOED_ID: usize = 128;

impl Command {
    /// Reads a text message in the form that both documented surfaces share: `PING`, with or without JSON
    /// quotes, or `{"action":"mark_read","id":"…"}`. Further members are ignored, a member given twice
    /// makes the message unknown, and nothing but these exact spellings is understood.
    pub(crate) fn parse_documented(text: &str) -> Self {
        if text == "PING" || text == "\"PING\"" {
            return Self::Ping;
        }
        match serde_json::from_str::<Message>(text) {
            Err(_) => Self::Unknown("expected PING or a JSON object with action and id"),
            Ok(Message { action: Some(action), id }) if action == "mark_read" => match id {
                Some(Member::Text(id)) => match NotificationId::parse(&id) {
                    Ok(id) => Self::MarkRead(id),
                    Err(_) if (1..=MAX_ECHOED_ID).contains(&id.len()) => Self::MarkReadUnknown(id),
                    Err(_) => Self::Unknown("id is not a notification id"),
                },
                Some(Member::Other) => Self::Unknown("id must be a string"),
                None => Self::Unknown("mark_read needs an id"),
            },
            Ok(Message { action: Some(_), .. }) => Self::Unknown("unknown action"),
            Ok(Message { action: None, .. }) => Self::Unknown("action is missing or not a string"),
        }
    }
}

#[derive(Default)]
struct Message {
    action: Option<String>,
    id: Option<Member>,
}

enum Member {
    Text(String),
    Other,
}

impl<'de> serde::Deserialize<'de> for Member {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyMember;
        impl<'de> Visitor<'de> for AnyMember {
            type Value = Member;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }
            fn visit_str<E>(self, v: &str) -> Result<Member, E> {
                Ok(Member::Text(v.to_owned()))
            }
            fn visit_bool<E>(self, _: bool) -> Result<Member, E> {
                Ok(Member::Other)
            }
            fn visit_i64<E>(self, _: i64) -> Result<Member, E> {
                Ok(Member::Other)
            }
            fn visit_u64<E>(self, _: u64) -> Result<Member, E> {
                Ok(Member::Other)
            }
            fn visit_f64<E>(self, _: f64) -> Result<Member, E> {
                Ok(Member::Other)
            }
            fn visit_unit<E>(self) -> Result<Member, E> {
                Ok(Member::Other)
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Member, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Member::Other)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Member, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Member::Other)
            }
        }
        deserializer.deserialize_any(AnyMember)
    }
}

impl<'de> serde::Deserialize<'de> for Message {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Message;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Message, A::Error> {
                let mut message = Message::default();
                let (mut actions, mut ids) = (0, 0);
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "action" => {
                            actions += 1;
                            if let Member::Text(text) = map.next_value()? {
                                message.action = Some(text);
                            }
                        }
                        "id" => {
                            ids += 1;
                            message.id = Some(map.next_value()?);
                        }
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                if actions > 1 || ids > 1 {
                    return Err(serde::de::Error::custom("a member stands twice"));
                }
                Ok(message)
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    #[test]
    fn ping_in_its_forms() {
        assert_eq!(Command::parse_documented("PING"), Command::Ping);
        assert_eq!(Command::parse_documented("\"PING\""), Command::Ping);
        for other in ["ping", " PING", "PING\n", r#"{"type":"PING"}"#, r#"{"action":"ping"}"#] {
            assert!(matches!(Command::parse_documented(other), Command::Unknown(_)), "{other}");
        }
    }

    #[test]
    fn mark_read_in_its_forms() {
        let mark = |text: &str| Command::parse_documented(text);
        let good = NotificationId::parse(ID).unwrap();
        assert_eq!(mark(&format!(r#"{{"action":"mark_read","id":"{ID}"}}"#)), Command::MarkRead(good));
        assert_eq!(
            mark(&format!(r#"{{"x":[1],"id":"{ID}","action":"mark_read"}}"#)),
            Command::MarkRead(good)
        );
        assert_eq!(mark(r#"{"action":"mark_read","id":"abc"}"#), Command::MarkReadUnknown("abc".into()));
        for id in ["1", "null", "{}", "[]", "true", "\"\"", "1.5", &format!("\"{}\"", "x".repeat(10_000))] {
            let text = format!(r#"{{"action":"mark_read","id":{id}}}"#);
            assert!(matches!(mark(&text), Command::Unknown(_)), "{id}");
        }
        for text in [
            r#"{"action":"mark_read"}"#,
            &format!(r#"{{"id":"{ID}"}}"#),
            &format!(r#"{{"action":"MARK_READ","id":"{ID}"}}"#),
            &format!(r#"{{"action":"mark_read","id":"{ID}","id":"{ID}"}}"#),
            &format!(r#"{{"action":"mark_read","action":"mark_read","id":"{ID}"}}"#),
            "",
            "[]",
            "1",
            "null",
            "\"x\"",
            "{",
            &"[".repeat(60_000),
        ] {
            assert!(matches!(mark(text), Command::Unknown(_)), "{}", &text[..text.len().min(80)]);
        }
    }
}
