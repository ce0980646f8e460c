//! The processes that functions run in: how many, who is next, and what becomes of them.

mod call;
mod drive;
mod lane;
mod process;
mod spawner;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, interval, timeout};

pub use call::{Call, CheckError, PoolError};

use crate::limits::{MAX_CODE_BYTES, MAX_PARAMS_BYTES};
use crate::{AllowList, Finished, Host, HttpClient, Limit, Limits, SyntaxError, Usage, Verdict};
use call::Work;
use drive::drive;
use lane::Lane;
use process::{REFRESH, Worker};
use spawner::Spawner;

/// How a pool is to be.
#[derive(Debug, Clone)]
pub struct PoolConfig {
    /// The program that calls [`worker_main`](crate::worker_main); the server's own executable. Both speak one version:
    /// on Linux `/proc/self/exe` is the one that runs, whatever was installed in its place meanwhile.
    pub program: PathBuf,
    /// Its arguments. Default `internal-js-worker`.
    pub args: Vec<String>,
    /// Processes that run functions at most; besides them there are up to [`CHECKERS`] that parse sources.
    /// Default: one more than there are cores.
    pub workers: usize,
    /// Runs that may wait for a process, besides those that have one. Default 1,000.
    pub queue: usize,
    /// What each run may use at most.
    pub limits: Limits,
    /// Whom functions may reach by HTTP. Default: nobody.
    pub http: AllowList,
    /// After how long without work a process ends; one stays. Default 60 s.
    pub idle: Duration,
    /// After how many runs a process is replaced, so that what the allocator could not give back does not stay.
    /// Default 1,000.
    pub runs: u32,
    /// Resident bytes above which a process without work is replaced. Default 96 MiB.
    pub resident_bytes: u64,
}

impl PoolConfig {
    /// The defaults, with `program`.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: vec!["internal-js-worker".to_owned()],
            workers: std::thread::available_parallelism().map_or(2, |cores| cores.get() + 1),
            queue: 1000,
            limits: Limits::default(),
            http: AllowList::default(),
            idle: Duration::from_secs(60),
            runs: 1000,
            resident_bytes: 96 << 20,
        }
    }
}

/// More processes than this are a slip of the pen.
const MAX_WORKERS: usize = 1024;

/// Sources parsed at once, whatever runs: one that is costly does not hold up the next.
pub const CHECKERS: usize = 2;

/// Sources that may wait for that. If each takes [`CHECK_CPU`], the last one's turn comes after 20 s.
const CHECK_QUEUE: usize = 40;

/// Sources of one caller that are parsed or wait: a quarter of those, so that one who sends many leaves room for others.
const CHECK_SHARE: usize = CHECK_QUEUE / 4;

/// How long one waits at most. With [`CHECK_WALL`], it is answered within the 30 s that a request may take: nothing is
/// parsed for callers that have long gone.
const CHECK_PATIENCE: Duration = Duration::from_secs(20);

/// Processor time that parsing may take, where a run may use more. 512 KiB of what people write take 0.1 s (measured).
const CHECK_CPU: Duration = Duration::from_secs(1);

/// The same in time, on a machine that has much else to do.
const CHECK_WALL: Duration = Duration::from_secs(8);

/// Runs functions, each in a process that runs nothing else at that time.
///
/// A process is started when a run needs one and none is idle. Dropping the pool kills them all.
pub struct Pool {
    shared: Arc<Shared>,
}

/// What runs, the caretaker and burials share.
struct Shared {
    config: PoolConfig,
    spawner: Spawner,
    http: HttpClient,
    runtime: Handle,
    /// Places for runs. Those and the others are of processes that work, or are being buried. Idle ones have none:
    /// whoever gets a place takes one.
    runs: Lane,
    /// Places for sources to be parsed: runs never take them.
    checks: Lane,
    idle: Mutex<Vec<Worker>>,
    state: watch::Sender<State>,
    /// Processes that run, or are being buried.
    occupied: watch::Sender<usize>,
    unfiltered: AtomicBool,
}

/// How far its end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Open,
    /// Nothing new is begun.
    Closing,
    /// What runs is killed.
    Killing,
}

