//! Conditions outside of a rule: the filter of a list, what triggers a function.

use crate::error::{Fault, Reason, RuleError};
use crate::event::Event;
use crate::expression::{Expression, Scope, Val};
use crate::glob::Glob;
use crate::limits::MAX_PATTERNS;
use crate::source::On;

/// An expression for true or false, checked and compiled. It sees what a rule's `on.when` sees.
#[derive(Debug)]
pub struct Condition {
    expression: Expression,
    member: &'static str,
}

/// What a condition says of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Whether it holds, or why that can't be said.
    pub holds: Result<bool, RuleError>,
    /// What it took to find out, at most [`MAX_STEPS`](crate::limits::MAX_STEPS): who asks a condition of many
    /// events bounds the sum.
    pub steps: u64,
}

impl Condition {
    /// Checks and compiles an expression.
    ///
    /// # Errors
    /// What is wrong with it, with the place in `text`. The error names no rule: there is none.
    pub fn compile(text: &str) -> Result<Self, RuleError> {
        Self::of(text, "when")
    }

    fn of(text: &str, member: &'static str) -> Result<Self, RuleError> {
        let expression = Expression::new(text).map_err(|fault| fault.at("", member))?;
        Ok(Self { expression, member })
    }

    /// Whether it holds for an event. Takes bounded time and memory, whatever the event.
    ///
    /// # Errors
    /// A member that is not there, a value of a wrong type, another result than true or false, or too much
    /// spent.
    pub fn holds(&self, event: &Event<'_>) -> Result<bool, RuleError> {
        self.judge(event).holds
    }

    /// As [`Self::holds`], and what it took.
    pub fn judge(&self, event: &Event<'_>) -> Held {
        let scope = Scope::new(event);
        let (value, steps) = self.expression.counted(&scope);
        let holds = value.and_then(|value| match value {
            Val::Bool(holds) => Ok(holds),
            other => Err(self.expression.fault(Reason::Type {
                what: "a condition".to_owned(),
                wanted: "true or false",
                got: other.kind(),
            })),
        });
        Held { holds: holds.map_err(|fault| fault.at("", self.member)), steps }
    }
}

/// Picks the events that something is for, as a rule's `on` does.
#[derive(Debug)]
pub struct Matcher {
    types: Vec<Glob>,
    sources: Option<Vec<Glob>>,
    when: Option<Condition>,
}

impl Matcher {
    /// Checks and compiles what `on` says.
    ///
    /// # Errors
    /// The first thing that is wrong with it: `on.types`, `on.sources` or `on.when`.
    pub fn compile(on: &On) -> Result<Self, RuleError> {
        Ok(Self {
            types: globs(&on.types).map_err(|fault| fault.at("", "on.types"))?,
            sources: on
                .sources
                .as_deref()
                .map(globs)
                .transpose()
                .map_err(|fault| fault.at("", "on.sources"))?,
            when: on.when.as_deref().map(|text| Condition::of(text, "on.when")).transpose()?,
        })
    }

    /// Bytes it takes, about.
    pub fn weight(&self) -> usize {
        let patterns = self.types.iter().chain(self.sources.iter().flatten());
        patterns.map(Glob::weight).sum::<usize>()
            + self.when.as_ref().map_or(0, |when| when.expression.weight())
            + size_of::<Self>()
    }

    /// Steps that [`Self::is_for`] takes at most.
    pub fn cost(&self, event: &Event<'_>) -> u64 {
        cost(&self.types, self.sources.as_deref(), event)
    }

    /// Whether it is for events of this type from this source, as far as can be said without their data.
    pub fn is_for(&self, event: &Event<'_>) -> bool {
        let any = |globs: &[Glob], text: &str| globs.iter().any(|glob| glob.matches(text));
        any(&self.types, event.kind) && self.sources.as_ref().is_none_or(|s| any(s, event.source))
    }

    /// Whether an event is one of them, as of [`Condition::judge`], and what it took.
    pub fn judge(&self, event: &Event<'_>) -> Held {
        if !self.is_for(event) {
            return Held { holds: Ok(false), steps: 0 };
        }
        self.when.as_ref().map_or(Held { holds: Ok(true), steps: 0 }, |when| when.judge(event))
    }
}

