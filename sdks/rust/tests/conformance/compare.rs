//! Placeholders of a script: what they stand for, and whether a frame is as it must be.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

/// What placeholders stand for.
#[derive(Default)]
pub(crate) struct Meanings {
    known: HashMap<String, Value>,
    values: Map<String, Value>,
}

impl Meanings {
    pub(crate) fn new(values: Option<&Value>) -> Self {
        Self { known: HashMap::new(), values: values.and_then(Value::as_object).cloned().unwrap_or_default() }
    }

    /// A template as it is sent at this time.
    pub(crate) fn fill(&mut self, template: &Value, now: u64) -> Value {
        match template {
            Value::String(text) => match text.strip_prefix('$') {
                Some(name) if name == "time" || name.starts_with("time+") => {
                    let later: u64 = name.strip_prefix("time+").map_or(0, |later| later.parse().unwrap());
                    json!(instant(now + later))
                }
                Some(name) => {
                    let value = self.values.get(name).cloned().unwrap_or_else(|| json!(name));
                    self.known.entry(name.to_owned()).or_insert(value).clone()
                }
                None => template.clone(),
            },
            Value::Array(items) => items.iter().map(|item| self.fill(item, now)).collect(),
            Value::Object(members) => {
                members.iter().map(|(name, value)| (name.clone(), self.fill(value, now))).collect()
            }
            _ => template.clone(),
        }
    }

    /// A template that stands within a text, such as a path.
    pub(crate) fn text(&mut self, template: &Value) -> String {
        text(&self.fill(template, 0))
    }

    /// Whether a value is as a template says. What the template does not give may be anything.
    pub(crate) fn fits(&mut self, template: &Value, value: &Value) -> Result<(), String> {
        match template {
            Value::String(name) if name.starts_with("$time") => Ok(()),
            Value::String(name) if name.starts_with('$') => {
                let known = self.known.entry(name[1..].to_owned()).or_insert_with(|| value.clone());
                same(known, value)
            }
            Value::Object(members) => members.iter().try_for_each(|(name, template)| {
                let member = value.get(name).ok_or_else(|| format!("no {name} in {value}"))?;
                self.fits(template, member).map_err(|why| format!("{name}: {why}"))
            }),
            Value::Array(items) => {
                let found = value.as_array().ok_or_else(|| format!("{value} is no array"))?;
                if items.len() != found.len() {
                    return Err(format!("{} entries, not {}: {value}", found.len(), items.len()));
                }
                items.iter().zip(found).try_for_each(|(template, value)| self.fits(template, value))
            }
            _ => same(template, value),
        }
    }
}

fn same(expected: &Value, value: &Value) -> Result<(), String> {
    // Parameters of a query are texts, whatever they stand for.
    let same = expected == value || value.is_string() && text(expected) == text(value);
    same.then_some(()).ok_or_else(|| format!("{value}, not {expected}"))
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// An instant as the server writes it. Scripts stay within the first days of 2026.
fn instant(millis: u64) -> String {
    let since = millis - crate::clock::START;
    let (day, rest) = (since / 86_400_000, since % 86_400_000);
    assert!(day < 31, "a script of more than a month");
    let (hour, minute) = (rest / 3_600_000, rest / 60_000 % 60);
    format!("2026-01-{:02}T{hour:02}:{minute:02}:{:02}.{:03}Z", day + 1, rest / 1000 % 60, rest % 1000)
}
