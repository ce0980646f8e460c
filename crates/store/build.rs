//! Says so where SQLite is compiled without what `.cargo/config.toml` asks for.
//!
//! Cargo reads that file from where it is called, not from where the package is, and leaves a variable alone that is set
//! already. Nothing else tells: the library works, and every commit flushes more than it needs to.

#![allow(clippy::print_stdout, reason = "how a build script speaks to Cargo")]

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=LIBSQLITE3_FLAGS");
    #[allow(clippy::disallowed_methods, reason = "the environment of the build, not of the server")]
    let flags = std::env::var("LIBSQLITE3_FLAGS").unwrap_or_default();
    if !flags.contains("HAVE_FDATASYNC") {
        println!(
            "cargo::warning=SQLite is built without fdatasync, so commits are slower: \
             set LIBSQLITE3_FLAGS to hold -DHAVE_FDATASYNC=1 (docs/decisions/0008-sqlite.md)"
        );
    }
}
