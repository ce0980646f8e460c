//! What decides which entries one user sees, read from the tables of intervals.

use std::collections::HashMap;

use campanile_model::{Interval, Intervals, Seq, Topic, Visibility};
use rusqlite::{Connection, params};

use super::failure::Outcome;
use super::names::from_sql;

/// A user's [`Visibility`] with the numbers of the topics in it.
#[derive(Debug, Default)]
pub(super) struct Sight {
    pub(super) visibility: Visibility,
    /// Every topic of the visibility, by number.
    pub(super) topics: Vec<(i64, Topic)>,
}

impl Sight {
    /// Reads the intervals of `user`; of a user about whom nothing is recorded (0) there are none.
    pub(super) fn load(conn: &Connection, user: i64) -> Outcome<Self> {
        if user == 0 {
            return Ok(Self::default());
        }
        let access = load_access(conn, user)?;
        let mut by_topic: HashMap<Topic, Vec<Interval>> = HashMap::new();
        let mut topics = Vec::new();
        let mut query = conn.prepare_cached(
            "SELECT m.topic, t.name, m.from_seq, m.to_seq FROM membership m JOIN topic t ON t.id = m.topic \
             WHERE m.user = ?1 ORDER BY m.topic, m.from_seq",
        )?;
        let mut rows = query.query([user])?;
        while let Some(row) = rows.next()? {
            // A topic was checked before it was stored; one that fails now is damaged and nobody's.
            let Ok(name) = Topic::new(row.get_ref(1)?.as_str().unwrap_or("")) else { continue };
            let stretches = by_topic.entry(name.clone()).or_default();
            if stretches.is_empty() {
                topics.push((row.get(0)?, name));
            }
            stretches.push(interval(row.get(2)?, row.get(3)?));
        }
        let topic_intervals =
            by_topic.into_iter().map(|(name, stretches)| (name, Intervals::from_sorted(stretches))).collect();
        Ok(Self { visibility: Visibility { access, topics: topic_intervals }, topics })
    }
}

fn load_access(conn: &Connection, user: i64) -> Outcome<Intervals> {
    let mut query =
        conn.prepare_cached("SELECT from_seq, to_seq FROM access WHERE user = ?1 ORDER BY from_seq")?;
    let stretches = query
        .query_map(params![user], |row| Ok(interval(row.get(0)?, row.get(1)?)))?
        .collect::<Result<Vec<_>, _>>()?;
    Ok(if stretches.is_empty() { Intervals::always() } else { Intervals::from_sorted(stretches) })
}

fn interval(from: i64, to: Option<i64>) -> Interval {
    Interval { from: Seq(from_sql(from)), to: to.map(|to| Seq(from_sql(to))) }
}

/// A stretch `(after, up_to]` of a log to be counted or listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) after: Seq,
    pub(super) up_to: Seq,
}

impl Window {
    pub(super) fn is_empty(self) -> bool {
        self.after >= self.up_to
    }

    /// The parts of the window that lie within `intervals`, ascending, none of them empty.
    pub(super) fn within(self, intervals: &Intervals) -> impl Iterator<Item = Self> {
        intervals
            .iter()
            .map(move |interval| Self {
                after: self.after.max(interval.from),
                up_to: interval.to.map_or(self.up_to, |to| to.min(self.up_to)),
            })
            .filter(|window| !window.is_empty())
    }
}
