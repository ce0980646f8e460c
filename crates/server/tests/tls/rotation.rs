//! Certificates, keys and users that change while a thousand clients receive.

use campanile_testkit::{Authority, Client};
use futures_util::future::join_all;
use serde_json::json;

use super::certificates::{install, shown};
use super::*;
use crate::issuers::provider::{Provider, Signer};
use crate::issuers::{ISS, issuer};
use crate::revocations::operator;
use crate::service_accounts;

/// Clients, all within TLS, and rounds of what is sent to all of them.
const SOCKETS: usize = 1_000;
const ROUNDS: usize = 40;
/// Handshakes at once while they come.
const AT_ONCE: usize = 50;

/// What one client heard, and how it was closed, if it was.
type Heard = (Vec<usize>, Option<u16>);

async fn listen(mut client: Client) -> Heard {
    let mut heard = vec![];
    loop {
        match client.next().await {
            Message::Text(text) => {
                let frame: Value = serde_json::from_str(&text).unwrap();
                heard.push(frame["message"].as_str().unwrap().parse().unwrap());
                if heard.last() == Some(&(ROUNDS - 1)) {
                    return (heard, None);
                }
            }
            Message::Close(frame) => return (heard, frame.map(|frame| u16::from(frame.code))),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_right_sockets_close_whatever_changes_meanwhile() {
    let signers = ["a", "b", "c"].map(Signer::new);
    let [a, b, c] = &signers;
    let provider = Provider::of(&[a, b]).await;
    let tls = Secured::configured(&issuer("id", ISS, &format!("jwks_url = \"{}\"", provider.url))).await;
    let server = &tls.server;
    until("the issuer's keys", || server.running().sources.status()[0].keys == 2).await;
    let name = |n: usize| format!("user-{n}");
    // By an issuer's key that will go, by one that stays, and by a key of our own.
    let token = |n: usize| match n % 3 {
        2 => server.token(&name(n)).with("iat", server.now()).sign(),
        by => [a, b][by].sign(&json!({
            "iss": ISS, "aud": "campanile", "sub": name(n), "workspaces": ["acme"],
            "iat": server.now(), "exp": server.now() + 3600,
        })),
    };
    let at = |token: &str| format!("/?token={token}&workspaceSlug=acme");
    let mut listeners = Vec::with_capacity(SOCKETS);
    for first in (0..SOCKETS).step_by(AT_ONCE) {
        let paths: Vec<_> = (first..first + AT_ONCE).map(|n| at(&token(n))).collect();
        let clients = join_all(paths.iter().map(|path| tls.socket(path))).await;
        listeners.extend(clients.into_iter().map(|client| tokio::spawn(listen(client))));
    }
    server.sockets(SOCKETS).await;

    let (publisher, ops) = (server.publisher(), operator(server));
    let machines = server.token("backend").with("scope", "admin").sign();
    let account = json!({"name": "bot", "scopes": ["notifications:write"]}).to_string();
    let account = post(&tls, "/v1/workspaces/acme/service-accounts", &machines, &account).await.json();
    let machine = service_accounts::token_within(&tls, &account).await;
    let own = tokio::spawn(listen(tls.socket(&at(&machine)).await));
    server.sockets(SOCKETS + 1).await;
    let mut revoked = vec![];
    for round in 0..ROUNDS {
        let body = json!({"to": {"workspace": true}, "title": "T", "message": round.to_string()});
        publish(&tls, &publisher, &body.to_string()).await;
        match round {
            // The certificate, twice, and from another authority the second time.
            8 | 28 => {
                let authority = if round == 8 { &tls.authority } else { &Authority::new() };
                let renewed = authority.server();
                install(&tls, &renewed);
                server.running().reload_certificate();
                assert_eq!(shown(&tls, authority).await, renewed.der());
                if round == 28 {
                    install(&tls, &tls.authority.server());
                    server.running().reload_certificate();
                }
            }
            // The issuer's keys: a goes, c comes. Whoever shows one that is not known makes the server look.
            16 => {
                provider.publish(&[b, c]);
                server.clock.advance(Duration::from_secs(30));
                let late = c.sign(&json!({
                    "iss": ISS, "aud": "campanile", "sub": "late", "workspaces": ["acme"],
                    "exp": server.now() + 3600,
                }));
                tls.socket(&at(&late)).await.leave().await;
                assert_eq!(
                    tls.socket(&at(&token(0))).await.close().await.0,
                    4001,
                    "a new token of a key that is gone"
                );
            }
            // Our own key, after which former tokens are good; then as for one that was stolen.
            20 => assert_eq!(post(&tls, "/v1/keys/rotate", &ops, "{}").await.status, 200),
            32 => {
                let forget = r#"{"forgetFormer":true}"#;
                assert_eq!(post(&tls, "/v1/keys/rotate", &ops, forget).await.status, 200);
            }
            // Users, one of each kind of token in turn.
            12 | 18 | 22 | 26 | 30 | 34 => {
                let n = round * 10 + revoked.len() % 3;
                let body = json!({ "user": name(n) }).to_string();
                assert_eq!(post(&tls, "/v1/revocations", &ops, &body).await.status, 201);
                revoked.push((n, round));
            }
            _ => {}
        }
    }
    for (n, listener) in listeners.into_iter().enumerate() {
        let (heard, close) = listener.await.unwrap();
        match revoked.iter().find(|(user, _)| *user == n) {
            Some((_, round)) => {
                assert_eq!(close, Some(4001), "user {n}");
                let told = heard.len();
                assert!(
                    told <= round + 1 && heard.into_iter().eq(0..told),
                    "user {n}: in order, and no more"
                );
            }
            None => {
                assert_eq!(close, None, "user {n}");
                assert!(heard.iter().copied().eq(0..ROUNDS), "user {n}: {heard:?}");
            }
        }
    }
    // The machine's token outlived one key, and not the other.
    let (heard, close) = own.await.unwrap();
    assert_eq!(close, Some(4001));
    assert!((21..=33).contains(&heard.len()) && heard.iter().copied().eq(0..heard.len()), "{heard:?}");
    assert_eq!(revoked.len(), 6);
}
