//! Something happened: from an event to the notifications its rules make.
//!
//! Every source ends here. What it changed, the events that follow, what the workspace's rules make of them,
//! and the runs of functions they trigger are one [`Change`](campanile_store::Change): all of it is committed, or none.

mod key;
mod late;
mod made;
mod pipeline;
mod room;
mod stored;
mod take;
mod trial;
mod triggers;

use std::sync::Arc;

use campanile_model::{Timestamp, UserId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use key::{hex, key};
pub(crate) use late::ask_due;
pub(crate) use pipeline::{
    Cause, append, commit, commit_at_once, commit_own, commit_urgent, prepare, prepare_in,
};
pub(crate) use room::{MAX_STEPS, Room};
pub use stored::{Filter, Found, Listed, StoredEvent, TriedFunction, TriedRule, list, read};
pub(crate) use stored::{kept, prepare_again};
pub use take::{Taken, check, data, take};
pub(crate) use trial::trials;
pub use trial::{Trial, Tried};

/// Something that happened in a workspace, in the terms of CloudEvents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Unique within its source.
    pub id: String,
    /// Where it happened: a URI reference.
    pub source: String,
    /// What happened, such as `record_created`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it happened to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// When.
    pub time: Timestamp,
    /// Who caused it. For an event from outside, its extension attribute `actor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<UserId>,
    /// How many functions it took to get here: one that is triggered by what another one did is one further on.
    /// 0 for what people and other programs do.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub hops: u8,
    /// The details.
    #[serde(default)]
    pub data: Arc<Value>,
}

fn is_zero(hops: &u8) -> bool {
    *hops == 0
}

/// Bytes of an event's `id`, `source`, `type` and `subject`, each.
pub const MAX_ATTRIBUTE_BYTES: usize = 1_024;
/// Bytes of an event's data as JSON: what the rules' limits are made for.
pub const MAX_DATA_BYTES: usize = 256 * 1024;
/// Events taken in one request.
pub const MAX_EVENTS: usize = 1_000;

/// The sources of Campanile's own events.
pub(crate) mod source {
    /// Records of a collection.
    pub(crate) fn collection(name: &str) -> String {
        format!("/collections/{name}")
    }

    /// How the source of each product begins.
    pub(crate) const PRODUCTS: &str = "/products/";

    /// A product's expiry.
    pub(crate) fn product(id: &str) -> String {
        format!("{PRODUCTS}{id}")
    }

    /// A function's runs.
    pub(crate) fn function(name: &str) -> String {
        format!("/functions/{name}")
    }

    /// The workspace itself.
    pub(crate) const WORKSPACE: &str = "/workspace";
    /// Announcements.
    pub(crate) const MAINTENANCE: &str = "/maintenance";
    /// Who has access.
    pub(crate) const ACCESS: &str = "/access";

    /// Whether a source is one of these: nobody outside may speak for it.
    pub(crate) fn is_own(source: &str) -> bool {
        [WORKSPACE, MAINTENANCE, ACCESS].contains(&source)
            || ["/collections/", PRODUCTS, "/functions/"].iter().any(|start| source.starts_with(start))
    }
}

impl Event {
    /// Shows the event to `look` as rules see it.
    pub(crate) fn seen<T>(&self, look: impl FnOnce(&campanile_rules::Event<'_>) -> T) -> T {
        let time = self.time.to_string();
        look(&campanile_rules::Event {
            id: &self.id,
            source: &self.source,
            kind: &self.kind,
            subject: self.subject.as_deref(),
            time: &time,
            actor: self.actor.as_ref(),
            data: &self.data,
        })
    }
}
