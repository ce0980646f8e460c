//! Keys at a URL.

use std::time::{Duration, Instant};

use campanile_testkit::{Client, TestServer};
use serde_json::json;

use super::provider::{Mode, Provider, Signer, set};
use super::*;

const FLOOR: Duration = Duration::from_secs(30);
const REFRESH: Duration = Duration::from_secs(10 * 60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_of_published_keys_are_believed() {
    let signer = Signer::new("a");
    let provider = Provider::of(&[&signer]).await;
    let server = believing(&provider).await;
    keys(&server, 1).await;
    let alice = token(&server, &signer, "alice");
    served(&server, &alice, "alice").await;
    assert_eq!(api(&server, &alice).await, 200);

    let another = Signer::new("a");
    assert_eq!(refused(&server, &token(&server, &another, "alice")).await, 4001);
    assert_eq!(api(&server, &token(&server, &another, "alice")).await, 401);
    let for_others =
        signer.sign(&json!({ "iss": ISS, "aud": "x", "sub": "alice", "exp": server.now() + 60 }));
    assert_eq!(refused(&server, &for_others).await, 4001);
    let head = provider.last();
    assert!(head.starts_with("get /jwks.json http/1.1\r\n") && !head.contains("authorization"), "{head}");
}

/// Who comes while the first fetch is under way waits for it, at every door.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_fetch_is_waited_for() {
    let signer = Signer::new("a");
    let provider = Provider::silent().await;
    let server = believing(&provider).await;
    let alice = token(&server, &signer, "alice");
    until("a request", || provider.hits() == 1).await;

    let at = path(&alice);
    let connecting = Client::connect(server.address, &at);
    let asking = api(&server, &alice);
    tokio::pin!(connecting, asking);
    let early = async { tokio::join!(&mut connecting, &mut asking) };
    assert!(
        tokio::time::timeout(Duration::from_millis(300), early).await.is_err(),
        "neither is answered yet"
    );

    provider.publish(&[&signer]);
    let (mut client, status) = tokio::join!(connecting, asking);
    assert_eq!(status, 200);
    let id = server.notify("acme", "alice", "hello").await;
    assert_eq!(client.json().await["id"], id);
    assert_eq!(provider.hits(), 1);
}

/// The wait has an end before the fetch has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_longer_than_two_seconds() {
    let signer = Signer::new("a");
    let provider = Provider::silent().await;
    let server = believing(&provider).await;
    let alice = token(&server, &signer, "alice");
    let started = Instant::now();
    assert_eq!(refused(&server, &alice).await, 4001);
    let waited = started.elapsed();
    assert!((1_900..4_500).contains(&waited.as_millis()), "{waited:?}");
    // Others are served meanwhile.
    let mut bob = server.workspace("bob").await;
    let id = server.notify("acme", "bob", "hello").await;
    assert_eq!(bob.json().await["id"], id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_key_is_found_by_the_first_token_that_needs_it() {
    let (former, later) = (Signer::new("2026-01"), Signer::new("2026-02"));
    let provider = Provider::of(&[&former]).await;
    let server = believing(&provider).await;
    keys(&server, 1).await;
    provider.publish(&[&later]);

    let bob = token(&server, &later, "bob");
    assert_eq!(refused(&server, &bob).await, 4001, "a fetch was a moment ago");
    assert_eq!(provider.hits(), 1);
    server.clock.advance(FLOOR);
    served(&server, &bob, "bob").await;
    assert_eq!(provider.hits(), 2);
    let alice = token(&server, &former, "alice");
    assert_eq!(refused(&server, &alice).await, 4001, "its key was taken back, by the same fetch");
    assert_eq!(provider.hits(), 2);
}

/// Keys that nobody has cost the provider one request in thirty seconds, however many there are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_unknown_keys_makes_one_fetch() {
    let (signer, stranger) = (Signer::new("a"), Signer::new("stranger"));
    let provider = Provider::of(&[&signer]).await;
    let server = believing(&provider).await;
    keys(&server, 1).await;
    for round in 2..4 {
        server.clock.advance(FLOOR);
        let flood = (0..100).map(|n| {
            let claims = claims(&server, "mallory");
            let token = stranger.sign_with(json!({ "kid": format!("k-{round}-{n}") }), &claims);
            let server = &server;
            async move { if n % 2 == 0 { api(server, &token).await } else { refused(server, &token).await } }
        });
        let answers = futures_util::future::join_all(flood).await;
        assert!(answers.iter().all(|answer| [401, 4001].contains(answer)), "{answers:?}");
        assert_eq!(provider.hits(), round);
    }
    served(&server, &token(&server, &signer, "alice"), "alice").await;
}

