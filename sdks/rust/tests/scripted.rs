//! A server of which a test plays every word: sockets and requests come in, and the test answers.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use tokio_tungstenite::tungstenite::{Bytes, Message};

/// Bytes to and from a client.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for S {}

/// How many of anything wait for the test.
const LIMIT: usize = 4_096;

/// The server.
pub(crate) struct Scripted {
    pub(crate) address: SocketAddr,
    pub(crate) dials: mpsc::Receiver<Dial>,
    pub(crate) requests: mpsc::Receiver<Request>,
    pub(crate) refusals: Refusals,
}

/// What the next upgrades are answered with, one each: status, headers, body.
pub(crate) type Refusals = Arc<Mutex<VecDeque<(u16, Vec<(&'static str, String)>, String)>>>;

/// A socket that was opened.
pub(crate) struct Dial {
    pub(crate) query: HashMap<String, String>,
    pub(crate) bearer: Option<String>,
    /// Text frames of the client.
    pub(crate) frames: mpsc::Receiver<String>,
    /// Resolves once the client said its close.
    pub(crate) closed: Option<oneshot::Receiver<()>>,
    orders: mpsc::Sender<Order>,
}

/// A request that waits for its answer.
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: HashMap<String, String>,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
    answer: oneshot::Sender<Answer>,
}

/// What a request is answered. `None`: the connection breaks without an answer.
pub(crate) type Answer = Option<(u16, Vec<(&'static str, String)>, Value)>;

enum Order {
    /// A frame, and word once the client has taken it in.
    Send(String, oneshot::Sender<()>),
    Close(u16, String),
    Cut,
    HalfFrame,
    Silence,
}

impl Scripted {
    pub(crate) async fn start() -> Self {
        Self::start_with(None).await
    }

    /// One that speaks TLS.
    pub(crate) async fn start_tls(tls: rustls::ServerConfig) -> Self {
        Self::start_with(Some(TlsAcceptor::from(Arc::new(tls)))).await
    }

    async fn start_with(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (dialled, dials) = mpsc::channel(LIMIT);
        let (requested, requests) = mpsc::channel(LIMIT);
        let refusals = Refusals::default();
        let refused = Arc::clone(&refusals);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, dialled, requested) = (tls.clone(), dialled.clone(), requested.clone());
                let refused = Arc::clone(&refused);
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, dialled, requested, refused).await,
                        // Who does not trust this server ends the handshake.
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, dialled, requested, refused).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, dials, requests, refusals }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Dial {
    /// Sends a frame, and waits until the client has taken it in. False: it is gone.
    pub(crate) async fn send(&self, text: String) -> bool {
        let (taken, word) = oneshot::channel();
        self.orders.send(Order::Send(text, taken)).await.is_ok() && word.await.is_ok()
    }

    pub(crate) async fn close(&self, code: u16, reason: &str) {
        let _ = self.orders.send(Order::Close(code, reason.to_owned())).await;
    }

    pub(crate) async fn fault(&self, kind: &str) {
        let order = match kind {
            "cut" => Order::Cut,
            "half_frame" => Order::HalfFrame,
            "silence" => Order::Silence,
            other => panic!("an unknown fault: {other}"),
        };
        let _ = self.orders.send(order).await;
    }
}

impl Request {
    /// Answers with these headers. A body with a `code` is declared as a problem, unless they say what it is.
    pub(crate) fn answer(self, status: u16, mut headers: Vec<(&'static str, String)>, body: Value) {
        let is_declared = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        if !is_declared && body.get("code").is_some() {
            headers.push(("Content-Type", "application/problem+json".to_owned()));
        }
        let _ = self.answer.send(Some((status, headers, body)));
    }

    pub(crate) fn break_off(self) {
        let _ = self.answer.send(None);
    }
}

async fn serve<S: Stream>(
    mut stream: S,
    dialled: mpsc::Sender<Dial>,
    requested: mpsc::Sender<Request>,
    refused: Refusals,
) {
    loop {
        let Some((head, mut rest)) = head(&mut stream).await else { return };
        let mut lines = head.split("\r\n");
        let mut words = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let headers: HashMap<String, String> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let (path, query) = split(&target);
        if let Some(key) = headers.get("sec-websocket-key") {
            let refusal = refused.lock().unwrap().pop_front();
            if let Some((status, headers, body)) = refusal {
                let _ = stream.write_all(&answer(status, &headers, &body)).await;
                return;
            }
            let mut answer = format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n",
                derive_accept_key(key.as_bytes())
            );
            if let Some(protocol) = headers.get("sec-websocket-protocol") {
                answer += &format!("Sec-WebSocket-Protocol: {protocol}\r\n");
            }
            stream.write_all((answer + "\r\n").as_bytes()).await.unwrap();
            let socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
            let (framed, frames) = mpsc::channel(LIMIT);
            let (orders, taken) = mpsc::channel(LIMIT);
            let (said, closed) = oneshot::channel();
            let bearer = headers
                .get("authorization")
                .and_then(|value| value.strip_prefix("Bearer "))
                .map(str::to_owned);
            let _ = dialled.send(Dial { query, bearer, frames, closed: Some(closed), orders }).await;
            play(socket, framed, taken, said).await;
            return;
        }
        let length: usize = headers.get("content-length").map_or(0, |value| value.parse().unwrap());
        while rest.len() < length {
            if stream.read_buf(&mut rest).await.unwrap_or(0) == 0 {
                return;
            }
        }
        let (reply, answered) = oneshot::channel();
        let _ = requested.send(Request { method, path, query, headers, body: rest, answer: reply }).await;
        let Ok(Some((status, headers, body))) = answered.await else { return };
        let body = if body.is_null() { String::new() } else { body.to_string() };
        if stream.write_all(&answer(status, &headers, &body)).await.is_err() {
            return;
        }
    }
}

fn answer(status: u16, headers: &[(&'static str, String)], body: &str) -> Vec<u8> {
    let mut answer = format!("HTTP/1.1 {status} Status\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        answer += &format!("{name}: {value}\r\n");
    }
    (answer + "\r\n" + body).into_bytes()
}

/// Plays one socket until it ends.
async fn play<S: Stream>(
    mut socket: WebSocketStream<S>,
    framed: mpsc::Sender<String>,
    mut orders: mpsc::Receiver<Order>,
    said: oneshot::Sender<()>,
) {
    let mut waiting: HashMap<u32, oneshot::Sender<()>> = HashMap::new();
    let mut number = 0_u32;
    let mut said = Some(said);
    let mut silent = false;
    loop {
        tokio::select! {
            order = orders.recv() => match order {
                None => return,
                Some(Order::Send(text, taken)) => {
                    number += 1;
                    waiting.insert(number, taken);
                    // The answer to the ping proves that the frame before it was taken in.
                    let sent = async {
                        socket.feed(Message::text(text)).await?;
                        socket.send(Message::Ping(Bytes::copy_from_slice(&number.to_be_bytes()))).await
                    };
                    if sent.await.is_err() {
                        waiting.clear();
                    }
                }
                Some(Order::Close(code, reason)) => {
                    let _ = socket.send(Message::Close(Some(CloseFrame { code: code.into(), reason: reason.into() }))).await;
                }
                Some(Order::Cut) => return,
                Some(Order::HalfFrame) => {
                    let _ = socket.get_mut().write_all(&[0x81, 0x7e, 0x01, 0x00, b'{', b'"']).await;
                    return;
                }
                Some(Order::Silence) => silent = true,
            },
            read = socket.next(), if !silent => match read {
                Some(Ok(Message::Text(text))) => {
                    let _ = framed.send(text.as_str().to_owned()).await;
                }
                Some(Ok(Message::Pong(payload))) => {
                    if let Ok(number) = <[u8; 4]>::try_from(payload.as_ref())
                        && let Some(taken) = waiting.remove(&u32::from_be_bytes(number))
                    {
                        let _ = taken.send(());
                    }
                }
                Some(Ok(Message::Close(_))) => {
                    if let Some(said) = said.take() {
                        let _ = said.send(());
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            }
        }
    }
}

async fn head<S: Stream>(stream: &mut S) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            return Some((String::from_utf8(bytes).ok()?, rest));
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

fn split(target: &str) -> (String, HashMap<String, String>) {
    let url = reqwest::Url::parse(&format!("http://server{target}")).unwrap();
    (url.path().to_owned(), url.query_pairs().into_owned().collect())
}
