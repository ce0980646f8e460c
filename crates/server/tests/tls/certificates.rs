//! Certificates that change while the server runs, and those that can't be used.

use campanile_testkit::{Authority, Client, connect_tls};
use rustls::pki_types::CertificateDer;
use serde_json::json;

use super::*;
use crate::program::Program;

/// What a new connection is shown.
pub async fn shown(tls: &Secured, authority: &Authority) -> CertificateDer<'static> {
    let stream = connect_tls(tls.server.address, authority.trusting(None)).await.expect("a TLS handshake");
    stream.get_ref().1.peer_certificates().unwrap()[0].clone()
}

/// Replaces both files as a renewal does: one after the other, each at once.
pub fn install(tls: &Secured, signed: &campanile_testkit::Signed) {
    for (name, text) in [("cert.pem", &signed.cert), ("key.pem", &signed.key)] {
        let beside = tls.files.path().join("new");
        std::fs::write(&beside, text).unwrap();
        std::fs::rename(beside, tls.files.path().join(name)).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewal_costs_no_socket_a_frame() {
    const SOCKETS: usize = 40;
    const FRAMES: usize = 300;
    let tls = Secured::start().await;
    let mut readers = vec![];
    for n in 0..SOCKETS {
        let mut client = tls.socket(&tls.server.workspace_path(&format!("user-{n}"))).await;
        readers.push(tokio::spawn(async move {
            for n in 0..FRAMES {
                assert_eq!(client.json().await["title"], n.to_string());
            }
            client
        }));
    }
    tls.server.sockets(SOCKETS).await;
    let renewed = tls.authority.server();
    let publisher = tls.server.publisher();
    for n in 0..FRAMES {
        if n == FRAMES / 3 {
            install(&tls, &renewed);
            tls.server.running().reload_certificate();
            assert_eq!(shown(&tls, &tls.authority).await, renewed.der());
        }
        if n == FRAMES / 2 {
            // Once more, and newcomers in the middle of it.
            install(&tls, &tls.authority.server());
            tls.server.running().reload_certificate();
            tls.socket(&tls.server.workspace_path("newcomer")).await.leave().await;
        }
        let body = json!({"to": {"workspace": true}, "title": n.to_string(), "message": "m"}).to_string();
        publish(&tls, &publisher, &body).await;
    }
    for reader in readers {
        let client: Client = reader.await.expect("every frame, in order");
        client.leave().await;
    }
}

#[tokio::test]
async fn a_change_of_the_files_is_noticed() {
    let tls = Secured::start().await;
    let other = Authority::new();
    let renewed = other.server();
    install(&tls, &renewed);
    let deadline = std::time::Instant::now() + WAIT;
    while connect_tls(tls.server.address, other.trusting(None)).await.is_err() {
        assert!(std::time::Instant::now() < deadline, "the former certificate is still shown");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(shown(&tls, &other).await, renewed.der());
}

#[tokio::test]
async fn what_can_not_be_used_leaves_the_former_in_place() {
    let tls = Secured::start().await;
    let before = shown(&tls, &tls.authority).await;
    let (one, two) = (tls.authority.server(), tls.authority.server());
    let half = campanile_testkit::Signed { cert: one.cert.clone(), key: two.key };
    let nothing = campanile_testkit::Signed { cert: String::new(), key: one.key.clone() };
    let swapped = campanile_testkit::Signed { cert: one.key.clone(), key: one.cert.clone() };
    for unfit in [half, nothing, swapped] {
        install(&tls, &unfit);
        tls.server.running().reload_certificate();
        assert_eq!(shown(&tls, &tls.authority).await, before);
    }
    std::fs::remove_file(tls.files.path().join("key.pem")).unwrap();
    tls.server.running().reload_certificate();
    assert_eq!(shown(&tls, &tls.authority).await, before);
    install(&tls, &one);
    tls.server.running().reload_certificate();
    assert_eq!(shown(&tls, &tls.authority).await, one.der());
}

#[test]
fn what_can_not_be_used_stops_the_start() {
    let (one, two) = (Authority::new().server(), Authority::new().server());
    let refused = |cert: &str, key: &str, what: &str| {
        let program = Program::new().with_local_key();
        program.write("cert.pem", cert);
        program.write("key.pem", key);
        program.chmod("key.pem", 0o600);
        let text = "[server]\nlisten = \"127.0.0.1:0\"\n[server.tls]\ncert_file = \"cert.pem\"\nkey_file = \"key.pem\"\n";
        let file = program.write("campanile.toml", text);
        for command in ["check", "serve"] {
            let ran = program.run([command, "--config", &file.to_string_lossy()]);
            ran.failed(what, "");
            assert!(!ran.stderr.contains("PRIVATE") && !ran.stderr.contains("MI"), "{}", ran.stderr);
        }
    };
    refused(&one.cert, &two.key, "the key in key.pem is not that of the first certificate in cert.pem");
    refused("", &one.key, "cert.pem holds no certificate in PEM");
    refused(&one.cert, "", "key.pem holds no private key in PEM");
    refused(&one.cert, &one.cert, "key.pem holds no private key in PEM");
    refused(&one.key, &one.key, "cert.pem holds no certificate in PEM");
    for (variable, other) in [("CERT_FILE", "key_file"), ("KEY_FILE", "cert_file")] {
        let variable = format!("CAMPANILE_SERVER__TLS__{variable}");
        let ran = Program::new().set(&variable, "x.pem").run(["check"]);
        ran.failed(&format!("server.tls.{other}: must be given"), "");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_commands_speak_tls_and_believe_nobody_else() {
    let tls = Secured::start().await;
    let program = Program::new().set("CAMPANILE_SECRET", campanile_testkit::SECRET);
    program.write("ca.pem", tls.authority.pem());
    program.write("other.pem", Authority::new().pem());
    let mut alice = tls.socket(&tls.server.workspace_path("alice")).await;
    let port = tls.server.address.port();
    let url = format!("https://localhost:{port}");
    let send = |url: &str, more: &[&str]| {
        let words = [
            "send",
            "--workspace",
            "acme",
            "--user",
            "alice",
            "--title",
            "T",
            "--message",
            "M",
            "--url",
            url,
        ];
        program.run(words.into_iter().chain(more.iter().copied()))
    };
    send(&url, &["--ca-file", "ca.pem"]).succeeded();
    assert_eq!(alice.json().await["message"], "M");
    let hint = "give --url with the name that the certificate is for";
    send(&url, &[]).failed("invalid peer certificate", hint);
    send(&url, &["--ca-file", "other.pem"]).failed("invalid peer certificate", hint);
    send(&format!("https://[::ffff:127.0.0.1]:{port}"), &["--ca-file", "ca.pem"])
        .failed("https://[::ffff:127.0.0.1]", hint);
    send(&url, &["--ca-file", "missing.pem"]).failed("missing.pem", hint);
    send(&format!("http://localhost:{port}"), &[]).failed("Use `https://`", "");
}
