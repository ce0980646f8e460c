//! A server of its own, a shop that ships orders, and a customer who waits for them: what the README shows.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, ensure};
use campanile_client::{Campanile, Event, Events};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let shop = Shop::open()?;
    // The first start makes the key that tokens are signed with.
    let server = Server::start(&shop, "127.0.0.1:0")?;
    let address = server.address.clone();
    drop(server);

    say("order 4711 is shipped while the server is away");
    ensure!(!shop.publish(&address, &["4711", "alice"])?, "nobody was there to take it");
    say(&format!("  {} order stays in the outbox", shop.waiting()?));

    say("the server is back, and the shop tries again");
    let _server = Server::start(&shop, &address)?;
    let (alice, mut told) = Campanile::builder(format!("http://{address}"))
        .workspace("demo")
        .token(shop.token(&["--user", "alice"])?)
        .connect()?;
    ensure!(alice.until_live().await, "alice is not connected");
    ensure!(shop.publish(&address, &[])?, "the outbox is not empty");
    hear(&mut told).await?;
    say(&format!("  {} orders stay in the outbox", shop.waiting()?));

    say("the shop forgot that it told of order 4711, and does it again; then it ships order 4712");
    ensure!(shop.publish(&address, &["4711", "alice"])?, "the outbox is not empty");
    ensure!(shop.publish(&address, &["4712", "alice"])?, "the outbox is not empty");
    hear(&mut told).await?;
    say(&format!("alice has {} notifications", alice.snapshot().items.len()));
    Ok(alice.close().await?)
}

/// Says what alice is told next.
async fn hear(told: &mut Events) -> anyhow::Result<()> {
    while let Some(event) = told.recv().await {
        if let Event::Notification { item, .. } = event {
            say(&format!("  alice is told: {}. {}", item.title, item.message));
            return Ok(());
        }
    }
    anyhow::bail!("alice is told nothing")
}

/// A directory for the server's data and for the outbox.
struct Shop {
    directory: tempfile::TempDir,
    campanile: PathBuf,
}

impl Shop {
    fn open() -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("campanile-publisher-").tempdir()?;
        Ok(Self { directory, campanile: variable("CAMPANILE_BIN").unwrap_or_else(|| "campanile".into()) })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A token of the workspace, signed with the server's local key. A real shop signs its own.
    fn token(&self, options: &[&str]) -> anyhow::Result<String> {
        let mut command = Command::new(&self.campanile);
        command.args(["token", "--workspace", "demo", "--data"]).arg(self.path("data")).args(options);
        let made = command.stderr(Stdio::inherit()).output().context("campanile can't be run")?;
        ensure!(made.status.success(), "no token");
        Ok(String::from_utf8(made.stdout)?.trim().to_owned())
    }

    /// Runs the publisher. Whether the outbox is empty in the end.
    fn publish(&self, address: &str, words: &[&str]) -> anyhow::Result<bool> {
        let token = self.token(&["--user", "shop", "--scope", "notifications:write"])?;
        let program = std::env::current_exe()?.with_file_name("rust-publisher");
        let mut command = Command::new(program);
        command.args(words).env("CAMPANILE_URL", format!("http://{address}")).env("CAMPANILE_TOKEN", token);
        command.env("CAMPANILE_WORKSPACE", "demo").env("OUTBOX", self.path("outbox"));
        let done = command.output().context("rust-publisher is not built")?;
        Ok(done.status.success())
    }

    /// How many orders are still to be told.
    fn waiting(&self) -> anyhow::Result<usize> {
        let entries = std::fs::read_dir(self.path("outbox"))?;
        let orders = entries.filter_map(Result::ok).map(|entry| entry.path());
        Ok(orders.filter(|path| Path::extension(path) == Some(OsStr::new("json"))).count())
    }
}

/// A server on the shop's data, which is killed when it is dropped.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(shop: &Shop, listen: &str) -> anyhow::Result<Self> {
        let mut command = Command::new(&shop.campanile);
        command.args(["serve", "--listen", listen, "--data"]).arg(shop.path("data"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = command.spawn().context("campanile can't be run")?;
        let log = process.stderr.take().context("it has no log")?;
        let mut server = Self { process, address: String::new() };
        let mut lines = BufReader::new(log).lines().map_while(Result::ok);
        let listening = lines.by_ref().find_map(|line| {
            let entry: serde_json::Value = serde_json::from_str(&line).ok()?;
            (entry["message"] == "listening").then(|| entry["address"].as_str().map(str::to_owned))?
        });
        server.address = listening.context("the server does not start")?;
        // Nobody reads its log, but it must get rid of it.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended = self.process.kill().and_then(|()| self.process.wait());
    }
}

#[expect(clippy::print_stdout, reason = "a program says what it does")]
fn say(line: &str) {
    println!("{line}");
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from)
}
