//! The rules of a workspace, and what they would do.

use std::sync::{Arc, LazyLock};

use campanile_model::{Slug, Timestamp, UserId};
use campanile_rules::{Asking, Rule, RuleError, RuleSet, RuleSource, Verdict, default_sources, defaults};
use campanile_store::{
    Change, Contents, Document, DocumentKind, DocumentQuery, DocumentWrite, Expect, Order, document,
};

use crate::event::{Cause, Event, MAX_STEPS, Trial, commit, trials};
use crate::limit::{DocumentLimit, Limit};
use crate::page::{self, Page};
use crate::{Engine, EngineError};

/// Rules of one workspace, its own: an event is asked of all of them.
pub const MAX_RULES: usize = 500;
const LIMIT: DocumentLimit = DocumentLimit {
    limit: Limit { name: "rules", max: MAX_RULES },
    what: "rules of one workspace",
    kind: DocumentKind::Rule,
    group: None,
};
/// Bytes that the rules of one workspace take once they are compiled, about: twice what five hundred ordinary ones
/// take. What triggers its functions may take as much.
pub(crate) const MAX_COMPILED_BYTES: usize = 32 * 1024 * 1024;

/// The rules that every workspace has. They are ours: the list of refused keys is for those of others.
static BUILT_IN: LazyLock<Vec<Arc<Rule>>> = LazyLock::new(|| {
    // A test of theirs compiles them.
    defaults(&[]).unwrap_or_default()
});

/// A rule with the state it is in.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// As it was written.
    pub rule: RuleSource,
    /// The state; 0: it is one that every workspace has.
    pub version: u64,
}

