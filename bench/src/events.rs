//! How many events become notifications in the log in a second.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::{Value, json};

use crate::figures::{Table, percentile};
use crate::http::Backend;
use crate::server::Server;
use crate::stream::Door;

const WORKSPACE: &str = "shop";
/// Events of one request, and requests under way at once.
const SHAPES: &[(usize, usize)] = &[(1, 1), (1, 64), (100, 8), (1_000, 2)];

/// An event that nobody has seen before.
pub fn event(kind: &str, data: &Value) -> Value {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let id = NEXT.fetch_add(1, Ordering::Relaxed).to_string();
    json!({"specversion": "1.0", "id": id, "source": "https://shop.example", "type": kind, "data": data})
}

/// Singles and batches, each event through one rule to one user of a thousand.
pub async fn measure(server: &Server, lasting: Duration, table: &mut Table) -> anyhow::Result<()> {
    let mut backend = Backend::connect(&server.door, WORKSPACE).await?;
    let rule = json!({
        "name": "paid", "on": {"types": ["order_paid"], "when": "data.total > 10"}, "to": {"user": "data.customer"},
        "title": "Order {{ data.number }} is paid", "message": "Thank you. We pack it now.", "type": "order_paid",
    });
    backend.send("PUT", "/rules/paid", &rule).await?;
    for &(size, at_once) in SHAPES {
        let started = Instant::now();
        let tasks: Vec<_> = (0..at_once)
            .map(|_| tokio::spawn(report(server.door.clone(), size, started + lasting)))
            .collect();
        let mut times = vec![];
        for task in tasks {
            times.extend(task.await??);
        }
        let rate = (times.len() * size) as f64 / started.elapsed().as_secs_f64();
        let shape = format!("in requests of {size}, {at_once} at once");
        table.take(&format!("events a second {shape}"), rate);
        table.take(&format!("p50 of such a request {shape}, ms"), percentile(&mut times, 50));
    }
    Ok(())
}

async fn report(to: Door, size: usize, until: Instant) -> anyhow::Result<Vec<Duration>> {
    let mut backend = Backend::connect(&to, WORKSPACE).await?;
    let mut times = vec![];
    while Instant::now() < until {
        let order = |n: usize| {
            let customer = format!("user-{}", (times.len() + n) % 1_000);
            event("order_paid", &json!({"number": n, "total": 99, "customer": customer}))
        };
        let (media_type, body) = match size {
            1 => ("application/cloudevents+json", order(0).to_string()),
            _ => {
                let orders: Vec<_> = (0..size).map(order).collect();
                ("application/cloudevents-batch+json", Value::from(orders).to_string())
            }
        };
        let asked = Instant::now();
        let taken = backend.send_as(media_type, "POST", "/events", &body).await?;
        times.push(asked.elapsed());
        let taken = taken["events"].as_array().map_or(&[][..], Vec::as_slice);
        let told =
            taken.iter().filter(|event| event["notifications"].as_array().is_some_and(|ids| ids.len() == 1));
        ensure!(told.count() == size, "not every event was told");
    }
    Ok(times)
}
