//! `campanile listen`: prints a user's notifications as they arrive.

use std::time::Duration;

use campanile_model::{NotificationId, Slug, UserId};
use campanile_wire::close::Return;
use clap::Args;
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{self, Message};

use super::bearer::{Bearer, BearerArgs, Purpose};
use super::endpoint::{Endpoint, EndpointArgs};
use super::http_client::{connect, retry_after};
use super::reconnect::{Backoff, come_back};
use super::setup::Setup;
use super::trust::Io;
use super::{Failure, output, runtime};
use crate::config::{Config, Environment};

/// How long a token of our own is good for; a new one is made when it expires.
const TTL: Duration = Duration::from_secs(60 * 60);
/// We ping as often, which also keeps the socket from being closed as idle.
const PING_EVERY: Duration = Duration::from_secs(30);
/// Nothing heard for as long: the network is dead.
const SILENCE: Duration = Duration::from_secs(75);

/// Print a user's notifications as they arrive, one line of JSON each
///
/// News of the connection goes to standard error. Reconnects until ctrl-C, and asks for what was missed
/// meanwhile. It takes the user's one place on the workspace surface: another socket there is closed with 4009.
#[derive(Debug, Args)]
pub struct Listen {
    /// The workspace
    #[arg(long, value_name = "SLUG", value_parser = Slug::new)]
    workspace: Slug,
    /// Whose notifications; must be the token's user if a token is given
    #[arg(long, value_name = "USER", value_parser = UserId::new)]
    user: UserId,
    /// The last notification already held; what came after it is printed first
    #[arg(long, value_name = "ID", value_parser = NotificationId::parse)]
    since: Option<NotificationId>,
    #[command(flatten)]
    bearer: BearerArgs,
    #[command(flatten)]
    endpoint: EndpointArgs,
    #[command(flatten)]
    setup: Setup,
}

impl Listen {
    /// Listens until it is interrupted or not wanted back.
    pub fn run(self, environment: &Environment) -> Result<(), Failure> {
        let config = self.setup.load(environment)?;
        let endpoint = self.endpoint.endpoint(&config)?;
        let purpose =
            Purpose { user: self.user.clone(), workspace: Some(self.workspace.clone()), scope: "", ttl: TTL };
        let bearer = self.bearer.source(environment, purpose);
        let listener = Listener {
            config,
            endpoint,
            bearer,
            workspace: self.workspace,
            user: self.user,
            held: self.since.map(|id| id.to_string()),
            backoff: Backoff::default(),
            was_connected: false,
        };
        runtime()?.block_on(async {
            tokio::select! {
                ended = listener.listen() => ended,
                _ = tokio::signal::ctrl_c() => Ok(()),
            }
        })
    }
}

struct Listener {
    config: Config,
    endpoint: Endpoint,
    bearer: Bearer,
    workspace: Slug,
    user: UserId,
    /// The last notification printed.
    held: Option<String>,
    backoff: Backoff,
    was_connected: bool,
}

/// How one connection ended, where it is worth coming back.
enum Ended {
    /// In a while, of our choosing.
    Later(String),
    /// After the time that the server asks for.
    After(Duration, String),
    /// At once, with a new token.
    Renew,
}

impl Listener {
    async fn listen(mut self) -> Result<(), Failure> {
        loop {
            let wait = match self.connection().await? {
                Ended::Renew => Duration::from_secs(1),
                Ended::Later(why) => {
                    let wait = self.backoff.next(random());
                    eprintln!("{why}; connecting again in {:.1} s", wait.as_secs_f64());
                    wait
                }
                Ended::After(wait, why) => {
                    eprintln!("{why}; connecting again in {} s", wait.as_secs());
                    wait
                }
            };
            sleep(wait).await;
        }
    }

