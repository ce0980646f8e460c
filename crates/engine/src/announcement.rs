//! Announcements of maintenance: told when they are made, changed or withdrawn, and over when it is.

mod broadcast;
mod draft;

use campanile_model::{NotificationId, Slug, Timestamp, UserId};
use campanile_store::{
    Change, Contents, Document, DocumentKind, DocumentQuery, DocumentWrite, Expect, Order, StoreError, Write,
    document, more_due,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use broadcast::{Everywhere, announce_everywhere, change_everywhere, withdraw_everywhere};
pub(crate) use draft::check_message;
pub use draft::{Draft, Patch};

use crate::event::{Cause, Event, prepare, source};
use crate::page::{self, Page};
use crate::{Engine, EngineError};

/// How long one that is over is kept: 30 days.
const KEPT_MS: i64 = 30 * 24 * 60 * 60 * 1000;
/// What its last event is called where it was withdrawn.
const CANCELLED: &str = "maintenance.cancelled";
/// Ended in one write at most.
const ENDED_AT_ONCE: usize = 200;

/// An announcement of maintenance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Announcement {
    /// Its id: the same in all workspaces that it was made in at once.
    pub id: NotificationId,
    /// The text for people.
    pub message: String,
    /// When maintenance starts.
    pub starts_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
    /// What became of it.
    pub state: State,
    /// What its last event made, which no longer holds once there is another, or the maintenance is over.
    told: Vec<NotificationId>,
}

/// What became of an announcement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = AnnouncementState)]
pub enum State {
    /// It holds.
    Scheduled,
    /// It was withdrawn.
    Cancelled,
    /// The maintenance is over.
    Ended,
}

/// Announces maintenance in `workspace`, under the draft's id or a new one.
///
/// # Errors
/// [`EngineError::Invalid`]; [`EngineError::Exists`] if there is one of that id; those of the store.
pub async fn announce(
    engine: &Engine,
    workspace: &Slug,
    draft: Draft,
    actor: &UserId,
    now: Timestamp,
) -> Result<Announcement, EngineError> {
    let id = draft.id.unwrap_or_else(|| (engine.ids)(now));
    let announcement = draft.announcement(id);
    draft::check(&announcement, now)?;
    match say(engine, workspace, announcement, Expect::Absent, "maintenance.scheduled", actor, now).await {
        Err(EngineError::Store(StoreError::Conflict { kind: DocumentKind::Announcement, .. })) => {
            Err(EngineError::Exists { what: "announcement" })
        }
        other => other,
    }
}

/// Changes an announcement that holds. Changing nothing tells nobody.
///
/// # Errors
/// [`EngineError::Missing`]; [`EngineError::Invalid`], also if it holds no longer; [`EngineError::Changed`] if
/// somebody else changes it now; those of the store.
pub async fn change(
    engine: &Engine,
    workspace: &Slug,
    id: NotificationId,
    patch: &Patch,
    actor: &UserId,
    now: Timestamp,
) -> Result<Announcement, EngineError> {
    let (before, version) = standing(engine, workspace, id).await?;
    let after = patch.applied(&before);
    if after == before {
        return Ok(before);
    }
    draft::check(&after, now)?;
    say(engine, workspace, after, Expect::Version(version), "maintenance.changed", actor, now).await
}

/// Withdraws an announcement that holds.
///
/// # Errors
/// As of [`change`].
pub async fn withdraw(
    engine: &Engine,
    workspace: &Slug,
    id: NotificationId,
    actor: &UserId,
    now: Timestamp,
) -> Result<Announcement, EngineError> {
    let (before, version) = standing(engine, workspace, id).await?;
    let after = Announcement { state: State::Cancelled, ..before };
    say(engine, workspace, after, Expect::Version(version), CANCELLED, actor, now).await
}

/// One announcement.
///
/// # Errors
/// [`EngineError::Missing`]; those of the store.
pub async fn read(
    engine: &Engine,
    workspace: &Slug,
    id: NotificationId,
) -> Result<Announcement, EngineError> {
    Ok(find(engine, workspace, id).await?.0)
}

/// Lists announcements, the newest first, before `before`: those that hold and those of the last 30 days.
///
/// # Errors
/// [`EngineError::Invalid`] for a limit out of range; those of the store.
pub async fn list(
    engine: &Engine,
    workspace: &Slug,
    before: Option<u64>,
    limit: usize,
) -> Result<Page<Announcement, u64>, EngineError> {
    let query = DocumentQuery {
        kind: DocumentKind::Announcement,
        group: None,
        order: Order::Newest(before),
        limit: page::limit(limit)?,
    };
    page::newest(engine, workspace, query, |document| page::body(document).map(Some)).await
}

