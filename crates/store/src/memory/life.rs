//! What becomes of a notification after it was published.

use std::collections::HashSet;
use std::sync::Arc;

use campanile_model::{Cause, Entry, EntryKind, Notification, NotificationId, Seq, Timestamp, UserId};

use super::log::{Log, Row};
use crate::{StoreError, collapse, validate};

impl Log {
    pub(super) fn update(
        &mut self,
        new: Arc<Notification>,
        expected: Option<&Notification>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let row = self.row_mut(|row| row.live().is_some_and(|n| n.id == new.id));
        let row = row.ok_or(StoreError::NotFound)?;
        if let Some(old) = row.live() {
            validate::replaces(old, &new, expected)?;
        }
        row.entry.kind = EntryKind::Notification(new.clone());
        let target_seq = row.entry.seq;
        self.push(EntryKind::Update { target_seq, notification: new }, now);
        Ok(())
    }

    pub(super) fn retract(
        &mut self,
        target: NotificationId,
        cause: Cause,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let row = self.row_mut(|row| row.notification().is_some_and(|n| n.id == target));
        let row = row.ok_or(StoreError::NotFound)?;
        let withdrawn = row.notification().cloned();
        row.retracted = true;
        let target_seq = row.entry.seq;
        self.push(EntryKind::Retract { target, target_seq, cause, withdrawn }, now);
        Ok(())
    }

    /// Supersedes what the notification, which stands at `seq`, takes the place of.
    pub(super) fn supersede_older(&mut self, notification: &Notification, seq: Seq, now: Timestamp) {
        let older = self.rows().rev().filter(|row| row.entry.seq < seq).find_map(|row| {
            row.live().filter(|older| collapse::collapse(older, notification)).map(|older| older.id)
        });
        if let Some(older) = older {
            self.supersede(older, Some(notification.id), now);
        }
    }

    /// Says that a live notification no longer holds; any other is passed over.
    pub(super) fn supersede(&mut self, target: NotificationId, by: Option<NotificationId>, now: Timestamp) {
        let place = |row: &Row| row.live().filter(|n| n.id == target).map(|n| (row.entry.seq, Arc::clone(n)));
        let Some((target_seq, withdrawn)) = self.rows().find_map(place) else { return };
        let readers: HashSet<UserId> = self
            .users
            .iter()
            .filter(|(_, user)| user.receipts.of(target_seq).read)
            .map(|(name, _)| name.clone())
            .collect();
        if let Some(row) = self.row_mut(|row| row.entry.seq == target_seq) {
            row.superseded = Some(readers);
        }
        self.push(EntryKind::Supersede { target, target_seq, by, withdrawn: Some(withdrawn) }, now);
    }

    /// What is due, with its time and place.
    pub(super) fn due(&self, now: Timestamp) -> impl Iterator<Item = (Timestamp, Seq, NotificationId)> {
        self.rows().filter_map(move |row| {
            let notification = row.notification()?;
            let expires = notification.expires_at.filter(|at| *at <= now)?;
            Some((expires, row.entry.seq, notification.id))
        })
    }

    /// The entry as a follower is told it.
    pub(super) fn as_told(&self, row: &Row) -> Option<Entry> {
        let kind = match &row.entry.kind {
            EntryKind::Notification(_) => EntryKind::Notification(row.live()?.clone()),
            EntryKind::Update { target_seq, .. } => {
                let target = self.rows().find(|row| row.entry.seq == *target_seq)?;
                EntryKind::Update { target_seq: *target_seq, notification: target.live()?.clone() }
            }
            other => other.clone(),
        };
        Some(Entry { seq: row.entry.seq, kind })
    }
}
