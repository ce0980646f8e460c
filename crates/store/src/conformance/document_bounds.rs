//! How large documents, their changes and their pages may be.

use std::sync::Arc;

use super::documents::{PRODUCT, change, contents, delete, due, in_group, list, of, put, try_change, write};
use super::fixture::*;
use crate::{
    Change, DocumentQuery, Expect, MAX_DOCUMENT_BYTES, MAX_DOCUMENT_ID_BYTES, MAX_DOCUMENTS_PER_CHANGE,
    MAX_GROUP_BYTES, MAX_PAGE_BYTES, MAX_READ_BYTES, MAX_RESOLVED_PER_CHANGE, Order, Store, StoreError,
    has_more, more_due,
};

pub(super) async fn bounds_of_a_change_are_refused(store: &dyn Store) {
    let refused = async |writes| match try_change(store, &ws(), of(writes), at(0)).await {
        Err(StoreError::Limit { limit, .. }) => Some(limit),
        Err(StoreError::Internal(_)) => None,
        other => panic!("a refusal was expected: {:?}", other.map(|appended| appended.versions.len())),
    };
    let sized =
        |id: usize, group: usize| put(&"i".repeat(id), Expect::Absent, in_group(&"g".repeat(group), "1"));
    assert_eq!(refused(vec![sized(0, 0)]).await, None);
    assert_eq!(refused(vec![sized(MAX_DOCUMENT_ID_BYTES + 1, 0)]).await, Some(MAX_DOCUMENT_ID_BYTES));
    assert_eq!(refused(vec![sized(1, MAX_GROUP_BYTES + 1)]).await, Some(MAX_GROUP_BYTES));
    let large = put("a", Expect::Absent, contents(&"1".repeat(MAX_DOCUMENT_BYTES + 1)));
    assert_eq!(refused(vec![large]).await, Some(MAX_DOCUMENT_BYTES));
    let twice = vec![put("a", Expect::Absent, contents("1")), delete("a", Expect::Anything)];
    assert_eq!(refused(twice).await, None);
    let numbered = |n: usize| put(&n.to_string(), Expect::Absent, contents("1"));
    let many = (0..=MAX_DOCUMENTS_PER_CHANGE).map(numbered).collect();
    assert_eq!(refused(many).await, Some(MAX_DOCUMENTS_PER_CHANGE));
    let resolve = vec![new_id(); MAX_RESOLVED_PER_CHANGE + 1];
    match try_change(store, &ws(), Change { resolve, ..Change::default() }, at(0)).await {
        Err(StoreError::Limit { limit, .. }) => assert_eq!(limit, MAX_RESOLVED_PER_CHANGE),
        other => panic!("a refusal was expected: {:?}", other.map(|appended| appended.head)),
    }
    assert!(store.heads().await.expect("heads can be read").is_empty(), "nothing was written");

    let most = (1..MAX_DOCUMENTS_PER_CHANGE).map(numbered);
    let most = most.chain([sized(MAX_DOCUMENT_ID_BYTES, MAX_GROUP_BYTES)]).collect();
    assert_eq!(change(store, of(most)).await.versions.len(), MAX_DOCUMENTS_PER_CHANGE);
    assert_eq!(list(store, Some(&"g".repeat(MAX_GROUP_BYTES)), Order::Id(None), 9).await.len(), 1);
}

pub(super) async fn a_page_ends_with_its_bytes(store: &dyn Store) {
    let half = "1".repeat(MAX_PAGE_BYTES / 2);
    for id in ["a", "b", "c"] {
        write(store, put(id, Expect::Absent, due(1, &half))).await;
    }
    for (order, wanted) in [
        (Order::Id(None), vec!["a", "b"]),
        (Order::Id(Some("b".into())), vec!["c"]),
        (Order::Newest(None), vec!["c", "b"]),
    ] {
        let query = DocumentQuery { kind: PRODUCT, group: None, order, limit: 10 };
        let page = store.list_documents(&ws(), query).await.expect("documents can be listed");
        assert_eq!(page.iter().map(|document| &*document.id).collect::<Vec<_>>(), wanted);
        assert_eq!(has_more(page.iter(), 10), wanted.len() == 2, "nothing tells that two are not all");
    }
    let due = store.due(PRODUCT, at(1), None, 10).await.expect("what is due can be read");
    assert_eq!(due.iter().map(|(_, document)| &*document.id).collect::<Vec<_>>(), ["a", "b"]);
    assert!(more_due(&due, 10));
}

pub(super) async fn what_is_read_at_once_is_bounded(store: &dyn Store) {
    let longest = "1".repeat(MAX_DOCUMENT_BYTES);
    let fit = MAX_READ_BYTES / MAX_DOCUMENT_BYTES;
    let ids: Vec<Arc<str>> = (0..=fit).map(|n| n.to_string().into()).collect();
    for id in &ids {
        write(store, put(id, Expect::Absent, contents(&longest))).await;
    }
    let found = store.documents(&ws(), PRODUCT, &ids[..fit]).await.expect("as much as may be read");
    assert_eq!(found.iter().flatten().count(), fit);
    match store.documents(&ws(), PRODUCT, &ids).await {
        Err(StoreError::Limit { limit, .. }) => assert_eq!(limit, MAX_READ_BYTES),
        other => panic!("a refusal was expected: {:?}", other.map(|found| found.len())),
    }
}
