//! A user's inbox.

use std::time::Duration;

use serde_json::{Value, json};

use crate::api::{TestApi, W};

const PATH: &str = "/v1/workspaces/acme/inbox";

fn seqs(page: &Value) -> Vec<u64> {
    page["items"].as_array().unwrap().iter().map(|item| item["seq"].as_u64().unwrap()).collect()
}

async fn page(api: &TestApi, query: &str) -> Value {
    api.get(&format!("{PATH}?{query}"), &api.user("alice")).await.expect(200).json()
}

#[tokio::test]
async fn a_workspace_that_was_never_written_to_has_an_empty_inbox() {
    let api = TestApi::new();
    assert_eq!(
        page(&api, "").await,
        json!({"items": [], "older": null, "newer": 0, "unread": 0, "unseen": 0, "head": 0, "epoch": null, "rev": 0})
    );
}

#[tokio::test]
async fn the_caller_sees_what_is_theirs_and_nobodys_address() {
    let api = TestApi::new();
    let (id, _) = api.publish(W, json!({"users": ["alice", "bob"]}), "both").await;
    api.publish(W, json!({"user": "bob"}), "bob's").await;
    api.publish(W, json!({"workspace": true}), "all").await;
    let listed = page(&api, "").await;
    assert_eq!(seqs(&listed), [3, 1], "newest first");
    assert_eq!((&listed["unread"], &listed["head"]), (&json!(2), &json!(3)));
    assert_eq!(
        listed["items"][1],
        json!({
            "id": id, "seq": 1, "seen": false, "read": false, "archived": false, "title": "both", "message": "M",
            "type": "info", "level": "info", "timestamp": "2026-01-01T00:00:00.123Z",
        })
    );
}

#[tokio::test]
async fn pages_join_without_gap_or_overlap_both_ways() {
    let api = TestApi::new();
    for n in 1..=10 {
        let to = if n % 3 == 0 { "bob" } else { "alice" };
        api.publish(W, json!({"user": to}), "T").await;
    }
    let newest = page(&api, "limit=3").await;
    assert_eq!(seqs(&newest), [10, 8, 7]);
    let middle = page(&api, &format!("limit=3&before={}", newest["older"])).await;
    assert_eq!(seqs(&middle), [5, 4, 2]);
    let oldest = page(&api, &format!("limit=3&before={}", middle["older"])).await;
    assert_eq!((seqs(&oldest), &oldest["older"]), (vec![1], &Value::Null));
    let back = page(&api, &format!("limit=3&after={}", oldest["newer"])).await;
    assert_eq!(seqs(&back), [5, 4, 2]);
    let front = page(&api, &format!("limit=3&after={}", back["newer"])).await;
    assert_eq!(seqs(&front), [10, 8, 7]);
    assert_eq!(seqs(&page(&api, &format!("limit=3&before={}", front["older"])).await), [5, 4, 2]);
    let none = page(&api, &format!("after={}", front["newer"])).await;
    assert!(seqs(&none).is_empty());
    api.publish(W, json!({"user": "alice"}), "T").await;
    assert_eq!(seqs(&page(&api, &format!("after={}", none["newer"])).await), [11]);
}

#[tokio::test]
async fn the_query_is_strict() {
    let api = TestApi::new();
    for query in [
        "limit=0",
        "limit=101",
        "limit=x",
        "limit=1&limit=2",
        "limt=1",
        "before=1&after=1",
        "archived=yes",
        "unread=1",
        "minSeq=-1",
        "after=",
    ] {
        api.get(&format!("{PATH}?{query}"), &api.user("alice")).await.problem(400, "invalid_query");
    }
    for (query, said) in [
        ("limit=secret", "limit: "),
        ("archived=secret", "archived: expected one of `false`, `true`, `any`"),
        ("archived=secret,%20expected%20secret", "archived: expected one of `false`, `true`, `any`"),
        ("unread=secret", "unread: "),
        ("minSeq=secret", "minSeq: "),
        ("limit=1&limit=secret", "duplicate field `limit`"),
        ("limt=secret", "unknown parameter `limt`, expected one of `limit`, "),
        (&format!("{}=1", "secret".repeat(20)), "unknown parameter, expected one of `limit`, "),
    ] {
        let answer = api.get(&format!("{PATH}?{query}"), &api.user("alice")).await;
        assert!(!answer.text.contains("secret"), "{answer:?}");
        let detail = answer.problem(400, "invalid_query")["detail"].to_string();
        assert!(detail.contains(said), "{detail}");
    }
    page(&api, "limit=100&archived=any&unread=true&minSeq=0&before=18446744073709551615").await;
}

