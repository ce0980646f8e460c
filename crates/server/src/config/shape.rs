//! Which options there are, read off the defaults: what refuses an unknown one and suggests the nearest.

use std::collections::BTreeMap;

use campanile_engine::WorkspaceConfig;
use campanile_model::Slug;
use toml::{Table, Value};

use super::{Config, ConfigError, Issuer, Key, Origin};

/// What may stand at one place of a configuration.
#[derive(Debug)]
pub(super) enum Shape {
    /// One value of this type.
    Value(Type),
    /// Values of one shape.
    List(Box<Shape>),
    /// Options by name.
    Section {
        /// Those that exist.
        keys: BTreeMap<String, Shape>,
        /// What stands under any workspace's slug.
        by_slug: Option<Box<Shape>>,
    },
}

/// The type of a value, as messages call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Text,
    Integer,
    Boolean,
}

impl Shape {
    /// The shape of the whole configuration.
    pub(super) fn of_config() -> Self {
        let mut whole = Self::of_section(&to_table(&Config::default()));
        if let Some(Self::Section { by_slug, .. }) = whole.child_mut("workspaces") {
            *by_slug = Some(Box::new(Self::of_section(&to_table(&WorkspaceConfig::default()))));
        }
        let lists = [
            ("keys", to_table(&Key::with_every_option())),
            ("issuers", to_table(&Issuer::with_every_option())),
        ];
        for (name, example) in lists {
            if let Some(list) = whole.child_mut("auth").and_then(|auth| auth.child_mut(name)) {
                *list = Self::List(Box::new(Self::of_section(&example)));
            }
        }
        whole
    }

    fn of_section(table: &Table) -> Self {
        let keys = table.iter().map(|(name, value)| (name.clone(), Self::of(value))).collect();
        Self::Section { keys, by_slug: None }
    }

    fn of(example: &Value) -> Self {
        match example {
            Value::Table(table) => Self::of_section(table),
            Value::Array(_) => Self::List(Box::new(Self::Value(Type::Text))),
            Value::Integer(_) => Self::Value(Type::Integer),
            Value::Boolean(_) => Self::Value(Type::Boolean),
            Value::String(_) | Value::Float(_) | Value::Datetime(_) => Self::Value(Type::Text),
        }
    }

