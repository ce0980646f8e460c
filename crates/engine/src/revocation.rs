//! Tokens that are taken back before they expire: one by its id, or all that a user has.
//!
//! A revocation reaches every workspace, as a token may. It is kept, with the event that tells of it, in one of them:
//! the server's [home](Revocations::new). It is dropped once every token it can mean has ended for certain, which only
//! some revocations can tell: the others are kept until they are taken back.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use campanile_model::{Slug, Timestamp, UserId};
use campanile_store::{
    Change, Contents, Document, DocumentKind, DocumentWrite, Expect, StoreError, Write, document, due_place,
    more_due,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::event::{Cause, Event, commit_at_once, key, source};
use crate::page::{self, Page};
use crate::{Engine, EngineError, service_account};

/// Revocations in force at once: some 5 MB, judged in a hash or two each.
pub const MAX_REVOCATIONS: usize = 10_000;
/// Bytes of a token's id or an issuer, at least 1: ids are UUIDs, issuers URLs.
const NAME_BYTES: std::ops::RangeInclusive<usize> = 1..=256;
/// How far ahead a token's end may lie: as far as `campanile token` makes them.
const LONGEST_MS: i64 = 3_650 * 24 * 60 * 60 * 1_000;
/// How long past its end a token may still be taken (`auth.leeway`).
pub(crate) const LEEWAY_MS: i64 = 5_000;
/// What a token says of when it was issued may lie so far past the instant that a revocation means, in milliseconds: it
/// means a whole second.
const SECOND_MS: i64 = 1_000;
/// When the document of a revocation without an end is due, in milliseconds: at the end of the year 9999. It is found
/// by that.
const NEVER_MS: i64 = 253_402_300_799_999;
/// Documents read at once at the start.
const AT_ONCE: usize = 10_000;
/// Documents written at once at the start.
const WRITTEN: usize = 500;

/// What is to be revoked: a token by its id, or the tokens of a user.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = RevocationDraft)]
pub struct Draft {
    /// The `jti` of a token, 1 to 256 bytes. This or `user`.
    #[serde(default)]
    #[schema(nullable = false, min_length = 1, max_length = 256)]
    pub token_id: Option<String>,
    /// When that token expires, if it is known: the revocation is kept until then. Within ten years. Default: the
    /// revocation is kept until it is taken back.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub expires_at: Option<Timestamp>,
    /// A user, in every workspace: every token of theirs that was issued until now. This or `tokenId`.
    #[serde(default)]
    #[schema(value_type = Option<String>, nullable = false)]
    pub user: Option<UserId>,
    /// Only tokens of this issuer, their `iss`: one that is configured, or the server's own. Goes with `user`.
    #[serde(default)]
    #[schema(nullable = false, min_length = 1, max_length = 256)]
    pub issuer: Option<String>,
}

/// Which tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Tokens {
    /// The one of this id.
    #[serde(rename_all = "camelCase")]
    One {
        /// Its `jti`.
        token_id: String,
    },
    /// Those of a user that were issued when they were revoked, or before.
    Of {
        /// Who.
        user: UserId,
        /// Only those of this issuer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        issuer: Option<String>,
    },
}

/// Tokens that are not believed any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// Follows from what is revoked: revoking it again replaces the revocation.
    pub id: Arc<str>,
    /// Which tokens.
    #[serde(flatten)]
    pub tokens: Tokens,
    /// When they were revoked.
    pub at: Timestamp,
    /// Until when it is kept; `None`: until it is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Who revoked them.
    pub by: UserId,
}

/// The revocations in force, of this process. All of them are in the store too.
pub struct Revocations {
    home: Slug,
    longest_life_ms: Option<i64>,
    kept: Mutex<Kept>,
    /// Held from a look at the number of them until one is added.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Kept {
    /// By id.
    revoked: BTreeMap<Arc<str>, Revocation>,
    /// The tokens of deleted service accounts, likewise.
    deleted: BTreeMap<Arc<str>, Revocation>,
}

