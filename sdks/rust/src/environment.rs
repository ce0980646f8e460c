//! Time and randomness. Programs use the default; tests step a clock of their own.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A future on the heap.
pub type Pending<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A clock, in milliseconds since 1970. It never goes back.
pub trait Clock: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> u64;

    /// Resolves at this instant or soon after; at once if it has passed.
    ///
    /// # Cancel safety
    /// May be dropped at any time.
    fn sleep_until(&self, at: u64) -> Pending<()>;
}

/// Resolves at this instant, however often the clock wakes before it.
pub(crate) async fn pause_until(clock: &dyn Clock, at: u64) {
    while clock.now() < at {
        clock.sleep_until(at).await;
    }
}

/// Where a client takes its time and its randomness from.
#[derive(Clone)]
pub struct Environment {
    /// The clock. Default: the system's.
    pub clock: Arc<dyn Clock>,
    /// Numbers in `[0, 1)`. Default: the system's randomness.
    pub random: Arc<dyn Fn() -> f64 + Send + Sync>,
}

impl Default for Environment {
    fn default() -> Self {
        Self { clock: Arc::new(SystemClock::new()), random: Arc::new(random) }
    }
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Environment").finish_non_exhaustive()
    }
}

/// The system's clock: its wall time when it was made, and the monotonic time since.
struct SystemClock {
    origin: Instant,
    origin_ms: u64,
}

impl SystemClock {
    fn new() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the one place where this crate reads the clock")]
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { origin: Instant::now(), origin_ms: millis(wall) }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> u64 {
        self.origin_ms + millis(self.origin.elapsed())
    }

    fn sleep_until(&self, at: u64) -> Pending<()> {
        let pause = Duration::from_millis(at.saturating_sub(self.now()));
        // A day at most: the timer can't hold every number, and who waits asks again.
        Box::pin(tokio::time::sleep(pause.min(Duration::from_secs(86_400))))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// 53 bits of a random UUID, as a number in `[0, 1)`.
fn random() -> f64 {
    let bits = uuid::Uuid::new_v4().as_u128() & ((1 << 53) - 1);
    #[expect(clippy::cast_precision_loss)]
    let fraction = bits as f64 / (1_u64 << 53) as f64;
    fraction
}
