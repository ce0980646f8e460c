//! How many entries a user has not read, without a scan.
//!
//! Entries carry the running number within their source, and the narrow rows of named users a running
//! balance, so a stretch of either is counted by its two ends. What is [`dead`] is subtracted by buckets. So
//! the count costs, for the access interval in force and for each interval of each topic of the user, four
//! index seeks, plus at most two buckets' steps, and one for each bucket with dead entries of that source
//! above the user's watermark.

use campanile_model::{Counts, Rev, Seq};
use rusqlite::{Connection, params};

use super::dead;
use super::failure::Outcome;
use super::names::{WORKSPACE_SOURCE, from_sql, to_sql};
use super::sight::{Sight, Window};
use super::user::{Kept, UserState};
use super::workspace::Workspace;

/// The two badges of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Badges {
    pub(super) unread: u64,
    pub(super) unseen: u64,
}

/// Where the user's read state stands; as for [`badges`].
pub(super) fn counts(conn: &Connection, ws: &Workspace, state: &UserState, sight: &Sight) -> Outcome<Counts> {
    let Badges { unread, unseen } = badges(conn, ws, state, sight)?;
    Ok(Counts {
        epoch: Some(ws.epoch),
        head: ws.head,
        rev: state.rev,
        unread,
        unseen,
        read_up_to: state.read_upto,
        seen_up_to: state.seen_watermark(),
    })
}

/// Counts what the user sees and has not read, and of that what was not seen either.
/// `state` holds no receipt of an entry that is gone (see [`settled`]).
pub(super) fn badges(conn: &Connection, ws: &Workspace, state: &UserState, sight: &Sight) -> Outcome<Badges> {
    if !sight.visibility.access.is_open() {
        return Ok(Badges::default());
    }
    let count = |after: Seq| visible_above(conn, ws, state.id, sight, after);
    let above_read = count(state.read_upto)?;
    let seen = state.seen_watermark();
    let above_seen = if seen == state.read_upto { above_read } else { count(seen)? };
    Ok(Badges {
        unread: from_sql(above_read - state.read_above + state.unread_below),
        unseen: from_sql(above_seen - state.above_seen),
    })
}

/// `state` as it will be once the receipts of entries that were pruned, retracted or superseded have been
/// settled, which happens in slices. Usually there are none: two seeks.
pub(super) fn settled(conn: &Connection, ws: &Workspace, mut state: UserState) -> Outcome<UserState> {
    if state.id == 0 {
        return Ok(state);
    }
    for (seq, (receipt, _)) in unsettled_receipts(conn, ws, state.id)? {
        state.count(seq, receipt.read, -1);
    }
    Ok(state)
}

/// The user's receipts of entries that are gone or superseded, with the revisions that changed them.
pub(super) fn unsettled_receipts(
    conn: &Connection,
    ws: &Workspace,
    user: i64,
) -> Outcome<Vec<(Seq, (Kept, Rev))>> {
    let mut query = conn.prepare_cached(
        "SELECT seq, read, archived, rev FROM receipt WHERE user = ?1 AND seq < ?3 \
         UNION ALL SELECT r.seq, r.read, r.archived, r.rev FROM unsettled u CROSS JOIN receipt r \
         WHERE u.ws = ?2 AND u.seq >= ?3 AND r.user = ?1 AND r.seq = u.seq",
    )?;
    let rows = query.query_map(params![user, ws.id, to_sql(ws.first.0)], |row| {
        let kept = Kept { read: row.get(1)?, archived: row.get(2)? };
        Ok((Seq(from_sql(row.get(0)?)), (kept, Rev(from_sql(row.get(3)?)))))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Retained entries above `after` that the user sees.
fn visible_above(conn: &Connection, ws: &Workspace, user: i64, sight: &Sight, after: Seq) -> Outcome<i64> {
    let retained = ws.before_first();
    let whole = Window { after: after.max(retained), up_to: ws.head };
    let any_dead = dead::any(conn, ws.id)?;
    let mut sum = 0;
    for window in whole.within(&sight.visibility.access) {
        sum += of_source(conn, ws.id, WORKSPACE_SOURCE, window, any_dead)?;
        for (topic, name) in &sight.topics {
            let Some(intervals) = sight.visibility.topics.get(name) else { continue };
            for stretch in window.within(intervals) {
                sum += of_source(conn, ws.id, *topic, stretch, any_dead)?;
            }
        }
        if user != 0 {
            sum += of_user(conn, user, window, any_dead)?;
        }
    }
    Ok(sum)
}

/// Entries of one source within the window: last ordinal − first ordinal + 1, less the dead.
fn of_source(conn: &Connection, ws: i64, source: i64, window: Window, any_dead: bool) -> Outcome<i64> {
    let bounds = params![ws, source, to_sql(window.after.0), to_sql(window.up_to.0)];
    let mut query = conn.prepare_cached(
        "SELECT coalesce(\
         (SELECT ord FROM entry INDEXED BY entry_by_source WHERE ws = ?1 AND source = ?2 \
          AND seq > ?3 AND seq <= ?4 ORDER BY seq DESC LIMIT 1) + 1 - \
         (SELECT ord FROM entry INDEXED BY entry_by_source WHERE ws = ?1 AND source = ?2 \
          AND seq > ?3 AND seq <= ?4 ORDER BY seq LIMIT 1), 0)",
    )?;
    let all: i64 = query.query_row(bounds, |row| row.get(0))?;
    if all == 0 || !any_dead {
        return Ok(all);
    }
    Ok(all - dead::of_source(conn, ws, source, window)?)
}

/// Entries that name the user, less exceptions, within the window.
fn of_user(conn: &Connection, user: i64, window: Window, any_dead: bool) -> Outcome<i64> {
    let bounds = params![user, to_sql(window.after.0), to_sql(window.up_to.0)];
    let mut query = conn.prepare_cached(
        "SELECT coalesce(\
         (SELECT balance FROM named WHERE user = ?1 AND seq > ?2 AND seq <= ?3 ORDER BY seq DESC LIMIT 1) - \
         (SELECT balance - delta FROM named WHERE user = ?1 AND seq > ?2 AND seq <= ?3 ORDER BY seq LIMIT 1), 0)",
    )?;
    let all: i64 = query.query_row(bounds, |row| row.get(0))?;
    if !any_dead {
        return Ok(all);
    }
    Ok(all - dead::of_user(conn, user, window)?)
}
