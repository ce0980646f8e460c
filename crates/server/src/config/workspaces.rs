//! `[workspaces]`: which workspaces there are, and what becomes of their notifications.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use campanile_engine::WorkspaceConfig;
use campanile_model::Slug;
use serde::de::{Error, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::range::{within, within_time};
use super::{ConfigError, duration};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// All workspaces' settings, and those of single ones by name (`[workspaces.<slug>]`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspaces {
    /// Whether a slug that a genuine token names in full exists. Default: true (the protocol, §7).
    pub auto_create: bool,
    /// How long an entry is kept, 1 d to 36,500 d in whole days; `None` (`"off"`): for ever. Default: 90 d
    /// (the protocol, §2).
    pub retention: Option<Duration>,
    /// Newest entries kept of each workspace, 0 to 1,000,000,000,000; 0: all. Default: 0.
    pub retention_entries: u64,
    /// How long an event and the record of a function's run are kept, 1 h to 36,500 d. Default: 7 d.
    pub event_retention: Duration,
    /// Names of metadata members that stand for secrets: such metadata is refused. Letters and digits alone are
    /// compared, in lower case. Default: [`campanile_rules::REFUSED_KEYS`].
    pub refused_keys: Vec<String>,
    /// Workspaces that exist by configuration, with their own settings. Default: none.
    pub named: BTreeMap<Slug, WorkspaceConfig>,
}

impl Default for Workspaces {
    fn default() -> Self {
        Self {
            auto_create: true,
            retention: Some(90 * DAY),
            retention_entries: 0,
            event_retention: 7 * DAY,
            refused_keys: campanile_rules::refused_by_default(),
            named: BTreeMap::new(),
        }
    }
}

impl Workspaces {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within_time("workspaces.retention", self.retention, "1d", "36500d")?;
        within("workspaces.retention_entries", self.retention_entries, 0..=1_000_000_000_000)?;
        within_time("workspaces.event_retention", Some(self.event_retention), "1h", "36500d")?;
        match self.retention {
            Some(kept) if kept.as_millis() % DAY.as_millis() != 0 => Err(ConfigError::invalid(
                "workspaces.retention",
                Some(duration::quoted(kept)),
                "must be whole days, such as \"90d\"",
            )),
            _ => Ok(()),
        }
    }
}

impl From<&Workspaces> for campanile_engine::Config {
    fn from(workspaces: &Workspaces) -> Self {
        let days = |kept: Duration| kept.as_secs() / DAY.as_secs();
        Self {
            auto_create: workspaces.auto_create,
            retention_days: workspaces.retention.map_or(0, |kept| u32::try_from(days(kept)).unwrap_or(0)),
            retention_entries: workspaces.retention_entries,
            event_retention_ms: i64::try_from(workspaces.event_retention.as_millis()).unwrap_or(i64::MAX),
            refused_keys: workspaces.refused_keys.clone(),
            named: workspaces.named.clone(),
        }
    }
}

impl Serialize for Workspaces {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("auto_create", &self.auto_create)?;
        map.serialize_entry("retention", &self.retention.map_or("off".into(), duration::show))?;
        map.serialize_entry("retention_entries", &self.retention_entries)?;
        map.serialize_entry("event_retention", &duration::show(self.event_retention))?;
        map.serialize_entry("refused_keys", &self.refused_keys)?;
        for (slug, settings) in &self.named {
            map.serialize_entry(slug, settings)?;
        }
        map.end()
    }
}

/// By hand, because the options and the slugs share one table and errors must name the key.
impl<'de> Deserialize<'de> for Workspaces {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Table;

        impl<'de> Visitor<'de> for Table {
            type Value = Workspaces;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Workspaces, M::Error> {
                let mut workspaces = Workspaces::default();
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "auto_create" => workspaces.auto_create = map.next_value()?,
                        "retention" => workspaces.retention = map.next_value::<duration::OrOff>()?.0,
                        "retention_entries" => workspaces.retention_entries = map.next_value()?,
                        "event_retention" => {
                            workspaces.event_retention = map.next_value::<duration::Text>()?.0
                        }
                        "refused_keys" => workspaces.refused_keys = map.next_value()?,
                        slug => {
                            let slug = Slug::new(slug).map_err(M::Error::custom)?;
                            workspaces.named.insert(slug, map.next_value()?);
                        }
                    }
                }
                Ok(workspaces)
            }
        }

        deserializer.deserialize_map(Table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_the_engines() {
        assert_eq!(
            campanile_engine::Config::from(&Workspaces::default()),
            campanile_engine::Config::default()
        );
    }

    #[test]
    fn retention_counts_whole_days() {
        let mut workspaces = Workspaces { retention: Some(DAY + DAY / 2), ..Workspaces::default() };
        assert!(workspaces.check().unwrap_err().to_string().contains("whole days"));
        workspaces.retention = None;
        workspaces.check().unwrap();
        assert_eq!(campanile_engine::Config::from(&workspaces).retention_days, 0);
    }

    #[test]
    fn written_and_read_back() {
        let text = "auto_create = false\nretention = \"off\"\nretention_entries = 5\n\n[acme]\nmode = \"realtime\"\n";
        let read: Workspaces = toml::from_str(text).unwrap();
        assert_eq!(read.named.len(), 1);
        assert_eq!(toml::from_str::<Workspaces>(&toml::to_string(&read).unwrap()).unwrap(), read);
    }
}
