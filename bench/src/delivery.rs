//! How long a steady stream takes to many sockets: on a calm server, and while others mean harm on the same one.

use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::json;

use crate::Args;
use crate::figures::{Table, percentile};
use crate::hostile::{Harm, Hostile};
use crate::http::Backend;
use crate::server::Server;
use crate::sockets::Audience;

const WORKSPACE: &str = "bench";
/// Messages a second, each to everybody.
const RATE: u32 = 20;
/// What a message weighs beside its envelope, in bytes.
const PADDING: usize = 150;
const HARMS: [(Harm, &str); 3] =
    [(Harm::Functions, "hostile functions"), (Harm::Rules, "hostile rules and events"), (Harm::Both, "both")];
/// The longest wait for what was published last.
const PATIENCE: Duration = Duration::from_secs(20);

/// Calm and hostile by turns, so that both meet the same machine; each hostile event meets so many rules.
pub async fn measure(
    server: &Server,
    args: &Args,
    lasting: Duration,
    table: &mut Table,
) -> anyhow::Result<()> {
    let Args { sockets, rounds, hostile_rules, .. } = *args;
    let audience = Audience::connect(&server.door, WORKSPACE, 0..sockets).await?;
    // Connections, caches and the allocator settle.
    stream(server, &audience, sockets, Duration::from_secs(2)).await?;
    Hostile::prepare(&server.door, WORKSPACE, hostile_rules).await?;
    for round in 1..=rounds {
        eprintln!("delivery to {sockets} sockets, round {round}");
        let mut calm = stream(server, &audience, sockets, lasting).await?;
        for (harm, beside) in HARMS {
            let hostile = Hostile::begin(&server.door, WORKSPACE, harm, hostile_rules)?;
            let mut harmed = stream(server, &audience, sockets, lasting).await?;
            let done = hostile.end().await?;
            for percent in [50, 99] {
                let (before, during) = (percentile(&mut calm, percent), percentile(&mut harmed, percent));
                table.take(&format!("p{percent} of delivery beside {beside}, ms"), during);
                table.take(
                    &format!("p{percent} beside {beside}, times that of the calm server"),
                    during / before,
                );
            }
            let a_second = |count: usize| count as f64 / lasting.as_secs_f64();
            // Harm that is not done says nothing.
            if harm != Harm::Rules {
                ensure!(done.runs > 0, "no hostile function ended");
                table.take(&format!("hostile runs a second, {beside}"), a_second(done.runs));
            }
            if harm != Harm::Functions {
                ensure!(done.events > 0, "no hostile event was taken");
                table.take(&format!("hostile events a second, {beside}"), a_second(done.events));
            }
        }
        for percent in [50, 99] {
            table.take(&format!("p{percent} of delivery, calm, ms"), percentile(&mut calm, percent));
        }
    }
    Ok(())
}

/// Publishes to everybody at a steady rate; the age of each delivery, counted from when its message was due.
async fn stream(
    server: &Server,
    audience: &Audience,
    sockets: usize,
    lasting: Duration,
) -> anyhow::Result<Vec<Duration>> {
    let mut backend = Backend::connect(&server.door, WORKSPACE).await?;
    let count = RATE * u32::try_from(lasting.as_secs())?;
    let started = Instant::now();
    for n in 0..count {
        let due = started + Duration::from_secs(1) * n / RATE;
        tokio::time::sleep_until(due.into()).await;
        let message = audience.due(due) + &"x".repeat(PADDING);
        let body = json!({"to": {"workspace": true}, "title": "Steady", "message": message});
        backend.send("POST", "/notifications", &body).await?;
    }
    let (expected, deadline) = (sockets * count as usize, Instant::now() + PATIENCE);
    while audience.received() < expected && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let ages = audience.take();
    ensure!(ages.len() == expected, "{} of {expected} deliveries came", ages.len());
    Ok(ages)
}
