//! Changes of one user's read state. A receipt overrides the watermark; each effective change is one `rev`.

use campanile_model::{Epoch, NotificationId, Rev, Seq, Slug, Timestamp, UserId};
use rusqlite::{Connection, params};

use super::failure::Outcome;
use super::kept;
use super::mark_key;
use super::names::{self, to_sql};
use super::read;
use super::settle;
use super::sight::Sight;
use super::unread::{self, Badges};
use super::user::{self, Kept, UserState};
use super::workspace::Workspace;
use crate::{Item, Mark, MarkKey, Marked, StoreError};

/// What a mark did.
pub(super) struct Done {
    pub(super) marked: Marked,
    /// The lineage; `None`: the workspace was never written to.
    pub(super) epoch: Option<Epoch>,
    /// Whether it is to be counted as a change of the database: it changed something, or its key was kept.
    pub(super) counts: bool,
}

/// Does `mark`, unless it was done under the key. Refuses before it writes anything.
pub(super) fn mark(
    conn: &Connection,
    slug: &Slug,
    name: &UserId,
    mark: &Mark,
    key: Option<&MarkKey>,
    now: Timestamp,
) -> Outcome<Done> {
    let Some(ws) = Workspace::load(conn, slug)? else {
        let nothing = Marked { changed: false, rev: Rev(0), unread: 0, head: Seq::ZERO };
        return match mark {
            Mark::ReadAll(_) | Mark::Seen(_) => Ok(Done { marked: nothing, epoch: None, counts: false }),
            Mark::Read(_) | Mark::Unread(_) | Mark::Archive(_) => Err(StoreError::NotFound.into()),
        };
    };
    let state = UserState::load(conn, ws.id, name)?;
    let sight = Sight::load(conn, state.id)?;
    let marking = Marking { conn, ws: &ws, name, sight: &sight };
    let epoch = Some(ws.epoch);
    if let Some(key) = key
        && mark_key::is_kept(conn, state.id, key, now)?
    {
        let marked = marking.unchanged(&unread::settled(conn, &ws, state)?)?;
        return Ok(Done { marked, epoch, counts: false });
    }
    let up_to = |place: &Option<Seq>| place.unwrap_or(ws.head).min(ws.head);
    let marked = match mark {
        Mark::Read(id) => marking.one(state, *id, |kept| Kept { read: true, ..kept }),
        Mark::Unread(id) => marking.one(state, *id, |_| Kept { read: false, archived: false }),
        Mark::Archive(id) => marking.one(state, *id, |_| Kept { read: true, archived: true }),
        Mark::ReadAll(place) => marking.read_all(state, up_to(place)),
        Mark::Seen(place) => marking.seen(state, up_to(place)),
    }?;
    if let Some(key) = key {
        let user = names::user_or_create(conn, ws.id, name)?;
        mark_key::keep(conn, user, key, now)?;
    }
    Ok(Done { counts: marked.changed || key.is_some(), marked, epoch })
}

struct Marking<'a> {
    conn: &'a Connection,
    ws: &'a Workspace,
    name: &'a UserId,
    sight: &'a Sight,
}

