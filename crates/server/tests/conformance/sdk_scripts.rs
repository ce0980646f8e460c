//! The scripts that hold the SDKs to the three surfaces, played against the real server: this test is their client.

mod cause;
mod socket;

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use campanile_model::Slug;
use campanile_store::Store;
use campanile_testkit::{Client, Options, TestServer, forge, request};
use futures_util::FutureExt;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{Mutex, mpsc};

use self::cause::STORE_FAILS;
use self::socket::Socket;
use super::Closed;
use crate::handover::{Pause, Pausing};

/// How many scripts are played at least: one that is not says why.
const PLAYED: usize = 42;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_does_what_the_scripts_say() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdks/conformance/scripts");
    let (mut played, mut skipped, mut failed) = (0, vec![], vec![]);
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let script: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let why = script["why"].as_str();
        match script.get("server") {
            None if why.is_none() => {
                played += 1;
                failed.extend(play(&script).await.err().map(|why| format!("{name}: {why}")));
            }
            Some(Value::Bool(false)) if why.is_some_and(|why| why.len() > 20) => skipped.push(name),
            _ => failed.push(format!("{name}: either the server plays it, or it says why not")),
        }
    }
    failed.sort();
    skipped.sort();
    assert!(failed.is_empty(), "{} of {played} scripts:\n{}", failed.len(), failed.join("\n"));
    assert!(played >= PLAYED, "only {played} scripts are played; skipped: {}", skipped.join(", "));
}

async fn play(script: &Value) -> Result<(), String> {
    let mut at = 0;
    let playing = AssertUnwindSafe(Story::begin(script).await.play(script, &mut at)).catch_unwind().await;
    playing.unwrap_or_else(|_| Err("a panic, which stands above".into())).map_err(|why| {
        let step = &script["steps"][at];
        format!("step {at} {step}: {why}")
    })
}

static NEVER: OnceLock<Mutex<Option<mpsc::Sender<Pause>>>> = OnceLock::new();

/// A token as a script wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quality {
    Good,
    Expired,
    Forged,
}

impl Quality {
    fn of(step: &Value) -> Result<Self, String> {
        match step.get("token").map(|token| token.as_str().unwrap_or_default()) {
            None => Ok(Self::Good),
            Some("expired") => Ok(Self::Expired),
            Some("forged") => Ok(Self::Forged),
            Some(other) => Err(format!("an unknown token: {other}")),
        }
    }
}

/// One script under way.
struct Story {
    server: TestServer,
    data: TempDir,
    backup: TempDir,
    surface: String,
    workspace: String,
    user: String,
    life_ms: i64,
    known: HashMap<String, Value>,
    published: u8,
    tokens: usize,
    sockets: Vec<Socket>,
    /// Of the same user, and not listened to.
    others: Vec<Client>,
}

impl Story {
    async fn begin(script: &Value) -> Self {
        STORE_FAILS.store(false, Ordering::Relaxed);
        let option =
            |name: &str, default: &str| script["options"][name].as_str().unwrap_or(default).to_owned();
        let surface = script["surface"].as_str().unwrap_or_default().to_owned();
        let retain = script["options"]["retain"].as_u64().unwrap_or(0);
        let wrap = |inner| -> Arc<dyn Store> {
            let writes = |_: &Slug| !STORE_FAILS.load(Ordering::Relaxed);
            Arc::new(Pausing { inner, pauses: &NEVER, writes, before_writes: false })
        };
        let data = cause::directory();
        let options = Options {
            config: format!("[workspaces]\nretention_entries = {retain}\n"),
            wrap: Some(wrap),
            data: Some(data.path().into()),
            ..Options::default()
        };
        Self {
            server: TestServer::with(options).await,
            data,
            backup: cause::directory(),
            workspace: option("workspace", if surface == "product" { "default" } else { "demo" }),
            surface,
            user: option("user", "alice"),
            life_ms: script["options"]["tokenLifeMs"].as_i64().unwrap_or(3_600_000),
            known: HashMap::new(),
            published: 0,
            tokens: 0,
            sockets: vec![],
            others: vec![],
        }
    }

    /// Plays it; `now` is the step under way.
    async fn play(mut self, script: &Value, now: &mut usize) -> Result<(), String> {
        for (at, step) in script["steps"].as_array().ok_or("no steps")?.iter().enumerate() {
            *now = at;
            self.step(step).await?;
        }
        // Who answers no close would be waited for.
        self.sockets.clear();
        self.others.clear();
        self.server.stop().await;
        Ok(())
    }

    async fn step(&mut self, step: &Value) -> Result<(), String> {
        let number = step["socket"].as_u64();
        if let Some(cause) = step.get("cause") {
            self.cause(cause).await
        } else if let Some(dial) = step.get("dial") {
            self.dial(dial, Quality::of(step)?).await
        } else if let Some(frame) = step.get("send") {
            self.hear(frame, number).await
        } else if let Some(frame) = step.get("expect") {
            self.say(frame, Quality::of(step)?, number).await
        } else if let Some(asked) = step.get("http") {
            self.ask(asked, &step["answer"]).await
        } else if let Some(close) = step.get("close") {
            let socket = self.socket(number)?;
            if step.get("by").is_some_and(|by| by == "client") {
                return socket.leave().await;
            }
            let (code, reason) = socket.closed().await?;
            self.fits(close, &json!({"code": code, "reason": reason}))
        } else if step.get("fault").is_some() {
            self.socket(number)?.break_off().await
        } else if let Some(millis) = step.get("pass").and_then(Value::as_u64) {
            self.server.pass(Duration::from_millis(millis)).await;
            Ok(())
        } else if step.get("do").is_some() || step.get("state").is_some() {
            Ok(())
        } else {
            Err("an unknown step".into())
        }
    }

