//! One product, or many at once, as their producer wants them.

use std::collections::HashSet;
use std::sync::Arc;

use campanile_model::{NotificationId, Slug, Timestamp};
use campanile_store::{Change, DocumentKind, DocumentWrite, Expect, StoreError};

use super::draft::{Draft, Patch};
use super::kept::{Found, Kept};
use super::read::find;
use super::{MAX_PRODUCTS, Product, ProductId, Status};
use crate::settings::Settings;
use crate::{Engine, EngineError, event};

/// How often a product that somebody else changes at the same time is looked at again, where the caller does not
/// say in which state it expects it.
pub(super) const ATTEMPTS: usize = 5;

/// Makes products, all of them or none. With `batch`, errors name the place in it.
///
/// # Errors
/// [`EngineError::Invalid`]; [`EngineError::Exists`], also where one was removed less than 90 days ago; those of
/// the store.
///
/// # Cancel safety
/// A dropped future may or may not have made them, never some.
pub async fn create(
    engine: &Engine,
    workspace: &Slug,
    drafts: Vec<Draft>,
    batch: bool,
    now: Timestamp,
) -> Result<Vec<Product>, EngineError> {
    if drafts.is_empty() || drafts.len() > MAX_PRODUCTS {
        return Err(EngineError::invalid("", format!("a batch has 1 to {MAX_PRODUCTS} products")));
    }
    let book = engine.books.of(engine, workspace).await?;
    let mut ids = HashSet::with_capacity(drafts.len());
    let mut made = Vec::with_capacity(drafts.len());
    for (place, mut draft) in drafts.into_iter().enumerate() {
        let place = batch.then_some(place);
        let given = draft.id.take();
        let id = given.unwrap_or_else(|| ProductId((engine.ids)(now).to_string().into()));
        if !ids.insert(id.clone()) {
            return Err(EngineError::invalid("id", "two products of the batch have one id").at(place));
        }
        let said = draft.check().map_err(|error| error.at(place))?;
        made.push((id, Kept::new(said, &book.settings, now)));
    }
    let documents = made.iter().map(|(id, kept)| kept.write(engine, id, Expect::Absent, now)).collect();
    let versions = match commit(engine, workspace, documents, Vec::new(), now).await {
        Err(EngineError::Store(StoreError::Conflict { kind: DocumentKind::Product, id: taken, .. })) => {
            let place = made.iter().position(|(id, _)| id.0 == taken).filter(|_| batch);
            return Err(EngineError::Exists { what: "product" }.at(place));
        }
        versions => versions?,
    };
    let found = made.into_iter().zip(versions);
    Ok(found.map(|((id, kept), version)| shown(id, kept, version, None, &book.settings, now)).collect())
}

/// Makes the product `id`, or puts `draft` in its place, if it is in the state `expected` (0: there is none; any,
/// if none is named). One that was removed comes back. Returns whether it was made.
///
/// # Errors
/// [`EngineError::Invalid`], [`EngineError::Changed`]; those of the store.
///
/// # Cancel safety
/// A dropped future may or may not have taken effect.
pub async fn put(
    engine: &Engine,
    workspace: &Slug,
    id: &ProductId,
    draft: Draft,
    expected: Option<u64>,
    now: Timestamp,
) -> Result<(Product, bool), EngineError> {
    same_id(draft.id.as_ref(), id)?;
    let said = draft.check()?;
    let settings = engine.books.of(engine, workspace).await?.settings.clone();
    let mut made = false;
    let product = change(engine, workspace, id, expected, now, |found| {
        made = found.is_none();
        Ok(match found {
            None => (Kept::new(said.clone(), &settings, now), Vec::new()),
            Some(found) => {
                let mut kept = found.kept.clone();
                let told = kept.say(said.clone(), &settings, now);
                (kept, told)
            }
        })
    })
    .await?;
    Ok((product, made))
}

