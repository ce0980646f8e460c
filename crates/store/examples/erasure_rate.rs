//! How many notifications a second are published, retracted, and removed by retention.
//!
//! `cargo run --release -p campanile-store --example erasure_rate -- [NOTIFICATIONS] [BYTES]`

use std::sync::Arc;
use std::time::Instant;

use campanile_model::{Audience, Level, Notification, NotificationId, Slug, Timestamp};
use campanile_store::{Config, Epochs, Retention, SqliteStore, Store, StoreError, Write};
use futures_util::future::try_join_all;
use uuid::Uuid;

const BATCH: u64 = 100;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let count: u64 = args.first().map_or(Ok(20_000), |text| text.parse())?;
    let bytes: usize = args.get(1).map_or(Ok(300), |text| text.parse())?;
    let dir = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(measure(
        SqliteStore::open(Config::new(dir.path(), Epochs::seeded(1)))?,
        count,
        bytes,
    ))?;
    std::io::Write::write_all(&mut std::io::stdout(), report.as_bytes())?;
    Ok(())
}

/// Half of what is published is retracted, then everything is removed.
async fn measure(store: SqliteStore, count: u64, bytes: usize) -> Result<String, StoreError> {
    let now = now();
    let workspace = Slug::new("bench").map_err(|e| StoreError::Internal(e.to_string()))?;
    let rate = |count: u64, began: Instant| count as f64 / began.elapsed().as_secs_f64();

    let began = Instant::now();
    for first in (0..count).step_by(BATCH as usize) {
        let notifications = (first..first + BATCH).map(|n| Arc::new(notification(n, bytes))).collect();
        store.append(&workspace, Write::Publish { notifications, idempotency: None }, now).await?;
    }
    let published = rate(count, began);

    let began = Instant::now();
    for first in (0..count).step_by(2 * BATCH as usize) {
        let retract = |n| store.append(&workspace, Write::Retract { id: notification(n, 0).id }, now);
        try_join_all((first..first + 2 * BATCH).step_by(2).map(retract)).await?;
    }
    let retracted = rate(count / 2, began);

    let began = Instant::now();
    let keep = Retention { max_age_ms: None, max_entries: Some(0) };
    let mut removed = 0;
    loop {
        match store.prune(&workspace, keep, 1000, now).await? {
            0 => break,
            gone => removed += gone as u64,
        }
    }
    let removed = rate(removed, began);
    store.close().await;
    Ok(format!(
        "{bytes} bytes: {published:.0} published, {retracted:.0} retracted, {removed:.0} removed a second\n"
    ))
}

fn notification(n: u64, bytes: usize) -> Notification {
    Notification {
        id: NotificationId(Uuid::from_u64_pair(n << 16 | 0x7000, 1 << 63)),
        audience: Audience::Workspace,
        except: Vec::new(),
        title: "A record was created".into(),
        message: "x".repeat(bytes),
        kind: "record_created".into(),
        level: Level::Info,
        timestamp: now(),
        metadata: None,
        event: None,
        product_name: None,
        expiry_date: None,
        expires_at: None,
        collapse_key: None,
        updated_at: None,
    }
}

fn now() -> Timestamp {
    Timestamp::from_millis(1_767_225_600_000)
}
