//! The native surface as Server-Sent Events: `/v1/workspaces/{workspace}/stream`.
//!
//! The connection belongs to the HTTP server, so a pipe leads from the shard, which treats its end as any other of its
//! connections, to the body of the answer, which only passes on what comes.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use campanile_engine::access;
use campanile_wire::STREAM;
use futures_util::stream;

use super::Api;
use super::oidc::Peer;
use super::problem::{self, Problem};
use crate::socket::{Ask, Decision, Entered, Handshakes, Newcomer, Start};

/// Bytes passed on at once.
const CHUNK: usize = 16 * 1024;

/// Follow as a stream
///
/// What the native socket tells, as Server-Sent Events: `event` is the message's `type`, `data` the message, `id` the
/// horizon, which resumes as `Last-Event-ID`. The last event is `close`, with a code of the registry.
#[utoipa::path(
    get,
    path = "/v1/workspaces/{workspace}/stream",
    operation_id = "follow",
    tag = "inbox",
    params(
        ("workspace" = String, Path, description = "The workspace's slug"),
        ("ticket" = Option<String>, Query, description = "A one-time ticket, in place of the header"),
        ("epoch" = Option<String>, Query, description = "Resume: the lineage of `since`"),
        ("since" = Option<u64>, Query, description = "Resume: the place up to which everything is there"),
        ("rev" = Option<u64>, Query, description = "Resume: the revision of the read state that is there"),
        ("Last-Event-ID" = Option<String>, Header, description = "Resume: as the last event's `id`"),
    ),
    responses((status = 200, content_type = "text/event-stream", body = String, description = "The events, until either side ends them")),
    security(("bearer" = [])),
)]
pub async fn follow(
    State(api): State<Arc<Api>>,
    Extension(handshakes): Extension<Arc<Handshakes>>,
    Extension(Peer(peer)): Extension<Peer>,
    Path(workspace): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let query = query.unwrap_or_default();
    let given = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let ask = Ask::new(&STREAM, &query, given).within(&workspace);
    let admitted = match handshakes.decide_at_leisure(&ask, peer).await {
        Decision::Admit(admitted) => admitted,
        Decision::TurnAway(away) => return Err(Problem::new(away.code)),
        Decision::Refuse(code, seconds) => {
            return Err(Problem::new(code).retry_after(u32::try_from(seconds).unwrap_or(u32::MAX)));
        }
        Decision::Await => return Err(overloaded()),
    };
    if access::is_withdrawn(&api.engine, &admitted.workspace, &admitted.user).await? {
        return Err(Problem::new(&problem::WORKSPACE_REFUSED));
    }
    // Beside the connection itself, each end of the pipe is one.
    let (Some(counted), Some(our_end)) = (handshakes.enter(), handshakes.enter()) else {
        return Err(overloaded());
    };
    let (theirs, ours) = pipe().map_err(|error| {
        tracing::error!(%error, "a stream can't be opened");
        overloaded()
    })?;
    let newcomer = Newcomer {
        stream: theirs,
        rest: vec![],
        response: Bytes::new(),
        surface: &STREAM,
        workspace: admitted.workspace,
        user: admitted.user,
        expires_at: admitted.expires_at,
        mark: admitted.mark,
        start: Start::Replay(admitted.replay),
        order: handshakes.count(),
        peer,
        counted,
    };
    handshakes.hand_over(Box::new(newcomer)).map_err(|_| overloaded())?;
    let mut response = Body::from_stream(chunks((ours, our_end))).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // A proxy that gathers answers would hold back what is to be told at once.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

fn overloaded() -> Problem {
    Problem::new(&problem::OVERLOADED).retry_after(5)
}

/// The shard's end and ours.
fn pipe() -> std::io::Result<(crate::socket::Stream, tokio::net::UnixStream)> {
    let (theirs, ours) = UnixStream::pair()?;
    theirs.set_nonblocking(true)?;
    ours.set_nonblocking(true)?;
    // A shard reads, writes, polls and shuts down; all of that is the same for every connected socket.
    let theirs = mio::net::TcpStream::from_std(std::net::TcpStream::from(OwnedFd::from(theirs)));
    Ok((crate::socket::Stream::new(theirs, None), tokio::net::UnixStream::from_std(ours)?))
}

/// What comes, until the shard ends it. Dropped with the answer's body, it tells the shard that the client is gone.
fn chunks(from: (tokio::net::UnixStream, Entered)) -> impl stream::Stream<Item = std::io::Result<Bytes>> {
    stream::unfold(from, |(from, counted)| async {
        loop {
            // No buffer while nothing comes.
            if let Err(error) = from.readable().await {
                return Some((Err(error), (from, counted)));
            }
            let mut chunk = BytesMut::with_capacity(CHUNK);
            match from.try_read_buf(&mut chunk) {
                Ok(0) => return None,
                Ok(_) => return Some((Ok(chunk.freeze()), (from, counted))),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return Some((Err(error), (from, counted))),
            }
        }
    })
}
