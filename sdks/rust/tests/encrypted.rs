//! TLS: to whom a client trusts, on sockets and by HTTP alike, and to nobody else.

use std::sync::Arc;
use std::time::Duration;

use campanile_client::{Campanile, Draft, Publisher, ReasonKind, State};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use serde_json::json;

use crate::scripted::Scripted;

/// A server of its own authority, and a configuration that trusts it.
async fn server() -> (Scripted, Arc<rustls::ClientConfig>) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let certificate: CertificateDer<'static> = made.cert.der().clone();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let served = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key.into())
        .unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).unwrap();
    let trusting = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Scripted::start_tls(served).await, Arc::new(trusting))
}

fn url(server: &Scripted) -> String {
    format!("wss://localhost:{}", server.address.port())
}

#[tokio::test]
async fn whom_a_client_trusts_it_talks_to() {
    let (mut server, tls) = server().await;
    let builder = Campanile::builder(url(&server)).workspace("demo").token("t").tls(Arc::clone(&tls));
    let (client, _events) = builder.connect().unwrap();
    let dial = tokio::time::timeout(Duration::from_secs(30), server.dials.recv()).await.unwrap().unwrap();
    assert_eq!(dial.bearer.as_deref(), Some("t"));
    assert!(dial.send(json!({"type": "hello", "user": "alice", "epoch": null}).to_string()).await);
    let page = server.requests.recv().await.unwrap();
    assert_eq!(page.path, "/v1/workspaces/demo/inbox");
    page.answer(
        200,
        vec![],
        json!({"items": [], "older": null, "unread": 0, "unseen": 0, "head": 0, "epoch": null, "rev": 0}),
    );
    client.until(|shown| shown.state == State::Live && !shown.loading).await.unwrap();

    let publisher = Publisher::builder(url(&server)).workspace("demo").token("t").tls(tls).build().unwrap();
    let published = tokio::spawn(async move { publisher.publish(&Draft::to_user("a", "T", "")).await });
    let request = server.requests.recv().await.unwrap();
    request.answer(201, vec![], json!({"id": "n", "seq": 1, "timestamp": "2026-01-01T00:00:00.000Z"}));
    assert_eq!(published.await.unwrap().unwrap().id, "n");
}

#[tokio::test]
async fn whom_the_system_does_not_trust_gets_no_token() {
    let (mut server, _tls) = server().await;
    let (client, _events) = Campanile::builder(url(&server)).workspace("demo").token("t").connect().unwrap();
    let shown = client.until(|shown| shown.state == State::Waiting).await.unwrap();
    let reason = shown.reason.clone().unwrap();
    assert_eq!((reason.kind, reason.code), (ReasonKind::Lost, 0));
    assert!(reason.reason.contains("certificate"), "{}", reason.reason);
    assert!(server.dials.try_recv().is_err());
}
