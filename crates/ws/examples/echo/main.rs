//! Returns every message. For Autobahn and other clients that test the protocol.
//!
//! `cargo run --release -p campanile-ws --example echo -- [ADDRESS] [MAX_MESSAGE_BYTES] [MAX_FRAGMENTS]`
//!
//! Defaults: 127.0.0.1:9001, and limits wide enough for the suite's largest messages (16 MiB).

mod serve;

use std::net::TcpListener;

use campanile_ws::Limits;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let address = args.next().unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    let limits = Limits {
        max_message_bytes: args.next().map_or(Ok(64 * 1024 * 1024), |arg| arg.parse())?,
        max_fragments: args.next().map_or(Ok(1_000_000), |arg| arg.parse())?,
    };
    let listener = TcpListener::bind(&address)?;
    eprintln!("echo on ws://{}, {limits:?}", listener.local_addr()?);
    serve::serve(&listener, limits)?;
    Ok(())
}
