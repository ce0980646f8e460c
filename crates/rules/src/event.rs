//! What a rule sees.

use std::sync::Arc;

use campanile_model::UserId;
use serde_json::Value;

/// Something that happened, as the rules see it. The names are those of CloudEvents.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// Unique in its source.
    pub id: &'a str,
    /// Where it happened.
    pub source: &'a str,
    /// What happened: `record_created`.
    pub kind: &'a str,
    /// What it happened to, if that is said.
    pub subject: Option<&'a str>,
    /// When, in RFC 3339.
    pub time: &'a str,
    /// Who caused it, if that is known.
    pub actor: Option<&'a UserId>,
    /// The details. Bounded by who took it in: 256 KiB and 32 levels are what the limits here are made for.
    pub data: &'a Arc<Value>,
}
