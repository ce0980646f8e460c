//! Events and rules for the tests.

use std::sync::Arc;

use campanile_model::UserId;
use campanile_rules::{
    Event, Made, Outcome, Rule, RuleError, RuleSet, RuleSource, Verdict, refused_by_default,
};
use serde_json::{Value, json};

/// An event of its own parts.
pub(crate) struct Happened {
    kind: String,
    subject: Option<String>,
    actor: Option<UserId>,
    data: Arc<Value>,
}

impl Happened {
    pub(crate) fn new(kind: &str, data: Value) -> Self {
        Self { kind: kind.to_owned(), subject: None, actor: UserId::new("ann").ok(), data: Arc::new(data) }
    }

    pub(crate) fn by(self, actor: Option<&str>) -> Self {
        Self { actor: actor.map(|actor| UserId::new(actor).unwrap()), ..self }
    }

    pub(crate) fn about(self, subject: &str) -> Self {
        Self { subject: Some(subject.to_owned()), ..self }
    }

    pub(crate) fn event(&self) -> Event<'_> {
        Event {
            id: "e-1",
            source: "/shop",
            kind: &self.kind,
            subject: self.subject.as_deref(),
            time: "2026-03-01T10:00:00.000Z",
            actor: self.actor.as_ref(),
            data: &self.data,
        }
    }
}

/// A rule for everything, to everybody, with members of `more` besides or instead.
pub(crate) fn source(more: Value) -> Result<RuleSource, serde_json::Error> {
    let mut rule = json!({
        "name": "mine", "on": {"types": ["*"]}, "to": {"workspace": true},
        "title": "t", "message": "m", "type": "x",
    });
    for (key, value) in more.as_object().unwrap() {
        rule[key] = value.clone();
    }
    serde_json::from_value(rule)
}

pub(crate) fn compile(more: Value) -> Result<Rule, RuleError> {
    Rule::compile(source(more).unwrap(), &refused_by_default())
}

/// What one rule makes of an event.
pub(crate) fn outcome(rule: Rule, happened: &Happened) -> Outcome {
    let rules = RuleSet::new(vec![Arc::new(rule)], &[]).unwrap();
    let [verdict] = <[Verdict; 1]>::try_from(rules.evaluate(&happened.event())).unwrap();
    verdict.outcome
}

pub(crate) fn made(more: Value, happened: &Happened) -> Made {
    match outcome(compile(more).unwrap(), happened) {
        Outcome::Made(made) => *made,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn failed(more: Value, happened: &Happened) -> RuleError {
    match compile(more).map(|rule| outcome(rule, happened)) {
        Err(error) | Ok(Outcome::Failed(error)) => error,
        other => panic!("{other:?}"),
    }
}
