//! What it costs to look for rungs that are due, and how fast a wave of them is told: the whole server, on SQLite.
//!
//! `cargo run --release -p campanile-testkit --example due_tick [products]` (default 1,000,000)
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement, not a part of the server")]

use std::time::{Duration, Instant};

use campanile_engine::due::Work;
use campanile_engine::product::{Options as Import, Patch, Row, import};
use campanile_model::{Slug, Timestamp};
use campanile_store::DocumentKind;
use campanile_testkit::{Options, TestServer};
use serde_json::json;

/// 2026-01-01T00:00:00Z.
const START_MS: i64 = 1_767_225_600_000;
/// Products of one import.
const ROWS: usize = 10_000;
/// Looks that are measured together.
const LOOKS: u32 = 1_000;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let products: usize = std::env::args().nth(1).map_or(1_000_000, |count| count.parse().unwrap());
    let at = Some(Timestamp::from_millis(START_MS));
    let server = TestServer::with(Options { at, ..Options::default() }).await;
    let engine = &server.running().engine;
    let workspace = Slug::new("acme").unwrap();

    let started = Instant::now();
    // 1,000 are due in a day, 50,000 and 5,000 on the next ones, the others in years.
    for first in (0..products).step_by(ROWS) {
        let rows = (first..products.min(first + ROWS)).map(|n| {
            let date = match n {
                0..1_000 => "2026-01-02T00:00:00Z",
                1_000..51_000 => "2026-01-03T00:00:00Z",
                51_000..56_000 => "2026-01-04T00:00:00Z",
                _ => "2030-01-01",
            };
            let owner = format!("user-{}", n % 1_000);
            let said = json!({"id": format!("p{n:07}"), "name": format!("Item {n}"), "owners": [owner],
                "expiryDate": date, "ladder": {"rungs": [], "expired": true}});
            Row { row: n, said: Ok(serde_json::from_value::<Patch>(said).unwrap()) }
        });
        let imported = import(engine, &workspace, rows.collect(), Import::default(), server.now_ms()).await;
        assert_eq!(imported.unwrap().refused, 0);
    }
    let took = started.elapsed();
    println!("import: {products} products in {took:.1?}, {:.0}/s", products as f64 / took.as_secs_f64());

    let look = async || {
        let started = Instant::now();
        for _ in 0..LOOKS {
            Work::Rungs.until_done(engine, || server.now_ms()).await;
        }
        started.elapsed() / LOOKS
    };
    println!("a look with nothing due: {:.1?}", look().await);
    for (hours, rungs) in [(24, 1_000), (24, 50_000), (24, 5_000)] {
        let started = Instant::now();
        server.clock.advance(Duration::from_secs(hours * 3_600));
        while !engine.store.due(DocumentKind::Product, server.now_ms(), None, 1).await.unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let took = started.elapsed();
        println!(
            "{rungs} rungs due at once: told in {took:.3?}, {:.0}/s",
            f64::from(rungs) / took.as_secs_f64()
        );
    }
    println!("a look with nothing due: {:.1?}", look().await);
}
