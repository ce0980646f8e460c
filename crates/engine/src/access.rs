//! Who has access to a workspace, beside what their token says.

mod judged;

use std::sync::Arc;

use campanile_model::{Slug, Timestamp, UserId};
use campanile_store::{
    Change, Contents, DocumentKind, DocumentQuery, DocumentWrite, Expect, Order, StoreError, document,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::event::{Cause, Event, commit_urgent, source};
use crate::page::{self, Page};
use crate::{Engine, EngineError};

pub use judged::{Judged, is_withdrawn};

/// How often a user's access that somebody else changes at the same time is looked at again.
const ATTEMPTS: usize = 5;

/// What was last decided of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// Who.
    pub user: UserId,
    /// Whether they have access.
    pub granted: bool,
    /// Since when.
    pub since: Timestamp,
}

/// As it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    user: UserId,
    granted: bool,
}

/// Gives `user` access to `workspace` from here on: they see what follows, and again what they saw while they
/// had it before. They are told. `false`: it was granted before, and nobody is told again.
///
/// # Errors
/// Those of the store.
pub async fn grant(
    engine: &Engine,
    workspace: &Slug,
    user: UserId,
    actor: &UserId,
    now: Timestamp,
) -> Result<bool, EngineError> {
    decide(engine, workspace, user, true, actor, now).await
}

/// Takes the access of `user` to `workspace` away, whatever their token says, until they are [granted](grant) it
/// again: they see nothing of it, and may do nothing in it. Their sockets are told, unless rules are flooded, and closed.
/// `false`: they had none.
///
/// # Errors
/// Those of the store.
pub async fn withdraw(
    engine: &Engine,
    workspace: &Slug,
    user: UserId,
    actor: &UserId,
    now: Timestamp,
) -> Result<bool, EngineError> {
    decide(engine, workspace, user, false, actor, now).await
}

/// Lists what was decided, by user. Whoever is not there has the access that their token gives.
///
/// # Errors
/// [`EngineError::Invalid`] for a limit out of range; those of the store.
pub async fn list(
    engine: &Engine,
    workspace: &Slug,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<Decided, Arc<str>>, EngineError> {
    let query = DocumentQuery {
        kind: DocumentKind::Access,
        group: None,
        order: Order::Id(after.map(Into::into)),
        limit: page::limit(limit)?,
    };
    page::by_id(engine, workspace, query, |document| {
        let Kept { user, granted } = page::body(document)?;
        Ok(Some(Decided { user, granted, since: document.updated }))
    })
    .await
}

async fn decide(
    engine: &Engine,
    workspace: &Slug,
    user: UserId,
    granted: bool,
    actor: &UserId,
    now: Timestamp,
) -> Result<bool, EngineError> {
    for _ in 0..ATTEMPTS {
        let found = document(&*engine.store, workspace, DocumentKind::Access, user.as_str()).await?;
        let kept = found.as_ref().map(page::body::<Kept>).transpose()?;
        let has_access = engine.store.snapshot(workspace, &user).await?.visibility.access.is_open();
        // Whoever was never decided of has access by their token alone: that it is granted is news to them.
        if has_access == granted && (!granted || kept.is_some_and(|kept| kept.granted)) {
            return Ok(false);
        }
        let expect = found.map_or(Expect::Absent, |found| Expect::Version(found.version));
        let cause = cause(engine, &user, granted, expect, actor, now);
        let committed = commit_urgent(engine, workspace, cause, now).await;
        engine.judged.forget(workspace, &user);
        match committed {
            Err(EngineError::Store(StoreError::Conflict { kind: DocumentKind::Access, .. })) => {}
            other => return other.map(|_| true),
        }
    }
    Err(EngineError::Overloaded)
}

fn cause(
    engine: &Engine,
    user: &UserId,
    granted: bool,
    expect: Expect,
    actor: &UserId,
    now: Timestamp,
) -> Cause {
    let kind = if granted { "user.access_granted" } else { "user.access_withdrawn" };
    let event = Event {
        id: (engine.ids)(now).to_string(),
        source: source::ACCESS.to_owned(),
        kind: kind.to_owned(),
        subject: Some(user.to_string()),
        time: now,
        actor: Some(actor.clone()),
        hops: 0,
        data: json!({ "user": user }).into(),
    };
    let body = serde_json::to_string(&Kept { user: user.clone(), granted }).unwrap_or_default();
    let put = Contents { group: "".into(), due: None, expires: None, body: body.into() };
    let kept = DocumentWrite { kind: DocumentKind::Access, id: user.as_str().into(), expect, put: Some(put) };
    let mut change = Change { documents: vec![kept], ..Change::default() };
    if granted { &mut change.grant } else { &mut change.withdraw }.push(user.clone());
    Cause { change, events: vec![event] }
}
