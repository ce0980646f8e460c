//! The rules of a workspace, and those that every workspace has.

use std::collections::HashSet;
use std::sync::Arc;

use crate::error::{Reason, RuleError};
use crate::event::Event;
use crate::rule::{Rule, Seen};
use crate::verdict::{Outcome, Verdict};

/// Rules that are asked together. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct RuleSet {
    own: Vec<Arc<Rule>>,
    /// Those that no rule of the workspace replaces.
    built_in: Vec<Arc<Rule>>,
}

impl RuleSet {
    /// A workspace's rules, and the built-in ones ([`defaults`](crate::defaults())) that none of them
    /// replaces by its name.
    ///
    /// # Errors
    /// [`Reason::Twice`] where two of the workspace's rules have one name.
    pub fn new(own: Vec<Arc<Rule>>, built_in: &[Arc<Rule>]) -> Result<Self, RuleError> {
        let mut names = HashSet::new();
        for rule in &own {
            if !names.insert(rule.name()) {
                let name = rule.name().to_owned();
                return Err(RuleError {
                    rule: name,
                    member: "name".to_owned(),
                    position: None,
                    reason: Reason::Twice,
                });
            }
        }
        let built_in = built_in.iter().filter(|rule| !names.contains(rule.name())).cloned().collect();
        Ok(Self { own, built_in })
    }

    /// What every rule makes of an event, in order: the workspace's, then the built-in ones. An error of one
    /// affects no other. Always the same answer to the same event.
    pub fn evaluate(&self, event: &Event<'_>) -> Vec<Verdict> {
        let mut seen = None;
        self.all()
            .map(|(rule, built_in)| Verdict {
                rule: rule.name().to_owned(),
                built_in,
                outcome: outcome(rule, event, &mut seen),
            })
            .collect()
    }

    /// As [`Self::evaluate`], without the rules that are not for the event: what is made and what failed.
    pub fn made(&self, event: &Event<'_>) -> Vec<Verdict> {
        let mut seen = None;
        self.all()
            .filter_map(|(rule, built_in)| match outcome(rule, event, &mut seen) {
                Outcome::Passed(_) => None,
                outcome => Some(Verdict { rule: rule.name().to_owned(), built_in, outcome }),
            })
            .collect()
    }

    fn all(&self) -> impl Iterator<Item = (&Arc<Rule>, bool)> {
        self.own.iter().map(|rule| (rule, false)).chain(self.built_in.iter().map(|rule| (rule, true)))
    }
}

/// What rules see is made for the first one that is for the event.
fn outcome<'a>(rule: &'a Rule, event: &Event<'a>, seen: &mut Option<Seen<'a>>) -> Outcome {
    match rule.is_for(event) {
        Ok(()) => rule.evaluate(seen.get_or_insert_with(|| Seen::new(event))),
        Err(why) => Outcome::Passed(why),
    }
}
