//! What a record says, and how it is changed in part.

use std::sync::Arc;

use campanile_model::limits::MAX_JSON_DEPTH;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::EngineError;
use crate::publish::check_json;

/// Bytes of a record's data as JSON, written without spaces: the event of an update holds it before and after,
/// in a quarter of a [megabyte](crate::event::MAX_DATA_BYTES).
pub const MAX_DATA_BYTES: usize = 64 * 1024;
/// Levels of a record's data: the event that tells of it holds it one level down.
pub const MAX_DATA_DEPTH: usize = MAX_JSON_DEPTH - 1;

/// A JSON object within the limits of a record. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Data {
    value: Arc<Value>,
    text: Arc<str>,
}

impl PartialEq for Data {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl Data {
    /// Reads what a producer sent.
    ///
    /// # Errors
    /// [`EngineError::Invalid`] of `data`: no object, too long, too deep, a member given twice, or a text or
    /// number that not every parser reads alike.
    pub fn read(raw: &RawValue) -> Result<Self, EngineError> {
        Self::new(parse(raw, "data")?)
    }

    /// Checks the limits.
    ///
    /// # Errors
    /// [`EngineError::Invalid`] of `data`: no object, too long, too deep.
    pub fn new(value: Value) -> Result<Self, EngineError> {
        if !value.is_object() {
            return Err(EngineError::invalid("data", "a record's data is an object"));
        }
        if is_deeper(&value, MAX_DATA_DEPTH) {
            let reason = format!("a record's data is nested deeper than {MAX_DATA_DEPTH} levels");
            return Err(EngineError::invalid("data", reason));
        }
        let text = value.to_string();
        if text.len() > MAX_DATA_BYTES {
            let reason =
                format!("a record's data has {} bytes as JSON, at most {MAX_DATA_BYTES}", text.len());
            return Err(EngineError::invalid("data", reason));
        }
        Ok(Self { value: value.into(), text: text.into() })
    }

    /// What was checked when it was stored.
    pub(super) fn stored(value: Value, text: &Arc<str>) -> Self {
        Self { value: value.into(), text: Arc::clone(text) }
    }

    /// This, changed as `patch` says (RFC 7396).
    ///
    /// # Errors
    /// As of [`Data::new`]: what comes of it is too long.
    pub(super) fn patched(&self, patch: &Patch) -> Result<Self, EngineError> {
        let mut value = Value::clone(&self.value);
        merge(&mut value, patch.0.clone());
        Self::new(value)
    }

    /// The object.
    pub fn value(&self) -> &Arc<Value> {
        &self.value
    }

    /// The same as JSON.
    pub(super) fn text(&self) -> &Arc<str> {
        &self.text
    }
}

/// A JSON merge patch (RFC 7396) that leaves an object an object.
#[derive(Debug, Clone)]
pub struct Patch(Map<String, Value>);

impl Patch {
    /// Reads what a producer sent.
    ///
    /// # Errors
    /// As of [`Data::read`]; the length is judged of what comes of it.
    pub fn read(raw: &RawValue) -> Result<Self, EngineError> {
        Self::new(parse(raw, "patch")?)
    }

    /// Takes an object.
    ///
    /// # Errors
    /// [`EngineError::Invalid`] of `patch`: no object, or too deep.
    pub fn new(value: Value) -> Result<Self, EngineError> {
        if is_deeper(&value, MAX_DATA_DEPTH) {
            let reason = format!("a patch is nested deeper than {MAX_DATA_DEPTH} levels");
            return Err(EngineError::invalid("patch", reason));
        }
        match value {
            Value::Object(members) => Ok(Self(members)),
            _ => Err(EngineError::invalid("patch", "a patch of a record's data is an object")),
        }
    }
}

fn parse(raw: &RawValue, field: &'static str) -> Result<Value, EngineError> {
    let refuse = |reason: String| EngineError::invalid(field, format!("{field} {reason}"));
    check_json(raw).map_err(refuse)?;
    // Sound JSON is read; nothing of it may be quoted if it ever is not.
    serde_json::from_str(raw.get()).map_err(|_| refuse("can't be read".to_owned()))
}

fn is_deeper(value: &Value, levels: usize) -> bool {
    match value {
        Value::Object(_) | Value::Array(_) if levels == 0 => true,
        Value::Object(members) => members.values().any(|value| is_deeper(value, levels - 1)),
        Value::Array(elements) => elements.iter().any(|value| is_deeper(value, levels - 1)),
        _ => false,
    }
}

/// RFC 7396 §2, to the letter. As deep as the patch, which is bounded.
fn merge(target: &mut Value, patch: Map<String, Value>) {
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Some(members) = target.as_object_mut() else { return };
    for (name, value) in patch {
        match value {
            Value::Null => drop(members.remove(&name)),
            Value::Object(patch) => merge(members.entry(name).or_insert(Value::Null), patch),
            other => drop(members.insert(name, other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Result<Data, String> {
        let raw = RawValue::from_string(text.to_owned()).unwrap();
        Data::read(&raw).map_err(|error| error.to_string())
    }

    fn nested(levels: usize) -> String {
        format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels))
    }

    #[test]
    fn data_is_an_object_within_limits() {
        assert_eq!(read(r#"{"b":1,"a":null}"#).unwrap().text().as_ref(), r#"{"a":null,"b":1}"#);
        for (bad, reason) in [
            ("[]", "is an object"),
            ("null", "is an object"),
            (r#"{"a":1,"a":2}"#, "member twice"),
            (r#"{"a":{"b":1,"b":2}}"#, "member twice"),
            (r#"{"a":"\ud800"}"#, "lone surrogate"),
            (r#"{"a":1e999}"#, "beyond a double"),
            (&nested(32), "deeper than 31"),
            (&nested(100), "deeper than 32"),
        ] {
            let error = read(bad).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
        read(&nested(31)).unwrap();
        let of = |bytes: usize| format!(r#"{{"a": "{}"}}"#, "x".repeat(bytes - 8));
        read(&of(MAX_DATA_BYTES)).unwrap();
        assert!(read(&of(MAX_DATA_BYTES + 1)).unwrap_err().contains("at most 65536"));
    }

    /// The examples of RFC 7396, appendix A, as far as they leave an object.
    #[test]
    fn patches_are_those_of_the_rfc() {
        for (target, patch, result) in [
            (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
            (json!({"a":"b"}), json!({"a":null}), json!({})),
            (json!({"a":"b","b":"c"}), json!({"a":null}), json!({"b":"c"})),
            (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"c"}), json!({"a":["b"]}), json!({"a":["b"]})),
            (json!({"a":{"b":"c"}}), json!({"a":{"b":"d","c":null}}), json!({"a":{"b":"d"}})),
            (json!({"a":[{"b":"c"}]}), json!({"a":[1]}), json!({"a":[1]})),
            (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
            (json!({}), json!({"a":{"bb":{"ccc":null}}}), json!({"a":{"bb":{}}})),
            (json!({"a":"foo"}), json!({"a":{"b":1}}), json!({"a":{"b":1}})),
        ] {
            let patched = Data::new(target).unwrap().patched(&Patch::new(patch).unwrap()).unwrap();
            assert_eq!(**patched.value(), result);
            assert_eq!(patched.text().as_ref(), result.to_string());
        }
        for bad in [json!(["c"]), json!("bar"), json!(null)] {
            Patch::new(bad).unwrap_err();
        }
    }
}
