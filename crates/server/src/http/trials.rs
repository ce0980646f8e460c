//! What rules would make of an event, as it is shown.

use campanile_engine::event::{Trial, Tried};
use campanile_engine::topics::Subscribers;
use campanile_model::{Level, Notification, Timestamp, UserId};
use serde::Serialize;
use serde_json::value::RawValue;

use super::audience::To;

/// What each rule would make of an event.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Trials {
    /// In the order in which rules are asked.
    verdicts: Vec<Verdict>,
}

/// What one rule would make of an event.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// The rule's name.
    rule: String,
    /// Whether it is one that every workspace has.
    built_in: bool,
    /// Whether it makes something, passes over the event, or fails on it.
    outcome: Outcome,
    /// What it makes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    notification: Option<Preview>,
    /// Why it makes nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reason: Option<String>,
    /// The member of the rule that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    field: Option<String>,
    /// The line in the member's text, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    line: Option<u32>,
    /// The column, from 1; absent where only the line is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    column: Option<u32>,
}

/// How a trial ends.
#[derive(Debug, Clone, Copy, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It makes a notification.
    Made,
    /// It is not for this event, or there is nobody to tell.
    Passed,
    /// It can't make one of this event.
    Failed,
}

/// Who listens to a topic.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Listening {
    /// The first 100 by name.
    #[schema(value_type = Vec<String>)]
    users: Vec<UserId>,
    /// Whether there are more.
    more: bool,
}

/// A notification that would be sent.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    /// Who would be told.
    to: To<'static>,
    /// Who listens to the topic of `to` now, but for those of `except`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    subscribers: Option<Listening>,
    /// Who would not, although `to` names them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>, required = false)]
    except: Vec<UserId>,
    /// One line.
    title: String,
    /// The text.
    message: String,
    /// Its type, in the style of the workspace.
    r#type: String,
    /// How loud it is.
    #[schema(value_type = campanile_engine::publish::LevelName)]
    level: Level,
    /// As it would be sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    metadata: Option<Box<RawValue>>,
    /// The name of what happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    event: Option<String>,
    /// The product concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    product_name: Option<String>,
    /// When the product expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    expiry_date: Option<String>,
    /// What it would supersede, and be superseded by.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    collapse_key: Option<String>,
    /// When nobody would see it any more, were it sent now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// Whether it would be kept.
    durable: bool,
}

impl From<Vec<Trial>> for Trials {
    fn from(trials: Vec<Trial>) -> Self {
        Self { verdicts: trials.into_iter().map(Verdict::from).collect() }
    }
}

impl From<Trial> for Verdict {
    fn from(Trial { rule, built_in, outcome }: Trial) -> Self {
        let plain = |outcome| Self {
            rule,
            built_in,
            outcome,
            notification: None,
            reason: None,
            field: None,
            line: None,
            column: None,
        };
        match outcome {
            Tried::Made { notification, durable, subscribers } => {
                let preview = Preview::new(*notification, durable, subscribers);
                Self { notification: Some(preview), ..plain(Outcome::Made) }
            }
            Tried::Passed(why) => Self { reason: Some(why.to_string()), ..plain(Outcome::Passed) },
            Tried::Failed(error) => Self {
                reason: Some(error.reason.to_string()),
                field: Some(error.member),
                line: error.position.map(|position| position.line),
                column: error.position.map(|position| position.column).filter(|column| *column > 0),
                ..plain(Outcome::Failed)
            },
            Tried::Refused(error) => Self { reason: Some(error.to_string()), ..plain(Outcome::Failed) },
        }
    }
}

impl Preview {
    fn new(notification: Notification, durable: bool, subscribers: Option<Subscribers>) -> Self {
        let listening = |found: Subscribers| Listening { more: found.next.is_some(), users: found.users };
        Self {
            subscribers: subscribers.map(listening),
            to: To::from(&notification.audience).into_owned(),
            except: notification.except,
            title: notification.title,
            message: notification.message,
            r#type: notification.kind,
            level: notification.level,
            metadata: notification.metadata,
            event: notification.event,
            product_name: notification.product_name,
            expiry_date: notification.expiry_date,
            collapse_key: notification.collapse_key,
            expires_at: notification.expires_at,
            durable,
        }
    }
}
