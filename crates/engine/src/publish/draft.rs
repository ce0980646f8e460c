//! What a producer asks to publish, and the rules it must keep.

use std::collections::HashSet;

use campanile_model::limits::{
    DELAY_MS, MAX_COLLAPSE_KEY_CHARS, MAX_EXCEPT, MAX_FRAME_BYTES, MAX_NAME_CHARS, MAX_PRODUCT_NAME_CHARS,
    MAX_TITLE_CHARS, MAX_USERS_PER_ENTRY,
};
use campanile_model::{Audience, Level, Notification, NotificationId, Timestamp, Topic, UserId};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::json::check_json;
use crate::{EngineError, Span};

/// A notification as a producer writes it (protocol §6). Unknown and repeated members are refused; `null`
/// counts as absent, except for `metadata`, where it is a value.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = Notification)]
pub struct Draft {
    /// Who is told.
    pub to: Recipients,
    /// One line, at most 200 characters, not blank.
    #[schema(min_length = 1, max_length = 200, example = "Order shipped")]
    pub title: String,
    /// The text; may be empty.
    #[schema(example = "Your order 4711 is on its way.")]
    pub message: String,
    /// One of the five levels, an event's name, or whatever clients switch on. Default: `info`.
    #[serde(rename = "type")]
    #[schema(min_length = 1, max_length = 128, example = "info")]
    pub kind: Option<String>,
    /// How loud it is, where `type` is not itself a level. Default: `info`.
    #[schema(value_type = Option<campanile_wire::LevelName>)]
    pub level: Option<Level>,
    /// Any JSON of at most 32 levels, passed through to the letter.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub metadata: Option<Box<RawValue>>,
    /// The name of what happened.
    #[schema(min_length = 1, max_length = 128)]
    pub event: Option<String>,
    /// The product concerned.
    #[schema(max_length = 255)]
    pub product_name: Option<String>,
    /// When the product expires: a date (`2026-01-31`) or an instant with its zone (RFC 3339). Kept as written.
    #[schema(example = "2026-01-31")]
    pub expiry_date: Option<String>,
    /// `false`: told to whoever is connected, kept by nobody. Default: as the workspace's mode says.
    pub durable: Option<bool>,
    /// Who is not told although `to` names them: at most 10.
    #[schema(value_type = Option<Vec<String>>, max_items = 10)]
    pub except: Option<Vec<UserId>>,
    /// How long it is to be seen, from the time it is sent: seconds, or a text like `"12h"` or `"7d"`; 1 second
    /// to 365 days. Then nobody sees it any more.
    #[schema(value_type = Option<String>, example = "7d")]
    pub ttl: Option<Span>,
    /// When to send it: an instant with its zone (RFC 3339), 1 second to 365 days from now.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub send_at: Option<Timestamp>,
    /// The next notification of this key to the same audience supersedes this one: only those who had read it
    /// still see it.
    #[schema(min_length = 1, max_length = 128)]
    pub collapse_key: Option<String>,
}

/// A draft that keeps every rule.
#[derive(Debug)]
pub(crate) struct Checked {
    /// As it is to be sent; dated as if it were sent now.
    pub(crate) notification: Notification,
    /// How long it is seen once it is sent.
    pub(crate) ttl: Option<Span>,
    /// When to send it; `None`: now.
    pub(crate) send_at: Option<Timestamp>,
}

/// Who is told: exactly one of the four.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Recipients {
    /// One user.
    #[schema(value_type = Option<String>, example = "alice")]
    pub user: Option<UserId>,
    /// Several users, at most 1,000; naming one twice tells them once.
    #[schema(value_type = Option<Vec<String>>, min_items = 1, max_items = 1000)]
    pub users: Option<Vec<UserId>>,
    /// Whoever is subscribed to this topic.
    #[schema(value_type = Option<String>)]
    pub topic: Option<Topic>,
    /// Everybody with access to the workspace; only `true` says something.
    pub workspace: Option<bool>,
}

