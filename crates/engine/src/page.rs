//! Lists of documents, page by page.

use std::collections::HashMap;
use std::sync::Arc;

use campanile_model::{Slug, Timestamp};
use campanile_store::{
    Change, Contents, Document, DocumentKind, DocumentQuery, DocumentWrite, Expect, MAX_PAGE_BYTES, Order,
    StoreError, Write, has_more,
};
use serde::de::DeserializeOwned;

use crate::{Engine, EngineError};

/// Things in a page when nothing else is asked for.
pub const DEFAULT: usize = 50;
/// Things in a page at most.
pub const MAX: usize = 1_000;
/// Documents looked at for one page, whatever of them is wanted: a filter that matches nothing ends too.
const SCANNED: usize = 10_000;
/// Bytes of them: a second of reading.
const SCANNED_BYTES: usize = 64 * 1024 * 1024;
/// Documents read at once.
const CHUNK: usize = 500;
/// Documents looked at before others have their turn: what is made of sixteen rules may take milliseconds.
const SLICE: usize = 16;

/// Some of a list, with the place to go on from.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T, C> {
    /// In the list's order. May be fewer than asked for, even none, although there is more: `next` tells.
    pub items: Vec<T>,
    /// Where to go on; `None`: the list has ended.
    pub next: Option<C>,
}

/// A limit within bounds.
pub(crate) fn limit(limit: usize) -> Result<usize, EngineError> {
    if (1..=MAX).contains(&limit) {
        Ok(limit)
    } else {
        Err(EngineError::invalid("limit", format!("the limit is 1 to {MAX}")))
    }
}

/// What `wanted` makes of documents, newest first.
pub(crate) async fn newest<T>(
    engine: &Engine,
    workspace: &Slug,
    query: DocumentQuery,
    wanted: impl Fn(&Document) -> Result<Option<T>, EngineError>,
) -> Result<Page<T, u64>, EngineError> {
    let after = |number| Order::Newest(Some(number));
    walk(engine, workspace, query, false, wanted, |document| document.number, after).await
}

/// What `wanted` makes of documents, by id.
pub(crate) async fn by_id<T>(
    engine: &Engine,
    workspace: &Slug,
    query: DocumentQuery,
    wanted: impl Fn(&Document) -> Result<Option<T>, EngineError>,
) -> Result<Page<T, Arc<str>>, EngineError> {
    let place = |document: &Document| Arc::clone(&document.id);
    walk(engine, workspace, query, false, wanted, place, |id| Order::Id(Some(id))).await
}

/// As [`by_id`], where it takes milliseconds to find out whether a document is wanted: each waits for its turn.
pub(crate) async fn by_id_in_turn<T>(
    engine: &Engine,
    workspace: &Slug,
    query: DocumentQuery,
    wanted: impl Fn(&Document) -> Result<Option<T>, EngineError>,
) -> Result<Page<T, Arc<str>>, EngineError> {
    let place = |document: &Document| Arc::clone(&document.id);
    walk(engine, workspace, query, true, wanted, place, |id| Order::Id(Some(id))).await
}

async fn walk<T, C: Clone>(
    engine: &Engine,
    workspace: &Slug,
    mut query: DocumentQuery,
    in_turn: bool,
    wanted: impl Fn(&Document) -> Result<Option<T>, EngineError>,
    place: impl Fn(&Document) -> C,
    after: impl Fn(C) -> Order,
) -> Result<Page<T, C>, EngineError> {
    let limit = query.limit;
    let mut items = Vec::new();
    let (mut scanned, mut scanned_bytes, mut wanted_bytes) = (0, 0, 0);
    let mut next = None;
    loop {
        query.limit = (limit - items.len() + 1).clamp(1, CHUNK);
        let documents = engine.store.list_documents(workspace, query.clone()).await?;
        let more = has_more(documents.iter(), query.limit);
        for document in &documents {
            if items.len() == limit || wanted_bytes >= MAX_PAGE_BYTES {
                return Ok(Page { items, next });
            }
            let bytes = document.contents.body.len();
            let turn = if in_turn { Some(engine.rota.turn(workspace).await) } else { None };
            if let Some(item) = wanted(document)? {
                items.push(item);
                wanted_bytes += bytes;
            }
            drop(turn);
            next = Some(place(document));
            (scanned, scanned_bytes) = (scanned + 1, scanned_bytes + bytes);
            if scanned % SLICE == 0 {
                tokio::task::yield_now().await;
            }
        }
        match &next {
            Some(place) if more && scanned < SCANNED && scanned_bytes < SCANNED_BYTES => {
                query.order = after(place.clone());
            }
            Some(_) if more => return Ok(Page { items, next }),
            _ => return Ok(Page { items, next: None }),
        }
    }
}

