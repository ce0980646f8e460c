//! Functions of a workspace.

use campanile_model::{Slug, Timestamp};
use campanile_store::Document;

use crate::{Engine, EngineError};

/// What runs a function when something happens.
#[derive(Debug)]
pub(crate) struct Trigger;

pub(crate) fn trigger(_workspace: &Slug, _document: &Document) -> Option<Trigger> {
    None
}

pub(crate) async fn trigger_due(_engine: &Engine, _now: Timestamp) -> Result<bool, EngineError> {
    Ok(false)
}
