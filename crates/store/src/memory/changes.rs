//! What was said of notifications that reached a user.

use campanile_model::{EntryKind, Seq, UserId};

use super::log::{Log, Row};
use crate::{StoreError, VisibleChange, VisibleChangeKind, validate};

impl Log {
    pub(super) fn changes(
        &self,
        user: &UserId,
        after: Seq,
        up_to: Seq,
        limit: usize,
    ) -> Result<Vec<VisibleChange>, StoreError> {
        let in_range = |row: &&Row| after < row.entry.seq && row.entry.seq <= up_to;
        let said: Vec<&Row> =
            self.rows().filter(in_range).filter(|row| target_seq(&row.entry.kind).is_some()).collect();
        validate::changes_read(said.len())?;
        let kinds = said.iter().enumerate().filter_map(|(n, row)| {
            let kind = self.said_to(user, after, &row.entry.kind, &said[n + 1..])?;
            Some(VisibleChange { seq: row.entry.seq, kind })
        });
        Ok(kinds.take(limit).collect())
    }

    /// What `said` says to the user, before what comes `later` in the range.
    fn said_to(
        &self,
        user: &UserId,
        after: Seq,
        said: &EntryKind,
        later: &[&Row],
    ) -> Option<VisibleChangeKind> {
        let place = target_seq(said)?;
        let row = self.rows().find(|row| row.entry.seq == place)?;
        let EntryKind::Notification(notification) = &row.entry.kind else { return None };
        if !self.visibility(user).sees(user, place, notification) {
            return None;
        }
        match *said {
            EntryKind::Update { .. } => {
                let is_of_it = |row: &&Row| matches!(row.entry.kind, EntryKind::Update { target_seq, .. } if target_seq == place);
                if later.iter().any(is_of_it) {
                    return None;
                }
                let item = self.find(Some(user), notification.id)?;
                Some(VisibleChangeKind::Update { item })
            }
            EntryKind::Retract { target, target_seq, cause, .. } => {
                (target_seq <= after).then_some(VisibleChangeKind::Retract { target, target_seq, cause })
            }
            EntryKind::Supersede { target, target_seq, by, .. } => {
                let readers = row.superseded.as_ref().filter(|_| !row.retracted);
                let still_seen = readers.is_some_and(|readers| readers.contains(user));
                let kind = VisibleChangeKind::Supersede { target, target_seq, by, still_seen };
                (target_seq <= after || still_seen).then_some(kind)
            }
            _ => None,
        }
    }
}

/// The place of what is said anew, withdrawn or superseded.
fn target_seq(said: &EntryKind) -> Option<Seq> {
    match said {
        EntryKind::Update { target_seq, .. }
        | EntryKind::Retract { target_seq, .. }
        | EntryKind::Supersede { target_seq, .. } => Some(*target_seq),
        _ => None,
    }
}
