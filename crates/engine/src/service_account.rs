//! Machine clients of a workspace: a name, what they may do, and a secret of which only the hash is kept.
//!
//! What they get for the secret is a token, which the server signs: this is who may have one, and for what.

use std::sync::Arc;

use aws_lc_rs::{constant_time, digest};
use campanile_model::{Slug, Timestamp, UserId};
use campanile_store::{
    Change, Contents, Document, DocumentKind, DocumentQuery, DocumentWrite, Expect, Order, StoreError,
    document,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::event::{Cause, Event, commit_at_once, hex, key, source};
use crate::limit::{DocumentLimit, Limit};
use crate::page::{self, Page};
use crate::revocation::{Revocation, Tokens, note_deleted};
use crate::{Engine, EngineError, Span};

/// Service accounts of one workspace, those included whose tokens may still live after they were deleted.
pub const MAX_SERVICE_ACCOUNTS: usize = 200;
const LIMIT: DocumentLimit = DocumentLimit {
    limit: Limit { name: "service_accounts", max: MAX_SERVICE_ACCOUNTS },
    what: "service accounts of one workspace",
    kind: DocumentKind::ServiceAccount,
    group: None,
};
/// The longest that a token of one may live, in milliseconds: 24 hours.
pub const LONGEST_TOKEN_MS: i64 = 24 * 60 * 60 * 1_000;
/// What one may be allowed to do: every word for a workspace. Never `operator`, which reaches all of them.
pub const SCOPES: [&str; 7] = [
    "admin",
    "events:write",
    "functions:execute",
    "functions:write",
    "notifications:write",
    "products:write",
    "records:write",
];
/// What the user's name of every one begins with.
pub const USER_PREFIX: &str = "service:";
/// Bytes of a name, so that a user's name has room for it and the workspace.
const NAME_BYTES: std::ops::RangeInclusive<usize> = 1..=40;
/// Characters of a description.
const DESCRIPTION_CHARS: usize = 500;
/// An account that nobody has. Its secret is the hash of none.
const DECOY: &str = r#"{
    "scopes": ["notifications:write"], "by": "nobody",
    "created": "2026-01-01T00:00:00.000Z", "rotated": "2026-01-01T00:00:00.000Z",
    "secret": "0000000000000000000000000000000000000000000000000000000000000000"
}"#;
/// How long both secrets may be good after a rotation, in milliseconds: 24 hours.
const LONGEST_OVERLAP_MS: i64 = 24 * 60 * 60 * 1_000;
/// What accounts that are there are listed under, and those that were deleted.
pub(crate) const LIVE: &str = "live";
const DELETED: &str = "deleted";

/// A service account that is to be made.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ServiceAccountDraft)]
pub struct Draft {
    /// Its name in the workspace: 1 to 40 lower-case letters, digits and hyphens, no hyphen first or last.
    #[schema(min_length = 1, max_length = 40, example = "order-events")]
    pub name: String,
    /// What its tokens may do, at least one: the scopes of a workspace, not `operator`.
    #[schema(min_items = 1, example = json!(["notifications:write"]))]
    pub scopes: Vec<String>,
    /// What it is for, at most 500 characters.
    #[serde(default)]
    #[schema(nullable = false, max_length = 500)]
    pub description: Option<String>,
}

/// A machine client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAccount {
    /// Its name in the workspace.
    pub name: Arc<str>,
    /// The workspace's slug, a dot, and the name.
    pub client_id: String,
    /// The user that its tokens name: `service:` and the client id.
    pub user: UserId,
    /// Where.
    pub workspace: Slug,
    /// What its tokens may do, in byte order.
    pub scopes: Vec<String>,
    /// What it is for.
    pub description: Option<String>,
    /// When it was made.
    pub created: Timestamp,
    /// Who made it.
    pub by: UserId,
    /// When its secret was made.
    pub rotated: Timestamp,
    /// Until when the secret before it is good too.
    pub former_until: Option<Timestamp>,
    /// When the last one of its name was deleted: a token that was issued in that second or before is that one's, and
    /// refused.
    pub namesake_deleted: Option<Timestamp>,
}

