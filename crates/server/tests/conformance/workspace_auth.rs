//! Checks 59 to 66, 72 and 73, 76 to 79 and 94: coming in on the workspace surface.

use campanile_testkit::Client;
use tokio_tungstenite::tungstenite::Message;

use super::*;

fn unauthorized() -> Closed {
    closed(4001, "unauthorized")
}

fn no_workspace() -> Closed {
    closed(4002, "workspaceSlug required")
}

#[tokio::test]
async fn check_059_nothing_comes_unprompted() {
    let server = server().await;
    let mut client = server.workspace("alice").await;
    server.pass(secs(2)).await;
    let id = server.notify("acme", "alice", "the first").await;
    let Message::Text(first) = client.next().await else { panic!("the first frame is a notification") };
    assert!(first.contains(&id), "{first}");
}

#[tokio::test]
async fn check_060_no_token_is_closed_4001() {
    let server = server().await;
    assert_eq!(turned_away(&server, "/?workspaceSlug=acme").await, unauthorized());
}

#[tokio::test]
async fn check_061_empty_token_is_closed_4001() {
    let server = server().await;
    for empty in ["", "%20"] {
        assert_eq!(turned_away(&server, &workspace_at(empty)).await, unauthorized());
    }
}

#[tokio::test]
async fn check_062_no_slug_is_closed_4002() {
    let server = server().await;
    let token = server.token("alice").sign();
    assert_eq!(turned_away(&server, &format!("/?token={token}")).await, no_workspace());
    assert_eq!(turned_away(&server, &format!("/?token={token}&workspaceslug=acme")).await, no_workspace());
}

#[tokio::test]
async fn check_063_empty_slug_is_closed_4002() {
    let server = server().await;
    let token = server.token("alice").sign();
    assert_eq!(turned_away(&server, &format!("/?token={token}&workspaceSlug=")).await, no_workspace());
    assert_eq!(turned_away(&server, &format!("/?workspaceSlug&token={token}")).await, no_workspace());
}

#[tokio::test]
async fn check_064_neither_is_closed_4001() {
    let server = server().await;
    for path in ["/", "/?", "/?token=&workspaceSlug="] {
        assert_eq!(turned_away(&server, path).await, unauthorized(), "{path}");
    }
}

#[tokio::test]
async fn check_065_bad_token_and_no_slug_is_closed_4001() {
    let server = server().await;
    assert_eq!(turned_away(&server, "/?token=bad").await, unauthorized());
    assert_eq!(turned_away(&server, "/?token=bad&workspaceSlug=").await, unauthorized());
}

#[tokio::test]
async fn check_066_expired_token_and_no_slug_is_closed_4003() {
    let server = server().await;
    let token = server.token("alice").with("exp", server.now() - 60).sign();
    assert_eq!(turned_away(&server, &format!("/?token={token}")).await, closed(4003, "token expired"));
}

#[tokio::test]
async fn check_072_expiry_while_connected_is_closed_4003() {
    let server = server().await;
    to_the_second(&server);
    let token = server.token("alice").with("exp", server.now() + 3).sign();
    let mut client = Client::connect(server.address, &workspace_at(&token)).await;
    server.pass(millis(2_900)).await;
    delivers(&server, "acme", "alice", &mut client).await;
    server.pass(millis(1_100)).await;
    assert_eq!(client.close().await, closed(4003, "token expired"));
}

#[tokio::test]
async fn check_073_a_fresh_token_is_welcome_after_4003() {
    let server = server().await;
    to_the_second(&server);
    for round in 0..10 {
        let token = server.token("alice").with("exp", server.now() + 3).sign();
        let mut client = Client::connect(server.address, &workspace_at(&token)).await;
        delivers(&server, "acme", "alice", &mut client).await;
        server.pass(secs(4)).await;
        assert_eq!(client.close().await, closed(4003, "token expired"), "round {round}");
        // The stale one first, as a client without a provider would.
        assert_eq!(turned_away(&server, &workspace_at(&token)).await, closed(4003, "token expired"));
    }
    let mut client = server.workspace("alice").await;
    delivers(&server, "acme", "alice", &mut client).await;
}

#[tokio::test]
async fn check_076_the_old_address_without_a_token_is_closed_4001() {
    let server = server().await;
    assert_eq!(turned_away(&server, "/?userId=alice&workspaceSlug=acme").await, unauthorized());
}

#[tokio::test]
async fn check_077_duplicate_parameters_are_refused() {
    let server = server().await;
    let token = server.token("alice").sign();
    for path in [
        format!("/?token={token}&token={token}&workspaceSlug=acme"),
        format!("/?token={token}&workspaceSlug=acme&token=bad"),
        format!("/?token=bad&workspaceSlug=acme&token={token}"),
        format!("/?%74oken={token}&workspaceSlug=acme&token={token}"),
    ] {
        assert_eq!(turned_away(&server, &path).await, unauthorized(), "{path}");
    }
    for path in [
        format!("/?token={token}&workspaceSlug=acme&workspaceSlug=acme"),
        format!("/?token={token}&workspaceSlug=acme&workspaceSlug=other"),
        format!("/?workspaceSlug=&token={token}&workspaceSlug=acme"),
    ] {
        assert_eq!(turned_away(&server, &path).await, no_workspace(), "{path}");
    }
}

#[tokio::test]
async fn check_078_order_and_extra_parameters_do_not_matter() {
    let server = server().await;
    let token = server.token("alice").sign();
    for path in [
        format!("/?workspaceSlug=acme&token={token}"),
        format!("/?x=1&token={token}&userId=bob&workspaceSlug=acme&access_token=bad&&y"),
        format!("/ws?token={token}&workspaceSlug=%61cme"),
    ] {
        let mut client = Client::connect(server.address, &path).await;
        delivers(&server, "acme", "alice", &mut client).await;
        client.leave().await;
    }
}

#[tokio::test]
async fn check_079_other_paths_are_404_before_the_upgrade() {
    let server = server().await;
    let query = server.workspace_path("alice");
    let query = query.trim_start_matches('/');
    for path in ["/x", "/ws/", "/notifications", "/api", "//", "/api/ws/notification/", "/v1/connect/"] {
        let refused = Client::try_connect(server.address, &format!("{path}{query}")).await.err().expect(path);
        assert_eq!(refused.status, 404, "{path}");
    }
}

#[tokio::test]
async fn check_094_percent_encoded_token_is_accepted_and_plus_is_no_space() {
    let server = server().await;
    let token = server.token("alice").sign();
    for spelt in [token.replace('.', "%2E"), encoded(&token)] {
        let mut client = Client::connect(server.address, &workspace_at(&spelt)).await;
        delivers(&server, "acme", "alice", &mut client).await;
        client.leave().await;
    }
    // Were it a space, trimming would leave a good token behind.
    for spelt in [format!("+{token}"), format!("{token}+"), format!("{token}%20")] {
        assert_eq!(turned_away(&server, &workspace_at(&spelt)).await, unauthorized(), "{spelt}");
    }
}