/// What a token says of where keys are, nobody looks at.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_leads_nowhere() {
    let (signer, mallory) = (Signer::new("a"), Signer::new("m"));
    let (provider, trap) = (Provider::of(&[&signer]).await, Provider::of(&[&mallory]).await);
    let server = believing(&provider).await;
    keys(&server, 1).await;
    server.clock.advance(FLOOR);
    let url = &trap.url;
    for (iss, header) in [
        (ISS, json!({ "kid": "m", "jku": url })),
        (ISS, json!({ "kid": "a", "x5u": url, "jku": url })),
        (ISS, json!({ "kid": url })),
        (ISS, json!({ "kid": "m", "jwk": mallory.jwk() })),
        (url, json!({ "kid": "m" })),
        (url, json!({ "kid": "m", "jku": url })),
    ] {
        let mut claims = claims(&server, "alice");
        claims["iss"] = json!(iss);
        let token = mallory.sign_with(header, &claims);
        assert_eq!(refused(&server, &token).await, 4001);
        assert_eq!(api(&server, &token).await, 401);
    }
    assert_eq!(trap.hits(), 0);
    assert_eq!(provider.hits(), 2, "one for the kids that it might have had");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn former_keys_stay_while_the_source_is_down_or_lies() {
    let signer = Signer::new("a");
    let provider = Provider::of(&[&signer]).await;
    let elsewhere = Provider::of(&[&Signer::new("b")]).await;
    let server = believing(&provider).await;
    keys(&server, 1).await;
    let good = set(&[&signer]);
    let many = json!({ "keys": vec![signer.jwk(); 65] }).to_string();
    let large = format!("{good}{}", " ".repeat(256 * 1024));
    let to = format!("Location: {}\r\n", elsewhere.url);
    let say = |status: &str, headers: &str, body: &str| {
        let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len());
        Mode::Answer(head.into_bytes())
    };
    let endless = [b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b' '; 300 * 1024]].concat();
    for (what, mode) in [
        ("down", Mode::Down),
        ("not HTTP", Mode::Answer(b"what?\r\n\r\n".to_vec())),
        ("an error", say("500 Internal Server Error", "", &good)),
        ("not found", say("404 Not Found", "", "")),
        ("nothing new", say("304 Not Modified", "", "")),
        ("another success", say("203 Non-Authoritative Information", "", &good)),
        ("a redirect", say("302 Found", &to, &good)),
        ("a permanent redirect", say("308 Permanent Redirect", &to, &good)),
        ("a page", say("200 OK", "Content-Type: text/html\r\n", "<html>sign in</html>")),
        ("no keys", say("200 OK", "", "{}")),
        ("nothing", say("200 OK", "", "")),
        ("not UTF-8", Mode::Answer(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\xff\xff".to_vec())),
        ("cut off", Mode::Answer(format!("HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n{good}").into())),
        ("too many keys", say("200 OK", "", &many)),
        ("too large", say("200 OK", "", &large)),
        ("too large, of no said length", Mode::Answer(endless)),
        ("too slow", Mode::Stall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{".to_vec())),
    ] {
        let before = provider.hits();
        provider.become_(mode);
        server.clock.advance(REFRESH);
        until(what, || provider.hits() > before).await;
        failing(&server).await;
        let status = server.running().sources.status();
        assert_eq!((status[0].name.as_str(), status[0].keys), ("id", 1), "{what}");
        assert_eq!(api(&server, &token(&server, &signer, "alice")).await, 200, "{what}");
        let operator = server.token("ops").with("workspaces", json!(["*"])).with("scope", "operator").sign();
        let told = &server.get("/v1/issuers", &operator).await.json()["issuers"][0];
        assert_eq!((&told["name"], &told["keys"]), (&json!("id"), &json!(1)), "{told}");
        assert!(told["fetchedAt"].is_string() && told["failingSince"].is_string(), "{told}");
        assert_eq!(server.get("/v1/issuers", &server.publisher()).await.status, 403);

        provider.publish(&[&signer]);
        server.clock.advance(FLOOR);
        keys(&server, 1).await;
        assert!(server.running().sources.status()[0].fetched_at.is_some(), "{what}");
    }
    assert_eq!(elsewhere.hits(), 0, "no redirect is followed");
}

/// An empty set is no failure: that is how a provider takes keys back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_are_taken_back_are_not_believed() {
    let signer = Signer::new("a");
    let provider = Provider::of(&[&signer]).await;
    let server = believing(&provider).await;
    keys(&server, 1).await;
    let alice = token(&server, &signer, "alice");
    served(&server, &alice, "alice").await;
    provider.publish(&[]);
    server.clock.advance(REFRESH);
    keys(&server, 0).await;
    assert_eq!(refused(&server, &alice).await, 4001, "remembered or not");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_waits_for_no_provider() {
    let signer = Signer::new("a");
    let provider = Provider::of(&[]).await;
    provider.become_(Mode::Down);
    let server = believing(&provider).await;
    failing(&server).await;
    assert_eq!(refused(&server, &token(&server, &signer, "alice")).await, 4001);
    server.workspace("bob").await.leave().await;
    provider.publish(&[&signer]);
    server.clock.advance(FLOOR);
    keys(&server, 1).await;
    served(&server, &token(&server, &signer, "alice"), "alice").await;
}

/// An answer's max-age counts, from five minutes to an hour.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_long_keys_are_good_for() {
    let signer = Signer::new("a");
    for (header, minutes) in [
        ("", 10),
        ("Cache-Control: public, max-age=900\r\n", 15),
        ("Cache-Control: max-age=15\r\n", 5),
        ("Cache-Control: no-cache\r\n", 5),
        ("Cache-Control: public, max-age=24000, must-revalidate\r\n", 60),
    ] {
        let provider = Provider::silent().await;
        provider.publish_with(header, &[&signer]);
        let server = believing(&provider).await;
        keys(&server, 1).await;
        server.clock.advance(Duration::from_secs(minutes * 60 - 1));
        // A token that needs no other key: it has been judged when nothing was due.
        served(&server, &token(&server, &signer, "alice"), "alice").await;
        assert_eq!(provider.hits(), 1, "{header}");
        server.clock.advance(Duration::from_secs(1));
        until(header, || provider.hits() == 2).await;
    }
}

/// Keys that one provider shares between all its customers say nothing of whose a token is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_issuers_with_the_same_keys_stay_apart() {
    let signer = Signer::new("shared");
    let provider = Provider::of(&[&signer]).await;
    let url = format!("jwks_url = \"{}\"", provider.url);
    let other = "https://other.example/";
    let config = [issuer("id", ISS, &url), issuer("other", other, &url)].join("");
    let config = config.replacen("audience = [\"campanile\"]", "audience = [\"first\"]", 1);
    let server = TestServer::configured(&config).await;
    until("both", || server.running().sources.status().iter().all(|status| status.keys == 1)).await;
    let with = |iss: &str, aud: &str| {
        let mut claims = claims(&server, "alice");
        (claims["iss"], claims["aud"]) = (json!(iss), json!(aud));
        signer.sign(&claims)
    };
    assert_eq!(api(&server, &with(ISS, "first")).await, 200);
    assert_eq!(api(&server, &with(other, "campanile")).await, 200);
    assert_eq!(api(&server, &with(ISS, "campanile")).await, 401);
    assert_eq!(api(&server, &with(other, "first")).await, 401);
    assert_eq!(api(&server, &with("https://third.example/", "campanile")).await, 401);
}
