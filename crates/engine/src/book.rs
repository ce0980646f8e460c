//! What a workspace's events are judged by: its rules, what triggers its functions, its settings. Compiled once.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, PoisonError, RwLock};

use campanile_model::Slug;
use campanile_rules::RuleSet;
use tokio::sync::{Mutex, Semaphore, SemaphorePermit};

use crate::function::{self, Trigger};
use crate::settings::{self, Settings};
use crate::{Engine, EngineError, rule};

/// What books kept at once may take. Above, all are forgotten: reading one again costs a few milliseconds.
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
pub struct Books {
    shelf: RwLock<Shelf>,
    /// Held while a book is read, so that a thousand requests that need it read it once.
    reading: [Mutex<()>; READERS],
    hash: RandomState,
    turns: Semaphore,
}

#[derive(Default)]
struct Shelf {
    books: HashMap<Slug, Arc<Book>>,
    bytes: usize,
    /// Counts what was forgotten, so that nothing read before a change is kept after it.
    changes: u64,
}

impl Default for Books {
    /// One at a time.
    fn default() -> Self {
        Self::new(1)
    }
}

impl Books {
    /// None read yet. Rules and conditions may take so many threads at once, at least one: those of an event at
    /// their limits take seconds, so whoever has several threads keeps one for all other requests.
    pub fn new(at_once: usize) -> Self {
        Self {
            shelf: RwLock::default(),
            reading: Default::default(),
            hash: RandomState::new(),
            turns: Semaphore::new(at_once.max(1)),
        }
    }

    /// Waits, first come first served, until a slice of rules or conditions may be asked. A slice takes
    /// milliseconds ([`campanile_rules::limits::SLICE`]), so that no workspace waits long for another's events.
    pub(crate) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // Fails only where it was closed, which nobody does.
        self.turns.acquire().await.ok()
    }

    /// The book of `workspace`.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) async fn of(&self, engine: &Engine, workspace: &Slug) -> Result<Arc<Book>, EngineError> {
        if let (Some(book), _) = self.kept(workspace) {
            return Ok(book);
        }
        #[allow(clippy::cast_possible_truncation, reason = "any bits will do")]
        let reader = self.hash.hash_one(workspace) as usize % READERS;
        let _reading = self.reading[reader].lock().await;
        let changes = match self.kept(workspace) {
            (Some(book), _) => return Ok(book),
            (None, changes) => changes,
        };
        let book = Arc::new(Book::load(engine, workspace).await?);
        let mut shelf = self.shelf.write().unwrap_or_else(PoisonError::into_inner);
        if shelf.changes == changes {
            shelf.put(workspace, Arc::clone(&book));
        }
        Ok(book)
    }

    fn kept(&self, workspace: &Slug) -> (Option<Arc<Book>>, u64) {
        let shelf = self.shelf.read().unwrap_or_else(PoisonError::into_inner);
        (shelf.books.get(workspace).map(Arc::clone), shelf.changes)
    }

    /// Reads the book of `workspace` again when it is next needed: call it once a rule, a function or the
    /// settings were committed.
    pub(crate) fn forget(&self, workspace: &Slug) {
        let mut shelf = self.shelf.write().unwrap_or_else(PoisonError::into_inner);
        shelf.changes += 1;
        if let Some(book) = shelf.books.remove(workspace) {
            shelf.bytes -= book.bytes;
        }
    }
}

impl Shelf {
    fn put(&mut self, workspace: &Slug, book: Arc<Book>) {
        if self.bytes + book.bytes > CAPACITY_BYTES {
            self.books.clear();
            self.bytes = 0;
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
