//! Connections that speak plain HTTP.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::response::IntoResponse as _;
use bytes::{Buf, Bytes};
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tower::ServiceExt as _;

use super::async_stream::AsyncStream;
use super::door::{MAX_HEAD, MAX_HEADERS, Plain};
use super::gauge::Entered;
use super::handshake::Handshakes;
use super::upgrade;
use crate::http::oidc::Peer;
use crate::http::problem::{self, Problem};

/// Serves plain connections until `stop` turns true; then lets those finish what they are at.
pub async fn serve_plain(
    mut plain: mpsc::Receiver<Plain>,
    router: Router,
    handshakes: Arc<Handshakes>,
    header_timeout: Duration,
    mut stop: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = stopped(&mut stop) => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            next = plain.recv() => match next {
                Some(next) => {
                    let (router, handshakes) = (router.clone(), Arc::clone(&handshakes));
                    connections.spawn(serve_one(next, router, handshakes, header_timeout, stop.clone()));
                }
                None => break,
            },
        }
    }
    while connections.join_next().await.is_some() {}
}

async fn serve_one(
    plain: Plain,
    router: Router,
    handshakes: Arc<Handshakes>,
    header_timeout: Duration,
    mut stop: watch::Receiver<bool>,
) {
    let stream = match AsyncStream::new(plain.stream) {
        Ok(stream) => stream,
        Err(error) => {
            tracing::error!(%error, "a connection can't be taken up");
            return;
        }
    };
    let (peer, serves) = (plain.peer, plain.serves);
    let io = TokioIo::new(Rewound { read: plain.read.into(), stream, counted: plain.counted });
    let service = service_fn(move |mut request: Request<Incoming>| {
        let (router, handshakes) = (router.clone(), Arc::clone(&handshakes));
        async move {
            if !crate::routes::is_served(serves, request.uri().path()) {
                return Ok(Problem::new(&problem::SERVED_ELSEWHERE).into_response());
            }
            match upgrade::surface_of(&request) {
                Some(surface) => Ok(upgrade::answer(request, surface, &handshakes, peer).await),
                None => {
                    let headers: Vec<_> = request
                        .headers()
                        .iter()
                        .map(|(name, value)| (name.as_str(), value.as_bytes()))
                        .collect();
                    let client = handshakes.client(peer, &headers);
                    request.extensions_mut().insert(Peer(client));
                    request.extensions_mut().insert(handshakes);
                    router.oneshot(request).await
                }
            }
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .serve_connection(io, service)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "an HTTP connection ended early");
    }
}

/// Ends once the server is to stop.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone, which is the end as well.
    let _ended = stop.wait_for(|stop| *stop).await.map(|_| ());
}

/// A stream whose first bytes were read already.
pub(super) struct Rewound {
    pub(super) read: Bytes,
    pub(super) stream: AsyncStream,
    /// Counts it as open.
    pub(super) counted: Entered,
}

impl AsyncRead for Rewound {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let len = self.read.len().min(buf.remaining());
        buf.put_slice(&self.read[..len]);
        self.read.advance(len);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Rewound {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
