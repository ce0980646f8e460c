//! Products for those who look after them.

use std::sync::Arc;

use campanile_model::Slug;
use campanile_store::{DocumentKind, DocumentQuery, Order, document};

use super::kept::Found;
use super::{Product, ProductId, Status};
use crate::page::{self, Page};
use crate::{Engine, EngineError};

/// Which products to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Filter {
    /// Only those that have come to this; `None`: all.
    pub status: Option<Status>,
}

/// Lists products by id, after `after`, at most `limit`.
///
/// # Errors
/// [`EngineError::Invalid`] for a limit out of range; those of the store.
pub async fn list(
    engine: &Engine,
    workspace: &Slug,
    filter: Filter,
    after: Option<&ProductId>,
    limit: usize,
) -> Result<Page<Product, Arc<str>>, EngineError> {
    let book = engine.books.of(engine, workspace).await?;
    let query = DocumentQuery {
        kind: DocumentKind::Product,
        group: filter.status.map(|status| status.as_str().into()),
        order: Order::Id(after.map(|id| Arc::clone(&id.0))),
        limit: page::limit(limit)?,
    };
    page::by_id(engine, workspace, query, |document| Ok(Some(Found::read(document)?.show(&book.settings))))
        .await
}

/// One product; one that was removed, as long as it is kept.
///
/// # Errors
/// [`EngineError::Missing`]; those of the store.
pub async fn read(engine: &Engine, workspace: &Slug, id: &ProductId) -> Result<Product, EngineError> {
    let found = find(engine, workspace, id).await?.ok_or(EngineError::Missing { what: "product" })?;
    Ok(found.show(&engine.books.of(engine, workspace).await?.settings))
}

pub(super) async fn find(
    engine: &Engine,
    workspace: &Slug,
    id: &ProductId,
) -> Result<Option<Found>, EngineError> {
    let found = document(&*engine.store, workspace, DocumentKind::Product, id.as_str()).await?;
    found.as_ref().map(Found::read).transpose()
}
