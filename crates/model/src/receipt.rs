//! What a user did with an entry.

use serde::Serialize;

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
