//! The assembly, on one page: which backend, which threads, in which order they start and end.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use campanile_auth::{Revoked, Verifier};
use campanile_engine::run::Runner;
use campanile_engine::{Engine, IdSource, Revocations, Rota, Workspaces, due, follow, retain, revocation};
use campanile_functions::{Pool, PoolConfig};
use campanile_model::{NotificationId, Timestamp};
use campanile_store::Store;
use futures_util::FutureExt;
use tokio::sync::{mpsc, watch};

use crate::auth_failures::AuthFailures;
use crate::background::Background;
use crate::clock::Clock;
use crate::config::Config;
use crate::doors::{Listeners, Reception};
use crate::http::Api;
use crate::key_sources::KeySources;
use crate::signing_keys::SigningKeys;
use crate::socket::{
    Asked, DoorStop, Gauge, Handshakes, Judge, REQUESTS, Room, Shard, ShardConfig, ShardHandle, Shards,
    answer_requests, serve_plain,
};
use crate::tickets::Tickets;
use crate::tls::Tls;

/// Connections closed per second when the server ends, so that those who come back don't all come at once…
const CLOSES_PER_SECOND: usize = 5_000;
/// …but never over a longer time: a documented client that was closed first is still trying then.
const LONGEST_SPREAD: Duration = Duration::from_secs(5);
/// How long requests under way may take to finish when the server ends.
const LAST_REQUESTS: Duration = Duration::from_secs(10);
/// How long functions that run may take to finish when the server ends.
const LAST_RUNS: Duration = Duration::from_secs(5);
/// Plain connections handed over by the door that may wait to be taken up.
const PLAIN: usize = 4_096;
/// How often the server looks for what is due: a rung or a schedule is told within a second of its instant, and
/// a look costs an index seek for each kind.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long the start waits for notifications to be hidden that ran out before it.
const CATCH_UP: Duration = Duration::from_secs(5);
/// How often it is asked whether revocations have done their work.
const DROP_REVOCATIONS: Duration = Duration::from_secs(60);
/// How often it is asked whether the signing key has to be rotated.
const TEND_EVERY: Duration = Duration::from_secs(60);
/// How often the certificate's files are looked at: a renewal is never urgent, and a look is a few system calls.
const LOOK_AT_CERTIFICATE: Duration = Duration::from_secs(2);
/// How often entries past their retention are removed.
const RETAIN_EVERY: Duration = Duration::from_secs(60);

/// A server that runs.
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    /// Where the API has an address of its own.
    pub api_address: Option<SocketAddr>,
    /// How many connections are open.
    pub gauge: Gauge,
    /// The use cases, for whoever has the process.
    pub engine: Arc<Engine>,
    /// Where keys come from.
    pub sources: Arc<KeySources>,
    certificates: Vec<Arc<Tls>>,
    drain_timeout: Duration,
    clock: Clock,
    ready: Arc<AtomicBool>,
    doors: Vec<DoorStop>,
    shards: Shards,
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
    plain: tokio::task::JoinHandle<()>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
    background: Background,
}

