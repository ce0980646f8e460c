//! One story: this test is the server, and holds the client to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use campanile_client::{
    Campanile, Change, Clock, Environment, Event, Events, Filter, Snapshot, Surface, TokenReason, TokenSource,
};
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use super::compare::Meanings;
use crate::clock::SteppedClock;
use crate::scripted::{Dial, Request, Scripted};
use crate::token;

/// How long anything may take that must happen.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn play(script: Value) -> Result<(), String> {
    let mut story = Story::begin(&script).await;
    let steps = script["steps"].as_array().ok_or("no steps")?;
    for (at, step) in steps.iter().enumerate() {
        story.step(step).await.map_err(|why| format!("step {at} {step}: {why}"))?;
    }
    story.end()
}

struct Story {
    server: Scripted,
    clock: SteppedClock,
    meanings: Meanings,
    surface: Surface,
    options: Map<String, Value>,
    tokens: Arc<AtomicU64>,
    client: Option<Campanile>,
    events: Option<Events>,
    dials: Vec<Dial>,
}

impl Story {
    async fn begin(script: &Value) -> Self {
        let surface = match script["surface"].as_str() {
            Some("workspace") => Surface::Workspace,
            Some("product") => Surface::Product,
            _ => Surface::Native,
        };
        Self {
            server: Scripted::start().await,
            clock: SteppedClock::new(),
            meanings: Meanings::new(script.get("values")),
            surface,
            options: script["options"].as_object().cloned().unwrap_or_default(),
            tokens: Arc::default(),
            client: None,
            events: None,
            dials: Vec::new(),
        }
    }

    async fn step(&mut self, step: &Value) -> Result<(), String> {
        let socket =
            step.get("socket").and_then(Value::as_u64).map(|number| usize::try_from(number - 1).unwrap());
        let now = self.clock.now();
        if let Some(what) = step.get("do").and_then(Value::as_str) {
            return self.act(what, step).await;
        } else if let Some(refusal) = step.get("refuse") {
            return self.refuse(refusal);
        } else if let Some(dial) = step.get("dial") {
            return self.dial(dial).await;
        } else if let Some(frame) = step.get("send") {
            let filled = self.meanings.fill(frame, now);
            let text = filled.as_str().map_or_else(|| filled.to_string(), str::to_owned);
            return self
                .socket(socket)?
                .send(text)
                .await
                .then_some(())
                .ok_or_else(|| "the client is gone".into());
        } else if let Some(frame) = step.get("expect") {
            let text = within(self.socket(socket)?.frames.recv()).await?.ok_or("the socket has ended")?;
            let sent = serde_json::from_str(&text).unwrap_or_else(|_| json!(text));
            return self.meanings.fits(frame, &sent);
        } else if let Some(request) = step.get("http") {
            return self.http(request, &step["answer"]).await;
        } else if let Some(fault) = step.get("fault").and_then(Value::as_str) {
            self.socket(socket)?.fault(fault).await;
        } else if let Some(millis) = step.get("pass").and_then(Value::as_u64) {
            self.clock.pass(millis).await;
        } else if let Some(state) = step.get("state") {
            return self.state(state).await;
        } else if let Some(close) = step.get("close") {
            if step.get("by").is_some_and(|by| by == "client") {
                let closed = self.socket(socket)?.closed.take().ok_or("it was closed before")?;
                return within(closed).await?.map_err(|_| "the socket ended without a close".into());
            }
            let code = close["code"].as_u64().and_then(|code| u16::try_from(code).ok()).ok_or("no code")?;
            self.socket(socket)?.close(code, close["reason"].as_str().unwrap_or_default()).await;
        } else if step.get("cause").is_none() {
            return Err("an unknown step".into());
        }
        Ok(())
    }

    fn socket(&mut self, number: Option<usize>) -> Result<&mut Dial, String> {
        let at = number.unwrap_or(self.dials.len().wrapping_sub(1));
        self.dials.get_mut(at).ok_or_else(|| "no such socket".into())
    }

    fn token_source(&self) -> TokenSource {
        let user = self.options.get("user").and_then(Value::as_str).unwrap_or("alice").to_owned();
        let life = self.options.get("tokenLifeMs").and_then(Value::as_u64).unwrap_or(3_600_000);
        let (clock, tokens) = (self.clock.clone(), Arc::clone(&self.tokens));
        TokenSource::callback(move |_: TokenReason| {
            let number = tokens.fetch_add(1, Ordering::Relaxed);
            let token = token::unsigned(&user, clock.now() + life, number);
            async move { Ok::<_, std::convert::Infallible>(token) }
        })
    }

