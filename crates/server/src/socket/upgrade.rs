//! Handshakes on a connection that spoke HTTP before, as proxies that pool their connections make them.
//!
//! The 101 is the HTTP server's here, so two things differ from a handshake at the door: a newcomer that the
//! duel guard turns away gets its close after the upgrade instead of a 409 before it; and the place in the log
//! from which live delivery counts is read before the 101 is answered, not by the shard.
//!
//! The door sends here too whose token may be good by a key that is still to be fetched: a task can wait, the door
//! cannot.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use campanile_wire::Surface;
use campanile_wire::close::{self, Close};
use hyper::body::Incoming;
use hyper::upgrade::Upgraded;
use hyper::{Request, Response, Version, header};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::ask::Ask;
use super::async_stream::AsyncStream;
use super::attach::{Newcomer, Start};
use super::frames;
use super::handshake::{Decision, Handshakes};
use super::judge::Admitted;
use super::plain::Rewound;
use crate::http::problem::{self, Code};

/// How long the answer to a refusing close is waited for.
const LINGER: Duration = Duration::from_secs(2);

/// The surface whose upgrade a request asks for.
pub fn surface_of(request: &Request<Incoming>) -> Option<&'static Surface> {
    Surface::at(request.uri().path()).filter(|_| request.headers().contains_key(header::UPGRADE))
}

/// The answer to a handshake; what follows it is done in a task of its own.
pub async fn answer(
    request: Request<Incoming>,
    surface: &'static Surface,
    handshakes: &Arc<Handshakes>,
    peer: IpAddr,
) -> Response<Body> {
    let headers: Vec<_> =
        request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let minor = u8::from(request.version() == Version::HTTP_11);
    let peer = handshakes.client(peer, &headers);
    let accept = match handshakes.read(surface, request.method().as_str(), minor, headers.iter().copied()) {
        Ok(accept) => accept,
        Err((code, headers)) => {
            tracing::info!(status = code.status.as_u16(), cause = code.name, %peer, "connection refused");
            return refused(code, &headers, None);
        }
    };
    let ask = Ask::new(surface, request.uri().query().unwrap_or_default(), headers.iter().copied());
    let decision = handshakes.decide_at_leisure(&ask, peer).await;
    let follow_up = match decision {
        // Put off once, it is not put off again.
        Decision::Await => return refused(&problem::OVERLOADED, &[], Some(5)),
        Decision::Refuse(code, seconds) => return refused(code, &[], Some(seconds)),
        Decision::TurnAway(away) => FollowUp::Close(away.close),
        Decision::Admit(admitted) => match handshakes.start_of(surface, &admitted).await {
            Ok(start) => FollowUp::HandOver(admitted, start, handshakes.count()),
            Err(error) => {
                tracing::warn!(%error, "a connection can't be handed over from the log");
                return refused(&problem::STORAGE_UNAVAILABLE, &[], Some(5));
            }
        },
    };
    let handshakes = Arc::clone(handshakes);
    tokio::spawn(async move {
        match hyper::upgrade::on(request).await {
            Ok(upgraded) => follow(upgraded, follow_up, surface, &handshakes, peer).await,
            Err(error) => tracing::debug!(%error, "an upgrade was not completed"),
        }
    });
    switching(&accept, surface)
}

enum FollowUp {
    Close(&'static Close),
    HandOver(Admitted, Start, u64),
}

async fn follow(
    upgraded: Upgraded,
    follow_up: FollowUp,
    surface: &'static Surface,
    handshakes: &Handshakes,
    peer: IpAddr,
) {
    let Ok(parts) = upgraded.downcast::<TokioIo<Rewound>>() else {
        return tracing::error!("an upgraded connection is not one of ours");
    };
    let Rewound { read, mut stream, counted } = parts.io.into_inner();
    let (admitted, start, order) = match follow_up {
        FollowUp::Close(close) => return say_goodbye(&mut stream, surface, close).await,
        FollowUp::HandOver(admitted, start, order) => (admitted, start, order),
    };
    let mut rest = BytesMut::from(&parts.read_buf[..]);
    rest.extend_from_slice(&read);
    let stream = match stream.into_stream() {
        Ok(stream) => stream,
        Err(error) => return tracing::error!(%error, "an upgraded connection can't be handed over"),
    };
    let newcomer = Newcomer {
        stream,
        rest: rest.to_vec(),
        response: Bytes::new(),
        surface,
        workspace: admitted.workspace,
        user: admitted.user,
        expires_at: admitted.expires_at,
        mark: admitted.mark,
        start,
        order,
        peer,
        counted,
    };
    if let Err(newcomer) = handshakes.hand_over(Box::new(newcomer))
        && let Ok(mut stream) = AsyncStream::new(newcomer.stream)
    {
        say_goodbye(&mut stream, surface, &close::OVERLOADED).await;
    }
}

async fn say_goodbye(stream: &mut AsyncStream, surface: &Surface, close: &'static Close) {
    // A failure means that the peer is gone.
    if stream.write_all(&frames::close(surface, close)).await.is_ok() && stream.shutdown().await.is_ok() {
        let mut rest = [0; 1024];
        let drained = async { while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {} };
        let _waited = tokio::time::timeout(LINGER, drained).await;
    }
}

fn switching(accept: &campanile_ws::Accept, surface: &Surface) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = hyper::StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::UPGRADE, header::HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, header::HeaderValue::from_static("Upgrade"));
    // Base64 is a valid header value.
    if let Ok(key) = header::HeaderValue::from_str(accept.key()) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, key);
    }
    if let Some(ours) = surface.subprotocol
        && accept.protocols().iter().any(|offered| offered == ours)
    {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, header::HeaderValue::from_static(ours));
    }
    response
}

fn refused(code: &'static Code, headers: &[(&str, &str)], retry_after: Option<u64>) -> Response<Body> {
    use axum::response::IntoResponse as _;
    let mut problem = problem::Problem::new(code).detail(code.help);
    if let Some(seconds) = retry_after {
        problem = problem.retry_after(u32::try_from(seconds).unwrap_or(u32::MAX));
    }
    let mut response = problem.into_response();
    for (name, value) in headers.iter().chain(&[("Sec-WebSocket-Version", "13"), ("Connection", "close")]) {
        let name = header::HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, header::HeaderValue::from_str(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