/// What is kept of a secret.
///
/// A plain SHA-256: the secret is 256 random bits, so that there is nothing to guess that a slow hash would protect,
/// and one would cost every caller a fraction of a second of ours.
#[derive(Clone, Copy)]
pub struct SecretHash([u8; digest::SHA256_OUTPUT_LEN]);

impl SecretHash {
    /// Of a secret, as it is written.
    pub fn of(secret: &str) -> Self {
        let mut hash = [0; digest::SHA256_OUTPUT_LEN];
        hash.copy_from_slice(digest::digest(&digest::SHA256, secret.as_bytes()).as_ref());
        Self(hash)
    }

    /// Whether `text` is this hash. Takes as long wherever they differ.
    fn is(&self, text: &str) -> bool {
        constant_time::verify_slices_are_equal(hex(&self.0).as_bytes(), text.as_bytes()).is_ok()
    }
}

/// As it is kept.
#[derive(Clone, Serialize, Deserialize)]
struct Kept {
    scopes: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    created: Timestamp,
    by: UserId,
    rotated: Timestamp,
    /// The hash of its secret; empty once it is deleted.
    secret: String,
    /// The hash of the secret before, and until when that is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    former: Option<(String, Timestamp)>,
    /// When one of this name was last deleted: tokens issued until then are refused as long as they may live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deleted: Option<Timestamp>,
}

/// Makes a service account, whose secret has the hash `secret`.
///
/// # Errors
/// [`EngineError::Invalid`], [`EngineError::Exists`], a limit; those of the store.
pub async fn create(
    engine: &Engine,
    workspace: &Slug,
    draft: Draft,
    secret: SecretHash,
    actor: &UserId,
    now: Timestamp,
) -> Result<ServiceAccount, EngineError> {
    let Draft { name, mut scopes, description } = draft;
    check_name(&name)?;
    check_scopes(&mut scopes)?;
    if description.as_ref().is_some_and(|text| text.chars().count() > DESCRIPTION_CHARS) {
        return Err(EngineError::invalid("description", "it has at most 500 characters"));
    }
    let _turn = engine.counts.turn(workspace).await;
    let found = find(engine, workspace, &name).await?;
    let (expect, deleted, events) = match found {
        Some((document, kept)) if &*document.contents.group == DELETED => {
            (Expect::Version(document.version), kept.deleted, Vec::new())
        }
        Some(_) => return Err(EngineError::Exists { what: "service account" }),
        None => (Expect::Absent, None, LIMIT.one_more(engine, workspace, actor, now).await?),
    };
    let kept = Kept {
        scopes,
        description,
        created: now,
        by: actor.clone(),
        rotated: now,
        secret: hex(&secret.0),
        former: None,
        deleted,
    };
    write(engine, workspace, &name, expect, LIVE, &kept, "created", events, actor, now).await?;
    account(workspace, name.into(), kept, now)
}

/// Lists the service accounts of `workspace` by name.
///
/// # Errors
/// [`EngineError::Invalid`] for a limit out of range; those of the store.
pub async fn list(
    engine: &Engine,
    workspace: &Slug,
    after: Option<&str>,
    limit: usize,
    now: Timestamp,
) -> Result<Page<ServiceAccount, Arc<str>>, EngineError> {
    let query = DocumentQuery {
        kind: DocumentKind::ServiceAccount,
        group: Some(LIVE.into()),
        order: Order::Id(after.map(Into::into)),
        limit: page::limit(limit)?,
    };
    let read = |document: &Document| {
        account(workspace, Arc::clone(&document.id), page::body(document)?, now).map(Some)
    };
    page::by_id(engine, workspace, query, read).await
}

/// One service account by its name.
///
/// # Errors
/// [`EngineError::Missing`]; those of the store.
pub async fn read(
    engine: &Engine,
    workspace: &Slug,
    name: &str,
    now: Timestamp,
) -> Result<ServiceAccount, EngineError> {
    let (document, kept) = live(engine, workspace, name).await?;
    account(workspace, document.id, kept, now)
}