/// Steps that matching these patterns takes at most: a step is 32 bytes looked at.
pub(crate) fn cost(types: &[Glob], sources: Option<&[Glob]>, event: &Event<'_>) -> u64 {
    let cost = |globs: &[Glob], text: &str| globs.iter().map(|glob| glob.cost(text.len())).sum::<usize>();
    let bytes = cost(types, event.kind) + sources.map_or(0, |sources| cost(sources, event.source));
    1 + bytes as u64 / 32
}

/// The patterns of a list, of which there is at least one.
pub(crate) fn globs(patterns: &[String]) -> Result<Vec<Glob>, Fault> {
    if patterns.is_empty() || patterns.len() > MAX_PATTERNS {
        return Err(Reason::Count { limit: MAX_PATTERNS }.into());
    }
    patterns.iter().map(|pattern| Glob::new(pattern).map_err(Fault::from)).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::*;
    use crate::error::Position;
    use crate::limits::MAX_STEPS;

    fn event(data: &Arc<Value>) -> Event<'_> {
        Event {
            id: "1",
            source: "/collections/orders",
            kind: "record_created",
            subject: Some("o-1"),
            time: "2026-01-01T00:00:00.000Z",
            actor: None,
            data,
        }
    }

    #[test]
    fn a_condition_holds_or_not_or_fails() {
        let data = Arc::new(json!({"total": 5}));
        let holds = |text: &str| Condition::compile(text).unwrap().holds(&event(&data));
        assert_eq!(holds("data.total > 4 && subject == 'o-1'"), Ok(true));
        assert_eq!(holds("data.total > 5"), Ok(false));
        assert!(matches!(holds("data.absent > 5").unwrap_err().reason, Reason::Missing(_)));
        assert!(matches!(holds("data.total").unwrap_err().reason, Reason::Type { .. }));
    }

    #[test]
    fn what_does_not_parse_is_refused_with_its_place() {
        let error = Condition::compile("data.total >\n > 4").unwrap_err();
        assert_eq!(error.position.map(|p: Position| p.line), Some(2), "{error:?}");
        Condition::compile(&"x".repeat(10_000)).unwrap_err();
    }

    #[test]
    fn steps_are_told_and_bounded() {
        let many: Vec<u32> = (0..2_000).collect();
        let data = Arc::new(json!({ "many": many }));
        let steps = |text: &str| Condition::compile(text).unwrap().judge(&event(&data));
        let cheap = steps("size(data.many) > 3");
        assert!(cheap.holds == Ok(true) && cheap.steps < 20, "{cheap:?}");
        let costly = steps("data.many.all(a, data.many.all(b, a + b >= 0))");
        assert_eq!(costly.holds.unwrap_err().reason, Reason::TooCostly);
        assert_eq!(costly.steps, MAX_STEPS);
    }

    #[test]
    fn a_matcher_asks_type_source_and_condition() {
        let data = Arc::new(json!({"total": 5}));
        let on = |types: &[&str], sources: Option<&[&str]>, when: Option<&str>| On {
            types: types.iter().map(|&t| t.to_owned()).collect(),
            sources: sources.map(|s| s.iter().map(|&s| s.to_owned()).collect()),
            when: when.map(str::to_owned),
        };
        let matches = |on: On| Matcher::compile(&on).unwrap().judge(&event(&data)).holds;
        assert_eq!(matches(on(&["record_*"], None, None)), Ok(true));
        assert_eq!(matches(on(&["record_*"], Some(&["/collections/o*"]), Some("data.total == 5"))), Ok(true));
        assert_eq!(matches(on(&["function_*"], None, Some("data.absent"))), Ok(false));
        assert_eq!(matches(on(&["*"], Some(&["/products/*"]), None)), Ok(false));
        assert_eq!(matches(on(&["*"], None, Some("data.absent"))).unwrap_err().member, "on.when");
        assert_eq!(Matcher::compile(&on(&[], None, None)).unwrap_err().member, "on.types");
        assert_eq!(Matcher::compile(&on(&["*"], Some(&[""]), None)).unwrap_err().member, "on.sources");
        assert_eq!(Matcher::compile(&on(&["*"], None, Some("("))).unwrap_err().member, "on.when");
    }
}
