//! The HTTP API over a store in memory, with a clock that stands and sockets that only remember.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use campanile_auth::{Algorithm, Config as AuthConfig, Grant, KeyConfig, KeySet, Verifier, Workspaces, sign};
use campanile_engine::revocation::Revocation;
use campanile_engine::run::Runner;
use campanile_engine::{Config, Engine, EngineError, Live, Mode, Revocations, WorkspaceConfig};
use campanile_functions::{Pool, PoolConfig};
use campanile_model::{Notification, NotificationId, Slug, Timestamp, UserId};
use campanile_server::auth_failures::AuthFailures;
use campanile_server::clock::{Clock, Stepped};
use campanile_server::config::Tokens;
use campanile_server::http::Api;
use campanile_server::key_sources::KeySources;
use campanile_server::origin::Origins;
use campanile_server::routes::router;
use campanile_server::signing_keys::SigningKeys;
use campanile_store::{Epochs, MemoryStore};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

/// The workspace most tests play in.
pub const W: &str = "acme";
/// One in realtime mode.
pub const REALTIME: &str = "live";
/// 2026-01-01T00:00:00.123Z.
const NOW_MS: i64 = 1_767_225_600_123;

pub struct TestApi {
    pub engine: Arc<Engine>,
    pub clock: Arc<Stepped>,
    pub ready: Arc<AtomicBool>,
    pub sockets: Arc<Sockets>,
    router: Router,
    key: KeyConfig,
}

impl TestApi {
    pub fn new() -> Self {
        let key = KeyConfig {
            id: None,
            algorithm: Algorithm::HS256,
            secret: Some("a secret of at least 32 bytes for tests".into()),
            pem: None,
        };
        let auth = AuthConfig { keys: vec![key.clone()], ..AuthConfig::default() };
        let named = BTreeMap::from([
            (slug("default"), WorkspaceConfig::default()),
            (slug(REALTIME), WorkspaceConfig { mode: Mode::Realtime, ..WorkspaceConfig::default() }),
        ]);
        let sockets = Arc::new(Sockets::default());
        // No test of these runs a function: those have the real server.
        let pool = Pool::new(PoolConfig::new("no-program")).unwrap();
        let runner = Runner::new(pool, 1, Arc::new(|| Timestamp::from_millis(NOW_MS)));
        let engine = Arc::new(Engine {
            store: Arc::new(MemoryStore::new(Epochs::seeded(1))),
            live: Arc::clone(&sockets) as Arc<dyn Live>,
            workspaces: campanile_engine::Workspaces::new(Config { named, ..Config::default() }, []),
            ids: counted_ids(),
            books: Default::default(),
            rota: Default::default(),
            runner: Arc::new(runner),
            judged: Default::default(),
            counts: Default::default(),
            drains: Default::default(),
            revocations: Revocations::new(slug("default"), None),
            realtime_keys: Default::default(),
        });
        let clock = Stepped::at(Timestamp::from_millis(NOW_MS));
        let ready = Arc::new(AtomicBool::new(true));
        let verifier = Arc::new(Verifier::new(KeySet::new(&auth).unwrap(), &auth));
        let running_clock = Clock::stepped(Arc::clone(&clock));
        let data = tempfile::tempdir().unwrap();
        let now = Timestamp::from_millis(NOW_MS);
        let keys = SigningKeys::open(data.path(), Tokens::default(), Arc::clone(&verifier), now).unwrap();
        let api = Api {
            engine: Arc::clone(&engine),
            sources: Arc::new(KeySources::none(Arc::clone(&verifier), running_clock.clone())),
            verifier,
            clock: running_clock,
            product_workspace: slug("default"),
            ready: Arc::clone(&ready),
            origins: Arc::new(Origins::new(&[], true, false).unwrap()),
            keys: Arc::new(keys),
            tickets: Default::default(),
            issuing: Default::default(),
            guesses: Default::default(),
            failures: Arc::new(AuthFailures::new(100)),
            background: tokio::runtime::Handle::current(),
        };
        Self { engine, clock, ready, sockets, router: router(Arc::new(api)), key }
    }

    /// A token of `user` for the workspaces (`"*"` among them: all) and scopes, both divided by spaces. No
    /// workspaces at all: the token does not say.
    pub fn token(&self, user: &str, workspaces: &str, scopes: &str) -> String {
        let named = workspaces.split(' ').filter(|w| !w.is_empty() && *w != "*").collect();
        let grant = Grant {
            workspaces: match workspaces {
                "" => Workspaces::Unstated,
                "*" => Workspaces::All { named },
                _ => Workspaces::Named(named),
            },
            scopes: [scopes].into_iter().collect(),
            ..Grant::new(UserId::new(user).unwrap(), 3600)
        };
        let claims = AuthConfig::default().claims;
        sign(&self.key, &claims, &grant, Timestamp::from_millis(NOW_MS)).unwrap()
    }

