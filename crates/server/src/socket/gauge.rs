//! How many connections are open.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Connections open on this node, whatever they are.
#[derive(Debug, Clone, Default)]
pub struct Gauge(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    open: AtomicUsize,
    sockets: AtomicUsize,
    backlogs: AtomicUsize,
}

impl Gauge {
    /// Counts one more connection; it is counted until the guard is dropped.
    pub fn enter(&self) -> Entered {
        self.0.open.fetch_add(1, Ordering::Relaxed);
        Entered(self.clone())
    }

    /// Open connections.
    pub fn open(&self) -> usize {
        self.0.open.load(Ordering::Relaxed)
    }

    /// Open connections that are sockets of a user.
    pub fn sockets(&self) -> usize {
        self.0.sockets.load(Ordering::Relaxed)
    }

    /// Sockets with bytes that their peer has not taken yet.
    pub fn backlogs(&self) -> usize {
        self.0.backlogs.load(Ordering::Relaxed)
    }

    pub(super) fn backlog_began(&self) {
        self.0.backlogs.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn backlog_ended(&self) {
        self.0.backlogs.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn socket_opened(&self) {
        self.0.sockets.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn socket_closed(&self) {
        self.0.sockets.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One counted connection.
#[derive(Debug)]
pub struct Entered(Gauge);

impl Entered {
    pub(super) fn gauge(&self) -> &Gauge {
        &self.0
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
