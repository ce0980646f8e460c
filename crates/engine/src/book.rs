//! What a workspace's events are judged by: its rules, what triggers its functions, its settings. Compiled once.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use campanile_model::Slug;
use campanile_rules::{RuleSet, Verdict};
use campanile_store::{Document, DocumentKind, DocumentQuery, Order};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::event::Event;
use crate::function::Trigger;
use crate::settings::Settings;
use crate::{Engine, EngineError, function, rule, settings};

/// Books kept at once. Above, all are forgotten: reading one again costs a few milliseconds.
const CAPACITY: usize = 10_000;
/// Documents read at once.
const CHUNK: usize = 500;

/// One workspace's rules, triggers and settings, as of one moment.
#[derive(Debug)]
pub(crate) struct Book {
    /// Its own rules, and those that every workspace has.
    pub(crate) rules: RuleSet,
    /// What runs its functions.
    pub(crate) triggers: Vec<Trigger>,
    /// Its settings.
    pub(crate) settings: Settings,
}

/// The books of all workspaces, read from the store when they are first needed.
pub struct Books {
    shelf: RwLock<Shelf>,
    turns: Semaphore,
}

#[derive(Default)]
struct Shelf {
    books: HashMap<Slug, Arc<Book>>,
    /// Counts what was forgotten, so that nothing read before a change is kept after it.
    changes: u64,
}

impl Default for Books {
    /// One event at a time.
    fn default() -> Self {
        Self::new(1)
    }
}

impl Books {
    /// None read yet. So many events at once may have their rules asked, at least one: 500 rules at their limits
    /// take a thread for a second, so whoever has several threads keeps one for all other requests.
    pub fn new(at_once: usize) -> Self {
        Self { shelf: RwLock::default(), turns: Semaphore::new(at_once.max(1)) }
    }

    /// Waits, first come first served, until rules and triggers may be asked about one event.
    pub(crate) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // Fails only where it was closed, which nobody does.
        self.turns.acquire().await.ok()
    }

    /// The book of `workspace`.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) async fn of(&self, engine: &Engine, workspace: &Slug) -> Result<Arc<Book>, EngineError> {
        let changes = {
            let shelf = self.shelf.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(book) = shelf.books.get(workspace) {
                return Ok(Arc::clone(book));
            }
            shelf.changes
        };
        let book = Arc::new(Book::load(engine, workspace).await?);
        let mut shelf = self.shelf.write().unwrap_or_else(PoisonError::into_inner);
        if shelf.changes == changes {
            if shelf.books.len() >= CAPACITY {
                shelf.books.clear();
            }
            shelf.books.insert(workspace.clone(), Arc::clone(&book));
        }
        Ok(book)
    }

    /// Reads the book of `workspace` again when it is next needed: call it once a rule, a function or the
    /// settings were committed.
    pub(crate) fn forget(&self, workspace: &Slug) {
        let mut shelf = self.shelf.write().unwrap_or_else(PoisonError::into_inner);
        shelf.changes += 1;
        shelf.books.remove(workspace);
    }
}

impl Book {
    async fn load(engine: &Engine, workspace: &Slug) -> Result<Self, EngineError> {
        let settings = settings::load(engine, workspace).await?.settings;
        let rules = all(engine, workspace, DocumentKind::Rule).await?;
        let functions = all(engine, workspace, DocumentKind::Function).await?;
        Ok(Self {
            rules: rule::compile_all(engine, workspace, &rules),
            triggers: functions
                .iter()
                .filter_map(|document| function::trigger(workspace, document))
                .collect(),
            settings,
        })
    }

    /// What the rules make of `event`; those that are not for it are left out.
    pub(crate) fn made(&self, event: &Event) -> Vec<Verdict> {
        event.seen(|seen| self.rules.made(seen))
    }
}

/// Every document of a kind of which a workspace has few.
async fn all(engine: &Engine, workspace: &Slug, kind: DocumentKind) -> Result<Vec<Document>, EngineError> {
    let mut all: Vec<Document> = Vec::new();
    loop {
        let after = all.last().map(|document| Arc::clone(&document.id));
        let query = DocumentQuery { kind, group: None, order: Order::Id(after), limit: CHUNK };
        let page = engine.store.list_documents(workspace, query).await?;
        let ended = page.len() < CHUNK;
        all.extend(page);
        if ended {
            return Ok(all);
        }
    }
}
