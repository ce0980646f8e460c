//! The way from a shard to the engine and back.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use campanile_engine::Engine;
use campanile_engine::EngineError;
use campanile_engine::connect::{self, Reader};
use campanile_engine::mark_read::mark_read;
use campanile_hub::Slot;
use campanile_model::NotificationId;
use campanile_session::Cursor;
use campanile_store::StoreError;
use campanile_wire::Replay;
use futures_util::FutureExt as _;
use tokio::sync::mpsc;

use super::queue::{Command, ShardHandle};
use crate::clock::Clock;

/// Requests that may wait before the engine. Full: the connection is closed 1013 and comes back.
pub const CAPACITY: usize = 65_536;

/// One request of a shard, with where the answer goes.
pub struct Asked {
    pub(super) shard: ShardHandle,
    pub(super) slot: Slot,
    pub(super) reader: Reader,
    pub(super) what: What,
}

#[derive(Clone, Copy)]
pub(super) enum What {
    /// The first step of a hand-over.
    Start(Replay),
    /// A further one.
    More(Cursor),
    /// The client marks an entry as read.
    MarkRead(NotificationId),
}

/// Answers requests, each in a task of its own: they are bounded by what each connection may have in flight.
pub async fn answer_requests(mut asked: mpsc::Receiver<Asked>, engine: Arc<Engine>, clock: Clock) {
    while let Some(request) = asked.recv().await {
        tokio::spawn(answer(request, Arc::clone(&engine), clock.clone()));
    }
}

/// A panic on the way is an answer too: the connection must not wait for ever.
async fn answer(asked: Asked, engine: Arc<Engine>, clock: Clock) {
    let Asked { shard, slot, reader, what } = asked;
    let working = AssertUnwindSafe(work(slot, &reader, what, &engine, &clock)).catch_unwind();
    let command = working.await.unwrap_or_else(|_| {
        let error = StoreError::Internal("a request of a connection panicked".into());
        match what {
            What::Start(_) | What::More(_) => Command::Stepped(slot, Err(error)),
            What::MarkRead(id) => Command::Marked(slot, id, None),
        }
    });
    // A shard that is gone has closed the connection too.
    let _gone = shard.tell(command).await;
}

async fn work(slot: Slot, reader: &Reader, what: What, engine: &Engine, clock: &Clock) -> Command {
    match what {
        What::Start(replay) => {
            let step = connect::start(&*engine.store, &engine.ids, reader, replay, clock.now()).await;
            Command::Stepped(slot, step)
        }
        What::More(from) => Command::Stepped(slot, connect::more(&*engine.store, reader, from).await),
        What::MarkRead(id) => {
            let marked = match mark_read(engine, &reader.workspace, &reader.user, id, clock.now()).await {
                Ok(_) => Some(true),
                Err(EngineError::Store(StoreError::NotFound)) => Some(false),
                Err(error) => {
                    tracing::warn!(workspace = %reader.workspace, %error, "an entry can't be marked as read");
                    None
                }
            };
            Command::Marked(slot, id, marked)
        }
    }
}
