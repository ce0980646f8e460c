//! A notification as one user sees it, in the inbox and on the native surface alike.

use campanile_model::{Notification, Receipt, Seq};
use serde::Serialize;

use super::content::Content;

/// A notification as the user sees it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = InboxItem)]
pub struct Item<'a> {
    /// Its place in the workspace's log; `null` for one that is in no log, which no inbox lists.
    #[schema(value_type = Option<u64>, required)]
    seq: Option<Seq>,
    /// It was shown in a list.
    seen: bool,
    /// It was opened or marked.
    read: bool,
    /// It was put away.
    archived: bool,
    /// A later one took its place, or what it said no longer holds: the user still sees it, having read it before.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    superseded: bool,
    /// What it says.
    #[serde(flatten)]
    content: Content<'a>,
}

impl<'a> Item<'a> {
    /// At a place, with what the user did with it.
    pub fn new(seq: Option<Seq>, receipt: Receipt, superseded: bool, notification: &'a Notification) -> Self {
        let Receipt { seen, read, archived } = receipt;
        Self { seq, seen, read, archived, superseded, content: notification.into() }
    }
}

/// What a changed notification says, without what users did with it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ChangedItem<'a> {
    /// Its place in the workspace's log.
    #[schema(value_type = u64)]
    pub(super) seq: Seq,
    /// What it says.
    #[serde(flatten)]
    pub(super) content: Content<'a>,
}
