//! How many durable publishes a second the embedded store takes.
//!
//! `cargo run --release -p campanile-store --example append_rate -- [PUBLISHERS] [SECONDS] [AUDIENCE] [DIR]`
//! with AUDIENCE `workspace` (default), `user` or `topic`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use campanile_model::{Audience, Level, Notification, NotificationId, Slug, Timestamp, Topic, UserId};
use campanile_store::{Config, Epochs, SqliteStore, Store, Write};
use uuid::Uuid;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let arg = |n: usize, default: &str| args.get(n).cloned().unwrap_or_else(|| default.into());
    let publishers: u64 = arg(0, "64").parse()?;
    let seconds: u64 = arg(1, "5").parse()?;
    let audience = arg(2, "workspace");
    let scratch = tempfile::tempdir()?;
    let dir = args.get(3).map_or_else(|| scratch.path().to_path_buf(), Into::into);

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let opening = Instant::now();
    let store = Arc::new(SqliteStore::open(Config::new(dir, Epochs::seeded(1)))?);
    let opened = opening.elapsed();
    let until = Instant::now() + Duration::from_secs(seconds);
    let tasks: Vec<_> = (0..publishers)
        .map(|p| runtime.spawn(publish(Arc::clone(&store), p, audience.clone(), until)))
        .collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(runtime.block_on(task)??);
    }
    latencies.sort_unstable();
    let at = |share: f64| {
        let last = latencies.len().saturating_sub(1);
        latencies.get((last as f64 * share) as usize).copied().unwrap_or_default()
    };
    let report = format!(
        "opened in {opened:?}; {publishers} publishers to {audience}: {:.0} appends/s, p50 {:?}, p99 {:?}, max {:?}\n",
        latencies.len() as f64 / seconds.max(1) as f64,
        at(0.5),
        at(0.99),
        at(1.0)
    );
    std::io::Write::write_all(&mut std::io::stdout(), report.as_bytes())?;
    runtime.block_on(store.close());
    Ok(())
}

/// Publishes one after the other, each 300 bytes or so; says how long each took.
async fn publish(
    store: Arc<SqliteStore>,
    publisher: u64,
    audience: String,
    until: Instant,
) -> Result<Vec<Duration>, campanile_store::StoreError> {
    let workspace = Slug::new("bench").map_err(internal)?;
    let topic = Topic::new(&format!("topic-{}", publisher % 50)).map_err(internal)?;
    let mut latencies = Vec::new();
    for n in 0_u64.. {
        let user =
            UserId::new(&format!("user-{}", (publisher * 7919 + n * 31) % 20_000)).map_err(internal)?;
        let notification = Notification {
            // Time-ordered like the ids a server draws, without a clock.
            id: NotificationId(Uuid::from_u64_pair(n << 16 | 0x7000, 1 << 63 | publisher)),
            audience: match audience.as_str() {
                "user" => Audience::Users(vec![user]),
                "topic" => Audience::Topic(topic.clone()),
                _ => Audience::Workspace,
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
        };
        let began = Instant::now();
        if began >= until {
            break;
        }
        let write = Write::Publish { notifications: vec![Arc::new(notification)], idempotency: None };
        store.append(&workspace, write, Timestamp::from_millis(0)).await?;
        latencies.push(began.elapsed());
    }
    Ok(latencies)
}

fn internal(error: impl ToString) -> campanile_store::StoreError {
    campanile_store::StoreError::Internal(error.to_string())
}
