//! One connection as a state machine: no sockets, no clock, no randomness.
//!
//! [`Session`] takes in what the client said (`handle_*`) and what time it is, and says what to do; it is
//! small enough to stand in a table of all connections. [`Handover`] exists only while a connection catches
//! up with the log. Times are [`Tick`]s of a monotonic clock; only the token's expiry is wall time.

mod badge;
mod handover;
mod quota;
mod session;
mod timing;

pub use badge::Badge;
pub use handover::{Cursor, Handover, Next};
pub use quota::Quota;
pub use session::{Due, Reaction, Session, Wanted};
pub use timing::{Tick, Timing};