impl Revocations {
    /// None yet. Those of operators are kept in workspace `home`.
    ///
    /// `longest_life_ms`: whoever judges tokens takes those only that say when they were issued, and live no longer than
    /// that. So a revocation of a user's tokens has done its work by then. `None`: tokens live as long as they
    /// say, and it never has.
    pub fn new(home: Slug, longest_life_ms: Option<i64>) -> Self {
        Self { home, longest_life_ms, kept: Mutex::default(), turn: tokio::sync::Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the last token of a user has ended that was issued in the second of `at` or before.
    fn end_of_all(&self, at: Timestamp) -> Option<Timestamp> {
        self.longest_life_ms.map(|life| later(at, life.saturating_add(SECOND_MS + LEEWAY_MS)))
    }
}

/// Reads what is in force from the store and makes it known: to be called before anybody is let in.
///
/// # Errors
/// Those of the store, and a document that can't be read: whom it means can't be told.
pub async fn load(engine: &Engine, now: Timestamp) -> Result<(), EngineError> {
    let mut kept = Kept::default();
    let mut changed = Vec::new();
    for (workspace, document) in every(engine, DocumentKind::Revocation).await? {
        let mut revocation: Revocation = page::body(&document)?;
        if let Tokens::Of { .. } = revocation.tokens {
            // Tokens may live longer now than when it was made.
            let until = engine.revocations.end_of_all(revocation.at);
            if std::mem::replace(&mut revocation.until, until) != until {
                let expect = Expect::Version(document.version);
                changed.push((workspace, revocation.document(expect, Some(revocation.contents()))));
            }
        }
        kept.revoked.insert(Arc::clone(&revocation.id), revocation);
    }
    for chunk in changed.chunks(WRITTEN) {
        write_all(engine, chunk, now).await?;
    }
    for (workspace, document) in every(engine, DocumentKind::ServiceAccount).await? {
        if let Some(revocation) = service_account::revocation(&workspace, &document)? {
            kept.deleted.insert(Arc::clone(&revocation.id), revocation);
        }
    }
    tracing::debug!(revoked = kept.revoked.len(), deleted = kept.deleted.len(), "revocations are in force");
    *engine.revocations.lock() = kept;
    make_known(engine);
    Ok(())
}

/// Revokes what `draft` says, until it is [taken back](take_back): such a token is refused from the return on, and live
/// connections of one are closed within a second. Revoking the same again counts from now. Rules may be told later.
///
/// # Errors
/// [`EngineError::Invalid`]; a limit; those of the store.
pub async fn revoke(
    engine: &Engine,
    draft: Draft,
    actor: &UserId,
    now: Timestamp,
) -> Result<Revocation, EngineError> {
    let revocation = draft.revocation(&engine.revocations, actor, now)?;
    let _turn = engine.revocations.turn.lock().await;
    {
        let kept = engine.revocations.lock();
        let in_force = kept.revoked.values().filter(|revocation| revocation.is_kept(now)).count();
        if in_force >= MAX_REVOCATIONS && !kept.revoked.contains_key(&revocation.id) {
            let what = "revocations in force";
            return Err(StoreError::Limit { what, limit: MAX_REVOCATIONS }.into());
        }
    }
    let put = Some(revocation.contents());
    write(engine, &revocation, put, "token.revoked", actor, now).await?;
    engine.revocations.lock().revoked.insert(Arc::clone(&revocation.id), revocation.clone());
    make_known(engine);
    Ok(revocation)
}

/// Takes a revocation back: tokens that have not expired are believed again.
///
/// # Errors
/// [`EngineError::Missing`]; those of the store.
pub async fn take_back(
    engine: &Engine,
    id: &str,
    actor: &UserId,
    now: Timestamp,
) -> Result<Revocation, EngineError> {
    let _turn = engine.revocations.turn.lock().await;
    let found = engine.revocations.lock().revoked.get(id).filter(|found| found.is_kept(now)).cloned();
    let revocation = found.ok_or(EngineError::Missing { what: "revocation" })?;
    write(engine, &revocation, None, "token.reinstated", actor, now).await?;
    engine.revocations.lock().revoked.remove(id);
    make_known(engine);
    Ok(revocation)
}

/// Lists what operators revoked, by id. What came of deleted service accounts is not among it.
///
/// # Errors
/// [`EngineError::Invalid`] for a limit out of range.
pub fn list(
    engine: &Engine,
    after: Option<&str>,
    limit: usize,
    now: Timestamp,
) -> Result<Page<Revocation, Arc<str>>, EngineError> {
    let limit = page::limit(limit)?;
    let kept = engine.revocations.lock();
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    let mut found = kept.revoked.range::<str, _>((from, Bound::Unbounded)).map(|(_, revocation)| revocation);
    let items: Vec<_> = found.by_ref().filter(|found| found.is_kept(now)).take(limit).cloned().collect();
    let is_more = found.any(|found| found.is_kept(now));
    let next = items.last().filter(|_| is_more).map(|last| Arc::clone(&last.id));
    Ok(Page { items, next })
}

/// Up to when the tokens of `user` that `issuer` made are revoked, if any are: one that is to be good says a later second.
pub fn up_to(engine: &Engine, user: &UserId, issuer: &str, now: Timestamp) -> Option<Timestamp> {
    let kept = engine.revocations.lock();
    let by_whomever = kept.revoked.get(&*id_of_user(user, None));
    let by_issuer = kept.revoked.get(&*id_of_user(user, Some(issuer)));
    let deleted = kept.deleted.get(&*service_account::revocation_id(user));
    let all = [by_whomever, by_issuer, deleted].into_iter().flatten();
    all.filter(|revocation| revocation.is_kept(now)).map(|revocation| revocation.at).max()
}

/// Drops what has done its work by `now`. Nothing changes but what is kept in mind.
pub fn drop_ended(engine: &Engine, now: Timestamp) {
    let ended = engine.revocations.lock().forget(now);
    if ended > 0 {
        tracing::debug!(ended, "revocations have done their work");
        make_known(engine);
    }
}

/// The tokens of a service account are refused from here on: it was deleted.
pub(crate) fn note_deleted(engine: &Engine, revocation: Revocation) {
    engine.revocations.lock().deleted.insert(Arc::clone(&revocation.id), revocation);
    make_known(engine);
}

/// Tells whoever judges tokens what is in force, all of it. Live connections are judged anew, by that and by
/// whatever else was taken back.
pub fn make_known(engine: &Engine) {
    let kept = engine.revocations.lock();
    // Under the lock, so that what is told last is what is kept.
    engine.live.revoke(&mut kept.revoked.values().chain(kept.deleted.values()));
}

impl Kept {
    /// How many there are less.
    fn forget(&mut self, now: Timestamp) -> usize {
        let before = self.revoked.len() + self.deleted.len();
        self.revoked.retain(|_, revocation| revocation.is_kept(now));
        self.deleted.retain(|_, revocation| revocation.is_kept(now));
        before - self.revoked.len() - self.deleted.len()
    }
}

impl Draft {
    fn revocation(
        self,
        revocations: &Revocations,
        actor: &UserId,
        now: Timestamp,
    ) -> Result<Revocation, EngineError> {
        let is_name = |field, text: &str| {
            let is_fit = NAME_BYTES.contains(&text.len()) && !text.chars().any(char::is_control);
            let reason = "it has 1 to 256 bytes without control characters";
            if is_fit { Ok(()) } else { Err(EngineError::invalid(field, reason)) }
        };
        let (tokens, id, until) = match (self.token_id, self.user) {
            (Some(_), None) if self.issuer.is_some() => {
                return Err(EngineError::invalid("issuer", "an issuer goes with a user"));
            }
            (Some(token_id), None) => {
                is_name("tokenId", &token_id)?;
                let is_fit = |end: Timestamp| end > now && end <= later(now, LONGEST_MS);
                if !self.expires_at.is_none_or(is_fit) {
                    let reason = "a token that can be revoked expires after now, and within ten years";
                    return Err(EngineError::invalid("expiresAt", reason));
                }
                let id = key("token", &token_id);
                // Without, no clock tells that the token has ended: what it says of when it was issued may lie ahead.
                (Tokens::One { token_id }, id, self.expires_at.map(|end| later(end, LEEWAY_MS)))
            }
            (None, Some(_)) if self.expires_at.is_some() => {
                return Err(EngineError::invalid("expiresAt", "it goes with a token's id"));
            }
            (None, Some(user)) => {
                let issuer = self.issuer;
                issuer.as_deref().map_or(Ok(()), |issuer| is_name("issuer", issuer))?;
                let id = id_of_user(&user, issuer.as_deref());
                (Tokens::Of { user, issuer }, id, revocations.end_of_all(now))
            }
            _ => return Err(EngineError::invalid("tokenId", "give tokenId or user")),
        };
        Ok(Revocation { id: id.into(), tokens, at: now, until, by: actor.clone() })
    }
}

/// The id of a revocation of a user's tokens.
fn id_of_user(user: &UserId, issuer: Option<&str>) -> String {
    match issuer {
        Some(issuer) => key(&format!("issuer\0{issuer}"), user.as_str()),
        None => key("user", user.as_str()),
    }
}

fn later(at: Timestamp, ms: i64) -> Timestamp {
    Timestamp::from_millis(at.as_millis().saturating_add(ms))
}

impl Revocation {
    /// Whether it is in force at `now`, if it was not taken back.
    fn is_kept(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| until > now)
    }

    fn contents(&self) -> Contents {
        Contents {
            group: "".into(),
            due: Some(self.until.unwrap_or(Timestamp::from_millis(NEVER_MS))),
            expires: self.until,
            body: serde_json::to_string(self).unwrap_or_default().into(),
        }
    }

    fn document(&self, expect: Expect, put: Option<Contents>) -> DocumentWrite {
        DocumentWrite { kind: DocumentKind::Revocation, id: Arc::clone(&self.id), expect, put }
    }

    /// What it is about, as an event says it.
    fn subject(&self) -> (String, Value) {
        match &self.tokens {
            Tokens::One { token_id } => (token_id.clone(), json!({ "tokenId": token_id })),
            Tokens::Of { user, issuer: None } => (user.to_string(), json!({ "user": user })),
            Tokens::Of { user, issuer } => (user.to_string(), json!({ "user": user, "issuer": issuer })),
        }
    }
}

/// Writes or removes the document, where it is if there is one: the home may have been another workspace when it was
/// written, and it has one place only.
async fn write(
    engine: &Engine,
    revocation: &Revocation,
    put: Option<Contents>,
    kind: &str,
    actor: &UserId,
    now: Timestamp,
) -> Result<(), EngineError> {
    let home = &engine.revocations.home;
    let is_kept = engine.revocations.lock().revoked.contains_key(&revocation.id);
    let found = if is_kept { whereabouts(engine, &revocation.id).await? } else { None };
    let workspace = found.unwrap_or_else(|| home.clone());
    let (subject, data) = revocation.subject();
    let event = Event {
        id: (engine.ids)(now).to_string(),
        source: source::ACCESS.to_owned(),
        kind: kind.to_owned(),
        subject: Some(subject),
        time: now,
        actor: Some(actor.clone()),
        hops: 0,
        data: data.into(),
    };
    let documents = vec![revocation.document(Expect::Anything, put)];
    let change = Change { documents, ..Change::default() };
    commit_at_once(engine, &workspace, Cause { change, events: vec![event] }, now).await.map(drop)
}

/// Writes documents of several workspaces.
async fn write_all(
    engine: &Engine,
    all: &[(Slug, DocumentWrite)],
    now: Timestamp,
) -> Result<(), EngineError> {
    let mut of_each = BTreeMap::<&Slug, Vec<DocumentWrite>>::new();
    for (workspace, document) in all {
        of_each.entry(workspace).or_default().push(document.clone());
    }
    for (workspace, documents) in of_each {
        let change = Change { documents, ..Change::default() };
        engine.store.append(workspace, Write::Change(change), now).await?;
    }
    Ok(())
}

/// The workspace where a revocation is kept.
async fn whereabouts(engine: &Engine, id: &str) -> Result<Option<Slug>, EngineError> {
    let home = &engine.revocations.home;
    if document(&*engine.store, home, DocumentKind::Revocation, id).await?.is_some() {
        return Ok(Some(home.clone()));
    }
    let all = every(engine, DocumentKind::Revocation).await?;
    Ok(all.into_iter().find(|(_, document)| *document.id == *id).map(|(workspace, _)| workspace))
}

/// Every document of a kind that is due at some time, of all workspaces.
async fn every(engine: &Engine, kind: DocumentKind) -> Result<Vec<(Slug, Document)>, EngineError> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let due = engine.store.due(kind, Timestamp::from_millis(i64::MAX), after, AT_ONCE).await?;
        let more = more_due(&due, AT_ONCE);
        after = due.last().and_then(|(_, document)| due_place(document));
        all.extend(due);
        if !more {
            return Ok(all);
        }
    }
}
