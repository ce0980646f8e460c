//! The filters and tests of templates: those that make no long value of short ones, each charged for what it
//! reads.

use std::fmt::Write as _;
use std::sync::Arc;

use minijinja::value::{Kwargs, Rest};
use minijinja::{Environment, Error, ErrorKind, State, Value, tests};

use super::data::{Bounded, Meter, Part, too_costly};
use crate::limits::MAX_TEXT_BYTES;

/// The names of all filters.
pub(super) const FILTERS: &[&str] = &[
    "default",
    "d",
    "upper",
    "lower",
    "capitalize",
    "trim",
    "string",
    "truncate",
    "replace",
    "join",
    "tojson",
    "length",
    "count",
    "first",
    "last",
    "round",
    "int",
    "abs",
    "times",
];
/// The names of all tests.
pub(super) const TESTS: &[&str] = &[
    "defined",
    "undefined",
    "none",
    "string",
    "number",
    "integer",
    "boolean",
    "sequence",
    "mapping",
    "odd",
    "even",
    "true",
    "false",
];

/// The name under which a rendering's meter is found: not one that a template could write.
const METER: &str = "\u{0}meter";

/// A meter as a value of the context.
#[derive(Debug)]
pub(super) struct MeterValue(pub(super) Arc<Meter>);

impl minijinja::value::Object for MeterValue {
    fn repr(self: &Arc<Self>) -> minijinja::value::ObjectRepr {
        minijinja::value::ObjectRepr::Plain
    }
}

pub(super) fn entry(meter: &Arc<Meter>) -> (&'static str, Value) {
    (METER, Value::from_object(MeterValue(meter.clone())))
}

pub(super) fn add_all(env: &mut Environment<'static>) {
    env.add_filter("default", default);
    env.add_filter("d", default);
    env.add_filter("upper", |state: &State, value: Value| mapped(state, &value, str::to_uppercase));
    env.add_filter("lower", |state: &State, value: Value| mapped(state, &value, str::to_lowercase));
    env.add_filter("capitalize", |state: &State, value: Value| mapped(state, &value, capitalized));
    env.add_filter("trim", |state: &State, value: Value| mapped(state, &value, |t| t.trim().to_owned()));
    env.add_filter("string", |state: &State, value: Value| mapped(state, &value, str::to_owned));
    env.add_filter("truncate", truncate);
    env.add_filter("replace", replace);
    env.add_filter("join", join);
    env.add_filter("tojson", tojson);
    env.add_filter("length", length);
    env.add_filter("count", length);
    env.add_filter("first", first);
    env.add_filter("last", last);
    env.add_filter("round", round);
    env.add_filter("int", int);
    env.add_filter("abs", minijinja::filters::abs);
    env.add_filter("times", times);

    env.add_test("defined", tests::is_defined);
    env.add_test("undefined", tests::is_undefined);
    env.add_test("none", tests::is_none);
    env.add_test("string", tests::is_string);
    env.add_test("number", tests::is_number);
    env.add_test("integer", tests::is_integer);
    env.add_test("boolean", tests::is_boolean);
    env.add_test("sequence", tests::is_sequence);
    env.add_test("mapping", tests::is_mapping);
    env.add_test("odd", tests::is_odd);
    env.add_test("even", tests::is_even);
    env.add_test("true", tests::is_true);
    env.add_test("false", tests::is_false);
}

/// Charges the rendering for `bytes` looked at, and one unit.
fn charge(state: &State, bytes: usize) -> Result<(), Error> {
    let meter = state.lookup(METER);
    match meter.as_ref().and_then(|value| value.downcast_object_ref::<MeterValue>()) {
        Some(meter) if meter.0.take(1 + bytes / 8) => Ok(()),
        _ => Err(too_costly()),
    }
}