impl Draft {
    /// Checks every rule that concerns this entry alone and gives it its id and time.
    ///
    /// # Errors
    /// [`EngineError::Invalid`] naming the member, or [`EngineError::TooLarge`].
    pub(crate) fn check(
        self,
        id: NotificationId,
        refused_keys: &[String],
        now: Timestamp,
    ) -> Result<Checked, EngineError> {
        name("title", &self.title, MAX_TITLE_CHARS)?;
        let kind = self.kind.unwrap_or_else(|| Level::default().as_str().to_owned());
        name("type", &kind, MAX_NAME_CHARS)?;
        if let Some(event) = &self.event {
            name("event", event, MAX_NAME_CHARS)?;
        }
        if let Some(product) = &self.product_name {
            at_most("productName", product, MAX_PRODUCT_NAME_CHARS)?;
        }
        if let Some(date) = &self.expiry_date {
            date_or_instant(date)?;
        }
        if let Some(key) = &self.collapse_key {
            name("collapseKey", key, MAX_COLLAPSE_KEY_CHARS)?;
        }
        self.ttl.map_or(Ok(()), check_ttl)?;
        self.send_at.map_or(Ok(()), |at| check_send_at(at, now))?;
        let except = each_once(self.except.unwrap_or_default());
        if except.len() > MAX_EXCEPT {
            return Err(EngineError::invalid("except", format!("except names at most {MAX_EXCEPT} users")));
        }
        let notification = Notification {
            id,
            audience: self.to.audience()?,
            except,
            title: self.title,
            message: self.message,
            level: Level::from_name(&kind).or(self.level).unwrap_or_default(),
            kind,
            timestamp: now,
            metadata: self.metadata,
            event: self.event,
            product_name: self.product_name,
            expiry_date: self.expiry_date,
            expires_at: self.ttl.map(|ttl| after(now, ttl)),
            collapse_key: self.collapse_key,
            updated_at: None,
        };
        let got = campanile_wire::longest_payload(&notification);
        if got > MAX_FRAME_BYTES {
            return Err(EngineError::TooLarge { index: None, got, limit: MAX_FRAME_BYTES });
        }
        // Last, so that what is walked member by member is known to be short.
        if let Some(metadata) = &notification.metadata {
            check_metadata(metadata, refused_keys)?;
        }
        Ok(Checked { notification, ttl: self.ttl, send_at: self.send_at })
    }
}

impl Recipients {
    fn audience(self) -> Result<Audience, EngineError> {
        let workspace = self.workspace == Some(true);
        match (self.user, self.users, self.topic, workspace) {
            (Some(user), None, None, false) => Ok(Audience::Users(vec![user])),
            (None, Some(users), None, false) => {
                let users = each_once(users);
                if (1..=MAX_USERS_PER_ENTRY).contains(&users.len()) {
                    Ok(Audience::Users(users))
                } else {
                    let reason =
                        format!("one entry names 1 to {MAX_USERS_PER_ENTRY} users; use a topic for more");
                    Err(EngineError::invalid("to.users", reason))
                }
            }
            (None, None, Some(topic), false) => Ok(Audience::Topic(topic)),
            (None, None, None, true) => Ok(Audience::Workspace),
            _ => Err(EngineError::invalid(
                "to",
                "to names exactly one of user, users, topic, or workspace: true",
            )),
        }
    }
}

/// Refuses metadata that is too deep or ambiguous, or that names what must not be shown.
pub(crate) fn check_metadata(metadata: &RawValue, refused_keys: &[String]) -> Result<(), EngineError> {
    check_json(metadata).map_err(|fault| EngineError::invalid("metadata", format!("metadata {fault}")))?;
    if refused_keys.is_empty() {
        return Ok(());
    }
    // Depth and repeated members were judged just now, so that it can be read.
    let value = serde_json::from_str(metadata.get())
        .map_err(|_| EngineError::invalid("metadata", "metadata is not JSON"))?;
    match campanile_rules::refused_key(refused_keys, &value) {
        None => Ok(()),
        Some(_) => Err(EngineError::invalid(
            "metadata",
            "metadata has a member whose name stands for a secret, which does not belong in a notification; \
             the list is [workspaces] refused_keys",
        )),
    }
}

pub(crate) fn check_ttl(ttl: Span) -> Result<(), EngineError> {
    if DELAY_MS.contains(&ttl.as_millis()) {
        Ok(())
    } else {
        Err(EngineError::invalid("ttl", "a ttl is 1 second to 365 days"))
    }
}

