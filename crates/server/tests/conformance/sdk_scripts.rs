//! The scripts that hold the SDKs to the native surface, played against the real server: this test is their client.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use campanile_testkit::{Client, Options, TestServer, WAIT, request};
use serde_json::{Map, Value, json};

/// What names a script's publishes have, in order.
const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

#[tokio::test]
async fn the_server_does_what_the_scripts_say() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdks/conformance/scripts");
    let mut played = 0;
    let mut failed = vec![];
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let script: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        if script["surface"] != "native" || script["server"] == false {
            continue;
        }
        played += 1;
        if let Err(why) = Story::begin(&script).await.play(&script).await {
            failed.push(format!("{}: {why}", path.file_name().unwrap().to_string_lossy()));
        }
    }
    failed.sort();
    assert!(failed.is_empty(), "{} of {played} scripts:\n{}", failed.len(), failed.join("\n"));
    assert!(played >= 10, "only {played} scripts");
}

/// One script under way.
struct Story {
    server: TestServer,
    workspace: String,
    user: String,
    life_ms: i64,
    known: HashMap<String, Value>,
    published: usize,
    socket: Option<Client>,
    /// Answers to commands and receipts, which may come in either order.
    early: Vec<Value>,
    /// What the last command calls itself, while it has no answer.
    unanswered: Option<Value>,
}

impl Story {
    async fn begin(script: &Value) -> Self {
        let option =
            |name: &str, default: &str| script["options"][name].as_str().unwrap_or(default).to_owned();
        Self {
            server: TestServer::with(Options { memory: true, ..Options::default() }).await,
            workspace: option("workspace", "demo"),
            user: option("user", "alice"),
            life_ms: script["options"]["tokenLifeMs"].as_i64().unwrap_or(3_600_000),
            known: HashMap::new(),
            published: 0,
            socket: None,
            early: vec![],
            unanswered: None,
        }
    }

    async fn play(mut self, script: &Value) -> Result<(), String> {
        for (at, step) in script["steps"].as_array().ok_or("no steps")?.iter().enumerate() {
            self.step(step).await.map_err(|why| format!("step {at} {step}: {why}"))?;
        }
        // Who answers no close would be waited for.
        self.socket = None;
        self.server.stop().await;
        Ok(())
    }

    async fn step(&mut self, step: &Value) -> Result<(), String> {
        if let Some(cause) = step.get("cause") {
            self.cause(cause).await
        } else if let Some(dial) = step.get("dial") {
            self.dial(dial).await
        } else if let Some(frame) = step.get("send") {
            self.hear(frame).await
        } else if let Some(frame) = step.get("expect") {
            let frame = self.fill(frame);
            self.unanswered = frame.get("ref").cloned();
            let text = frame.as_str().map_or_else(|| frame.to_string(), str::to_owned);
            self.socket()?.send(&text).await;
            Ok(())
        } else if let Some(asked) = step.get("http") {
            self.ask(asked, &step["answer"]).await
        } else if let Some(close) = step.get("close") {
            let socket = self.socket.take().ok_or("no socket")?;
            if step.get("by").is_some_and(|by| by == "client") {
                socket.leave().await;
                return Ok(());
            }
            let mut socket = socket;
            let (code, reason) = socket.close().await;
            self.fits(close, &json!({"code": code, "reason": reason}))
        } else if step.get("fault").is_some() {
            self.lose_the_answer().await?;
            self.socket.take().ok_or("no socket")?.vanish();
            self.early.clear();
            Ok(())
        } else if let Some(millis) = step.get("pass").and_then(Value::as_u64) {
            self.server.pass(Duration::from_millis(millis)).await;
            Ok(())
        } else if step.get("do").is_some() || step.get("state").is_some() {
            Ok(())
        } else {
            Err("an unknown step".into())
        }
    }

    fn socket(&mut self) -> Result<&mut Client, String> {
        self.socket.as_mut().ok_or_else(|| "no socket".into())
    }

    /// A token of the user's, as long as the script says.
    fn token(&self, number: usize) -> String {
        #[expect(clippy::cast_precision_loss)]
        let exp = (self.server.now_ms().as_millis() + self.life_ms) as f64 / 1000.0;
        let token = self.server.token(&self.user).with("workspaces", json!([self.workspace]));
        token.with("exp", exp).with("jti", number.to_string()).sign()
    }

    async fn dial(&mut self, dial: &Value) -> Result<(), String> {
        let mut path = format!("/v1/connect?token={}", self.token(self.known.len()));
        for (name, value) in dial["query"].as_object().into_iter().flatten() {
            path += &format!("&{name}={}", text(&self.fill(value)));
        }
        let socket = Client::try_connect(self.server.address, &path).await;
        self.socket = Some(socket.map_err(|refused| format!("refused: {refused:?}"))?);
        Ok(())
    }

    /// Takes the frame that must come. Heartbeats come whenever the server likes.
    async fn hear(&mut self, template: &Value) -> Result<(), String> {
        for at in 0..self.early.len() {
            let frame = self.early[at].clone();
            if self.fits(template, &frame).is_ok() {
                self.early.remove(at);
                return Ok(());
            }
        }
        loop {
            // Before the client itself gives up, so that the step is named.
            let coming = tokio::time::timeout(WAIT / 2, self.socket()?.json()).await;
            let frame = coming.map_err(|_| "nothing came".to_owned())?;
            if frame.get("ref").is_some() && frame.get("ref") == self.unanswered.as_ref() {
                self.unanswered = None;
            }
            let Err(why) = self.fits(template, &frame) else { return Ok(()) };
            match (frame["type"].as_str(), template["type"].as_str()) {
                (Some("heartbeat"), _) => {}
                (Some("ok"), Some("receipts")) | (Some("receipts"), Some("ok")) => self.early.push(frame),
                _ => return Err(format!("{frame} came: {why}")),
            }
        }
    }