    /// One connection from beginning to end.
    async fn connection(&mut self) -> Result<Ended, Failure> {
        let token = self.bearer.token(&self.config)?;
        let stream = match connect(&self.endpoint).await {
            Ok(stream) => stream,
            Err(error) if self.was_connected => return Ok(Ended::Later(format!("no connection: {error}"))),
            Err(error) => return Err(self.endpoint.unreachable(&error)),
        };
        let since = self.held.as_ref().map_or(String::new(), |id| format!("&since={id}"));
        let url = format!(
            "ws://{}/?token={token}&workspaceSlug={}{since}",
            self.endpoint.authority, self.workspace
        );
        match tokio_tungstenite::client_async(url, stream).await {
            Ok((socket, _)) => {
                self.was_connected = true;
                eprintln!("connected to {} as {} in {}", self.endpoint.url(), self.user, self.workspace);
                self.receive(socket).await
            }
            Err(tungstenite::Error::Http(response)) => {
                let why = format!("{} answered {}", self.endpoint.url(), response.status().as_u16());
                match retry_after(response.headers()) {
                    Some(seconds) => Ok(Ended::After(Duration::from_secs(seconds), why)),
                    None => Err(Failure::with_hint(why, "does a Campanile server listen there?")),
                }
            }
            Err(error) => Ok(Ended::Later(format!("no connection: {error}"))),
        }
    }

    async fn receive(&mut self, mut socket: WebSocketStream<Box<dyn Io>>) -> Result<Ended, Failure> {
        let mut heard = Instant::now();
        let mut ping_at = heard + PING_EVERY;
        loop {
            match timeout_at(ping_at, socket.next()).await {
                Err(_) if heard.elapsed() > SILENCE => return Ok(Ended::Later("nothing heard".into())),
                Err(_) => {
                    ping_at = Instant::now() + PING_EVERY;
                    if socket.send(Message::Ping(Default::default())).await.is_err() {
                        return Ok(Ended::Later("the connection broke".into()));
                    }
                }
                Ok(Some(Ok(Message::Text(text)))) => {
                    heard = Instant::now();
                    self.backoff.reset();
                    self.print(text.as_str())?;
                }
                Ok(Some(Ok(Message::Close(frame)))) => {
                    // The answer to the close goes out with the next read; the server need not wait for it.
                    let _ = socket.close(None).await;
                    return self.closed(frame);
                }
                Ok(Some(Ok(_))) => heard = Instant::now(),
                Ok(Some(Err(error))) => return Ok(Ended::Later(format!("the connection broke: {error}"))),
                Ok(None) => return Ok(Ended::Later("the connection broke".into())),
            }
        }
    }

    fn print(&mut self, text: &str) -> Result<(), Failure> {
        // A frame is one line of JSON; whatever it holds, it stays one line.
        output::line(&text.replace(['\n', '\r'], " "))?;
        let frame: Value = serde_json::from_str(text).unwrap_or_default();
        let is_resync = frame["metadata"]["event"] == "resync";
        match frame["id"].as_str() {
            // The place is lost; from here on only what arrives counts.
            _ if is_resync => self.held = None,
            Some(id) if NotificationId::parse(id).is_ok() => self.held = Some(id.to_owned()),
            _ => {}
        }
        Ok(())
    }

    fn closed(&self, frame: Option<CloseFrame>) -> Result<Ended, Failure> {
        let Some(frame) = frame else { return Ok(Ended::Later("closed without a code".into())) };
        let (code, reason) = (u16::from(frame.code), frame.reason.as_str());
        let what = format!("closed with {code} {reason:?}");
        match come_back(code, reason) {
            Return::Yes | Return::AsItLikes => Ok(Ended::Later(what)),
            Return::WithNewToken if self.bearer.can_renew() => Ok(Ended::Renew),
            Return::WithNewToken => Err(Failure::with_hint(what, "put a new token into CAMPANILE_TOKEN")),
            Return::No => Err(refused(what, code)),
        }
    }
}

fn refused(what: String, code: u16) -> Failure {
    match code {
        4001 | 4002 => Failure::with_hint(
            what,
            "is the key here the server's? `campanile token verify` on the server says what it objects to",
        ),
        4009 => Failure::with_hint(what, "the user has connected elsewhere; one socket of a user stays"),
        _ => Failure::new(what),
    }
}

/// Any number: a clash only makes two clients come back together.
fn random() -> u8 {
    let mut byte = [0];
    let _ = aws_lc_rs::rand::fill(&mut byte);
    byte[0]
}
