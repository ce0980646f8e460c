//! Rules: what turns an event into notifications. No I/O, no clock, no randomness.
//!
//! Read in this order: `event` is what a rule sees, `source` how a rule is written, `rule` what is made of
//! that, `rule_set` how a workspace's rules and the built-in ones are asked, `verdict` what they answer.
//! `expression` and `template` are the two languages, `limits` bounds both.

mod condition;
mod defaults;
mod error;
mod event;
mod expression;
mod glob;
pub mod limits;
mod metadata;
mod refused;
mod rule;
mod rule_set;
mod source;
mod template;
mod ttl;
mod verdict;
mod weight;

pub use condition::{Condition, Held, Matcher};
pub use defaults::{default_sources, defaults};
pub use error::{Position, Reason, RuleError};
pub use event::Event;
pub use refused::{REFUSED_KEYS, refused_by_default, refused_key};
pub use rule::Rule;
pub use rule_set::{Asking, RuleSet};
pub use source::{On, RuleSource, To, True};
pub use verdict::{Made, Outcome, Verdict, Why};
