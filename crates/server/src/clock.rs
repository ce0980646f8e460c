//! The one place that reads the time.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use campanile_model::Timestamp;

/// What time it is: the system's, or a stepped one in tests.
#[derive(Clone)]
pub struct Clock(Source);

#[derive(Clone)]
enum Source {
    System { started: Instant },
    Stepped(Arc<Stepped>),
}

impl Clock {
    /// The system's clocks.
    pub fn system() -> Self {
        Self(Source::System { started: Instant::now() })
    }

    /// A clock that stands still until it is stepped.
    pub fn stepped(clock: Arc<Stepped>) -> Self {
        Self(Source::Stepped(clock))
    }

    /// Wall time, for tokens and timestamps. May jump.
    #[allow(clippy::disallowed_methods, reason = "this is the place that reads the clock")]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System { .. } => {
                let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
                // A clock before 1970 reads as 1970: every token is then not yet valid or unexpired.
                let millis = since.unwrap_or_default().as_millis();
                Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
            }
            Source::Stepped(clock) => Timestamp::from_millis(clock.wall_ms.load(Ordering::SeqCst)),
        }
    }

    /// Time since the start of the process that never jumps, for idle, liveness and deadlines.
    pub fn monotonic(&self) -> Duration {
        match &self.0 {
            Source::System { started } => started.elapsed(),
            Source::Stepped(clock) => Duration::from_millis(clock.mono_ms.load(Ordering::SeqCst)),
        }
    }

    /// Calls `wake` whenever a stepped clock is stepped; never on the system's clock.
    pub fn on_step(&self, wake: impl Fn() + Send + Sync + 'static) {
        if let Source::Stepped(clock) = &self.0
            && let Ok(mut wakers) = clock.wakers.lock()
        {
            wakers.push(Box::new(wake));
        }
    }
}

type Wake = Box<dyn Fn() + Send + Sync>;

/// A clock that is stepped by hand, so that a test of five minutes takes none.
pub struct Stepped {
    wall_ms: AtomicI64,
    mono_ms: AtomicU64,
    wakers: Mutex<Vec<Wake>>,
}

impl Stepped {
    /// Stands at `now`.
    pub fn at(now: Timestamp) -> Arc<Self> {
        Arc::new(Self {
            wall_ms: AtomicI64::new(now.as_millis()),
            mono_ms: AtomicU64::new(0),
            wakers: Mutex::default(),
        })
    }

    /// Time passes.
    pub fn advance(&self, by: Duration) {
        let millis = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.mono_ms.fetch_add(millis, Ordering::SeqCst);
        self.jump(i64::try_from(millis).unwrap_or(i64::MAX));
    }

    /// The wall clock alone is set forward or back, as by an operator.
    pub fn jump(&self, by_ms: i64) {
        self.wall_ms.fetch_add(by_ms, Ordering::SeqCst);
        if let Ok(wakers) = self.wakers.lock() {
            wakers.iter().for_each(|wake| wake());
        }
    }
}
