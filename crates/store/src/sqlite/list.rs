//! The notifications one user sees, page by page, either way.

use campanile_model::{Intervals, Seq, UserId};
use rusqlite::{Connection, params};

use super::failure::Outcome;
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
}

/// One page for `user`. Costs a few seeks for each source of the user and each entry of the page, and one
/// for each entry it passes over because its read state is not the one asked for.
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
    let page = Page { conn, ws, name, sight: &sight, state, query };
    page.read(window)
}

struct Page<'a> {
    conn: &'a Connection,
    ws: &'a Workspace,
    name: &'a UserId,
    sight: &'a Sight,
    state: UserState,
    query: &'a VisibleQuery,
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
            return vec![Source { index: Index::Archived, windows: vec![window] }];
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
        sources
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
        let (rows, keys): (&str, &[i64]) = match index {
            Index::Source(source) => (
                "entry INDEXED BY entry_by_source WHERE ws = ?4 AND source = ?5 AND dead = 0",
                &[self.ws.id, source],
            ),
            Index::Named => ("named WHERE user = ?4 AND delta > 0 AND dead = 0", &[self.state.id]),
            Index::Unread => {
                ("receipt INDEXED BY receipt_unread WHERE user = ?4 AND read = 0", &[self.state.id])
            }
            Index::Archived => {
                ("receipt INDEXED BY receipt_archived WHERE user = ?4 AND archived = 1", &[self.state.id])
            }
        };
        let order = if self.query.newest_first { "DESC" } else { "ASC" };
        let mut query = self.conn.prepare_cached(&format!(
            "SELECT seq FROM {rows} AND seq > ?1 AND seq <= ?2 ORDER BY seq {order} LIMIT ?3"
        ))?;
        let range = [to_sql(window.after.0), to_sql(window.up_to.0), to_sql(limit as u64)];
        let bounds = rusqlite::params_from_iter(range.iter().chain(keys));
        for seq in query.query_map(bounds, |row| row.get::<_, i64>(0))? {
            into.push(Seq(from_sql(seq?)));
        }
        Ok(())
    }

    /// Adds those of the candidates that are asked for, in their order.
    fn take(&self, candidates: &[Seq], items: &mut Vec<Item>) -> Outcome<()> {
        for seq in candidates {
            if items.len() == self.query.limit {
                break;
            }
            let kept = user::kept(self.conn, self.state.id, *seq)?;
            let receipt = self.state.receipt(*seq, kept);
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
            items.push(Item { seq: *seq, notification: notification.clone(), receipt, superseded: false });
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
