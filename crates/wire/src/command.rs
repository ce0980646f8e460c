//! What a client asks for.

use std::fmt;

use campanile_model::{Mark, NotificationId};
use serde::de::{IgnoredAny, MapAccess, Visitor};

/// One message of a client, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Keep-alive: wants one pong.
    Ping(Option<String>),
    /// A change of the caller's own read state.
    Mark(Box<Marking>),
    /// As `Mark`, of an id that can't name an entry: handled like one that names none.
    MarkUnknown(Asked),
    /// A token in place of the connection's own, and what the answer is to repeat.
    Refresh(Secret, Option<String>),
    /// Nothing that this surface knows; the text says what is wrong, without echoing the message.
    Unknown(&'static str, Option<String>),
}

/// A change of read state that a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marking {
    /// What. Where a place is left open, it is the horizon of a surface that has one.
    pub mark: Mark,
    /// A repetition under the same key does nothing.
    pub key: Option<String>,
    /// What the answer names.
    pub asked: Asked,
}

/// By what an answer names its command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// The entry's id.
    pub id: Option<String>,
    /// What the client called its command.
    pub reference: Option<String>,
}

/// Something that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// Longest id that is worth an answer of its own; a notification id has 36 bytes.
const MAX_ECHOED_ID: usize = 128;

impl Command {
    /// Reads a text message in the form that both documented surfaces share: `PING`, with or without JSON
    /// quotes, or `{"action":"mark_read","id":"…"}`. Further members are ignored, a member given twice
    /// makes the message unknown, and nothing but these exact spellings is understood.
    pub(crate) fn parse_documented(text: &str) -> Self {
        if text == "PING" || text == "\"PING\"" {
            return Self::Ping(None);
        }
        match serde_json::from_str::<Message>(text) {
            Err(_) => Self::Unknown("expected PING or a JSON object with action and id", None),
            Ok(Message { action: Some(action), id }) if action == "mark_read" => match id {
                Some(Member::Text(id)) => match NotificationId::parse(&id) {
                    Ok(id) => {
                        let asked = Asked { id: Some(id.to_string()), reference: None };
                        Self::Mark(Box::new(Marking { mark: Mark::Read(id), key: None, asked }))
                    }
                    Err(_) if (1..=MAX_ECHOED_ID).contains(&id.len()) => {
                        Self::MarkUnknown(Asked { id: Some(id), reference: None })
                    }
                    Err(_) => Self::Unknown("id is not a notification id", None),
                },
                Some(Member::Other) => Self::Unknown("id must be a string", None),
                None => Self::Unknown("mark_read needs an id", None),
            },
            Ok(Message { action: Some(_), .. }) => Self::Unknown("unknown action", None),
            Ok(Message { action: None, .. }) => Self::Unknown("action is missing or not a string", None),
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
        assert_eq!(Command::parse_documented("PING"), Command::Ping(None));
        assert_eq!(Command::parse_documented("\"PING\""), Command::Ping(None));
        for other in ["ping", " PING", "PING\n", r#"{"type":"PING"}"#, r#"{"action":"ping"}"#] {
            assert!(matches!(Command::parse_documented(other), Command::Unknown(..)), "{other}");
        }
    }

    #[test]
    fn mark_read_in_its_forms() {
        let mark = |text: &str| Command::parse_documented(text);
        let good = Command::Mark(Box::new(Marking {
            mark: Mark::Read(NotificationId::parse(ID).unwrap()),
            key: None,
            asked: Asked { id: Some(ID.into()), reference: None },
        }));
        assert_eq!(mark(&format!(r#"{{"action":"mark_read","id":"{ID}"}}"#)), good);
        assert_eq!(mark(&format!(r#"{{"x":[1],"id":"{ID}","action":"mark_read"}}"#)), good);
        let unknown = Command::MarkUnknown(Asked { id: Some("abc".into()), reference: None });
        assert_eq!(mark(r#"{"action":"mark_read","id":"abc"}"#), unknown);
        for id in ["1", "null", "{}", "[]", "true", "\"\"", "1.5", &format!("\"{}\"", "x".repeat(10_000))] {
            let text = format!(r#"{{"action":"mark_read","id":{id}}}"#);
            assert!(matches!(mark(&text), Command::Unknown(..)), "{id}");
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
            assert!(matches!(mark(text), Command::Unknown(..)), "{}", &text[..text.len().min(80)]);
        }
    }
}
