//! The suite on both backends, each case on a new store.

use campanile_store::{Epochs, MemoryStore, Store, conformance};

use crate::support::{runtime, sqlite};

#[test]
fn memory_conforms() {
    runtime().block_on(conformance::run_all(async || {
        Box::new(MemoryStore::new(Epochs::seeded(1))) as Box<dyn Store>
    }));
}

#[test]
fn sqlite_conforms() {
    let dir = tempfile::tempdir().unwrap();
    let number = std::cell::Cell::new(0);
    runtime().block_on(conformance::run_all(async || {
        number.set(number.get() + 1);
        Box::new(sqlite(&dir.path().join(number.get().to_string()))) as Box<dyn Store>
    }));
}
