//! How near the database is to the size that the operator allows it.

use rusqlite::Connection;

/// From here on it is nearly full, in percent.
const NEARLY_PERCENT: u64 = 90;

/// Says once that the database is nearly full, until it was less so.
pub(super) struct Fullness {
    /// Pages it may hold; `None`: any number.
    limit: Option<u32>,
    is_near: bool,
}

impl Fullness {
    pub(super) fn new(limit: Option<u32>) -> Self {
        Self { limit, is_near: false }
    }

    /// Looks at the database, which costs reading its first page; a line in the log if it is nearly full since the
    /// last look.
    pub(super) fn look(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        let Some(limit) = self.limit else { return Ok(()) };
        let pages = |name: &str| -> rusqlite::Result<u64> {
            let pages = conn.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0))?;
            Ok(u64::try_from(pages).unwrap_or(0))
        };
        // Those that are free are written again before the file grows.
        let used = pages("page_count")?.saturating_sub(pages("freelist_count")?);
        if self.comes_near(used, limit.into()) {
            let percent = used * 100 / u64::from(limit).max(1);
            tracing::warn!(percent, "the database is nearly as large as store.max_mib allows");
        }
        Ok(())
    }

    fn comes_near(&mut self, used: u64, limit: u64) -> bool {
        let was_near = std::mem::replace(&mut self.is_near, used * 100 >= limit * NEARLY_PERCENT);
        self.is_near && !was_near
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_once_until_there_is_room_again() {
        let mut fullness = Fullness::new(Some(1_000));
        let said = [0, 899, 900, 950, 1_000, 900, 899, 901].map(|used| fullness.comes_near(used, 1_000));
        assert_eq!(said, [false, false, true, false, false, false, false, true]);
    }

    #[test]
    fn free_pages_are_room() {
        let conn = Connection::open_in_memory().unwrap();
        let is_near_after = |fullness: &mut Fullness, sql: &str| {
            conn.execute_batch(sql).unwrap();
            fullness.look(&conn).unwrap();
            fullness.is_near
        };
        let mut fullness = Fullness::new(Some(100));
        assert!(!is_near_after(&mut fullness, "CREATE TABLE t (b); INSERT INTO t VALUES (zeroblob(100000))"));
        assert!(is_near_after(&mut fullness, "INSERT INTO t VALUES (zeroblob(300000))"));
        assert!(!is_near_after(&mut fullness, "DELETE FROM t"));
        let mut unlimited = Fullness::new(None);
        assert!(!is_near_after(&mut unlimited, "INSERT INTO t VALUES (zeroblob(400000))"));
    }
}