/// The text of a value, which may be a long one of the event.
fn text<'v>(state: &State, value: &'v Value, made: &'v mut String) -> Result<&'v str, Error> {
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    let text = match value.as_str().or_else(|| long_text(value)) {
        Some(text) => text,
        None => {
            let mut out = Bounded { text: String::new(), limit: MAX_TEXT_BYTES };
            write!(out, "{value}").map_err(|_| too_costly())?;
            *made = out.text;
            made
        }
    };
    charge(state, text.len())?;
    Ok(text)
}

/// A text of the event that is too long to be a value of the engine.
fn long_text(value: &Value) -> Option<&str> {
    value.downcast_object_ref::<Part>().and_then(|part| part.json().as_str())
}

/// A text that a filter made, if it could be sent at all.
fn sendable(text: String) -> Result<Value, Error> {
    if text.len() > MAX_TEXT_BYTES { Err(too_costly()) } else { Ok(Value::from(text)) }
}

fn mapped(state: &State, value: &Value, map: fn(&str) -> String) -> Result<Value, Error> {
    let mut made = String::new();
    let text = text(state, value, &mut made)?;
    if text.len() > MAX_TEXT_BYTES {
        return Err(too_costly());
    }
    sendable(map(text))
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars.flat_map(char::to_lowercase)).collect(),
        None => String::new(),
    }
}

/// The value, or `other` where it is missing; with `true`, also where it is empty, null, zero or false.
fn default(value: Value, other: Option<Value>, lax: Option<bool>) -> Value {
    let missing = value.is_undefined() || (lax == Some(true) && !value.is_true());
    if missing { other.unwrap_or_else(|| Value::from("")) } else { value }
}

/// At most `length` characters (255), the last ones `end` (`…`) where something is left out.
fn truncate(state: &State, value: Value, length: Option<usize>, kwargs: Kwargs) -> Result<Value, Error> {
    let length = match length {
        Some(length) => length,
        None => kwargs.get::<Option<usize>>("length")?.unwrap_or(255),
    };
    let end = kwargs.get::<Option<String>>("end")?.unwrap_or_else(|| "…".to_owned());
    kwargs.assert_all_used()?;
    let mut made = String::new();
    let text = text(state, &value, &mut made)?;
    if text.chars().nth(length).is_none() {
        return sendable(text.to_owned());
    }
    let kept = length.saturating_sub(end.chars().count()).min(MAX_TEXT_BYTES);
    let mut cut: String = text.chars().take(kept).collect();
    cut.push_str(&end);
    sendable(cut)
}

fn replace(state: &State, value: Value, from: String, to: String) -> Result<Value, Error> {
    let mut made = String::new();
    let text = text(state, &value, &mut made)?;
    if from.is_empty() {
        return Err(Error::new(ErrorKind::InvalidOperation, "an empty text cannot be replaced"));
    }
    let mut out = Bounded { text: String::new(), limit: MAX_TEXT_BYTES };
    for (place, piece) in text.split(&from).enumerate() {
        let separator = if place > 0 { to.as_str() } else { "" };
        out.write_str(separator).and_then(|()| out.write_str(piece)).map_err(|_| too_costly())?;
    }
    Ok(Value::from(out.text))
}

fn join(state: &State, value: Value, separator: Option<String>) -> Result<Value, Error> {
    let mut out = Bounded { text: String::new(), limit: MAX_TEXT_BYTES };
    for (place, item) in value.try_iter()?.enumerate() {
        if place > 0
            && let Some(separator) = &separator
        {
            out.write_str(separator).map_err(|_| too_costly())?;
        }
        let mut made = String::new();
        let piece = text(state, &item, &mut made)?;
        out.write_str(piece).map_err(|_| too_costly())?;
    }
    Ok(Value::from(out.text))
}

fn tojson(state: &State, value: Value) -> Result<Value, Error> {
    let mut out = Bounded { text: String::new(), limit: MAX_TEXT_BYTES };
    let written = match value.downcast_object_ref::<Part>() {
        Some(part) => serde_json::to_writer(&mut out, part.json()),
        None if value.is_undefined() => return Err(Error::from(ErrorKind::UndefinedError)),
        None => serde_json::to_writer(&mut out, &value),
    };
    charge(state, out.text.len())?;
    written.map_err(|_| too_costly())?;
    Ok(Value::from(out.text))
}