/// Gives it a new secret, of the hash `secret`. The former one is good for `overlap` longer, at most 24 hours; `None`:
/// not at all. Tokens it has live on.
///
/// # Errors
/// [`EngineError::Missing`], [`EngineError::Invalid`], [`EngineError::Changed`]; those of the store.
pub async fn rotate(
    engine: &Engine,
    workspace: &Slug,
    name: &str,
    secret: SecretHash,
    overlap: Option<Span>,
    actor: &UserId,
    now: Timestamp,
) -> Result<ServiceAccount, EngineError> {
    let overlap_ms = overlap.map_or(0, Span::as_millis);
    if !(0..=LONGEST_OVERLAP_MS).contains(&overlap_ms) {
        return Err(EngineError::invalid("overlap", "a former secret is good for at most 24 hours"));
    }
    let (document, mut kept) = live(engine, workspace, name).await?;
    let until = Timestamp::from_millis(now.as_millis().saturating_add(overlap_ms));
    let former = std::mem::replace(&mut kept.secret, hex(&secret.0));
    kept.former = (overlap_ms > 0).then_some((former, until));
    kept.rotated = now;
    let expect = Expect::Version(document.version);
    write(engine, workspace, name, expect, LIVE, &kept, "rotated", Vec::new(), actor, now).await?;
    account(workspace, document.id, kept, now)
}

/// Removes it. Its tokens that say `now`, in whole seconds, or before are refused from the return on, and their live
/// connections are closed within a second. Nobody may make one meanwhile.
///
/// # Errors
/// [`EngineError::Missing`], [`EngineError::Changed`]; those of the store.
pub async fn delete(
    engine: &Engine,
    workspace: &Slug,
    name: &str,
    actor: &UserId,
    now: Timestamp,
) -> Result<(), EngineError> {
    let (document, mut kept) = live(engine, workspace, name).await?;
    (kept.secret, kept.former, kept.deleted) = (String::new(), None, Some(now));
    let expect = Expect::Version(document.version);
    write(engine, workspace, name, expect, DELETED, &kept, "deleted", Vec::new(), actor, now).await?;
    if let Some(revocation) = revoked(user(workspace, name)?, &kept) {
        note_deleted(engine, revocation);
    }
    Ok(())
}

/// The service account of this client id, if `secret` is the hash of one of its secrets at `now`.
///
/// # Errors
/// Those of the store.
pub async fn authenticate(
    engine: &Engine,
    client_id: &str,
    secret: SecretHash,
    now: Timestamp,
) -> Result<Option<ServiceAccount>, EngineError> {
    let parts = client_id.split_once('.').and_then(|(slug, name)| Some((Slug::new(slug).ok()?, name)));
    let Some((workspace, name)) = parts.filter(|(_, name)| check_name(name).is_ok()) else { return Ok(None) };
    // As much is read and compared for an account that is not there.
    let (document, kept) = match find(engine, &workspace, name).await? {
        Some((document, kept)) if !kept.secret.is_empty() => (Some(document), kept),
        _ => (None, decoy()?),
    };
    let is_former = kept.former.as_ref().is_some_and(|(former, until)| *until > now && secret.is(former));
    let is_its_own = secret.is(&kept.secret);
    match document {
        Some(document) if is_its_own || is_former => account(&workspace, document.id, kept, now).map(Some),
        _ => Ok(None),
    }
}

fn decoy() -> Result<Kept, EngineError> {
    serde_json::from_str(DECOY).map_err(|error| StoreError::Internal(format!("the decoy: {error}")).into())
}

/// The tokens of a deleted account that `document` speaks of, if there can be any.
pub(crate) fn revocation(workspace: &Slug, document: &Document) -> Result<Option<Revocation>, EngineError> {
    Ok(revoked(user(workspace, &document.id)?, &page::body(document)?))
}

fn revoked(user: UserId, kept: &Kept) -> Option<Revocation> {
    let at = kept.deleted?;
    let id = revocation_id(&user).into();
    let tokens = Tokens::Of { user, issuer: None };
    Some(Revocation { id, tokens, at, until: Some(until(at)), by: kept.by.clone() })
}

/// The id of what is revoked by deleting the account of this user.
pub(crate) fn revocation_id(user: &UserId) -> String {
    key("service-account", user.as_str())
}

/// When the last token has expired that was issued at `at`.
fn until(at: Timestamp) -> Timestamp {
    Timestamp::from_millis(at.as_millis().saturating_add(LONGEST_TOKEN_MS + crate::revocation::LEEWAY_MS))
}