impl Pool {
    /// A pool without any process yet. To be called inside a tokio runtime.
    ///
    /// # Errors
    /// Where the thread that starts processes, or the HTTP client, could not be made.
    pub fn new(mut config: PoolConfig) -> Result<Self, PoolError> {
        config.workers = config.workers.clamp(1, MAX_WORKERS);
        config.limits = config.limits.within(&config.limits);
        let shared = Arc::new(Shared {
            spawner: Spawner::start(&config).map_err(PoolError::Spawn)?,
            http: HttpClient::new(config.http.clone()).map_err(PoolError::Http)?,
            runtime: Handle::current(),
            runs: Lane::new(config.workers, config.queue),
            checks: Lane::new(CHECKERS, CHECK_QUEUE).shared(CHECK_SHARE).patient(CHECK_PATIENCE),
            idle: Mutex::default(),
            state: watch::channel(State::Open).0,
            occupied: watch::channel(0).0,
            unfiltered: AtomicBool::new(false),
            config,
        });
        let weak = Arc::downgrade(&shared);
        let idle = shared.config.idle;
        shared.runtime.spawn(async move {
            let mut ticks = interval((idle / 4).max(Duration::from_millis(10)));
            loop {
                ticks.tick().await;
                let Some(shared) = weak.upgrade() else { return };
                shared.end_idle();
            }
        });
        Ok(Self { shared })
    }

    /// Runs one function to its end, with `host` behind its `api`.
    ///
    /// Waits for a process first, behind those who asked before; its limits count from then on. Calls of the host
    /// that the function did not await are finished before this returns, within its wall limit.
    ///
    /// # Errors
    /// [`PoolError::Busy`], [`PoolError::Closed`], and [`PoolError::Spawn`] where there is no process to be had:
    /// then nothing was run.
    ///
    /// # Panics
    /// Where `host` panics. The process is killed.
    ///
    /// # Cancel safety
    /// Dropping the future kills the process that ran it. Calls of the host that were under way are dropped.
    pub async fn run(&self, call: Call, host: Arc<dyn Host>) -> Result<Finished, PoolError> {
        if call.code.len() > MAX_CODE_BYTES {
            return Ok(refused(Limit::Code));
        }
        if call.execution_params.get().len().max(call.trigger_params.get().len()) > MAX_PARAMS_BYTES {
            return Ok(refused(Limit::Params));
        }
        let limits = self.limits(call.limits.as_ref());
        let ended = self.shared.work(&self.shared.runs, Work::Run(&call), &limits, Some(host)).await?;
        Ok(ended.finished)
    }

    /// [Parses](Self::check) `code` for `caller`, such as a workspace, of whom no more than 10 are parsed or wait: others
    /// find room beside one who sends many.
    ///
    /// # Errors
    /// As of [`check`](Self::check), with [`PoolError::Busy`] above that share too.
    ///
    /// # Cancel safety
    /// As of [`check`](Self::check).
    pub async fn check_of(&self, caller: &str, code: &str) -> Result<(), CheckError> {
        self.parse(Some(caller), code).await
    }

    /// Parses `code` in a process and runs nothing of it. It waits for no run: [`CHECKERS`] processes are for this.
    ///
    /// # Errors
    /// [`CheckError::Syntax`] with the place; [`CheckError::TooLarge`] above [`MAX_CODE_BYTES`];
    /// [`CheckError::TooCostly`] where parsing takes the memory that a run may use, or more than 1 s of processor time;
    /// [`CheckError::Pool`], with [`PoolError::Busy`] where 40 others wait, or its turn does not come in 20 s.
    ///
    /// # Cancel safety
    /// Dropping the future gives up its turn, or kills the process that parses.
    pub async fn check(&self, code: &str) -> Result<(), CheckError> {
        self.parse(None, code).await
    }

    async fn parse(&self, caller: Option<&str>, code: &str) -> Result<(), CheckError> {
        if code.len() > MAX_CODE_BYTES {
            return Err(CheckError::TooLarge { bytes: code.len() });
        }
        let limits = self.limits(None);
        let limits = Limits { cpu: limits.cpu.min(CHECK_CPU), wall: limits.wall.min(CHECK_WALL), ..limits };
        let work = Work::Check { caller, code };
        let ended = self.shared.work(&self.shared.checks, work, &limits, None).await?;
        match ended.checked {
            Some(checked) => Ok(checked?),
            None => Err(CheckError::TooCostly),
        }
    }

    /// Whether every process so far put its system call filter in force.
    pub fn confined(&self) -> bool {
        !self.shared.unfiltered.load(Ordering::Relaxed)
    }

