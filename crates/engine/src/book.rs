//! What a workspace's events are judged by: its rules, what triggers its functions, its settings. Compiled once.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};

use campanile_model::Slug;
use campanile_rules::RuleSet;
use tokio::sync::Mutex;

use crate::function::{self, Trigger};
use crate::settings::{self, Settings};
use crate::{Engine, EngineError, rule};

/// What books kept at once may take. Above, others are forgotten. Reading one again costs a few milliseconds, one that
/// is as large as it may be a second.
const CAPACITY_BYTES: usize = 256 * 1024 * 1024;
/// What a book takes besides its rules and triggers.
const BOOK_BYTES: usize = 4 * 1024;
/// Books read at once, of different workspaces.
const READERS: usize = 16;

/// One workspace's rules, triggers and settings, as of one moment.
#[derive(Debug)]
pub(crate) struct Book {
    /// Its own rules, and those that every workspace has.
    pub(crate) rules: RuleSet,
    /// What runs its functions.
    pub(crate) triggers: Vec<Trigger>,
    /// Its settings.
    pub(crate) settings: Settings,
    bytes: usize,
}

/// The books of all workspaces, read from the store when they are first needed.
#[derive(Default)]
pub struct Books {
    shelf: RwLock<Shelf>,
    /// Held while a book is read, so that a thousand requests that need it read it once.
    reading: [Mutex<()>; READERS],
    hash: RandomState,
}

#[derive(Default)]
struct Shelf {
    books: HashMap<Slug, Arc<Book>>,
    bytes: usize,
    /// Those that are being read. One that is forgotten meanwhile is not among them any more, and is not kept.
    reading: HashSet<Slug>,
}

impl Books {
    /// The book of `workspace`.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) async fn of(&self, engine: &Engine, workspace: &Slug) -> Result<Arc<Book>, EngineError> {
        if let Some(book) = self.kept(workspace) {
            return Ok(book);
        }
        #[allow(clippy::cast_possible_truncation, reason = "any bits will do")]
        let reader = self.hash.hash_one(workspace) as usize % READERS;
        let _reading = self.reading[reader].lock().await;
        if let Some(book) = self.kept(workspace) {
            return Ok(book);
        }
        self.shelf().reading.insert(workspace.clone());
        let book = Arc::new(Book::load(engine, workspace).await?);
        let mut shelf = self.shelf();
        if shelf.reading.remove(workspace) {
            shelf.put(workspace, Arc::clone(&book));
        }
        Ok(book)
    }

    fn kept(&self, workspace: &Slug) -> Option<Arc<Book>> {
        let shelf = self.shelf.read().unwrap_or_else(PoisonError::into_inner);
        shelf.books.get(workspace).map(Arc::clone)
    }

    fn shelf(&self) -> RwLockWriteGuard<'_, Shelf> {
        self.shelf.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the book of `workspace` again when it is next needed: call it once a rule, a function or the
    /// settings were committed.
    pub(crate) fn forget(&self, workspace: &Slug) {
        let mut shelf = self.shelf();
        shelf.reading.remove(workspace);
        if let Some(book) = shelf.books.remove(workspace) {
            shelf.bytes -= book.bytes;
        }
    }
}

impl Shelf {
    fn put(&mut self, workspace: &Slug, book: Arc<Book>) {
        while self.bytes + book.bytes > CAPACITY_BYTES {
            // Whichever: that costs whoever needs it one more reading.
            let Some(other) = self.books.keys().next().cloned() else { break };
            self.bytes -= self.books.remove(&other).map_or(0, |other| other.bytes);
        }
        self.bytes += book.bytes;
        if let Some(before) = self.books.insert(workspace.clone(), book) {
            self.bytes -= before.bytes;
        }
    }
}

impl Book {
    async fn load(engine: &Engine, workspace: &Slug) -> Result<Self, EngineError> {
        let settings = settings::load(engine, workspace).await?.settings;
        let rules = rule::in_force(engine, workspace).await?;
        let triggers = function::triggers(engine, workspace).await?;
        let mut book = Self { rules, triggers, settings, bytes: BOOK_BYTES };
        book.bytes += book.rules.weight_without("") + book.triggers_without("");
        Ok(book)
    }

    /// Bytes that the triggers take, about, but for that of this function.
    pub(crate) fn triggers_without(&self, function: &str) -> usize {
        let others = self.triggers.iter().filter(|trigger| *trigger.function != *function);
        others.map(|trigger| trigger.matcher.weight()).sum()
    }
}
