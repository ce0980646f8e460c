//! Frames to what happened, and actions to frames, for each wire protocol.

pub(crate) mod native;
pub(crate) mod product;
pub(crate) mod workspace;

use serde::{Deserialize, Serialize};

use crate::actions::Action;
use crate::notification::Notification;

/// A wire protocol of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Surface {
    /// Campanile's own: exact resume, changes, read state both ways.
    #[default]
    Native,
    /// `/?token=…&workspaceSlug=…`, as it is documented elsewhere. Also for the original system.
    Workspace,
    /// `/api/ws/notification?access_token=…`, as it is documented elsewhere. Also for the original system.
    Product,
}

/// How a client finds out that nobody is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pulse {
    /// The server talks: dead after this many milliseconds of silence.
    Listen { silence_ms: u64 },
    /// The client asks every `every_ms`: dead after `answer_ms` without an answer.
    Ask { every_ms: u64, answer_ms: u64, text: Option<&'static str> },
}

impl Surface {
    /// What a text frame says. `None`: nothing that this client knows.
    pub(crate) fn decode(self, text: &str) -> Option<Frame> {
        match self {
            Surface::Native => native::decode(text),
            Surface::Workspace => workspace::decode(text),
            Surface::Product => product::decode(text),
        }
    }

    /// The frame of an action, and whether an answer will come. `None`: the surface has no such action.
    pub(crate) fn encode(self, action: &Action, key: &str) -> Option<(String, bool)> {
        match self {
            Surface::Native => Some((native::encode(action, key), true)),
            Surface::Workspace => workspace::encode(action).map(|text| (text, false)),
            Surface::Product => product::encode(action).map(|text| (text, true)),
        }
    }

    /// How life is proved, given the heartbeat that the server announced.
    pub(crate) fn pulse(self, heartbeat_ms: u64) -> Pulse {
        match self {
            Surface::Native => Pulse::Listen { silence_ms: heartbeat_ms.saturating_add(10_000) },
            Surface::Workspace => Pulse::Ask { every_ms: 25_000, answer_ms: 10_000, text: None },
            Surface::Product => Pulse::Ask { every_ms: 25_000, answer_ms: 10_000, text: Some("PING") },
        }
    }
}

/// What a frame of any surface says, in the words of the native one.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub(crate) enum Frame {
    Hello(Hello),
    Notification {
        #[serde(default)]
        seq: Option<u64>,
        item: Box<Notification>,
    },
    Update {
        seq: u64,
        item: Box<Notification>,
    },
    Retract {
        seq: u64,
        id: String,
        cause: String,
        /// What took its place.
        by: Option<String>,
    },
    Receipts(Receipts),
    Heartbeat(Heartbeat),
    Resync {
        epoch: Option<String>,
        seq: u64,
        reason: String,
    },
    Drain {
        retry_after_ms: u64,
    },
    Ok(Done),
    Error {
        code: String,
        #[serde(default)]
        message: String,
        #[serde(rename = "ref")]
        reference: Option<String>,
    },
    Pong {},
    #[serde(other)]
    Unknown,
}

/// The first frame of a native connection. The product surface tells the user only.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Hello {
    pub user: String,
    pub epoch: Option<String>,
    pub seq: u64,
    pub head: u64,
    pub rev: u64,
    pub unread: u64,
    pub unseen: u64,
    pub read_up_to: u64,
    pub seen_up_to: u64,
    pub resumed: bool,
    pub heartbeat_ms: Option<u64>,
    pub expires_at: Option<String>,
}

/// What the user did, here or elsewhere.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Receipts {
    pub rev: u64,
    pub head: u64,
    pub unread: u64,
    pub unseen: u64,
    pub read_up_to: u64,
    pub seen_up_to: u64,
    pub items: Vec<Receipt>,
}

/// The read state of one entry.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Receipt {
    pub id: String,
    pub seen: bool,
    pub read: bool,
    pub archived: bool,
}

/// The horizon, and the counts as of `head`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Heartbeat {
    pub epoch: Option<String>,
    pub seq: u64,
    pub head: u64,
    pub rev: u64,
    pub unread: u64,
    pub unseen: u64,
}

/// A command was done.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Done {
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    pub changed: bool,
    pub rev: Option<u64>,
    /// The log's head that it was done at: what is above came after.
    pub head: Option<u64>,
    pub expires_at: Option<String>,
}
