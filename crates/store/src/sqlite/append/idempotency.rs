//! Outcomes remembered under the requests' own keys, in the transaction of their entries.

use campanile_model::{Epoch, NotificationId, Seq, Slug, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::Appending;
use crate::sqlite::failure::Outcome;
use crate::sqlite::workspace::Workspace;
use crate::{Appended, IDEMPOTENCY_WINDOW_MS, Idempotency, Published, StoreError};

/// The outcome that is kept under the request's key in a workspace that may not be there.
pub(in crate::sqlite) fn kept(
    conn: &Connection,
    workspace: &Slug,
    request: &Idempotency,
    now: Timestamp,
) -> Outcome<Option<Appended>> {
    match Workspace::load(conn, workspace)? {
        Some(ws) => replay(conn, ws.id, request, now),
        None => Ok(None),
    }
}

/// The outcome that is kept under the request's key.
///
/// # Errors
/// [`StoreError::KeyReused`] if it belongs to another body.
pub(super) fn replay(
    conn: &Connection,
    ws: i64,
    request: &Idempotency,
    now: Timestamp,
) -> Outcome<Option<Appended>> {
    let mut query = conn.prepare_cached(
        "SELECT fingerprint, outcome FROM idempotency \
         WHERE ws = ?1 AND publisher = ?2 AND key = ?3 AND at > ?4",
    )?;
    let bounds = params![ws, request.publisher.as_str(), request.key, oldest(now)];
    let found: Option<(Vec<u8>, Vec<u8>)> =
        query.query_row(bounds, |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((fingerprint, outcome)) = found else { return Ok(None) };
    if fingerprint != request.fingerprint {
        return Err(StoreError::KeyReused.into());
    }
    let appended =
        decode(&outcome).ok_or_else(|| StoreError::Internal("a remembered outcome is damaged".into()))?;
    Ok(Some(appended))
}

pub(super) fn keep(log: &Appending<'_>, request: &Idempotency, outcome: &Appended) -> Outcome<()> {
    log.conn
        .prepare_cached(
            "INSERT OR REPLACE INTO idempotency (ws, publisher, key, fingerprint, at, outcome) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            log.workspace.id,
            request.publisher.as_str(),
            request.key,
            request.fingerprint,
            log.now.as_millis(),
            encode(outcome)
        ])?;
    Ok(())
}

/// Removes at most `limit` outcomes that are no longer replayed.
pub(in crate::sqlite) fn purge(conn: &Connection, now: Timestamp, limit: usize) -> Outcome<usize> {
    let mut query = conn.prepare_cached(
        "DELETE FROM idempotency WHERE (ws, publisher, key) IN \
         (SELECT ws, publisher, key FROM idempotency WHERE at <= ?1 ORDER BY at LIMIT ?2)",
    )?;
    Ok(query.execute(params![oldest(now), limit as i64])?)
}

/// Outcomes kept at this instant or before are forgotten.
fn oldest(now: Timestamp) -> i64 {
    now.as_millis().saturating_sub(IDEMPOTENCY_WINDOW_MS)
}

/// Epoch, head, first seq, then 24 bytes for each notification: a batch has consecutive places.
fn encode(outcome: &Appended) -> Vec<u8> {
    let first = outcome.published.first().map_or(0, |p| p.seq.0);
    let mut bytes = Vec::with_capacity(24 + 24 * outcome.published.len());
    for number in [outcome.epoch.0, outcome.head.0, first] {
        bytes.extend(number.to_le_bytes());
    }
    for published in &outcome.published {
        bytes.extend(published.id.0.as_bytes());
        bytes.extend(published.timestamp.as_millis().to_le_bytes());
    }
    bytes
}

fn decode(bytes: &[u8]) -> Option<Appended> {
    let (epoch, rest) = bytes.split_first_chunk::<8>()?;
    let (head, rest) = rest.split_first_chunk::<8>()?;
    let (first, rest) = rest.split_first_chunk::<8>()?;
    let first = u64::from_le_bytes(*first);
    let published = rest.chunks_exact(24).zip(first..).map(|(chunk, seq)| {
        let (id, millis) = chunk.split_first_chunk::<16>()?;
        Some(Published {
            id: NotificationId(Uuid::from_bytes(*id)),
            seq: Seq(seq),
            timestamp: Timestamp::from_millis(i64::from_le_bytes(millis.try_into().ok()?)),
        })
    });
    Some(Appended {
        epoch: Epoch(u64::from_le_bytes(*epoch)),
        published: published.collect::<Option<_>>()?,
        versions: Vec::new(),
        head: Seq(u64::from_le_bytes(*head)),
        replayed: true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_round_trip() {
        let published = (7..10).map(|seq| Published {
            id: NotificationId(Uuid::from_u128(u128::from(seq) << 64)),
            seq: Seq(seq),
            timestamp: Timestamp::from_millis(1_767_225_600_000 + seq as i64),
        });
        let outcome = Appended {
            epoch: Epoch(u64::MAX),
            published: published.collect(),
            versions: Vec::new(),
            head: Seq(9),
            replayed: true,
        };
        assert_eq!(decode(&encode(&outcome)), Some(outcome));
        assert_eq!(decode(&[0; 23]), None);
    }
}
