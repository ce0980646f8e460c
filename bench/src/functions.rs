//! How many runs of functions a second, from the request to its answer, and how long the first one takes.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::json;

use crate::figures::{Table, percentile};
use crate::http::Backend;
use crate::server::Server;
use crate::stream::Door;

const WORKSPACE: &str = "works";
const FUNCTIONS: &[(&str, &str)] = &[
    ("plain", "function run() { return executionParams.n }"),
    ("fetches", "async function run() { return (await api.fetchRecord('order')).data.n }"),
];
/// One: how long a run takes. Eight: how many there are when processes always have a next one.
const AT_ONCE: &[usize] = &[1, 8];
/// First runs of a round.
const COLD: usize = 5;

/// Runs on processes that are there already.
pub async fn measure_warm(server: &Server, lasting: Duration, table: &mut Table) -> anyhow::Result<()> {
    prepare(server).await?;
    for (name, _) in FUNCTIONS {
        for &at_once in AT_ONCE {
            // Each process has run it once.
            run_until(&server.door, name, at_once, Instant::now() + Duration::from_millis(500)).await?;
            let started = Instant::now();
            let mut times = run_until(&server.door, name, at_once, started + lasting).await?;
            let rate = times.len() as f64 / started.elapsed().as_secs_f64();
            table.take(&format!("runs a second, `{name}`, {at_once} at once"), rate);
            for percent in [50, 99] {
                let figure = percentile(&mut times, percent);
                table.take(&format!("p{percent} of a run, `{name}`, {at_once} at once, ms"), figure);
            }
        }
    }
    Ok(())
}

/// The first run of a server that was just started, which has no process for it yet.
pub async fn measure_cold(program: &Path, data: &Path, table: &mut Table) -> anyhow::Result<()> {
    let mut server = Server::start(program, data)?;
    prepare(&server).await?;
    for _ in 0..COLD {
        server.restart()?;
        let mut backend = Backend::connect(&server.door, WORKSPACE).await?;
        // The token is verified, the store is warm.
        backend.send("GET", "/records/order", &json!({})).await?;
        let asked = Instant::now();
        run(&mut backend, "plain").await?;
        table.take("first run of a server, `plain`, ms", asked.elapsed().as_secs_f64() * 1_000.0);
    }
    Ok(())
}

async fn prepare(server: &Server) -> anyhow::Result<()> {
    let mut backend = Backend::connect(&server.door, WORKSPACE).await?;
    backend.send("PUT", "/collections/orders/records/order", &json!({"data": {"n": 7}})).await?;
    for (name, code) in FUNCTIONS {
        backend.send("PUT", &format!("/functions/{name}"), &json!({ "code": code })).await?;
    }
    Ok(())
}

async fn run(backend: &mut Backend, name: &str) -> anyhow::Result<()> {
    let params = json!({"executionParams": {"n": 7}});
    let ended = backend.send("POST", &format!("/functions/{name}/run?wait=15"), &params).await?;
    ensure!(ended["result"] == 7, "{ended}");
    Ok(())
}

async fn run_until(
    to: &Door,
    name: &'static str,
    at_once: usize,
    until: Instant,
) -> anyhow::Result<Vec<Duration>> {
    let lane = async move || {
        let mut backend = Backend::connect(to, WORKSPACE).await?;
        let mut times = vec![];
        while Instant::now() < until {
            let asked = Instant::now();
            run(&mut backend, name).await?;
            times.push(asked.elapsed());
        }
        anyhow::Ok(times)
    };
    let lanes: Vec<_> = (0..at_once).map(|_| lane()).collect();
    Ok(futures_util::future::try_join_all(lanes).await?.concat())
}
