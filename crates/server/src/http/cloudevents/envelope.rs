//! One event as it came, before it is judged.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use campanile_engine::event::{self, Event};
use campanile_model::{Timestamp, UserId};
use serde::Deserialize;
use serde::de::value::StrDeserializer;
use serde::de::{Deserializer, Error, IgnoredAny, IntoDeserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::super::problem::{self, Problem};

/// Extension attributes of one event: the specification names a dozen.
const MAX_EXTENSIONS: usize = 64;

/// An event of any shape that JSON and headers allow. Of the extension attributes only `actor` is kept.
#[derive(Debug, Default)]
pub struct Envelope {
    pub(super) specversion: Option<String>,
    pub(super) id: Option<String>,
    pub(super) source: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) subject: Option<String>,
    pub(super) time: Option<String>,
    pub(super) datacontenttype: Option<String>,
    pub(super) dataschema: Option<String>,
    pub(super) actor: Option<String>,
    pub(super) data: Option<Box<RawValue>>,
    has_base64: bool,
}

impl Envelope {
    /// Whether it says that it is a CloudEvent.
    pub fn is_declared(&self) -> bool {
        self.specversion.is_some()
    }

    /// Where an attribute that we know is kept.
    pub(super) fn known(&mut self, name: &str) -> Option<&mut Option<String>> {
        Some(match name {
            "specversion" => &mut self.specversion,
            "id" => &mut self.id,
            "source" => &mut self.source,
            "type" => &mut self.kind,
            "subject" => &mut self.subject,
            "time" => &mut self.time,
            "datacontenttype" => &mut self.datacontenttype,
            "dataschema" => &mut self.dataschema,
            "actor" => &mut self.actor,
            _ => return None,
        })
    }

    /// The event, if it is one; without a time of its own it happened `now`. What is bounded in length is judged
    /// where it is taken.
    ///
    /// # Errors
    /// Names the attribute.
    pub fn event(self, now: Timestamp) -> Result<Event, Problem> {
        match self.specversion.as_deref() {
            Some("1.0") => {}
            Some(_) => return Err(refuse("specversion", "specversion is 1.0")),
            None => return Err(refuse("specversion", "specversion is missing: it is 1.0")),
        }
        if self.has_base64 {
            return Err(refuse("data_base64", "rules read JSON: send it as data"));
        }
        if self.datacontenttype.as_deref().is_some_and(|kind| !is_json(kind)) {
            return Err(refuse("datacontenttype", "an event's data is JSON, such as application/json"));
        }
        let data = self.data.as_deref().map(event::data).transpose()?;
        Ok(Event {
            id: required(self.id, "id")?,
            source: required(self.source, "source")?,
            kind: required(self.kind, "type")?,
            subject: self.subject,
            time: match self.time {
                Some(text) => {
                    instant(&text).ok_or_else(|| refuse("time", "time is an instant, as of RFC 3339"))?
                }
                None => now,
            },
            actor: match self.actor {
                Some(text) => Some(UserId::new(&text).map_err(|error| refuse("actor", error.to_string()))?),
                None => None,
            },
            hops: 0,
            data: data.unwrap_or_else(|| Arc::new(Value::Null)),
        })
    }
}

fn required(text: Option<String>, name: &'static str) -> Result<String, Problem> {
    text.ok_or_else(|| refuse(name, format!("{name} is missing")))
}

pub(super) fn refuse(field: impl Into<Cow<'static, str>>, detail: impl Into<Cow<'static, str>>) -> Problem {
    Problem::new(&problem::INVALID_REQUEST).field(field).detail(detail)
}

/// Whether a media type is JSON's (the JSON format, §3.1).
pub(super) fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    let subtype = essence.split_once('/').map_or("", |(_, subtype)| subtype).to_ascii_lowercase();
    subtype == "json" || subtype.ends_with("+json")
}

/// Whether a name can be an attribute's: lower-case letters and digits (CloudEvents, §3.1).
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

fn instant(text: &str) -> Option<Timestamp> {
    // The parser also reads annotations and other spellings, which RFC 3339 does not have.
    let plain = (20..=35).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_digit() || b"-+:.TtZz".contains(&b));
    let text: StrDeserializer<'_, serde::de::value::Error> = text.into_deserializer();
    plain.then(|| Timestamp::deserialize(text).ok())?
}

