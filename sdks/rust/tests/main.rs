//! Tests of the client from outside: one binary.

mod chaos;
mod clock;
mod conformance;
mod kept;
mod publisher;
mod scripted;
mod token;
