//! One connection of one surface, from dialling to its close.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error as SocketError, Message};

use crate::address::Address;
use crate::environment::Clock;
use crate::error::{Problem, is_problem};
use crate::retry_after;
use crate::store::Position;
use crate::surface::{Surface, native};

/// The longest message that is read, in bytes. The server's notifications have 65,536 at most.
const MESSAGE_LIMIT: usize = 1 << 20;
/// How long a frame may wait to be written before the connection counts as broken.
const WRITE_LIMIT: Duration = Duration::from_secs(10);

/// Where to connect, and as whom.
pub(crate) struct Target {
    pub address: Address,
    pub surface: Surface,
    pub workspace: String,
    pub token: Arc<str>,
    pub position: Option<Position>,
    pub tls: Option<Arc<rustls::ClientConfig>>,
    pub clock: Arc<dyn Clock>,
}

/// Why there is no connection. `text` holds no part of the address, which may hold a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DialFault {
    /// There was an answer, of another kind. `problem` is the code of its problem document.
    Answered { status: u16, problem: Option<String>, retry_after_ms: Option<u64> },
    /// There was none.
    Failed(String),
}

/// What came of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Signal {
    /// A text frame.
    Text(String),
    /// Somebody is there.
    Alive,
    /// The server closed.
    Closed { code: u16, text: String },
    /// The connection ended without a close.
    Broken(String),
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// An open socket.
pub(crate) struct Connection {
    socket: WebSocketStream<Box<dyn Stream>>,
}

impl Connection {
    /// Opens a socket. The caller bounds the time.
    pub async fn dial(target: Target) -> Result<Self, DialFault> {
        let stream = open(&target).await.map_err(|error| fault(format!("no connection: {error}")))?;
        let address =
            target.address.socket(target.surface, &target.workspace, &target.token, target.position.as_ref());
        let mut request = address.into_client_request().map_err(|_| fault("the address can't be used"))?;
        if target.surface == Surface::Native {
            let mut bearer = HeaderValue::try_from(format!("Bearer {}", target.token))
                .map_err(|_| fault("the token can't be used in a header"))?;
            bearer.set_sensitive(true);
            request.headers_mut().insert("Authorization", bearer);
            request
                .headers_mut()
                .insert("Sec-WebSocket-Protocol", HeaderValue::from_static(native::PROTOCOL));
        }
        let config = WebSocketConfig::default()
            .max_message_size(Some(MESSAGE_LIMIT))
            .max_frame_size(Some(MESSAGE_LIMIT));
        match tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await {
            Ok((socket, _)) => Ok(Self { socket }),
            Err(SocketError::Http(answer)) => {
                let header = |name| answer.headers().get(name).map(HeaderValue::as_bytes);
                // The body as far as it came with the head, in one piece as the server writes it. Of one that comes in
                // pieces nothing is believed.
                let body = answer.body().as_deref().filter(|_| is_problem(header("content-type")));
                Err(DialFault::Answered {
                    status: answer.status().as_u16(),
                    problem: body.and_then(Problem::code_of),
                    retry_after_ms: retry_after::pause_ms(header("retry-after"), target.clock.now()),
                })
            }
            Err(error) => Err(fault(describe(&error))),
        }
    }

    /// What comes next. After `Closed` or `Broken` nothing does.
    ///
    /// # Cancel safety
    /// Nothing is lost if it is dropped.
    pub async fn next(&mut self) -> Signal {
        match self.socket.next().await {
            Some(Ok(Message::Text(text))) => Signal::Text(text.as_str().to_owned()),
            Some(Ok(Message::Close(frame))) => {
                let (code, text) = frame
                    .map_or((1005, String::new()), |frame| (frame.code.into(), frame.reason.to_string()));
                Signal::Closed { code, text }
            }
            Some(Ok(_)) => Signal::Alive,
            Some(Err(error)) => Signal::Broken(describe(&error)),
            None => Signal::Broken("ended without a close".into()),
        }
    }

    /// Writes a text frame.
    pub async fn send(&mut self, text: String) -> Result<(), String> {
        self.write(Message::text(text)).await
    }

    /// Writes a ping frame, which whoever speaks WebSocket answers.
    pub async fn ping(&mut self) -> Result<(), String> {
        self.write(Message::Ping(Bytes::new())).await
    }

    /// Says goodbye, or answers the server's, and lets go. Nobody waits for that.
    pub fn finish(mut self) {
        tokio::spawn(async move {
            let goodbye = CloseFrame { code: 1000.into(), reason: "".into() };
            let ended = async {
                if self.socket.close(Some(goodbye)).await.is_ok() {
                    while self.socket.next().await.is_some_and(|read| read.is_ok()) {}
                }
            };
            // The server has its own limit; who does not answer within this is not there.
            let _ = tokio::time::timeout(Duration::from_secs(2), ended).await;
        });
    }

    async fn write(&mut self, message: Message) -> Result<(), String> {
        match tokio::time::timeout(WRITE_LIMIT, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(describe(&error)),
            Err(_) => Err("the server does not read".into()),
        }
    }
}

async fn open(target: &Target) -> std::io::Result<Box<dyn Stream>> {
    let host = target.address.host();
    let stream = TcpStream::connect((host, target.address.port())).await?;
    stream.set_nodelay(true)?;
    let Some(tls) = &target.tls else { return Ok(Box::new(stream)) };
    let name = rustls::pki_types::ServerName::try_from(host.to_owned()).map_err(std::io::Error::other)?;
    Ok(Box::new(TlsConnector::from(Arc::clone(tls)).connect(name, stream).await?))
}

fn fault(text: impl Into<String>) -> DialFault {
    DialFault::Failed(text.into())
}

/// Says what failed without repeating what was sent.
fn describe(error: &SocketError) -> String {
    match error {
        SocketError::Io(error) => format!("the connection broke: {error}"),
        SocketError::ConnectionClosed | SocketError::AlreadyClosed => "the connection is closed".into(),
        SocketError::Protocol(error) => format!("the server broke the protocol: {error}"),
        SocketError::Capacity(error) => format!("the server's message is too long: {error}"),
        SocketError::Utf8(_) => "the server's message is not UTF-8".into(),
        _ => "the handshake failed".into(),
    }
}
