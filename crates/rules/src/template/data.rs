//! The event as templates see it: on its JSON as it is, every element visited and every byte written counted.

use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use minijinja::value::{Enumerator, Object, ObjectRepr};
use minijinja::{Error, ErrorKind, Value};
use serde_json::Value as Json;

use crate::limits::{MAX_TEMPLATE_WORK, MAX_TEXT_BYTES};

/// What the templates of a rule may still spend on an event, and whether they wanted more.
#[derive(Debug)]
pub(super) struct Meter {
    left: AtomicU64,
    spent: AtomicBool,
}

impl Meter {
    pub(super) fn new() -> Self {
        Self { left: AtomicU64::new(MAX_TEMPLATE_WORK), spent: AtomicBool::new(false) }
    }

    /// Begins another rule.
    pub(super) fn reset(&self) {
        self.left.store(MAX_TEMPLATE_WORK, Ordering::Relaxed);
        self.spent.store(false, Ordering::Relaxed);
    }

    /// Units spent so far.
    pub(super) fn work(&self) -> u64 {
        MAX_TEMPLATE_WORK - self.left.load(Ordering::Relaxed)
    }

    /// Whether `n` units were left.
    pub(super) fn take(&self, n: usize) -> bool {
        let left = self.left.load(Ordering::Relaxed);
        let enough = left >= n as u64;
        self.left.store(left.saturating_sub(n as u64), Ordering::Relaxed);
        if !enough {
            self.spend();
        }
        enough
    }

    /// Says that the rendering failed, where there is no error to return.
    pub(super) fn spend(&self) {
        self.left.store(0, Ordering::Relaxed);
        self.spent.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_spent(&self) -> bool {
        self.spent.load(Ordering::Relaxed)
    }
}

/// The error of a rendering that costs too much.
pub(super) fn too_costly() -> Error {
    Error::from(ErrorKind::OutOfFuel)
}

/// A list, an object or a long text of the event: the whole, and the way to it.
pub(super) struct Part {
    whole: Arc<Json>,
    way: Box<[Step]>,
    pub(super) meter: Arc<Meter>,
}

#[derive(Clone)]
enum Step {
    Element(usize),
    Member(Box<str>),
}

/// The data of an event as a value.
pub(super) fn value(data: &Arc<Json>, meter: &Arc<Meter>) -> Value {
    Part { whole: data.clone(), way: Box::new([]), meter: meter.clone() }.into_value()
}

impl Part {
    pub(super) fn json(&self) -> &Json {
        self.way.iter().fold(&*self.whole, |at, step| match step {
            Step::Element(place) => at.get(*place).unwrap_or(&Json::Null),
            Step::Member(name) => at.get(&**name).unwrap_or(&Json::Null),
        })
    }

    /// A scalar becomes a value of the engine; the rest stays what it is.
    fn into_value(self) -> Value {
        let scalar = match self.json() {
            Json::Null => Some(Value::from(())),
            Json::Bool(b) => Some(Value::from(*b)),
            Json::Number(n) => Some(match (n.as_i64(), n.as_u64()) {
                (Some(i), _) => Value::from(i),
                (None, Some(u)) => Value::from(u),
                (None, None) => Value::from(n.as_f64()),
            }),
            Json::String(text) if text.len() <= MAX_TEXT_BYTES => {
                Some(if self.meter.take(text.len() / 32) { Value::from(text.as_str()) } else { spent() })
            }
            Json::String(_) | Json::Array(_) | Json::Object(_) => None,
        };
        scalar.unwrap_or_else(|| Value::from_object(self))
    }

    fn at(&self, step: Step) -> Value {
        if !self.meter.take(1 + self.way.len()) {
            return spent();
        }
        let way = self.way.iter().cloned().chain([step]).collect();
        Self { whole: self.whole.clone(), way, meter: self.meter.clone() }.into_value()
    }
}

/// A value that is an error as soon as it is used.
fn spent() -> Value {
    Value::from(too_costly())
}

impl Object for Part {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        match self.json() {
            Json::Array(_) => ObjectRepr::Seq,
            Json::Object(_) => ObjectRepr::Map,
            _ => ObjectRepr::Plain,
        }
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match self.json() {
            Json::Array(elements) => {
                let place = key.as_usize().filter(|place| *place < elements.len())?;
                Some(self.at(Step::Element(place)))
            }
            Json::Object(members) => {
                let name = key.as_str().filter(|name| members.contains_key(*name))?;
                Some(self.at(Step::Member(name.into())))
            }
            _ => None,
        }
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        match self.json() {
            Json::Object(members) if members.contains_key(key) => Some(self.at(Step::Member(key.into()))),
            _ => None,
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        match self.json() {
            Json::Array(elements) => Enumerator::Seq(elements.len()),
            Json::Object(members) => {
                if !self.meter.take(1 + members.len()) {
                    return Enumerator::Values(vec![spent()]);
                }
                Enumerator::Values(members.keys().map(|key| Value::from(key.as_str())).collect())
            }
            _ => Enumerator::NonEnumerable,
        }
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        match self.json() {
            Json::Array(elements) => Some(elements.len()),
            Json::Object(members) => Some(members.len()),
            _ => None,
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Lists and objects are written as JSON. What is longer than anything that could be sent ends here, and fails
/// the rendering: an error of a formatter would be a panic in the engine.
impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Bounded { text: String::new(), limit: MAX_TEXT_BYTES };
        let written = match self.json() {
            Json::String(_) => false,
            json => serde_json::to_writer(&mut out, json).is_ok(),
        };
        if !written || !self.meter.take(out.text.len() / 8) {
            self.meter.spend();
            return Ok(());
        }
        f.write_str(&out.text)
    }
}

/// A text that takes no more than it may.
pub(super) struct Bounded {
    pub(super) text: String,
    pub(super) limit: usize,
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.text.len() + text.len() > self.limit {
            return Err(fmt::Error);
        }
        self.text.push_str(text);
        Ok(())
    }
}

impl std::io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let text = std::str::from_utf8(bytes).map_err(std::io::Error::other)?;
        self.write_str(text).map_err(std::io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
