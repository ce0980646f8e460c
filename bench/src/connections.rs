//! What a connection costs the server: memory at rest, and processor time for each delivery; in the clear and through TLS.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::json;

use crate::Args;
use crate::figures::Table;
use crate::http::Backend;
use crate::server::Server;
use crate::sockets::Audience;

const WORKSPACE: &str = "bench";
/// What a message weighs beside its envelope, in bytes.
const PADDING: usize = 150;
/// Connections that are measured, for each of those that were there before, whose buffers and tables are not a
/// connection's own.
const TIMES: usize = 4;
/// The longest wait for one message to reach everybody.
const PATIENCE: Duration = Duration::from_secs(20);
/// What the kernel counts processor time in on Linux: hundredths of a second.
const TICKS_PER_SECOND: f64 = 100.0;

/// Both kinds by turns.
pub async fn measure(args: &Args, lasting: Duration, table: &mut Table) -> anyhow::Result<()> {
    for round in 1..=args.rounds {
        eprintln!("connections, round {round}");
        let plain = cost(&Server::start(&args.program, &args.data)?, args.sockets, lasting).await?;
        let tls = cost(&Server::start_with_tls(&args.program, &args.data)?, args.sockets, lasting).await?;
        for (how, cost) in [("in the clear", &plain), ("through TLS", &tls)] {
            table.take(&format!("resident bytes of an idle connection {how}"), cost.bytes);
            table.take(&format!("processor time of a delivery {how}, µs"), cost.micros);
        }
        table.take(
            "processor time of a delivery through TLS, times that in the clear",
            tls.micros / plain.micros,
        );
    }
    Ok(())
}

struct Cost {
    bytes: f64,
    micros: f64,
}

async fn cost(server: &Server, sockets: usize, lasting: Duration) -> anyhow::Result<Cost> {
    let first = Audience::connect(&server.door, WORKSPACE, 0..sockets).await?;
    let mut backend = Backend::connect(&server.door, WORKSPACE).await?;
    tell(&mut backend, &[(&first, sockets)]).await?;
    let before = resident_bytes(server)?;
    let others = Audience::connect(&server.door, WORKSPACE, sockets..sockets * (1 + TIMES)).await?;
    let after = resident_bytes(server)?;

    let everybody = [(&first, sockets), (&others, sockets * TIMES)];
    tell(&mut backend, &everybody).await?;
    let (spent, started) = (processor_seconds(server)?, Instant::now());
    let mut messages = 0;
    while started.elapsed() < lasting {
        tell(&mut backend, &everybody).await?;
        messages += 1;
    }
    let spent = processor_seconds(server)? - spent;
    let deliveries = messages * sockets * (1 + TIMES);
    Ok(Cost { bytes: (after - before) / (sockets * TIMES) as f64, micros: spent * 1e6 / deliveries as f64 })
}

/// Publishes one message; returns once everybody has it.
async fn tell(backend: &mut Backend, everybody: &[(&Audience, usize)]) -> anyhow::Result<()> {
    let due = Instant::now();
    // All audiences read the mark, whoever's clock it is by: only that it came is of interest.
    let mark = everybody.first().context("somebody listens")?.0.due(due);
    let body = json!({"to": {"workspace": true}, "title": "Cost", "message": mark + &"x".repeat(PADDING)});
    backend.send("POST", "/notifications", &body).await?;
    for (audience, count) in everybody {
        while audience.received() < *count {
            ensure!(due.elapsed() < PATIENCE, "{} of {count} deliveries came", audience.received());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        audience.take();
    }
    Ok(())
}

fn resident_bytes(server: &Server) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1024.0)
}

/// Of the server's own threads, in user and kernel.
fn processor_seconds(server: &Server) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.id()))?;
    let (_, behind_its_name) = stat.rsplit_once(')').context("a process has a name")?;
    let ticks = behind_its_name.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
    Ok(ticks.sum::<Result<f64, _>>()? / TICKS_PER_SECOND)
}