/// Lists the rules of `workspace` by name, its own; those that every workspace has are [`built_in`].
///
/// # Errors
/// [`EngineError::Invalid`] for a limit out of range; those of the store.
pub async fn list(
    engine: &Engine,
    workspace: &Slug,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<Stored, Arc<str>>, EngineError> {
    let query = DocumentQuery {
        kind: DocumentKind::Rule,
        group: None,
        order: Order::Id(after.map(Into::into)),
        limit: page::limit(limit)?,
    };
    page::by_id(engine, workspace, query, |document| stored(document).map(Some)).await
}

/// The rules that every workspace has unless it has one of that name itself.
pub fn built_in() -> Vec<RuleSource> {
    default_sources()
}

/// One rule by its name: the workspace's own, else the one that every workspace has.
///
/// # Errors
/// [`EngineError::Missing`]; those of the store.
pub async fn read(engine: &Engine, workspace: &Slug, name: &str) -> Result<Stored, EngineError> {
    if let Some(found) = find(engine, workspace, name).await? {
        return stored(&found);
    }
    let built_in = built_in().into_iter().find(|rule| rule.name == name);
    let rule = built_in.ok_or(EngineError::Missing { what: "rule" })?;
    Ok(Stored { rule, version: 0 })
}

/// Puts `rule` in the place of the one of its name, if that is in the state `expected` (any, if none is named).
/// It takes effect for events after the return. If it makes the limit nearly reached, `actor` did that.
///
/// # Errors
/// [`EngineError::Rule`] with member and position, [`EngineError::Changed`], a limit; those of the store.
pub async fn put(
    engine: &Engine,
    workspace: &Slug,
    rule: RuleSource,
    expected: Option<u64>,
    actor: &UserId,
    now: Timestamp,
) -> Result<Stored, EngineError> {
    let compiled = Rule::compile(rule.clone(), &engine.workspaces.config().refused_keys)?;
    let _turn = engine.counts.turn(workspace).await;
    let found = find(engine, workspace, &rule.name).await?;
    let version = found.map_or(0, |document| document.version);
    if expected.is_some_and(|expected| expected != version) {
        return Err(EngineError::Changed { what: "rule" });
    }
    let book = engine.books.of(engine, workspace).await?;
    refuse_above_weight(book.rules.weight_without(&rule.name) + compiled.weight())?;
    let events = match version {
        0 => LIMIT.one_more(engine, workspace, actor, now).await?,
        _ => Vec::new(),
    };
    let body = serde_json::to_string(&rule).unwrap_or_default();
    let put = Contents { group: "".into(), due: None, expires: None, body: body.into() };
    let version = write(engine, workspace, &rule.name, version, Some(put), events, now).await?;
    Ok(Stored { rule, version })
}

/// Removes the rule of that name. One that every workspace has cannot be removed, but
/// [replaced](put) by one that is off.
///
/// # Errors
/// [`EngineError::Missing`], [`EngineError::Changed`]; those of the store.
pub async fn delete(
    engine: &Engine,
    workspace: &Slug,
    name: &str,
    expected: Option<u64>,
    now: Timestamp,
) -> Result<(), EngineError> {
    let _turn = engine.counts.turn(workspace).await;
    let found = find(engine, workspace, name).await?.ok_or(EngineError::Missing { what: "rule" })?;
    if expected.is_some_and(|expected| expected != found.version) {
        return Err(EngineError::Changed { what: "rule" });
    }
    write(engine, workspace, name, found.version, None, Vec::new(), now).await.map(drop)
}

/// What every rule of today would make of `event`, and why the others would not. With `rule`, what that one
/// would: a rule can be tried before it is put in place. Nothing is sent or kept.
///
/// # Errors
/// [`EngineError::Rule`]; those of the store.
pub async fn try_out(
    engine: &Engine,
    workspace: &Slug,
    event: &Event,
    rule: Option<RuleSource>,
    now: Timestamp,
) -> Result<Vec<Trial>, EngineError> {
    let verdicts = match rule {
        Some(rule) => {
            let rule = Rule::compile(rule, &engine.workspaces.config().refused_keys)?;
            let set = RuleSet::new(vec![Arc::new(rule)], &[])?;
            asked(engine, workspace, &set, event).await
        }
        None => {
            let book = engine.books.of(engine, workspace).await?;
            asked(engine, workspace, &book.rules, event).await
        }
    };
    trials(engine, workspace, verdicts, now).await
}

/// What every rule of `rules` says, those that are not for the event too; the workspace's own first.
async fn asked(engine: &Engine, workspace: &Slug, rules: &RuleSet, event: &Event) -> Vec<Verdict> {
    let (mut asking, mut all) = (Asking::new(MAX_STEPS).all(), Vec::new());
    loop {
        let _turn = engine.rota.turn(workspace).await;
        match event.seen(|seen| rules.ask(seen, &mut asking)) {
            Some(verdicts) => all.extend(verdicts),
            None => break,
        }
    }
    // As they are listed: people look for their own.
    all.sort_by_key(|verdict| verdict.built_in);
    all
}

/// The rules in force. One that was written by an older program and no longer
/// compiles is left out and logged: the others are not its hostages.
///
/// # Errors
/// Those of the store.
pub(crate) async fn in_force(engine: &Engine, workspace: &Slug) -> Result<RuleSet, EngineError> {
    let refused_keys = &engine.workspaces.config().refused_keys;
    let compile = |document: &Document| -> Result<Rule, EngineError> {
        Ok(Rule::compile(stored(document)?.rule, refused_keys)?)
    };
    let mut rules = Vec::new();
    let look = |document: &Document| match compile(document) {
        Ok(rule) => rules.push(Arc::new(rule)),
        Err(error) => tracing::error!(%workspace, rule = %document.id, %error, "a rule can't be used"),
    };
    page::each(engine, workspace, DocumentKind::Rule, None, look).await?;
    // Names are documents' ids: no two are alike.
    Ok(RuleSet::new(rules, &BUILT_IN).unwrap_or_default())
}

async fn find(engine: &Engine, workspace: &Slug, name: &str) -> Result<Option<Document>, EngineError> {
    if name.is_empty() || name.len() > campanile_store::MAX_DOCUMENT_ID_BYTES {
        return Ok(None);
    }
    Ok(document(&*engine.store, workspace, DocumentKind::Rule, name).await?)
}

fn stored(document: &Document) -> Result<Stored, EngineError> {
    Ok(Stored { rule: page::body(document)?, version: document.version })
}

async fn write(
    engine: &Engine,
    workspace: &Slug,
    name: &str,
    version: u64,
    put: Option<Contents>,
    events: Vec<Event>,
    now: Timestamp,
) -> Result<u64, EngineError> {
    let expect = if version == 0 { Expect::Absent } else { Expect::Version(version) };
    let document = DocumentWrite { kind: DocumentKind::Rule, id: name.into(), expect, put };
    let change = Change { documents: vec![document], ..Change::default() };
    let committed = commit(engine, workspace, Cause { change, events }, now).await;
    engine.books.forget(workspace);
    let appended = committed.map_err(|error| error.changed("rule"))?.appended;
    Ok(appended.versions.first().copied().unwrap_or(0))
}

/// Refuses what would take too much of the server's memory.
///
/// # Errors
/// A limit.
pub(crate) fn refuse_above_weight(bytes: usize) -> Result<(), EngineError> {
    if bytes <= MAX_COMPILED_BYTES {
        return Ok(());
    }
    let what = "bytes of compiled rules, and of compiled conditions of functions, of one workspace";
    Err(campanile_store::StoreError::Limit { what, limit: MAX_COMPILED_BYTES }.into())
}

impl From<RuleError> for EngineError {
    fn from(error: RuleError) -> Self {
        Self::Rule(Box::new(error))
    }
}
