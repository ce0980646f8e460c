//! Values of expressions. Those of the event are borrowed from it.

use std::cmp::Ordering;
use std::ops::Deref;
use std::rc::Rc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

/// A value. Numbers of JSON are whole ones where they have no fraction, and the three kinds of number may be
/// mixed.
#[derive(Debug, Clone)]
pub(crate) enum Val<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Text(Text<'a>),
    Array(&'a [Value]),
    Object(&'a Map<String, Value>),
    List(Rc<[Val<'a>]>),
    Record(Rc<[(Text<'a>, Val<'a>)]>),
    Instant(Timestamp),
    Span(SignedDuration),
}

/// A text of the event or the rule, or one that was made.
#[derive(Debug, Clone)]
pub(crate) enum Text<'a> {
    Borrowed(&'a str),
    Made(Rc<str>),
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Made(text) => text,
        }
    }
}

impl<'a> Val<'a> {
    pub(crate) fn of(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(b) => Self::Bool(*b),
            Value::Number(n) => match (n.as_i64(), n.as_u64()) {
                (Some(i), _) => Self::Int(i),
                (None, Some(u)) => Self::Uint(u),
                (None, None) => Self::Double(n.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => Self::text(text),
            Value::Array(elements) => Self::Array(elements),
            Value::Object(members) => Self::Object(members),
        }
    }

    pub(crate) fn text(text: &'a str) -> Self {
        Self::Text(Text::Borrowed(text))
    }

    pub(crate) fn made(text: &str) -> Self {
        Self::Text(Text::Made(text.into()))
    }

    /// The name of its type in errors.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a truth value",
            Self::Int(_) | Self::Uint(_) | Self::Double(_) => "a number",
            Self::Text(_) => "a text",
            Self::Array(_) | Self::List(_) => "a list",
            Self::Object(_) | Self::Record(_) => "an object",
            Self::Instant(_) => "a timestamp",
            Self::Span(_) => "a duration",
        }
    }

    /// The member `name`, if this is an object that has it.
    pub(crate) fn member(&self, name: &str) -> Option<Val<'a>> {
        match self {
            Self::Object(members) => members.get(name).map(Val::of),
            Self::Record(members) => members.iter().find(|(key, _)| &**key == name).map(|(_, v)| v.clone()),
            _ => None,
        }
    }

    pub(crate) fn is_object(&self) -> bool {
        matches!(self, Self::Object(_) | Self::Record(_))
    }

    /// How many elements or members; characters of a text. `None` for what has none.
    pub(crate) fn len(&self) -> Option<usize> {
        match self {
            Self::Text(text) => Some(text.chars().count()),
            Self::Array(elements) => Some(elements.len()),
            Self::List(elements) => Some(elements.len()),
            Self::Object(members) => Some(members.len()),
            Self::Record(members) => Some(members.len()),
            _ => None,
        }
    }

    /// The element of a list, or the key of an object, at `place`.
    pub(crate) fn nth(&self, place: usize) -> Option<Val<'a>> {
        match self {
            Self::Array(elements) => elements.get(place).map(Val::of),
            Self::List(elements) => elements.get(place).cloned(),
            Self::Record(members) => members.get(place).map(|(key, _)| Self::Text(key.clone())),
            _ => None,
        }
    }

    /// Whether it is a number, and which.
    fn number(&self) -> Option<Number> {
        match self {
            Self::Int(i) => Some(Number::Whole(i128::from(*i))),
            Self::Uint(u) => Some(Number::Whole(i128::from(*u))),
            Self::Double(d) => Some(Number::Real(*d)),
            _ => None,
        }
    }

    /// Compares two scalars of one type; `None` if they are not, or have no order.
    pub(crate) fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => Some(a.cmp(b)),
            (Self::Text(a), Self::Text(b)) => Some((**a).cmp(&**b)),
            (Self::Instant(a), Self::Instant(b)) => Some(a.cmp(b)),
            (Self::Span(a), Self::Span(b)) => Some(a.cmp(b)),
            _ => match (self.number()?, other.number()?) {
                (Number::Whole(a), Number::Whole(b)) => Some(a.cmp(&b)),
                (a, b) => a.real().partial_cmp(&b.real()),
            },
        }
    }
}

#[derive(Clone, Copy)]
enum Number {
    Whole(i128),
    Real(f64),
}

impl Number {
    #[expect(clippy::cast_precision_loss, reason = "comparison with a real number is approximate")]
    fn real(self) -> f64 {
        match self {
            Self::Whole(n) => n as f64,
            Self::Real(n) => n,
        }
    }
}
