//! What is kept across restarts: position, items and waiting actions of one user. Never a token.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Keeps one text under each name.
///
/// It is called from threads that may block: for one client one write at a time, beside which other texts may be read.
/// `set` replaces the whole text or leaves the former one as it was, also where several clients write the same one. What
/// does not answer is waited for: 2 s before the first connection, 5 s at the end of a client. One that panics has failed.
/// Names hold letters, digits and hyphens only, at most 64 of them; those of one user of a server
/// begin alike.
pub trait Storage: Send + Sync + 'static {
    /// The text under this name; `None`: there is none.
    ///
    /// # Errors
    /// The text may be there and can't be read. The client then goes on without it, reads it again, and writes nothing over it
    /// before that; but for [`io::ErrorKind::InvalidData`], which stands for a text that is lost.
    fn get(&self, name: &str) -> io::Result<Option<String>>;

    /// Keeps a text under this name.
    ///
    /// # Errors
    /// It could not be kept. The client goes on, and tries again with the next change.
    fn set(&self, name: &str, text: &str) -> io::Result<()>;

    /// Deletes the texts under all names that begin with this. If there are none, that is fine.
    ///
    /// # Errors
    /// Some of them may still be there.
    fn erase(&self, prefix: &str) -> io::Result<()>;
}

/// Keeps in memory: across clients of one process.
#[derive(Debug, Default)]
pub struct MemoryStorage {
    texts: Mutex<HashMap<String, String>>,
}

impl Storage for MemoryStorage {
    fn get(&self, name: &str) -> io::Result<Option<String>> {
        Ok(self.texts.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned())
    }

    fn set(&self, name: &str, text: &str) -> io::Result<()> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), text.to_owned());
        Ok(())
    }

    fn erase(&self, prefix: &str) -> io::Result<()> {
        let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        texts.retain(|name, _| !name.starts_with(prefix));
        Ok(())
    }
}

/// What is still being written after this long is written by nobody any more.
const ABANDONED: Duration = Duration::from_secs(3_600);

/// Whether this is the name of what [`FileStorage`] writes before it takes the place of a text.
fn is_draft(name: &str) -> bool {
    let mut parts = name.split('.').skip(1);
    let is_unique = |part: &str| part.len() == 32 && part.bytes().all(|digit| digit.is_ascii_hexdigit());
    parts.next().is_some_and(is_unique) && parts.next() == Some("draft") && parts.next().is_none()
}

/// Keeps files in a directory, which only the user of the process may read (on Unix).
#[derive(Debug)]
pub struct FileStorage {
    directory: PathBuf,
}

impl FileStorage {
    /// Keeps files in this directory, which is made if it is not there. What a process that died amid a write left there is
    /// deleted once it is an hour old.
    ///
    /// # Errors
    /// The directory can't be made.
    pub fn open(directory: impl Into<PathBuf>) -> io::Result<Self> {
        let directory = directory.into();
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&directory)?;
        let storage = Self { directory };
        // They are no harm but to the disk: whoever may not delete them goes on.
        let _ = storage.tidy();
        Ok(storage)
    }

    /// Deletes what processes left that died amid a write.
    fn tidy(&self) -> io::Result<()> {
        for entry in std::fs::read_dir(&self.directory)? {
            let entry = entry?;
            let is_old = || {
                let age = entry.metadata().and_then(|file| file.modified()).map(|at| at.elapsed());
                age.is_ok_and(|age| age.is_ok_and(|age| age >= ABANDONED))
            };
            if entry.file_name().to_str().is_some_and(is_draft) && is_old() {
                let _ = std::fs::remove_file(entry.path());
            }
        }
        Ok(())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.json"))
    }

    /// Writes a new file that only this user may read.
    fn write(draft: &Path, text: &str) -> io::Result<()> {
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_data()
    }
}

