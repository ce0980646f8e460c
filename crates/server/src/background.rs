//! Threads for work whose cost is chosen by whoever wrote a rule, a condition or a filter.
//!
//! It is as urgent as an API request, and less so than a delivery: on a machine that has too much to do, the
//! operating system lets sockets, publishes and the log go first. The rota of the engine bounds how many of these
//! threads such work may have at once.

use anyhow::Context as _;
use tokio::runtime::{Builder, Handle, Runtime};

/// How much less than others these threads get, where there is too little for all: about a ninth. That of
/// the processes that run functions.
const NICENESS: i32 = 10;

/// A runtime of its own, with as many threads as there are cores. What was spawned on it ends with this.
pub struct Background {
    handle: Handle,
    /// There until it is dropped.
    runtime: Option<Runtime>,
}

impl Background {
    /// Starts the threads.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn start(threads: usize) -> anyhow::Result<Self> {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(threads).thread_name("background").enable_all().on_thread_start(|| {
            // On Linux this is the thread's own. Whoever can't be modest works all the same.
            if let Err(error) = rustix::process::nice(NICENESS) {
                tracing::warn!(%error, "background work can't be given a lower priority");
            }
        });
        let runtime = builder.build().context("background work has no threads")?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// Where to spawn.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // Waiting for its threads is forbidden to asynchronous code, which is where servers end.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
