//! What rules would make of an event, without anything happening.

use campanile_model::{Audience, Notification, Slug, Timestamp};
use campanile_rules::{Outcome, RuleError, Verdict, Why};

use super::made::{Ready, ready};
use crate::topics::{self, Subscribers};
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
        /// Who listens to the topic that it would go to.
        subscribers: Option<Subscribers>,
    },
    /// The rule is not for this event, or there is nobody to tell.
    Passed(Why),
    /// The rule fails on this event.
    Failed(RuleError),
    /// It makes what nobody may publish.
    Refused(EngineError),
}

/// The verdicts as they would turn out in `workspace`.
///
/// # Errors
/// Those of the store.
pub(crate) async fn trials(
    engine: &Engine,
    workspace: &Slug,
    verdicts: Vec<Verdict>,
    now: Timestamp,
) -> Result<Vec<Trial>, EngineError> {
    let config = engine.workspaces.settings_of(workspace);
    let refused_keys = &engine.workspaces.config().refused_keys;
    let outcome = |outcome| match outcome {
        Outcome::Passed(why) => Tried::Passed(why),
        Outcome::Failed(error) => Tried::Failed(error),
        Outcome::Made(made) => match ready(*made, &config, (engine.ids)(now), refused_keys, now) {
            Ok(Ready { notification, durable }) => {
                Tried::Made { notification: Box::new(notification), durable, subscribers: None }
            }
            Err(error) => Tried::Refused(error),
        },
    };
    let trial = |verdict: Verdict| Trial {
        rule: verdict.rule,
        built_in: verdict.built_in,
        outcome: outcome(verdict.outcome),
    };
    let mut trials: Vec<Trial> = verdicts.into_iter().map(trial).collect();
    for trial in &mut trials {
        if let Tried::Made { notification, subscribers, .. } = &mut trial.outcome
            && let Audience::Topic(topic) = &notification.audience
        {
            let mut found = topics::list(engine, workspace, topic, None, topics::DEFAULT_PAGE).await?;
            found.users.retain(|user| !notification.except.contains(user));
            *subscribers = Some(found);
        }
    }
    Ok(trials)
}