/// Changes what `patch` names of the product `id`, if it is in the state `expected` (any, if none is named).
///
/// # Errors
/// [`EngineError::Missing`], [`EngineError::Invalid`], [`EngineError::Changed`]; those of the store.
///
/// # Cancel safety
/// A dropped future may or may not have taken effect.
pub async fn patch(
    engine: &Engine,
    workspace: &Slug,
    id: &ProductId,
    patch: Patch,
    expected: Option<u64>,
    now: Timestamp,
) -> Result<Product, EngineError> {
    same_id(patch.id.as_ref(), id)?;
    let settings = engine.books.of(engine, workspace).await?.settings.clone();
    change(engine, workspace, id, expected, now, |found| {
        let found = found.ok_or(EngineError::Missing { what: "product" })?;
        let mut kept = found.kept.clone();
        let said = patch.clone().apply(&kept.said)?;
        if patch.status.is_some() {
            // Plans are for those that stay: what is said of it is only noted.
            kept.said = said;
            let told = kept.remove();
            return Ok((kept, told));
        }
        if kept.status == Status::Removed {
            return Err(EngineError::invalid("", "the product was removed; PUT brings it back"));
        }
        let told = kept.say(said, &settings, now);
        Ok((kept, told))
    })
    .await
}

/// The product is gone: nothing more is told of it, and what was told and is unread is taken back. Removing it
/// again changes nothing.
///
/// # Errors
/// [`EngineError::Missing`], [`EngineError::Changed`]; those of the store.
///
/// # Cancel safety
/// A dropped future may or may not have taken effect.
pub async fn remove(
    engine: &Engine,
    workspace: &Slug,
    id: &ProductId,
    expected: Option<u64>,
    now: Timestamp,
) -> Result<(), EngineError> {
    let removed = change(engine, workspace, id, expected, now, |found| {
        let mut kept = found.ok_or(EngineError::Missing { what: "product" })?.kept.clone();
        let told = kept.remove();
        Ok((kept, told))
    });
    removed.await.map(drop)
}

/// Writes what `next` makes of the product as it is, and takes back the notifications that no longer hold.
async fn change(
    engine: &Engine,
    workspace: &Slug,
    id: &ProductId,
    expected: Option<u64>,
    now: Timestamp,
    mut next: impl FnMut(Option<&Found>) -> Result<(Kept, Vec<NotificationId>), EngineError>,
) -> Result<Product, EngineError> {
    let changed = EngineError::Changed { what: "product" };
    for _ in 0..ATTEMPTS {
        let settings = engine.books.of(engine, workspace).await?.settings.clone();
        let found = find(engine, workspace, id).await?;
        if expected.is_some_and(|expected| expected != found.as_ref().map_or(0, |found| found.version)) {
            // To those who expect one, a product that never was is a miss.
            return Err(if found.is_none() { EngineError::Missing { what: "product" } } else { changed });
        }
        let (kept, told) = next(found.as_ref())?;
        if let Some(found) = &found
            && found.kept == kept
        {
            return Ok(found.clone().show(&settings));
        }
        let (expect, created) = match &found {
            Some(found) => (Expect::Version(found.version), Some(found.created)),
            None => (Expect::Absent, None),
        };
        let documents = vec![kept.write(engine, id, expect, now)];
        match commit(engine, workspace, documents, told, now).await {
            Ok(versions) => {
                let version = versions.first().copied().unwrap_or(0);
                return Ok(shown(id.clone(), kept, version, created, &settings, now));
            }
            Err(EngineError::Store(StoreError::Conflict { .. })) if expected.is_none() => {}
            Err(error) => return Err(error.changed("product")),
        }
    }
    Err(changed)
}

fn shown(
    id: ProductId,
    kept: Kept,
    version: u64,
    created: Option<Timestamp>,
    settings: &Settings,
    now: Timestamp,
) -> Product {
    Found { id, kept, version, created: created.unwrap_or(now), updated: now }.show(settings)
}

fn same_id(said: Option<&ProductId>, id: &ProductId) -> Result<(), EngineError> {
    match said {
        Some(said) if said != id => Err(EngineError::invalid("id", "the path names another product")),
        _ => Ok(()),
    }
}

/// Writes products, and takes back the notifications that no longer hold. Returns the products' versions.
pub(super) async fn commit(
    engine: &Engine,
    workspace: &Slug,
    documents: Vec<DocumentWrite>,
    resolve: Vec<NotificationId>,
    now: Timestamp,
) -> Result<Vec<u64>, EngineError> {
    let change = Change { documents, resolve, ..Change::default() };
    Ok(event::append(engine, workspace, change, Vec::new(), now).await?.versions)
}

/// The name of a product's document.
pub(super) fn key(id: &ProductId) -> Arc<str> {
    Arc::clone(&id.0)
}
