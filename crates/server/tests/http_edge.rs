//! What holds for every request, and what stands beside the API.

use std::sync::atomic::Ordering;

use crate::api::TestApi;

#[tokio::test]
async fn nothing_stands_at_an_unknown_path() {
    let api = TestApi::new();
    for path in ["/nothing", "/v1", "/v1/workspaces/acme/inbox/", "/healthz/", "/API/notification/list"] {
        api.get(path, &api.producer()).await.problem(404, "route_not_found");
    }
}

#[tokio::test]
async fn a_known_path_says_which_methods_it_takes() {
    let api = TestApi::new();
    let answer = api.post("/healthz", "").await;
    assert_eq!(answer.header("allow"), "GET,HEAD");
    answer.problem(405, "method_not_allowed");
    let answer = api.get("/v1/workspaces/acme/notifications", &api.producer()).await;
    assert_eq!(answer.header("allow"), "POST");
}

#[tokio::test]
async fn check_58_a_sockets_path_without_an_upgrade() {
    let api = TestApi::new();
    for path in ["/", "/ws", "/api/ws/notification", "/?token=x&workspaceSlug=acme"] {
        let answer = api.get(path, "").await;
        assert_eq!(answer.header("upgrade"), "websocket");
        answer.problem(426, "upgrade_required");
        api.post(path, "").await.problem(405, "method_not_allowed");
    }
}

#[tokio::test]
async fn live_and_ready() {
    let api = TestApi::new();
    api.get("/healthz", "").await.expect(200);
    api.get("/readyz", "").await.expect(200);
    api.ready.store(false, Ordering::Release);
    api.get("/healthz", "").await.expect(200);
    api.get("/readyz", "").await.problem(503, "not_ready");
    api.ready.store(true, Ordering::Release);
    api.engine.store.close().await;
    api.get("/readyz", "").await.problem(503, "not_ready");
    let body = r#"{"to":{"user":"a"},"title":"T","message":"M"}"#;
    let answer = api.post_json("/v1/workspaces/acme/notifications", &api.producer(), body).await;
    answer.problem(503, "storage_unavailable");
}

#[tokio::test]
async fn problems_link_to_their_explanation() {
    let api = TestApi::new();
    let link = api.get("/nothing", "").await.json()["type"].as_str().unwrap().to_owned();
    let (path, code) = link.split_once('#').unwrap();
    let docs = api.get(path, "").await.expect(200);
    assert!(docs.text.contains(&format!("\n## {code}\n")));
}