impl Storage for FileStorage {
    fn get(&self, name: &str) -> io::Result<Option<String>> {
        match std::fs::read_to_string(self.path(name)) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn set(&self, name: &str, text: &str) -> io::Result<()> {
        // Its own: another client may write the same text.
        let draft = self.directory.join(format!("{name}.{}.draft", uuid::Uuid::new_v4().simple()));
        let kept = Self::write(&draft, text).and_then(|()| std::fs::rename(&draft, self.path(name)));
        if kept.is_err() {
            // It may not even be there.
            let _ = std::fs::remove_file(&draft);
        }
        kept
    }

    fn erase(&self, prefix: &str) -> io::Result<()> {
        let mut ended = Ok(());
        for entry in std::fs::read_dir(&self.directory)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            // A draft is there where a process died amid a write.
            if name.starts_with(prefix) && (name.ends_with(".json") || name.ends_with(".draft")) {
                match std::fs::remove_file(&path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => ended = Err(error),
                    _ => {}
                }
            }
        }
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keeps(storage: &dyn Storage) {
        assert_eq!(storage.get("a1").unwrap(), None);
        storage.set("a1", "one").unwrap();
        storage.set("a2", "more").unwrap();
        storage.set("b1", "other").unwrap();
        storage.set("a1", "two").unwrap();
        assert_eq!(storage.get("a1").unwrap().as_deref(), Some("two"));
        storage.erase("a").unwrap();
        storage.erase("a").unwrap();
        assert_eq!((storage.get("a1").unwrap(), storage.get("a2").unwrap()), (None, None));
        assert_eq!(storage.get("b1").unwrap().as_deref(), Some("other"));
    }

    #[test]
    fn memory_keeps() {
        keeps(&MemoryStorage::default());
    }

    #[test]
    fn files_keep_and_nobody_else_reads_them() {
        let directory = tempfile::tempdir().unwrap();
        let storage = FileStorage::open(directory.path().join("deep/er")).unwrap();
        keeps(&storage);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(storage.path("b1")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn a_text_is_whole_whoever_writes_it_too() {
        let directory = tempfile::tempdir().unwrap();
        let storage = FileStorage::open(directory.path()).unwrap();
        let texts = ["a".repeat(200_000), "b".repeat(100_000)];
        storage.set("t", &texts[0]).unwrap();
        std::thread::scope(|scope| {
            for text in &texts {
                scope.spawn(|| (0..40).for_each(|_| storage.set("t", text).unwrap()));
            }
            for _ in 0..200 {
                let kept = storage.get("t").unwrap().unwrap();
                assert!(texts.contains(&kept), "{} bytes", kept.len());
            }
        });
    }

    #[test]
    fn what_a_process_left_amid_a_write_is_erased_too_and_nothing_of_others() {
        let directory = tempfile::tempdir().unwrap();
        let storage = FileStorage::open(directory.path()).unwrap();
        for name in ["a1.json", "a2.draft", "a3.txt", "b1.draft"] {
            std::fs::write(directory.path().join(name), "").unwrap();
        }
        storage.erase("a").unwrap();
        let there = |name: &str| directory.path().join(name).exists();
        assert_eq!(["a1.json", "a2.draft", "a3.txt", "b1.draft"].map(there), [false, false, true, true]);
    }

    #[test]
    fn what_a_process_left_amid_a_write_is_deleted_after_an_hour() {
        let directory = tempfile::tempdir().unwrap();
        let unique = "0123456789abcdef0123456789abcdef";
        let names =
            [format!("a.{unique}.draft"), format!("b.{unique}.draft"), "c.draft".into(), "d.json".into()];
        for (name, minutes) in names.iter().zip([61, 10, 61, 61]) {
            let file = std::fs::File::create(directory.path().join(name)).unwrap();
            let now = file.metadata().unwrap().modified().unwrap();
            file.set_modified(now - Duration::from_secs(minutes * 60)).unwrap();
        }
        FileStorage::open(directory.path()).unwrap();
        let there = names.map(|name| directory.path().join(name).exists());
        assert_eq!(there, [false, true, true, true]);
    }
}
