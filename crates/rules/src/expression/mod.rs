//! Expressions: CEL by its own parser, and an evaluator that counts what it spends.
//!
//! The parser is that of the `cel` crate. Its evaluator has no limit of time or memory and no positions in its
//! errors, so the tree is evaluated here: on the event's JSON as it is, every step and every byte made is
//! charged, and an error knows its place. What differs from the specification: the three kinds of number may be
//! mixed, keys of objects are texts, `matches` takes a literal pattern, times are read in UTC, and bytes,
//! messages and optional values do not exist.

mod arithmetic;
mod convert;
mod eval;
mod functions;
mod meter;
mod scan;
mod tree;
mod value;

use std::rc::Rc;

pub(crate) use value::{Text, Val};

use meter::Meter;

use crate::Event;
use crate::error::{Fault, Reason};

/// An expression, parsed and bounded.
#[derive(Debug)]
pub(crate) struct Expression {
    root: tree::Node,
    bytes: usize,
}

/// The names that expressions see, for one event, and what they may spend on it.
#[derive(Debug)]
pub(crate) struct Scope<'a> {
    event: Val<'a>,
    data: Val<'a>,
    actor: Val<'a>,
    kind: Val<'a>,
    subject: Val<'a>,
    source: Val<'a>,
    meter: Meter,
}

impl<'a> Scope<'a> {
    pub(crate) fn new(event: &Event<'a>) -> Self {
        let text_or_null = |text: Option<&'a str>| text.map_or(Val::Null, Val::text);
        let (data, actor) = (Val::of(event.data), text_or_null(event.actor.map(|actor| actor.as_str())));
        let (kind, source) = (Val::text(event.kind), Val::text(event.source));
        let subject = text_or_null(event.subject);
        let members = [
            ("id", Val::text(event.id)),
            ("source", source.clone()),
            ("type", kind.clone()),
            ("subject", subject.clone()),
            ("time", Val::text(event.time)),
            ("actor", actor.clone()),
            ("data", data.clone()),
        ];
        let members: Rc<[_]> = members.map(|(name, value)| (Text::Borrowed(name), value)).into();
        let meter = Meter::new();
        Self { event: Val::Record(members), data, actor, kind, subject, source, meter }
    }

    /// Lets the expressions of another rule spend as much again.
    pub(crate) fn begin(&self) {
        self.meter.reset();
    }

    /// Steps taken since [`Self::begin`].
    pub(crate) fn spent(&self) -> u64 {
        self.meter.spent()
    }
}

impl Expression {
    /// Parses `source`.
    ///
    /// # Errors
    /// What does not parse, names what does not exist, or passes a bound.
    pub(crate) fn new(source: &str) -> Result<Self, Fault> {
        tree::parse(source).map(|(root, bytes)| Self { root, bytes })
    }

    /// Bytes it takes, about.
    pub(crate) fn weight(&self) -> usize {
        self.bytes
    }

    /// The value for an event. All expressions evaluated in a scope since its [`Scope::begin`] take no more than
    /// [`crate::limits::MAX_STEPS`] steps and make no more than [`crate::limits::MAX_EXPRESSION_BYTES`] bytes.
    ///
    /// # Errors
    /// A member that is not there, a value of a wrong type, or too much spent.
    pub(crate) fn value<'a>(&'a self, scope: &Scope<'a>) -> Result<Val<'a>, Fault> {
        eval::Eval::new(scope).node(&self.root)
    }

    /// As [`Self::value`], and the steps it took.
    pub(crate) fn counted<'a>(&'a self, scope: &Scope<'a>) -> (Result<Val<'a>, Fault>, u64) {
        let before = scope.meter.spent();
        let value = self.value(scope);
        (value, scope.meter.spent() - before)
    }

    /// The value as JSON, under the same bounds.
    ///
    /// # Errors
    /// As [`Self::value`], and for a number that JSON cannot write.
    pub(crate) fn json<'a>(&'a self, scope: &Scope<'a>) -> Result<serde_json::Value, Fault> {
        let value = self.value(scope)?;
        convert::json(&value, &scope.meter, 0).map_err(|reason| self.fault(reason))
    }

    /// An error of the expression as a whole.
    pub(crate) fn fault(&self, reason: Reason) -> Fault {
        Fault { position: Some(self.root.at), reason }
    }
}

#[cfg(test)]
mod tests;
