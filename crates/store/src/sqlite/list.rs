//! The notifications one user sees, page by page, either way.

use campanile_model::{Intervals, Seq, UserId};
use rusqlite::{Connection, params};

use super::failure::Outcome;
use super::kept::{self, Watermarks};
use super::names::{WORKSPACE_SOURCE, from_sql, to_sql};
use super::row;
use super::sight::{Sight, Window};
use super::user::{self, UserState};
use super::workspace::Workspace;
use crate::{Item, VisibleQuery};

/// Candidates looked at in one pass, at least and at most.
const PASS: std::ops::RangeInclusive<usize> = 32..=512;

/// Where entries that a user may see are found in order, and in which stretches.
struct Source {
    index: Index,
    windows: Vec<Window>,
}

#[derive(Clone, Copy)]
enum Index {
    /// Entries to the workspace or a topic.
    Source(i64),
    /// Entries that name the user.
    Named,
    /// The user's receipts without `read`.
    Unread,
    /// The user's archived receipts.
    Archived,
    /// Superseded ones to the workspace or a topic, and ones that name the user, that the user's watermark had
    /// reached by then.
    SupersededSource(i64),
    SupersededNamed,
    /// Superseded ones of which a receipt says that the user had read them: kept apart, or not moved yet.
    Kept,
    KeptArchived,
    Unsettled,
}

/// One page for `user`. Costs a few seeks for each source of the user and each entry of the page, and one
/// for each entry it passes over because its read state is not the one asked for, or because it was superseded
/// before the user read it (that one below the user's watermark only).
pub(super) fn visible(
    conn: &Connection,
    ws: &Workspace,
    name: &UserId,
    query: &VisibleQuery,
) -> Outcome<Vec<Item>> {
    let state = UserState::load(conn, ws.id, name)?;
    let sight = Sight::load(conn, state.id)?;
    let retained = ws.before_first();
    let window = Window { after: query.after.max(retained), up_to: query.up_to.min(ws.head) };
    if !sight.visibility.access.is_open() {
        return Ok(Vec::new());
    }
    let any_superseded = kept::any(conn, ws.id)?;
    let watermarks = if any_superseded { Watermarks::load(conn, &state)? } else { Watermarks::default() };
    let page = Page { conn, ws, name, sight: &sight, state, query, any_superseded, watermarks };
    page.read(window)
}

struct Page<'a> {
    conn: &'a Connection,
    ws: &'a Workspace,
    name: &'a UserId,
    sight: &'a Sight,
    state: UserState,
    query: &'a VisibleQuery,
    any_superseded: bool,
    watermarks: Watermarks,
}

