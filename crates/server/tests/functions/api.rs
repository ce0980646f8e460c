//! What `api` does to the workspace, and what it can't.

use campanile_testkit::TestServer;
use serde_json::json;

use super::{order, put, records, run, subscribe, token};
use crate::backend::done;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notify_is_a_publish() {
    let server = TestServer::start().await;
    subscribe(&server, "acme", "news", "carol").await;
    let mut carol = server.workspace("carol").await;
    let code = "async function run() {
        const sent = [];
        for (const to of ['carol', { user: 'carol' }, { users: ['carol', 'dave'] }, { topic: 'news' }, { workspace: true }])
            sent.push(await api.notify({ to, title: 'Hello', message: JSON.stringify(to), type: 'success', metadata: { a: [1] } }));
        await api.notify({ to: 'carol', title: 'Live', durable: false });
        return sent;
    }";
    put(&server, "tells", code).await;
    let told = run(&server, "tells", json!({})).await;
    assert_eq!(told["status"], "completed", "{told}");
    for (sent, to) in told["result"].as_array().unwrap().iter().zip([
        json!("carol"),
        json!({"user": "carol"}),
        json!({"users": ["carol", "dave"]}),
        json!({"topic": "news"}),
        json!({"workspace": true}),
    ]) {
        let frame = carol.json().await;
        assert_eq!((&frame["id"], &frame["timestamp"]), (&sent["id"], &sent["timestamp"]));
        assert_eq!((&frame["title"], &frame["message"]), (&json!("Hello"), &json!(to.to_string())));
        assert_eq!((&frame["type"], &frame["metadata"]), (&json!("success"), &json!({"a": [1]})));
        assert!(sent["seq"].is_u64());
    }
    assert_eq!(carol.json().await["title"], "Live");
    let inbox = crate::backend::inbox(&server, "carol").await;
    assert_eq!(inbox["items"].as_array().unwrap().len(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_are_errors_with_a_code() {
    let server = TestServer::start().await;
    order(&server, "there", json!({"n": 1})).await;
    let code = "async function run() {
        const big = 'x'.repeat(70000), seen = {};
        const tried = {
            no_title: () => api.notify({ to: 'carol' }),
            no_recipient: () => api.notify({ to: {}, title: 'T' }),
            long_title: () => api.notify({ to: 'carol', title: 'T'.repeat(201) }),
            unknown: () => api.notify({ to: 'carol', title: 'T', titel: 'T' }),
            large: () => api.notify({ to: 'carol', title: 'T', message: big }),
            secret: () => api.notify({ to: 'carol', title: 'T', metadata: { password: 'x' } }),
            missing: () => api.fetchRecord('absent'),
            no_id: () => api.fetchRecord('a/b'),
            taken: () => api.createRecord('orders', {}, { id: 'there' }),
            large_record: () => api.createRecord('orders', { big }),
            no_collection: () => api.createRecord('no such', {}),
            changed: () => api.updateRecord('there', { n: 2 }, { ifVersion: 999 }),
            gone: () => api.deleteRecord('absent'),
            filter: () => api.queryRecords('orders', { filter: 'data.n ==' }),
            limit: () => api.queryRecords('orders', { limit: 100000 }),
            http: () => api.http.get('https://example.com/'),
        };
        for (const [name, call] of Object.entries(tried)) {
            try { await call(); seen[name] = 'done' } catch (error) { seen[name] = error.code }
        }
        return seen;
    }";
    put(&server, "tries", code).await;
    let tried = run(&server, "tries", json!({})).await;
    assert_eq!(
        tried["result"],
        json!({
            "no_title": "invalid_body", "no_recipient": "invalid_request", "long_title": "invalid_request",
            "unknown": "invalid_body", "large": "notification_too_large", "secret": "invalid_request",
            "missing": "not_found", "no_id": "invalid_request", "taken": "already_exists",
            "large_record": "invalid_request", "no_collection": "invalid_request", "changed": "changed",
            "gone": "not_found", "filter": "invalid_request", "limit": "invalid_request", "http": "http_not_allowed",
        }),
        "{tried}"
    );
    assert_eq!(records(&server, "orders").await, 1);
    assert_eq!(crate::backend::inbox(&server, "carol").await["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_are_changed_and_their_subscribers_told() {
    let server = TestServer::start().await;
    subscribe(&server, "acme", "collection:orders", "bob").await;
    let mut bob = server.workspace("bob").await;
    let code = "async function run() {
        const made = await api.createRecord('orders', { total: 1, note: 'a' }, { id: 'o-1' });
        const other = await api.createRecord('orders', { total: 2 });
        const patched = await api.updateRecord('o-1', { total: 5, note: null }, { ifVersion: made.version });
        const read = await api.fetchRecord('o-1');
        const large = await api.queryRecords('orders', { filter: 'data.total > 3' });
        const exact = await api.queryRecords('orders', { filter: { total: 2 } });
        const page = await api.queryRecords('orders', { limit: 1 });
        const rest = await api.queryRecords('orders', { limit: 1, after: page.next });
        await api.deleteRecord('o-1');
        return {
            made: made.data, patched: patched.data, same: read.version === patched.version,
            large: large.records.map((r) => r.id), exact: exact.records[0].id === other.id,
            pages: [page.records.length, rest.records.length, page.records[0].id !== rest.records[0].id],
        };
    }";
    put(&server, "keeps", code).await;
    let kept = run(&server, "keeps", json!({})).await;
    assert_eq!(
        kept["result"],
        json!({
            "made": {"total": 1, "note": "a"}, "patched": {"total": 5}, "same": true,
            "large": ["o-1"], "exact": true, "pages": [1, 1, true],
        }),
        "{kept}"
    );
    for (kind, id) in [
        ("record_created", Some("o-1")),
        ("record_created", None),
        ("record_updated", Some("o-1")),
        ("record_deleted", Some("o-1")),
    ] {
        let frame = bob.json().await;
        assert_eq!((&frame["type"], &frame["metadata"]["actor"]), (&json!(kind), &json!("function:keeps")));
        assert!(id.is_none_or(|id| frame["metadata"]["recordId"] == id), "{frame}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_crosses_a_workspace() {
    let server = TestServer::start().await;
    let path = "/v1/workspaces/other/collections/orders/records";
    let body = json!({"id": "theirs", "data": {"a": 1}}).to_string();
    done(server.post(path, &token(&server, "author"), &body).await);
    let code = "async function run() {
        const seen = [];
        for (const call of [
            () => api.fetchRecord('theirs'),
            () => api.updateRecord('theirs', { a: 2 }),
            () => api.deleteRecord('theirs'),
        ]) try { await call(); seen.push('done') } catch (error) { seen.push(error.code) }
        await api.createRecord('orders', { mine: true }, { id: 'theirs' });
        await api.notify({ to: { workspace: true }, title: 'Only here' });
        return [seen, (await api.queryRecords('orders')).records.map((r) => r.data)];
    }";
    put(&server, "reaches", code).await;
    let answer = run(&server, "reaches", json!({})).await;
    assert_eq!(
        answer["result"],
        json!([["not_found", "not_found", "not_found"], [{"mine": true}]]),
        "{answer}"
    );
    let theirs = server.get("/v1/workspaces/other/records/theirs", &token(&server, "author")).await;
    assert_eq!(done(theirs)["data"], json!({"a": 1}));
    assert_eq!(crate::backend::inbox_of(&server, "other", "alice").await["items"], json!([]));
    assert_eq!(crate::backend::inbox_of(&server, "acme", "alice").await["items"][0]["title"], "Only here");
    // Its runs are of its workspace, too.
    let elsewhere = format!("/v1/workspaces/other/functions/reaches/runs/{}", answer["id"].as_str().unwrap());
    assert_eq!(server.get(&elsewhere, &token(&server, "author")).await.status, 404);
}
