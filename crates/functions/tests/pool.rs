//! Which process runs what, and what becomes of processes.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use campanile_functions::{
    CHECKERS, CheckError, Host, HostCall, HostError, Pool, PoolConfig, PoolError, Spent, Verdict,
};
use serde_json::{Value, json};
use tokio::sync::{Barrier, Notify};

use crate::support::{Recorder, Spied, WORKER, call, config, result, run};

const GOOD: &str = "async function run() { return (await api.fetchRecord('o')).id }";

/// Tells when it was called, and never answers.
#[derive(Default)]
struct Silent {
    called: Notify,
}

#[async_trait]
impl Host for Silent {
    async fn call(&self, _: HostCall) -> Result<Value, HostError> {
        self.called.notify_one();
        std::future::pending().await
    }
}

/// Tells when it was called, and answers.
#[derive(Default)]
struct Brief {
    called: Notify,
}

#[async_trait]
impl Host for Brief {
    async fn call(&self, _: HostCall) -> Result<Value, HostError> {
        self.called.notify_one();
        Ok(Value::Null)
    }
}

/// Answers when as many ask at once as it expects.
struct Together(Barrier);

#[async_trait]
impl Host for Together {
    async fn call(&self, _: HostCall) -> Result<Value, HostError> {
        self.0.wait().await;
        Ok(json!({ "id": "o" }))
    }
}

