//! Runs of functions.

use campanile_model::Timestamp;
use campanile_store::DocumentWrite;

use crate::book::Book;
use crate::event::Event;
use crate::{Engine, EngineError};

/// Whether `text` can be the hexadecimal id of a document.
pub(crate) fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

pub(crate) fn triggered(
    _engine: &Engine,
    _book: &Book,
    _event: &Event,
    _now: Timestamp,
) -> Vec<DocumentWrite> {
    Vec::new()
}

pub(crate) async fn start_due(_engine: &Engine, _now: Timestamp) -> Result<bool, EngineError> {
    Ok(false)
}
