//! Load that means harm: functions that end at a limit, and large events for rules that do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use serde_json::json;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::http::Backend;
use crate::server::AT_ONCE;
use crate::stream::Door;

// The very texts that the server's test holds it to.
#[allow(dead_code, reason = "how each ends is the test's")]
#[path = "../../crates/server/tests/functions/hostile/code.rs"]
mod code;
#[path = "../../crates/server/tests/functions/hostile/texts.rs"]
mod texts;

/// These need a host on the network, or tell everybody in earnest, which is load but no harm.
const LEFT_OUT: &[&str] = &["redirects", "hosts that are refused", "notify flood"];

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
    /// Dropped with the last of them.
    _threads: Stranger,
}

/// A thread of low priority: whoever means harm has a machine of his own, so what it costs to ask is not to
/// be taken from those who are measured.
struct Stranger {
    handle: Handle,
    _gone: oneshot::Sender<()>,
}

impl Stranger {
    fn start() -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (gone, is_gone) = oneshot::channel::<()>();
        std::thread::Builder::new().name("stranger".into()).spawn(move || {
            if let Err(error) = rustix::process::nice(NICENESS) {
                eprintln!("hostile load is as urgent as what is measured: {error}");
            }
            // It ends as its other end is dropped.
            let _ended = runtime.block_on(is_gone);
        })?;
        Ok(Self { handle, _gone: gone })
    }
}

/// How much less than others that thread gets where there is too little for all: about a seventieth.
const NICENESS: i32 = 19;

impl Hostile {
    /// Puts the functions in place, and so many rules.
    pub async fn prepare(to: &Door, workspace: &str, rules: usize) -> anyhow::Result<()> {
        let mut backend = Backend::connect(to, workspace).await?;
        for (n, code) in functions().enumerate() {
            let function = json!({"code": code, "limits": {"cpuMs": 200, "wallMs": 5_000, "memoryMib": 16}});
            backend.send("PUT", &format!("/functions/harm-{n}"), &function).await?;
        }
        for (n, (member, value)) in texts::failing().into_iter().take(rules).enumerate() {
            let mut rule = json!({
                "name": format!("harm-{n}"), "on": {"types": ["harm"]}, "to": {"user": "'mallory'"},
                "title": "T", "message": "M", "type": "harm",
            });
            match member {
                "on.when" => rule["on"]["when"] = value,
                member => rule[member] = value,
            }
            backend.send("PUT", &format!("/rules/harm-{n}"), &rule).await?;
        }
        Ok(())
    }

    /// Begins, in the same workspace.
    pub fn begin(to: &Door, workspace: &'static str, harm: Harm, rules: usize) -> anyhow::Result<Self> {
        let threads = Stranger::start().context("hostile load has no thread")?;
        let is_over = Arc::new(AtomicBool::new(false));
        let mut tasks = vec![];
        for lane in 0..AT_ONCE {
            if harm != Harm::Rules {
                tasks.push(threads.handle.spawn(run(to.clone(), workspace, lane, Arc::clone(&is_over))));
            }
            if harm != Harm::Functions {
                tasks.push(threads.handle.spawn(report(to.clone(), workspace, rules, Arc::clone(&is_over))));
            }
        }
        Ok(Self { is_over, tasks, _threads: threads })
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

fn functions() -> impl Iterator<Item = &'static str> {
    code::HOSTILE.iter().filter(|(what, ..)| !LEFT_OUT.contains(what)).map(|(_, _, code)| *code)
}

async fn run(to: Door, workspace: &str, lane: usize, is_over: Arc<AtomicBool>) -> anyhow::Result<Done> {
    let mut backend = Backend::connect(&to, workspace).await?;
    let kinds = functions().count();
    let (mut next, mut runs) = (lane * kinds / AT_ONCE, 0);
    while !is_over.load(Ordering::Relaxed) {
        let path = format!("/functions/harm-{}/run?wait=15", next % kinds);
        let ended = backend.send("POST", &path, &json!({})).await?;
        let is_over =
            ended["status"].as_str().is_some_and(|status| status != "queued" && status != "running");
        anyhow::ensure!(is_over, "{ended}");
        next += 1;
        runs += 1;
    }
    Ok(Done { runs, events: 0 })
}

async fn report(to: Door, workspace: &str, rules: usize, is_over: Arc<AtomicBool>) -> anyhow::Result<Done> {
    let mut backend = Backend::connect(&to, workspace).await?;
    let data = texts::largest();
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
