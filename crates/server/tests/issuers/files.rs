//! Keys in files that change.

use std::path::Path;

use campanile_testkit::{SECRET, TestServer, WAIT, forge};
use tempfile::TempDir;

use super::provider::{Signer, set};
use super::*;

/// As tools do that rotate keys: whole, under another name first.
fn put(path: &Path, text: &str) {
    let draft = path.with_extension("new");
    std::fs::write(&draft, text).unwrap();
    std::fs::rename(draft, path).unwrap();
}

/// Waits until a request with this token meets this status.
async fn answered(server: &TestServer, token: &str, status: u16) {
    let deadline = Instant::now() + WAIT;
    loop {
        let got = api(server, token).await;
        if got == status {
            return;
        }
        assert!(Instant::now() < deadline, "{got}, not {status}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_set_in_a_file_rotates() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("jwks.json");
    let (former, later) = (Signer::new("former"), Signer::new("later"));
    put(&file, &set(&[&former]));
    let source = format!("jwks_file = \"{}\"", file.display());
    let server = TestServer::configured(&issuer("id", ISS, &source)).await;
    let (alice, bob) = (token(&server, &former, "alice"), token(&server, &later, "bob"));
    assert_eq!((api(&server, &alice).await, api(&server, &bob).await), (200, 401));

    put(&file, &set(&[&former, &later]));
    answered(&server, &bob, 200).await;
    assert_eq!(api(&server, &alice).await, 200);

    put(&file, &set(&[&later]));
    answered(&server, &alice, 401).await;
    assert_eq!(api(&server, &bob).await, 200);
}

/// The second file is looked at after the first: once its change counts, the first one was seen in its broken state.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_file_keeps_its_former_keys_and_holds_up_no_other() {
    let dir = TempDir::new().unwrap();
    let (one, two) = (dir.path().join("one.json"), dir.path().join("two.json"));
    let (first, second, third) = (Signer::new("1"), Signer::new("2"), Signer::new("3"));
    let other = "https://other.example/";
    let in_file = |path: &Path| format!("jwks_file = \"{}\"", path.display());
    for broken in ["", "{", "null", &set(&[]), &set(&[&Signer::rsa("rsa")])] {
        put(&one, &set(&[&first]));
        put(&two, &set(&[&second]));
        let config = [issuer("one", ISS, &in_file(&one)), issuer("two", other, &in_file(&two))].join("");
        let server = TestServer::configured(&config).await;
        put(&one, broken);
        put(&two, &set(&[&third]));
        let mut claims = claims(&server, "bob");
        claims["iss"] = other.into();
        answered(&server, &third.sign(&claims), 200).await;
        assert_eq!(api(&server, &token(&server, &first, "alice")).await, 200, "{broken}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_auth_keys_is_read_again() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("secret");
    let [former, later] =
        ["the former secret, of at least 32 bytes", "the later secret, of at least 32 bytes"];
    put(&file, former);
    let config = format!("[[auth.keys]]\nalgorithm = \"HS256\"\nsecret_file = \"{}\"\n", file.display());
    let server = TestServer::configured(&config).await;
    let by = |secret: &str| forge(r#"{"alg":"HS256"}"#, &server.token("alice").0.to_string(), secret);
    assert_eq!((api(&server, &by(former)).await, api(&server, &by(later)).await), (200, 401));
    put(&file, later);
    answered(&server, &by(later), 200).await;
    assert_eq!(api(&server, &by(former)).await, 401);
    assert_eq!(api(&server, &by(SECRET)).await, 200, "the other keys stay");
}