    /// A token that may publish to every workspace of the tests.
    pub fn producer(&self) -> String {
        self.token("producer", &format!("{W} {REALTIME} default other"), "notifications:write")
    }

    /// A token of `user` for [`W`], without scopes.
    pub fn user(&self, user: &str) -> String {
        self.token(user, W, "")
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8(body.to_vec()).unwrap();
        let answer = Answer { status, headers, text };
        answer.keeps_what_every_answer_promises();
        answer
    }

    pub async fn get(&self, path: &str, token: &str) -> Answer {
        self.send(request("GET", path, token).body(Body::empty()).unwrap()).await
    }

    pub async fn post(&self, path: &str, token: &str) -> Answer {
        self.send(request("POST", path, token).body(Body::empty()).unwrap()).await
    }

    pub async fn post_json(&self, path: &str, token: &str, body: &str) -> Answer {
        self.json("POST", path, token, body).await
    }

    pub async fn json(&self, method: &str, path: &str, token: &str, body: &str) -> Answer {
        let request = request(method, path, token).header("content-type", "application/json");
        self.send(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    /// Publishes one notification to `to` in `workspace` and answers its id and place.
    pub async fn publish(&self, workspace: &str, to: Value, title: &str) -> (String, u64) {
        let body = serde_json::json!({"to": to, "title": title, "message": "M"}).to_string();
        let path = format!("/v1/workspaces/{workspace}/notifications");
        let answer = self.post_json(&path, &self.producer(), &body).await.expect(201).json();
        (answer["id"].as_str().unwrap().to_owned(), answer["seq"].as_u64().unwrap())
    }
}

pub fn slug(text: &str) -> Slug {
    Slug::new(text).unwrap()
}

pub fn request(method: &str, path: &str, token: &str) -> axum::http::request::Builder {
    let request = Request::builder().method(method).uri(path);
    if token.is_empty() { request } else { request.header("authorization", format!("Bearer {token}")) }
}

/// Ids in the order they are asked for.
fn counted_ids() -> campanile_engine::IdSource {
    let count = AtomicU64::new(0);
    Arc::new(move |now| {
        let n = count.fetch_add(1, Ordering::Relaxed);
        let millis = u64::try_from(now.as_millis()).unwrap();
        let id = format!("{:08x}-{:04x}-7000-8000-{n:012x}", millis >> 16, millis & 0xffff);
        NotificationId::parse(&id).unwrap()
    })
}

/// What was handed to the sockets without being stored.
#[derive(Default)]
pub struct Sockets {
    pub told: Mutex<Vec<(Slug, Arc<Notification>)>>,
    /// Notifications after which there is no more room; 0: there is always room.
    pub room: AtomicU64,
}

impl Live for Sockets {
    fn emit(&self, workspace: &Slug, notifications: &[Arc<Notification>]) -> Result<(), EngineError> {
        let mut told = self.told.lock().unwrap();
        let room = self.room.load(Ordering::Relaxed);
        if room > 0 && (told.len() + notifications.len()) as u64 > room {
            return Err(EngineError::Overloaded);
        }
        told.extend(notifications.iter().map(|notification| (workspace.clone(), Arc::clone(notification))));
        Ok(())
    }

    fn revoke(&self, _: &mut dyn Iterator<Item = &Revocation>) {}
}

#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        self
    }

    /// Holds the answer against the registry's promise and returns the problem.
    #[track_caller]
    pub fn problem(self, status: u16, code: &str) -> Value {
        let answer = self.expect(status);
        assert_eq!(answer.header("content-type"), "application/problem+json");
        let problem = answer.json();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["type"], format!("/docs/problems.md#{code}"));
        assert!(problem["title"].is_string() && problem["detail"].is_string(), "{problem}");
        problem
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[track_caller]
    fn keeps_what_every_answer_promises(&self) {
        assert_eq!(self.header("cache-control"), "no-store", "{self:?}");
        match self.status.as_u16() {
            401 => assert!(self.header("www-authenticate").starts_with("Bearer"), "{self:?}"),
            405 => assert_ne!(self.header("allow"), "", "{self:?}"),
            429 | 503 => assert!(self.header("retry-after").parse::<u32>().is_ok(), "{self:?}"),
            _ => {}
        }
    }
}