/// Starts every part and returns once the server listens. Must be called within a tokio runtime. `program` is
/// this very program, which runs functions when it is called with [`crate::WORKER`].
///
/// # Errors
/// What a user can mend: the address is taken, a key is missing or unfit.
pub async fn start(
    config: &Config,
    clock: Clock,
    store: Arc<dyn Store>,
    program: PathBuf,
) -> anyhow::Result<Running> {
    let auth = config.auth()?;
    let keys = config.key_set().context("the configured keys can't be used")?;
    let verifier = Arc::new(Verifier::new(keys, &auth));
    let mut tasks = vec![];
    let sources =
        KeySources::start(config, &verifier, &clock, &mut tasks).context("keys can't be fetched")?;
    let sources = Arc::new(sources);
    let origins = Arc::new(config.server.origins()?);
    let proxies = Arc::new(config.server.proxies()?);
    let listeners = Listeners::bind(config)?;
    let (address, api_address) = (listeners.address, listeners.api_address);
    let certificates = listeners.certificates.clone();

    // Shards first: the engine hands realtime entries to them.
    let gauge = Gauge::default();
    let (asking, asked) = mpsc::channel(REQUESTS);
    let mut threads = vec![];
    let shards = start_shards(config, &clock, &gauge, asking, verifier.revoked(), &mut threads)?;
    let shards = Shards::new(shards, Arc::clone(verifier.revoked()));

    // Subscribed before anybody can publish, so that the followers miss nothing.
    let commits: Vec<_> = shards.iter().map(|shard| (shard.clone(), store.commits())).collect();
    let heads = store.heads().await.context("the store can't be read")?;
    let mut workspaces = campanile_engine::Config::from(&config.workspaces);
    workspaces.named.entry(config.surfaces.product.workspace.clone()).or_default();
    let stored = heads.iter().map(|head| head.workspace.clone());
    let engine = Arc::new(Engine {
        store: Arc::clone(&store),
        live: Arc::new(shards.clone()),
        workspaces: Workspaces::new(workspaces, stored),
        ids: random_ids(),
        books: Default::default(),
        rota: Rota::new(cores().saturating_sub(1)),
        runner: Arc::new(runner(config, &clock, program)?),
        judged: Default::default(),
        counts: Default::default(),
        drains: Default::default(),
        revocations: Revocations::new(
            config.surfaces.product.workspace.clone(),
            config.tokens.longest_life.map(|life| i64::try_from(life.as_millis()).unwrap_or(i64::MAX)),
        ),
        realtime_keys: Default::default(),
    });
    revocation::load(&engine, clock.now()).await.context("the revocations can't be read")?;
    campanile_engine::run::count_waiting(&engine).await.context("the store can't be read")?;
    tasks.push(tokio::spawn(drop_revocations_for_ever(Arc::clone(&engine), clock.clone())));
    tasks.push(tokio::spawn(retain_for_ever(Arc::clone(&engine), clock.clone())));
    tasks.extend(certificates.iter().map(|tls| tokio::spawn(watch_certificate(Arc::clone(tls)))));
    let ready = Arc::new(AtomicBool::new(true));
    let background = Background::start(cores())?;
    // What ran out while the server was down is hidden before anybody can look, unless that takes too long.
    let _in_time = tokio::time::timeout(CATCH_UP, due::Work::Ends.until_done(&engine, || clock.now())).await;
    for work in due::Work::ALL {
        let working = work_for_ever(work, Arc::clone(&engine), clock.clone());
        let working = supervise_work(work, working, Arc::clone(&ready));
        tasks.push(match work.asks_rules() {
            true => background.handle().spawn(working),
            false => tokio::spawn(working),
        });
    }
    for (shard, commits) in commits {
        let following = follow::follow(Arc::clone(&store), commits, heads.clone(), shard);
        tasks.push(tokio::spawn(supervise(following, Arc::clone(&ready))));
    }
    let keys =
        SigningKeys::open(&config.server.data, config.tokens.clone(), Arc::clone(&verifier), clock.now());
    let keys = Arc::new(keys.context("the keys of service accounts' tokens can't be used")?);
    tasks.push(tokio::spawn(tend_keys_for_ever(Arc::clone(&keys), clock.clone())));
    let tickets = Arc::<Tickets>::default();
    let failures = Arc::new(AuthFailures::new(config.server.auth_failures_per_minute));
    let api = Arc::new(Api {
        engine: Arc::clone(&engine),
        verifier: Arc::clone(&verifier),
        sources: Arc::clone(&sources),
        clock: clock.clone(),
        product_workspace: config.surfaces.product.workspace.clone(),
        ready: Arc::clone(&ready),
        origins: Arc::clone(&origins),
        keys,
        tickets: Arc::clone(&tickets),
        issuing: Default::default(),
        guesses: Default::default(),
        failures: Arc::clone(&failures),
        background: background.handle().clone(),
    });
    let (plain_in, plain_out) = mpsc::channel(PLAIN);
    let (stop, stopping) = watch::channel(false);
    let header_timeout = config.connection.handshake_timeout;
    let router = crate::routes::router(api);
    let judge = Judge {
        verifier,
        failures,
        tickets,
        engine: Arc::clone(&engine),
        product_workspace: config.surfaces.product.workspace.clone(),
        leeway_ms: leeway_ms(config),
    };
    let handshakes = Handshakes::new(
        judge,
        Arc::clone(&sources),
        origins,
        proxies,
        shards.clone(),
        Room { gauge: gauge.clone(), max_connections: crate::doors::max_connections(config) },
        clock.clone(),
    );
    let handshakes = Arc::new(handshakes);
    let answering = answer_requests(asked, Arc::clone(&engine), Arc::clone(&handshakes), clock.clone());
    tasks.push(tokio::spawn(answering));
    let serving = serve_plain(plain_out, router, Arc::clone(&handshakes), header_timeout, stopping);
    let plain = tokio::spawn(serving);
    let reception = Reception { handshakes, plain: plain_in, gauge: gauge.clone(), clock: clock.clone() };
    let doors = listeners.open(config, &reception, &mut threads)?;
    {
        let (doors, shards) = (doors.clone(), shards.clone());
        clock.on_step(move || {
            doors.iter().for_each(DoorStop::wake);
            shards.iter().for_each(ShardHandle::wake);
        });
    }
    let drain_timeout = config.connection.drain_timeout;
    Ok(Running {
        address,
        api_address,
        gauge,
        engine,
        sources,
        certificates,
        drain_timeout,
        clock,
        ready,
        doors,
        shards,
        stop,
        threads,
        plain,
        tasks,
        background,
    })
}

