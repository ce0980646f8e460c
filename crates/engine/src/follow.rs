//! From the log to the sockets, in order and complete.
//!
//! One follower per shard owns `next` of every workspace. It takes commits from the store's stream, emits
//! strictly in seq order, and reads the log for whatever is missing: after it fell behind, or where the
//! stream skipped something. A publisher that goes away, or tasks that wake in any order,
//! change nothing.
//!
//! Marks are passed on where they stand in the stream: after every entry that was durable before them. They
//! are hints that no log keeps, so those of commits that a shard missed are gone. Whoever tells clients of
//! read state heals that by their heartbeats, which carry the revision.

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
    /// The log has nothing more to tell up to `place`: its newest entries there are damaged or past their retention.
    async fn pass(&mut self, workspace: &Slug, place: Seq) -> ControlFlow<()>;
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
            return self.deliver_marks(&commit).await;
        };
        let (first, last) = (first.seq, last.seq);
        let next = self.next_of(&commit.workspace, commit.epoch);
        if last < next {
            return self.deliver_marks(&commit).await;
        }
        if first > next {
            self.repair(&commit.workspace, commit.epoch, next, Seq(first.0 - 1)).await?;
        }
        let fresh = if first < next {
            let entries = commit.entries.iter().filter(|e| e.seq >= next).cloned().collect();
            Arc::new(Commit { entries, ..without_entries(&commit) })
        } else {
            commit
        };
        self.next.insert(fresh.workspace.clone(), (fresh.epoch, last.next()));
        self.shard.deliver(fresh).await
    }

    /// Of a commit whose entries, if any, were emitted before.
    async fn deliver_marks(&mut self, commit: &Commit) -> ControlFlow<()> {
        if commit.marks.is_empty() {
            return ControlFlow::Continue(());
        }
        self.shard.deliver(Arc::new(without_entries(commit))).await
    }

    fn next_of(&self, workspace: &Slug, epoch: Epoch) -> Seq {
        match self.next.get(workspace) {
            Some((known, next)) if *known == epoch => *next,
            _ => Seq(1),
        }
    }

    /// Emits `[next, up_to]` from the log. Entries that retention took meanwhile are gone for everybody.
    async fn repair(&mut self, workspace: &Slug, epoch: Epoch, mut next: Seq, up_to: Seq) -> ControlFlow<()> {
        let (mut pause, mut page, mut told) = (MIN_RETRY, PAGE, Seq::ZERO);
        while next <= up_to {
            match self.store.entries(workspace, Seq(next.0 - 1), up_to, page).await {
                Ok(entries) => {
                    let Some(last) = entries.last().map(|e| e.seq) else { break };
                    let commit = Commit { workspace: workspace.clone(), epoch, entries, marks: Vec::new() };
                    (next, told) = (last.next(), last);
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
        if told == up_to { ControlFlow::Continue(()) } else { self.shard.pass(workspace, up_to).await }
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

fn without_entries(commit: &Commit) -> Commit {
    Commit {
        workspace: commit.workspace.clone(),
        epoch: commit.epoch,
        entries: Vec::new(),
        marks: commit.marks.clone(),
    }
}

#[cfg(test)]
mod tests {
    use campanile_model::{Entry, EntryKind, Rev, Timestamp, UserId};
    use campanile_store::{Epochs, Marking, MemoryStore, Write};

    use super::*;

    /// Writes down what it is given, in order.
    struct Told(Vec<String>);

    #[async_trait]
    impl Deliver for &mut Told {
        async fn deliver(&mut self, commit: Arc<Commit>) -> ControlFlow<()> {
            self.0.extend(commit.entries.iter().map(|entry| format!("entry {}", entry.seq)));
            self.0.extend(commit.marks.iter().map(|mark| format!("mark {}", mark.rev.0)));
            ControlFlow::Continue(())
        }

        async fn pass(&mut self, _: &Slug, place: Seq) -> ControlFlow<()> {
            self.0.push(format!("nothing up to {place}"));
            ControlFlow::Continue(())
        }
    }

    fn user() -> UserId {
        UserId::new("alice").unwrap()
    }

    /// A store with as many entries in one workspace, and the newest of them as a commit tells it.
    async fn with_entries(count: u64) -> (Arc<dyn Store>, Slug, Epoch) {
        let store = MemoryStore::new(Epochs::seeded(1));
        let workspace = Slug::new("followed").unwrap();
        let mut epoch = None;
        for n in 0..count {
            let write =
                if n % 2 == 0 { Write::Withdraw { user: user() } } else { Write::Grant { user: user() } };
            let appended = store.append(&workspace, write, Timestamp::from_millis(0)).await.unwrap();
            assert_eq!(appended.head, Seq(n + 1));
            epoch = Some(appended.epoch);
        }
        (Arc::new(store), workspace, epoch.unwrap())
    }

    fn commit(workspace: &Slug, epoch: Epoch, seqs: &[u64], revs: &[u64]) -> Arc<Commit> {
        let entry = |seq: &u64| Entry { seq: Seq(*seq), kind: EntryKind::Grant { user: user() } };
        let marks = revs.iter().map(|rev| Marking { user: user(), rev: Rev(*rev) }).collect();
        let entries = seqs.iter().map(entry).collect();
        Arc::new(Commit { workspace: workspace.clone(), epoch, entries, marks })
    }

    #[tokio::test]
    async fn marks_are_passed_on_where_they_stand_and_no_entry_comes_twice() {
        let (store, workspace, epoch) = with_entries(6).await;
        let (tell, commits) = broadcast::channel(16);
        let stream: [(&[u64], &[u64]); 9] = [
            (&[], &[1]),
            (&[1], &[2]),
            // What was emitted already, and half of it.
            (&[1], &[3]),
            (&[1, 2], &[4]),
            (&[2], &[]),
            (&[], &[]),
            // Two entries are missing: read from the log, before the marks that came after them.
            (&[5], &[5, 6]),
            (&[], &[7]),
            (&[6], &[]),
        ];
        for (seqs, revs) in stream {
            tell.send(commit(&workspace, epoch, seqs, revs)).unwrap();
        }
        drop(tell);
        let mut told = Told(Vec::new());
        follow(store, commits, Vec::new(), &mut told).await;
        let expected = [
            "mark 1", "entry 1", "mark 2", "mark 3", "entry 2", "mark 4", "entry 3", "entry 4", "entry 5",
            "mark 5", "mark 6", "mark 7", "entry 6",
        ];
        assert_eq!(told.0, expected);
    }

    #[tokio::test]
    async fn after_a_lag_the_log_is_read_and_marks_go_on() {
        let (store, workspace, epoch) = with_entries(4).await;
        let (tell, commits) = broadcast::channel(2);
        for n in 1..=4 {
            tell.send(commit(&workspace, epoch, &[n], &[n])).unwrap();
        }
        drop(tell);
        let mut told = Told(Vec::new());
        follow(store, commits, Vec::new(), &mut told).await;
        assert_eq!(told.0, ["entry 1", "entry 2", "entry 3", "entry 4", "mark 3", "mark 4"]);
    }

    #[tokio::test]
    async fn what_the_log_can_no_longer_tell_is_passed() {
        let (store, workspace, epoch) = with_entries(6).await;
        let keep = campanile_store::Retention { max_age_ms: None, max_entries: Some(0) };
        let gone = store.prune(&workspace, keep, 10, Timestamp::from_millis(0)).await;
        let (tell, commits) = broadcast::channel(16);
        tell.send(commit(&workspace, epoch, &[7], &[])).unwrap();
        drop(tell);
        let mut told = Told(Vec::new());
        follow(store, commits, Vec::new(), &mut told).await;
        assert_eq!(told.0, ["nothing up to 6", "entry 7"], "{gone:?}");
    }
}
