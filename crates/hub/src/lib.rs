//! Who is connected to a shard, and how one entry reaches them all.
//!
//! A shard owns one [`Registry`] and one [`Fanout`]. It knows no sockets: whoever owns them implements
//! [`Sink`]. It knows no store either: entries come in the order they are to be seen.

mod duel;
mod fanout;
mod outbox;
mod registry;
mod run;

pub use duel::{Duel, DuelVerdict};
pub use fanout::{Budget, Fanout, Sink};
pub use outbox::{Full, Outbox};
pub use registry::{Registry, RoomId, Slot, UserKey};
pub use run::{Delivery, Run, Said};
