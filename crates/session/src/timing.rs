//! When a connection is looked after.

use std::time::Duration;

/// Tenths of a second of a monotonic clock since the shard started: 13 years fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Tick(pub u32);

impl Tick {
    /// Length of a tick. The protocol asks for one second of accuracy.
    pub const LENGTH: Duration = Duration::from_millis(100);

    /// The tick that holds `since_start`.
    pub fn at(since_start: Duration) -> Self {
        Self(u32::try_from(since_start.as_millis() / Self::LENGTH.as_millis()).unwrap_or(u32::MAX))
    }

    /// `duration` in ticks, rounded up.
    pub fn span(duration: Duration) -> u32 {
        u32::try_from(duration.as_millis().div_ceil(Self::LENGTH.as_millis())).unwrap_or(u32::MAX)
    }

    /// This tick and so many more.
    #[must_use]
    pub fn after(self, ticks: u32) -> Self {
        Self(self.0.saturating_add(ticks))
    }

    /// Ticks since `earlier`; zero if that is later.
    pub fn since(self, earlier: Self) -> u32 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Spans that govern a connection, in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Between two keep-alive pings; `None`: none are sent.
    pub keepalive: Option<u32>,
    /// Silence after which the connection is closed; `None`: never.
    pub idle: Option<u32>,
    /// How long nothing may leave although something waits (default 10 s).
    pub stall: u32,
    /// How long a client may take to finish a message it began.
    pub message: u32,
    /// How long the client's close is waited for, from the last byte that left.
    pub linger: u32,
    /// How long a closed connection is kept in all, while what waits before the close still leaves.
    pub farewell: u32,
}
