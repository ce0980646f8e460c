//! The crate as its users see it: plans at the edges of calendars, and plans stepped through by a clock,
//! each compared with a reference that counts minutes and knows no rules.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod edges;
mod minutes;
mod plans;
mod steps;
