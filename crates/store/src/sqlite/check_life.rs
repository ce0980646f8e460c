//! The part of a full check that looks at what became of notifications: what is due, what is superseded, who
//! still sees it, and how many are dead.

use campanile_model::EntryKind;
use rusqlite::{Connection, OptionalExtension, params};

use super::dead::BUCKET;
use super::failure::Outcome;
use super::names::to_sql;
use super::row::{Content, Stored};
use crate::collapse;

/// Whether the row stands in the indexes of what is due and of what may be superseded as its body says, and
/// whether what it says of another holds. In words, if not.
pub(super) fn entry(conn: &Connection, stored: &Stored) -> Outcome<Option<&'static str>> {
    let (ws, seq) = (stored.place.ws, stored.place.seq);
    if let Content::Entry(EntryKind::Supersede { target_seq, .. }) = &stored.content {
        // Whatever became of it since, it does not live, and nothing else superseded it.
        let is_live =
            "SELECT dead = 0 OR (dead = 2 AND superseded IS NOT ?3) FROM entry WHERE ws = ?1 AND seq = ?2";
        let wrong: Option<bool> = conn
            .prepare_cached(is_live)?
            .query_row(params![ws, to_sql(target_seq.0), to_sql(seq.0)], |row| row.get(0))
            .optional()?;
        return Ok(wrong.unwrap_or(false).then_some("superseded an entry that is not"));
    }
    let expected = (
        stored.notification().and_then(|n| n.expires_at).map(|at| at.as_millis()),
        stored.live().and_then(|n| collapse::digest(n)).map(Vec::from),
    );
    let found: (Option<i64>, Option<Vec<u8>>) = conn
        .prepare_cached("SELECT expires, collapse FROM entry WHERE ws = ?1 AND seq = ?2")?
        .query_row(params![ws, to_sql(seq.0)], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok((found != expected).then_some("is due or superseded at another time than it says"))
}

/// Conditions that no row should meet: what it would mean, and how it is found.
pub(super) fn impossible() -> [(&'static str, String); 7] {
    // Outer joins of both sides, so that neither holds what the other does not.
    let dead = format!(
        "SELECT ws, source, seq / {BUCKET} AS bucket, count(*) AS n FROM entry \
         WHERE dead != 0 AND source IS NOT NULL GROUP BY 1, 2, 3"
    );
    let named = format!(
        "SELECT user, seq / {BUCKET} AS bucket, count(*) AS n, sum(delta) AS delta FROM named \
         WHERE dead != 0 GROUP BY 1, 2"
    );
    let differ = |one: &str, other: &str| {
        format!(
            "SELECT (SELECT count(*) FROM ({one} EXCEPT {other})) + (SELECT count(*) FROM ({other} EXCEPT {one}))"
        )
    };
    [
        (
            "counts of dead entries that do not add up",
            differ(&dead, "SELECT ws, source, bucket, n FROM dead_bucket"),
        ),
        (
            "counts of dead narrow rows that do not add up",
            differ(&named, "SELECT user, bucket, n, delta FROM named_dead_bucket"),
        ),
        (
            "superseded entries that no entry superseded",
            "SELECT count(*) FROM entry e LEFT JOIN entry s ON s.ws = e.ws AND s.seq = e.superseded \
             WHERE e.superseded IS NOT NULL AND s.kind IS NOT 8"
                .into(),
        ),
        (
            "receipts that count although their entry does not",
            "SELECT count(*) FROM receipt r JOIN entry e ON e.ws = r.ws AND e.seq = r.seq \
             LEFT JOIN unsettled u ON u.ws = r.ws AND u.seq = r.seq WHERE e.dead != 0 AND u.seq IS NULL"
                .into(),
        ),
        (
            "receipts kept of an entry that is not superseded",
            "SELECT count(*) FROM kept k JOIN workspace w ON w.id = k.ws \
             LEFT JOIN entry e ON e.ws = k.ws AND e.seq = k.seq \
             LEFT JOIN unsettled u ON u.ws = k.ws AND u.seq = k.seq \
             WHERE k.seq >= w.first AND e.dead IS NOT 2 AND u.seq IS NULL"
                .into(),
        ),
        (
            "receipts kept of another workspace's users",
            "SELECT count(*) FROM kept k LEFT JOIN user u ON u.id = k.user WHERE u.ws IS NOT k.ws".into(),
        ),
        (
            "watermarks that went back",
            "SELECT count(*) FROM (SELECT m.read_upto AS earlier, u.read_upto AS latest, \
             lead(m.read_upto) OVER (PARTITION BY m.user ORDER BY m.until) AS later \
             FROM watermark m LEFT JOIN user u ON u.id = m.user) \
             WHERE latest IS NULL OR earlier > latest OR earlier > later"
                .into(),
        ),
    ]
}
