//! The program that is measured, in a process and a directory of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use anyhow::Context as _;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::ClientConfig;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::stream::{Door, certify};

/// Long enough for the server, and known to nobody else's.
const SECRET: &str = "a-secret-for-measurements-0123456789abcdef";
/// What the tokens of producers are for.
const SCOPES: &str = "notifications:write events:write records:write functions:write functions:execute admin";
/// 2100-01-01: tokens need no clock.
const NEVER: i64 = 4_102_444_800;

/// Hostile requests of each kind under way at once: functions, and events. The server has one process for functions more,
/// since a workspace has all but one.
pub const AT_ONCE: usize = 2;

/// A server that is killed when this is dropped.
pub struct Server {
    child: Child,
    program: PathBuf,
    data: TempDir,
    /// Where it listens.
    pub door: Door,
}

impl Server {
    /// Starts the program on a free port, with its data in a new directory below `data`.
    pub fn start(program: &Path, data: &Path) -> anyhow::Result<Self> {
        Self::start_in(program, tempfile::tempdir_in(data)?, None)
    }

    /// The same with a certificate.
    pub fn start_with_tls(program: &Path, data: &Path) -> anyhow::Result<Self> {
        let data = tempfile::tempdir_in(data)?;
        let tls = certify(data.path())?;
        Self::start_in(program, data, Some(tls))
    }

    fn start_in(program: &Path, data: TempDir, tls: Option<Arc<ClientConfig>>) -> anyhow::Result<Self> {
        let (child, address) = spawn(program, data.path(), tls.is_some())?;
        Ok(Self { child, program: program.to_owned(), data, door: Door { address, tls } })
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it, and starts it on the same data.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        (self.child, self.door.address) = spawn(&self.program, self.data.path(), self.door.tls.is_some())?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Gone already, if these fail.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(program: &Path, data: &Path, tls: bool) -> anyhow::Result<(Child, SocketAddr)> {
    // The default, but enough for hostile functions on a machine with one core.
    let workers = std::thread::available_parallelism().map_or(1, usize::from).max(AT_ONCE) + 1;
    let mut command = Command::new(program);
    if tls {
        command.env("CAMPANILE_SERVER__TLS__CERT_FILE", data.join("cert.pem"));
        command.env("CAMPANILE_SERVER__TLS__KEY_FILE", data.join("key.pem"));
    }
    let mut child = command
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(data)
        .env("CAMPANILE_SECRET", SECRET)
        .env("CAMPANILE_FUNCTIONS__WORKERS", workers.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("{} can't be started", program.display()))?;
    let stderr = child.stderr.take().context("standard error is piped")?;
    let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
    let address = lines.by_ref().find_map(|line| {
        let (_, rest) = line.split_once("\"address\":\"")?;
        rest.split_once('"')?.0.parse().ok()
    });
    std::thread::spawn(move || lines.for_each(drop));
    Ok((child, address.context("the server ended before it listened")?))
}

/// A token of `user` in `workspace`, for everything.
pub fn token(user: &str, workspace: &str) -> String {
    let claims: Value = json!({"userId": user, "workspaces": [workspace], "scope": SCOPES, "exp": NEVER});
    let encoded = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let signed = format!("{}.{}", encoded(r#"{"alg":"HS256","typ":"JWT"}"#), encoded(&claims.to_string()));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
}