#[tokio::test]
async fn reading_is_remembered() {
    let api = TestApi::new();
    let alice = api.user("alice");
    let mut ids = vec![];
    for n in 1..=4 {
        ids.push(api.publish(W, json!({"user": "alice"}), &format!("T{n}")).await.0);
    }
    let act = async |what: &str| api.post(&format!("{PATH}/{what}"), &alice).await.expect(200).json();
    assert_eq!(act(&format!("{}/read", ids[0])).await, json!({"changed": true, "rev": 1, "unread": 3}));
    assert_eq!(act(&format!("{}/read", ids[0])).await, json!({"changed": false, "rev": 1, "unread": 3}));
    assert_eq!(act(&format!("{}/archive", ids[1])).await, json!({"changed": true, "rev": 2, "unread": 2}));
    assert_eq!(seqs(&page(&api, "").await), [4, 3, 1], "put away");
    assert_eq!(seqs(&page(&api, "archived=true").await), [2]);
    assert_eq!(seqs(&page(&api, "archived=any").await), [4, 3, 2, 1]);
    assert_eq!(seqs(&page(&api, "unread=true").await), [4, 3]);
    assert_eq!(seqs(&page(&api, "unread=false").await), [1]);
    assert_eq!(act(&format!("{}/unread", ids[1])).await, json!({"changed": true, "rev": 3, "unread": 3}));
    assert_eq!(seqs(&page(&api, "").await), [4, 3, 2, 1]);

    let seen = api.post_json(&format!("{PATH}/seen"), &alice, r#"{"upTo":3}"#).await.expect(200).json();
    assert_eq!(seen["unread"], 3);
    assert_eq!(page(&api, "").await["unseen"], 1);
    let read = api.post_json(&format!("{PATH}/read-all"), &alice, r#"{"upTo":3}"#).await.expect(200).json();
    assert_eq!((&read["changed"], &read["unread"]), (&json!(true), &json!(1)));
    assert_eq!(act("read-all").await["unread"], 0);
    assert_eq!(act("seen").await["changed"], false, "what is read is seen");
    api.post_json(&format!("{PATH}/read-all"), &alice, r#"{"upto":3}"#).await.problem(422, "invalid_body");
    api.post_json(&format!("{PATH}/read-all"), &alice, r#"{"upTo":-1}"#).await.problem(422, "invalid_body");
}

#[tokio::test]
async fn a_miss_and_a_refusal_look_alike() {
    let api = TestApi::new();
    let (bobs, _) = api.publish(W, json!({"user": "bob"}), "T").await;
    for action in ["read", "unread", "archive"] {
        let post = async |id: &str| api.post(&format!("{PATH}/{id}/{action}"), &api.user("alice")).await;
        let other = post(&bobs).await;
        let unknown = post("01890a5d-ac96-774b-bcce-b302099a8057").await;
        let malformed = post("'%20OR%201=1--").await;
        assert_eq!(other.text, unknown.text);
        assert_eq!(other.text, malformed.text);
        other.problem(404, "not_found");
    }
    let bob = api.get(PATH, &api.user("bob")).await.json();
    assert_eq!((&bob["unread"], &bob["rev"]), (&json!(1), &json!(0)));
}

#[tokio::test]
async fn another_workspaces_inbox_stays_closed() {
    let api = TestApi::new();
    api.get("/v1/workspaces/other/inbox", &api.user("alice")).await.problem(403, "workspace_refused");
    api.get(PATH, &api.token("alice", "", "")).await.problem(403, "workspace_refused");
    api.get(PATH, "").await.problem(401, "token_missing");
}

#[tokio::test]
async fn a_reader_waits_for_the_place_it_names() {
    let api = TestApi::new();
    let waiting = page(&api, "minSeq=2");
    let publishing = async {
        tokio::task::yield_now().await;
        api.publish(W, json!({"user": "alice"}), "1").await;
        tokio::task::yield_now().await;
        api.publish(W, json!({"user": "alice"}), "2").await;
    };
    let (listed, ()) = tokio::join!(waiting, publishing);
    assert_eq!(seqs(&listed), [2, 1]);
}

#[tokio::test]
async fn a_place_that_is_not_reached_is_said_to_be() {
    use campanile_engine::EngineError;
    use campanile_engine::inbox::{Page, list};
    use campanile_model::{Seq, UserId};

    let api = TestApi::new();
    let (workspace, user) = (crate::api::slug(W), UserId::new("alice").unwrap());
    let wait = Duration::from_millis(10);
    let outcome = list(&api.engine, &workspace, &user, Page::default(), Seq(9), wait).await;
    assert!(matches!(outcome, Err(EngineError::NotReached { seq: Seq(9) })), "{outcome:?}");
}
