//! The sandbox from outside: a real pool, real processes.
#![allow(clippy::unwrap_used, reason = "a test's failure is its panic")]

mod support;

mod confinement;
mod documented;
mod hostile;
mod http;
mod limits;
mod pool;
mod rogue;
