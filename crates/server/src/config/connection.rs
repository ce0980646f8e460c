//! `[connection]`: what every connection is held to, whatever its surface.

use std::time::Duration;

use campanile_model::limits::MAX_FRAME_BYTES;
use serde::{Deserialize, Serialize};

use super::range::within_time;
use super::{ConfigError, duration, range::within};

/// Bounds on one connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connection {
    /// Time between pings to a client, 1 s to 1 h; `None` (`"off"`): no pings, and a dead
    /// network is found only when something is sent. Default: 25 s (the protocol, §2).
    #[serde(with = "duration::or_off")]
    pub keepalive: Option<Duration>,
    /// Payload bytes of one client message, 256 to 4,194,304; above: close 1009. Default: 65,536 (the
    /// protocol, §2).
    pub max_message_bytes: usize,
    /// How long closing all connections may take when the process ends, 0 s to 10 min. Default: 20 s (the
    /// protocol, §7).
    #[serde(with = "duration::text")]
    pub drain_timeout: Duration,
    /// Time from accepting the TCP connection to a complete request head, 1 s to 2 min. Default: 10 s.
    #[serde(with = "duration::text")]
    pub handshake_timeout: Duration,
    /// Bytes queued for a client that reads slowly, 131,072 (two of the largest frames) to 67,108,864;
    /// above: close 1013. Default: 262,144 (the design, §3).
    pub outbox_bytes: usize,
    /// Time without a byte leaving a non-empty outbox, 1 s to 5 min; above: close 1013. Default: 10 s (the
    /// design, §3).
    #[serde(with = "duration::text")]
    pub stall_timeout: Duration,
}

impl Default for Connection {
    fn default() -> Self {
        Self {
            keepalive: Some(Duration::from_secs(25)),
            max_message_bytes: MAX_FRAME_BYTES,
            drain_timeout: Duration::from_secs(20),
            handshake_timeout: Duration::from_secs(10),
            outbox_bytes: 256 * 1024,
            stall_timeout: Duration::from_secs(10),
        }
    }
}

impl Connection {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within_time("connection.keepalive", self.keepalive, "1s", "1h")?;
        within("connection.max_message_bytes", self.max_message_bytes, 256..=4 * 1024 * 1024)?;
        within_time("connection.drain_timeout", Some(self.drain_timeout), "0s", "10m")?;
        within_time("connection.handshake_timeout", Some(self.handshake_timeout), "1s", "2m")?;
        within("connection.outbox_bytes", self.outbox_bytes, 2 * MAX_FRAME_BYTES..=64 * 1024 * 1024)?;
        within_time("connection.stall_timeout", Some(self.stall_timeout), "1s", "5m")
    }
}
