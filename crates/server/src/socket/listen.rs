//! The listening socket.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use anyhow::Context as _;
use socket2::{Domain, Protocol, Socket, Type};

/// Connections the kernel completes before they are accepted: a burst of a thousand and more in one tick.
const BACKLOG: i32 = 4096;
/// Bytes unacknowledged for so long end a connection: with a ping every 25 s, a dead network is noticed
/// within a minute (the protocol, §2).
const UNACKNOWLEDGED: Duration = Duration::from_secs(35);

/// Binds and listens. What is set here, accepted connections inherit.
///
/// # Errors
/// The address is taken, or not this machine's.
pub fn listen(address: SocketAddr, keepalive: Option<Duration>) -> anyhow::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    if keepalive.is_some() {
        socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
    }
    socket.bind(&address.into()).with_context(|| format!("can't listen on {address}"))?;
    socket.listen(BACKLOG).with_context(|| format!("can't listen on {address}"))?;
    Ok(socket.into())
}
