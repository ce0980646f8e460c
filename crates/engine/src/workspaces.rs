//! Which workspaces there are.

use std::collections::HashSet;
use std::sync::RwLock;

use campanile_model::Slug;

use crate::config::{Config, Mode};

/// The workspaces that exist by configuration or because something was stored in them.
pub struct Workspaces {
    config: Config,
    stored: RwLock<HashSet<Slug>>,
}

impl Workspaces {
    /// Starts from the configuration and what the store holds.
    pub fn new(config: Config, stored: impl IntoIterator<Item = Slug>) -> Self {
        Self { config, stored: RwLock::new(stored.into_iter().collect()) }
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Whether `slug` exists for a caller whose token names it in full (`"*"` does not) or not. A slug
    /// named in full comes to exist where `auto_create` is on; it is stored with its first durable write.
    pub fn exists(&self, slug: &Slug, named_in_full: bool) -> bool {
        (self.config.auto_create && named_in_full)
            || self.config.named.contains_key(slug)
            || self.stored.read().is_ok_and(|stored| stored.contains(slug))
    }

    /// Remembers that something was stored in `slug`.
    pub fn note_stored(&self, slug: &Slug) {
        if self.stored.read().is_ok_and(|stored| stored.contains(slug)) {
            return;
        }
        if let Ok(mut stored) = self.stored.write() {
            stored.insert(slug.clone());
        }
    }

    /// All that exist, by name: those of the configuration, and those in which something was stored.
    pub fn all(&self) -> Vec<Slug> {
        let mut all: Vec<Slug> = self.config.named.keys().cloned().collect();
        if let Ok(stored) = self.stored.read() {
            all.extend(stored.iter().cloned());
        }
        all.sort();
        all.dedup();
        all
    }

    /// Its own settings, by configuration.
    pub fn settings_of(&self, slug: &Slug) -> crate::WorkspaceConfig {
        self.config.named.get(slug).cloned().unwrap_or_default()
    }

    /// What becomes of its notifications.
    pub fn mode(&self, slug: &Slug) -> Mode {
        self.config.named.get(slug).map_or(Mode::Inbox, |w| w.mode)
    }
}
