//! The demo, as it is run and as the README shows it.

use std::path::PathBuf;
use std::process::Command;

/// The server that the environment names, or the one that was built with this test.
fn campanile() -> PathBuf {
    let built = PathBuf::from(env!("CARGO_BIN_EXE_rust-publisher-demo")).with_file_name("campanile");
    std::env::var_os("CAMPANILE_BIN").map_or(built, PathBuf::from)
}

#[test]
fn make_prints_what_the_readme_shows_to_the_letter() {
    let campanile = campanile();
    assert!(campanile.exists(), "build the server first: cargo build --package campanile-server");
    let made = Command::new("make")
        .args(["--silent", "--no-print-directory", "-C", env!("CARGO_MANIFEST_DIR")])
        .arg(format!("DEMO={}", env!("CARGO_BIN_EXE_rust-publisher-demo")))
        .env("CAMPANILE_BIN", campanile)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let shown = readme.split("```\n").find(|block| block.contains("is told:")).unwrap();
    assert_eq!(String::from_utf8_lossy(&made.stdout), shown);
}
