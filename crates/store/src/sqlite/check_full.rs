//! Everything that can be compared with something else, compared.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use campanile_model::{Audience, EntryKind, Seq};
use rusqlite::{Connection, params};

use super::connect::{self, in_snapshot};
use super::failure::{Failure, Outcome, store_error};
use super::names::{self, from_sql, to_sql};
use super::row::{COLUMNS, Content, Stored};
use super::user;
use super::workspace::{self, Workspace};
use super::{check_documents, check_life, schema};
use crate::StoreError;

/// Problems named at most; the first ones say enough.
const NAMED: usize = 100;

/// What a full check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Workspaces looked at.
    pub workspaces: u64,
    /// Entries looked at.
    pub entries: u64,
    /// Documents looked at.
    pub documents: u64,
    /// What is not as it was written, the first 100, in words for the operator and without payloads.
    /// Empty: the database is sound.
    pub problems: Vec<String>,
}

/// Checks a database in one snapshot, while a server may be running on it: SQLite's own structure, the
/// checksum of every entry and document, that no entry is missing between the first and the head, every
/// ordinal, balance, interval and counter. `path` is a data directory or a database file such as a backup.
/// Takes longer than reading the whole file.
///
/// # Errors
/// [`StoreError::Unavailable`] or [`StoreError::Internal`] if it cannot be read at all, or an older program wrote
/// it and no start of this one has brought it up to date. Damage within it is
/// no error but a problem of the report.
pub fn check_full(path: &Path) -> Result<CheckReport, StoreError> {
    let conn = connect::open_beside(path).map_err(|e| store_error(&e))?;
    in_snapshot(&conn, |conn| {
        schema::refuse_older(conn)?;
        let mut check = Check { conn, report: CheckReport::default() };
        check.structure()?;
        check.logs()?;
        check.counters()?;
        check.documents()?;
        Ok::<_, Failure>(check.report)
    })
    .map_err(StoreError::from)
}

struct Check<'a> {
    conn: &'a Connection,
    report: CheckReport,
}

/// Conditions that no row should meet: what it would mean, and how it is found.
const IMPOSSIBLE: &[(&str, &str)] = &[
    ("entries of no workspace", "SELECT count(*) FROM entry WHERE ws NOT IN (SELECT id FROM workspace)"),
    (
        "users whose counters differ from their receipts",
        "SELECT count(*) FROM user u WHERE read_above != \
         (SELECT count(*) FROM receipt WHERE user = u.id AND read AND seq > u.read_upto) OR unread_below != \
         (SELECT count(*) FROM receipt WHERE user = u.id AND NOT read AND seq <= u.read_upto) OR above_seen != \
         (SELECT count(*) FROM receipt WHERE user = u.id AND seq > max(u.read_upto, u.seen_upto))",
    ),
    (
        "narrow rows that do not match their entry",
        "SELECT count(*) FROM named n JOIN user u ON u.id = n.user JOIN workspace w ON w.id = u.ws \
         LEFT JOIN entry e ON e.ws = u.ws AND e.seq = n.seq \
         WHERE n.seq >= w.first AND (e.id IS NULL OR e.dead != n.dead)",
    ),
    (
        "balances that do not add up",
        "SELECT count(*) FROM (SELECT balance - delta AS before, \
         lag(balance) OVER (PARTITION BY user ORDER BY seq) AS last FROM named) \
         WHERE last IS NOT NULL AND last != before",
    ),
    (
        "subscriptions listed differently than recorded",
        "SELECT (SELECT count(*) FROM subscriber) - (SELECT count(*) FROM membership WHERE to_seq IS NULL) \
         + (SELECT 2 * count(*) FROM subscriber s WHERE NOT EXISTS \
         (SELECT 1 FROM membership m WHERE m.user = s.user AND m.topic = s.topic AND m.to_seq IS NULL))",
    ),
    (
        "receipts of another workspace's users",
        "SELECT count(*) FROM receipt r LEFT JOIN user u ON u.id = r.user WHERE u.ws IS NOT r.ws",
    ),
    (
        "receipts of a revision that was not counted",
        "SELECT count(*) FROM (SELECT user, rev FROM receipt UNION ALL SELECT user, rev FROM kept) r \
         JOIN user u ON u.id = r.user WHERE r.rev NOT BETWEEN 1 AND u.rev",
    ),
    ("keys of marks of nobody", "SELECT count(*) FROM mark_key WHERE user NOT IN (SELECT id FROM user)"),
    (
        "users with more keys of marks than are kept",
        "SELECT count(*) FROM (SELECT max(number) - min(number) AS kept FROM mark_key GROUP BY user) WHERE kept >= 1000",
    ),
];

