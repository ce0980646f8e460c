//! What users do with what they see, and how they are told of it.

use campanile_model::{Epoch, NotificationId, Receipt, Rev, Seq, UserId};

/// How many keys of marks are kept of one user in a workspace: as many as a client may have waiting, many times.
pub const MAX_MARK_KEYS: u64 = 1000;

/// A change of read state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// One entry was read (and so seen).
    Read(NotificationId),
    /// One entry counts as unread again, and is no longer archived.
    Unread(NotificationId),
    /// One entry is put away (and so read and seen).
    Archive(NotificationId),
    /// Everything up to and including this place was read; `None`: up to the head. Above the head is the head.
    ReadAll(Option<Seq>),
    /// Everything up to and including this place was seen; `None`: up to the head.
    Seen(Option<Seq>),
}

/// Names a mark so that its repetition is recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkKey {
    /// The key, at most 255 bytes. It is the user's, in one workspace.
    pub key: String,
    /// The mark as the user said it, before a place that was left out was filled in: what a repetition under
    /// the key has to say again.
    pub said: Mark,
}

/// What a mark did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marked {
    /// Whether anything is different now.
    pub changed: bool,
    /// The read-state revision after it.
    pub rev: Rev,
    /// The unread count after it.
    pub unread: u64,
    /// The log's head that it counts at; zero where the workspace was never written to.
    pub head: Seq,
}

/// What a user did since some revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadState {
    /// `None`: the workspace was never written to.
    pub epoch: Option<Epoch>,
    /// The newest entry of the log, at which both counts are true.
    pub head: Seq,
    /// The revision that this is the state of.
    pub rev: Rev,
    /// How many notifications the user sees and has not read.
    pub unread: u64,
    /// How many of them were not seen either.
    pub unseen: u64,
    /// As in [`Snapshot`](crate::Snapshot).
    pub read_up_to: Seq,
    /// As in [`Snapshot`](crate::Snapshot).
    pub seen_up_to: Seq,
    /// Ascending by the revision that changed them, then by place.
    pub items: Vec<ReceiptChange>,
    /// There are further ones than `limit`, perhaps of the last one's revision: without them this is no state. Ask for
    /// more at once, or read the inbox.
    pub more: bool,
}

impl ReadState {
    /// Of a workspace that was never written to.
    pub(crate) fn nothing() -> Self {
        Self {
            epoch: None,
            head: Seq::ZERO,
            rev: Rev(0),
            unread: 0,
            unseen: 0,
            read_up_to: Seq::ZERO,
            seen_up_to: Seq::ZERO,
            items: Vec::new(),
            more: false,
        }
    }
}

/// What a user did with one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceiptChange {
    /// Which.
    pub id: NotificationId,
    /// Its place.
    pub seq: Seq,
    /// As it is now.
    pub receipt: Receipt,
}

/// Says that a user's read state has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marking {
    /// Whose.
    pub user: UserId,
    /// The read-state revision after it.
    pub rev: Rev,
}
