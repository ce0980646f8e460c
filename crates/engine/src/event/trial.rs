//! What rules would make of an event, without anything happening.

use campanile_model::{Notification, Slug, Timestamp};
use campanile_rules::{Outcome, RuleError, Verdict, Why};

use super::made::{Ready, ready};
use crate::{Engine, EngineError};

/// What one rule would make of an event.
#[derive(Debug)]
pub struct Trial {
    /// The rule's name.
    pub rule: String,
    /// Whether it is one that every workspace has.
    pub built_in: bool,
    /// A notification, or why not.
    pub outcome: Tried,
}

/// A notification, or why not.
#[derive(Debug)]
pub enum Tried {
    /// This, in the style of the workspace. Its id is nobody's.
    Made {
        /// The notification.
        notification: Box<Notification>,
        /// Whether it would be kept.
        durable: bool,
    },
    /// The rule is not for this event, or there is nobody to tell.
    Passed(Why),
    /// The rule fails on this event.
    Failed(RuleError),
    /// It makes what nobody may publish.
    Refused(EngineError),
}

/// The verdicts as they would turn out in `workspace`.
pub(crate) fn trials(
    engine: &Engine,
    workspace: &Slug,
    verdicts: Vec<Verdict>,
    now: Timestamp,
) -> Vec<Trial> {
    let config = engine.workspaces.settings_of(workspace);
    let refused_keys = &engine.workspaces.config().refused_keys;
    let outcome = |outcome| match outcome {
        Outcome::Passed(why) => Tried::Passed(why),
        Outcome::Failed(error) => Tried::Failed(error),
        Outcome::Made(made) => match ready(*made, &config, (engine.ids)(now), refused_keys, now) {
            Ok(Ready { notification, durable }) => {
                Tried::Made { notification: Box::new(notification), durable }
            }
            Err(error) => Tried::Refused(error),
        },
    };
    let trial = |verdict: Verdict| Trial {
        rule: verdict.rule,
        built_in: verdict.built_in,
        outcome: outcome(verdict.outcome),
    };
    verdicts.into_iter().map(trial).collect()
}