impl Check<'_> {
    fn problem(&mut self, what: String) {
        if self.report.problems.len() < NAMED {
            self.report.problems.push(what);
        }
    }

    fn structure(&mut self) -> Outcome<()> {
        let mut query = self.conn.prepare("PRAGMA integrity_check")?;
        let found: Vec<String> = query.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        for problem in found.into_iter().filter(|line| line != "ok") {
            self.problem(problem);
        }
        Ok(())
    }

    fn logs(&mut self) -> Outcome<()> {
        let Some(workspaces) = self.sound(workspace::all(self.conn))? else { return Ok(()) };
        for (_, workspace) in workspaces {
            self.report.workspaces += 1;
            self.log(&workspace)?;
        }
        Ok(())
    }

    /// The value, unless damage was found on the way to it.
    fn sound<T>(&mut self, outcome: Outcome<T>) -> Outcome<Option<T>> {
        match outcome {
            Ok(value) => Ok(Some(value)),
            Err(Failure::Refused(damage)) => {
                self.problem(damage.to_string());
                Ok(None)
            }
            Err(failure) => Err(failure),
        }
    }

    /// Every entry from the first to the head stands there once, and ordinals run without a gap.
    fn log(&mut self, ws: &Workspace) -> Outcome<()> {
        let conn = self.conn;
        let mut query = conn.prepare(&format!("SELECT {COLUMNS} FROM entry WHERE ws = ?1 ORDER BY seq"))?;
        let mut rows = query.query([ws.id])?;
        let mut expected = ws.first;
        let mut ordinals: HashMap<i64, i64> = HashMap::new();
        let mut turns = Turns::default();
        while let Some(row) = rows.next()? {
            self.report.entries += 1;
            let seq = Seq(from_sql(row.get(2)?));
            if seq != expected {
                self.problem(format!("workspace row {}: entry {seq} stands where {expected} should", ws.id));
            }
            expected = seq.next();
            let Some(stored) = self.sound(Stored::read(row))? else { continue };
            if let (Some(source), Some(ord)) = (stored.place.source, stored.place.ord)
                && ordinals.insert(source, ord).is_some_and(|last| last + 1 != ord)
            {
                self.problem(format!("workspace row {}: entry {seq} is not the next of its source", ws.id));
            }
            self.named(ws.id, &stored)?;
            if let Some(problem) = check_life::entry(conn, &stored)? {
                self.problem(format!("workspace row {}: entry {seq} {problem}", ws.id));
            }
            if !turns.take(conn, ws.id, &stored)? {
                self.problem(format!("workspace row {}: entry {seq} opened or closed no interval", ws.id));
            }
        }
        if expected != ws.head.next() {
            self.problem(format!("workspace row {}: entries {expected} to {} are missing", ws.id, ws.head));
        }
        if turns.recorded(conn, ws)? != (turns.membership, turns.withdrawn) {
            self.problem(format!(
                "workspace row {}: intervals without an entry that opened or closed them",
                ws.id
            ));
        }
        Ok(())
    }

    /// Every user that an entry names has a narrow row for it.
    fn named(&mut self, ws: i64, stored: &Stored) -> Outcome<()> {
        let Some(notification) = stored.notification() else { return Ok(()) };
        let Audience::Users(users) = &notification.audience else { return Ok(()) };
        let seq = stored.place.seq;
        let users: HashSet<_> = users.iter().filter(|user| !notification.except.contains(user)).collect();
        let mut named: i64 = 0;
        for name in &users {
            let Some(user) = names::user(self.conn, ws, name)? else { continue };
            let mut query = self
                .conn
                .prepare_cached("SELECT count(*) FROM named WHERE user = ?1 AND seq = ?2 AND delta = 1")?;
            named += query.query_row(params![user, to_sql(seq.0)], |row| row.get::<_, i64>(0))?;
        }
        if named != users.len() as i64 {
            self.problem(format!("workspace row {ws}: entry {seq} does not reach every user it names"));
        }
        Ok(())
    }

    fn documents(&mut self) -> Outcome<()> {
        let conn = self.conn;
        self.report.documents = check_documents::documents(conn, |what| self.problem(what))?;
        Ok(())
    }

    fn counters(&mut self) -> Outcome<()> {
        let read_states = user::all_sound(self.conn);
        self.sound(read_states)?;
        let of_lives = check_life::impossible();
        let of_lives = of_lives.iter().map(|(what, sql)| (*what, sql.as_str()));
        for (what, sql) in IMPOSSIBLE.iter().copied().chain(of_lives) {
            let count: i64 = self.conn.query_row(sql, [], |row| row.get(0))?;
            if count != 0 {
                self.problem(format!("{count} {what}"));
            }
        }
        Ok(())
    }
}

