//! How workspaces behave.

use std::collections::BTreeMap;

use campanile_model::Slug;
use serde::{Deserialize, Serialize};

/// What becomes of a workspace's notifications.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// They are kept: every publish is durable unless it says otherwise.
    #[default]
    Inbox,
    /// They are delivered to whoever is connected and forgotten, as the workspace documents say.
    Realtime,
}

/// Where the event's name goes in entries of Campanile's own sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TypeStyle {
    /// Name in `type`, level in `metadata.level`.
    #[default]
    Event,
    /// Level in `type`, name in `metadata.event`.
    Level,
}

/// One workspace's own settings.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorkspaceConfig {
    /// Default: [`Mode::Inbox`].
    pub mode: Mode,
    /// Default: [`TypeStyle::Event`].
    pub type_style: TypeStyle,
}

/// All workspaces' settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Whether a slug that a genuine token names in full exists. Default: true.
    pub auto_create: bool,
    /// Days an entry is kept; 0: for ever. Default: 90.
    pub retention_days: u32,
    /// Newest entries kept of each workspace; 0: all. Default: 0.
    pub retention_entries: u64,
    /// Milliseconds an event, and the record of a function's run, is kept. Default: 7 days.
    pub event_retention_ms: i64,
    /// Names of metadata members that stand for secrets: such metadata is refused.
    /// Default: [`campanile_rules::REFUSED_KEYS`].
    pub refused_keys: Vec<String>,
    /// Workspaces that exist by configuration, with their settings.
    pub named: BTreeMap<Slug, WorkspaceConfig>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            auto_create: true,
            retention_days: 90,
            retention_entries: 0,
            event_retention_ms: 7 * 24 * 60 * 60 * 1000,
            refused_keys: campanile_rules::refused_by_default(),
            named: BTreeMap::new(),
        }
    }
}
