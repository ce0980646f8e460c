//! WebSocket clients that share no code with the server.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::http::Answer;

/// How long a test waits for what must come. Generous: it only ends tests that fail.
pub const WAIT: Duration = Duration::from_secs(20);

/// How long a test waits for what the server has sent already. It is the reader's own time that this bounds, not the
/// server's, so it says nothing about how busy the machine is.
pub const BY_NOW: Duration = Duration::from_secs(1);

/// Bytes to and from a server, with or without TLS.
pub trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// A connected client.
pub struct Client {
    socket: WebSocketStream<Box<dyn Io>>,
}

/// An upgrade that was refused.
#[derive(Debug)]
pub struct Refused {
    /// The HTTP status.
    pub status: u16,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<u64>,
}

impl Client {
    /// Connects, or says how the upgrade was refused.
    pub async fn try_connect(to: SocketAddr, path: &str) -> Result<Self, Refused> {
        let stream = TcpStream::connect(to).await.expect("the server listens");
        stream.set_nodelay(true).expect("an option of TCP");
        Self::try_over(Box::new(stream), path).await
    }

    /// Connects over a stream that is there, or says how the upgrade was refused.
    pub async fn try_over(stream: Box<dyn Io>, path: &str) -> Result<Self, Refused> {
        let connecting = tokio_tungstenite::client_async(format!("ws://127.0.0.1{path}"), stream);
        match tokio::time::timeout(WAIT, connecting).await.expect("an answer to the upgrade") {
            Ok((socket, _)) => Ok(Self { socket }),
            Err(Error::Http(response)) => {
                let retry_after = response.headers().get("retry-after");
                let retry_after = retry_after.map(|v| v.to_str().unwrap().parse().unwrap());
                Err(Refused { status: response.status().as_u16(), retry_after })
            }
            Err(error) => panic!("no HTTP answer to the upgrade: {error}"),
        }
    }

    /// Connects.
    pub async fn connect(to: SocketAddr, path: &str) -> Self {
        Self::try_connect(to, path).await.unwrap_or_else(|refused| panic!("refused: {refused:?}"))
    }

    /// The next message of any kind.
    pub async fn next(&mut self) -> Message {
        tokio::time::timeout(WAIT, self.socket.next())
            .await
            .expect("a message in time")
            .expect("a message before the end")
            .unwrap_or_else(|error| panic!("no clean end: {error}"))
    }

    /// The next text, or else the close that ends the connection, and then its end. Pings are answered by the library
    /// on the way.
    ///
    /// # Errors
    /// Code and reason of the close.
    pub async fn hear(&mut self) -> Result<String, (u16, String)> {
        match self.frame().await {
            Err(text) => Ok(text),
            Ok(closed) => {
                self.end().await;
                Err(closed)
            }
        }
    }

    /// The next text.
    pub async fn text(&mut self) -> String {
        self.hear().await.unwrap_or_else(|closed| panic!("a text was expected, not the close {closed:?}"))
    }

    /// The next text as JSON.
    pub async fn json(&mut self) -> Value {
        let text = self.text().await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("not JSON ({error}): {text}"))
    }

    /// The close that ends the connection, with nothing but pings and pongs before it; then its end.
    pub async fn close(&mut self) -> (u16, String) {
        match self.hear().await {
            Ok(text) => panic!("a close was expected, not {text}"),
            Err(closed) => closed,
        }
    }

    /// The same, where the close has to be here by now: something has been received that the server did after it.
    pub async fn close_by_now(&mut self) -> (u16, String) {
        let close = tokio::time::timeout(BY_NOW, self.frame()).await.expect("the close is here by now");
        self.end().await;
        close.unwrap_or_else(|text| panic!("a close was expected, not {text}"))
    }

    /// Lets the library echo a close, then sees the server end the TCP connection.
    async fn end(&mut self) {
        let end = tokio::time::timeout(WAIT, self.socket.next()).await.expect("an end in time");
        assert!(end.is_none(), "after the close: {end:?}");
        // As every client does once the server has half-closed.
        let _shut = self.socket.get_mut().shutdown().await;
    }

    /// The next close, or else text.
    async fn frame(&mut self) -> Result<(u16, String), String> {
        loop {
            match self.next().await {
                Message::Text(text) => return Err(text.to_string()),
                Message::Close(Some(frame)) => return Ok((frame.code.into(), frame.reason.to_string())),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("neither a text nor a close: {other:?}"),
            }
        }
    }

    /// Sends a text.
    pub async fn send(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.expect("the text is taken");
    }

    /// Sends any message; a failure is the caller's to judge.
    pub async fn send_message(&mut self, message: Message) -> Result<(), Error> {
        self.socket.send(message).await
    }

    /// Closes with 1000 and sees the server end the connection.
    pub async fn leave(mut self) {
        let frame = tokio_tungstenite::tungstenite::protocol::CloseFrame {
            code: CloseCode::Normal,
            reason: "".into(),
        };
        self.socket.close(Some(frame)).await.expect("the close is taken");
        while let Ok(Some(message)) = tokio::time::timeout(WAIT, self.socket.next()).await {
            if message.is_err() {
                return;
            }
        }
    }

    /// Gone without a word.
    pub fn vanish(self) {
        drop(self);
    }
}

/// Upgrades by hand, for what no library would send. Returns the answer, and the stream if it was a 101.
pub async fn raw_upgrade(to: SocketAddr, path: &str) -> (Answer, TcpStream) {
    let mut stream = TcpStream::connect(to).await.expect("the server listens");
    let answer = upgrade_on(&mut stream, path).await;
    (answer, stream)
}

/// Upgrades a connection by hand, whatever it was used for before.
pub async fn upgrade_on(stream: &mut TcpStream, path: &str) -> Answer {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.expect("the request is taken");
    read_head(stream).await
}

/// Reads an answer's head, and nothing behind it.
pub async fn read_head(stream: &mut TcpStream) -> Answer {
    let mut head = vec![];
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        let read = tokio::time::timeout(WAIT, stream.read(&mut byte)).await.expect("an answer in time");
        assert_eq!(read.expect("an answer"), 1, "the connection ended in its answer's head");
        head.push(byte[0]);
    }
    Answer::parse(&head)
}

/// One masked client frame, whatever it holds.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x12, 0x34, 0x56, 0x78];
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..=125 => bytes.push(0x80 | u8::try_from(len).unwrap()),
        len @ 126..=65_535 => {
            bytes.push(0x80 | 126);
            bytes.extend(u16::try_from(len).unwrap().to_be_bytes());
        }
        len => {
            bytes.push(0x80 | 127);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    bytes.extend(mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(b, m)| b ^ m));
    bytes
}
