//! Publishing, and reading what was published.

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use serde_json::{Value, json};

use crate::api::{Answer, REALTIME, TestApi, W, request};

const PATH: &str = "/v1/workspaces/acme/notifications";
const LIVE: &str = "/v1/workspaces/live/notifications";

fn draft() -> Value {
    json!({"to": {"user": "alice"}, "title": "T", "message": "M"})
}

async fn with_key(api: &TestApi, path: &str, key: &str, body: &str) -> Answer {
    let request = request("POST", path, &api.producer())
        .header("content-type", "application/json")
        .header("idempotency-key", key);
    api.send(request.body(Body::from(body.to_owned())).unwrap()).await
}

#[tokio::test]
async fn one_is_answered_with_one() {
    let api = TestApi::new();
    let answer = api.post_json(PATH, &api.producer(), &draft().to_string()).await.expect(201);
    let published = answer.json();
    assert_eq!(published["seq"], 1);
    assert_eq!(published["timestamp"], "2026-01-01T00:00:00.123Z");
    assert_eq!(answer.header("location"), format!("{PATH}/{}", published["id"].as_str().unwrap()));
    assert_eq!(published.as_object().unwrap().len(), 3);
}

#[tokio::test]
async fn a_batch_is_answered_in_order_and_is_all_or_nothing() {
    let api = TestApi::new();
    let batch = json!([draft(), draft(), draft()]).to_string();
    let answer = api.post_json(PATH, &api.producer(), &batch).await.expect(201).json();
    let seqs: Vec<_> = answer.as_array().unwrap().iter().map(|p| p["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, [1, 2, 3]);
    let one = api.post_json(PATH, &api.producer(), &json!([draft()]).to_string()).await.expect(201);
    assert_eq!(one.json().as_array().unwrap().len(), 1, "an array is answered with an array");

    let mut bad = draft();
    bad["title"] = "x".repeat(201).into();
    let batch = json!([draft(), bad]).to_string();
    let problem = api.post_json(PATH, &api.producer(), &batch).await.problem(422, "invalid_request");
    assert_eq!((&problem["index"], &problem["field"]), (&json!(1), &json!("title")));
    let shape = json!([draft(), {"to": {}}]).to_string();
    assert_eq!(api.post_json(PATH, &api.producer(), &shape).await.problem(422, "invalid_body")["index"], 1);
    api.post_json(PATH, &api.producer(), "[]").await.problem(422, "invalid_request");
    assert_eq!(api.publish(W, json!({"user": "a"}), "next").await.1, 5, "nothing of them was published");
}

#[tokio::test]
async fn recipients_of_a_request_are_bounded() {
    let api = TestApi::new();
    let users: Vec<_> = (0..1_000).map(|n| format!("u{n}")).collect();
    let entry = json!({"to": {"users": users}, "title": "T", "message": "M"});
    let batch = |n: usize| Value::from(vec![entry.clone(); n]).to_string();
    api.post_json(PATH, &api.producer(), &batch(10)).await.expect(201);
    let problem = api.post_json(PATH, &api.producer(), &batch(11)).await.problem(422, "invalid_request");
    assert_eq!(problem["index"], 10);
}

#[tokio::test]
async fn what_was_published_can_be_read() {
    let api = TestApi::new();
    let body = r#"{"to":{"users":["a","b"]},"title":"T","message":"M","type":"record_created","level":"alert",
        "metadata":{"n": 1.50, "x":[null]},"event":"e","productName":"Milk","expiryDate":"2026-01-31","except":["b"]}"#;
    let published = api.post_json(PATH, &api.producer(), body).await.expect(201).json();
    let id = published["id"].as_str().unwrap();
    let answer = api.get(&format!("{PATH}/{id}"), &api.producer()).await.expect(200);
    assert!(answer.text.contains(r#""metadata":{"n": 1.50, "x":[null]}"#), "to the letter: {}", answer.text);
    assert_eq!(
        answer.json(),
        json!({
            "id": id, "state": "sent", "seq": 1, "to": {"users": ["a", "b"]}, "except": ["b"], "title": "T", "message": "M",
            "type": "record_created", "level": "alert", "timestamp": "2026-01-01T00:00:00.123Z",
            "metadata": {"n": 1.5, "x": [null]}, "event": "e", "productName": "Milk", "expiryDate": "2026-01-31",
        })
    );
    for (to, shown) in [
        (json!({"user": "a"}), json!({"user": "a"})),
        (json!({"topic": "t"}), json!({"topic": "t"})),
        (json!({"workspace": true}), json!({"workspace": true})),
    ] {
        let (id, _) = api.publish(W, to, "T").await;
        assert_eq!(api.get(&format!("{PATH}/{id}"), &api.producer()).await.json()["to"], shown);
    }
    for id in ["01890a5d-ac96-774b-bcce-b302099a8057", "no-uuid"] {
        api.get(&format!("{PATH}/{id}"), &api.producer()).await.problem(404, "not_found");
    }
    api.get(&format!("{PATH}/%ff"), &api.producer()).await.problem(404, "route_not_found");
    let other = format!("/v1/workspaces/other/notifications/{id}");
    api.get(&other, &api.producer()).await.problem(404, "not_found");
    api.get(&format!("{PATH}/{id}"), &api.user("a")).await.problem(403, "scope_missing");
    for method in ["POST", "PUT"] {
        let answer = api.json(method, &format!("{PATH}/{id}"), &api.producer(), "{}").await;
        answer.problem(405, "method_not_allowed");
    }
}

#[tokio::test]
async fn metadata_null_is_a_value() {
    let api = TestApi::new();
    let mut body = draft();
    body["metadata"] = Value::Null;
    let published = api.post_json(PATH, &api.producer(), &body.to_string()).await.expect(201).json();
    let path = format!("{PATH}/{}", published["id"].as_str().unwrap());
    assert!(api.get(&path, &api.producer()).await.text.contains(r#""metadata":null"#));
}

#[tokio::test]
async fn who_may_publish() {
    let api = TestApi::new();
    let post = async |path: &str, token: &str| api.post_json(path, token, &draft().to_string()).await;
    post(PATH, "").await.problem(401, "token_missing");
    post(PATH, "garbage").await.problem(401, "token_invalid");
    post(&format!("{PATH}?token={}", api.producer()), "").await.problem(401, "token_missing");
    let answer = post(PATH, &api.user("alice")).await;
    assert_eq!(
        answer.header("www-authenticate"),
        r#"Bearer error="insufficient_scope", scope="notifications:write""#
    );
    answer.problem(403, "scope_missing");
    let not_granted = post("/v1/workspaces/secret/notifications", &api.producer()).await;
    let not_there =
        post("/v1/workspaces/nothing/notifications", &api.token("p", "*", "notifications:write")).await;
    let not_a_slug = post("/v1/workspaces/N%2FA/notifications", &api.producer()).await;
    assert_eq!(not_granted.text, not_there.text);
    assert_eq!(not_granted.text, not_a_slug.text);
    not_granted.problem(403, "workspace_refused");
    // A star opens what exists by now.
    post(PATH, &api.producer()).await.expect(201);
    post(PATH, &api.token("p", "*", "notifications:write")).await.expect(201);
    let token = api.producer();
    api.clock.advance(Duration::from_secs(3600));
    let answer = post(PATH, &token).await;
    assert_eq!(answer.header("www-authenticate"), r#"Bearer error="invalid_token""#);
    answer.problem(401, "token_expired");
}

#[tokio::test]
async fn a_repetition_under_one_key_publishes_once() {
    let api = TestApi::new();
    let body = draft().to_string();
    for path in [PATH, LIVE] {
        let first = with_key(&api, path, "k1", &body).await.expect(201);
        assert_eq!(first.header("idempotent-replayed"), "");
        api.clock.advance(Duration::from_secs(1));
        let again = with_key(&api, path, "k1", &body).await.expect(201);
        assert_eq!(first.text, again.text, "{path}");
        assert_eq!(again.header("idempotent-replayed"), "true");
        let problem = with_key(&api, path, "k1", &format!("{body} ")).await;
        problem.problem(422, "idempotency_key_reused");
        let other = with_key(&api, path, "k2", &body).await.expect(201);
        assert_ne!(first.text, other.text);
    }
    assert_eq!(api.sockets.told.lock().unwrap().len(), 2);
    assert_eq!(api.publish(W, json!({"user": "a"}), "next").await.1, 3);
    for bad in ["", &"k".repeat(256)] {
        with_key(&api, PATH, bad, &body).await.problem(422, "invalid_request");
    }
    with_key(&api, PATH, &"k".repeat(255), &body).await.expect(201);
}

#[tokio::test]
async fn a_key_is_of_one_request_whatever_kind_that_was() {
    let api = TestApi::new();
    let kind = |members: Value| {
        let mut body = draft();
        body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        body.to_string()
    };
    let kinds = [
        kind(json!({})),
        kind(json!({"sendAt": "2026-01-01T01:00:00Z"})),
        kind(json!({"durable": false})),
        kind(json!({"durable": false, "sendAt": "2026-01-01T01:00:00Z"})),
    ];
    for (n, first) in kinds.iter().enumerate() {
        let key = format!("k{n}");
        let answer = with_key(&api, PATH, &key, first).await.expect(201);
        for (m, other) in kinds.iter().enumerate() {
            let again = with_key(&api, PATH, &key, other).await;
            if n == m {
                assert_eq!((again.header("idempotent-replayed"), &again.text), ("true", &answer.text));
            } else {
                again.problem(422, "idempotency_key_reused");
            }
        }
    }
    assert_eq!(api.publish(W, json!({"user": "a"}), "next").await.1, 2, "one was published");
    assert_eq!(api.sockets.told.lock().unwrap().len(), 1, "one went to the sockets");
    let path = "/v1/workspaces/acme/schedules";
    let waiting = api.send(request("GET", path, &api.producer()).body(Body::empty()).unwrap()).await;
    assert_eq!(waiting.expect(200).json()["schedules"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn a_failure_is_not_kept_under_its_key() {
    let api = TestApi::new();
    with_key(&api, PATH, "k", "{}").await.expect(422);
    with_key(&api, PATH, "k", &draft().to_string()).await.expect(201);
    api.sockets.room.store(1, Ordering::Relaxed);
    with_key(&api, LIVE, "a", &draft().to_string()).await.expect(201);
    with_key(&api, LIVE, "b", &draft().to_string()).await.problem(503, "overloaded");
    api.sockets.room.store(0, Ordering::Relaxed);
    let answer = with_key(&api, LIVE, "b", &draft().to_string()).await.expect(201);
    assert_eq!(answer.header("idempotent-replayed"), "");
}

#[tokio::test]
async fn what_is_not_durable_goes_to_the_sockets_alone() {
    let api = TestApi::new();
    let mut body = draft();
    body["durable"] = false.into();
    let answer = api.post_json(PATH, &api.producer(), &body.to_string()).await.expect(201);
    assert_eq!(answer.header("location"), "", "there is nothing to read later");
    assert!(answer.json()["seq"].is_null());
    api.post_json(LIVE, &api.producer(), &draft().to_string()).await.expect(201);
    let told: Vec<_> =
        api.sockets.told.lock().unwrap().iter().map(|(w, n)| (w.to_string(), n.title.clone())).collect();
    assert_eq!(told, [(W.to_owned(), "T".to_owned()), (REALTIME.to_owned(), "T".to_owned())]);
    let heads = api.engine.store.heads().await.unwrap();
    assert!(heads.is_empty(), "{heads:?}");
    let mixed = json!([draft(), body]).to_string();
    let problem = api.post_json(PATH, &api.producer(), &mixed).await.problem(422, "invalid_request");
    assert_eq!((&problem["index"], &problem["field"]), (&json!(1), &json!("durable")));
    body["durable"] = true.into();
    let problem =
        api.post_json(LIVE, &api.producer(), &body.to_string()).await.problem(422, "invalid_request");
    assert_eq!(problem["field"], "durable");
}

#[tokio::test]
async fn a_life_needs_a_notification_that_is_kept() {
    let api = TestApi::new();
    for (member, value) in [("ttl", json!(60)), ("collapseKey", json!("k"))] {
        let mut body = draft();
        body[member] = value;
        api.post_json(PATH, &api.producer(), &body.to_string()).await.expect(201);
        let problem = api.post_json(LIVE, &api.producer(), &body.to_string()).await;
        assert_eq!(problem.problem(422, "invalid_request")["field"], member);
        body["durable"] = false.into();
        let problem = api.post_json(PATH, &api.producer(), &body.to_string()).await;
        assert_eq!(problem.problem(422, "invalid_request")["field"], member);
    }
}

#[tokio::test]
async fn check_34_a_lone_surrogate_is_refused() {
    let api = TestApi::new();
    for body in [
        r#"{"to":{"user":"a"},"title":"T","message":"\ud800"}"#,
        r#"{"to":{"user":"a"},"title":"T","message":"M","metadata":{"x":"\udc00"}}"#,
    ] {
        let status = api.post_json(PATH, &api.producer(), body).await.status.as_u16();
        assert!(status == 400 || status == 422, "{status} {body}");
    }
}

#[tokio::test]
async fn check_92_the_longest_frame_is_taken_and_a_longer_one_refused() {
    let api = TestApi::new();
    let with = |n: usize| json!({"to": {"user": "a"}, "title": "T", "message": "m".repeat(n)}).to_string();
    let problem = api.post_json(PATH, &api.producer(), &with(65_536)).await;
    let detail = problem.problem(413, "notification_too_large")["detail"].as_str().unwrap().to_owned();
    let got: usize = detail.split_whitespace().find_map(|word| word.parse().ok()).unwrap();
    let room = 65_536 - (got - 65_536);
    api.post_json(PATH, &api.producer(), &with(room)).await.expect(201);
    api.post_json(PATH, &api.producer(), &with(room + 1)).await.problem(413, "notification_too_large");
}

#[tokio::test]
async fn bodies_are_declared_bounded_and_strict() {
    let api = TestApi::new();
    let token = api.producer();
    let untyped = request("POST", PATH, &token).body(Body::from(draft().to_string())).unwrap();
    api.send(untyped).await.problem(415, "unsupported_media_type");
    let gzipped = request("POST", PATH, &token)
        .header("content-type", "application/json")
        .header("content-encoding", "gzip");
    api.send(gzipped.body(Body::from("x")).unwrap()).await.problem(415, "unsupported_media_type");
    api.post_json(PATH, &token, &" ".repeat(4 * 1024 * 1024 + 1)).await.problem(413, "body_too_large");
    let chunks = futures_util::stream::iter((0..5).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1024 * 1024])));
    let streamed = request("POST", PATH, &token).header("content-type", "application/json");
    api.send(streamed.body(Body::from_stream(chunks)).unwrap()).await.problem(413, "body_too_large");

    api.post(PATH, &token).await.problem(400, "invalid_json");
    let problem = api.post_json(PATH, &token, "{\n\"to\": oops}").await.problem(400, "invalid_json");
    assert!(problem["detail"].as_str().unwrap().contains("line 2 column"), "{problem}");
    for (body, status) in [
        (r#"{"to":{"user":"a"},"title":"T","title":"U","message":"M"}"#, 422),
        (r#"{"to":{"user":"a"},"title":"T","message":"M","metadata":{"a":1,"a":2}}"#, 422),
        (r#"{"to":{"user":"a"},"title":"T","message":"M","mesage":"M"}"#, 422),
        (r#"{"to":{"user":""},"title":"T","message":"M"}"#, 422),
        (r#"{"to":{"user":7},"title":"T","message":"M"}"#, 422),
        ("null", 422),
        ("\u{feff}{}", 400),
    ] {
        assert_eq!(api.post_json(PATH, &token, body).await.status.as_u16(), status, "{body}");
    }
    let deep = |n: usize| {
        let value = format!("{}{}", "[".repeat(n), "]".repeat(n));
        format!(r#"{{"to":{{"user":"a"}},"title":"T","message":"M","metadata":{value}}}"#)
    };
    api.post_json(PATH, &token, &deep(32)).await.expect(201);
    api.post_json(PATH, &token, &deep(33)).await.problem(422, "invalid_request");
    api.post_json(PATH, &token, &deep(30_000)).await.problem(422, "invalid_request");
    api.post_json(PATH, &token, &"[".repeat(100_000)).await.problem(422, "invalid_body");
}