pub(crate) fn check_send_at(at: Timestamp, now: Timestamp) -> Result<(), EngineError> {
    if DELAY_MS.contains(&at.as_millis().saturating_sub(now.as_millis())) {
        Ok(())
    } else {
        Err(EngineError::invalid("sendAt", "sendAt is 1 second to 365 days from now"))
    }
}

/// `now` and `span` later.
pub(crate) fn after(now: Timestamp, span: Span) -> Timestamp {
    Timestamp::from_millis(now.as_millis().saturating_add(span.as_millis()))
}

/// The users in the order given, each once.
pub(crate) fn each_once(mut users: Vec<UserId>) -> Vec<UserId> {
    if users.len() > 1 {
        let mut known = HashSet::with_capacity(users.len());
        users.retain(|user| known.insert(user.clone()));
    }
    users
}

pub(crate) fn name(field: &'static str, text: &str, limit: usize) -> Result<(), EngineError> {
    if text.trim().is_empty() {
        return Err(EngineError::invalid(field, format!("{field} must not be blank")));
    }
    at_most(field, text, limit)
}

fn at_most(field: &'static str, text: &str, limit: usize) -> Result<(), EngineError> {
    // A text has at least as many bytes as characters: most need no counting.
    if text.len() <= limit || text.chars().count() <= limit {
        Ok(())
    } else {
        Err(EngineError::invalid(field, format!("{field} has at most {limit} characters")))
    }
}

fn date_or_instant(text: &str) -> Result<(), EngineError> {
    match campanile_expiry::ExpiryDate::parse(text) {
        Ok(_) => Ok(()),
        Err(error) => Err(EngineError::invalid("expiryDate", error.to_string())),
    }
}