impl Page<'_> {
    fn read(&self, mut rest: Window) -> Outcome<Vec<Item>> {
        let sources = self.sources(rest);
        let mut items = Vec::new();
        while items.len() < self.query.limit && !rest.is_empty() {
            let pass = (self.query.limit - items.len()).clamp(*PASS.start(), *PASS.end());
            let mut candidates = Vec::new();
            for source in &sources {
                self.candidates(source, rest, pass, &mut candidates)?;
            }
            // Each source gave its nearest `pass`, so the nearest `pass` of all are among them.
            candidates.sort_unstable();
            // Both a receipt and the watermark may say that a superseded one was read.
            candidates.dedup();
            if self.query.newest_first {
                candidates.reverse();
            }
            let exhausted = candidates.len() < pass;
            candidates.truncate(pass);
            self.take(&candidates, &mut items)?;
            match candidates.last() {
                Some(last) if !exhausted && self.query.newest_first => rest.up_to = Seq(last.0 - 1),
                Some(last) if !exhausted => rest.after = *last,
                _ => break,
            }
        }
        Ok(items)
    }

    /// Where to look. The watermark and the indexes on receipts keep an unread or archived list from
    /// passing over everything that was read.
    fn sources(&self, window: Window) -> Vec<Source> {
        let VisibleQuery { read, archived, .. } = *self.query;
        if archived == Some(true) {
            let of = |index| Source { index, windows: vec![window] };
            return vec![of(Index::Archived), of(Index::KeptArchived)];
        }
        let access = &self.sight.visibility.access;
        let mut sources = Vec::new();
        let mut above = window;
        if read == Some(false) {
            let below = Window { up_to: window.up_to.min(self.state.read_upto), ..window };
            sources.push(Source { index: Index::Unread, windows: vec![below] });
            above.after = above.after.max(self.state.read_upto);
        }
        let open: Vec<Window> = above.within(access).collect();
        let within = |intervals: &Intervals| open.iter().flat_map(|w| w.within(intervals)).collect();
        for (topic, name) in &self.sight.topics {
            if let Some(intervals) = self.sight.visibility.topics.get(name) {
                sources.push(Source { index: Index::Source(*topic), windows: within(intervals) });
            }
        }
        sources.push(Source { index: Index::Named, windows: open.clone() });
        sources.push(Source { index: Index::Source(WORKSPACE_SOURCE), windows: open });
        if self.any_superseded && read != Some(false) {
            self.superseded_sources(window, &mut sources);
        }
        sources
    }

    /// Where superseded entries are found that the user had read.
    fn superseded_sources(&self, window: Window, sources: &mut Vec<Source>) {
        let read = Window { up_to: window.up_to.min(self.state.read_upto), ..window };
        let reached = |index: Index| {
            Some(match index {
                Index::Source(source) => Index::SupersededSource(source),
                Index::Named => Index::SupersededNamed,
                _ => return None,
            })
        };
        let mut superseded = Vec::new();
        for source in &*sources {
            let Some(index) = reached(source.index) else { continue };
            let cut = |w: &Window| Window { up_to: w.up_to.min(read.up_to), ..*w };
            let windows = source.windows.iter().map(cut).filter(|w| !w.is_empty()).collect();
            superseded.push(Source { index, windows });
        }
        for index in [Index::Kept, Index::Unsettled] {
            superseded.push(Source { index, windows: vec![window] });
        }
        sources.extend(superseded);
    }

    /// Adds the `limit` entries of `source` that come first within `rest`.
    fn candidates(&self, source: &Source, rest: Window, limit: usize, into: &mut Vec<Seq>) -> Outcome<()> {
        let mut left = limit;
        let mut windows: Vec<Window> = source
            .windows
            .iter()
            .map(|w| Window { after: w.after.max(rest.after), up_to: w.up_to.min(rest.up_to) })
            .filter(|w| !w.is_empty())
            .collect();
        if self.query.newest_first {
            windows.reverse();
        }
        for window in windows {
            let before = into.len();
            self.candidates_within(source.index, window, left, into)?;
            left -= into.len() - before;
            if left == 0 {
                break;
            }
        }
        Ok(())
    }

    fn candidates_within(
        &self,
        index: Index,
        window: Window,
        limit: usize,
        into: &mut Vec<Seq>,
    ) -> Outcome<()> {
        // Where, by which columns; the second says what superseded the entry.
        let (columns, rows, keys): ([&str; 2], &str, &[i64]) = match index {
            Index::Source(source) => (
                ["seq", "NULL"],
                "entry INDEXED BY entry_by_source WHERE ws = ?4 AND source = ?5 AND dead = 0",
                &[self.ws.id, source],
            ),
            Index::Named => {
                (["seq", "NULL"], "named WHERE user = ?4 AND delta > 0 AND dead = 0", &[self.state.id])
            }
            Index::Unread => (
                ["seq", "NULL"],
                "receipt INDEXED BY receipt_unread WHERE user = ?4 AND read = 0",
                &[self.state.id],
            ),
            Index::Archived => (
                ["seq", "NULL"],
                "receipt INDEXED BY receipt_archived WHERE user = ?4 AND archived = 1",
                &[self.state.id],
            ),
            Index::SupersededSource(source) => (
                ["seq", "superseded"],
                "entry INDEXED BY entry_superseded WHERE ws = ?4 AND source = ?5 AND superseded IS NOT NULL",
                &[self.ws.id, source],
            ),
            Index::SupersededNamed => (
                ["n.seq", "e.superseded"],
                "named n INDEXED BY named_superseded CROSS JOIN entry e INDEXED BY entry_superseded \
                 ON e.ws = ?4 AND e.source IS NULL AND e.seq = n.seq AND e.superseded IS NOT NULL \
                 WHERE n.user = ?5 AND n.dead = 2 AND n.delta > 0",
                &[self.ws.id, self.state.id],
            ),
            Index::Kept => (["seq", "NULL"], "kept WHERE user = ?4 AND read = 1", &[self.state.id]),
            Index::KeptArchived => (
                ["seq", "NULL"],
                "kept INDEXED BY kept_archived WHERE user = ?4 AND archived = 1",
                &[self.state.id],
            ),
            Index::Unsettled => (
                ["u.seq", "NULL"],
                "unsettled u CROSS JOIN receipt r ON r.user = ?5 AND r.seq = u.seq \
                 WHERE u.ws = ?4 AND r.read = 1",
                &[self.ws.id, self.state.id],
            ),
        };
        let [seq, by] = columns;
        let order = if self.query.newest_first { "DESC" } else { "ASC" };
        let mut query = self.conn.prepare_cached(&format!(
            "SELECT {seq}, {by} FROM {rows} AND {seq} > ?1 AND {seq} <= ?2 ORDER BY {seq} {order} LIMIT ?3"
        ))?;
        // Most of what was superseded may have been so before the user read it: passed over here, row by row.
        let rows = if by == "NULL" { to_sql(limit as u64) } else { -1 };
        let range = [to_sql(window.after.0), to_sql(window.up_to.0), rows];
        let mut rows = query.query(rusqlite::params_from_iter(range.iter().chain(keys)))?;
        let mut left = limit;
        while left > 0
            && let Some(row) = rows.next()?
        {
            let seq = Seq(from_sql(row.get(0)?));
            let by = row.get::<_, Option<i64>>(1)?.map(|by| Seq(from_sql(by)));
            if by.is_none_or(|by| seq <= self.watermarks.at(by)) {
                into.push(seq);
                left -= 1;
            }
        }
        Ok(())
    }

    /// Adds those of the candidates that are asked for, in their order.
    fn take(&self, candidates: &[Seq], items: &mut Vec<Item>) -> Outcome<()> {
        for seq in candidates {
            if items.len() == self.query.limit {
                break;
            }
            let by = if self.any_superseded { kept::successor(self.conn, self.ws.id, *seq)? } else { None };
            let receipt = match by {
                Some(by) => match kept::receipt(self.conn, &self.state, *seq, by)? {
                    Some(receipt) => receipt,
                    None => continue,
                },
                None => self.state.receipt(*seq, user::kept(self.conn, self.state.id, *seq)?),
            };
            if self.is_excepted(*seq)?
                || self.query.read.is_some_and(|read| read != receipt.read)
                || self.query.archived.is_some_and(|archived| archived != receipt.archived)
            {
                continue;
            }
            // A receipt may still stand for an entry that was retracted meanwhile: then there is no body.
            let Some(stored) = row::at(self.conn, self.ws.id, *seq)? else { continue };
            let Some(notification) = stored.notification() else { continue };
            debug_assert!(self.sight.visibility.sees(self.name, *seq, notification), "{seq} by two rules");
            items.push(Item {
                seq: *seq,
                notification: notification.clone(),
                receipt,
                superseded: by.is_some(),
            });
        }
        Ok(())
    }

    fn is_excepted(&self, seq: Seq) -> Outcome<bool> {
        let mut query = self.conn.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM named WHERE user = ?1 AND seq = ?2 AND delta < 0)",
        )?;
        Ok(query.query_row(params![self.state.id, to_sql(seq.0)], |row| row.get(0))?)
    }
}