    async fn act(&mut self, what: &str, step: &Value) -> Result<(), String> {
        let Some(client) = self.client.clone() else {
            let environment = Environment { clock: Arc::new(self.clock.clone()), random: Arc::new(|| 0.5) };
            let mut builder = Campanile::builder(self.server.url())
                .surface(self.surface)
                .token(self.token_source())
                .environment(environment);
            if let Some(workspace) = self.options.get("workspace").and_then(Value::as_str) {
                builder = builder.workspace(workspace);
            }
            let (client, events) = builder.connect().map_err(|error| error.to_string())?;
            (self.client, self.events) = (Some(client), Some(events));
            return Ok(());
        };
        let id = step.get("id").map(|id| self.meanings.text(id)).unwrap_or_default();
        let done = match what {
            "connect" => match client.connect().await {
                Err(campanile_client::Error::Closed) => Ok(()),
                done => done,
            },
            "disconnect" => client.disconnect().await,
            "close" => client.close().await,
            "retry" => client.retry().await,
            "offline" => client.offline().await,
            "online" => client.online().await,
            "token" => client.update(Change::default().token(self.token_source())).await,
            "read" => client.read(id).await,
            "unread" => client.unread(id).await,
            "archive" => client.archive(id).await,
            "read_all" => client.read_all().await,
            "seen" => client.seen().await,
            "load_more" => {
                tokio::spawn(async move { client.load_more(Filter::default()).await });
                Ok(())
            }
            other => return Err(format!("unknown: {other}")),
        };
        done.map_err(|error| error.to_string())
    }

    fn refuse(&mut self, refusal: &Value) -> Result<(), String> {
        let mut headers = vec![("Content-Type", refusal["type"].as_str().unwrap_or_default().to_owned())];
        headers.extend(refusal.get("retryAfter").map(|seconds| ("Retry-After", seconds.to_string())));
        let status =
            refusal["status"].as_u64().and_then(|status| u16::try_from(status).ok()).ok_or("no status")?;
        let body = &refusal["body"];
        let body = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
        self.server.refusals.lock().unwrap().push_back((status, headers, body));
        Ok(())
    }

    async fn dial(&mut self, expected: &Value) -> Result<(), String> {
        let dial = within(self.server.dials.recv()).await?.ok_or("the server has ended")?;
        let query = json!(dial.query);
        if self.surface == Surface::Native && dial.bearer.is_none() {
            return Err("no token in the header".into());
        }
        self.dials.push(dial);
        for name in expected.get("absent").and_then(Value::as_array).into_iter().flatten() {
            if let Some(value) = query.get(name.as_str().unwrap_or_default()) {
                return Err(format!("{name} is there: {value}"));
            }
        }
        self.meanings.fits(expected.get("query").unwrap_or(&Value::Null), &query)
    }

    async fn http(&mut self, expected: &Value, answer: &Value) -> Result<(), String> {
        let request: Request = within(self.server.requests.recv()).await?.ok_or("the server has ended")?;
        if expected["method"] != request.method {
            return Err(format!("{} was asked", request.method));
        }
        let path = self.meanings.text(&expected["path"]);
        if path != request.path {
            return Err(format!("{} was asked", request.path));
        }
        if let Some(query) = expected.get("query") {
            self.meanings.fits(query, &json!(request.query))?;
        }
        let status =
            answer["status"].as_u64().and_then(|status| u16::try_from(status).ok()).ok_or("no status")?;
        let body = self.meanings.fill(&answer["body"], self.clock.now());
        request.answer(status, vec![], body);
        if status >= 400 {
            // The next attempt is planned by then.
            within(self.failure()).await?;
        } else {
            within(self.taken_in()).await?;
        }
        Ok(())
    }

    /// The client has the page that it was given, or asks for another.
    async fn taken_in(&mut self) {
        let mut snapshots = self.client.as_ref().expect("a client").snapshots();
        while snapshots.borrow_and_update().loading && self.server.requests.is_empty() {
            let _ = timeout(Duration::from_millis(20), snapshots.changed()).await;
        }
    }

    async fn failure(&mut self) {
        while let Some(event) = self.events.as_mut().expect("a client").recv().await {
            if matches!(event, Event::Error(_)) {
                return;
            }
        }
    }

    async fn state(&mut self, expected: &Value) -> Result<(), String> {
        let mut snapshots = self.client.as_ref().ok_or("no client")?.snapshots();
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let shown = show(&snapshots.borrow_and_update());
            let Err(why) = self.meanings.fits(expected, &shown) else { return Ok(()) };
            let changed = tokio::time::timeout_at(deadline, snapshots.changed()).await;
            if !matches!(changed, Ok(Ok(()))) {
                return Err(format!("shows {shown}: {why}"));
            }
        }
    }

    /// Nothing may be left over.
    fn end(mut self) -> Result<(), String> {
        if !self.server.refusals.lock().unwrap().is_empty() {
            return Err("a refusal too many".into());
        }
        if self.server.dials.try_recv().is_ok() {
            return Err("a dial too many".into());
        }
        if let Ok(request) = self.server.requests.try_recv() {
            return Err(format!("a request too many: {}", request.path));
        }
        for dial in &mut self.dials {
            if let Ok(frame) = dial.frames.try_recv() {
                return Err(format!("a frame too many: {frame}"));
            }
        }
        Ok(())
    }
}

fn show(snapshot: &Snapshot) -> Value {
    json!({
        "state": snapshot.state,
        "unread": snapshot.unread,
        "unseen": snapshot.unseen,
        "items": snapshot.items,
        "position": snapshot.position,
    })
}

async fn within<T>(what: impl Future<Output = T>) -> Result<T, String> {
    timeout(PATIENCE, what).await.map_err(|_| "it does not come".to_owned())
}
