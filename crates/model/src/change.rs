//! What became of a notification after it was told.

use std::sync::Arc;

use crate::{Cause, EntryKind, Notification, NotificationId, Seq};

/// A later entry about an earlier one.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// It is said anew, in its old place.
    Update {
        /// Its place.
        target_seq: Seq,
        /// The whole of it, under its old id.
        notification: Arc<Notification>,
    },
    /// It is gone for those who had not read it, or for everybody.
    Withdrawn {
        /// Its id.
        target: NotificationId,
        /// Its place.
        target_seq: Seq,
        /// Why.
        why: Withdrawal,
    },
}

/// Why a notification is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Withdrawal {
    /// Its producer took it back.
    Retracted,
    /// Its time was over.
    Expired,
    /// It no longer holds: only those who had read it still see it.
    Superseded {
        /// What took its place; `None`: it was resolved.
        by: Option<NotificationId>,
    },
}

impl From<Cause> for Withdrawal {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::Retracted => Self::Retracted,
            Cause::Expired => Self::Expired,
        }
    }
}

impl Change {
    /// The change that an entry makes, if it is about an earlier one.
    pub fn of(kind: &EntryKind) -> Option<Self> {
        match kind {
            EntryKind::Update { target_seq, notification } => {
                Some(Self::Update { target_seq: *target_seq, notification: Arc::clone(notification) })
            }
            EntryKind::Retract { target, target_seq, cause, .. } => {
                Some(Self::Withdrawn { target: *target, target_seq: *target_seq, why: (*cause).into() })
            }
            EntryKind::Supersede { target, target_seq, by, .. } => Some(Self::Withdrawn {
                target: *target,
                target_seq: *target_seq,
                why: Withdrawal::Superseded { by: *by },
            }),
            _ => None,
        }
    }

    /// The place of what it is about.
    pub fn target_seq(&self) -> Seq {
        match self {
            Self::Update { target_seq, .. } | Self::Withdrawn { target_seq, .. } => *target_seq,
        }
    }
}
