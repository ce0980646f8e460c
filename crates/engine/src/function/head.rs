//! What is to be known of every function at once, apart from its source: which events run it. In a document of its
//! own, so that all those of a workspace are a few hundred kilobytes.

use std::sync::Arc;

use campanile_model::Slug;
use campanile_rules::{Matcher, On};
use campanile_store::{Contents, Document, DocumentKind, DocumentWrite, Expect};
use serde::{Deserialize, Serialize};

use super::Source;
use crate::page;
use crate::{Engine, EngineError};

/// The group of these documents. No function's name has their prefix.
pub(super) const GROUP: &str = "head";
const PREFIX: &str = "head:";

/// What runs a function when something happens.
#[derive(Debug)]
pub(crate) struct Trigger {
    /// The function.
    pub(crate) function: Arc<str>,
    /// The events.
    pub(crate) matcher: Matcher,
}

#[derive(Serialize, Deserialize)]
struct Head {
    /// The events that run it. `None`: none do, or it is off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    on: Option<On>,
}

/// Says what `source` makes of the function; `None`: it is not there any more.
pub(super) fn document(name: &str, source: Option<&Source>) -> DocumentWrite {
    let put = source.map(|source| {
        let head = Head { on: source.on.clone().filter(|_| source.enabled) };
        let body = serde_json::to_string(&head).unwrap_or_default();
        Contents { group: GROUP.into(), due: None, expires: None, body: body.into() }
    });
    let id = format!("{PREFIX}{name}").into();
    DocumentWrite { kind: DocumentKind::Function, id, expect: Expect::Anything, put }
}

/// What runs the functions of `workspace`. One that can't be used any more is left out and logged.
///
/// # Errors
/// Those of the store.
pub(crate) async fn triggers(engine: &Engine, workspace: &Slug) -> Result<Vec<Trigger>, EngineError> {
    let compile = |document: &Document| -> Result<Option<Trigger>, EngineError> {
        let Head { on } = page::body(document)?;
        let function = document.id.strip_prefix(PREFIX).unwrap_or(&document.id).into();
        on.map(|on| Ok(Trigger { function, matcher: Matcher::compile(&on)? })).transpose()
    };
    let mut triggers = Vec::new();
    let look = |document: &Document| match compile(document) {
        Ok(trigger) => triggers.extend(trigger),
        Err(error) => {
            tracing::error!(%workspace, function = %document.id, %error, "a function's trigger can't be used");
        }
    };
    page::each(engine, workspace, DocumentKind::Function, Some(GROUP), look).await?;
    Ok(triggers)
}
