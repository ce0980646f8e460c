//! The environment: read here and nowhere else, and handed on as a map.
//!
//! `CAMPANILE_<SECTION>__<KEY>` sets any option: `CAMPANILE_SERVER__LISTEN`,
//! `CAMPANILE_SURFACES__WORKSPACE__IDLE_TIMEOUT`, `CAMPANILE_WORKSPACES__MY_WORKSPACE__MODE`. Text needs no
//! quotes; lists are written as in TOML. Variables without a section are [`NAMES`]; others are not ours
//! (a container platform sets `CAMPANILE_PORT` and the like for a service of that name) and are left alone.

use std::collections::BTreeMap;
use std::path::Path;

use toml::Value;

use super::shape::{Shape, Type, join, nearest};
use super::{ConfigError, Origin};

const PREFIX: &str = "CAMPANILE_";
/// The configuration file, where `--config` is not given.
pub const CONFIG: &str = "CAMPANILE_CONFIG";
/// An HS256 key.
pub const SECRET: &str = "CAMPANILE_SECRET";
/// The token of `send` and `listen`.
pub const TOKEN: &str = "CAMPANILE_TOKEN";
/// Variables that stand for no option, with what they do.
pub const NAMES: [(&str, &str); 3] = [
    (CONFIG, "the configuration file, where `--config` is not given"),
    (
        SECRET,
        "an HS256 key of at least 32 bytes, in addition to those of `auth.keys`, in place of the local key",
    ),
    (TOKEN, "the token that `send` and `listen` show, where `--token-file` is not given"),
];

/// What the process was given, as far as it concerns us.
#[derive(Clone, Default)]
pub struct Environment {
    ours: BTreeMap<String, String>,
    /// Whether `NO_COLOR` is set to anything.
    pub no_color: bool,
}

impl Environment {
    /// That of the process.
    ///
    /// # Errors
    /// [`ConfigError::NotUnicode`] for one of our variables.
    pub fn of_process() -> Result<Self, ConfigError> {
        let mut environment = Self::default();
        for (name, value) in std::env::vars_os() {
            let Some(name) = name.to_str() else { continue };
            if name == "NO_COLOR" {
                environment.no_color = !value.is_empty();
            } else if name.starts_with(PREFIX) {
                let value = value.into_string().map_err(|_| ConfigError::NotUnicode(name.to_owned()))?;
                environment.ours.insert(name.to_owned(), value);
            }
        }
        Ok(environment)
    }

    /// One of a test's making.
    pub fn of<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let ours = variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { ours, no_color: false }
    }

    /// `CAMPANILE_CONFIG`.
    pub fn config_file(&self) -> Option<&Path> {
        self.ours.get(CONFIG).map(Path::new)
    }

    /// `CAMPANILE_SECRET`.
    pub fn secret(&self) -> Option<&str> {
        self.ours.get(SECRET).map(String::as_str)
    }

    /// `CAMPANILE_TOKEN`.
    pub fn token(&self) -> Option<&str> {
        self.ours.get(TOKEN).map(String::as_str)
    }

    /// The options it sets, as (path, value, where from).
    pub(super) fn options(&self, whole: &Shape) -> Result<Vec<(Vec<String>, Value, Origin)>, ConfigError> {
        let mut options = Vec::new();
        for (name, text) in &self.ours {
            let rest = name.strip_prefix(PREFIX).unwrap_or(name);
            if !rest.contains("__") {
                refuse_misspelt(name)?;
                continue;
            }
            let origin = Origin::Variable(name.clone());
            let (path, shape) = find(whole, rest).ok_or_else(|| unknown(whole, rest, &origin))?;
            let value = read(shape, text).map_err(|problem| ConfigError::Invalid {
                key: path.join("."),
                got: None,
                problem,
                origin: Some(origin.clone()),
            })?;
            options.push((path, value, origin));
        }
        Ok(options)
    }
}

/// The variable that sets the option at `path`.
pub fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "__").replace('-', "_").to_uppercase())
}

/// The option a variable names: the part after the prefix, such as `SERVER__LISTEN`.
fn find<'a>(whole: &'a Shape, rest: &str) -> Option<(Vec<String>, &'a Shape)> {
    let mut shape = whole;
    let mut path = Vec::new();
    for part in rest.split("__") {
        let name = part.to_ascii_lowercase();
        // A slug has hyphens where a variable can only have underscores.
        let name = if shape.child(&name).is_some() { name } else { name.replace('_', "-") };
        shape = shape.child(&name)?;
        path.push(name);
    }
    (!matches!(shape, Shape::Section { .. })).then_some((path, shape))
}

