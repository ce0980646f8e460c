//! Tests of the client from outside: one binary.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod bench;
mod chaos;
mod clock;
mod conformance;
mod encrypted;
mod hangs;
mod kept;
mod lists;
mod outbox;
mod publisher;
mod scripted;
mod shown;
mod strangers;
mod token;
mod users;
mod waits;
