//! A scripted server, a clock that a test steps, and clients of both.

use std::sync::Arc;
use std::time::Duration;

use campanile_client::{Campanile, CampanileBuilder, Clock, Environment, Storage};
use serde_json::{Value, json};

use crate::clock::SteppedClock;
use crate::scripted::{Dial, Request, Scripted};
use crate::token;

pub(crate) struct Bench {
    pub(crate) server: Scripted,
    pub(crate) clock: SteppedClock,
    pub(crate) storage: Arc<dyn Storage>,
}

impl Bench {
    pub(crate) async fn new(storage: impl Storage) -> Self {
        Self { server: Scripted::start().await, clock: SteppedClock::new(), storage: Arc::new(storage) }
    }

    /// Options without a token and a workspace.
    pub(crate) fn builder(&self) -> CampanileBuilder {
        let environment = Environment { clock: Arc::new(self.clock.clone()), random: Arc::new(|| 0.5) };
        Campanile::builder(self.server.url())
            .shared_storage(Arc::clone(&self.storage))
            .environment(environment)
    }

    pub(crate) fn token(&self, user: &str) -> String {
        token::unsigned(user, self.clock.now() + 3_600_000, 1)
    }

    pub(crate) fn client(&self, user: &str) -> Campanile {
        self.builder().workspace("demo").token(self.token(user)).connect().unwrap().0
    }

    pub(crate) async fn dial(&mut self) -> Dial {
        tokio::time::timeout(Duration::from_secs(30), self.server.dials.recv())
            .await
            .expect("no dial")
            .unwrap()
    }

    pub(crate) async fn request(&mut self) -> Request {
        tokio::time::timeout(Duration::from_secs(30), self.server.requests.recv())
            .await
            .expect("no request")
            .unwrap()
    }

    /// Greets a client without a position, and gives it one entry.
    pub(crate) async fn greet(&mut self, user: &str) -> Dial {
        let dial = self.dial().await;
        assert_eq!(dial.query.get("since"), None);
        assert!(dial.send(hello(user, false).to_string()).await);
        let item = json!({"seq": 7, "id": format!("{user}-7"), "title": "T", "message": "", "type": "info"});
        self.request().await.answer(200, vec![], page(&[item], None));
        dial
    }
}

/// A page of the inbox as of the entry at 7.
pub(crate) fn page(items: &[Value], older: Option<u64>) -> Value {
    json!({"items": items, "older": older, "newer": 7, "unread": 1, "unseen": 1, "head": 7, "epoch": "e", "rev": 3})
}

/// The greeting of a client that has, or is about to have, the entry at 7.
pub(crate) fn hello(user: &str, resumed: bool) -> Value {
    json!({"type": "hello", "user": user, "workspace": "demo", "epoch": "e", "seq": 7, "head": 7, "rev": 3,
           "unread": 1, "unseen": 1, "readUpTo": 0, "seenUpTo": 0, "resumed": resumed, "heartbeatMs": 25000})
}

/// How many texts are kept in a directory.
pub(crate) fn files(directory: &tempfile::TempDir) -> usize {
    std::fs::read_dir(directory.path()).unwrap().count()
}
