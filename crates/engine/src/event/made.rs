//! From what a rule made to a notification that keeps every rule of publishing.

use campanile_model::{Audience, Level, Notification, NotificationId, Timestamp};
use campanile_rules::Made;
use serde_json::{Map, Value, value::to_raw_value};

use crate::publish::{Checked, Draft, Recipients};
use crate::{EngineError, Mode, Span, TypeStyle, WorkspaceConfig};

/// A notification that a rule made, ready to be sent.
pub(super) struct Ready {
    pub(super) notification: Notification,
    /// Whether it goes to the log.
    pub(super) durable: bool,
}

/// Checks `made` as if somebody had published it, in the style of its workspace.
///
/// # Errors
/// Those of a draft: the rule made what nobody may publish.
pub(super) fn ready(
    made: Made,
    config: &WorkspaceConfig,
    id: NotificationId,
    refused_keys: &[String],
    now: Timestamp,
) -> Result<Ready, EngineError> {
    let durable = config.mode == Mode::Inbox && made.durable.unwrap_or(true);
    let mut draft = draft(made, config.type_style)?;
    if !durable {
        // Nobody keeps it, so that it can neither run out nor be superseded.
        (draft.ttl, draft.collapse_key) = (None, None);
    }
    let Checked { notification, .. } = draft.check(id, refused_keys, now)?;
    Ok(Ready { notification, durable })
}

fn draft(made: Made, style: TypeStyle) -> Result<Draft, EngineError> {
    let named_level = Level::from_name(&made.kind);
    let level = named_level.or(made.level).unwrap_or_default();
    let (mut kind, mut event, mut metadata) = (made.kind, made.event, made.metadata);
    // A type that is a level says all there is to say in either style.
    if named_level.is_none() {
        match style {
            TypeStyle::Event => note(&mut metadata, "level", level.as_str()),
            TypeStyle::Level => {
                note(&mut metadata, "event", &kind);
                event.get_or_insert_with(|| kind.clone());
                level.as_str().clone_into(&mut kind);
            }
        }
    }
    Ok(Draft {
        to: recipients(made.audience),
        title: made.title,
        message: made.message,
        kind: Some(kind),
        level: Some(level),
        metadata: metadata
            .map(|value| to_raw_value(&value))
            .transpose()
            .map_err(|_| EngineError::invalid("metadata", "the metadata can't be written as JSON"))?,
        event,
        product_name: made.product_name,
        expiry_date: made.expiry_date,
        durable: None,
        except: Some(made.except),
        ttl: made.ttl_ms.and_then(Span::from_millis),
        send_at: None,
        collapse_key: made.collapse_key,
    })
}

/// Adds a member where there is room for it: what a rule says itself is never overwritten.
fn note(metadata: &mut Option<Value>, name: &str, text: &str) {
    if let Value::Object(members) = metadata.get_or_insert_with(|| Value::Object(Map::new())) {
        members.entry(name).or_insert_with(|| Value::from(text));
    }
}

fn recipients(audience: Audience) -> Recipients {
    match audience {
        Audience::Users(users) => Recipients { users: Some(users), ..Recipients::default() },
        Audience::Topic(topic) => Recipients { topic: Some(topic), ..Recipients::default() },
        Audience::Workspace => Recipients { workspace: Some(true), ..Recipients::default() },
    }
}