    /// Takes no more runs, lets those under way end for `grace`, kills the rest, and returns when no process is left.
    /// Runs that were killed or still waited end with [`PoolError::Closed`]; a future of [`run`](Self::run) that
    /// nobody polls holds this up until it is dropped.
    pub async fn shutdown(&self, grace: Duration) {
        self.shared.state.send_replace(State::Closing);
        self.shared.runs.close();
        self.shared.checks.close();
        let mut occupied = self.shared.occupied.subscribe();
        // The sender lives as long as this pool: waiting for it cannot fail.
        if timeout(grace, occupied.wait_for(|count| *count == 0)).await.is_err() {
            self.shared.state.send_replace(State::Killing);
            let _ = occupied.wait_for(|count| *count == 0).await;
        }
        let idle = std::mem::take(&mut *self.shared.idle());
        for worker in idle {
            worker.end().await;
        }
    }

    fn limits(&self, own: Option<&Limits>) -> Limits {
        own.unwrap_or(&self.shared.config.limits).within(&self.shared.config.limits)
    }
}

/// What a run left.
struct Ended {
    finished: Finished,
    /// Of a check: what became of the source.
    checked: Option<Result<(), SyntaxError>>,
}

impl Shared {
    async fn work(
        self: &Arc<Self>,
        lane: &Lane,
        work: Work<'_>,
        limits: &Limits,
        host: Option<Arc<dyn Host>>,
    ) -> Result<Ended, PoolError> {
        let _asked = lane.ask(work.caller())?;
        let mut state = self.state.subscribe();
        let permit = tokio::select! {
            biased;
            _ = state.wait_for(|state| *state >= State::Closing) => return Err(PoolError::Closed),
            permit = lane.permit() => permit?,
        };
        let mut seat = Seat { place: Some(Place::new(self, permit)), worker: None };
        // Whoever closes looks at the places after it said so; so one of the two sees the other.
        if *state.borrow() != State::Open {
            return Err(PoolError::Closed);
        }
        let worker = seat.worker.insert(self.ready_worker().await?);
        let driven = tokio::select! {
            driven = drive(worker, work, limits, host.as_deref(), &self.http) => driven,
            _ = state.wait_for(|state| *state == State::Killing) => return Err(PoolError::Closed),
        };
        if driven.clean {
            seat.leave();
        }
        Ok(driven.ended)
    }

    /// An idle worker that is ready, or a new one.
    async fn ready_worker(&self) -> Result<Worker, PoolError> {
        loop {
            let idle = self.idle().pop();
            let Some(mut worker) = idle else { break };
            if worker.is_ready(REFRESH).await {
                return Ok(worker);
            }
            worker.end().await;
        }
        let worker = self.spawner.spawn(&self.config.limits).await?;
        if !worker.filtered && !self.unfiltered.swap(true, Ordering::Relaxed) {
            tracing::warn!("functions run without a system call filter: this kernel offers none");
        }
        Ok(worker)
    }

    /// Ends processes that had nothing to do for long, but the one used last.
    fn end_idle(&self) {
        let now = Instant::now();
        let mut idle = self.idle();
        let spared = idle.pop();
        let (old, kept): (Vec<_>, Vec<_>) =
            idle.drain(..).partition(|worker| now.duration_since(worker.idle_since) >= self.config.idle);
        *idle = kept;
        idle.extend(spared);
        drop(idle);
        for worker in old {
            self.runtime.spawn(worker.end());
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Worker>> {
        // Nothing that can panic is done under this lock.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A permit, counted for as long as a process may be behind it.
struct Place {
    shared: Arc<Shared>,
    _permit: OwnedSemaphorePermit,
}

impl Place {
    fn new(shared: &Arc<Shared>, permit: OwnedSemaphorePermit) -> Self {
        shared.occupied.send_modify(|count| *count += 1);
        Self { shared: Arc::clone(shared), _permit: permit }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.occupied.send_modify(|count| *count -= 1);
    }
}

/// A place and its process. Unless the process is handed back, it is killed, and the place is free when it is gone.
struct Seat {
    place: Option<Place>,
    worker: Option<Worker>,
}

impl Seat {
    /// Hands the process back for further runs.
    fn leave(&mut self) {
        let (Some(place), Some(mut worker)) = (&self.place, self.worker.take()) else { return };
        let config = &place.shared.config;
        if worker.is_worn(config.runs, config.resident_bytes) {
            self.worker = Some(worker);
            return;
        }
        worker.idle_since = Instant::now();
        place.shared.idle().push(worker);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let (Some(place), Some(worker)) = (self.place.take(), self.worker.take()) {
            place.shared.runtime.clone().spawn(async move {
                worker.end().await;
                drop(place);
            });
        }
    }
}

fn refused(limit: Limit) -> Finished {
    Finished { verdict: Verdict::Refused(limit), log: Vec::new(), usage: Usage::default() }
}
