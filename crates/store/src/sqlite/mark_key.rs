//! Keys of marks, each kept in the transaction of its mark, so that a mark that is sent again is not done again.

use campanile_model::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::failure::Outcome;
use super::names::to_sql;
use crate::{IDEMPOTENCY_WINDOW_MS, MAX_MARK_KEYS, Mark, MarkKey, StoreError};

/// Whether a mark was done under the user's key.
///
/// # Errors
/// [`StoreError::KeyReused`] if that was another mark.
pub(super) fn is_kept(conn: &Connection, user: i64, key: &MarkKey, now: Timestamp) -> Outcome<bool> {
    let mut query =
        conn.prepare_cached("SELECT mark = ?3 FROM mark_key WHERE user = ?1 AND key = ?2 AND at > ?4")?;
    let found: Option<bool> =
        query.query_row(params![user, key.key, text(&key.said), oldest(now)], |row| row.get(0)).optional()?;
    if found == Some(false) {
        return Err(StoreError::KeyReused.into());
    }
    Ok(found.is_some())
}

/// Keeps a key, and no more of the user's than the newest ones.
pub(super) fn keep(conn: &Connection, user: i64, key: &MarkKey, now: Timestamp) -> Outcome<()> {
    let last: Option<i64> = conn
        .prepare_cached("SELECT number FROM mark_key WHERE user = ?1 ORDER BY number DESC LIMIT 1")?
        .query_row([user], |row| row.get(0))
        .optional()?;
    let number = last.unwrap_or(0) + 1;
    conn.prepare_cached(
        "INSERT OR REPLACE INTO mark_key (user, key, mark, at, number) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![user, key.key, text(&key.said), now.as_millis(), number])?;
    conn.prepare_cached("DELETE FROM mark_key WHERE user = ?1 AND number <= ?2")?
        .execute(params![user, number - to_sql(MAX_MARK_KEYS)])?;
    Ok(())
}

/// Removes at most `limit` keys whose time has passed.
pub(super) fn purge(conn: &Connection, now: Timestamp, limit: usize) -> Outcome<usize> {
    let mut query = conn.prepare_cached(
        "SELECT user, key FROM mark_key INDEXED BY mark_key_by_age WHERE at <= ?1 ORDER BY at LIMIT ?2",
    )?;
    let over: Vec<(i64, String)> = query
        .query_map(params![oldest(now), to_sql(limit as u64)], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    // One by one: in one statement SQLite would go through all keys of each of these users.
    let mut query = conn.prepare_cached("DELETE FROM mark_key WHERE user = ?1 AND key = ?2")?;
    for (user, key) in &over {
        query.execute(params![user, key])?;
    }
    Ok(over.len())
}

/// Keys kept at this instant or before are forgotten.
fn oldest(now: Timestamp) -> i64 {
    now.as_millis().saturating_sub(IDEMPOTENCY_WINDOW_MS)
}

/// A mark in words: two of them read alike only if they are.
fn text(mark: &Mark) -> String {
    match mark {
        Mark::Read(id) => format!("read {id}"),
        Mark::Unread(id) => format!("unread {id}"),
        Mark::Archive(id) => format!("archive {id}"),
        Mark::ReadAll(None) => "read_all".into(),
        Mark::ReadAll(Some(up_to)) => format!("read_all {up_to}"),
        Mark::Seen(None) => "seen".into(),
        Mark::Seen(Some(up_to)) => format!("seen {up_to}"),
    }
}

#[cfg(test)]
mod tests {
    use campanile_model::{NotificationId, Seq};
    use uuid::Uuid;

    use super::*;

    #[test]
    fn marks_read_alike_only_if_they_are() {
        let id = |n| NotificationId(Uuid::from_u128(n));
        let marks = [
            Mark::Read(id(1)),
            Mark::Read(id(2)),
            Mark::Unread(id(1)),
            Mark::Archive(id(1)),
            Mark::ReadAll(None),
            Mark::ReadAll(Some(Seq(0))),
            Mark::ReadAll(Some(Seq(u64::MAX))),
            Mark::Seen(None),
            Mark::Seen(Some(Seq(0))),
        ];
        for one in &marks {
            for other in &marks {
                assert_eq!(text(one) == text(other), one == other, "{one:?} {other:?}");
            }
        }
    }
}
