//! What a snapshot and a page of the inbox cost a user above whom many notifications no longer hold.
//!
//! `cargo run --release -p campanile-store --example withdrawn_cost -- [NOTIFICATIONS] [retract|supersede]`

use std::sync::Arc;
use std::time::{Duration, Instant};

use campanile_model::{Audience, Level, Notification, NotificationId, Seq, Slug, Timestamp, UserId};
use campanile_store::{Config, Epochs, Mark, SqliteStore, Store, StoreError, VisibleQuery, Write};
use futures_util::future::try_join_all;
use uuid::Uuid;

const BATCH: u64 = 1000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let count: u64 = args.first().map_or(Ok(100_000), |text| text.parse())?;
    let supersede = args.get(1).is_some_and(|how| how == "supersede");
    let dir = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(async {
        let store = SqliteStore::open(Config::new(dir.path(), Epochs::seeded(1)))?;
        let mut report = String::new();
        for audience in [Audience::Workspace, Audience::Users(vec![user()?])] {
            report += &format!("to {audience:?}:\n");
            let began = Instant::now();
            fill(&store, &audience, count, supersede).await?;
            report += &format!("  {count} published and withdrawn in {:?}\n", began.elapsed());
            report += &format!("  unread: {}\n", measure(&store).await?);
            store.mark(&workspace()?, &user()?, Mark::ReadAll(None), None, Timestamp::from_millis(0)).await?;
            report += &format!("  all read: {}\n", measure(&store).await?);
        }
        store.close().await;
        Ok::<_, StoreError>(report)
    })?;
    std::io::Write::write_all(&mut std::io::stdout(), report.as_bytes())?;
    Ok(())
}

/// The last one of all stays.
async fn fill(
    store: &SqliteStore,
    audience: &Audience,
    count: u64,
    supersede: bool,
) -> Result<(), StoreError> {
    let (now, base) = (Timestamp::from_millis(0), store.heads().await?.first().map_or(0, |head| head.seq.0));
    for first in (0..count).step_by(BATCH as usize) {
        let notifications: Vec<_> =
            (first..first + BATCH).map(|n| Arc::new(notification(base + n, audience, supersede))).collect();
        let ids: Vec<_> = notifications.iter().map(|n| n.id).collect();
        store.append(&workspace()?, Write::Publish { notifications, idempotency: None }, now).await?;
        if !supersede {
            let retract = |id: &NotificationId| workspace().map(|ws| (ws, Write::Retract { id: *id }));
            let writes: Vec<_> = ids.iter().map(retract).collect::<Result<_, _>>()?;
            try_join_all(writes.iter().map(|(ws, write)| store.append(ws, write.clone(), now))).await?;
        }
    }
    let last = Write::Publish {
        notifications: vec![Arc::new(notification(base + count, audience, supersede))],
        idempotency: None,
    };
    store.append(&workspace()?, last, now).await?;
    Ok(())
}

async fn measure(store: &SqliteStore) -> Result<String, StoreError> {
    let (workspace, user) = (workspace()?, user()?);
    let query = VisibleQuery {
        after: Seq::ZERO,
        up_to: Seq(u64::MAX),
        limit: 20,
        newest_first: true,
        read: None,
        archived: None,
    };
    let (mut snapshots, mut pages) = (Vec::new(), Vec::new());
    let mut unread = 0;
    for _ in 0..100 {
        let began = Instant::now();
        unread = store.snapshot(&workspace, &user).await?.counts.unread;
        snapshots.push(began.elapsed());
        let began = Instant::now();
        store.visible(&workspace, &user, query).await?;
        pages.push(began.elapsed());
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort_unstable();
        times.get(times.len() / 2).copied().unwrap_or_default()
    };
    let (snapshot, page) = (median(&mut snapshots), median(&mut pages));
    Ok(format!("{unread} unread, snapshot {snapshot:?}, newest page {page:?} (medians)"))
}

fn notification(n: u64, audience: &Audience, keyed: bool) -> Notification {
    Notification {
        id: NotificationId(Uuid::from_u64_pair(n << 16 | 0x7000, 1 << 63)),
        audience: audience.clone(),
        except: Vec::new(),
        title: "A record was changed".into(),
        message: "x".repeat(120),
        kind: "record_updated".into(),
        level: Level::Info,
        timestamp: Timestamp::from_millis(1_767_225_600_000 + n as i64),
        metadata: None,
        event: None,
        product_name: None,
        expiry_date: None,
        expires_at: None,
        collapse_key: keyed.then(|| "record 1".into()),
        updated_at: None,
    }
}

fn workspace() -> Result<Slug, StoreError> {
    Slug::new("bench").map_err(internal)
}

fn user() -> Result<UserId, StoreError> {
    UserId::new("user-1").map_err(internal)
}

fn internal(error: impl ToString) -> StoreError {
    StoreError::Internal(error.to_string())
}
