//! The way from a shard to the engine and back.

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

async fn answer(asked: Asked, engine: Arc<Engine>, clock: Clock) {
    let Asked { shard, slot, reader, what } = asked;
    let command = match what {
        What::Start(replay) => {
            let step = connect::start(&*engine.store, &engine.ids, &reader, replay, clock.now()).await;
            Command::Stepped(slot, step)
        }
        What::More(from) => Command::Stepped(slot, connect::more(&*engine.store, &reader, from).await),
        What::MarkRead(id) => {
            let marked = match mark_read(&engine, &reader.workspace, &reader.user, id, clock.now()).await {
                Ok(_) => Some(true),
                Err(EngineError::Store(StoreError::NotFound)) => Some(false),
                Err(error) => {
                    tracing::warn!(workspace = %reader.workspace, %error, "an entry can't be marked as read");
                    None
                }
            };
            Command::Marked(slot, id, marked)
        }
    };
    // A shard that is gone has closed the connection too.
    let _gone = shard.tell(command).await;
}
