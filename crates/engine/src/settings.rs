//! A workspace's settings: whose calendar counts, and when a product's expiry is told.

use campanile_expiry::{Ladder, Zone};
use campanile_model::{Slug, Timestamp, UserId};
use campanile_store::{Change, Contents, DocumentKind, DocumentWrite, Expect, document};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::event::{Cause, Event, commit, source};
use crate::product::replan_job;
use crate::{Engine, EngineError, page};

/// The one document of its kind.
const ID: &str = "settings";

/// What a workspace can be set to. A member that is absent has its default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Settings {
    /// The IANA name of the time zone whose calendar counts. Default: `UTC`.
    #[schema(value_type = String, required = false, default = "UTC", example = "Europe/Berlin")]
    pub time_zone: Zone,
    /// When the expiry of products is told that have no ladder of their own.
    #[schema(required = false)]
    pub ladder: Ladder,
}

/// Settings with the state they are in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// What is set.
    pub settings: Settings,
    /// The state; 0: nothing was ever set.
    pub version: u64,
}

/// Reads the settings of `workspace`.
///
/// # Errors
/// Those of the store.
pub async fn load(engine: &Engine, workspace: &Slug) -> Result<Stored, EngineError> {
    match document(&*engine.store, workspace, DocumentKind::Settings, ID).await? {
        Some(found) => Ok(Stored { settings: page::body(&found)?, version: found.version }),
        None => Ok(Stored { settings: Settings::default(), version: 0 }),
    }
}

/// Sets what `workspace` is set to, if it is in the state `expected` (any, if none is named). Products whose
/// rungs follow from the settings are planned anew in the background.
///
/// # Errors
/// [`EngineError::Changed`]; those of the store.
pub async fn replace(
    engine: &Engine,
    workspace: &Slug,
    settings: Settings,
    expected: Option<u64>,
    actor: &UserId,
    now: Timestamp,
) -> Result<Stored, EngineError> {
    let before = load(engine, workspace).await?;
    if expected.is_some_and(|expected| expected != before.version) {
        return Err(EngineError::Changed { what: "settings" });
    }
    if before.settings == settings && before.version > 0 {
        return Ok(before);
    }
    let is_other = [
        ("timeZone", before.settings.time_zone != settings.time_zone),
        ("ladder", before.settings.ladder != settings.ladder),
    ];
    let changed: Vec<_> = is_other.into_iter().filter(|(_, other)| *other).map(|(name, _)| name).collect();
    let body = serde_json::to_string(&settings).unwrap_or_default();
    let expect = if before.version == 0 { Expect::Absent } else { Expect::Version(before.version) };
    let put = Contents { group: "".into(), due: None, expires: None, body: body.into() };
    let mut change = Change::default();
    change.documents.push(DocumentWrite {
        kind: DocumentKind::Settings,
        id: ID.into(),
        expect,
        put: Some(put),
    });
    if !changed.is_empty() {
        change.documents.push(replan_job(now));
    }
    let event = Event {
        id: (engine.ids)(now).to_string(),
        source: source::WORKSPACE.to_owned(),
        kind: "workspace.updated".to_owned(),
        subject: None,
        time: now,
        actor: Some(actor.clone()),
        hops: 0,
        data: json!({ "changed": changed }).into(),
    };
    let committed = commit(engine, workspace, Cause { change, events: vec![event] }, now).await;
    engine.books.forget(workspace);
    let version = committed.map_err(|error| error.changed("settings"))?.appended.versions[0];
    Ok(Stored { settings, version })
}