fn length(state: &State, value: Value) -> Result<Value, Error> {
    if let Some(text) = value.as_str().or_else(|| long_text(&value)) {
        charge(state, text.len())?;
        return Ok(Value::from(text.chars().count()));
    }
    let length = value.len().ok_or_else(|| {
        Error::new(ErrorKind::InvalidOperation, "a length is of a text, a list or an object")
    })?;
    Ok(Value::from(length))
}

fn first(state: &State, value: Value) -> Result<Value, Error> {
    charge(state, 0)?;
    if let Some(text) = value.as_str() {
        return Ok(text.chars().next().map_or(Value::UNDEFINED, Value::from));
    }
    Ok(value.try_iter()?.next().unwrap_or(Value::UNDEFINED))
}

fn last(state: &State, value: Value) -> Result<Value, Error> {
    charge(state, 0)?;
    if let Some(text) = value.as_str() {
        return Ok(text.chars().next_back().map_or(Value::UNDEFINED, Value::from));
    }
    match value.len() {
        Some(0) | None => Ok(Value::UNDEFINED),
        Some(length) => value.get_item(&Value::from(length - 1)),
    }
}

/// Rounded to `digits` places (0); a whole number where they are 0.
fn round(value: Value, digits: Option<i32>) -> Result<Value, Error> {
    let number = number(&value)?;
    let digits = digits.unwrap_or(0);
    if !(0..=15).contains(&digits) {
        return Err(Error::new(ErrorKind::InvalidOperation, "0 to 15 digits can be asked for"));
    }
    if digits == 0 {
        return whole(number.round());
    }
    let scale = 10_f64.powi(digits);
    Ok(Value::from((number * scale).round() / scale))
}

fn int(state: &State, value: Value) -> Result<Value, Error> {
    if let Some(text) = value.as_str() {
        charge(state, text.len())?;
        let parsed: Result<i64, _> = text.trim().parse();
        return parsed.map(Value::from).map_err(|_| not_a_number());
    }
    whole(number(&value)?.trunc())
}

fn times(value: Value, factors: Rest<Value>) -> Result<Value, Error> {
    let mut product = number(&value)?;
    for factor in factors.iter() {
        product *= number(factor)?;
    }
    if product.fract() == 0.0 && product.abs() < 9e15 { whole(product) } else { Ok(Value::from(product)) }
}

fn number(value: &Value) -> Result<f64, Error> {
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    if !value.is_number() {
        return Err(not_a_number());
    }
    f64::try_from(value.clone()).map_err(|_| not_a_number())
}

#[expect(clippy::cast_possible_truncation, reason = "the bounds are checked")]
fn whole(number: f64) -> Result<Value, Error> {
    if number.is_finite() && number.abs() < 9.2e18 {
        Ok(Value::from(number as i64))
    } else {
        Err(not_a_number())
    }
}

fn not_a_number() -> Error {
    Error::new(ErrorKind::InvalidOperation, "a number is needed")
}

#[cfg(test)]
mod unit_tests {
    use super::*;

    #[test]
    fn every_name_is_there() {
        let mut env = Environment::empty();
        add_all(&mut env);
        for filter in FILTERS {
            let template = format!("{{{{ 1 | {filter} }}}}");
            let unknown = env.render_str(&template, ()).is_err_and(|e| e.kind() == ErrorKind::UnknownFilter);
            assert!(!unknown, "{filter}");
        }
        for test in TESTS {
            let template = format!("{{{{ 1 is {test} }}}}");
            let unknown = env.render_str(&template, ()).is_err_and(|e| e.kind() == ErrorKind::UnknownTest);
            assert!(!unknown, "{test}");
        }
    }
}
