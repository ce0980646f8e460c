//! From the log to the sockets, in order and complete.
//!
//! One follower per shard owns `next` of every workspace. It takes commits from the store's stream, emits
//! strictly in seq order, and reads the log for whatever is missing: after it fell behind, or where the
//! stream skipped something. A publisher that goes away, or tasks that wake in any order,
//! change nothing.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use campanile_model::{Epoch, Seq, Slug};
use campanile_store::{Commit, Store, StoreError};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// Entries read at once when repairing.
const PAGE: usize = 256;
/// Pause before the log is read again after it could not be, doubled up to [`MAX_RETRY`].
const MIN_RETRY: Duration = Duration::from_millis(50);
const MAX_RETRY: Duration = Duration::from_secs(2);

/// One shard's way in.
#[async_trait]
pub trait Deliver: Send {
    /// Takes a commit, waiting for room. `Break` once the shard is gone.
    async fn deliver(&mut self, commit: Arc<Commit>) -> ControlFlow<()>;
}

/// Follows all logs for one shard until the store or the shard goes away.
///
/// `commits` must have been subscribed before anybody could publish; `heads` are the logs' heads at some
/// time after that.
pub async fn follow(
    store: Arc<dyn Store>,
    mut commits: broadcast::Receiver<Arc<Commit>>,
    heads: Vec<campanile_store::Head>,
    shard: impl Deliver,
) {
    let next = heads.into_iter().map(|h| (h.workspace, (h.epoch, h.seq.next()))).collect();
    let mut follower = Follower { store, shard, next };
    loop {
        let flow = match commits.recv().await {
            Ok(commit) => follower.offer(commit).await,
            Err(RecvError::Lagged(missed)) => {
                tracing::info!(missed, "a shard fell behind the log and reads it again");
                follower.repair_all().await
            }
            Err(RecvError::Closed) => return,
        };
        if flow.is_break() {
            return;
        }
    }
}

struct Follower<D> {
    store: Arc<dyn Store>,
    shard: D,
    /// The next entry to emit, and the lineage it counts in. A workspace not listed starts at 1.
    next: HashMap<Slug, (Epoch, Seq)>,
}

impl<D: Deliver> Follower<D> {
    async fn offer(&mut self, commit: Arc<Commit>) -> ControlFlow<()> {
        let (Some(first), Some(last)) = (commit.entries.first(), commit.entries.last()) else {
            return ControlFlow::Continue(());
        };
        let (first, last) = (first.seq, last.seq);
        let next = self.next_of(&commit.workspace, commit.epoch);
        if last < next {
            return ControlFlow::Continue(());
        }
        if first > next {
            self.repair(&commit.workspace, commit.epoch, next, Seq(first.0 - 1)).await?;
        }
        let fresh = if first < next {
            let entries = commit.entries.iter().filter(|e| e.seq >= next).cloned().collect();
            Arc::new(Commit { workspace: commit.workspace.clone(), epoch: commit.epoch, entries })
        } else {
            commit
        };
        self.next.insert(fresh.workspace.clone(), (fresh.epoch, last.next()));
        self.shard.deliver(fresh).await
    }

    fn next_of(&self, workspace: &Slug, epoch: Epoch) -> Seq {
        match self.next.get(workspace) {
            Some((known, next)) if *known == epoch => *next,
            _ => Seq(1),
        }
    }

    /// Emits `[next, up_to]` from the log. Entries that retention took meanwhile are gone for everybody.
    async fn repair(&mut self, workspace: &Slug, epoch: Epoch, mut next: Seq, up_to: Seq) -> ControlFlow<()> {
        let (mut pause, mut page) = (MIN_RETRY, PAGE);
        while next <= up_to {
            match self.store.entries(workspace, Seq(next.0 - 1), up_to, page).await {
                Ok(entries) => {
                    let Some(last) = entries.last().map(|e| e.seq) else { break };
                    let commit = Commit { workspace: workspace.clone(), epoch, entries };
                    next = last.next();
                    self.next.insert(workspace.clone(), (epoch, next));
                    self.shard.deliver(Arc::new(commit)).await?;
                }
                // One at a time up to the damaged entry, then past it: the others are not its hostages.
                Err(StoreError::Corrupt { seq, .. }) if seq > next && page > 1 => page = 1,
                Err(StoreError::Corrupt { seq, .. }) => {
                    tracing::error!(%workspace, %seq, "a damaged entry can't be delivered to anybody");
                    (next, page) = (seq.max(next).next(), PAGE);
                }
                Err(error) => {
                    tracing::warn!(%workspace, %error, "the log can't be read for delivery; trying again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(MAX_RETRY);
                }
            }
        }
        self.next.insert(workspace.clone(), (epoch, up_to.next()));
        ControlFlow::Continue(())
    }

    async fn repair_all(&mut self) -> ControlFlow<()> {
        let mut pause = MIN_RETRY;
        let heads = loop {
            match self.store.heads().await {
                Ok(heads) => break heads,
                Err(error) => {
                    tracing::warn!(%error, "the logs' heads can't be read; trying again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(MAX_RETRY);
                }
            }
        };
        for head in heads {
            let next = self.next_of(&head.workspace, head.epoch);
            if next <= head.seq {
                self.repair(&head.workspace, head.epoch, next, head.seq).await?;
            }
        }
        ControlFlow::Continue(())
    }
}