fn unknown(whole: &Shape, rest: &str, origin: &Origin) -> ConfigError {
    let names: Vec<String> = whole.paths("").iter().map(|path| variable(path)).collect();
    let written = format!("{PREFIX}{rest}");
    let near = nearest(&written, names.iter().map(String::as_str)).map(str::to_owned);
    let key = rest.split("__").fold(String::new(), |path, part| join(&path, &part.to_lowercase()));
    ConfigError::UnknownKey { key, origin: origin.clone(), nearest: near, known: names }
}

/// A setting that is silently ignored is worse than one that is refused, so what looks like one of ours
/// (`CAMPANILE_SECRETS`, `CAMPANILE_SECRET_FILE`) is.
fn refuse_misspelt(name: &str) -> Result<(), ConfigError> {
    let looks_like =
        |known: &&str| name != *known && (name.starts_with(known) || strsim::osa_distance(name, known) <= 2);
    let known = NAMES.map(|(known, _)| known);
    match known.iter().find(|known| looks_like(known)) {
        Some(nearest) if !known.contains(&name) => {
            Err(ConfigError::UnknownVariable { name: name.to_owned(), nearest: (*nearest).to_owned() })
        }
        _ => Ok(()),
    }
}

/// The value a text stands for. Messages do not repeat it: it may be secret.
fn read(shape: &Shape, text: &str) -> Result<Value, String> {
    let wrong = || format!("must be {}", shape.article());
    match shape {
        Shape::Value(Type::Text) => Ok(Value::String(text.to_owned())),
        Shape::Value(Type::Integer) => text.trim().parse().map(Value::Integer).map_err(|_| wrong()),
        Shape::Value(Type::Boolean) => text.trim().parse().map(Value::Boolean).map_err(|_| wrong()),
        Shape::List(_) | Shape::Section { .. } => {
            text.parse().map_err(|_| format!("{}, written as in TOML", wrong()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(name: &str, value: &str) -> Result<Vec<(Vec<String>, Value, Origin)>, ConfigError> {
        Environment::of([(name, value)]).options(&Shape::of_config())
    }

    #[test]
    fn every_option_has_a_variable_that_names_it() {
        let whole = Shape::of_config();
        for path in whole.paths("") {
            let name = variable(&path);
            let (found, _) = find(&whole, name.strip_prefix(PREFIX).unwrap()).unwrap();
            assert_eq!(found.join("."), path);
        }
    }

    #[test]
    fn values_take_the_type_of_their_option() {
        let value = |name, text| options(name, text).unwrap().remove(0).1;
        assert_eq!(value("CAMPANILE_SERVER__SHARDS", "4"), Value::Integer(4));
        assert_eq!(value("CAMPANILE_LOG__LEVEL", "4"), Value::String("4".into()));
        assert_eq!(value("CAMPANILE_WORKSPACES__AUTO_CREATE", "false"), Value::Boolean(false));
        assert!(value("CAMPANILE_AUTH__KEYS", "[{algorithm='HS256', secret_file='/k'}]").is_array());
    }

    #[test]
    fn a_workspaces_slug_has_hyphens() {
        let (path, ..) = options("CAMPANILE_WORKSPACES__MY_WORKSPACE__MODE", "realtime").unwrap().remove(0);
        assert_eq!(path, ["workspaces", "my-workspace", "mode"]);
    }

    #[test]
    fn unknown_ones_are_refused_with_the_nearest() {
        let error = options("CAMPANILE_SERVER__LISTEM", "x").unwrap_err();
        assert_eq!(error.hint().unwrap(), "did you mean CAMPANILE_SERVER__LISTEN?");
        for misspelt in ["CAMPANILE_SECRETS", "CAMPANILE_SERCET", "CAMPANILE_SECRET_FILE"] {
            assert_eq!(options(misspelt, "x").unwrap_err().hint().unwrap(), "did you mean CAMPANILE_SECRET?");
        }
    }

    #[test]
    fn what_is_not_ours_is_left_alone() {
        for foreign in ["CAMPANILE_PORT", "CAMPANILE_SERVICE_HOST", "CAMPANILE_PORT_8700_TCP_ADDR"] {
            assert!(options(foreign, "10.0.0.1").unwrap().is_empty());
        }
    }

    #[test]
    fn a_bad_value_is_not_repeated() {
        let error = options("CAMPANILE_AUTH__KEYS", "[{secret='hunter2").unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }
}
