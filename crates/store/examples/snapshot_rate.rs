//! How many connects a second the embedded store can start, quiet and while it takes publishes.
//!
//! `cargo run --release -p campanile-store --example snapshot_rate -- [CONNECTORS] [SECONDS] [TOPICS]`

use std::sync::Arc;
use std::time::{Duration, Instant};

use campanile_model::{Audience, Level, Notification, NotificationId, Slug, Timestamp, Topic, UserId};
use campanile_store::{Config, Epochs, SqliteStore, Store, StoreError, Write};
use uuid::Uuid;

const USERS: u64 = 5_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let arg = |n: usize, default: u64| args.get(n).map_or(Ok(default), |text| text.parse());
    let (connectors, seconds, topics) = (arg(0, 32)?, arg(1, 3)?, arg(2, 3)?);
    let dir = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let store = Arc::new(SqliteStore::open(Config::new(dir.path(), Epochs::seeded(1)))?);
    runtime.block_on(fill(&store, topics))?;
    for publishers in [0, 1, 16] {
        let until = Instant::now() + Duration::from_secs(seconds);
        let load: Vec<_> =
            (0..publishers).map(|p| runtime.spawn(publish(Arc::clone(&store), p, until))).collect();
        let tasks: Vec<_> =
            (0..connectors).map(|c| runtime.spawn(connect(Arc::clone(&store), c, until))).collect();
        let (mut latencies, mut published) = (Vec::new(), 0);
        for task in tasks {
            latencies.extend(runtime.block_on(task)??);
        }
        for task in load {
            published += runtime.block_on(task)??;
        }
        latencies.sort_unstable();
        let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
        let report = format!(
            "{:.0} snapshots/s, p50 {:?}, p99 {:?}; {topics} topics; beside {:.0} appends/s\n",
            latencies.len() as f64 / seconds as f64,
            at(0.5),
            at(0.99),
            published as f64 / seconds as f64,
        );
        std::io::Write::write_all(&mut std::io::stdout(), report.as_bytes())?;
    }
    runtime.block_on(store.close());
    Ok(())
}

async fn fill(store: &SqliteStore, topics: u64) -> Result<(), StoreError> {
    let users = (0..USERS).map(user).collect::<Result<Vec<_>, _>>()?;
    for t in 0..topics {
        for users in users.chunks(1000) {
            let write = Write::Subscribe { topic: topic(t)?, users: users.to_vec() };
            store.append(&workspace()?, write, Timestamp::from_millis(0)).await?;
        }
    }
    for n in 0..20 {
        let notifications =
            (0..1000).map(|m| notification(n * 1000 + m, topics.max(1))).collect::<Result<_, _>>()?;
        let write = Write::Publish { notifications, idempotency: None };
        store.append(&workspace()?, write, Timestamp::from_millis(0)).await?;
    }
    Ok(())
}

async fn connect(
    store: Arc<SqliteStore>,
    connector: u64,
    until: Instant,
) -> Result<Vec<Duration>, StoreError> {
    let mut latencies = Vec::new();
    for n in 0.. {
        let user = user((connector * 7919 + n * 31) % USERS)?;
        let began = Instant::now();
        if began >= until {
            break;
        }
        store.snapshot(&workspace()?, &user).await?;
        latencies.push(began.elapsed());
    }
    Ok(latencies)
}

async fn publish(store: Arc<SqliteStore>, publisher: u64, until: Instant) -> Result<u64, StoreError> {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1_000_000);
    for done in 0.. {
        if Instant::now() >= until {
            return Ok(done);
        }
        let n = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let notifications = vec![notification(n, 1 + publisher % 3)?];
        let write = Write::Publish { notifications, idempotency: None };
        store.append(&workspace()?, write, Timestamp::from_millis(0)).await?;
    }
    Ok(0)
}

/// To the workspace, a topic and one user in turn.
fn notification(n: u64, topics: u64) -> Result<Arc<Notification>, StoreError> {
    Ok(Arc::new(Notification {
        id: NotificationId(Uuid::from_u64_pair(n << 16 | 0x7000, 1 << 63)),
        audience: match n % 3 {
            0 => Audience::Workspace,
            1 => Audience::Topic(topic(n / 3 % topics)?),
            _ => Audience::Users(vec![user(n / 3 % USERS)?]),
        },
        except: Vec::new(),
        title: "A record was created".into(),
        message: "x".repeat(120),
        kind: "record_created".into(),
        level: Level::Info,
        timestamp: Timestamp::from_millis(1_767_225_600_000 + n as i64),
        metadata: None,
        event: None,
        product_name: None,
        expiry_date: None,
        expires_at: None,
        collapse_key: None,
        updated_at: None,
    }))
}

fn workspace() -> Result<Slug, StoreError> {
    Slug::new("bench").map_err(internal)
}

fn user(n: u64) -> Result<UserId, StoreError> {
    UserId::new(&format!("user-{n}")).map_err(internal)
}

fn topic(n: u64) -> Result<Topic, StoreError> {
    Topic::new(&format!("topic-{n}")).map_err(internal)
}

fn internal(error: impl ToString) -> StoreError {
    StoreError::Internal(error.to_string())
}
