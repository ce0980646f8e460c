//! What a rule makes of an event.

use campanile_model::{Audience, Level, UserId};
use serde::Serialize;
use serde_json::Value;

use crate::RuleError;

/// What one rule made of an event.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// The rule's name.
    pub rule: String,
    /// Whether it is one that every workspace has.
    pub built_in: bool,
    /// A notification, or why not.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// A notification, or why not.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "lowercase", tag = "outcome", content = "detail")]
pub enum Outcome {
    /// The rule made this.
    Made(Box<Made>),
    /// The rule is not for this event, or there is nobody to tell.
    Passed(Why),
    /// The rule failed on this event. The others are not affected.
    Failed(RuleError),
}

/// Why a rule passed over an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// It is switched off.
    #[error("the rule is off")]
    Disabled,
    /// None of its types matches.
    #[error("the type is another")]
    Type,
    /// None of its sources matches.
    #[error("the source is another")]
    Source,
    /// Its condition is false.
    #[error("its condition is false")]
    When,
    /// The audience is empty, or all of it is excepted.
    #[error("there is nobody to tell")]
    Nobody,
}

/// A notification as a rule made it, within the limits of a published one. Not yet in the style of the
/// workspace, and without id and time.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Made {
    /// Who is told. Named users are each there once, without the excepted ones.
    pub audience: Audience,
    /// Who is not, though the audience names them: at most 10. Empty where users are named.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<UserId>,
    /// Not empty, at most 200 characters.
    pub title: String,
    /// At most 16 KiB.
    pub message: String,
    /// The type: 1 to 128 characters.
    #[serde(rename = "type")]
    pub kind: String,
    /// How loud, if the rule says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// At most 32 KiB as JSON, no refused key in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Value>,
    /// At most 128 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// At most 255 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_name: Option<String>,
    /// At most 64 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiry_date: Option<String>,
    /// 1 to 255 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collapse_key: Option<String>,
    /// Milliseconds it is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<i64>,
    /// Whether it is kept; `None`: as the workspace does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub durable: Option<bool>,
}