/// Ends what is over at `now`: what was told of it and not read no longer holds. Whether more is waiting.
pub(crate) async fn end_due(engine: &Engine, now: Timestamp) -> Result<bool, EngineError> {
    let due = engine.store.due(DocumentKind::Announcement, now, None, ENDED_AT_ONCE).await?;
    let more = more_due(&due, ENDED_AT_ONCE);
    let mut outcome = Ok(more);
    for (workspace, documents) in page::by_workspace(due) {
        if let Err(error) = end(engine, &workspace, documents, now).await {
            // The others have their turn first.
            outcome = Err(error);
        }
    }
    outcome
}

async fn end(
    engine: &Engine,
    workspace: &Slug,
    documents: Vec<Document>,
    now: Timestamp,
) -> Result<(), EngineError> {
    let mut change = Change::default();
    let ended = page::readable::<Announcement>(engine, workspace, documents, now).await?;
    for (document, mut announcement) in ended {
        change.resolve.append(&mut announcement.told);
        announcement.state = State::Ended;
        change.documents.push(announcement.document(Expect::Version(document.version), now));
    }
    if !change.documents.is_empty() {
        engine.store.append(workspace, Write::Change(change), now).await?;
    }
    Ok(())
}

/// What [`EngineError::Invalid`] calls the state of an announcement.
const HOLDS_NO_LONGER: &str = "state";

/// One that holds, with its version.
async fn standing(
    engine: &Engine,
    workspace: &Slug,
    id: NotificationId,
) -> Result<(Announcement, u64), EngineError> {
    let (announcement, document) = find(engine, workspace, id).await?;
    let reason = match announcement.state {
        State::Scheduled => return Ok((announcement, document.version)),
        State::Cancelled => "the announcement was withdrawn",
        State::Ended => "the maintenance is over",
    };
    Err(EngineError::invalid(HOLDS_NO_LONGER, reason))
}

async fn find(
    engine: &Engine,
    workspace: &Slug,
    id: NotificationId,
) -> Result<(Announcement, Document), EngineError> {
    let found = document(&*engine.store, workspace, DocumentKind::Announcement, &id.to_string()).await?;
    let found = found.ok_or(EngineError::Missing { what: "announcement" })?;
    Ok((page::body(&found)?, found))
}

/// Keeps `announcement` and tells of it, in one transaction. What was told before no longer holds.
async fn say(
    engine: &Engine,
    workspace: &Slug,
    mut announcement: Announcement,
    expect: Expect,
    kind: &str,
    actor: &UserId,
    now: Timestamp,
) -> Result<Announcement, EngineError> {
    let event = Event {
        id: (engine.ids)(now).to_string(),
        source: source::MAINTENANCE.to_owned(),
        kind: kind.to_owned(),
        subject: Some(announcement.id.to_string()),
        time: now,
        actor: Some(actor.clone()),
        hops: 0,
        data: announcement.said().into(),
    };
    let cause = Cause { events: vec![event], ..Cause::default() };
    let mut prepared = prepare(engine, workspace, cause, now).await?;
    let told = prepared.told.iter().flatten().copied().collect();
    prepared.change.resolve = std::mem::replace(&mut announcement.told, told);
    prepared.change.documents.push(announcement.document(expect, now));
    prepared.commit(engine, workspace, now).await.map_err(|error| match expect {
        Expect::Version(_) => error.changed("announcement"),
        _ => error,
    })?;
    Ok(announcement)
}

/// The announcement once `event`, which told of it, is told by `told` as well. `None`: it says something else by now.
///
/// # Errors
/// Those of the store.
pub(crate) async fn tell_again(
    engine: &Engine,
    workspace: &Slug,
    event: &Event,
    told: &[NotificationId],
    now: Timestamp,
) -> Result<Option<DocumentWrite>, EngineError> {
    let id = event.subject.as_deref().unwrap_or_default();
    let found = document(&*engine.store, workspace, DocumentKind::Announcement, id).await?;
    let Some(found) = found else { return Ok(None) };
    let mut announcement: Announcement = page::body(&found)?;
    let state = if event.kind == CANCELLED { State::Cancelled } else { State::Scheduled };
    if announcement.state != state || announcement.said() != *event.data {
        return Ok(None);
    }
    announcement.told.extend(told);
    Ok(Some(announcement.document(Expect::Version(found.version), now)))
}

impl Announcement {
    /// What its events tell.
    fn said(&self) -> Value {
        json!({
            "announcementId": self.id,
            "message": self.message,
            "startsAt": self.starts_at,
            "endsAt": self.ends_at,
        })
    }

    fn document(&self, expect: Expect, now: Timestamp) -> DocumentWrite {
        let body = serde_json::to_string(self).unwrap_or_default();
        let holds = self.state == State::Scheduled;
        let contents = Contents {
            group: "".into(),
            due: holds.then_some(self.ends_at),
            expires: (!holds).then(|| Timestamp::from_millis(now.as_millis().saturating_add(KEPT_MS))),
            body: body.into(),
        };
        let id = self.id.to_string().into();
        DocumentWrite { kind: DocumentKind::Announcement, id, expect, put: Some(contents) }
    }
}
