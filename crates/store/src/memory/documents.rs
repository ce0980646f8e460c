//! Documents in one ordered map.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use campanile_model::{Slug, Timestamp};

use crate::documents::PageBytes;
use crate::{Document, DocumentKind, DocumentQuery, DocumentWrite, DuePlace, Expect, Order, StoreError};

type Key = (Slug, DocumentKind, Arc<str>);

/// The documents of every workspace.
#[derive(Default)]
pub(super) struct Shelf {
    documents: BTreeMap<Key, Document>,
    /// Of the last write; versions and numbers are drawn from it.
    counter: u64,
}

impl Shelf {
    pub(super) fn get(&self, workspace: &Slug, kind: DocumentKind, id: &Arc<str>) -> Option<&Document> {
        self.documents.get(&(workspace.clone(), kind, id.clone()))
    }

    /// Judges what is expected, without changing anything.
    pub(super) fn judge(&self, workspace: &Slug, writes: &[DocumentWrite]) -> Result<(), StoreError> {
        for DocumentWrite { kind, id, expect, .. } in writes {
            let version = self.get(workspace, *kind, id).map(|document| document.version);
            let holds = match expect {
                Expect::Anything => true,
                Expect::Absent => version.is_none(),
                Expect::Version(expected) => version == Some(*expected),
            };
            if !holds {
                return Err(StoreError::Conflict { kind: *kind, id: id.clone(), version });
            }
        }
        Ok(())
    }

    /// Writes what was judged; returns the new versions, 0 for what is not there any more.
    pub(super) fn write(&mut self, workspace: &Slug, writes: Vec<DocumentWrite>, now: Timestamp) -> Vec<u64> {
        let mut versions = Vec::with_capacity(writes.len());
        for DocumentWrite { kind, id, put, .. } in writes {
            let key = (workspace.clone(), kind, id.clone());
            let old = self.documents.remove(&key);
            let Some(contents) = put else {
                versions.push(0);
                continue;
            };
            self.counter += 1;
            let version = self.counter;
            let (number, created) = old.map_or((version, now), |old| (old.number, old.created));
            let document = Document { kind, id, version, number, created, updated: now, contents };
            self.documents.insert(key, document);
            versions.push(version);
        }
        versions
    }

    pub(super) fn list(&self, workspace: &Slug, query: &DocumentQuery) -> Vec<Document> {
        let of_list =
            |document: &&Document| query.group.as_ref().is_none_or(|group| document.contents.group == *group);
        let all = self.of_kind(workspace, query.kind).filter(of_list);
        match &query.order {
            Order::Id(after) => {
                let behind = |document: &&Document| after.as_ref().is_none_or(|after| document.id > *after);
                page(all.filter(behind).take(query.limit))
            }
            Order::Newest(before) => {
                let mut newest: Vec<_> =
                    all.filter(|document| before.is_none_or(|before| document.number < before)).collect();
                newest.sort_by_key(|document| Reverse(document.number));
                page(newest.into_iter().take(query.limit))
            }
        }
    }

    /// Ascending by id.
    fn of_kind(&self, workspace: &Slug, kind: DocumentKind) -> impl Iterator<Item = &Document> {
        let first = Bound::Included((workspace.clone(), kind, Arc::from("")));
        self.documents
            .range((first, Bound::Unbounded))
            .take_while(move |((slug, its_kind, _), _)| (slug, *its_kind) == (workspace, kind))
            .map(|(_, document)| document)
    }

    pub(super) fn due(
        &self,
        kind: DocumentKind,
        up_to: Timestamp,
        after: Option<DuePlace>,
        limit: usize,
    ) -> Vec<(Slug, Document)> {
        let mut due: Vec<_> = self
            .documents
            .iter()
            .filter(|((_, its_kind, _), _)| *its_kind == kind)
            .filter_map(|((slug, ..), document)| Some((document.contents.due?, slug, document)))
            .filter(|(due, _, document)| {
                *due <= up_to && after.is_none_or(|after| (*due, document.number) > after)
            })
            .collect();
        due.sort_by_key(|(due, _, document)| (*due, document.number));
        let slugs: Vec<_> = due.iter().map(|(_, slug, _)| (*slug).clone()).collect();
        let due = page(due.into_iter().take(limit).map(|(.., document)| document));
        slugs.into_iter().zip(due).collect()
    }

    pub(super) fn purge(&mut self, now: Timestamp, limit: usize) -> usize {
        let mut expired: Vec<_> = self
            .documents
            .iter()
            .filter_map(|(key, document)| Some((document.contents.expires?, document.number, key.clone())))
            .filter(|(expires, ..)| *expires <= now)
            .collect();
        expired.sort();
        expired.truncate(limit);
        for (.., key) in &expired {
            self.documents.remove(key);
        }
        expired.len()
    }
}

/// As much of `found` as a page holds.
fn page<'a>(found: impl Iterator<Item = &'a Document>) -> Vec<Document> {
    let (mut page, mut bytes) = (Vec::new(), PageBytes::default());
    for document in found {
        page.push(document.clone());
        if bytes.ends_with(document) {
            break;
        }
    }
    page
}