impl Marking<'_> {
    fn one(&self, state: UserState, id: NotificationId, change: impl Fn(Kept) -> Kept) -> Outcome<Marked> {
        let seen = read::seen(self.conn, self.ws, self.name, &state, self.sight, id)?;
        if seen.superseded {
            return self.superseded(state, &seen, change);
        }
        let seq = seen.seq;
        let mut state = self.settle(state)?;
        let before = user::kept(self.conn, state.id, seq)?;
        let receipt = state.receipt(seq, before);
        let now = Kept { read: receipt.read, archived: receipt.archived };
        let changed = change(now);
        if changed == now {
            return self.unchanged(&state);
        }
        self.ensure_exists(&mut state)?;
        if let Some(before) = before {
            state.count(seq, before.read, -1);
        }
        state.count(seq, changed.read, 1);
        state.rev.0 += 1;
        user::keep(self.conn, self.ws.id, state.id, seq, changed, state.rev)?;
        let badges = self.badges(&state)?;
        if badges.unread == 0 && state.read_above > 0 {
            // Everything the user sees was read one by one: the watermark says it with no receipt to count.
            // What the user does not see now stays unseen or comes back with its own receipts.
            kept::remember_watermark(self.conn, self.ws, state.id, state.read_upto)?;
            state.read_upto = self.ws.head;
            self.recount(&mut state)?;
        }
        state.save(self.conn)?;
        Ok(self.changed(&state, badges.unread))
    }

    /// A superseded entry stays read; it can only be put away.
    fn superseded(&self, state: UserState, seen: &Item, change: impl Fn(Kept) -> Kept) -> Outcome<Marked> {
        let mut state = self.settle(state)?;
        let now = Kept { read: true, archived: seen.receipt.archived };
        let changed = change(now);
        if changed == now || !changed.read {
            return self.unchanged(&state);
        }
        state.rev.0 += 1;
        kept::keep(self.conn, self.ws.id, state.id, seen.seq, changed, state.rev)?;
        state.save(self.conn)?;
        Ok(self.changed(&state, self.badges(&state)?.unread))
    }

    /// Costs one step for each receipt of the user above `up_to`, and for each without `read`.
    fn read_all(&self, state: UserState, up_to: Seq) -> Outcome<Marked> {
        let state = self.settle(state)?;
        let mut next = state.clone();
        next.read_upto = next.read_upto.max(up_to);
        self.recount(&mut next)?;
        next.unread_below -= self.unread_receipts(next.id, up_to)?;
        let unread = self.badges(&next)?.unread;
        if unread == self.badges(&state)?.unread {
            return self.unchanged(&state);
        }
        self.ensure_exists(&mut next)?;
        kept::remember_watermark(self.conn, self.ws, next.id, state.read_upto)?;
        next.rev.0 += 1;
        self.conn
            .prepare_cached(
                "UPDATE receipt SET read = 1, rev = ?3 WHERE user = ?1 AND read = 0 AND seq <= ?2",
            )?
            .execute(params![next.id, to_sql(up_to.0), to_sql(next.rev.0)])?;
        next.save(self.conn)?;
        Ok(self.changed(&next, unread))
    }

    fn seen(&self, state: UserState, up_to: Seq) -> Outcome<Marked> {
        let state = self.settle(state)?;
        let mut next = state.clone();
        next.seen_upto = next.seen_upto.max(up_to);
        self.recount(&mut next)?;
        let badges = self.badges(&next)?;
        if badges.unseen == self.badges(&state)?.unseen {
            return self.unchanged(&state);
        }
        self.ensure_exists(&mut next)?;
        next.rev.0 += 1;
        next.save(self.conn)?;
        Ok(self.changed(&next, badges.unread))
    }

    /// Settles the user's receipts of entries that are gone or superseded, so that every other one counts.
    fn settle(&self, mut state: UserState) -> Outcome<UserState> {
        for (seq, (receipt, rev)) in unread::unsettled_receipts(self.conn, self.ws, state.id)? {
            settle::one(self.conn, self.ws.id, state.id, seq, (receipt, rev))?;
            state.count(seq, receipt.read, -1);
        }
        Ok(state)
    }

    fn ensure_exists(&self, state: &mut UserState) -> Outcome<()> {
        if state.id == 0 {
            state.id = names::user_or_create(self.conn, self.ws.id, self.name)?;
        }
        Ok(())
    }

    /// Sets the counters by what the index of receipts says of the watermarks.
    fn recount(&self, state: &mut UserState) -> Outcome<()> {
        let mut query = self.conn.prepare_cached(
            "SELECT coalesce(sum(read AND seq > ?2), 0), coalesce(sum(seq > ?3), 0) \
             FROM receipt WHERE user = ?1 AND seq > ?2",
        )?;
        let bounds = params![state.id, to_sql(state.read_upto.0), to_sql(state.seen_watermark().0)];
        (state.read_above, state.above_seen) =
            query.query_row(bounds, |row| Ok((row.get(0)?, row.get(1)?)))?;
        state.unread_below = self.unread_receipts(state.id, state.read_upto)?;
        Ok(())
    }

    /// The user's receipts without `read` up to a place.
    fn unread_receipts(&self, user: i64, up_to: Seq) -> Outcome<i64> {
        let mut query = self.conn.prepare_cached(
            "SELECT count(*) FROM receipt INDEXED BY receipt_unread \
             WHERE user = ?1 AND read = 0 AND seq <= ?2",
        )?;
        Ok(query.query_row(params![user, to_sql(up_to.0)], |row| row.get(0))?)
    }

    fn badges(&self, state: &UserState) -> Outcome<Badges> {
        unread::badges(self.conn, self.ws, state, self.sight)
    }

    fn changed(&self, state: &UserState, unread: u64) -> Marked {
        Marked { changed: true, rev: state.rev, unread, head: self.ws.head }
    }

    fn unchanged(&self, state: &UserState) -> Outcome<Marked> {
        let unread = self.badges(state)?.unread;
        Ok(Marked { changed: false, ..self.changed(state, unread) })
    }
}
