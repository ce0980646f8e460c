//! Work beside the loop: it ends with whoever wants it, and says so where it fails.

use std::io;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use tokio::task::AbortHandle;

use crate::error::Cause;
use crate::state::TokenReason;
use crate::token::{Token, TokenSource};

/// Work that ends when this is dropped, however far it got: a server that never answers, or a callback, holds nothing.
pub(super) struct Task(AbortHandle);

impl From<AbortHandle> for Task {
    fn from(handle: AbortHandle) -> Self {
        Self(handle)
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Asks for a token. A callback that panics has failed.
pub(super) async fn ask(tokens: TokenSource, reason: TokenReason) -> Result<Option<Token>, Cause> {
    let asked = AssertUnwindSafe(tokens.token(reason)).catch_unwind().await;
    asked.unwrap_or_else(|_| Err("the token callback panicked".into()))
}

/// Calls a storage, where it may block. One that panics has failed.
pub(super) async fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let called = tokio::task::spawn_blocking(call).await;
    called.unwrap_or_else(|panic| Err(io::Error::other(panic)))
}
