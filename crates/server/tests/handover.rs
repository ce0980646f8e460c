//! The hand-over from the log to live delivery, with a pause before and after every read it makes.
//!
//! In every pause something is published. Whatever the pauses, the connection gets each entry that its user
//! sees exactly once and in order.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use campanile_model::{Entry, NotificationId, Rev, Seq, Slug, Timestamp, Topic, UserId};
use campanile_store::*;
use campanile_testkit::{Client, Options, TestServer};
use serde_json::json;
use tokio::sync::{Mutex, broadcast, mpsc, oneshot};

/// A pause: what is read, and what lets it go on.
pub type Pause = (&'static str, oneshot::Sender<()>);

/// Where somebody listens for pauses, if anybody does.
pub type Pauses = OnceLock<Mutex<Option<mpsc::Sender<Pause>>>>;

/// A store whose reads for connections stop before and after, and whose marks and, where asked for, writes before, while
/// somebody listens, and that writes not everywhere.
pub struct Pausing {
    pub inner: Arc<dyn Store>,
    pub pauses: &'static Pauses,
    pub writes: fn(&Slug) -> bool,
    /// Writes stop too, before.
    pub before_writes: bool,
}

static PAUSES: Pauses = OnceLock::new();

impl Pausing {
    async fn pause(&self, at: &'static str) {
        let listening = self.pauses.get_or_init(Mutex::default).lock().await.clone();
        if let Some(pauses) = listening {
            let (go_on, wait) = oneshot::channel();
            if pauses.send((at, go_on)).await.is_ok() {
                let _released = wait.await;
            }
        }
    }
}

#[async_trait]
impl Store for Pausing {
    async fn append(&self, workspace: &Slug, write: Write, now: Timestamp) -> Result<Appended, StoreError> {
        if self.before_writes {
            self.pause("before append").await;
        }
        if (self.writes)(workspace) {
            self.inner.append(workspace, write, now).await
        } else {
            Err(StoreError::Unavailable { reason: "so the test wants it".to_owned() })
        }
    }
    async fn kept(
        &self,
        workspace: &Slug,
        request: &Idempotency,
        now: Timestamp,
    ) -> Result<Option<Appended>, StoreError> {
        self.inner.kept(workspace, request, now).await
    }
    async fn snapshot(&self, workspace: &Slug, user: &UserId) -> Result<Snapshot, StoreError> {
        self.pause("before snapshot").await;
        let answer = self.inner.snapshot(workspace, user).await;
        self.pause("after snapshot").await;
        answer
    }
    async fn entries(
        &self,
        w: &Slug,
        after: Seq,
        up_to: Seq,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.inner.entries(w, after, up_to, limit).await
    }
    async fn changes(
        &self,
        w: &Slug,
        user: &UserId,
        after: Seq,
        up_to: Seq,
        limit: usize,
    ) -> Result<Vec<VisibleChange>, StoreError> {
        self.inner.changes(w, user, after, up_to, limit).await
    }
    async fn visible(&self, w: &Slug, user: &UserId, query: VisibleQuery) -> Result<Vec<Item>, StoreError> {
        self.pause("before visible").await;
        let answer = self.inner.visible(w, user, query).await;
        self.pause("after visible").await;
        answer
    }
    async fn find(&self, w: &Slug, user: Option<&UserId>, id: NotificationId) -> Result<Item, StoreError> {
        self.inner.find(w, user, id).await
    }
    async fn mark(
        &self,
        w: &Slug,
        user: &UserId,
        mark: Mark,
        key: Option<&MarkKey>,
        now: Timestamp,
    ) -> Result<Marked, StoreError> {
        self.pause("before mark").await;
        if (self.writes)(w) {
            self.inner.mark(w, user, mark, key, now).await
        } else {
            Err(StoreError::Unavailable { reason: "so the test wants it".to_owned() })
        }
    }
    async fn receipts(
        &self,
        w: &Slug,
        user: &UserId,
        after: Rev,
        limit: usize,
    ) -> Result<ReadState, StoreError> {
        self.inner.receipts(w, user, after, limit).await
    }
    async fn subscribers(
        &self,
        workspace: &Slug,
        topic: &Topic,
        after: Option<&UserId>,
        limit: usize,
    ) -> Result<Vec<UserId>, StoreError> {
        self.inner.subscribers(workspace, topic, after, limit).await
    }
    async fn prune(
        &self,
        w: &Slug,
        keep: Retention,
        limit: usize,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        self.inner.prune(w, keep, limit, now).await
    }
    async fn heads(&self) -> Result<Vec<Head>, StoreError> {
        self.inner.heads().await
    }
    fn commits(&self) -> broadcast::Receiver<Arc<Commit>> {
        self.inner.commits()
    }
    fn health(&self) -> Result<(), StoreError> {
        self.inner.health()
    }
    async fn close(&self) {
        self.inner.close().await;
    }
    async fn expire(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.inner.expire(now, limit).await
    }
}

#[async_trait]
impl Documents for Pausing {
    async fn documents(
        &self,
        workspace: &Slug,
        kind: DocumentKind,
        ids: &[Arc<str>],
    ) -> Result<Vec<Option<Document>>, StoreError> {
        self.inner.documents(workspace, kind, ids).await
    }
    async fn list_documents(
        &self,
        workspace: &Slug,
        query: DocumentQuery,
    ) -> Result<Vec<Document>, StoreError> {
        self.inner.list_documents(workspace, query).await
    }
    async fn due(
        &self,
        kind: DocumentKind,
        up_to: Timestamp,
        after: Option<DuePlace>,
        limit: usize,
    ) -> Result<Vec<(Slug, Document)>, StoreError> {
        self.inner.due(kind, up_to, after, limit).await
    }
    async fn purge(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.inner.purge(now, limit).await
    }
}

/// What is published in a pause; returns what alice sees of it. `witness` is on the same shard.
async fn disturb(server: &TestServer, witness: &mut Client, workspace: &str, nth: usize) -> Vec<String> {
    let publish = async |to: serde_json::Value, message: String| {
        server.publish(workspace, json!({"to": to, "title": "T", "message": message})).await;
    };
    let topic = |on: bool| (format!("/v1/workspaces/{workspace}/topics/news/subscribers"), on);
    publish(json!({"user": "alice"}), format!("{nth} named")).await;
    publish(json!({"user": "bob"}), format!("{nth} not hers")).await;
    let (path, _) = topic(true);
    let subscribed = server.post(&path, &server.publisher(), r#"{"users":["alice"]}"#).await;
    assert!(subscribed.status < 300, "{subscribed:?}");
    publish(json!({"topic": "news"}), format!("{nth} topic")).await;
    let headers = format!("Bearer {}", server.publisher());
    let headers = [("Authorization", headers.as_str()), ("Content-Type", "application/json")];
    let ended =
        campanile_testkit::request(server.address, "DELETE", &path, &headers, br#"{"users":["alice"]}"#)
            .await;
    assert!(ended.status < 300, "{ended:?}");
    publish(json!({"topic": "news"}), format!("{nth} not subscribed")).await;
    publish(json!({"workspace": true}), format!("{nth} everyone")).await;
    // Once the witness has the last of them, the shard has had them all.
    while witness.json().await["message"] != format!("{nth} everyone") {}
    vec![format!("{nth} named"), format!("{nth} topic"), format!("{nth} everyone")]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_entry_arrives_once_whatever_happens_between_the_steps() {
    let wrap = |inner| -> Arc<dyn Store> {
        Arc::new(Pausing { inner, pauses: &PAUSES, writes: |_| true, before_writes: false })
    };
    for way in ["live only", "unread", "since", "product"] {
        // A hand-over under steady publishing ends after one start and four rounds, each read with a pause
        // before and after its snapshot and its page: from then on it holds live entries and reads no more.
        let all = if way == "live only" { 2 + 4 * 4 } else { 4 + 4 * 4 };
        for pauses_used in [1, 3, 6, 12, all] {
            let config = "[server]\nshards = 1\n".to_owned();
            let options = Options { config, memory: true, wrap: Some(wrap), ..Options::default() };
            let server = TestServer::with(options).await;
            let workspace = if way == "product" { "default" } else { "acme" };
            let mut witness = match way {
                "product" => server.product("witness").await,
                _ => server.workspace("witness").await,
            };
            let first = server.notify(workspace, "alice", "first").await;
            let mut expected = vec![];
            let mut before = disturb(&server, &mut witness, workspace, 0).await;
            match way {
                "unread" | "product" => {
                    expected.push("first".to_owned());
                    expected.append(&mut before);
                }
                "since" => expected.append(&mut before),
                _ => {}
            }
            let (pauses, mut paused) = mpsc::channel(1);
            *PAUSES.get_or_init(Mutex::default).lock().await = Some(pauses);
            let path = match way {
                "unread" => server.workspace_path("alice") + "&replay=unread",
                "since" => server.workspace_path("alice") + "&since=" + &first,
                "product" => server.product_path("alice"),
                _ => server.workspace_path("alice"),
            };
            // Its handshake is answered once the first snapshot was read.
            let address = server.address;
            let connecting = tokio::spawn(async move { Client::connect(address, &path).await });
            for nth in 1..=pauses_used {
                let next = tokio::time::timeout(campanile_testkit::WAIT, paused.recv());
                let (_, go_on) = next.await.expect("a pause in time").expect("a pause");
                expected.extend(disturb(&server, &mut witness, workspace, nth).await);
                let _released = go_on.send(());
            }
            *PAUSES.get_or_init(Mutex::default).lock().await = None;
            drop(paused);
            let mut alice = connecting.await.expect("a connection");
            if way == "product" {
                assert_eq!(alice.json().await["type"], "CONNECTION_ESTABLISHED");
            }
            server.notify(workspace, "alice", "last").await;
            expected.push("last".to_owned());
            let mut got = vec![];
            while got.last().map(String::as_str) != Some("last") {
                got.push(alice.json().await["message"].as_str().unwrap().to_owned());
            }
            if way == "live only" {
                // What came before its snapshot, and so before its 101, is not delivered late: the first pause.
                let from = 3;
                assert_eq!(got, expected[from..], "{way}, {pauses_used} pauses");
            } else {
                assert_eq!(got, expected, "{way}, {pauses_used} pauses");
            }
        }
    }
}
