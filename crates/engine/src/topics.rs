//! Who listens to a topic.

use campanile_model::limits::MAX_USERS_PER_ENTRY;
use campanile_model::{Seq, Slug, Timestamp, Topic, UserId};
use campanile_store::Write;

use crate::publish::each_once;
use crate::{Engine, EngineError};

/// Subscribers in a page when nothing else is asked for.
pub const DEFAULT_PAGE: usize = 100;
/// Subscribers in a page at most.
pub const MAX_PAGE: usize = 1_000;

/// Some of a topic's subscribers, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribers {
    /// Ascending.
    pub users: Vec<UserId>,
    /// What to ask after for the next page; `None`: there is none.
    pub next: Option<UserId>,
}

/// Lists subscribers of `topic` after `after`, by name, at most `limit` (1 to [`MAX_PAGE`]).
///
/// # Errors
/// [`EngineError::Invalid`] for a limit out of range; those of the store.
pub async fn list(
    engine: &Engine,
    workspace: &Slug,
    topic: &Topic,
    after: Option<&UserId>,
    limit: usize,
) -> Result<Subscribers, EngineError> {
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(EngineError::invalid("limit", format!("the limit is 1 to {MAX_PAGE}")));
    }
    let mut users = engine.store.subscribers(workspace, topic, after, limit + 1).await?;
    let more = users.len() > limit;
    users.truncate(limit);
    let next = if more { users.last().cloned() } else { None };
    Ok(Subscribers { users, next })
}

/// Subscribes `users` to `topic`: they see its entries after the place returned. Users already subscribed
/// stay so.
///
/// # Errors
/// [`EngineError::Invalid`] for no or too many users; [`StoreError::Limit`](campanile_store::StoreError)
/// where a user would have too many topics; those of the backend.
pub async fn add(
    engine: &Engine,
    workspace: &Slug,
    topic: Topic,
    users: Vec<UserId>,
    now: Timestamp,
) -> Result<Seq, EngineError> {
    let users = bounded(users)?;
    write(engine, workspace, Write::Subscribe { topic, users }, now).await
}

/// Ends the subscriptions of `users` to `topic`: they see none of its entries after the place returned.
/// Users not subscribed stay so.
///
/// # Errors
/// [`EngineError::Invalid`] for no or too many users; those of the backend.
pub async fn remove(
    engine: &Engine,
    workspace: &Slug,
    topic: Topic,
    users: Vec<UserId>,
    now: Timestamp,
) -> Result<Seq, EngineError> {
    let users = bounded(users)?;
    write(engine, workspace, Write::Unsubscribe { topic, users }, now).await
}

fn bounded(users: Vec<UserId>) -> Result<Vec<UserId>, EngineError> {
    let users = each_once(users);
    if (1..=MAX_USERS_PER_ENTRY).contains(&users.len()) {
        Ok(users)
    } else {
        Err(EngineError::invalid("users", format!("name 1 to {MAX_USERS_PER_ENTRY} users")))
    }
}

async fn write(engine: &Engine, workspace: &Slug, write: Write, now: Timestamp) -> Result<Seq, EngineError> {
    let appended = engine.store.append(workspace, write, now).await?;
    engine.workspaces.note_stored(workspace);
    Ok(appended.head)
}
