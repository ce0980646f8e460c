//! The product documents' REST routes (checks 37 to 41 and 53 to 57).

use std::time::Duration;

use serde_json::{Value, json};

use crate::api::{Answer, TestApi};

const LIST: &str = "/api/notification/list";

async fn list(api: &TestApi, user: &str) -> Vec<Value> {
    let answer = api.get(LIST, &api.token(user, "", "")).await.expect(200).json();
    assert_eq!(answer.as_object().unwrap().len(), 1);
    answer["notifications"].as_array().unwrap().clone()
}

async fn mark(api: &TestApi, user: &str, id: &str) -> Answer {
    api.post(&format!("/api/notification/mark-read/{id}"), &api.token(user, "", "")).await
}

#[tokio::test]
async fn check_37_a_user_without_a_connection_finds_it_in_the_list() {
    let api = TestApi::new();
    let (id, _) = api.publish("default", json!({"user": "u1"}), "Hello").await;
    assert_eq!(
        list(&api, "u1").await,
        [
            json!({"id": id, "type": "info", "message": "M", "createdAt": "2026-01-01T00:00:00.123Z", "isRead": false})
        ]
    );
}

#[tokio::test]
async fn checks_38_39_56_marking_ones_own_read() {
    let api = TestApi::new();
    let (id, _) = api.publish("default", json!({"user": "u1"}), "Hello").await;
    for _ in 0..2 {
        let answer = mark(&api, "u1", &id).await.expect(200);
        assert_eq!(answer.json(), json!({"message": "Notification marked as read"}));
    }
    assert_eq!(list(&api, "u1").await[0]["isRead"], true);
}

#[tokio::test]
async fn checks_40_41_42_55_anything_else_is_not_found() {
    let api = TestApi::new();
    let (id, _) = api.publish("default", json!({"user": "u2"}), "Hello").await;
    let long = "x".repeat(10_000);
    let unknown =
        ["01890a5d-ac96-774b-bcce-b302099a8057", "1", "null", "'%20OR%201=1--", "a%00b", "%ff", &long];
    for id in std::iter::once(id.as_str()).chain(unknown) {
        let answer = mark(&api, "u1", id).await.expect(404);
        assert_eq!(answer.json(), json!({"detail": "Notification not found"}), "{id}");
    }
    assert_eq!(list(&api, "u2").await[0]["isRead"], false);
}

#[tokio::test]
async fn checks_53_54_without_a_good_token_nothing_happens() {
    let api = TestApi::new();
    let (id, _) = api.publish("default", json!({"user": "u1"}), "Hello").await;
    let mark = format!("/api/notification/mark-read/{id}");
    let good = api.token("u1", "", "");
    for (token, detail) in [
        ("", "Authorization header missing or invalid."),
        (" ", "Authorization header missing or invalid."),
        ("garbage", "Access token is invalid."),
        (&format!("{good}x"), "Access token is invalid."),
        (&api.token("u1", "other", ""), "Access token is invalid."),
    ] {
        for answer in [api.get(LIST, token).await, api.post(&mark, token).await] {
            assert_eq!(answer.expect(401).json(), json!({ "detail": detail }), "{token}");
        }
    }
    let by_query = api.get(&format!("{LIST}?access_token={good}"), "").await;
    assert_eq!(by_query.expect(401).json()["detail"], "Authorization header missing or invalid.");
    assert_eq!(list(&api, "u1").await[0]["isRead"], false);
    api.clock.advance(Duration::from_secs(3600));
    assert_eq!(api.get(LIST, &good).await.expect(401).json()["detail"], "Access token is invalid.");
}

#[tokio::test]
async fn check_57_newest_first_and_always_an_array() {
    let api = TestApi::new();
    assert!(list(&api, "u1").await.is_empty());
    let mut ids = vec![];
    for _ in 0..3 {
        ids.insert(0, api.publish("default", json!({"user": "u1"}), "T").await.0);
    }
    let listed: Vec<_> =
        list(&api, "u1").await.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(listed, ids);
}

#[tokio::test]
async fn the_list_is_bounded_by_rows() {
    let api = TestApi::new();
    let mut ids = vec![];
    for batch in 0..5 {
        let one = |n: usize| {
            let to = if n == 7 { "u2" } else { "u1" };
            json!({"to": {"user": to}, "title": "T", "message": format!("{batch}/{n}")})
        };
        let body = Value::from_iter((0..210).map(one)).to_string();
        let path = "/v1/workspaces/default/notifications";
        let answer = api.post_json(path, &api.producer(), &body).await.expect(201).json();
        ids.extend(answer.as_array().unwrap().iter().map(|entry| entry["id"].clone()));
        ids.remove(batch * 209 + 7);
    }
    let listed = list(&api, "u1").await;
    let newest: Vec<_> = ids.iter().rev().take(1_000).collect();
    assert_eq!(listed.iter().map(|row| &row["id"]).collect::<Vec<_>>(), newest);
}

#[tokio::test]
async fn the_list_is_bounded_by_bytes() {
    let api = TestApi::new();
    let mut ids = vec![];
    let message = "m".repeat(60_000);
    for _ in 0..75 {
        let body = json!({"to": {"user": "u1"}, "title": "T", "message": message}).to_string();
        let path = "/v1/workspaces/default/notifications";
        let answer = api.post_json(path, &api.producer(), &body).await.expect(201).json();
        ids.insert(0, answer["id"].clone());
    }
    let answer = api.get(LIST, &api.token("u1", "", "")).await.expect(200);
    assert!((4_100_000..=4 * 1024 * 1024 + 200).contains(&answer.text.len()), "{}", answer.text.len());
    let listed = answer.json();
    let listed: Vec<_> = listed["notifications"].as_array().unwrap().iter().map(|row| &row["id"]).collect();
    assert_eq!(listed, ids[..listed.len()].iter().collect::<Vec<_>>(), "the newest, without a gap");
}

#[tokio::test]
async fn a_token_that_grants_the_surfaces_workspace_opens_it_too() {
    let api = TestApi::new();
    for workspaces in ["", "default", "*"] {
        api.get(LIST, &api.token("u1", workspaces, "")).await.expect(200);
    }
}
