//! What a user did with an entry.

use serde::Serialize;

use crate::{Epoch, NotificationId, Rev, Seq};

/// One user's read state of one entry. All false: nothing was done yet.
///
/// `archived` implies `read`, and `read` implies `seen`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Receipt {
    /// Shown to the user in a list.
    pub seen: bool,
    /// Opened or marked.
    pub read: bool,
    /// Put away: out of the default list, never counted unread.
    pub archived: bool,
}

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

/// Where one user's read state stands, as of one place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// The log's lineage; `None`: the workspace was never written to.
    pub epoch: Option<Epoch>,
    /// The log's head when it was counted.
    pub head: Seq,
    /// The revision of the read state.
    pub rev: Rev,
    /// Entries that the user sees and has not read.
    pub unread: u64,
    /// Those of them that were not seen either.
    pub unseen: u64,
    /// What is read unless a receipt says otherwise.
    pub read_up_to: Seq,
    /// What is seen, as is whatever has a receipt: not less than what is read.
    pub seen_up_to: Seq,
}