impl<'de> Deserialize<'de> for Envelope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Envelope;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a CloudEvent")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Envelope, A::Error> {
        let mut envelope = Envelope::default();
        let mut met = HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if met.len() == MAX_EXTENSIONS {
                return Err(A::Error::custom(format_args!("an event has at most {MAX_EXTENSIONS} members")));
            }
            if !met.insert(name.clone()) {
                return Err(A::Error::custom("an attribute is given twice"));
            }
            match name.as_str() {
                "data" => envelope.data = Some(map.next_value()?),
                "data_base64" => {
                    map.next_value::<IgnoredAny>()?;
                    envelope.has_base64 = true;
                }
                // Null counts as absent (the JSON format, §2.2).
                name => match envelope.known(name) {
                    Some(slot) => *slot = map.next_value()?,
                    None if is_name(name) => map.next_value::<Extension>().map(drop)?,
                    None => {
                        return Err(A::Error::custom(
                            "an attribute's name has lower-case letters and digits only",
                        ));
                    }
                },
            }
        }
        Ok(envelope)
    }
}

/// The value of an extension attribute, which is not kept.
struct Extension;

impl<'de> Deserialize<'de> for Extension {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        if raw.get().starts_with(['{', '[']) {
            return Err(D::Error::custom(
                "an extension attribute is a text, a number or a boolean; put the rest into data",
            ));
        }
        Ok(Self)
    }
}

/// A CloudEvent in JSON, for the OpenAPI document.
#[derive(utoipa::ToSchema)]
#[allow(dead_code, reason = "the schema of Envelope, which is read by hand")]
pub struct CloudEvent {
    /// The version of the specification.
    #[schema(example = "1.0")]
    specversion: String,
    /// Unique within the source: an event of the same source and id is taken once. At most 1,024 bytes.
    #[schema(example = "order-4711-paid")]
    id: String,
    /// Where it happened, a URI reference; not one of Campanile's own. At most 1,024 bytes.
    #[schema(example = "https://shop.example/orders")]
    source: String,
    /// What happened. At most 256 bytes.
    #[schema(example = "order_paid")]
    r#type: String,
    /// What it happened to. At most 1,024 bytes.
    subject: Option<String>,
    /// When. Default: now.
    #[schema(format = DateTime)]
    time: Option<String>,
    /// JSON's, if it is given.
    #[schema(example = "application/json")]
    datacontenttype: Option<String>,
    /// Accepted, not kept.
    dataschema: Option<String>,
    /// Extension attribute: the user who caused it. Other extension attributes are accepted and not kept.
    actor: Option<String>,
    /// The details: JSON of at most 262,144 bytes and 32 levels.
    data: Option<serde_json::Value>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(more: &str) -> Result<Event, String> {
        let text = format!(r#"{{"specversion":"1.0","id":"1","source":"s","type":"t"{more}}}"#);
        let envelope: Envelope = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        envelope.event(Timestamp::from_millis(7)).map_err(|problem| format!("{problem:?}"))
    }

    #[test]
    fn the_least_and_the_most() {
        let least = read("").unwrap();
        assert_eq!(
            (least.time, &*least.data, &least.subject),
            (Timestamp::from_millis(7), &Value::Null, &None)
        );
        let most = read(
            r#","subject":"x","time":"2026-01-01T01:00:00+01:00","datacontenttype":"text/json; a=b",
            "dataschema":"urn:x","actor":"alice","traceparent":"00-1","flag":true,"n":1,"none":null,
            "data":{"a":[1]}"#,
        )
        .unwrap();
        assert_eq!(most.time.to_string(), "2026-01-01T00:00:00.000Z");
        assert_eq!(most.actor.unwrap().as_str(), "alice");
        assert_eq!(*most.data, serde_json::json!({"a": [1]}));
    }

    #[test]
    fn what_is_refused_says_why() {
        for (more, part) in [
            (r#","data_base64":"AA==""#, "data_base64"),
            (r#","datacontenttype":"application/xml""#, "datacontenttype"),
            (r#","time":"yesterday""#, "RFC 3339"),
            (r#","time":"2026-01-01T00:00:00Z[Europe/Berlin]""#, "RFC 3339"),
            (r#","actor":"""#, "actor"),
            (r#","subject":7"#, "expected"),
            (r#","Data":1"#, "lower-case"),
            (r#","ext":{"a":1}"#, "extension attribute"),
            (r#","id":"2""#, "twice"),
            (r#","data":{"a":1,"a":2}"#, "data"),
        ] {
            let said = read(more).unwrap_err();
            assert!(said.contains(part), "{more}: {said}");
        }
        let many: String = (0..70).map(|n| format!(",\"e{n}\":1")).collect();
        assert!(read(&many).unwrap_err().contains("at most 64"));
        let deep = format!(",\"data\":{}{}", "[".repeat(33), "]".repeat(33));
        assert!(read(&deep).unwrap_err().contains("32 levels"));
    }
}
