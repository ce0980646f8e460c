//! Opening the database file, the same way for every connection.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::checkpoint::kept_bytes;
use super::config::Config;
use crate::StoreError;

/// Bytes of a page: 16 KiB took twice the rows a second of 4 KiB (docs/decisions/0008-sqlite.md).
pub(super) const PAGE_BYTES: u64 = 16_384;

/// How long a statement waits for a lock that another process holds.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Statements kept ready on a connection; more than there are.
const STATEMENTS: usize = 256;

/// The database within a data directory.
pub(super) fn database(dir: &Path) -> PathBuf {
    dir.join("campanile.db")
}

/// Creates the directory (0700) and an empty database file (0600) where they are missing.
pub(super) fn prepare_dir(dir: &Path) -> Result<(), StoreError> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|e| cannot("create", dir, &e))?;
    create_private(&database(dir)).map_err(|e| cannot("create", &database(dir), &e))?;
    Ok(())
}

/// Creates an empty file that only its owner may read, unless there is one; whether there was none.
/// SQLite gives its side files the mode of the database.
pub(super) fn create_private(path: &Path) -> io::Result<bool> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => {
            if let Some(dir) = path.parent() {
                sync_dir(dir)?;
            }
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes a new or renamed file's name survive the loss of power.
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    File::open(dir)?.sync_all()
}

/// Flushes the WAL, which has to be there. SQLite takes no locks on that file, so a second descriptor of it does no harm.
pub(super) fn sync_wal(dir: &Path) -> Result<(), StoreError> {
    let path = dir.join("campanile.db-wal");
    File::open(&path).and_then(|wal| wal.sync_data()).map_err(|error| cannot("flush", &path, &error))
}

pub(super) fn cannot(verb: &str, path: &Path, error: &io::Error) -> StoreError {
    StoreError::Unavailable { reason: format!("cannot {verb} {}: {error}", path.display()) }
}

/// The connection that writes.
pub(super) fn open_writer(config: &Config) -> rusqlite::Result<Connection> {
    let conn = open(config, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // The first two take effect only before the first table.
    conn.pragma_update(None, "page_size", PAGE_BYTES as i64)?;
    conn.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    conn.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0))?;
    // FULL: a commit is flushed before it is told. NORMAL may lose the last ones with the power.
    conn.pragma_update(None, "synchronous", "FULL")?;
    // What a long read made of the WAL beyond that is given back when it begins anew.
    let kept = i64::try_from(kept_bytes(config.checkpoint_mib)).unwrap_or(i64::MAX);
    conn.pragma_update_and_check(None, "journal_size_limit", kept, |row| row.get::<_, i64>(0))?;
    // What is removed is overwritten in the database, not only unlinked. FAST leaves it in pages that become free, as those of
    // long bodies do. In the WAL it stays until that is cut.
    conn.pragma_update(None, "secure_delete", true)?;
    if let Some(limit) = config.page_limit {
        conn.pragma_update_and_check(None, "max_page_count", limit, |row| row.get::<_, i64>(0))?;
    }
    Ok(conn)
}

/// A connection that reads while others write.
pub(super) fn open_reader(config: &Config) -> rusqlite::Result<Connection> {
    let conn = open(config, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    conn.pragma_update(None, "query_only", true)?;
    Ok(conn)
}

/// The connection that copies the WAL into the database. It gives way: a busy checkpoint is tried again.
pub(super) fn open_checkpointer(config: &Config) -> rusqlite::Result<Connection> {
    let conn = open(config, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.busy_timeout(Duration::from_millis(100))?;
    Ok(conn)
}

/// A connection for the last words of a store that was closed.
pub(super) fn open_last(dir: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(database(dir), flags)?;
    copy_at_close(&conn, false)?;
    Ok(conn)
}

/// Whether the last connection to close copies the WAL and removes it. It would take what was copied before for flushed, also
/// after a failure, and so what is copied is copied in the open.
pub(super) fn copy_at_close(conn: &Connection, copy: bool) -> rusqlite::Result<()> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !copy).map(drop)
}

/// A connection for a process beside the server: it reads, and leaves everything as it is. `path` is a data
/// directory, or a database file such as a backup.
pub(super) fn open_beside(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let file = if path.is_dir() { database(path) } else { path.to_path_buf() };
    let conn = Connection::open_with_flags(file, flags)?;
    conn.busy_timeout(BUSY_TIMEOUT)?;
    Ok(conn)
}

fn open(config: &Config, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(database(&config.dir), flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    // Plans depend on the statement alone. Otherwise SQLite plans a statement anew for every new value
    // bound to it, which cost more than running it (measured: 8 times).
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    copy_at_close(&conn, false)?;
    conn.busy_timeout(BUSY_TIMEOUT)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    conn.pragma_update(None, "cache_size", -1024 * i64::from(config.cache_mib))?;
    conn.pragma_update(None, "trusted_schema", false)?;
    conn.pragma_update(None, "cell_size_check", true)?;
    // Checkpoints run on their own connection, off the commit path.
    conn.pragma_update_and_check(None, "wal_autocheckpoint", 0, |row| row.get::<_, i64>(0))?;
    Ok(conn)
}

/// Reads in one snapshot; ends it whatever happens.
pub(super) fn in_snapshot<T, E: From<rusqlite::Error>>(
    conn: &Connection,
    read: impl FnOnce(&Connection) -> Result<T, E>,
) -> Result<T, E> {
    if !conn.is_autocommit() {
        // A read before this one was torn down by a panic.
        conn.prepare_cached("ROLLBACK")?.execute([])?;
    }
    conn.prepare_cached("BEGIN")?.execute([])?;
    let result = read(conn);
    conn.prepare_cached("COMMIT")?.execute([])?;
    result
}