/// A member that is there, whatever it holds: `null` is a value too.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    fn check(members: &str) -> Result<Notification, EngineError> {
        let text = format!(r#"{{"to":{{"user":"alice"}},"title":"T","message":""{members}}}"#);
        check_whole(&text)
    }

    fn check_whole(text: &str) -> Result<Notification, EngineError> {
        let draft: Draft = serde_json::from_str(text).unwrap();
        let refused = ["secret".to_owned()];
        let checked = draft.check(NotificationId::parse(ID).unwrap(), &refused, Timestamp::from_millis(0))?;
        Ok(checked.notification)
    }

    #[track_caller]
    fn refused(result: Result<Notification, EngineError>) -> &'static str {
        match result {
            Err(EngineError::Invalid { field, .. }) => field,
            other => panic!("not refused: {other:?}"),
        }
    }

    #[test]
    fn the_least_one_can_say() {
        let n = check("").unwrap();
        assert_eq!((n.kind.as_str(), n.level), ("info", Level::Info));
        assert_eq!(n.audience, Audience::Users(vec![UserId::new("alice").unwrap()]));
    }

    #[test]
    fn the_type_is_the_level_where_it_is_one() {
        let level = |members| check(members).unwrap().level;
        assert_eq!(level(r#","type":"alert""#), Level::Alert);
        assert_eq!(level(r#","type":"alert","level":"info""#), Level::Alert);
        assert_eq!(level(r#","type":"record_created","level":"error""#), Level::Error);
        assert_eq!(level(r#","type":"record_created""#), Level::Info);
    }

    #[test]
    fn metadata_is_kept_to_the_letter() {
        for text in ["null", r#"{"a": [1, 2.50, 1e2,null]}"#, "12345678901234567890", r#""\u00e9é""#] {
            let n = check(&format!(r#","metadata":{text}"#)).unwrap();
            assert_eq!(n.metadata.unwrap().get(), text);
        }
        assert!(check("").unwrap().metadata.is_none());
        assert_eq!(refused(check(r#","metadata":{"a":1,"a":2}"#)), "metadata");
    }

    #[test]
    fn one_audience() {
        let to = |to: &str| check_whole(&format!(r#"{{"to":{to},"title":"T","message":"M"}}"#));
        assert_eq!(to(r#"{"workspace":true}"#).unwrap().audience, Audience::Workspace);
        assert_eq!(
            to(r#"{"users":["b","a","b"]}"#).unwrap().audience,
            Audience::Users(vec![UserId::new("b").unwrap(), UserId::new("a").unwrap()])
        );
        for bad in ["{}", r#"{"workspace":false}"#, r#"{"user":"a","topic":"t"}"#] {
            assert_eq!(refused(to(bad)), "to", "{bad}");
        }
        assert_eq!(refused(to(r#"{"users":[]}"#)), "to.users");
        let many = (0..1001).map(|n| format!("\"u{n}\"")).collect::<Vec<_>>().join(",");
        assert_eq!(refused(to(&format!(r#"{{"users":[{many}]}}"#))), "to.users");
    }

    #[test]
    fn bounds() {
        let title = |title: &str| {
            check_whole(&format!(r#"{{"to":{{"workspace":true}},"title":"{title}","message":""}}"#))
        };
        assert!(title(&"é".repeat(200)).is_ok());
        assert_eq!(refused(title(&"é".repeat(201))), "title");
        assert_eq!(refused(title(" ")), "title");
        assert_eq!(refused(check(r#","type":"""#)), "type");
        let except = |n: usize| {
            let users = (0..n).map(|n| format!("\"u{n}\"")).collect::<Vec<_>>().join(",");
            check(&format!(r#","except":[{users}]"#))
        };
        assert!(except(10).is_ok());
        assert_eq!(refused(except(11)), "except");
    }

    #[test]
    fn an_expiry_date_is_a_date_or_an_instant() {
        for good in ["2026-01-31", "2026-01-31T12:00:00Z", "2026-01-31T12:00:00.123456+02:00"] {
            assert_eq!(check(&format!(r#","expiryDate":"{good}""#)).unwrap().expiry_date.unwrap(), good);
        }
        for bad in
            ["", "soon", "2026-02-30", "31.01.2026", "2026-01-31T12:00:00", "2026-01-31T12:00:00Z[UTC]"]
        {
            assert_eq!(refused(check(&format!(r#","expiryDate":"{bad}""#))), "expiryDate", "{bad}");
        }
    }

    #[test]
    fn its_life_has_bounds() {
        let year = 365 * 24 * 3600;
        assert_eq!(check(r#","ttl":"1h""#).unwrap().expires_at, Some(Timestamp::from_millis(3_600_000)));
        assert!(check(&format!(r#","ttl":{year}"#)).is_ok());
        assert_eq!(refused(check(&format!(r#","ttl":{}"#, year + 1))), "ttl");
        assert_eq!(refused(check(r#","ttl":0"#)), "ttl");
        assert!(check(r#","sendAt":"1970-01-01T00:00:01Z""#).is_ok());
        assert_eq!(refused(check(r#","sendAt":"1970-01-01T00:00:00.999Z""#)), "sendAt");
        assert_eq!(refused(check(r#","sendAt":"1971-01-01T00:00:00.001Z""#)), "sendAt");
        assert_eq!(refused(check(r#","collapseKey":" ""#)), "collapseKey");
        assert_eq!(check(r#","collapseKey":"k""#).unwrap().collapse_key.as_deref(), Some("k"));
    }

    #[test]
    fn secrets_are_refused_by_name() {
        assert!(check(r#","metadata":{"secretary":1}"#).is_ok());
        assert_eq!(refused(check(r#","metadata":{"a":[{"Secret":1}]}"#)), "metadata");
    }

    #[test]
    fn exactly_the_longest_frame_is_accepted() {
        let with = |n: usize| {
            let m = "m".repeat(n);
            check_whole(&format!(r#"{{"to":{{"workspace":true}},"title":"T","message":"{m}"}}"#))
        };
        let empty = campanile_wire::longest_payload(&with(10).unwrap()) - 10;
        assert!(with(MAX_FRAME_BYTES - empty).is_ok());
        match with(MAX_FRAME_BYTES - empty + 1) {
            Err(EngineError::TooLarge { got, limit, .. }) => assert_eq!((got, limit), (65_537, 65_536)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn unknown_and_repeated_members_are_refused() {
        for text in [
            r#"{"to":{"user":"a"},"title":"T","message":"M","mesage":"M"}"#,
            r#"{"to":{"user":"a"},"title":"T","title":"T","message":"M"}"#,
            r#"{"to":{"user":"a","user":"a"},"title":"T","message":"M"}"#,
            r#"{"to":{"user":"a","usr":"a"},"title":"T","message":"M"}"#,
            r#"{"to":{"user":"a"},"title":"T"}"#,
            r#"{"to":{"user":"a"},"title":"\ud800","message":"M"}"#,
        ] {
            assert!(serde_json::from_str::<Draft>(text).is_err(), "{text}");
        }
    }
}
