//! The program, against a server of a few lines.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

fn run(url: &str, outbox: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rust-publisher"))
        .args(words)
        .env("CAMPANILE_URL", url)
        .env("CAMPANILE_TOKEN", "a-token")
        .env("OUTBOX", outbox)
        .output()
        .unwrap()
}

fn left(outbox: &Path) -> usize {
    std::fs::read_dir(outbox).unwrap().count()
}

#[test]
fn an_order_stays_until_it_was_told_and_is_told_under_its_key() {
    let directory = tempfile::tempdir().unwrap();
    let outbox = directory.path().join("outbox");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let refuse = std::thread::spawn(move || {
        // Four attempts are turned away; then the server is well.
        for _ in 0..4 {
            answer(&listener, "503 Service Unavailable", "Retry-After: 0\r\n", r#"{"code":"overloaded"}"#);
        }
        let body = r#"{"id":"n-1","seq":1,"timestamp":"2026-01-01T00:00:00.000Z"}"#;
        answer(&listener, "201 Created", "", body)
    });
    let failed = run(&url, &outbox, &["4711", "alice"]);
    assert_eq!(failed.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&failed.stderr).contains("order 4711 stays in the outbox"));
    assert_eq!(left(&outbox), 1);

    let told = run(&url, &outbox, &[]);
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    assert_eq!(String::from_utf8_lossy(&told.stdout), "order 4711: told as n-1\n");
    assert_eq!(left(&outbox), 0);
    let request = refuse.join().unwrap();
    assert!(request.to_ascii_lowercase().contains("idempotency-key: order-4711-shipped"), "{request}");
    assert!(request.starts_with("POST /v1/workspaces/demo/notifications "), "{request}");
}

/// Answers one request on a connection of its own, and gives back its head.
fn answer(listener: &TcpListener, status: &str, headers: &str, body: &str) -> String {
    let (mut stream, _) = listener.accept().unwrap();
    let (mut bytes, mut chunk) = (Vec::new(), [0; 4_096]);
    loop {
        let text = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
        if let Some(end) = text.find("\r\n\r\n") {
            let length = text.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
            if bytes.len() >= end + 4 + length.map_or(0, |length| length.parse().unwrap()) {
                break;
            }
        }
        let count = stream.read(&mut chunk).unwrap();
        assert!(count > 0, "the request is not whole");
        bytes.extend_from_slice(&chunk[..count]);
    }
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    )
    .unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}
