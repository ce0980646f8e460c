//! One binary: the conformance suite on both backends, properties on random histories, and what a
//! database file may meet.

#![allow(clippy::unwrap_used)] // a test that meets an error has failed, whichever line says so

mod backup;
mod buckets;
mod conformance;
mod crash;
mod damage;
mod documents;
mod erasure;
mod faults;
mod files;
mod histories;
mod predicate;
mod read_state;
mod removal;
mod replay;
mod support;