    /// The socket of this number, from 1, or the one that was dialled last.
    fn socket(&mut self, number: Option<u64>) -> Result<&mut Socket, String> {
        let count = self.sockets.len();
        let number = number.map_or(Ok(count), usize::try_from).map_err(|why| why.to_string())?;
        self.sockets.get_mut(number.wrapping_sub(1)).ok_or_else(|| "no such socket".into())
    }

    /// A token of the user's, as long as the script says, and its id.
    fn token(&mut self, quality: Quality) -> (String, String) {
        self.tokens += 1;
        let id = format!("token-{}", self.tokens);
        let life = if quality == Quality::Expired { -1_000 } else { self.life_ms };
        #[expect(clippy::cast_precision_loss)]
        let exp = (self.server.now_ms().as_millis() + life) as f64 / 1000.0;
        let token = self.server.token(&self.user).with("exp", exp).with("jti", id.as_str());
        let token = match self.surface.as_str() {
            "product" => token.without("workspaces"),
            _ => token.with("workspaces", json!([self.workspace])),
        };
        let signed = match quality {
            Quality::Forged => {
                let header = r#"{"alg":"HS256","typ":"JWT"}"#;
                forge(header, &token.0.to_string(), "a-secret-of-somebody-else-0123456789")
            }
            Quality::Good | Quality::Expired => token.sign(),
        };
        (signed, id)
    }

    /// Where the script's surface is, with this token.
    fn address(&self, token: &str) -> String {
        let workspace = &self.workspace;
        match self.surface.as_str() {
            "product" => format!("/api/ws/notification?access_token={token}"),
            "workspace" => format!("/?token={token}&workspaceSlug={workspace}"),
            _ => format!("/v1/connect?token={token}&workspace={workspace}"),
        }
    }

    async fn dial(&mut self, dial: &Value, quality: Quality) -> Result<(), String> {
        let (token, id) = self.token(quality);
        let mut path = self.address(&token);
        for (name, value) in dial["query"].as_object().into_iter().flatten() {
            // Those are in the address already.
            if !matches!(name.as_str(), "token" | "access_token" | "workspace" | "workspaceSlug") {
                path += &format!("&{name}={}", text(&self.fill(value)));
            }
        }
        let client = Client::try_connect(self.server.address, &path).await;
        let client = client.map_err(|refused| format!("refused: {refused:?}"))?;
        self.sockets.push(Socket::new(client, id));
        Ok(())
    }

    async fn say(&mut self, frame: &Value, quality: Quality, number: Option<u64>) -> Result<(), String> {
        let mut frame = self.fill(frame);
        if frame.get("token").is_some() {
            frame["token"] = json!(self.token(quality).0);
        }
        let text = text(&frame);
        let socket = self.socket(number)?;
        socket.unanswered += usize::from(frame.is_object());
        socket.say(&text).await
    }

    /// Takes the frame that must come. Heartbeats come whenever the server likes, answers to commands and
    /// receipts in either order.
    async fn hear(&mut self, template: &Value, number: Option<u64>) -> Result<(), String> {
        for at in 0..self.socket(number)?.early.len() {
            let frame = self.socket(number)?.early[at].clone();
            if self.fits(template, &frame).is_ok() {
                self.socket(number)?.early.remove(at);
                return Ok(());
            }
        }
        loop {
            let frame = self.socket(number)?.next().await?;
            self.socket(number)?.handle_answer(&frame);
            let Err(why) = self.fits(template, &frame) else { return Ok(()) };
            match (frame["type"].as_str(), template["type"].as_str()) {
                (Some("heartbeat"), _) => {}
                (Some("ok"), Some("receipts")) | (Some("receipts"), Some("ok")) => {
                    self.socket(number)?.early.push(frame);
                }
                _ => return Err(format!("{frame} came: {why}")),
            }
        }
    }

    async fn ask(&mut self, asked: &Value, answer: &Value) -> Result<(), String> {
        let mut path = text(&self.fill(&asked["path"]));
        for (at, (name, value)) in asked["query"].as_object().into_iter().flatten().enumerate() {
            path += &format!("{}{name}={}", if at == 0 { '?' } else { '&' }, text(&self.fill(value)));
        }
        let method = asked["method"].as_str().unwrap_or("GET");
        let (token, _) = self.token(Quality::Good);
        let got = self.request(method, &path, &token, asked.get("body")).await;
        if answer["status"] != got.status {
            return Err(format!("answered {}: {}", got.status, String::from_utf8_lossy(&got.body)));
        }
        self.fits(&answer["body"], &got.json())
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
