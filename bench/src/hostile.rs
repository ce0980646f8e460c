//! Load that means harm: functions that end at a limit, and large events for rules that do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::http::Backend;
use crate::stream::Door;

/// Each kind of resource that a function can waste.
const FUNCTIONS: &[&str] = &[
    "function run() { for (;;); }",
    "async function run() { for (;;) await null }",
    "function run() { const a = []; for (;;) a.push(new Array(1000).fill(a)) }",
    "function run() { let s = 'x'; for (;;) { s += s; s.charCodeAt(0) } }",
    "function run() { return /^(a+)+$/.test('a'.repeat(40) + 'b') }",
    "function run() { for (;;) api.log('x'.repeat(10000)) }",
    "function run() { return 1 + run() }",
    "function run() { return 'x'.repeat(300 * 1024) }",
    "async function run() { for (;;) await api.fetchRecord('a').catch(() => 1) }",
    "async function run() { for (;;) await api.notify({ to: 'mallory', title: 'noise', message: 'x'.repeat(1000) }) }",
    "async function run() { for (;;) api.createRecord('flood', { a: 'x'.repeat(1000) }).catch(() => 1) }",
];
/// Rules that pass every check, and reach their limits on a large event.
const CONDITIONS: &[&str] = &[
    "data.items.all(a, data.items.all(b, a.n + b.n >= 0))",
    "data.items.exists(a, data.items.exists(b, a == 1 || b == 1))",
    "data.items.all(a, data.items == data.items)",
    "data.items.all(a, !data.text.matches('^(\\\\w+\\\\s?)*$x'))",
];
const MESSAGES: &[&str] = &[
    "{% for a in data.items %}{% for b in data.items %}{% if a.n == b %}x{% endif %}{% endfor %}{% endfor %}",
    "{{ data.text | replace('', data.text) }}",
    "{% for a in data.items %}{% if data.text ~ 'b' in data.text %}{% endif %}{% endfor %}",
    "{{ (data.text ~ data.text ~ data.text ~ data.text ~ data.text) }}",
];
/// Requests of each kind under way at once: functions, and events. The [server](crate::server) has one process for
/// functions more, since a workspace has all but one.
pub const AT_ONCE: usize = 2;

/// How much was done.
#[derive(Default)]
pub struct Done {
    /// Runs of functions that ended.
    pub runs: usize,
    /// Events that were taken, on each of which every rule failed.
    pub events: usize,
}

/// What does harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// Functions alone.
    Functions,
    /// Events for rules alone.
    Rules,
    /// Both at once.
    Both,
}

/// A load that goes on until it is ended.
pub struct Hostile {
    is_over: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<anyhow::Result<Done>>>,
}

impl Hostile {
    /// Puts the functions in place, and so many rules.
    pub async fn prepare(to: &Door, workspace: &str, rules: usize) -> anyhow::Result<()> {
        let mut backend = Backend::connect(to, workspace).await?;
        for (n, code) in FUNCTIONS.iter().enumerate() {
            let function = json!({"code": code, "limits": {"cpuMs": 1000, "wallMs": 5000}});
            backend.send("PUT", &format!("/functions/harm-{n}"), &function).await?;
        }
        let conditions = CONDITIONS.iter().map(|when| (*when, "M"));
        let all: Vec<_> = conditions.chain(MESSAGES.iter().map(|text| ("true", *text))).collect();
        for (n, (when, message)) in all.iter().cycle().take(rules).enumerate() {
            let rule = json!({
                "name": format!("harm-{n}"), "on": {"types": ["harm"], "when": when}, "to": {"user": "'mallory'"},
                "title": "T", "message": message, "type": "harm",
            });
            backend.send("PUT", &format!("/rules/harm-{n}"), &rule).await?;
        }
        Ok(())
    }

    /// Begins, in the same workspace.
    pub fn begin(to: &Door, workspace: &'static str, harm: Harm, rules: usize) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let mut tasks = vec![];
        for lane in 0..AT_ONCE {
            if harm != Harm::Rules {
                tasks.push(tokio::spawn(run(to.clone(), workspace, lane, Arc::clone(&is_over))));
            }
            if harm != Harm::Functions {
                tasks.push(tokio::spawn(report(to.clone(), workspace, rules, Arc::clone(&is_over))));
            }
        }
        Self { is_over, tasks }
    }

    /// Ends, once what is under way has.
    pub async fn end(self) -> anyhow::Result<Done> {
        self.is_over.store(true, Ordering::Relaxed);
        let mut all = Done::default();
        for task in self.tasks {
            let done = task.await??;
            all.runs += done.runs;
            all.events += done.events;
        }
        Ok(all)
    }
}

async fn run(to: Door, workspace: &str, lane: usize, is_over: Arc<AtomicBool>) -> anyhow::Result<Done> {
    let mut backend = Backend::connect(&to, workspace).await?;
    let (mut next, mut runs) = (lane * FUNCTIONS.len() / AT_ONCE, 0);
    while !is_over.load(Ordering::Relaxed) {
        let path = format!("/functions/harm-{}/run?wait=15", next % FUNCTIONS.len());
        let ended = backend.send("POST", &path, &json!({})).await?;
        anyhow::ensure!(ended["status"] == "failed" || ended["status"] == "timeout", "{ended}");
        next += 1;
        runs += 1;
    }
    Ok(Done { runs, events: 0 })
}

async fn report(to: Door, workspace: &str, rules: usize, is_over: Arc<AtomicBool>) -> anyhow::Result<Done> {
    let mut backend = Backend::connect(&to, workspace).await?;
    let items: Vec<Value> = (0..8_000).map(|n| json!({ "n": n })).collect();
    let data = json!({"items": items, "text": "a".repeat(16_000)});
    let mut events = 0;
    while !is_over.load(Ordering::Relaxed) {
        let event = crate::events::event("harm", &data);
        let path = "/events";
        let taken = backend.send_as("application/cloudevents+json", "POST", path, &event.to_string()).await?;
        anyhow::ensure!(taken["events"][0]["failed"] == rules, "{taken}");
        events += 1;
    }
    Ok(Done { runs: 0, events })
}
