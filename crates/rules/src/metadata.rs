//! Metadata: JSON with templates and expressions at its leaves.

use campanile_model::limits::MAX_JSON_DEPTH;
use serde_json::{Map, Value};

use crate::error::{Fault, Reason};
use crate::expression::Expression;
use crate::limits::{MAX_METADATA_BYTES, MAX_METADATA_TEXTS};
use crate::refused::refused_key;
use crate::rule::{Seen, in_member};
use crate::template::Template;
use crate::weight::Weight;

/// Compiled metadata.
#[derive(Debug)]
pub(crate) struct Metadata {
    root: Leaf,
    refused: Vec<String>,
}

#[derive(Debug)]
enum Leaf {
    Fixed(Value),
    Template(String, Template),
    Expression(String, Expression),
    List(Vec<Leaf>),
    Object(Vec<(String, Leaf)>),
}

/// The one member of an object that stands for an expression's value.
const EXPRESSION: &str = "$cel";

impl Metadata {
    /// Adds the bytes it takes to `weight`.
    pub(crate) fn compile(
        value: &Value,
        refused: &[String],
        weight: &Weight,
    ) -> Result<Self, (String, Fault)> {
        if let Some(path) = refused_key(refused, value) {
            return Err((format!("metadata.{path}"), Reason::RefusedKey.into()));
        }
        let texts = texts(value);
        if texts > MAX_METADATA_TEXTS {
            let reason = Reason::TooMany { what: "templates and expressions", limit: MAX_METADATA_TEXTS };
            return Err(in_member("metadata")(reason.into()));
        }
        Ok(Self { root: leaf(value, "metadata", 0, weight)?, refused: refused.to_vec() })
    }

    /// The metadata for an event: at most [`MAX_METADATA_BYTES`] as JSON, [`MAX_JSON_DEPTH`] levels deep, and
    /// without a refused key that an expression brought in.
    pub(crate) fn make<'a>(&'a self, seen: &Seen<'a>) -> Result<Value, (String, Fault)> {
        let mut left = MAX_METADATA_BYTES;
        let value = self.root.make(seen, &mut left)?;
        if too_deep(&value, MAX_JSON_DEPTH) {
            return Err(in_member("metadata")(Reason::TooDeep { limit: MAX_JSON_DEPTH }.into()));
        }
        match refused_key(&self.refused, &value) {
            // The path could hold a key of the event, which is a value of it as well.
            Some(_) => Err(in_member("metadata")(Reason::RefusedKey.into())),
            None => Ok(value),
        }
    }
}

fn texts(value: &Value) -> usize {
    match value {
        Value::String(_) => 1,
        Value::Array(elements) => elements.iter().map(texts).sum(),
        Value::Object(members) => members.values().map(texts).sum(),
        _ => 0,
    }
}

fn leaf(value: &Value, path: &str, depth: usize, weight: &Weight) -> Result<Leaf, (String, Fault)> {
    if depth > MAX_JSON_DEPTH {
        return Err((path.to_owned(), Reason::TooDeep { limit: MAX_JSON_DEPTH }.into()));
    }
    let at = |fault: Fault| (path.to_owned(), fault);
    Ok(match value {
        Value::String(text) => Leaf::Template(path.to_owned(), weight.template(text).map_err(at)?),
        Value::Array(elements) => Leaf::List(
            elements
                .iter()
                .enumerate()
                .map(|(place, element)| leaf(element, &format!("{path}.{place}"), depth + 1, weight))
                .collect::<Result<_, _>>()?,
        ),
        Value::Object(members) => match members.get(EXPRESSION) {
            Some(Value::String(text)) if members.len() == 1 => {
                Leaf::Expression(path.to_owned(), weight.expression(text).map_err(at)?)
            }
            Some(_) => {
                let reason = "an object with $cel has no other member, and a text there".to_owned();
                return Err(at(Reason::Syntax(reason).into()));
            }
            None => Leaf::Object(
                members
                    .iter()
                    .map(|(key, member)| {
                        leaf(member, &format!("{path}.{key}"), depth + 1, weight)
                            .map(|leaf| (key.clone(), leaf))
                    })
                    .collect::<Result<_, _>>()?,
            ),
        },
        other => Leaf::Fixed(other.clone()),
    })
}

impl Leaf {
    /// Takes what it makes off `left`.
    fn make<'a>(&'a self, seen: &Seen<'a>, left: &mut usize) -> Result<Value, (String, Fault)> {
        let too_long = || Reason::TooLong { limit: MAX_METADATA_BYTES, unit: "bytes" };
        let take = |left: &mut usize, bytes: usize, path: &str| match left.checked_sub(bytes) {
            Some(rest) => {
                *left = rest;
                Ok(())
            }
            None => Err((path.to_owned(), Fault::from(too_long()))),
        };
        match self {
            Self::Fixed(value) => {
                take(left, written(value), "metadata")?;
                Ok(value.clone())
            }
            Self::Template(path, template) => {
                let text = template.render(&seen.context, *left).map_err(|fault| (path.clone(), fault))?;
                let value = Value::String(text);
                take(left, written(&value), path)?;
                Ok(value)
            }
            Self::Expression(path, expression) => {
                let value = expression.json(&seen.scope).map_err(|fault| (path.clone(), fault))?;
                take(left, written(&value), path)?;
                Ok(value)
            }
            Self::List(elements) => {
                take(left, elements.len() + 2, "metadata")?;
                elements.iter().map(|leaf| leaf.make(seen, left)).collect::<Result<_, _>>().map(Value::Array)
            }
            Self::Object(members) => {
                let mut object = Map::new();
                for (key, leaf) in members {
                    take(left, key.len() + 4, "metadata")?;
                    object.insert(key.clone(), leaf.make(seen, left)?);
                }
                Ok(Value::Object(object))
            }
        }
    }
}

/// Bytes of a value as JSON. It was bounded when it was made.
fn written(value: &Value) -> usize {
    serde_json::to_string(value).map_or(usize::MAX, |text| text.len())
}

fn too_deep(value: &Value, left: usize) -> bool {
    match value {
        Value::Array(elements) => left == 0 || elements.iter().any(|element| too_deep(element, left - 1)),
        Value::Object(members) => left == 0 || members.values().any(|member| too_deep(member, left - 1)),
        _ => false,
    }
}
