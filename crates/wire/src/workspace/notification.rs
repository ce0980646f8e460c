//! `{"id","title","message","type","read","timestamp","metadata"?}`.

use std::borrow::Cow;
use std::collections::HashMap;

use campanile_model::{Notification, NotificationId, Timestamp};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::surface::json;
use crate::{Payload, Shown};

#[derive(Serialize)]
struct Frame<'a> {
    id: NotificationId,
    title: &'a str,
    message: &'a str,
    r#type: &'a str,
    read: bool,
    timestamp: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a RawValue>,
}

pub(crate) fn encode(shown: &Shown<'_>) -> Payload {
    let notification = shown.notification;
    let metadata = metadata(notification);
    let frame = Frame {
        id: notification.id,
        title: &notification.title,
        message: &notification.message,
        r#type: &notification.kind,
        read: shown.receipt.read,
        timestamp: notification.timestamp,
        metadata: metadata.as_deref(),
    };
    Payload::new("notification", json(&frame)).up_to(shown.position)
}

/// The one notification that answers a `since` nobody can honour.
pub(crate) fn resync(id: NotificationId, timestamp: Timestamp) -> Payload {
    #[derive(Serialize)]
    struct Event {
        event: &'static str,
    }
    #[derive(Serialize)]
    struct Resync {
        id: NotificationId,
        title: &'static str,
        message: &'static str,
        r#type: &'static str,
        read: bool,
        timestamp: Timestamp,
        metadata: Event,
    }
    let resync = Resync {
        id,
        title: "Please reload",
        message: "Some notifications may be missing here: load the list again.",
        r#type: "info",
        read: false,
        timestamp,
        metadata: Event { event: "resync" },
    };
    Payload::new("notification", json(&resync))
}

/// The producer's metadata, to the letter, with the event's name added where there is room for it: the
/// documents know no other extra members, and a producer's own key is never overwritten.
fn metadata(notification: &Notification) -> Option<Cow<'_, RawValue>> {
    let own = notification.metadata.as_deref();
    let Some(event) = &notification.event else { return own.map(Cow::Borrowed) };
    let event = json(event);
    let text = match own.map(RawValue::get) {
        None => format!("{{\"event\":{event}}}"),
        Some(text) => match serde_json::from_str::<HashMap<Cow<'_, str>, &RawValue>>(text) {
            Ok(members) if !members.contains_key("event") => {
                // An object's text ends in its brace; a raw value has no white space around it.
                let inner = text[..text.len() - 1].trim_end();
                let comma = if members.is_empty() { "" } else { "," };
                format!("{inner}{comma}\"event\":{event}}}")
            }
            _ => return own.map(Cow::Borrowed),
        },
    };
    match RawValue::from_string(text) {
        Ok(raw) => Some(Cow::Owned(raw)),
        Err(_) => own.map(Cow::Borrowed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::sample;

    #[test]
    fn golden() {
        let mut n = sample();
        n.metadata = Some(
            RawValue::from_string(r#"{"a":{"b":[1,2.50,null]},"n":12345678901234567890}"#.into()).unwrap(),
        );
        assert_eq!(
            encode(&Shown::live(&n, None)).text,
            r#"{"id":"01890a5d-ac96-774b-bcce-b302099a8057","title":"New order","message":"Order #12345","#
                .to_owned()
                + r#""type":"info","read":false,"timestamp":"2026-01-01T00:00:00.123Z","#
                + r#""metadata":{"a":{"b":[1,2.50,null]},"n":12345678901234567890}}"#
        );
    }

    #[test]
    fn event_goes_into_metadata_unless_it_cannot() {
        let with = |metadata: Option<&str>| {
            let mut n = sample();
            n.event = Some("order \"x\"".into());
            n.metadata = metadata.map(|m| RawValue::from_string(m.into()).unwrap());
            let frame: serde_json::Value =
                serde_json::from_str(&encode(&Shown::live(&n, None)).text).unwrap();
            frame["metadata"].to_string()
        };
        assert_eq!(with(None), r#"{"event":"order \"x\""}"#);
        assert_eq!(with(Some("{}")), r#"{"event":"order \"x\""}"#);
        assert_eq!(with(Some("{ \"a\" : 1 }")), r#"{"a":1,"event":"order \"x\""}"#);
        assert_eq!(with(Some(r#"{"event":"mine"}"#)), r#"{"event":"mine"}"#);
        assert_eq!(with(Some("[1]")), "[1]");
        assert_eq!(with(Some("null")), "null");
        assert_eq!(with(Some("\"}\"")), "\"}\"");
    }
}