    /// What stands under `name`.
    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Section { keys, by_slug } => {
                keys.get(name).or_else(|| by_slug.as_deref().filter(|_| Slug::new(name).is_ok()))
            }
            Self::Value(_) | Self::List(_) => None,
        }
    }

    fn child_mut(&mut self, name: &str) -> Option<&mut Self> {
        match self {
            Self::Section { keys, .. } => keys.get_mut(name),
            Self::Value(_) | Self::List(_) => None,
        }
    }

    /// Names of the options in this place.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let keys = match self {
            Self::Section { keys, .. } => Some(keys.keys().map(String::as_str)),
            Self::Value(_) | Self::List(_) => None,
        };
        keys.into_iter().flatten()
    }

    /// Every option with its section, such as `server.listen`, under `prefix`.
    pub(super) fn paths(&self, prefix: &str) -> Vec<String> {
        match self {
            Self::Section { keys, .. } => {
                keys.iter().flat_map(|(name, shape)| shape.paths(&join(prefix, name))).collect()
            }
            Self::Value(_) | Self::List(_) => vec![prefix.to_owned()],
        }
    }

    /// Refuses what is unknown or of another type in `value`, which stands at `path` of `origin`. `self` is
    /// the shape of that place, `whole` that of the configuration.
    pub(super) fn check(
        &self,
        whole: &Self,
        path: &str,
        value: &Value,
        origin: &Origin,
    ) -> Result<(), ConfigError> {
        match (self, value) {
            (Self::Section { by_slug, .. }, Value::Table(table)) => {
                table.iter().try_for_each(|(name, value)| {
                    let at = join(path, name);
                    match self.child(name) {
                        // An option that is misspelt, not a workspace: those have tables.
                        Some(_) if by_slug.is_some() && !self.has(name) && !value.is_table() => {
                            Err(self.unknown(whole, path, name, origin))
                        }
                        Some(shape) => shape.check(whole, &at, value, origin),
                        None if by_slug.is_some() && value.is_table() => Err(ConfigError::Invalid {
                            key: at,
                            got: None,
                            problem: campanile_model::IdError::Slug.to_string(),
                            origin: Some(origin.clone()),
                        }),
                        None => Err(self.unknown(whole, path, name, origin)),
                    }
                })
            }
            (Self::List(shape), Value::Array(values)) => values
                .iter()
                .enumerate()
                .try_for_each(|(i, value)| shape.check(whole, &format!("{path}[{i}]"), value, origin)),
            (Self::Value(Type::Text), Value::String(_))
            | (Self::Value(Type::Integer), Value::Integer(_))
            | (Self::Value(Type::Boolean), Value::Boolean(_)) => Ok(()),
            _ => Err(ConfigError::Invalid {
                key: path.to_owned(),
                got: None,
                problem: format!("must be {}, not {}", self.article(), of_type(value)),
                origin: Some(origin.clone()),
            }),
        }
    }

    fn has(&self, name: &str) -> bool {
        self.names().any(|known| known == name)
    }

    fn unknown(&self, whole: &Self, path: &str, name: &str, origin: &Origin) -> ConfigError {
        ConfigError::UnknownKey {
            key: join(path, name),
            origin: origin.clone(),
            nearest: nearest(name, self.names())
                .map(|near| join(path, near))
                .or_else(|| elsewhere(whole, name)),
            known: self.names().map(str::to_owned).collect(),
        }
    }

    /// As messages call it.
    pub(super) fn article(&self) -> &'static str {
        match self {
            Self::Value(Type::Text) => "text in quotes",
            Self::Value(Type::Integer) => "a whole number",
            Self::Value(Type::Boolean) => "true or false",
            Self::List(_) => "a list",
            Self::Section { .. } => "a table",
        }
    }
}

fn of_type(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "text",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a fraction",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::Table(_) => "a table",
    }
}

/// The one of `known` that `name` was probably meant to be: at most a third of its letters differ, and no more
/// than four.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let bound = name.chars().count().div_ceil(3).min(4);
    known
        .map(|candidate| (strsim::osa_distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= bound)
        .min()
        .map(|(_, candidate)| candidate)
}

/// The option of that name, or nearly, in another section.
fn elsewhere(whole: &Shape, name: &str) -> Option<String> {
    let last = |path: &String| path.rsplit('.').next().unwrap_or_default().to_owned();
    let paths = whole.paths("");
    let names: Vec<String> = paths.iter().map(last).collect();
    let near = nearest(name, names.iter().map(String::as_str))?;
    paths.into_iter().find(|path| last(path) == near)
}

pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// A struct of the configuration as a table.
pub(super) fn to_table(section: &impl serde::Serialize) -> Table {
    Table::try_from(section).expect("our own structs hold nothing that TOML cannot")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_every_option_by_path() {
        let whole = Shape::of_config();
        let paths = whole.paths("");
        for path in ["server.listen", "auth.keys", "surfaces.product.workspace", "workspaces.retention"] {
            assert!(paths.iter().any(|p| p == path), "{path} in {paths:?}");
        }
    }

    #[test]
    fn nearest_is_near() {
        let known = ["keepalive", "drain_timeout", "stall_timeout"];
        assert_eq!(nearest("keepalife", known.into_iter()), Some("keepalive"));
        assert_eq!(nearest("keep_alive", known.into_iter()), Some("keepalive"));
        assert_eq!(nearest("color", known.into_iter()), None);
    }

    #[test]
    fn a_name_in_the_wrong_section_is_found() {
        assert_eq!(elsewhere(&Shape::of_config(), "listen"), Some("server.listen".into()));
        assert_eq!(elsewhere(&Shape::of_config(), "keepalife"), Some("connection.keepalive".into()));
    }
}
