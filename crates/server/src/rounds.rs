//! What is done again and again while the server runs, and what becomes of the server where one of these fails.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use campanile_engine::{Engine, due, retain, revocation};
use futures_util::FutureExt;
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::signing_keys::SigningKeys;
use crate::tls::Tls;

/// How often the server looks for what is due: a rung or a schedule is told within a second of its instant, and
/// a look costs an index seek for each kind.
pub const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How often it is asked whether revocations have done their work.
const DROP_REVOCATIONS: Duration = Duration::from_secs(60);
/// How often it is asked whether the signing key has to be rotated.
const TEND_EVERY: Duration = Duration::from_secs(60);
/// How often the certificate's files are looked at: a renewal is never urgent, and a look is a few system calls.
const LOOK_AT_CERTIFICATE: Duration = Duration::from_secs(2);
/// How often entries past their retention are removed.
const RETAIN_EVERY: Duration = Duration::from_secs(60);

/// Time passing: some of it, or a test's step of the clock.
pub struct Passing(Arc<Notify>);

impl Passing {
    /// Of this clock.
    pub fn of(clock: &Clock) -> Self {
        let stepped = Arc::new(Notify::new());
        let step = Arc::clone(&stepped);
        clock.on_step(move || step.notify_one());
        Self(stepped)
    }

    /// Returns after so long at the latest.
    pub async fn some(&self, at_most: Duration) {
        tokio::select! {
            () = self.0.notified() => {}
            () = tokio::time::sleep(at_most) => {}
        }
    }
}

/// Without its follower a shard tells its sockets nothing any more: the node is not ready then.
pub async fn supervised(following: impl Future<Output = ()> + Send + 'static, ready: Arc<AtomicBool>) {
    if tokio::spawn(following).await.is_err() {
        ready.store(false, Ordering::SeqCst);
        tracing::error!("a follower panicked: its shard's sockets get nothing new; restart this server");
    }
}

/// Without it this kind of work is not done any more, for any workspace: the node is not ready then.
pub async fn supervised_work(
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
pub async fn work(work: due::Work, engine: Arc<Engine>, clock: Clock) {
    let passing = Passing::of(&clock);
    // Runs are queued and end at any time; the others' times are known by the clock.
    let wake = if work == due::Work::Runs { Arc::clone(engine.runner.wake()) } else { Arc::default() };
    loop {
        work.until_done(&engine, || clock.now()).await;
        tokio::select! {
            () = passing.some(LOOK_EVERY) => {}
            () = wake.notified() => {}
        }
    }
}

/// Rotates the signing key when it is time to.
pub async fn tend_keys(keys: Arc<SigningKeys>, clock: Clock) {
    let passing = Passing::of(&clock);
    loop {
        let (now, tended) = (clock.now(), Arc::clone(&keys));
        match tokio::task::spawn_blocking(move || tended.tend(now)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the signing key can't be rotated now"),
            Err(_) => tracing::error!("rotating the signing key panicked"),
        }
        passing.some(TEND_EVERY).await;
    }
}

/// Drops revocations that have done their work.
pub async fn drop_revocations(engine: Arc<Engine>, clock: Clock) {
    let passing = Passing::of(&clock);
    loop {
        passing.some(DROP_REVOCATIONS).await;
        revocation::drop_ended(&engine, clock.now());
    }
}

/// Reads the certificate again whenever its files change.
pub async fn watch_certificate(tls: Arc<Tls>) {
    loop {
        tokio::time::sleep(LOOK_AT_CERTIFICATE).await;
        let tls = Arc::clone(&tls);
        // Its panic would be told by its hook; the next look comes all the same.
        let _looked = tokio::task::spawn_blocking(move || tls.reload_if_changed()).await;
    }
}

/// Removes entries past their retention.
pub async fn retain(engine: Arc<Engine>, clock: Clock) {
    loop {
        tokio::time::sleep(RETAIN_EVERY).await;
        match retain::retain_once(&*engine.store, engine.workspaces.config(), clock.now()).await {
            Ok(0) => {}
            Ok(rows) => tracing::info!(rows, "what is past its retention was removed"),
            Err(error) => tracing::warn!(%error, "entries past their retention can't be removed now"),
        }
    }
}