/// Waits for something that other processes do; the kernel tells nobody.
async fn until(what: impl Fn() -> bool) {
    for _ in 0..3000 {
        if what() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not come to be in 30 s");
}

#[tokio::test]
async fn a_clean_run_leaves_its_process_to_the_next() {
    let spied = Spied::new();
    let pool = Pool::new(spied.config(config())).unwrap();
    for _ in 0..10 {
        assert_eq!(result(&run(&pool, GOOD).await), json!("o"));
        run(&pool, "function run() { throw 1 }").await;
        pool.check("a b").await.unwrap_err();
    }
    assert_eq!(spied.starts().len(), 1);
    run(&pool, "function run() { for (;;) {} }").await;
    run(&pool, GOOD).await;
    assert_eq!(spied.starts().len(), 2, "a process that was stopped is replaced");
    pool.shutdown(Duration::from_secs(1)).await;
    assert!(spied.left().is_empty());
}

#[tokio::test]
async fn a_process_is_replaced_after_its_runs() {
    let spied = Spied::new();
    let pool = Pool::new(PoolConfig { runs: 3, ..spied.config(config()) }).unwrap();
    for _ in 0..9 {
        run(&pool, GOOD).await;
    }
    assert_eq!(spied.starts().len(), 3);
    let large = Pool::new(PoolConfig { resident_bytes: 1, ..spied.config(config()) }).unwrap();
    for _ in 0..3 {
        run(&large, GOOD).await;
    }
    assert_eq!(spied.starts().len(), 6, "each was larger than one byte");
}

#[tokio::test]
async fn a_process_that_died_while_idle_fails_nobody() {
    let spied = Spied::new();
    let pool = Pool::new(spied.config(config())).unwrap();
    run(&pool, GOOD).await;
    let pid = spied.starts()[0].pid;
    kill(pid);
    let is_dead =
        || std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "));
    until(is_dead).await;
    assert_eq!(result(&run(&pool, GOOD).await), json!("o"));
    assert_eq!(spied.starts().len(), 2);
}

#[tokio::test]
async fn a_process_that_dies_in_a_run_ends_that_run_alone() {
    let spied = Spied::new();
    let pool = Arc::new(Pool::new(PoolConfig { workers: 2, ..spied.config(config()) }).unwrap());
    let silent = Arc::new(Silent::default());
    let (own, host) = (Arc::clone(&pool), Arc::clone(&silent));
    let doomed = tokio::spawn(async move { own.run(call(GOOD), host).await.unwrap() });
    silent.called.notified().await;
    let pid = spied.starts()[0].pid;
    assert_eq!(result(&run(&pool, GOOD).await), json!("o"), "beside it");
    kill(pid);
    assert!(matches!(doomed.await.unwrap().verdict, Verdict::Crashed));
    assert_eq!(result(&run(&pool, GOOD).await), json!("o"), "after it");
}

#[tokio::test]
async fn a_run_that_nobody_waits_for_is_killed() {
    let spied = Spied::new();
    let pool = Pool::new(spied.config(config())).unwrap();
    let silent = Arc::new(Silent::default());
    tokio::select! {
        finished = pool.run(call(GOOD), silent.clone()) => panic!("{finished:?}"),
        () = silent.called.notified() => {}
    }
    let pid = spied.starts()[0].pid;
    until(|| !std::path::Path::new(&format!("/proc/{pid}")).exists()).await;
    assert_eq!(result(&run(&pool, GOOD).await), json!("o"), "its place is free again");
}

#[tokio::test]
async fn who_finds_the_queue_full_is_told() {
    let config = PoolConfig { workers: 1, queue: 1, ..config() };
    let pool = Arc::new(Pool::new(config).unwrap());
    let silent = Arc::new(Silent::default());
    let (own, host) = (Arc::clone(&pool), Arc::clone(&silent));
    let running = tokio::spawn(async move { own.run(call(GOOD), host).await });
    silent.called.notified().await;
    let host = Arc::new(Recorder::default());
    let mut waiting = Box::pin(pool.run(call(GOOD), host.clone()));
    assert!(futures_util::FutureExt::now_or_never(&mut waiting).is_none());
    let third = pool.run(call(GOOD), host).await;
    assert!(matches!(third, Err(PoolError::Busy { queue: 1 })), "{third:?}");
    running.abort();
    assert_eq!(result(&waiting.await.unwrap()), json!("o"), "who waited is next");
}

#[tokio::test]
async fn sources_are_checked_while_every_place_and_the_queue_are_taken() {
    let spied = Spied::new();
    let config = PoolConfig { workers: 1, queue: 0, ..spied.config(config()) };
    let pool = Arc::new(Pool::new(config).unwrap());
    let silent = Arc::new(Silent::default());
    let (own, host) = (Arc::clone(&pool), Arc::clone(&silent));
    let running = tokio::spawn(async move { own.run(call(GOOD), host).await });
    silent.called.notified().await;
    pool.check(GOOD).await.unwrap();
    let wrong = || async { assert!(matches!(pool.check("a b").await, Err(CheckError::Syntax(_)))) };
    tokio::join!(wrong(), wrong(), wrong(), wrong(), wrong(), wrong());
    assert!((2..=1 + CHECKERS).contains(&spied.starts().len()));
    assert!(!running.is_finished());
    running.abort();
    pool.shutdown(Duration::from_secs(1)).await;
    assert!(spied.left().is_empty());
    assert!(matches!(pool.check(GOOD).await, Err(CheckError::Pool(PoolError::Closed))));
}

#[tokio::test]
async fn one_who_sends_many_sources_leaves_room_for_others() {
    let pool = Pool::new(config()).unwrap();
    let mut sent: Vec<_> = (0..10).map(|_| Box::pin(pool.check_of("a", GOOD))).collect();
    for check in &mut sent {
        assert!(futures_util::FutureExt::now_or_never(check).is_none(), "it is parsed, or waits");
    }
    let more = pool.check_of("a", GOOD).await;
    assert!(matches!(more, Err(CheckError::Pool(PoolError::Busy { queue: 10 }))), "{more:?}");
    let mut other = Box::pin(pool.check_of("b", GOOD));
    assert!(futures_util::FutureExt::now_or_never(&mut other).is_none());
    drop(sent);
    other.await.unwrap();
    pool.check_of("a", GOOD).await.unwrap();
}

#[tokio::test]
async fn runs_share_the_processes_there_are() {
    let spied = Spied::new();
    let pool = Arc::new(Pool::new(PoolConfig { workers: 3, ..spied.config(config()) }).unwrap());
    let runs: Vec<_> = (0..60)
        .map(|_| {
            let pool = Arc::clone(&pool);
            tokio::spawn(async move { result(&run(&pool, GOOD).await) })
        })
        .collect();
    for run in runs {
        assert_eq!(run.await.unwrap(), json!("o"));
    }
    assert!((1..=3).contains(&spied.starts().len()));
    pool.shutdown(Duration::from_secs(1)).await;
    assert!(spied.left().is_empty());
}

#[tokio::test]
async fn idle_processes_end_but_one() {
    let spied = Spied::new();
    let config = PoolConfig { workers: 3, idle: Duration::from_millis(50), ..spied.config(config()) };
    let pool = Pool::new(config).unwrap();
    let three = Arc::new(Together(Barrier::new(3)));
    let together = || async { pool.run(call(GOOD), three.clone()).await.unwrap() };
    tokio::join!(together(), together(), together());
    assert_eq!(spied.starts().len(), 3);
    until(|| spied.left().len() == 1).await;
    assert_eq!(result(&run(&pool, GOOD).await), json!("o"));
    assert_eq!(spied.starts().len(), 3, "the one that stayed took it");
}

#[tokio::test]
async fn shutdown_lets_runs_end() {
    let spied = Spied::new();
    let pool = Arc::new(Pool::new(spied.config(config())).unwrap());
    let begun = Arc::new(Brief::default());
    let (own, host) = (Arc::clone(&pool), Arc::clone(&begun));
    let code = "async function run() { await api.fetchRecord('x'); for (;;) {} }";
    let ending = tokio::spawn(async move { own.run(call(code), host).await });
    begun.called.notified().await;
    pool.shutdown(Duration::from_secs(60)).await;
    assert!(matches!(ending.await.unwrap().unwrap().verdict, Verdict::TimedOut(Spent::Cpu)));
    assert!(spied.left().is_empty());
    let refused = pool.run(call(GOOD), Arc::new(Recorder::default())).await;
    assert!(matches!(refused, Err(PoolError::Closed)));
}

#[tokio::test]
async fn shutdown_kills_runs_that_do_not_end_and_sends_away_who_waits() {
    let spied = Spied::new();
    let pool = Arc::new(Pool::new(spied.config(config())).unwrap());
    let silent = Arc::new(Silent::default());
    let (own, host) = (Arc::clone(&pool), Arc::clone(&silent));
    let stuck = tokio::spawn(async move { own.run(call(GOOD), host).await });
    silent.called.notified().await;
    let mut waiting = Box::pin(pool.run(call(GOOD), silent));
    assert!(futures_util::FutureExt::now_or_never(&mut waiting).is_none());
    pool.shutdown(Duration::from_millis(50)).await;
    assert!(matches!(stuck.await.unwrap(), Err(PoolError::Closed)));
    assert!(matches!(waiting.await, Err(PoolError::Closed)));
    assert!(spied.left().is_empty());
}

#[tokio::test]
async fn dropping_the_pool_ends_its_processes() {
    let spied = Spied::new();
    let pool = Pool::new(spied.config(config())).unwrap();
    run(&pool, GOOD).await;
    drop(pool);
    until(|| spied.left().is_empty()).await;
}

#[tokio::test]
async fn workers_die_with_the_server_even_where_they_do_not_listen() {
    let spied = Spied::new();
    let mut server = std::process::Command::new(WORKER).args(["server", &spied.file()]).spawn().unwrap();
    until(|| spied.starts().len() == 2).await;
    server.kill().unwrap();
    server.wait().unwrap();
    until(|| spied.left().is_empty()).await;
}

#[tokio::test]
async fn programs_that_are_no_workers_are_errors() {
    let program = |program: &str| PoolConfig { args: Vec::new(), ..PoolConfig::new(program) };
    for wrong in ["/nowhere/at/all", "/bin/true", "/bin/cat"] {
        let pool = Pool::new(program(wrong)).unwrap();
        let run = pool.run(call(GOOD), Arc::new(Recorder::default())).await;
        assert!(matches!(run, Err(PoolError::Spawn(_))), "{wrong}: {run:?}");
    }
}

fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid.try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}
