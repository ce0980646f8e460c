//! Sockets: from accept to the shard that owns them.
//!
//! The `door` accepts, reads one request head, and judges it: plain HTTP goes to the HTTP server with the
//! bytes already read, a refusal is closed there, and an accepted connection moves to the `shard` of its
//! user, where it lives until it ends. `requests` is the way from a shard to the engine and back.

mod ask;
mod async_stream;
mod attach;
mod conn;
mod counts;
mod door;
mod drain;
mod emit;
mod ending;
mod frames;
mod gauge;
mod hammer;
mod handshake;
mod judge;
mod limits;
mod listen;
mod plain;
mod proxy_header;
mod query;
mod queue;
mod receive;
mod refuse;
mod requests;
mod revoke;
mod securing;
mod shard;
mod sockets;
mod stream;
mod upgrade;
mod visitor;
mod wheel;

pub use ask::Ask;
pub use attach::{Newcomer, Start};
pub use door::{Door, DoorConfig, DoorStop, Plain, Serves};
pub use gauge::{Entered, Gauge};
pub use hammer::{Caller, Hammer};
pub use handshake::{Decision, Handshakes, Room};
pub use judge::Judge;
pub use limits::{Descriptors, raise_descriptors};
pub use listen::listen;
pub use plain::serve_plain;
pub use queue::{Command, ShardHandle, Shards};
pub use requests::{Asked, CAPACITY as REQUESTS, answer_requests};
pub use shard::Shard;
pub use sockets::ShardConfig;
pub use stream::Stream;