/// Entries that open or close an interval, counted.
#[derive(Default)]
struct Turns {
    membership: i64,
    withdrawn: i64,
}

impl Turns {
    /// Whether the interval that the entry opens or closes, if it is such an entry, is recorded.
    fn take(&mut self, conn: &Connection, ws: i64, stored: &Stored) -> Outcome<bool> {
        let Content::Entry(kind) = &stored.content else { return Ok(true) };
        let (end, topic, user) = match kind {
            EntryKind::Subscribe { topic, user } => ("from_seq = ?2", Some(topic), user),
            EntryKind::Unsubscribe { topic, user } => ("to_seq = ?2", Some(topic), user),
            // A grant that came first is recorded from the beginning.
            EntryKind::Grant { user } => ("from_seq IN (0, ?2)", None, user),
            EntryKind::Withdraw { user } => ("to_seq = ?2", None, user),
            EntryKind::Notification(_)
            | EntryKind::Update { .. }
            | EntryKind::Retract { .. }
            | EntryKind::Supersede { .. } => return Ok(true),
        };
        self.membership += i64::from(topic.is_some());
        self.withdrawn += i64::from(matches!(kind, EntryKind::Withdraw { .. }));
        let Some(user) = names::user(conn, ws, user)? else { return Ok(false) };
        let seq = to_sql(stored.place.seq.0);
        let exists = |sql: &str, keys: &[i64]| -> Outcome<bool> {
            let mut query = conn.prepare_cached(&format!("SELECT EXISTS (SELECT 1 FROM {sql})"))?;
            Ok(query.query_row(rusqlite::params_from_iter(keys), |row| row.get(0))?)
        };
        match topic.map(|topic| names::topic(conn, ws, topic)).transpose()? {
            Some(Some(topic)) => {
                exists(&format!("membership WHERE user = ?1 AND {end} AND topic = ?3"), &[user, seq, topic])
            }
            Some(None) => Ok(false),
            None => exists(&format!("access WHERE user = ?1 AND {end}"), &[user, seq]),
        }
    }

    /// The same counts by the intervals.
    fn recorded(&self, conn: &Connection, ws: &Workspace) -> Outcome<(i64, i64)> {
        let counts = conn.query_row(
            "SELECT \
             (SELECT count(*) FROM membership m JOIN user u ON u.id = m.user WHERE u.ws = ?1 AND m.from_seq >= ?2) + \
             (SELECT count(*) FROM membership m JOIN user u ON u.id = m.user WHERE u.ws = ?1 AND m.to_seq >= ?2), \
             (SELECT count(*) FROM access a JOIN user u ON u.id = a.user WHERE u.ws = ?1 AND a.to_seq >= ?2)",
            params![ws.id, to_sql(ws.first.0)],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        Ok(counts)
    }
}
