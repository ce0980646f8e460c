//! A connection that sends one request after the other, and knows no more of HTTP than it needs.

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use crate::server::token;
use crate::stream::{Door, Stream};

/// A backend of one workspace.
pub struct Backend {
    stream: BufReader<Box<dyn Stream>>,
    workspace: String,
    bearer: String,
}

impl Backend {
    /// Connects.
    pub async fn connect(to: &Door, workspace: &str) -> anyhow::Result<Self> {
        let bearer = token("backend", workspace);
        Ok(Self { stream: BufReader::new(to.connect().await?), workspace: workspace.to_owned(), bearer })
    }

    /// Sends a JSON body below the workspace's path; the answer, which must be a success.
    pub async fn send(&mut self, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.send_as("application/json", method, path, &body.to_string()).await
    }

    /// The same with a media type of its own.
    pub async fn send_as(
        &mut self,
        media_type: &str,
        method: &str,
        path: &str,
        body: &str,
    ) -> anyhow::Result<Value> {
        let (status, answer) = self.ask(media_type, method, path, body).await?;
        ensure!(
            (200..300).contains(&status),
            "{method} {path}: {status} {}",
            String::from_utf8_lossy(&answer)
        );
        Ok(serde_json::from_slice(&answer).unwrap_or_default())
    }

    async fn ask(
        &mut self,
        media_type: &str,
        method: &str,
        path: &str,
        body: &str,
    ) -> anyhow::Result<(u16, Vec<u8>)> {
        let Self { workspace, bearer, .. } = self;
        let request = format!(
            "{method} /v1/workspaces/{workspace}{path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {bearer}\r\n\
             Content-Type: {media_type}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.write_all(request.as_bytes()).await?;
        let (mut line, mut status, mut length) = (String::new(), None, 0);
        loop {
            line.clear();
            ensure!(self.stream.read_line(&mut line).await? > 0, "the connection ended before the answer");
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if status.is_none() {
                status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
        }
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer).await?;
        Ok((status.context("an answer has a status")?, answer))
    }
}
