//! `campanile.head`: a second file that remembers how far the log had come.
//!
//! It names the number of the last change (an entry, or a mark) and the lineage of the database that holds
//! it. A database that holds less has lost acknowledged changes (a copy put back, a WAL
//! deleted or torn by a disk that lied): positions in it mean something else now, so its epochs change.
//!
//! 28 bytes: magic, lineage, counter, CRC-32C of these. Written after each commit without a flush, and
//! flushed at most once a second: a witness that lags behind only notices less.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::connect::{cannot, sync_dir};
use crate::StoreError;

const MAGIC: &[u8; 8] = b"CMPHEAD1";
const BYTES: usize = 28;

/// What the file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) lineage: u64,
    pub(super) counter: u64,
}

/// What was found at the start.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    Damaged,
    Record(Record),
}

/// The open file. It is locked as long as the store is open: one process writes to a data directory.
#[derive(Clone)]
pub(super) struct Witness {
    file: Arc<File>,
    unflushed: Arc<AtomicBool>,
}

impl Witness {
    /// Opens the file, locks it and reads what it says.
    pub(super) fn open(dir: &Path) -> Result<(Self, Found), StoreError> {
        let path = path(dir);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|e| cannot("open", &path, &e))?;
        match lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let reason = format!("another process has the data directory {} open", dir.display());
                return Err(StoreError::Unavailable { reason });
            }
            Err(TryLockError::Error(error)) => return Err(cannot("lock", &path, &error)),
        }
        sync_dir(dir).map_err(|e| cannot("flush", dir, &e))?;
        let found = read(&file).map_err(|e| cannot("read", &path, &e))?;
        Ok((Self { file: Arc::new(file), unflushed: Arc::default() }, found))
    }

    /// Notes how far the log has come.
    pub(super) fn write(&self, record: Record) {
        // A witness that cannot be written only notices less; the log itself is safe.
        match self.file.write_all_at(&encode(record), 0) {
            Ok(()) => self.unflushed.store(true, Ordering::Release),
            Err(error) => tracing::warn!(%error, "cannot write campanile.head"),
        }
    }

    /// Flushes what was noted since the last call.
    pub(super) fn flush(&self) {
        if self.unflushed.swap(false, Ordering::AcqRel)
            && let Err(error) = self.file.sync_data()
        {
            tracing::warn!(%error, "cannot flush campanile.head");
        }
    }
}

fn path(dir: &Path) -> PathBuf {
    dir.join("campanile.head")
}

/// How long a lock that somebody holds is waited for, and how often it is tried. A child that the process which
/// has just ended, or this one, is starting holds it until it has become another program.
const PATIENCE: Duration = Duration::from_secs(1);
const TRY_EVERY: Duration = Duration::from_millis(10);

fn lock(file: &File) -> Result<(), TryLockError> {
    let began = Instant::now();
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if began.elapsed() < PATIENCE => std::thread::sleep(TRY_EVERY),
            other => return other,
        }
    }
}

fn read(file: &File) -> io::Result<Found> {
    let mut bytes = [0; BYTES];
    match file.read_exact_at(&mut bytes, 0) {
        Ok(()) => Ok(decode(&bytes).map_or(Found::Damaged, Found::Record)),
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
            Ok(if file.metadata()?.len() == 0 { Found::Nothing } else { Found::Damaged })
        }
        Err(e) => Err(e),
    }
}

fn encode(record: Record) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..16].copy_from_slice(&record.lineage.to_le_bytes());
    bytes[16..24].copy_from_slice(&record.counter.to_le_bytes());
    let crc = crc32c::crc32c(&bytes[..24]);
    bytes[24..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

fn decode(bytes: &[u8; BYTES]) -> Option<Record> {
    let (magic, rest) = bytes.split_first_chunk::<8>()?;
    let (lineage, rest) = rest.split_first_chunk::<8>()?;
    let (counter, crc) = rest.split_first_chunk::<8>()?;
    let genuine = magic == MAGIC && crc32c::crc32c(&bytes[..24]).to_le_bytes() == *crc;
    genuine.then(|| Record { lineage: u64::from_le_bytes(*lineage), counter: u64::from_le_bytes(*counter) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_is_noticed() {
        let record = Record { lineage: 0x0123_4567_89ab_cdef, counter: 42 };
        let good = encode(record);
        assert_eq!(decode(&good), Some(record));
        for bit in 0..BYTES * 8 {
            let mut bad = good;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&bad), None, "bit {bit}");
        }
    }

    #[test]
    fn one_process_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let (witness, found) = Witness::open(dir.path()).unwrap();
        assert_eq!(found, Found::Nothing);
        assert!(matches!(Witness::open(dir.path()), Err(StoreError::Unavailable { .. })));
        let record = Record { lineage: 1, counter: 2 };
        witness.write(record);
        drop(witness);
        assert_eq!(Witness::open(dir.path()).unwrap().1, Found::Record(record));
    }
}
