//! The end: what is kept or erased by then, and how long whoever asked for it waits.

use std::io;
use std::pin::pin;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::identity::Identity;
use super::pages::Pages;
use super::{Driver, Told};
use crate::actions::Queue;
use crate::environment::pause_until;
use crate::error::Error;
use crate::store::Position;
use crate::token::TokenSource;

/// How long whoever closes or leaves a client waits for its storage.
const PATIENCE_MS: u64 = 5_000;

type Reply<T> = oneshot::Sender<Result<T, Error>>;

impl Driver {
    /// Ends, and erases what is kept of this user.
    pub(super) async fn close(mut self, reply: Reply<()>) {
        let said = self.tokens.as_ref().and_then(TokenSource::user);
        let user = self.keeper.user.take().or(self.identity.whose(said.as_deref()));
        self.disconnect();
        self.pages = Pages::default();
        (self.resume, self.queue) = (None, Queue::default());
        self.store = self.fresh_store();
        self.told.turn.send_modify(|turn| turn.number += 1);
        self.identity = Identity::default();
        self.end(reply, async |driver| driver.erase(user.as_deref()).await).await;
    }

    /// Ends, and keeps what is kept.
    pub(super) async fn leave(mut self, reply: Reply<Option<Position>>) {
        self.disconnect();
        self.pages = Pages::default();
        self.end(reply, async |driver| {
            driver.finish_loading().await;
            if let Some(kind) = driver.keeper.unread {
                let _ = driver.finish_saving().await;
                return Err(Error::StorageFailed(kind.into()));
            }
            driver.keep_now();
            let position = driver.store.reached().filter(|_| driver.is_native());
            driver.finish_saving().await.map(|()| position)
        })
        .await;
    }

    /// Answers with what comes of the last that is to be done, or that it takes too long. It is done all the same, and
    /// nobody waits for that.
    async fn end<T>(mut self, reply: Reply<T>, last: impl AsyncFnOnce(&mut Self) -> Result<T, Error>) {
        self.machine.close();
        self.dirty = true;
        self.show();
        let told = std::mem::replace(&mut self.told, Told::nobody());
        let clock = Arc::clone(&self.config.environment.clock);
        let until = clock.now().saturating_add(PATIENCE_MS);
        let done = {
            let mut last = pin!(last(&mut self));
            tokio::select! {
                biased;
                done = &mut last => done,
                () = pause_until(&*clock, until) => {
                    drop(told);
                    let _ = reply.send(Err(Error::StorageFailed(io::ErrorKind::TimedOut.into())));
                    let _ = last.await;
                    return;
                }
            }
        };
        self.told = told;
        self.show();
        let _ = reply.send(done);
    }
}
