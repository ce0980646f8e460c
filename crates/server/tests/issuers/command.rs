//! Issuers at the command line.

use std::time::{SystemTime, UNIX_EPOCH};

use campanile_testkit::Authority;
use serde_json::json;

use super::provider::{Provider, Signer, set};
use super::*;
use crate::process::Process;
use crate::program::{Program, Ran};

fn now() -> u64 {
    #[allow(clippy::disallowed_methods, reason = "the program reads the system's clock")]
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn check(text: &str) -> Ran {
    let program = Program::new();
    let file = program.write("campanile.toml", text);
    program.run(["check", "--config", &file.to_string_lossy()])
}

fn verify(config: &str, token: &str) -> Ran {
    let program = Program::new();
    let file = program.write("campanile.toml", config);
    program.run_with(token, ["token", "verify", "--workspace", "acme", "--config", &file.to_string_lossy()])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn token_verify_fetches_the_keys_of_its_issuer() {
    let signer = Signer::new("a");
    let provider = Provider::of(&[&signer]).await;
    let config = issuer("id", ISS, &format!("jwks_url = \"{}\"", provider.url));
    let claims = |iss: &str| json!({ "iss": iss, "aud": "campanile", "sub": "alice", "workspaces": "acme", "exp": now() + 60 });
    let token = signer.sign(&claims(ISS));
    let ran = tokio::task::spawn_blocking({
        let config = config.clone();
        move || verify(&config, &token)
    });
    let ran = ran.await.unwrap();
    ran.succeeded();
    assert!(ran.stdout.contains("workspace  accepted") && ran.stdout.contains(ISS), "{}", ran.stdout);
    assert_eq!(provider.hits(), 1);

    let token = signer.sign(&claims("https://nobody.example/"));
    let ran = tokio::task::spawn_blocking({
        let config = config.clone();
        move || verify(&config, &token)
    });
    let ran = ran.await.unwrap();
    assert_eq!(ran.status, Some(1));
    assert!(ran.stdout.contains("unknown_issuer"), "{}", ran.stdout);
    assert_eq!(provider.hits(), 1, "keys of no issuer that is not configured");

    provider.say("503 Service Unavailable", "", b"");
    let token = signer.sign(&claims(ISS));
    let ran = tokio::task::spawn_blocking(move || verify(&config, &token)).await.unwrap();
    ran.failed("cannot fetch the keys of the issuer id: the answer's status is 503", "");
}

/// Keys come over https from whoever shows a certificate that this machine believes, and from nobody else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_fetched_over_https() {
    let (signer, authority) = (Signer::new("a"), Authority::new());
    let provider = Provider::secured(&[&signer], &authority.server()).await;
    let misused = Provider::secured(&[&signer], &authority.client()).await;
    let config = |provider: &Provider| issuer("id", ISS, &format!("jwks_url = \"{}\"", provider.url));
    let claims =
        json!({ "iss": ISS, "aud": "campanile", "sub": "alice", "workspaces": ["acme"], "exp": now() + 60 });
    let token = signer.sign(&claims);
    let verify = |config: String, authority: &Authority| {
        let program = Program::new().set("SSL_CERT_FILE", "ca.pem");
        program.write("ca.pem", authority.pem());
        program.write("campanile.toml", &config);
        let words = ["token", "verify", "--workspace", "acme", "--config", "campanile.toml"];
        tokio::task::block_in_place(|| program.run_with(&token, words))
    };
    let ran = verify(config(&provider), &authority);
    ran.succeeded();
    assert!(ran.stdout.contains("workspace  accepted"), "{}", ran.stdout);
    assert_eq!(provider.hits(), 1);
    let cannot = "cannot fetch the keys of the issuer id: there was no answer: invalid peer certificate";
    verify(config(&provider), &Authority::new()).failed(cannot, "");
    verify(config(&misused), &authority).failed(cannot, "");
    assert_eq!((provider.hits(), misused.hits()), (1, 0), "nothing is asked of a stranger");

    let program = Program::new().set("CAMPANILE_CONFIG", "campanile.toml").set("SSL_CERT_FILE", "ca.pem");
    program.write("ca.pem", authority.pem());
    program.write("campanile.toml", &config(&provider));
    let server = tokio::task::block_in_place(|| Process::start(&program));
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", bearer.as_str())];
    let answer =
        campanile_testkit::request(server.address, "GET", "/v1/workspaces/acme/inbox", &headers, b"").await;
    assert_eq!(answer.status, 200);
    assert_eq!(provider.hits(), 2);
}

#[test]
fn token_verify_knows_issuers_of_files() {
    let signer = Signer::new("a");
    let program = Program::new();
    program.write("jwks.json", &set(&[&signer]));
    let file = program.write("campanile.toml", &issuer("id", ISS, "jwks_file = \"jwks.json\""));
    let claims = json!({ "iss": ISS, "aud": "other", "sub": "alice", "exp": now() + 60 });
    let token = signer.sign(&claims);
    let ran = program.run_with(&token, ["token", "verify", "--config", &file.to_string_lossy()]);
    assert_eq!(ran.status, Some(1));
    assert!(ran.stdout.contains("wrong_audience"), "{}", ran.stdout);
}

#[test]
fn what_check_says_of_issuers() {
    let url = "jwks_url = \"https://id.example/jwks\"";
    let good = issuer("id", ISS, url);
    let ran = check(&good);
    ran.succeeded();
    assert!(ran.stdout.contains("jwks_refresh = \"10m\"") && ran.stdout.contains("at+jwt"), "{}", ran.stdout);
    assert!(!Program::new().path("campanile-data/secret.key").exists());

    let source = |source: &str| check(&issuer("id", ISS, source));
    source("").failed("auth.issuers[0]: needs exactly one of secret, secret_file", "");
    source(&format!("{url}\njwks_file = \"x\"")).failed("and has jwks_file and jwks_url", "");
    source("jwks_url = \"http://id.example/jwks\"").failed("must begin with https://", "");
    source("jwks_url = \"id.example/jwks\"").failed("must be a URL", "");
    source("jwks_file = \"not-there.json\"").failed("cannot read not-there.json", "");
    source("secret = \"short\"").failed("a secret takes HS256", "");
    source(&format!("{url}\njwks_refresh = \"1m\"")).failed("must be \"5m\" to \"1h\"", "");
    source(&format!("{url}\nclaim = {{}}")).failed("auth.issuers[0].claim", "auth.issuers[0].claims");
    source(&format!("{url}\nclaims = {{ users = [] }}")).failed("claims.users", "claims.user");
    source(&format!("{url}\ndefault_workspaces = [\"Not One\"]")).failed("default_workspaces", "");
    check(&good.replace("audience", "# audience")).failed("missing field `audience`", "");
    check(&good.replace("ES256", "HS256")).failed("every other source of keys", "");
    check(&good.replace("ES256", "none")).failed("auth.issuers", "");
    check(&format!("{good}{good}")).failed("an earlier issuer has the same name", "");
}

#[test]
fn secrets_of_issuers_are_not_printed() {
    let secret = "a-secret-that-nobody-should-ever-see";
    let config = issuer("id", ISS, &format!("secret = \"{secret}\"")).replace("ES256", "HS256");
    let ran = check(&config);
    ran.succeeded();
    assert!(ran.stdout.contains("(hidden)") && !ran.stdout.contains(secret), "{}", ran.stdout);
    let ran = check(&config.replace(secret, "short-and-secret"));
    ran.failed("the secret has 16 bytes", "");
    assert!(!ran.stderr.contains("short-and-secret"), "{}", ran.stderr);
}

/// A server whose provider is down says so, starts all the same, and offers no command that could not work.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_serve_says_of_issuers() {
    let signer = Signer::new("a");
    let provider = Provider::of(&[&signer]).await;
    provider.say("503 Service Unavailable", "", b"");
    let program = Program::new().set("CAMPANILE_CONFIG", "campanile.toml");
    program.write("campanile.toml", &issuer("id", ISS, &format!("jwks_url = \"{}\"", provider.url)));
    let server = tokio::task::spawn_blocking({
        let program = std::sync::Arc::new(program);
        move || (Process::start(&program), program)
    });
    let (server, program) = server.await.unwrap();
    let claims =
        json!({ "iss": ISS, "aud": "campanile", "sub": "alice", "workspaces": ["acme"], "exp": now() + 60 });
    let token = signer.sign(&claims);
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", bearer.as_str())];
    let answer =
        campanile_testkit::request(server.address, "GET", "/v1/workspaces/acme/inbox", &headers, b"").await;
    assert_eq!(answer.status, 401);
    let written = tokio::task::spawn_blocking(move || server.written()).await.unwrap();
    let warning = written.lines().find(|line| line.contains("an issuer's keys can't be fetched")).unwrap();
    for told in ["\"issuer\":\"id\"", "the answer's status is 503", "\"keys\":0", "\"retry_secs\":30"] {
        assert!(warning.contains(told), "{warning}");
    }
    assert!(!written.contains("To try it"), "{written}");
    for segment in token.split('.') {
        assert!(!written.contains(segment), "{written}");
    }
    assert!(!program.path("data/secret.key").exists());
}
