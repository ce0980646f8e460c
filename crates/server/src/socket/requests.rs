//! The way from a shard to the engine and back.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use campanile_engine::connect::{self, Reader};
use campanile_engine::{Engine, EngineError, mark};
use campanile_hub::Slot;
use campanile_model::{Mark, Rev, Seq};
use campanile_session::Cursor;
use campanile_store::{MarkKey, StoreError};
use campanile_wire::{Marking, NotRefreshed, Replay, Secret};
use futures_util::FutureExt as _;
use tokio::sync::mpsc;

use super::handshake::Handshakes;
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
    /// The client changes its read state; a place that it leaves open is this one, if there is one.
    Mark(Box<Marking>, Option<Seq>),
    /// The counts, and what was done after a revision.
    Look(Rev),
    /// Another token for the connection.
    Refresh(Secret, Option<String>),
}

/// What became of a mark.
pub enum Outcome {
    /// It is done, durably.
    Done(campanile_store::Marked),
    /// The user has no such entry.
    NotFound,
    /// Its key was another mark's.
    KeyReused,
    /// The store could not say.
    Unknown,
}

/// Answers requests, each in a task of its own: they are bounded by what each connection may have in flight.
pub async fn answer_requests(
    mut asked: mpsc::Receiver<Asked>,
    engine: Arc<Engine>,
    handshakes: Arc<Handshakes>,
    clock: Clock,
) {
    while let Some(request) = asked.recv().await {
        tokio::spawn(answer(request, Arc::clone(&engine), Arc::clone(&handshakes), clock.clone()));
    }
}

/// A panic on the way is an answer too: the connection must not wait for ever.
async fn answer(asked: Asked, engine: Arc<Engine>, handshakes: Arc<Handshakes>, clock: Clock) {
    let Asked { shard, slot, reader, what } = asked;
    let failed = || StoreError::Internal("a request of a connection panicked".into());
    let command = match what {
        What::Start(replay) => {
            let step = connect::start(&*engine.store, &engine.ids, &reader, replay, clock.now());
            Command::Stepped(slot, caught(step).await.unwrap_or_else(|| Err(failed())))
        }
        What::More(from) => {
            let step = connect::more(&*engine.store, &reader, from);
            Command::Stepped(slot, caught(step).await.unwrap_or_else(|| Err(failed())))
        }
        What::Mark(marking, horizon) => {
            let Marking { mark, key, asked } = *marking;
            let marked = caught(do_mark(&engine, &reader, mark, key, horizon, &clock)).await;
            Command::Marked(slot, asked, marked.unwrap_or(Outcome::Unknown))
        }
        What::Look(after) => {
            let looked = mark::read_state(&*engine.store, &reader.workspace, &reader.user, after);
            Command::Looked(slot, caught(looked).await.unwrap_or_else(|| Err(failed())))
        }
        What::Refresh(token, reference) => {
            let judged = caught(handshakes.refresh(&reader, &token)).await;
            Command::Refreshed(slot, reference, judged.unwrap_or(Err(NotRefreshed::Invalid)))
        }
    };
    // A shard that is gone has closed the connection too.
    let _gone = shard.tell(command).await;
}

async fn caught<T>(work: impl Future<Output = T>) -> Option<T> {
    AssertUnwindSafe(work).catch_unwind().await.ok()
}

async fn do_mark(
    engine: &Engine,
    reader: &Reader,
    said: Mark,
    key: Option<String>,
    horizon: Option<Seq>,
    clock: &Clock,
) -> Outcome {
    let Reader { workspace, user, .. } = reader;
    let mark = match &said {
        Mark::ReadAll(place) => Mark::ReadAll(place.or(horizon)),
        Mark::Seen(place) => Mark::Seen(place.or(horizon)),
        one => one.clone(),
    };
    let key = key.map(|key| MarkKey { key, said });
    match mark::mark(engine, workspace, user, mark, key, clock.now()).await {
        Ok(marked) => Outcome::Done(marked),
        Err(EngineError::Store(StoreError::NotFound)) => Outcome::NotFound,
        Err(EngineError::Store(StoreError::KeyReused)) => Outcome::KeyReused,
        Err(error) => {
            tracing::warn!(%workspace, %error, "a read state can't be changed");
            Outcome::Unknown
        }
    }
}