/// Every document of a kind and group of which a workspace has few, a page at a time, some in each turn.
///
/// # Errors
/// Those of the store.
pub(crate) async fn each(
    engine: &Engine,
    workspace: &Slug,
    kind: DocumentKind,
    group: Option<&str>,
    mut look: impl FnMut(&Document),
) -> Result<(), EngineError> {
    let mut query =
        DocumentQuery { kind, group: group.map(Into::into), order: Order::Id(None), limit: CHUNK };
    loop {
        let documents = engine.store.list_documents(workspace, query.clone()).await?;
        for some in documents.chunks(SLICE) {
            let _turn = engine.rota.turn(workspace).await;
            some.iter().for_each(&mut look);
        }
        match documents.last() {
            Some(last) if has_more(documents.iter(), CHUNK) => {
                query.order = Order::Id(Some(Arc::clone(&last.id)))
            }
            _ => return Ok(()),
        }
    }
}

/// How many documents of a kind and group there are, of which a workspace has few.
///
/// # Errors
/// Those of the store.
pub(crate) async fn count(
    engine: &Engine,
    workspace: &Slug,
    kind: DocumentKind,
    group: Option<&str>,
) -> Result<usize, EngineError> {
    let mut query =
        DocumentQuery { kind, group: group.map(Into::into), order: Order::Id(None), limit: CHUNK };
    let mut count = 0;
    loop {
        let documents = engine.store.list_documents(workspace, query.clone()).await?;
        count += documents.len();
        match documents.last() {
            Some(last) if has_more(documents.iter(), CHUNK) => {
                query.order = Order::Id(Some(Arc::clone(&last.id)))
            }
            _ => return Ok(count),
        }
    }
}

/// The same documents, those of one workspace together, each in the order they came.
pub(crate) fn by_workspace(documents: Vec<(Slug, Document)>) -> Vec<(Slug, Vec<Document>)> {
    let mut all: Vec<(Slug, Vec<Document>)> = Vec::new();
    let mut place: HashMap<Slug, usize> = HashMap::new();
    for (workspace, document) in documents {
        let at = *place.entry(workspace.clone()).or_insert(all.len());
        if at == all.len() {
            all.push((workspace, Vec::new()));
        }
        all[at].1.push(document);
    }
    all
}

/// What due documents say. One that can't be read is logged and not due any more: it must not stand in the way of
/// those behind it.
///
/// # Errors
/// Those of the store.
pub(crate) async fn readable<T: DeserializeOwned>(
    engine: &Engine,
    workspace: &Slug,
    documents: Vec<Document>,
    now: Timestamp,
) -> Result<Vec<(Document, T)>, EngineError> {
    let mut all = Vec::with_capacity(documents.len());
    for document in documents {
        match body(&document) {
            Ok(said) => all.push((document, said)),
            Err(error) => {
                tracing::error!(%workspace, kind = ?document.kind, id = %document.id, %error, "what is due is set aside");
                let contents = Contents { due: None, ..document.contents };
                let write = DocumentWrite {
                    kind: document.kind,
                    id: document.id,
                    expect: Expect::Version(document.version),
                    put: Some(contents),
                };
                let change = Change { documents: vec![write], ..Change::default() };
                match engine.store.append(workspace, Write::Change(change), now).await {
                    Ok(_) | Err(StoreError::Conflict { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }
    Ok(all)
}

/// What a document's body says.
///
/// # Errors
/// Those of a store whose rows can't be read: we wrote it.
pub(crate) fn body<T: DeserializeOwned>(document: &Document) -> Result<T, EngineError> {
    serde_json::from_str(&document.contents.body).map_err(|error| {
        // The parser's own words may quote what it read.
        let place = format!("line {} column {}", error.line(), error.column());
        let what = format!("document {} of kind {:?} can't be read: {place}", document.number, document.kind);
        EngineError::Store(campanile_store::StoreError::Internal(what))
    })
}