    /// A connection that breaks behind a command breaks once that is done: what is lost is the answer.
    async fn lose_the_answer(&mut self) -> Result<(), String> {
        while let Some(reference) = &self.unanswered {
            let reference = reference.clone();
            let coming = tokio::time::timeout(WAIT / 2, self.socket()?.json()).await;
            if coming.map_err(|_| "no answer came".to_owned())?["ref"] == reference {
                self.unanswered = None;
            }
        }
        Ok(())
    }

    async fn ask(&mut self, asked: &Value, answer: &Value) -> Result<(), String> {
        let mut path = text(&self.fill(&asked["path"]));
        for (at, (name, value)) in asked["query"].as_object().into_iter().flatten().enumerate() {
            path += &format!("{}{name}={}", if at == 0 { '?' } else { '&' }, text(&self.fill(value)));
        }
        let method = asked["method"].as_str().unwrap_or("GET");
        let got = self.request(method, &path, &self.token(self.known.len()), asked.get("body")).await;
        if answer["status"] != got.status {
            return Err(format!("answered {}: {}", got.status, String::from_utf8_lossy(&got.body)));
        }
        self.fits(&answer["body"], &got.json())
    }

    /// Makes by REST what the next frame tells of.
    async fn cause(&mut self, cause: &Value) -> Result<(), String> {
        let (what, told) = cause.as_object().and_then(|cause| cause.iter().next()).ok_or("no cause")?;
        let told = self.fill(told);
        let id = told["id"].as_str().unwrap_or_default().to_owned();
        let producer = self.server.token("shop").with("workspaces", json!([self.workspace]));
        let producer = producer.with("scope", "notifications:write").sign();
        let of = |rest: String| format!("/v1/workspaces/{}/{rest}", self.workspace);
        let answer = match what.as_str() {
            "publish" => self.request("POST", &of("notifications".into()), &producer, Some(&told)).await,
            "update" => {
                let mut change: Map<String, Value> = told.as_object().cloned().unwrap_or_default();
                change.remove("id");
                self.request("PATCH", &of(format!("notifications/{id}")), &producer, Some(&change.into()))
                    .await
            }
            "retract" => self.request("DELETE", &of(format!("notifications/{id}")), &producer, None).await,
            "mark" => {
                let rest = match told["action"].as_str() {
                    Some("read_all") => "inbox/read-all".into(),
                    Some("seen") => "inbox/seen".into(),
                    action => format!("inbox/{id}/{}", action.unwrap_or_default()),
                };
                self.request("POST", &of(rest), &self.token(self.known.len()), None).await
            }
            other => return Err(format!("an unknown cause: {other}")),
        };
        if !(200..300).contains(&answer.status) {
            return Err(format!("answered {}: {}", answer.status, String::from_utf8_lossy(&answer.body)));
        }
        if what == "publish" {
            // The first publish of a script makes $a, the second $b.
            self.known.insert(NAMES[self.published].to_owned(), answer.json()["id"].clone());
            self.published += 1;
        }
        Ok(())
    }

    async fn request(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: Option<&Value>,
    ) -> campanile_testkit::Answer {
        let bearer = format!("Bearer {token}");
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        let body = body.map(Value::to_string).unwrap_or_default();
        request(self.server.address, method, path, &headers, body.as_bytes()).await
    }

    /// A template as it is sent. What was never seen is a name of this client's own making.
    fn fill(&mut self, template: &Value) -> Value {
        match template {
            Value::String(name) if name.starts_with("$token") => json!(self.token(1_000 + self.known.len())),
            Value::String(name) if name.starts_with('$') => {
                self.known.entry(name[1..].to_owned()).or_insert_with(|| json!(name[1..])).clone()
            }
            Value::Object(members) => {
                members.iter().map(|(name, value)| (name.clone(), self.fill(value))).collect()
            }
            Value::Array(items) => items.iter().map(|item| self.fill(item)).collect(),
            _ => template.clone(),
        }
    }

    /// Whether a value is as a template says; what it does not give may be anything. Names are learnt if all of it fits.
    fn fits(&mut self, template: &Value, value: &Value) -> Result<(), String> {
        let mut learnt = self.known.clone();
        compare(&mut learnt, template, value)?;
        self.known = learnt;
        Ok(())
    }
}

fn compare(known: &mut HashMap<String, Value>, template: &Value, value: &Value) -> Result<(), String> {
    let same = |expected: &Value| {
        (expected == value).then_some(()).ok_or_else(|| format!("{value}, not {expected}"))
    };
    match template {
        Value::String(name) if name.starts_with("$time") => same(&json!(value.as_str().ok_or("no time")?)),
        Value::String(name) if name.starts_with('$') => {
            let meaning = known.entry(name[1..].to_owned()).or_insert_with(|| value.clone()).clone();
            same(&meaning)
        }
        Value::Object(members) => members.iter().try_for_each(|(name, template)| {
            let member = value.get(name).ok_or_else(|| format!("no {name} in {value}"))?;
            compare(known, template, member).map_err(|why| format!("{name}: {why}"))
        }),
        Value::Array(items) => {
            let found = value.as_array().ok_or_else(|| format!("{value} is no array"))?;
            if items.len() != found.len() {
                return Err(format!("{} entries, not {}", found.len(), items.len()));
            }
            items.iter().zip(found).try_for_each(|(template, value)| compare(known, template, value))
        }
        _ => same(template),
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
