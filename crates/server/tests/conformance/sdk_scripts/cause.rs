//! What makes the next frame of a script come true.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use campanile_engine::retain::retain_once;
use campanile_testkit::{Answer, Client};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::{Quality, Story};
use crate::revocations;

/// Whether the store refuses every write. Scripts are played one by one.
pub(super) static STORE_FAILS: AtomicBool = AtomicBool::new(false);

impl Story {
    pub(super) async fn cause(&mut self, cause: &Value) -> Result<(), String> {
        let (what, told) = cause.as_object().and_then(|cause| cause.iter().next()).ok_or("no cause")?;
        let told = self.fill(told);
        match what.as_str() {
            "publish" => self.publish(&told).await?,
            "update" => {
                let mut change: Map<String, Value> = told.as_object().cloned().unwrap_or_default();
                change.remove("id");
                let path = format!("notifications/{}", id(&told));
                self.produce("PATCH", &path, Some(&change.into())).await?;
            }
            "retract" => {
                self.produce("DELETE", &format!("notifications/{}", id(&told)), None).await?;
            }
            "mark" => self.mark(&told).await?,
            "open" => self.open(told.as_u64().ok_or("no number")?).await,
            "expire" => {
                let life = u64::try_from(self.life_ms).map_err(|_| "no life")?;
                self.server.pass(Duration::from_millis(life + 1_000)).await;
            }
            "revoke" => {
                let revoked = json!({"tokenId": self.socket(None)?.token}).to_string();
                let operator = revocations::operator(&self.server);
                done(self.server.post("/v1/revocations", &operator, &revoked).await)?;
            }
            "store" => STORE_FAILS.store(told == "fails", Ordering::Relaxed),
            "prune" => {
                let engine = &self.server.running().engine;
                let (config, now) = (engine.workspaces.config(), self.server.now_ms());
                let rows = retain_once(&*engine.store, config, now).await.map_err(|why| why.to_string())?;
                if rows == 0 {
                    return Err("nothing was past its retention".into());
                }
            }
            "restart" => self.restart().await,
            "backup" => {
                self.server.stop().await;
                copy(self.data.path(), self.backup.path(), "");
                self.server.start_again().await;
            }
            "restore" => {
                // The witness of how far the log had come is no part of a backup.
                let but = if told == "database" { "campanile.head" } else { "" };
                self.server.stop().await;
                empty(self.data.path(), but);
                copy(self.backup.path(), self.data.path(), but);
                self.server.start_again().await;
            }
            other => return Err(format!("an unknown cause: {other}")),
        }
        Ok(())
    }

    async fn publish(&mut self, told: &Value) -> Result<(), String> {
        let answer = self.produce("POST", "notifications", Some(told)).await?.json();
        let (drafts, published) = (list(told), list(&answer));
        for (draft, published) in drafts.iter().zip(published) {
            if draft["to"]["user"] == self.user {
                // The first publish to the user makes $a, the second $b.
                let letter = char::from(b'a' + self.published);
                self.known.insert(letter.to_string(), published["id"].clone());
                self.published += 1;
            }
        }
        Ok(())
    }

    async fn mark(&mut self, told: &Value) -> Result<(), String> {
        let rest = match told["action"].as_str() {
            Some("read_all") => "read-all".into(),
            Some("seen") => "seen".into(),
            action => format!("{}/{}", id(told), action.unwrap_or_default()),
        };
        let path = format!("/v1/workspaces/{}/inbox/{rest}", self.workspace);
        let (token, _) = self.token(Quality::Good);
        done(self.request("POST", &path, &token, None).await)?;
        Ok(())
    }

    /// Other sockets of the same user, each a little later than the one before.
    async fn open(&mut self, count: u64) {
        for _ in 0..count {
            self.server.pass(Duration::from_millis(200)).await;
            let (token, _) = self.token(Quality::Good);
            let path = self.address(&token);
            self.others.push(Client::connect(self.server.address, &path).await);
        }
    }

    /// Ends the server, hears what it says to each socket meanwhile, and starts it again.
    async fn restart(&mut self) {
        self.others.clear();
        let Self { server, sockets, .. } = self;
        let ends = async {
            for socket in sockets {
                socket.hear_out().await;
            }
        };
        tokio::join!(server.stop(), ends);
        server.start_again().await;
    }

    /// A request of the workspace's producer, which succeeds.
    async fn produce(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer, String> {
        let token = self.server.token("shop").with("workspaces", json!([self.workspace]));
        let token = token.with("scope", "notifications:write").sign();
        let path = format!("/v1/workspaces/{}/{path}", self.workspace);
        done(self.request(method, &path, &token, body).await)
    }
}

fn done(answer: Answer) -> Result<Answer, String> {
    let said = || format!("answered {}: {}", answer.status, String::from_utf8_lossy(&answer.body));
    if (200..300).contains(&answer.status) { Ok(answer) } else { Err(said()) }
}

fn id(told: &Value) -> &str {
    told["id"].as_str().unwrap_or_default()
}

/// One or many, as a list.
fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice)
}

/// A directory for the data of a server.
pub(super) fn directory() -> TempDir {
    TempDir::new().unwrap()
}

fn files(directory: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.is_file()).collect()
}

fn copy(from: &Path, to: &Path, but: &str) {
    for file in files(from) {
        let name = file.file_name().unwrap();
        if name != but {
            std::fs::copy(&file, to.join(name)).unwrap();
        }
    }
}

fn empty(directory: &Path, but: &str) {
    for file in files(directory) {
        if file.file_name().unwrap() != but {
            std::fs::remove_file(file).unwrap();
        }
    }
}
