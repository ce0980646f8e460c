//! Standard output, which may go away at any time.

use std::io::{self, Write};

use super::Failure;

/// Prints one line and lets it go at once.
///
/// # Errors
/// [`Failure::ReaderGone`] if nobody reads any more.
pub fn line(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::ReaderGone,
        _ => Failure::caused("cannot write to standard output", &error),
    })
}
