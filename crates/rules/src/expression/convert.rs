//! Values to JSON.

use campanile_model::limits::MAX_JSON_DEPTH;
use serde_json::{Map, Number, Value};

use super::meter::Meter;
use super::value::Val;
use crate::error::Reason;

/// What a node of JSON costs beside its text.
const NODE_BYTES: usize = 32;

/// Shared parts are written out as often as they occur, so every node is charged.
pub(super) fn json(value: &Val<'_>, meter: &Meter, depth: usize) -> Result<Value, Reason> {
    if depth > MAX_JSON_DEPTH {
        return Err(Reason::TooDeep { limit: MAX_JSON_DEPTH });
    }
    meter.steps(1)?;
    meter.made(NODE_BYTES)?;
    let text = |text: &str| {
        meter.made(text.len())?;
        Ok(Value::String(text.to_owned()))
    };
    match value {
        Val::Null => Ok(Value::Null),
        Val::Bool(b) => Ok(Value::Bool(*b)),
        Val::Int(i) => Ok(Value::from(*i)),
        Val::Uint(u) => Ok(Value::from(*u)),
        Val::Double(d) => {
            Number::from_f64(*d).map(Value::Number).ok_or(Reason::Arithmetic("the number is not finite"))
        }
        Val::Text(t) => text(t),
        Val::Instant(instant) => text(&instant.to_string()),
        Val::Span(span) => text(&format!("{}s", span.as_secs_f64())),
        Val::Array(_) | Val::List(_) => {
            let mut elements = Vec::new();
            for place in 0..value.len().unwrap_or(0) {
                let element = value.nth(place).unwrap_or(Val::Null);
                elements.push(json(&element, meter, depth + 1)?);
            }
            Ok(Value::Array(elements))
        }
        Val::Object(members) => {
            let mut object = Map::new();
            for (key, member) in *members {
                meter.made(key.len() + NODE_BYTES)?;
                object.insert(key.clone(), json(&Val::of(member), meter, depth + 1)?);
            }
            Ok(Value::Object(object))
        }
        Val::Record(members) => {
            let mut object = Map::new();
            for (key, member) in members.iter() {
                meter.made(key.len() + NODE_BYTES)?;
                object.insert((**key).to_owned(), json(member, meter, depth + 1)?);
            }
            Ok(Value::Object(object))
        }
    }
}
