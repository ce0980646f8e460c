//! The way in to a shard.

use std::hash::{BuildHasher, RandomState};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use campanile_auth::Revoked;
use campanile_engine::connect::Step;
use campanile_engine::follow::Deliver;
use campanile_engine::mark::ReadState;
use campanile_engine::revocation::{Revocation, Tokens};
use campanile_engine::{EngineError, Live};
use campanile_hub::Slot;
use campanile_model::{Notification, Seq, Slug, UserId};
use campanile_store::{Commit, StoreError};
use campanile_wire::{Asked, NotRefreshed};
use tokio::sync::mpsc;

use super::attach::Newcomer;
use super::judge::Refreshed;
use super::requests::Outcome;

/// Commands that may wait before a shard. Full: newcomers get 503, answers of the engine wait.
const COMMANDS: usize = 16_384;
/// Entries, in commits and batches, that may wait before a shard; each may be as large as a request. Full:
/// the follower waits, and reads the log again where that takes too long; realtime publishes get 503.
const ENTRIES: usize = 256;

/// What a shard is told.
pub enum Command {
    /// A connection for it.
    Attach(Box<Newcomer>),
    /// A step of a hand-over.
    Stepped(Slot, Result<Step, StoreError>),
    /// What became of a mark.
    Marked(Slot, Asked, Outcome),
    /// The counts, and what was done since the client was told.
    Looked(Slot, Result<ReadState, StoreError>),
    /// What became of another token, and what the answer repeats.
    Refreshed(Slot, Option<String>, Result<Refreshed, NotRefreshed>),
    /// Close everything, spread over so long, then end.
    Drain(Duration),
}

/// What a shard is to tell its sockets. Apart from the commands, because a shard takes no further entries
/// while enough of them wait to be delivered.
pub enum Entries {
    /// Became durable.
    Commit(Arc<Commit>),
    /// The log has nothing more to tell up to this place.
    Passed(Slug, Seq),
    /// Are in no log.
    Realtime(Slug, Arc<[Arc<Notification>]>),
}

/// The shard's end of its queues.
pub(super) struct Inbound {
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) entries: mpsc::Receiver<Entries>,
}

/// One shard, from any thread.
#[derive(Clone)]
pub struct ShardHandle {
    commands: mpsc::Sender<Command>,
    entries: mpsc::Sender<Entries>,
    waking: Arc<Waking>,
}

/// Wakes a shard that sleeps, and costs nothing while it does not.
pub(super) struct Waking {
    pub(super) waker: mio::Waker,
    pub(super) asleep: AtomicBool,
    /// Other tokens are revoked than when the shard last looked. No command: those may find no room.
    pub(super) judge: AtomicBool,
}

impl Waking {
    /// Whether the shard has to judge its connections anew; it is then about to.
    pub(super) fn judge_anew(&self) -> bool {
        self.judge.swap(false, Ordering::SeqCst)
    }

    pub(super) fn wake(&self) {
        if self.asleep.swap(false, Ordering::SeqCst)
            && let Err(error) = self.waker.wake()
        {
            tracing::error!(%error, "a shard can't be woken");
        }
    }
}

impl ShardHandle {
    pub(super) fn new(waking: Arc<Waking>) -> (Self, Inbound) {
        let (commands, commands_out) = mpsc::channel(COMMANDS);
        let (entries, entries_out) = mpsc::channel(ENTRIES);
        (Self { commands, entries, waking }, Inbound { commands: commands_out, entries: entries_out })
    }

    /// Tells the shard now, or gives the command back where its queue is full or it is gone.
    #[allow(clippy::result_large_err, reason = "the caller gets its command back")]
    pub fn try_tell(&self, command: Command) -> Result<(), Command> {
        let sent = self.commands.try_send(command).map_err(mpsc::error::TrySendError::into_inner);
        self.waking.wake();
        sent
    }

    /// Tells the shard, waiting for room. `Break` if it is gone.
    pub async fn tell(&self, command: Command) -> ControlFlow<()> {
        let sent = self.commands.send(command).await;
        self.waking.wake();
        if sent.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }

    /// Wakes it, as for a clock that was stepped.
    pub fn wake(&self) {
        self.waking.wake();
    }
}

impl ShardHandle {
    /// Waits for room. `Break` once the shard is gone.
    async fn queue(&self, entries: Entries) -> ControlFlow<()> {
        let sent = self.entries.send(entries).await;
        self.waking.wake();
        if sent.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}

#[async_trait]
impl Deliver for ShardHandle {
    async fn deliver(&mut self, commit: Arc<Commit>) -> ControlFlow<()> {
        self.queue(Entries::Commit(commit)).await
    }

    async fn pass(&mut self, workspace: &Slug, place: Seq) -> ControlFlow<()> {
        self.queue(Entries::Passed(workspace.clone(), place)).await
    }
}

/// All shards of the node.
#[derive(Clone)]
pub struct Shards {
    handles: Arc<[ShardHandle]>,
    revoked: Arc<Revoked>,
    hasher: RandomState,
}

impl Shards {
    /// In the order of their threads. They close connections of what is `revoked`.
    pub fn new(handles: Vec<ShardHandle>, revoked: Arc<Revoked>) -> Self {
        Self { handles: handles.into(), revoked, hasher: RandomState::new() }
    }

    /// The shard that owns a user's connections. Keyed, so that nobody can aim at one shard.
    pub fn of(&self, workspace: &Slug, user: &UserId) -> &ShardHandle {
        let hash = self.hasher.hash_one((workspace, user));
        &self.handles[usize::try_from(hash % self.handles.len() as u64).unwrap_or(0)]
    }

    /// Each shard.
    pub fn iter(&self) -> impl Iterator<Item = &ShardHandle> {
        self.handles.iter()
    }
}

impl Live for Shards {
    fn emit(&self, workspace: &Slug, notifications: &[Arc<Notification>]) -> Result<(), EngineError> {
        let notifications: Arc<[_]> = notifications.into();
        // Room on every shard first, so that it is all or nothing.
        let room = self.iter().map(|shard| shard.entries.try_reserve()).collect::<Result<Vec<_>, _>>();
        let room = room.map_err(|_| EngineError::Overloaded)?;
        for (permit, shard) in room.into_iter().zip(self.iter()) {
            permit.send(Entries::Realtime(workspace.clone(), Arc::clone(&notifications)));
            shard.waking.wake();
        }
        Ok(())
    }

    fn revoke(&self, revocations: &mut dyn Iterator<Item = &Revocation>) {
        self.revoked.replace(revocations.map(|revocation| match &revocation.tokens {
            Tokens::One { token_id } => campanile_auth::Revocation::Token(token_id.clone()),
            Tokens::Of { user, issuer } => campanile_auth::Revocation::User {
                user: user.clone(),
                issuer: issuer.clone(),
                up_to: revocation.at,
            },
        }));
        for shard in self.iter() {
            shard.waking.judge.store(true, Ordering::SeqCst);
            shard.waking.wake();
        }
    }
}
