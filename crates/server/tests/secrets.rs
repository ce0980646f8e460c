//! What must not be read in a log: tokens, tickets, secrets, keys.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use campanile_testkit::{Answer, Authority, Client, SECRET, Token, connect_tls, read_head, request};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::backend::done;
use crate::issuers::provider::{Provider, Signer};
use crate::issuers::{ISS, issuer};
use crate::process::Process;
use crate::program::Program;

/// Everything that was given or made, and may stand nowhere but where it belongs.
#[derive(Default)]
struct Secrets(Vec<(&'static str, String)>);

impl Secrets {
    fn keep(&mut self, what: &'static str, text: impl Into<String>) -> String {
        let text = text.into();
        assert!(text.len() >= 8, "{what} is too short to be looked for");
        self.0.push((what, text.clone()));
        text
    }

    /// As it stands in an address whose every byte is percent-encoded, in the manner of each kind of client.
    fn encoded(&mut self, what: &'static str, text: &str) -> String {
        let lower: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
        self.keep(what, lower.clone());
        self.keep(what, lower.to_ascii_uppercase())
    }

    /// A token; its payload alone would do for nobody, but its signature is what makes it one.
    fn token(&mut self, what: &'static str, token: &str) -> String {
        let signature = token.rsplit('.').next().unwrap_or_default();
        self.keep("a signature", signature);
        self.keep(what, token)
    }

    #[track_caller]
    fn are_not_in(&self, text: &str, where_: &str) {
        for (what, secret) in &self.0 {
            if let Some(line) = text.lines().find(|line| line.contains(secret)) {
                panic!("{what} stands in {where_}: {}", line.replace(secret, "<HERE>"));
            }
        }
    }
}

async fn ask(process: &Process, method: &str, path: &str, token: &str, body: &Value) -> Answer {
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    let body = if body.is_null() { String::new() } else { body.to_string() };
    request(process.address, method, path, &headers, body.as_bytes()).await
}

async fn ask_token(process: &Process, form: &str) -> Answer {
    let headers = [("Content-Type", "application/x-www-form-urlencoded")];
    request(process.address, "POST", "/oidc/token", &headers, form.as_bytes()).await
}

/// The addresses of two key sets: one with a secret key among the public ones, and one that leads elsewhere. Each has
/// a secret in its query, as some providers want.
async fn publishers(secrets: &mut Secrets, signer: &Signer) -> (String, String) {
    let (good, bad) = (Provider::silent().await, Provider::silent().await);
    let shared = secrets.keep("a key in a set", "c2hhcmVkLWtleS1pbi1hLXNldC0wMTIzNDU2Nzg5");
    let private = secrets.keep("a private key in a set", "cHJpdmF0ZS1rZXktaW4tYS1zZXQtMDEyMzQ1Njc4OQ");
    let mut leaked = Signer::new("leaked").jwk();
    leaked["d"] = json!(private);
    let set = json!({ "keys": [signer.jwk(), {"kty": "oct", "kid": "s", "k": shared}, leaked] }).to_string();
    good.say("200 OK", "", set.as_bytes());
    let query = secrets.keep("a query", "elsewhere-code-0123456789");
    bad.say("302 Found", &format!("Location: http://127.0.0.1:1/?code={query}\r\n"), set.as_bytes());
    let codes = ["first-code-0123456789", "second-code-0123456789"].map(|code| secrets.keep("a query", code));
    let address = |provider: Provider, code: &str| format!("{}?code={code}", provider.url);
    (address(good, &codes[0]), address(bad, &codes[1]))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_log_line_holds_one() {
    let mut secrets = Secrets::default();
    secrets.keep("the HS256 key", SECRET);
    let signer = Signer::new("a");
    let (good, bad) = publishers(&mut secrets, &signer).await;
    let program = Program::new()
        .set("CAMPANILE_SECRET", SECRET)
        .set("CAMPANILE_LOG__LEVEL", "trace")
        .set("CAMPANILE_CONFIG", "campanile.toml");
    let shared = secrets.keep("an issuer's secret", "a-secret-shared-with-an-issuer-0123456789");
    let partner = issuer("partner", "https://partner.example/", &format!("secret = \"{shared}\""));
    let config = [
        issuer("id", ISS, &format!("jwks_url = \"{good}\"")),
        issuer("gone", "https://gone.example/", &format!("jwks_url = \"{bad}\"")),
        partner.replace("ES256", "HS256"),
    ];
    program.write("campanile.toml", &config.concat());
    let process = tokio::task::block_in_place(|| Process::start(&program));
    let began = Instant::now();
    let seconds = campanile_server::clock::Clock::system().now().as_secs();
    let made = |user: &str| {
        Token::of(user, seconds).with("iat", seconds - 5).with("workspaces", json!(["acme", "default"]))
    };
    let admin = secrets.token("a token", &made("backend").with("scope", "admin notifications:write").sign());
    let operator = made("ops").with("workspaces", json!(["*"])).with("scope", "operator").sign();
    let operator = secrets.token("a token", &operator);
    let alice = secrets.token("a token", &made("alice").with("jti", "alices-token").sign());
    let claims = |iss: &str| json!({ "iss": iss, "aud": "campanile", "sub": "carol", "workspaces": ["acme"], "exp": seconds + 3600 });
    let carol = secrets.token("an issuer's token", &signer.sign(&claims(ISS)));
    let unknown = Signer::new("nobody's");
    let refused = [ISS, "https://gone.example/", "https://partner.example/"]
        .map(|iss| secrets.token("a forged token", &unknown.sign(&claims(iss))));

    // Sockets, good and refused, by token and by ticket.
    let on =
        |address: String| async move { Client::connect(process_address(&address), path_of(&address)).await };
    let at = |path: String| format!("{}{path}", process.address);
    let mut live = on(at(format!("/?token={alice}&workspaceSlug=acme"))).await;
    let ticket = done(ask(&process, "POST", "/v1/tickets", &alice, &Value::Null).await);
    let ticket = secrets.keep("a ticket", ticket["ticket"].as_str().unwrap());
    let product = on(at(format!("/api/ws/notification?ticket={ticket}"))).await;
    for query in [
        format!("token={alice}x&workspaceSlug=acme"),
        format!("token={alice}&token={alice}&workspaceSlug=acme"),
        format!("ticket={ticket}&workspaceSlug=acme"),
        format!("ticket={ticket}&token={alice}&workspaceSlug=acme"),
        format!("token={alice}&workspaceSlug=other"),
        format!("token={alice}"),
        format!("token={}&workspaceSlug=other", secrets.encoded("an encoded token", &alice)),
        format!("%74oken={}x&workspaceSlug=acme", secrets.encoded("an encoded token", &alice)),
        format!("ticket={}&workspaceSlug=acme", secrets.encoded("an encoded ticket", &ticket)),
        format!("token={}&workspaceSlug=acme", refused[0]),
        format!("token={}&workspaceSlug=acme", refused[1]),
    ] {
        let code = on(at(format!("/?{query}"))).await.close().await.0;
        assert!(code == 4001 || code == 4002);
    }
    for path in [format!("/nowhere?token={alice}"), format!("/healthz/{ticket}"), format!("/?token={alice}")]
    {
        assert!(request(process.address, "GET", &path, &[], b"").await.status >= 400);
    }

    let encoded = secrets.encoded("an encoded token", &carol);
    on(at(format!("/?token={encoded}&workspaceSlug=acme"))).await.leave().await;

    // Headers of every kind, good and bad.
    assert_eq!(ask(&process, "GET", "/v1/workspaces/acme/inbox", &carol, &Value::Null).await.status, 200);
    for token in &refused {
        assert_eq!(ask(&process, "GET", "/v1/workspaces/acme/inbox", token, &Value::Null).await.status, 401);
    }
    for value in
        [format!("bearer {carol}x"), format!("Token {carol}"), format!("Basic {carol}"), carol.clone()]
    {
        for headers in
            [&[("Authorization", value.as_str())][..], &[("Authorization", &value), ("Cookie", &value)]]
        {
            for path in ["/v1/workspaces/acme/inbox", "/api/notification/list", "/oidc/token", "/nowhere"] {
                assert!(request(process.address, "GET", path, headers, b"").await.status >= 400);
            }
        }
    }

    native(&process, &mut secrets, &made, &refused[0]).await;

    // A service account's whole life.
    let draft = json!({"name": "bot", "scopes": ["notifications:write"]});
    let account = ask(&process, "POST", "/v1/workspaces/acme/service-accounts", &admin, &draft).await;
    let first = secrets.keep("a secret", done(account)["clientSecret"].as_str().unwrap());
    let form =
        |secret: &str| format!("grant_type=client_credentials&client_id=acme.bot&client_secret={secret}");
    let basic = secrets.keep("credentials", STANDARD.encode(format!("acme.bot:{first}")));
    for basic in [format!("Basic {basic}"), format!("basic {basic}="), format!("Bearer {basic}")] {
        let form = ("Content-Type", "application/x-www-form-urlencoded");
        let headers = [("Authorization", basic.as_str()), form];
        let body = b"grant_type=client_credentials&scope=notifications%3Awrite";
        let answer = request(process.address, "POST", "/oidc/token", &headers, body).await;
        match answer.status {
            200 => drop(secrets.token("a token", answer.json()["access_token"].as_str().unwrap())),
            status => assert!(status >= 400),
        }
    }
    let given = ask_token(&process, &form(&first)).await.json();
    let token = secrets.token("a machine's token", given["access_token"].as_str().unwrap());
    for wrong in [form(&format!("{first}x")), form(&first) + "&scope=admin", form(&first) + "&grant_type=x"] {
        assert!(ask_token(&process, &wrong).await.status >= 400);
    }
    // The secret where the id belongs.
    assert_eq!(ask_token(&process, &form("x").replace("acme.bot", &first)).await.status, 401);
    let rotate = "/v1/workspaces/acme/service-accounts/bot/rotate";
    let rotated = ask(&process, "POST", rotate, &admin, &json!({"overlap": "1h"})).await;
    let second = secrets.keep("a secret", done(rotated)["clientSecret"].as_str().unwrap());
    let given = ask_token(&process, &form(&second)).await.json();
    secrets.token("a machine's token", given["access_token"].as_str().unwrap());
    let mut machine = on(at(format!("/?token={token}&workspaceSlug=acme"))).await;
    let keys = |secrets: &mut Secrets| {
        let file = std::fs::read_to_string(program.path("data/signing-keys.json")).unwrap();
        let stock: Value = serde_json::from_str(&file).unwrap();
        for key in stock["keys"].as_array().unwrap() {
            secrets.keep("a signing key", key["seed"].as_str().unwrap());
        }
    };
    keys(&mut secrets);
    done(ask(&process, "POST", "/v1/keys/rotate", &operator, &json!({})).await);
    keys(&mut secrets);
    done(ask(&process, "DELETE", "/v1/workspaces/acme/service-accounts/bot", &admin, &Value::Null).await);
    assert_eq!(machine.close().await.0, 4001);

    // Revocation, and a request with a body that holds what it should not.
    done(ask(&process, "POST", "/v1/revocations", &operator, &json!({"tokenId": "alices-token"})).await);
    assert_eq!(live.close().await.0, 4001);
    drop(product);
    assert_eq!(ask(&process, "GET", "/v1/workspaces/acme/inbox", &alice, &Value::Null).await.status, 401);
    assert_eq!(
        ask(&process, "POST", "/v1/revocations", &operator, &json!({"tokenID": token})).await.status,
        422
    );
    let ran = tokio::task::block_in_place(|| {
        let program = program.set("CAMPANILE_SERVER__LISTEN", &process.address.to_string());
        program.run(["revoke", "--user", "mallory"])
    });
    ran.succeeded();
    secrets.are_not_in(&(ran.stdout + &ran.stderr), "what a command printed");

    let events = ask(&process, "GET", "/v1/workspaces/acme/events", &admin, &Value::Null).await;
    secrets.are_not_in(&String::from_utf8_lossy(&events.body), "an event");
    let log = tokio::task::block_in_place(|| process.written());
    assert!(log.lines().count() > 20 && log.contains("\"TRACE\""), "a log in detail: {log}");
    for said in [
        "an issuer's keys are in use",
        "an issuer's keys can't be fetched",
        "bad_signature",
        "wrong_algorithm",
        "surface\":\"native",
        "surface\":\"stream",
    ] {
        assert!(log.contains(said), "{said}");
    }
    secrets.are_not_in(&log, "the log");
    assert!(began.elapsed().as_secs() < 60);
}

/// The native surface in every way in which it is shown a token, good, forged and misspelt: in the address, in a header,
/// and in a message of a live socket, alone and as a stream.
async fn native(process: &Process, secrets: &mut Secrets, made: &impl Fn(&str) -> Token, forged: &str) {
    let mut token = |jti: &str| secrets.token("a token", &made("nina").with("jti", jti).sign());
    let [first, second, third] = ["first", "second", "third"].map(&mut token);
    let bad = secrets.token("a token", &format!("{first}x"));

    let mut socket =
        Client::connect(process.address, &format!("/v1/connect?workspace=acme&token={first}")).await;
    assert_eq!(socket.json().await["type"], "hello");
    for (message, answer) in [
        (json!({"action": "refresh", "token": second, "ref": "good"}).to_string(), "ok"),
        (json!({"action": "refresh", "token": bad}).to_string(), "error"),
        (json!({"action": "refresh", "token": forged}).to_string(), "error"),
        (json!({"action": "refresh", "token": [third]}).to_string(), "error"),
        (json!({"action": "refresh", "ref": third}).to_string(), "error"),
        (json!({"action": third, "token": third}).to_string(), "error"),
        (format!("{{\"action\": \"refresh\", \"token\": \"{third}\""), "error"),
        (third.clone(), "error"),
    ] {
        socket.send(&message).await;
        let said = loop {
            let said = socket.json().await;
            if said["type"] != "heartbeat" {
                break said;
            }
        };
        assert_eq!(said["type"], answer, "{said}");
    }
    socket.leave().await;

    let at = |query: &str| format!("GET /v1/connect?workspace=acme{query} HTTP/1.1\r\n");
    let stream = |query: &str| format!("GET /v1/workspaces/acme/stream{query} HTTP/1.1\r\n");
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let ticket = done(ask(process, "POST", "/v1/tickets", &third, &Value::Null).await);
    let ticket = secrets.keep("a ticket", ticket["ticket"].as_str().unwrap());
    for (line, authorization, statuses) in [
        (at(""), format!("Bearer {second}"), [101, 200]),
        (at(""), format!("Bearer {bad}"), [101, 401]),
        (at(""), format!("Bearer {forged}"), [101, 401]),
        (at(""), format!("Token {second}"), [101, 401]),
        (at(&format!("&token={second}")), format!("Bearer {second}"), [101, 401]),
        (at(&format!("&token={second}&token={second}")), String::new(), [101, 401]),
        (at(&format!("&ticket={ticket}x")), String::new(), [101, 401]),
        (at(&format!("&ticket={ticket}&token={second}")), String::new(), [101, 401]),
    ] {
        let query = line.split_once("acme").unwrap().1.split_once(' ').unwrap().0.replacen('&', "?", 1);
        for (line, upgrade, status) in
            [(line.clone(), upgrade, statuses[0]), (stream(&query), "", statuses[1])]
        {
            let authorization = match authorization.is_empty() {
                true => String::new(),
                false => format!("Authorization: {authorization}\r\n"),
            };
            let mut tcp = TcpStream::connect(process.address).await.unwrap();
            let head = format!("{line}Host: n\r\n{upgrade}{authorization}\r\n");
            tcp.write_all(head.as_bytes()).await.unwrap();
            let got = read_head(&mut tcp).await.status;
            assert_eq!(got, status, "{}", if upgrade.is_empty() { "the stream" } else { "the socket" });
        }
    }
    let mut tcp = TcpStream::connect(process.address).await.unwrap();
    let head = format!("{}Host: n\r\n\r\n", stream(&format!("?ticket={ticket}")));
    tcp.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(read_head(&mut tcp).await.status, 200);
}

/// The key of a certificate, and whatever else may stand in its file: as it should be, broken, and in another's place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_log_line_holds_the_key_of_a_certificate() {
    let mut secrets = Secrets::default();
    let authority = Authority::new();
    let program = Program::new()
        .set("CAMPANILE_SECRET", SECRET)
        .set("CAMPANILE_LOG__LEVEL", "trace")
        .set("CAMPANILE_SERVER__TLS__CERT_FILE", "cert.pem")
        .set("CAMPANILE_SERVER__TLS__KEY_FILE", "key.pem");
    let mut signed = || {
        let signed = authority.server();
        let lines = signed.key.lines().filter(|line| line.len() >= 8 && !line.starts_with("-----"));
        assert!(lines.map(|line| secrets.keep("a line of a key", line)).count() > 1, "{}", signed.key.len());
        signed
    };
    let (good, other) = (signed(), signed());
    let install = |cert: &str, key: &str| {
        program.write("cert.pem", cert);
        program.write("key.pem", key);
        program.chmod("key.pem", 0o600);
    };
    let (half, _) = other.key.split_at(other.key.len() / 2);
    let (headless, disguised) =
        (other.key.replace("-----BEGIN", "-----BEGAN"), good.key.replace("PRIVATE KEY", "CERTIFICATE"));
    let unfit: [[&str; 2]; 6] = [
        [&good.cert, &other.key],
        [&good.cert, half],
        [&good.cert, &headless],
        [&good.cert, &disguised],
        [&good.key, &good.cert],
        [&good.key, &good.key],
    ];
    for [cert, key] in unfit {
        install(cert, key);
        for command in [&["check"][..], &["serve", "--listen", "127.0.0.1:0"]] {
            let ran = tokio::task::block_in_place(|| program.run(command));
            assert_eq!(ran.status, Some(1), "{}", cert.len());
            secrets.are_not_in(&(ran.stdout + &ran.stderr), "what a command printed");
        }
    }
    install(&good.cert, &good.key);
    let printed = tokio::task::block_in_place(|| program.run(["check"]));
    printed.succeeded();
    secrets.are_not_in(&(printed.stdout + &printed.stderr), "what a command printed");

    let process = tokio::task::block_in_place(|| Process::start(&program));
    let shakes_hands = || connect_tls(process.address, authority.trusting(None));
    drop(shakes_hands().await.expect("a TLS handshake"));
    for [cert, key] in unfit.into_iter().chain([[&*other.cert, &*other.key]]) {
        install(cert, key);
        let id = process.id().to_string();
        assert!(std::process::Command::new("kill").args(["-HUP", &id]).status().unwrap().success());
        // Looked at after the signal, or at the latest with the next look at the files: a few of them may be one.
        tokio::time::sleep(Duration::from_millis(300)).await;
        drop(shakes_hands().await.expect("a TLS handshake"));
    }
    let log = tokio::task::block_in_place(|| process.written());
    assert!(log.contains("\"TRACE\"") && log.contains("the certificate can't be read again"), "{log}");
    secrets.are_not_in(&log, "the log");
}

/// The address and the path of `127.0.0.1:8700/path`.
fn process_address(text: &str) -> std::net::SocketAddr {
    text[..text.find('/').unwrap()].parse().unwrap()
}

fn path_of(text: &str) -> &str {
    &text[text.find('/').unwrap()..]
}
