//! A copy of the log while a server writes to it.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::connect::{cannot, create_private, open_beside, sync_dir};
use super::failure::store_error;
use crate::StoreError;

/// Pages copied between two calls of `progress`: 4 MiB.
const STEP: i32 = 256;

/// Copies the database in `dir` to the new file `to` (mode 0600), as of one instant, while a server may be
/// writing to it from this process or another. `progress` hears of pages done and in all. Returns the
/// bytes of the copy.
///
/// The copy is marked: a server started from it (as `campanile.db` in a data directory of its own) gives
/// every workspace a new epoch, since clients may hold positions that the copy does not reach.
/// While it is being made the WAL of the original grows by whatever is written.
///
/// # Errors
/// [`StoreError::Unavailable`] if `to` exists already or a file cannot be used; [`StoreError::Full`] if
/// there is no space for the copy. Nothing is left behind then.
pub fn backup(dir: &Path, to: &Path, progress: impl FnMut(u64, u64)) -> Result<u64, StoreError> {
    let source = open_beside(dir).map_err(|e| store_error(&e))?;
    if !create_private(to).map_err(|e| cannot("create", to, &e))? {
        return Err(StoreError::Unavailable { reason: format!("{} exists already", to.display()) });
    }
    let copied = copy(&source, to, progress).map_err(|e| store_error(&e)).and_then(|()| flush(to));
    if copied.is_err() {
        // What was begun is of no use to anyone; that it cannot be removed is not the error to report.
        let _ = fs::remove_file(to);
    }
    copied
}

fn copy(source: &Connection, to: &Path, mut progress: impl FnMut(u64, u64)) -> rusqlite::Result<()> {
    // One read transaction around all steps: otherwise each commit of the server would begin the copy anew.
    let snapshot = source.unchecked_transaction()?;
    source.query_row("SELECT count(*) FROM migration", [], |_| Ok(()))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut target = Connection::open_with_flags(to, flags)?;
    {
        let copying = Backup::new(source, &mut target)?;
        loop {
            let step = copying.step(STEP)?;
            let pages = copying.progress();
            let number = |n: i32| u64::try_from(n).unwrap_or(0);
            progress(number(pages.pagecount - pages.remaining), number(pages.pagecount));
            match step {
                StepResult::Done => break,
                StepResult::More => {}
                // A checkpoint is under way.
                _ => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }
    snapshot.finish()?;
    target.execute("UPDATE meta SET value = 1 WHERE name = 'backup'", [])?;
    // One file, without a WAL beside it.
    target.pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get::<_, String>(0))?;
    target.close().map_err(|(_, error)| error)
}

fn flush(to: &Path) -> Result<u64, StoreError> {
    let flushed = || {
        let file = File::open(to)?;
        file.sync_all()?;
        sync_dir(to.parent().unwrap_or(Path::new(".")))?;
        Ok(file.metadata()?.len())
    };
    flushed().map_err(|e| cannot("flush", to, &e))
}
