//! Functions, rules and events that mean harm, all at once: each ends with a word of its own, the next one runs, and
//! whoever listens on either surface misses nothing.

mod code;
mod rules;
mod texts;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use campanile_testkit::{Client, Options, TestServer, request};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use self::code::{End, HOSTILE};
use super::{call, put, put_as, run};
use crate::backend::{done, event, report, token, until};

/// The longest that a notification may take from the request to both sockets, without optimisation and beside all this.
const SLOWEST: Duration = Duration::from_secs(2);
/// Functions that run at once: a workspace has all processes but one.
const LANES: usize = 2;

/// A host that sends everybody to the address of a cloud's secrets.
async fn redirecting() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _asked = stream.read(&mut [0; 4096]).await;
            let answer =
                "HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n";
            let _told = stream.write_all(answer.as_bytes()).await;
        }
    });
    origin
}

/// Runs every function of a lane, and a good one after each; what ended otherwise than it should.
async fn functions(server: &TestServer, lane: usize, origin: &str) -> Vec<String> {
    // Much more time than processor time: two at once, and the server goes first.
    let limits = json!({"limits": {"cpuMs": 200, "wallMs": 5_000, "memoryMib": 16}});
    let mut wrong = vec![];
    for (n, (what, end, code)) in HOSTILE.iter().enumerate().skip(lane).step_by(LANES) {
        let name = format!("harm-{n}");
        put_as(server, &name, code, limits.clone()).await;
        let ended = run(server, &name, json!({ "origin": origin })).await;
        let (status, error) = (ended["status"].as_str().unwrap(), ended["error"]["name"].as_str());
        let expected = match error {
            None => "completed",
            Some("CpuTimeout" | "WallTimeout") if !what.ends_with("forged") => "timeout",
            Some(_) => "failed",
        };
        let is_expected = match end {
            End::Completed => error.is_none(),
            End::Fails(names) => error.is_some_and(|name| names.contains(&name)),
        };
        let (cpu, wall) = (ended["usage"]["cpuMs"].as_u64(), ended["usage"]["wallMs"].as_u64());
        let is_bounded = cpu.unwrap() < 1_000 && wall.unwrap() < 10_000 && ended.to_string().len() < 400_000;
        if !is_expected || status != expected || !is_bounded {
            wrong.push(format!("{what}: {ended:.500}"));
        }
        let good = run(server, "good", json!({ "n": n })).await;
        assert_eq!(good["result"], n, "after {what}: {good}");
    }
    wrong
}

/// Puts every rule in place, and lets an event loose on each that was taken; what went otherwise than it should.
async fn rules(server: &TestServer) -> Vec<String> {
    let mut wrong = vec![];
    for (member, rule) in rules::refused() {
        let path = format!("/rules/{}", rule["name"].as_str().unwrap());
        let answer = call(server, "PUT", &path, &rule).await;
        let problem = answer.json();
        let names_it = problem["field"].as_str().is_some_and(|field| field.starts_with(member));
        if (answer.status, &problem["code"], names_it) != (422, &json!("invalid_rule"), true) {
            wrong.push(format!("{problem:.500}: {rule:.300}"));
        }
    }
    let data = texts::largest();
    for (member, rule) in rules::failing() {
        let name = rule["name"].as_str().unwrap();
        let put = call(server, "PUT", &format!("/rules/{name}"), &rule).await;
        if put.status != 200 {
            wrong.push(format!("{:.500}: {rule:.300}", put.json()));
            continue;
        }
        let taken = done(report(server, "acme", &event(name, name, data.clone())).await);
        let kept = format!("/events/{}", taken["events"][0]["key"].as_str().unwrap());
        let kept = done(call(server, "GET", &kept, &Value::Null).await);
        let place = format!("rule {name}: {member}");
        let names_it = kept["rules"][0]["error"].as_str().is_some_and(|error| error.starts_with(&place));
        if (&kept["failed"], &taken["events"][0]["notifications"], names_it) != (&json!(1), &json!([]), true)
        {
            wrong.push(format!("{}: {rule:.300}", kept["rules"]));
        }
    }
    wrong
}

/// Sends every event that is not to be taken; what was answered otherwise than it should.
async fn events(server: &TestServer) -> Vec<String> {
    let bearer = format!("Bearer {}", token(server));
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/cloudevents+json")];
    let mut wrong = vec![];
    for (status, code, body) in rules::events() {
        let answer =
            request(server.address, "POST", "/v1/workspaces/acme/events", &headers, body.as_bytes()).await;
        if (answer.status, &answer.json()["code"]) != (status, &json!(code)) {
            wrong.push(format!("{} {:.500}: {body:.100}", answer.status, answer.json()));
        }
    }
    wrong
}

/// Reads the stream to its end, in order and without a gap, beside whatever noise there is.
async fn listen(mut client: Client, received: &AtomicUsize, sent: &AtomicUsize, is_over: &AtomicBool) {
    loop {
        let frame = client.json().await;
        if frame["title"] == "noise" {
            continue;
        }
        let next = received.load(Ordering::SeqCst);
        assert_eq!(frame["message"], format!("still here {next}"), "{frame}");
        received.store(next + 1, Ordering::SeqCst);
        if is_over.load(Ordering::SeqCst) && next + 1 == sent.load(Ordering::SeqCst) {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn hostile_functions_rules_and_events_end_with_a_word_while_both_surfaces_receive() {
    let origin = redirecting().await;
    let workers = LANES + 1;
    let config = format!(
        "[surfaces.product]\nworkspace = \"acme\"\n[functions]\nworkers = {workers}\nhttp_allow = [\"{origin}\"]\n"
    );
    let server = TestServer::with(Options { config, ..Options::default() }).await;
    put(&server, "good", "function run() { return executionParams.n }").await;
    let (alice, bob) = (server.workspace("alice").await, server.product("bob").await);

    let harm = async {
        let (some, others, rules, events) = tokio::join!(
            functions(&server, 0, &origin),
            functions(&server, 1, &origin),
            rules(&server),
            events(&server)
        );
        let wrong = [some, others, rules, events].concat();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    };
    let (by_alice, by_bob, sent) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let (is_done, is_over) = (AtomicBool::new(false), AtomicBool::new(false));
    let steady = async {
        let mut slowest = Duration::ZERO;
        let mut pace = tokio::time::interval(Duration::from_millis(10));
        while !is_over.load(Ordering::SeqCst) {
            pace.tick().await;
            let n = sent.load(Ordering::SeqCst);
            is_over.store(is_done.load(Ordering::SeqCst), Ordering::SeqCst);
            sent.store(n + 1, Ordering::SeqCst);
            let asked = Instant::now();
            let message = format!("still here {n}");
            let body = json!({"to": {"users": ["alice", "bob"]}, "title": "T", "message": message});
            server.publish("acme", body).await;
            until("both have it", async || {
                by_alice.load(Ordering::SeqCst) > n && by_bob.load(Ordering::SeqCst) > n
            })
            .await;
            slowest = slowest.max(asked.elapsed());
        }
        slowest
    };
    let (slowest, ..) = tokio::join!(
        steady,
        async {
            harm.await;
            is_done.store(true, Ordering::SeqCst);
        },
        listen(alice, &by_alice, &sent, &is_over),
        listen(bob, &by_bob, &sent, &is_over),
    );
    let sent = sent.into_inner();
    assert!(
        sent > 100 && by_alice.into_inner() == sent && by_bob.into_inner() == sent,
        "{sent} notifications"
    );
    assert!(slowest < SLOWEST, "one took {slowest:?}");
}
