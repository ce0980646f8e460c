//! From all sources to one configuration.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::shape::{Shape, to_table};
use super::{Config, ConfigError, Environment, Origin, Secret};

/// What the command line sets, over everything else.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--config`: the file.
    pub config: Option<PathBuf>,
    /// `--listen`: `server.listen`.
    pub listen: Option<SocketAddr>,
    /// `--data`: `server.data`.
    pub data: Option<PathBuf>,
}

impl Config {
    /// Merges the defaults, the file, the environment and the command line, the later winning, and refuses
    /// what is unknown or out of range.
    ///
    /// # Errors
    /// See [`ConfigError`]; the first one found.
    pub fn load(flags: &Flags, environment: &Environment) -> Result<Self, ConfigError> {
        let mut merged = Merged::new();
        if let Some(path) = flags.config.as_deref().or(environment.config_file()) {
            merged.add_file(path)?;
        }
        merged.add_environment(environment)?;
        let mut config = merged.finish()?;
        if let Some(listen) = flags.listen {
            config.server.listen = listen;
        }
        if let Some(data) = &flags.data {
            config.server.data.clone_from(data);
        }
        config.auth.secret = environment.secret().map(Secret::new);
        Ok(config)
    }

    /// Refuses what is out of range.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] for the first option that is.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.server.check()?;
        self.auth.check()?;
        self.tokens.check()?;
        self.connection.check()?;
        self.functions.check()?;
        self.surfaces.check()?;
        self.workspaces.check()?;
        self.store.check()?;
        self.log.check()
    }
}

/// The sources so far.
struct Merged {
    shape: Shape,
    table: Table,
    /// Which option came from where; the file, if it is in neither.
    origins: BTreeMap<String, Origin>,
    file: Option<PathBuf>,
}

impl Merged {
    fn new() -> Self {
        Self {
            shape: Shape::of_config(),
            table: to_table(&Config::default()),
            origins: BTreeMap::new(),
            file: None,
        }
    }

    fn add_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        let table: Table = text.parse().map_err(|error: toml::de::Error| {
            let start = error.span().map_or(0, |span| span.start.min(text.len()));
            let line = text.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count() + 1;
            ConfigError::Syntax { path: path.to_owned(), line, message: error.message().to_owned() }
        })?;
        let value = Value::Table(table);
        self.shape.check(&self.shape, "", &value, &Origin::File(path.to_owned()))?;
        if let Value::Table(table) = value {
            overlay(&mut self.table, table);
        }
        self.file = Some(path.to_owned());
        Ok(())
    }

    fn add_environment(&mut self, environment: &Environment) -> Result<(), ConfigError> {
        for (path, value, origin) in environment.options(&self.shape)? {
            let shape = path.iter().try_fold(&self.shape, |shape, name| shape.child(name));
            if let Some(shape) = shape {
                shape.check(&self.shape, &path.join("."), &value, &origin)?;
            }
            self.set(&path, value, origin);
        }
        Ok(())
    }

    fn set(&mut self, path: &[String], value: Value, origin: Origin) {
        self.origins.insert(path.join("."), origin);
        let nested = path
            .iter()
            .rev()
            .fold(value, |inner, name| Value::Table(Table::from_iter([(name.clone(), inner)])));
        if let Value::Table(table) = nested {
            overlay(&mut self.table, table);
        }
    }

    fn finish(self) -> Result<Config, ConfigError> {
        let read = serde_path_to_error::deserialize::<_, Config>(Value::Table(self.table.clone()));
        read.map_err(|error| {
            let key = error.path().to_string();
            let problem = error.inner().message().to_owned();
            ConfigError::Invalid { got: self.shown(&key), key, problem, origin: None }
        })
        .and_then(|config| config.check().map(|()| config))
        .map_err(|error| self.with_origin(error))
    }

    /// The value at `key` in TOML, unless it may be secret.
    fn shown(&self, key: &str) -> Option<String> {
        if key.starts_with("auth.keys") || key.starts_with("auth.issuers") {
            return None;
        }
        let mut parts = key.split('.');
        let first = self.table.get(parts.next()?)?;
        parts.try_fold(first, |value, name| value.get(name)).map(Value::to_string)
    }

    fn with_origin(&self, error: ConfigError) -> ConfigError {
        match error {
            ConfigError::Invalid { key, got, problem, origin: None } => {
                let from_file = || self.file.clone().map(Origin::File);
                let origin = self.origins.get(&key).cloned().or_else(from_file);
                ConfigError::Invalid { key, got, problem, origin }
            }
            other => other,
        }
    }
}

/// Sets in `base` what `over` holds, table by table.
fn overlay(base: &mut Table, over: Table) {
    for (name, value) in over {
        match (base.get_mut(&name), value) {
            (Some(Value::Table(base)), Value::Table(over)) => overlay(base, over),
            (_, value) => {
                base.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::DEFAULT_FILE;
    use super::*;

    #[test]
    fn the_default_file_is_the_default() {
        let written: Config = toml::from_str(DEFAULT_FILE).unwrap();
        assert_eq!(written, Config::default());
        let table: Table = DEFAULT_FILE.parse().unwrap();
        assert_eq!(table, to_table(&Config::default()), "the file names every option");
        Config::default().check().unwrap();
    }

    #[test]
    fn the_later_source_wins() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("campanile.toml");
        let text =
            "[connection]\nkeepalive = \"1m\"\nstall_timeout = \"3s\"\n[server]\nlisten = \"[::1]:1\"\n";
        std::fs::write(&file, text).unwrap();
        let environment = Environment::of([
            ("CAMPANILE_CONNECTION__KEEPALIVE", "off"),
            ("CAMPANILE_SERVER__LISTEN", "127.0.0.1:2"),
            ("CAMPANILE_SURFACES__WORKSPACE__IDLE_TIMEOUT", "off"),
        ]);
        let flags =
            Flags { config: Some(file), listen: Some("127.0.0.1:3".parse().unwrap()), ..Flags::default() };
        let config = Config::load(&flags, &environment).unwrap();
        assert_eq!(config.connection.stall_timeout, Duration::from_secs(3), "the file over the default");
        assert_eq!(config.connection.keepalive, None, "the environment over the file");
        assert_eq!(config.server.listen.port(), 3, "the command line over the environment");
        assert_eq!(config.connection.drain_timeout, Config::default().connection.drain_timeout);
        assert_eq!(config.surfaces.product, Config::default().surfaces.product);
    }

    #[test]
    fn errors_name_the_variable() {
        let error =
            Config::load(&Flags::default(), &Environment::of([("CAMPANILE_CONNECTION__OUTBOX_BYTES", "1")]));
        let text = error.unwrap_err().to_string();
        assert!(
            text.starts_with("CAMPANILE_CONNECTION__OUTBOX_BYTES: connection.outbox_bytes = 1: "),
            "{text}"
        );
    }
}
