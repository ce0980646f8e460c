//! What only surfaces with typed envelopes can say.

use campanile_model::{
    Change, Counts, Epoch, NotificationId, Position, Receipt, Seq, Slug, Timestamp, UserId,
};

use crate::Payload;
use crate::close::Close;

/// The messages beside notifications of a surface that tells its clients where they stand.
pub struct Envelopes {
    /// The first message.
    pub hello: fn(&Hello<'_>) -> Payload,
    /// What became of an earlier entry; the place is the change's own.
    pub change: fn(&Change, Option<Position>) -> Payload,
    /// What the user did.
    pub receipts: fn(&Receipts<'_>) -> Payload,
    /// The horizon and the counts.
    pub heartbeat: fn(&Counts, Seq) -> Payload,
    /// Something was left out up to this place.
    pub resync: fn(Option<Epoch>, Seq, Resync) -> Payload,
    /// The server ends; come back after so many milliseconds.
    pub drain: fn(u64) -> Payload,
    /// A token was taken in place of the former one.
    pub refreshed: fn(Option<&str>, Timestamp) -> Payload,
    /// A token was not taken.
    pub refused: fn(Option<&str>, NotRefreshed) -> Payload,
    /// The end, where the framing has no close of its own.
    pub close: fn(&Close) -> Payload,
}

/// What the first message says.
#[derive(Debug, Clone, Copy)]
pub struct Hello<'a> {
    /// Names the connection.
    pub session: &'a str,
    /// Who is connected.
    pub user: &'a UserId,
    /// Where.
    pub workspace: &'a Slug,
    /// The horizon.
    pub seq: Seq,
    /// The read state.
    pub counts: &'a Counts,
    /// Whether the client goes on from where it was.
    pub resumed: bool,
    /// Milliseconds between two heartbeats.
    pub heartbeat_ms: u64,
    /// When the token expires.
    pub expires_at: Timestamp,
}

/// What a user did, as a state.
#[derive(Debug, Clone, Copy)]
pub struct Receipts<'a> {
    /// The counts and watermarks after it.
    pub counts: &'a Counts,
    /// Each entry that was touched.
    pub items: &'a [(NotificationId, Seq, Receipt)],
}

/// Why a client has to read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resync {
    /// The log is of another lineage.
    Epoch,
    /// The position is none.
    Position,
    /// What comes after the position is no longer kept.
    Retained,
    /// It is more than is replayed.
    TooMany,
    /// The client reads too slowly, or the server fell behind.
    Overflow,
}

impl Resync {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Epoch => "epoch",
            Self::Position => "position",
            Self::Retained => "retained",
            Self::TooMany => "too_many",
            Self::Overflow => "overflow",
        }
    }
}

/// Why a token was not taken on a live connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotRefreshed {
    /// It is not genuine.
    Invalid,
    /// It is past its `exp`.
    Expired,
    /// It is another user's, or does not open this workspace.
    Mismatch,
}
