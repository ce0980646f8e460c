//! The API at an address of its own, with and without certificates of its clients.

use std::net::SocketAddr;

use campanile_server::routes::{document, is_served};
use campanile_server::socket::Serves;
use campanile_testkit::{Answer, Authority, Signed, TestServer, WAIT, connect_tls, request, upgrade_on};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PUBLISH: &str = "/v1/workspaces/acme/notifications";

fn draft() -> String {
    json!({"to": {"user": "alice"}, "title": "T", "message": "m"}).to_string()
}

async fn publish(server: &TestServer, to: SocketAddr) -> Answer {
    let bearer = format!("Bearer {}", server.publisher());
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    request(to, "POST", PUBLISH, &headers, draft().as_bytes()).await
}

#[tokio::test]
async fn machines_and_users_have_addresses_of_their_own() {
    let server = TestServer::configured("[server.api]\nlisten = \"127.0.0.1:0\"\n").await;
    let (main, api) = (server.address, server.running().api_address.unwrap());
    let mut alice = server.workspace("alice").await;
    let published = publish(&server, api).await;
    assert_eq!(published.status, 201);
    assert_eq!(alice.json().await["id"], published.json()["id"]);

    let refused = publish(&server, main).await;
    assert_eq!((refused.status, refused.json()["code"].as_str()), (421, Some("served_elsewhere")));
    let bearer = format!("Bearer {}", server.token("alice").sign());
    let get =
        async |to, path| request(to, "GET", path, &[("Authorization", bearer.as_str())], b"").await.status;
    for path in ["/v1/workspaces/acme/inbox", "/healthz", "/readyz", "/openapi.json", "/docs/problems.md"] {
        assert_eq!((get(main, path).await, get(api, path).await), (200, 200), "{path}");
    }
    // This token is not for the product surface's workspace, which both say.
    let path = "/api/notification/list";
    assert_eq!((get(main, path).await, get(api, path).await), (401, 401));
    for path in [
        "/v1/workspaces/acme/rules",
        "/v1/drain",
        "/v1/workspaces/acme",
        "/v1/",
        "/v1/workspaces/acme/%69nbox",
    ] {
        assert_eq!(get(main, path).await, 421, "{path}");
    }
    assert_eq!(get(main, "/nothing").await, 404);
    // No sockets where machines are, neither on a fresh connection nor on a pooled one.
    let mut stream = TcpStream::connect(api).await.unwrap();
    assert_eq!(upgrade_on(&mut stream, &server.workspace_path("bob")).await.status, 421);
    assert_eq!(get(api, "/api/ws/notification").await, 421);
    assert_eq!(server.running().gauge.sockets(), 1);
}

/// What users ask with their own tokens, or anybody without one. Whatever else the API has is for machines.
const FOR_USERS: [&str; 16] = [
    "/.well-known/jwks.json",
    "/api/notification/list",
    "/api/notification/mark-read/{id}",
    "/healthz",
    "/readyz",
    "/v1/connect",
    "/v1/tickets",
    "/v1/workspaces/{workspace}/inbox",
    "/v1/workspaces/{workspace}/inbox/read-all",
    "/v1/workspaces/{workspace}/inbox/seen",
    "/v1/workspaces/{workspace}/inbox/{id}/archive",
    "/v1/workspaces/{workspace}/inbox/{id}/read",
    "/v1/workspaces/{workspace}/inbox/{id}/unread",
    "/v1/workspaces/{workspace}/stream",
    "/openapi.json",
    "/docs/problems.md",
];

/// Every route there is, so that a new one is nobody's by accident.
#[test]
fn every_route_has_an_address() {
    let document: Value = serde_json::from_str(&document()).unwrap();
    let paths: Vec<_> = document["paths"].as_object().unwrap().keys().collect();
    assert!(paths.len() > 50);
    for path in paths {
        // Names may be the words that decide.
        for name in ["acme", "inbox", "stream", "tickets"] {
            let named = path.replace("{workspace}", name).replace("{id}", name).replace("{name}", name);
            let is_for_users = FOR_USERS.contains(&path.as_str());
            assert_eq!(is_served(Serves::Users, &named), is_for_users, "{named}");
            assert!(is_served(Serves::All, &named) && is_served(Serves::Api, &named), "{named}");
        }
    }
}

/// Publishes within TLS; an error where the server does not want this client.
async fn publish_within(server: &TestServer, config: rustls::ClientConfig) -> std::io::Result<u16> {
    let mut stream = connect_tls(server.running().api_address.unwrap(), config).await?;
    let (body, token) = (draft(), server.publisher());
    let head = format!(
        "POST {PUBLISH} HTTP/1.1\r\nHost: n\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    let mut answer = vec![];
    tokio::time::timeout(WAIT, stream.read_to_end(&mut answer)).await.expect("an end in time")?;
    Ok(Answer::parse(&answer).status)
}

#[tokio::test]
async fn only_clients_with_a_certificate_reach_the_api() {
    let (authority, clients, files) = (Authority::new(), Authority::new(), TempDir::new().unwrap());
    let ca = files.path().join("clients.pem");
    std::fs::write(&ca, clients.pem()).unwrap();
    let tls = authority.server().write(files.path());
    let config = format!("{tls}[server.api]\nlisten = \"127.0.0.1:0\"\nclient_ca_file = {ca:?}\n");
    let server = TestServer::configured(&config).await;

    let own = clients.client();
    assert_eq!(publish_within(&server, authority.trusting(Some(&own))).await.unwrap(), 201);
    let foreign: [Option<Signed>; 4] = [
        None,
        Some(Authority::new().client()),
        // Of the authority that signed the server's own, and one that is for servers.
        Some(authority.client()),
        Some(clients.server()),
    ];
    for certificate in &foreign {
        let refused = publish_within(&server, authority.trusting(certificate.as_ref())).await;
        assert!(refused.is_err(), "{refused:?}");
    }
    // Users need none.
    let stream = connect_tls(server.address, authority.trusting(None)).await.unwrap();
    let path = server.workspace_path("alice");
    campanile_testkit::Client::try_over(Box::new(stream), &path).await.unwrap().leave().await;

    // Other authorities are believed as soon as their file says so; the former no more.
    let others = Authority::new();
    std::fs::write(&ca, others.pem()).unwrap();
    server.running().reload_certificate();
    assert_eq!(publish_within(&server, authority.trusting(Some(&others.client()))).await.unwrap(), 201);
    assert!(publish_within(&server, authority.trusting(Some(&own))).await.is_err());
}
