//! The rules of a workspace, and those that every workspace has.

use std::collections::HashSet;
use std::sync::Arc;

use crate::error::{Fault, Reason, RuleError};
use crate::event::Event;
use crate::limits::SLICE;
use crate::rule::{Rule, Seen};
use crate::verdict::{Outcome, Verdict, Why};

/// What evaluating a rule costs besides what its texts do.
const EVALUATED: u64 = 100;

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

    /// Bytes that the workspace's own rules take, about, but for the one of this name.
    pub fn weight_without(&self, name: &str) -> usize {
        self.own.iter().filter(|rule| rule.name() != name).map(|rule| rule.weight()).sum()
    }

    /// What every rule makes of an event, in order: the built-in ones, then the workspace's, which can so
    /// take nothing away from them. An error of one affects no other. Always the same answer to the same event.
    pub fn evaluate(&self, event: &Event<'_>) -> Vec<Verdict> {
        self.asked(event, Asking::new(u64::MAX).all())
    }

    /// As [`Self::evaluate`], without the rules that are not for the event: what is made and what failed.
    pub fn made(&self, event: &Event<'_>) -> Vec<Verdict> {
        self.asked(event, Asking::new(u64::MAX))
    }

    /// As [`Self::made`], a slice at a time: some of the rules, until those of this slice have cost
    /// [`SLICE`]; `None` once all were asked ([`Asking::is_done`] tells before). A rule that is for the event and finds nothing left has failed
    /// ([`Reason::NothingLeft`]).
    pub fn ask(&self, event: &Event<'_>, asking: &mut Asking) -> Option<Vec<Verdict>> {
        let first = asking.next;
        let (mut seen, mut verdicts, mut slice) = (None, Vec::new(), SLICE);
        for (rule, built_in) in self.all().skip(first) {
            asking.next += 1;
            asking.done = asking.next == self.built_in.len() + self.own.len();
            let outcome = if asking.left == 0 && rule.is_for(event).is_ok() {
                Outcome::Failed(Fault::from(Reason::NothingLeft).at(rule.name(), ""))
            } else {
                outcome(rule, event, &mut seen)
            };
            let cost = rule.cost(event)
                + match &outcome {
                    Outcome::Passed(Why::Disabled | Why::Type | Why::Source) => 0,
                    _ => EVALUATED + seen.as_ref().map_or(0, Seen::spent),
                };
            asking.left = asking.left.saturating_sub(cost);
            if asking.all || !matches!(outcome, Outcome::Passed(_)) {
                verdicts.push(Verdict { rule: rule.name().to_owned(), built_in, outcome });
            }
            slice = slice.saturating_sub(cost);
            if slice == 0 {
                break;
            }
        }
        (asking.next > first).then_some(verdicts)
    }

    fn asked(&self, event: &Event<'_>, mut asking: Asking) -> Vec<Verdict> {
        std::iter::from_fn(|| self.ask(event, &mut asking)).flatten().collect()
    }

    fn all(&self) -> impl Iterator<Item = (&Arc<Rule>, bool)> {
        self.built_in.iter().map(|rule| (rule, true)).chain(self.own.iter().map(|rule| (rule, false)))
    }
}

/// How far a set was asked about one event, and what the rest may cost.
#[derive(Debug, Clone, Copy)]
pub struct Asking {
    next: usize,
    left: u64,
    all: bool,
    done: bool,
}

impl Asking {
    /// Nobody was asked yet. `left` is in the units of [`MAX_STEPS`](crate::limits::MAX_STEPS).
    pub fn new(left: u64) -> Self {
        Self { next: 0, left, all: false, done: false }
    }

    /// Also about rules that are not for the event.
    pub fn all(self) -> Self {
        Self { all: true, ..self }
    }

    /// Whether nobody is left to be asked. False where there are no rules at all and nothing was asked.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// What may still be spent.
    pub fn left(&self) -> u64 {
        self.left
    }
}

/// What rules see is made for the first one that is for the event.
fn outcome<'a>(rule: &'a Rule, event: &Event<'a>, seen: &mut Option<Seen<'a>>) -> Outcome {
    match rule.is_for(event) {
        Ok(()) => rule.evaluate(seen.get_or_insert_with(|| Seen::new(event))),
        Err(why) => Outcome::Passed(why),
    }
}
