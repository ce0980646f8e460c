//! RFC 6455 on the server's side, without I/O: bytes in, events out, frames encoded once.
//!
//! In reading order:
//!
//! 1. [`handshake`] judges the upgrade request, [`accept`] writes the `101`;
//! 2. `header` reads the beginning of a frame, `mask` takes the mask off, `close` knows the close codes;
//! 3. `utf8` and `message` gather what does not arrive in one piece, `frame` is a payload under way;
//! 4. [`decode`] is the connection's state, [`violation`] what a client can do wrong;
//! 5. [`encode`] makes the server's frames.
//!
//! ```
//! use campanile_ws::{Decoder, Event, Limits, encode_pong};
//!
//! let (mut decoder, limits) = (Decoder::new(), Limits::default());
//! let mut scratch = *b"\x81\x82\x01\x02\x03\x04ik"; // a masked "hi", as if just read from a socket
//! let mut consumed = 0;
//! while let Some(event) = decoder.next(&mut scratch, &mut consumed, &limits)? {
//!     assert_eq!(event, Event::Text("hi".into()));
//! }
//! assert!(decoder.is_idle());
//! assert_eq!(&encode_pong(b"hi")?[..], b"\x8A\x02hi");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// In reading order; the empty lines keep it from being sorted.
pub mod handshake;

pub mod accept;

mod header;
mod mask;

pub mod close;

mod utf8;

mod message;

mod input;

mod frame;

pub mod decode;
pub mod violation;

pub mod encode;

pub use accept::Accept;
pub use decode::{Decoder, Event, Limits};
pub use encode::{ControlTooLong, FrameBuilder, encode_close, encode_ping, encode_pong};
pub use handshake::{HandshakeError, check};
pub use violation::Violation;
