//! The guides do what they say: their samples run one after the other, and answer as is written below them.
//!
//! A block ` ```http 200 ` is a request and the status of its answer. A block ` ```json ` after it holds members of
//! that answer; `…` stands for anything. `{key}` is the key of the event that was reported last, `{etag}` the `ETag` of
//! the answer before, `{clientSecret}`, `{access_token}` and `{ticket}` are the last that were given, `{now+1h}` an instant so many hours from now. A block ` ```js order.js ` is a file of that name, and
//! each line of ` ```sh ` a command that succeeds beside it, whose answer is what it printed. There are no others.

use std::collections::BTreeMap;

use campanile_model::Timestamp;
use campanile_testkit::{Answer, SECRET, TestServer, request};
use serde_json::Value;

use crate::backend::token;
use crate::program::Program;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events() {
    follow(include_str!("../../../docs/guides/events.md"), 22).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules() {
    follow(include_str!("../../../docs/guides/rules.md"), 6).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records() {
    follow(include_str!("../../../docs/guides/records.md"), 14).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expiry() {
    follow(include_str!("../../../docs/guides/expiry.md"), 8).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn functions() {
    follow(include_str!("../../../docs/guides/functions.md"), 13).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn service_accounts() {
    follow(include_str!("../../../docs/guides/service-accounts.md"), 17).await;
}

async fn follow(guide: &str, requests: usize) {
    let server = TestServer::start().await;
    let address = server.address.to_string();
    let program = Program::new().set("CAMPANILE_SECRET", SECRET).set("CAMPANILE_SERVER__LISTEN", &address);
    let mut answer: Option<Answer> = None;
    let mut key = String::new();
    let mut given: BTreeMap<&str, String> = BTreeMap::new();
    let mut sent = 0;
    for (kind, text) in blocks(guide) {
        if let Some(status) = kind.strip_prefix("http ") {
            let etag = answer.as_ref().and_then(|answer| answer.header("etag")).unwrap_or_default();
            let mut text = text.replace("{key}", &key).replace("{etag}", etag);
            for (name, value) in &given {
                text = text.replace(&format!("{{{name}}}"), value);
            }
            let got = send(&server, &with_instants(&server, &text)).await;
            assert_eq!(got.status.to_string(), status, "{text}\n{}", String::from_utf8_lossy(&got.body));
            let said = serde_json::from_slice::<Value>(&got.body).unwrap_or_default();
            for name in ["clientSecret", "access_token", "ticket"] {
                given.extend(said[name].as_str().map(|value| (name, value.to_owned())));
            }
            if let Some(reported) = said["events"][0]["key"].as_str() {
                reported.clone_into(&mut key);
            }
            answer = Some(got);
            sent += 1;
        } else if kind == "json" {
            let wanted: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
            let got = answer.as_ref().expect("an answer stands below its request").json();
            holds(&got, &wanted, &text);
        } else if let Some((_, name)) = kind.split_once(' ') {
            program.write(name, &(text + "\n"));
        } else if kind == "sh" {
            for line in with_instants(&server, &text.replace("\\\n", "")).lines() {
                let ran = tokio::task::block_in_place(|| program.run(&words(line)[1..]));
                assert_eq!(ran.status, Some(0), "{line}\n{ran:?}");
                answer = Some(Answer { status: 0, head: String::new(), body: ran.stdout.into_bytes() });
                sent += 1;
            }
        } else {
            panic!("a block that nothing runs: {kind}");
        }
    }
    assert!(sent >= requests, "{sent} samples were found");
}

/// Every fenced block: what it is called, and what it holds.
fn blocks(guide: &str) -> Vec<(String, String)> {
    let mut blocks = vec![];
    let mut lines = guide.lines();
    while let Some(line) = lines.next() {
        if let Some(kind) = line.strip_prefix("```") {
            let text: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push((kind.to_owned(), text.join("\n")));
        }
    }
    blocks
}

/// A command's words, as a shell has them: what stands in single quotes is one.
fn words(line: &str) -> Vec<String> {
    let parts = line.split('\'').enumerate();
    let words = parts.flat_map(|(n, part)| match n % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect(),
        _ => vec![part.to_owned()],
    });
    words.collect()
}

fn with_instants(server: &TestServer, text: &str) -> String {
    let mut text = text.to_owned();
    for hours in 1..10 {
        let instant = Timestamp::from_millis(server.now_ms().as_millis() + hours * 3_600_000).to_string();
        text = text.replace(&format!("{{now+{hours}h}}"), &instant);
    }
    text
}

async fn send(server: &TestServer, text: &str) -> Answer {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let (method, path) = lines.next().and_then(|line| line.split_once(' ')).expect("a request line");
    let bearer = format!("Bearer {}", token(server));
    let mut headers: Vec<_> = lines.map(|line| line.split_once(": ").expect("a header")).collect();
    // Whoever says who they are is not somebody else as well.
    let is_named =
        headers.iter().any(|(name, _)| *name == "Authorization") || body.contains("client_secret=");
    headers.extend((!is_named).then_some(("Authorization", bearer.as_str())));
    request(server.address, method, path, &headers, body.as_bytes()).await
}

/// Whether `got` has everything that is `wanted`; lists at least so many elements, each wanted one among them in order.
#[track_caller]
fn holds(got: &Value, wanted: &Value, text: &str) {
    match (got, wanted) {
        (_, Value::String(any)) if any == "…" => assert!(!got.is_null(), "{text}"),
        (Value::Object(got), Value::Object(wanted)) => {
            for (name, value) in wanted {
                holds(got.get(name).unwrap_or(&Value::Null), value, text);
            }
        }
        (Value::Array(got), Value::Array(wanted)) if !wanted.is_empty() => {
            assert!(got.len() >= wanted.len(), "{text}\n{got:?}");
            got.iter().zip(wanted).for_each(|(got, wanted)| holds(got, wanted, text));
        }
        _ => assert_eq!(got, wanted, "{text}"),
    }
}