fn check_name(name: &str) -> Result<(), EngineError> {
    let is_fit = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_name = NAME_BYTES.contains(&name.len())
        && name.bytes().all(is_fit)
        && !name.starts_with('-')
        && !name.ends_with('-');
    let reason = "a name has 1 to 40 lower-case letters, digits and hyphens, no hyphen first or last";
    if is_name { Ok(()) } else { Err(EngineError::invalid("name", reason)) }
}

/// Sorted, each once.
fn check_scopes(scopes: &mut Vec<String>) -> Result<(), EngineError> {
    scopes.sort_unstable();
    scopes.dedup();
    if scopes.is_empty() || scopes.iter().any(|scope| !SCOPES.contains(&scope.as_str())) {
        let reason = format!("scopes are at least one of {}", SCOPES.join(", "));
        return Err(EngineError::invalid("scopes", reason));
    }
    Ok(())
}

fn user(workspace: &Slug, name: &str) -> Result<UserId, EngineError> {
    // 8 bytes, at most 63, a dot, and at most 40.
    let unfit = |_| EngineError::invalid("name", "the name is too long");
    UserId::new(&format!("{USER_PREFIX}{workspace}.{name}")).map_err(unfit)
}

fn account(
    workspace: &Slug,
    name: Arc<str>,
    kept: Kept,
    now: Timestamp,
) -> Result<ServiceAccount, EngineError> {
    Ok(ServiceAccount {
        client_id: format!("{workspace}.{name}"),
        user: user(workspace, &name)?,
        workspace: workspace.clone(),
        name,
        scopes: kept.scopes,
        description: kept.description,
        created: kept.created,
        by: kept.by,
        rotated: kept.rotated,
        former_until: kept.former.map(|(_, until)| until).filter(|until| *until > now),
        namesake_deleted: kept.deleted,
    })
}

async fn find(
    engine: &Engine,
    workspace: &Slug,
    name: &str,
) -> Result<Option<(Document, Kept)>, EngineError> {
    if check_name(name).is_err() {
        return Ok(None);
    }
    let found = document(&*engine.store, workspace, DocumentKind::ServiceAccount, name).await?;
    found.map(|found| Ok((found.clone(), page::body(&found)?))).transpose()
}

async fn live(engine: &Engine, workspace: &Slug, name: &str) -> Result<(Document, Kept), EngineError> {
    let found = find(engine, workspace, name).await?;
    found
        .filter(|(document, _)| &*document.contents.group == LIVE)
        .ok_or(EngineError::Missing { what: "service account" })
}

#[allow(clippy::too_many_arguments, reason = "one place that writes, for three that change")]
async fn write(
    engine: &Engine,
    workspace: &Slug,
    name: &str,
    expect: Expect,
    group: &'static str,
    kept: &Kept,
    what: &str,
    mut events: Vec<Event>,
    actor: &UserId,
    now: Timestamp,
) -> Result<(), EngineError> {
    let until = kept.deleted.map(until).filter(|until| *until > now);
    let put = Contents {
        group: group.into(),
        due: until,
        expires: until.filter(|_| group == DELETED),
        body: serde_json::to_string(kept).unwrap_or_default().into(),
    };
    let document =
        DocumentWrite { kind: DocumentKind::ServiceAccount, id: name.into(), expect, put: Some(put) };
    let event = Event {
        id: (engine.ids)(now).to_string(),
        source: source::ACCESS.to_owned(),
        kind: format!("service_account.{what}"),
        subject: Some(name.to_owned()),
        time: now,
        actor: Some(actor.clone()),
        hops: 0,
        data: json!({ "name": name, "clientId": format!("{workspace}.{name}"), "scopes": kept.scopes })
            .into(),
    };
    events.insert(0, event);
    let change = Change { documents: vec![document], ..Change::default() };
    let committed = commit_at_once(engine, workspace, Cause { change, events }, now).await;
    committed.map(drop).map_err(|error| error.changed("service account"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_has_the_secret_of_the_decoy() {
        let decoy = decoy().unwrap();
        assert_eq!(decoy.secret.len(), hex(&SecretHash::of("s").0).len());
        assert!(!SecretHash::of("").is(&decoy.secret));
    }
}
