//! The assembly, on one page: which backend, which threads, in which order they start and end.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use campanile_auth::{Revoked, Verifier};
use campanile_engine::run::Runner;
use campanile_engine::{Engine, IdSource, Revocations, Rota, Workspaces, due, follow, revocation};
use campanile_functions::{Pool, PoolConfig};
use campanile_model::{NotificationId, Timestamp};
use campanile_store::Store;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};

use crate::auth_failures::AuthFailures;
use crate::background::Background;
use crate::clock::Clock;
use crate::config::Config;
use crate::doors::{Listeners, Reception};
use crate::http::Api;
use crate::key_sources::KeySources;
use crate::rounds;
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
/// How long the start waits for notifications to be hidden that ran out before it.
const CATCH_UP: Duration = Duration::from_secs(5);

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
    tasks.push(tokio::spawn(rounds::drop_revocations(Arc::clone(&engine), clock.clone())));
    tasks.push(tokio::spawn(rounds::retain(Arc::clone(&engine), clock.clone())));
    tasks.extend(certificates.iter().map(|tls| tokio::spawn(rounds::watch_certificate(Arc::clone(tls)))));
    let ready = Arc::new(AtomicBool::new(true));
    let background = Background::start(cores())?;
    // What ran out while the server was down is hidden before anybody can look, unless that takes too long.
    let _in_time = tokio::time::timeout(CATCH_UP, due::Work::Ends.until_done(&engine, || clock.now())).await;
    for work in due::Work::ALL {
        let working = rounds::work(work, Arc::clone(&engine), clock.clone());
        let working = rounds::supervised_work(work, working, Arc::clone(&ready));
        tasks.push(match work.asks_rules() {
            true => background.handle().spawn(working),
            false => tokio::spawn(working),
        });
    }
    for (shard, commits) in commits {
        let following = follow::follow(Arc::clone(&store), commits, heads.clone(), shard);
        tasks.push(tokio::spawn(rounds::supervised(following, Arc::clone(&ready))));
    }
    let keys =
        SigningKeys::open(&config.server.data, config.tokens.clone(), Arc::clone(&verifier), clock.now());
    let keys = Arc::new(keys.context("the keys of service accounts' tokens can't be used")?);
    tasks.push(tokio::spawn(rounds::tend_keys(Arc::clone(&keys), clock.clone())));
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
        let passing = rounds::Passing::of(&self.clock);
        while !self.engine.drains.is_due(self.clock.now()) {
            passing.some(rounds::LOOK_EVERY).await;
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
    let served = runtime.block_on(async {
        // From the first moment: to process 1 of a container, a signal that nobody takes is lost; to others, its end.
        let (mut ending, mut hangup) = (Ending::new()?, signal(SignalKind::hangup())?);
        let opening = {
            let config = config.clone();
            tokio::task::spawn_blocking(move || open_store(&config))
        };
        let store = tokio::select! {
            biased;
            () = ending.asked() => {
                tracing::info!("asked to end before the store was open");
                return Ok(());
            }
            store = opening => store.context("the store can't be opened")??,
        };
        let program = own_program().context("the program's own path is not known")?;
        let running = tokio::select! {
            biased;
            () = ending.asked() => {
                tracing::info!("asked to end before anybody was let in");
                ending.unless_asked_again(store.close()).await;
                return Ok(());
            }
            // The doors open last.
            running = start(config, Clock::system(), Arc::clone(&store), program) => running?,
        };
        tracing::info!(address = %running.address, tls = config.server.tls.is_on(), "listening");
        if let Some(address) = running.api_address {
            tracing::info!(%address, "the API has its own address");
        }
        welcome(running.address);
        let reloads = async {
            while hangup.recv().await.is_some() {
                tokio::task::block_in_place(|| running.reload_certificate());
            }
            // No further signals can come.
            std::future::pending().await
        };
        tokio::select! {
            () = ending.asked() => {}
            () = reloads => {}
            () = running.drain_comes() => tracing::info!("the planned drain begins"),
        }
        ending.unless_asked_again(running.shutdown()).await;
        Ok(())
    });
    // What is flushed was waited for; a store that is still being opened need not be.
    runtime.shutdown_background();
    served
}

/// The signals that ask a server to end, taken from the moment that this is made.
struct Ending {
    terminate: Signal,
    interrupt: Signal,
}

impl Ending {
    fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits until the end is in order, or ends the process if it is asked once more.
    async fn unless_asked_again(&mut self, end: impl Future<Output = ()>) {
        tokio::select! {
            () = end => {}
            () = self.asked() => {
                tracing::warn!("asked again: exiting now");
                std::process::exit(1)
            }
        }
    }

    /// Returns once for each time that it is asked.
    async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
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
