//! A topic's subscribers.

use serde_json::json;

use crate::api::{TestApi, W};

const PATH: &str = "/v1/workspaces/acme/topics/orders%2Feu/subscribers";

#[tokio::test]
async fn who_is_subscribed_sees_what_comes_after() {
    let api = TestApi::new();
    let admin = api.token("root", W, "admin");
    api.publish(W, json!({"topic": "orders/eu"}), "before").await;
    let changed = api.post_json(PATH, &admin, r#"{"users":["bob","alice","bob"]}"#).await.expect(200).json();
    assert!(changed["seq"].as_u64().unwrap() > 1);
    api.publish(W, json!({"topic": "orders/eu"}), "during").await;
    api.json("DELETE", PATH, &admin, r#"{"users":["alice"]}"#).await.expect(200);
    api.publish(W, json!({"topic": "orders/eu"}), "after").await;
    let titles = async |user: &str| {
        let inbox = api.get("/v1/workspaces/acme/inbox", &api.user(user)).await.expect(200).json();
        inbox["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|i| i["title"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(titles("alice").await, ["during"]);
    assert_eq!(titles("bob").await, ["after", "during"]);
    let listed = api.get(PATH, &admin).await.expect(200).json();
    assert_eq!(listed, json!({"users": ["bob"], "next": null}));
    api.json("DELETE", &format!("{PATH}/bob"), &admin, "").await.expect(200);
    assert_eq!(api.get(PATH, &admin).await.expect(200).json()["users"], json!([]));
}

#[tokio::test]
async fn subscribers_come_in_pages() {
    let api = TestApi::new();
    let admin = api.token("root", W, "admin");
    api.post_json(PATH, &admin, r#"{"users":["a","b","c","ü ö"]}"#).await.expect(200);
    let first = api.get(&format!("{PATH}?limit=2"), &admin).await.expect(200).json();
    assert_eq!(first, json!({"users": ["a", "b"], "next": "b"}));
    let second = api.get(&format!("{PATH}?limit=2&after=b"), &admin).await.expect(200).json();
    assert_eq!(second, json!({"users": ["c", "ü ö"], "next": null}));
    for query in ["limit=0", "limit=1001", "after=", "page=2"] {
        api.get(&format!("{PATH}?{query}"), &admin).await.problem(400, "invalid_query");
    }
}

#[tokio::test]
async fn only_an_admin_may() {
    let api = TestApi::new();
    let producer = api.producer();
    api.get(PATH, &producer).await.problem(403, "scope_missing");
    api.post_json(PATH, &producer, r#"{"users":["a"]}"#).await.problem(403, "scope_missing");
    api.json("DELETE", &format!("{PATH}/a"), &producer, "").await.problem(403, "scope_missing");
}

#[tokio::test]
async fn names_and_numbers_are_checked() {
    let api = TestApi::new();
    let admin = api.token("root", W, "admin");
    for body in [
        r#"{"users":[]}"#,
        &json!({"users": (0..1001).map(|n| n.to_string()).collect::<Vec<_>>()}).to_string(),
    ] {
        assert_eq!(api.post_json(PATH, &admin, body).await.problem(422, "invalid_request")["field"], "users");
    }
    api.post_json(PATH, &admin, r#"{"users":[""]}"#).await.problem(422, "invalid_body");
    let bad_topic = "/v1/workspaces/acme/topics/a%0Ab/subscribers";
    assert_eq!(api.get(bad_topic, &admin).await.problem(422, "invalid_request")["field"], "topic");
}