impl Running {
    /// Reads the certificate again, if there is one. Connections stay, and a certificate that can't be used is logged.
    pub fn reload_certificate(&self) {
        if self.certificates.is_empty() {
            tracing::info!("there is no certificate to be read again");
        }
        self.certificates.iter().for_each(|tls| tls.reload());
    }

    /// Returns once the instant of a planned drain has come, which may be never: the server is then to be ended.
    pub async fn drain_comes(&self) {
        let stepped = Arc::new(tokio::sync::Notify::new());
        let step = Arc::clone(&stepped);
        self.clock.on_step(move || step.notify_one());
        while !self.engine.drains.is_due(self.clock.now()) {
            tokio::select! {
                () = stepped.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// Ends the server: not ready, no newcomers, every connection closed 1001, requests under way finished,
    /// the store flushed.
    pub async fn shutdown(self) {
        self.ready.store(false, Ordering::SeqCst);
        self.doors.iter().for_each(DoorStop::stop);
        self.stop.send_replace(true);
        let sockets = self.gauge.sockets();
        let spread = Duration::from_secs_f64(sockets as f64 / CLOSES_PER_SECOND as f64)
            .min(LONGEST_SPREAD)
            .min(self.drain_timeout);
        tracing::info!(sockets, spread_ms = spread.as_millis(), "shutting down");
        for shard in self.shards.iter() {
            let _gone = shard.tell(crate::socket::Command::Drain(spread)).await;
        }
        if tokio::time::timeout(LAST_REQUESTS, self.plain).await.is_err() {
            tracing::warn!("requests under way were cut off");
        }
        let threads = self.threads;
        let joined = tokio::task::spawn_blocking(move || {
            threads.into_iter().filter_map(|thread| thread.join().err()).count()
        });
        match joined.await {
            Ok(0) => {}
            _ => tracing::error!("a thread panicked before its end"),
        }
        self.engine.runner.stop();
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
        // What still runs is told as interrupted while the store takes writes.
        self.engine.runner.pool().shutdown(LAST_RUNS).await;
        self.engine.runner.idle().await;
        self.engine.store.close().await;
        drop(self.background);
        tracing::info!("the store is flushed; goodbye");
    }
}

/// What executes functions on this node.
fn runner(config: &Config, clock: &Clock, program: PathBuf) -> anyhow::Result<Runner> {
    let mut pool = PoolConfig::new(program);
    pool.args = vec![crate::WORKER.to_owned()];
    if config.functions.workers > 0 {
        pool.workers = config.functions.workers;
    }
    pool.limits = config.functions.limits();
    pool.http = config.functions.allow_list()?;
    let workers = pool.workers;
    let pool = Pool::new(pool).context("functions can't be run")?;
    let clock = clock.clone();
    Ok(Runner::new(pool, workers, Arc::new(move || clock.now())))
}

fn leeway_ms(config: &Config) -> i64 {
    // The configuration allows seconds.
    i64::try_from(config.auth.leeway.as_millis()).unwrap_or(0)
}

/// Cores that this process may use; tokio has as many workers.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn start_shards(
    config: &Config,
    clock: &Clock,
    gauge: &Gauge,
    asking: mpsc::Sender<Asked>,
    revoked: &Arc<Revoked>,
    threads: &mut Vec<JoinHandle<()>>,
) -> anyhow::Result<Vec<ShardHandle>> {
    let count = match config.server.shards {
        0 => cores(),
        count => count,
    };
    let shard_config = ShardConfig {
        connection: config.connection.clone(),
        surfaces: config.surfaces.limits(),
        leeway_ms: leeway_ms(config),
    };
    (0..count)
        .map(|index| {
            let (shard, handle) = Shard::new(
                shard_config.clone(),
                clock.clone(),
                asking.clone(),
                gauge.clone(),
                Arc::clone(revoked),
            )
            .context("a shard can't be made")?;
            let builder = std::thread::Builder::new().name(format!("shard-{index}"));
            threads.push(builder.spawn(move || shard.run()).context("a shard can't be started")?);
            Ok(handle)
        })
        .collect()
}

/// Without its follower a shard tells its sockets nothing any more: the node is not ready then.
async fn supervise(following: impl Future<Output = ()> + Send + 'static, ready: Arc<AtomicBool>) {
    if tokio::spawn(following).await.is_err() {
        ready.store(false, Ordering::SeqCst);
        tracing::error!("a follower panicked: its shard's sockets get nothing new; restart this server");
    }
}

/// Without it this kind of work is not done any more, for any workspace: the node is not ready then.
async fn supervise_work(
    work: due::Work,
    working: impl Future<Output = ()> + Send + 'static,
    ready: Arc<AtomicBool>,
) {
    // In this very task, so that ending it ends the work. What work shares with others is in the store.
    if AssertUnwindSafe(working).catch_unwind().await.is_err() {
        ready.store(false, Ordering::SeqCst);
        tracing::error!(?work, "work that comes due panicked and is not done any more; restart this server");
    }
}

/// Does one kind of work whenever some of it may be due.
async fn work_for_ever(work: due::Work, engine: Arc<Engine>, clock: Clock) {
    let stepped = Arc::new(tokio::sync::Notify::new());
    let step = Arc::clone(&stepped);
    clock.on_step(move || step.notify_one());
    // Runs are queued and end at any time; the others' times are known by the clock.
    let wake = if work == due::Work::Runs { Arc::clone(engine.runner.wake()) } else { Arc::default() };
    loop {
        work.until_done(&engine, || clock.now()).await;
        tokio::select! {
            () = stepped.notified() => {}
            () = wake.notified() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// Rotates the signing key when it is time to.
async fn tend_keys_for_ever(keys: Arc<SigningKeys>, clock: Clock) {
    let stepped = Arc::new(tokio::sync::Notify::new());
    let step = Arc::clone(&stepped);
    clock.on_step(move || step.notify_one());
    loop {
        let (now, tended) = (clock.now(), Arc::clone(&keys));
        match tokio::task::spawn_blocking(move || tended.tend(now)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the signing key can't be rotated now"),
            Err(_) => tracing::error!("rotating the signing key panicked"),
        }
        tokio::select! {
            () = stepped.notified() => {}
            () = tokio::time::sleep(TEND_EVERY) => {}
        }
    }
}

/// Drops revocations that have done their work.
async fn drop_revocations_for_ever(engine: Arc<Engine>, clock: Clock) {
    let stepped = Arc::new(tokio::sync::Notify::new());
    let step = Arc::clone(&stepped);
    clock.on_step(move || step.notify_one());
    loop {
        tokio::select! {
            () = stepped.notified() => {}
            () = tokio::time::sleep(DROP_REVOCATIONS) => {}
        }
        revocation::drop_ended(&engine, clock.now());
    }
}

/// Reads the certificate again whenever its files change.
async fn watch_certificate(tls: Arc<Tls>) {
    loop {
        tokio::time::sleep(LOOK_AT_CERTIFICATE).await;
        let tls = Arc::clone(&tls);
        // Its panic would be told by its hook; the next look comes all the same.
        let _looked = tokio::task::spawn_blocking(move || tls.reload_if_changed()).await;
    }
}

async fn retain_for_ever(engine: Arc<Engine>, clock: Clock) {
    loop {
        tokio::time::sleep(RETAIN_EVERY).await;
        match retain::retain_once(&*engine.store, engine.workspaces.config(), clock.now()).await {
            Ok(0) => {}
            Ok(rows) => tracing::info!(rows, "what is past its retention was removed"),
            Err(error) => tracing::warn!(%error, "entries past their retention can't be removed now"),
        }
    }
}

/// UUIDv7 with a tail from the system's random source.
pub(crate) fn random_ids() -> IdSource {
    Arc::new(|now: Timestamp| {
        let mut tail = [0; 10];
        if let Err(error) = aws_lc_rs::rand::fill(&mut tail) {
            // Without randomness ids would repeat; the caller's task ends, the server goes on.
            panic!("the system's random source failed: {error}");
        }
        let millis = u64::try_from(now.as_millis()).unwrap_or(0);
        NotificationId(uuid::Builder::from_unix_timestamp_millis(millis, &tail).into_uuid())
    })
}

/// Runs the server until it is asked to end, or a drain that was planned comes: what `campanile serve` does.
///
/// # Errors
/// Those of [`start`], and of opening the store.
pub fn serve(config: &Config, welcome: impl FnOnce(SocketAddr)) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let store = open_store(config)?;
        let program = own_program().context("the program's own path is not known")?;
        let running = start(config, Clock::system(), store, program).await?;
        tracing::info!(address = %running.address, tls = config.server.tls.is_on(), "listening");
        if let Some(address) = running.api_address {
            tracing::info!(%address, "the API has its own address");
        }
        welcome(running.address);
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        let again = async |terminate: &mut tokio::signal::unix::Signal| {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        };
        let mut hangup = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())?;
        let reloads = async {
            while hangup.recv().await.is_some() {
                tokio::task::block_in_place(|| running.reload_certificate());
            }
            // No further signals can come.
            std::future::pending().await
        };
        tokio::select! {
            () = again(&mut terminate) => {}
            () = reloads => {}
            () = running.drain_comes() => tracing::info!("the planned drain begins"),
        }
        tokio::select! {
            () = running.shutdown() => Ok(()),
            () = again(&mut terminate) => {
                tracing::warn!("asked again: exiting now");
                std::process::exit(1)
            }
        }
    })
}

/// This very program. Where it is installed, an upgrade may put another version while this one runs.
fn own_program() -> std::io::Result<PathBuf> {
    if cfg!(target_os = "linux") { Ok("/proc/self/exe".into()) } else { std::env::current_exe() }
}

fn open_store(config: &Config) -> anyhow::Result<Arc<dyn Store>> {
    let epochs = campanile_store::Epochs::new(|| {
        let mut bytes = [0; 8];
        match aws_lc_rs::rand::fill(&mut bytes) {
            Ok(()) => u64::from_ne_bytes(bytes),
            Err(error) => panic!("the system's random source failed: {error}"),
        }
    });
    let store = campanile_store::SqliteStore::open(config.store.sqlite(&config.server.data, epochs))
        .with_context(|| format!("the store in {} can't be opened", config.server.data.display()))?;
    Ok(Arc::new(store))
}
