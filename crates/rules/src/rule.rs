//! One rule, checked and compiled.

use std::collections::HashSet;

use campanile_model::limits::{
    MAX_EXCEPT, MAX_NAME_CHARS, MAX_PRODUCT_NAME_CHARS, MAX_TITLE_CHARS, MAX_USERS_PER_ENTRY,
};
use campanile_model::{Audience, Level, Topic, UserId};

use crate::condition::{cost, globs};
use crate::error::{Fault, Reason, RuleError};
use crate::event::Event;
use crate::expression::{Expression, Scope, Val};
use crate::glob::Glob;
use crate::limits::{
    MAX_COLLAPSE_KEY_BYTES, MAX_DESCRIPTION_CHARS, MAX_EXPIRY_DATE_CHARS, MAX_MESSAGE_BYTES, MAX_RULE_BYTES,
    MAX_RULE_NAME,
};
use crate::metadata::Metadata;
use crate::source::{RuleSource, To};
use crate::template::{Context, Template};
use crate::ttl;
use crate::verdict::{Made, Outcome, Why};
use crate::weight::Weight;

/// A rule that was checked and compiled. Evaluating it changes nothing, and takes bounded time and memory
/// whatever the event.
#[derive(Debug)]
pub struct Rule {
    source: RuleSource,
    types: Vec<Glob>,
    sources: Option<Vec<Glob>>,
    when: Option<Expression>,
    to: Recipients,
    except: Option<Expression>,
    title: Template,
    message: Template,
    kind: Template,
    level: Option<Template>,
    event: Option<Template>,
    product_name: Option<Template>,
    expiry_date: Option<Template>,
    metadata: Option<Metadata>,
    collapse_key: Option<Template>,
    ttl_ms: Option<i64>,
    bytes: usize,
}

#[derive(Debug)]
enum Recipients {
    User(Expression),
    Users(Expression),
    Topic(Template),
    Workspace,
}

/// What the texts of one evaluation see.
pub(crate) struct Seen<'a> {
    pub scope: Scope<'a>,
    pub context: Context,
}

impl<'a> Seen<'a> {
    pub(crate) fn new(event: &Event<'a>) -> Self {
        Self { scope: Scope::new(event), context: Context::new(event) }
    }

    /// What the last rule has cost.
    pub(crate) fn spent(&self) -> u64 {
        self.scope.spent() + self.context.spent()
    }

    /// Gives the next rule as much to spend as the last one had.
    fn begin(&self) {
        self.scope.begin();
        self.context.begin();
    }
}

impl Rule {
    /// Checks and compiles a rule. `refused` are the keys that metadata may not have
    /// ([`crate::refused_by_default`]).
    ///
    /// # Errors
    /// The first thing that is wrong with it: its member, and the place in the member's text.
    pub fn compile(source: RuleSource, refused: &[String]) -> Result<Self, RuleError> {
        let name = source.name.clone();
        let of = |member: &'static str| {
            let name = name.clone();
            move |fault: Fault| fault.at(&name, member)
        };
        check_name(&source).map_err(|reason| of("name")(reason.into()))?;
        if source.description.as_ref().is_some_and(|text| text.chars().count() > MAX_DESCRIPTION_CHARS) {
            let reason = Reason::TooLong { limit: MAX_DESCRIPTION_CHARS, unit: "characters" };
            return Err(of("description")(reason.into()));
        }
        let size = serde_json::to_string(&source).map_or(usize::MAX, |text| text.len());
        if size > MAX_RULE_BYTES {
            return Err(of("")(Reason::TooLong { limit: MAX_RULE_BYTES, unit: "bytes" }.into()));
        }
        let weight = Weight::default();
        let expression = |text: &str, member| weight.expression(text).map_err(of(member));
        let template = |text: &str, member| weight.template(text).map_err(of(member));
        let optional = |text: &Option<String>, member| {
            text.as_ref().map(|text| weight.template(text)).transpose().map_err(of(member))
        };
        let to = match &source.to {
            To::User(text) => Recipients::User(expression(text, "to.user")?),
            To::Users(text) => Recipients::Users(expression(text, "to.users")?),
            To::Topic(text) => Recipients::Topic(template(text, "to.topic")?),
            To::Workspace(_) => Recipients::Workspace,
        };
        let metadata = source.metadata.as_ref().map(|value| Metadata::compile(value, refused, &weight));
        Ok(Self {
            types: globs(&source.on.types).map_err(of("on.types"))?,
            sources: source.on.sources.as_ref().map(|s| globs(s)).transpose().map_err(of("on.sources"))?,
            when: source.on.when.as_ref().map(|text| expression(text, "on.when")).transpose()?,
            to,
            except: source.except.as_ref().map(|text| expression(text, "except")).transpose()?,
            title: template(&source.title, "title")?,
            message: template(&source.message, "message")?,
            kind: template(&source.kind, "type")?,
            level: optional(&source.level, "level")?,
            event: optional(&source.event, "event")?,
            product_name: optional(&source.product_name, "productName")?,
            expiry_date: optional(&source.expiry_date, "expiryDate")?,
            metadata: metadata.transpose().map_err(|(member, fault)| fault.at(&name, &member))?,
            collapse_key: optional(&source.collapse_key, "collapseKey")?,
            ttl_ms: source.ttl.as_deref().map(ttl::millis).transpose().map_err(|r| of("ttl")(r.into()))?,
            bytes: weight.bytes() + size,
            source,
        })
    }

    /// Bytes it takes, about.
    pub fn weight(&self) -> usize {
        self.bytes
    }

    /// The rule as it was written.
    pub fn source(&self) -> &RuleSource {
        &self.source
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.source.name
    }

    /// Steps that [`Self::is_for`] takes at most.
    pub(crate) fn cost(&self, event: &Event<'_>) -> u64 {
        cost(&self.types, self.sources.as_deref(), event)
    }

    /// Whether it is for events of this type from this source, as far as can be said without their data.
    pub(crate) fn is_for(&self, event: &Event<'_>) -> Result<(), Why> {
        if !self.source.enabled {
            return Err(Why::Disabled);
        }
        if !self.types.iter().any(|glob| glob.matches(event.kind)) {
            return Err(Why::Type);
        }
        if self.sources.as_ref().is_some_and(|globs| !globs.iter().any(|glob| glob.matches(event.source))) {
            return Err(Why::Source);
        }
        Ok(())
    }

    /// What it makes of an event that it is for.
    pub(crate) fn evaluate<'a>(&'a self, seen: &Seen<'a>) -> Outcome {
        seen.begin();
        match self.make(seen) {
            Ok(Ok(made)) => Outcome::Made(Box::new(made)),
            Ok(Err(why)) => Outcome::Passed(why),
            Err((member, fault)) => Outcome::Failed(fault.at(self.name(), &member)),
        }
    }

    fn make<'a>(&'a self, seen: &Seen<'a>) -> Result<Result<Made, Why>, (String, Fault)> {
        if let Some(when) = &self.when {
            match when.value(&seen.scope).map_err(in_member("on.when"))? {
                Val::Bool(true) => {}
                Val::Bool(false) => return Ok(Err(Why::When)),
                other => {
                    return Err(in_member("on.when")(when.fault(wrong(
                        "a condition",
                        "true or false",
                        &other,
                    ))));
                }
            }
        }
        let mut except = match &self.except {
            Some(except) => users(except, seen, "except").map_err(in_member("except"))?,
            None => Vec::new(),
        };
        let audience = match self.audience(seen)? {
            Some(Audience::Users(mut users)) => {
                users.retain(|user| !except.contains(user));
                except.clear();
                if users.is_empty() {
                    return Ok(Err(Why::Nobody));
                }
                Audience::Users(users)
            }
            Some(audience) => audience,
            None => return Ok(Err(Why::Nobody)),
        };
        if except.len() > MAX_EXCEPT {
            return Err(in_member("except")(Reason::Count { limit: MAX_EXCEPT }.into()));
        }
        let optional = |template: &Option<Template>, limit, member| match template {
            Some(template) => short(template, seen, limit).map(filled).map_err(in_member(member)),
            None => Ok(None),
        };
        Ok(Ok(Made {
            audience,
            except,
            title: required(&self.title, seen, MAX_TITLE_CHARS).map_err(in_member("title"))?,
            message: self.message.render(&seen.context, MAX_MESSAGE_BYTES).map_err(in_member("message"))?,
            kind: required(&self.kind, seen, MAX_NAME_CHARS).map_err(in_member("type"))?,
            level: self.level(seen).map_err(in_member("level"))?,
            metadata: self.metadata.as_ref().map(|metadata| metadata.make(seen)).transpose()?,
            event: optional(&self.event, MAX_NAME_CHARS, "event")?,
            product_name: optional(&self.product_name, MAX_PRODUCT_NAME_CHARS, "productName")?,
            expiry_date: optional(&self.expiry_date, MAX_EXPIRY_DATE_CHARS, "expiryDate")?,
            collapse_key: match &self.collapse_key {
                Some(key) => key
                    .render(&seen.context, MAX_COLLAPSE_KEY_BYTES)
                    .map(filled)
                    .map_err(in_member("collapseKey"))?,
                None => None,
            },
            ttl_ms: self.ttl_ms,
            durable: self.source.durable,
        }))
    }

    fn audience<'a>(&'a self, seen: &Seen<'a>) -> Result<Option<Audience>, (String, Fault)> {
        Ok(match &self.to {
            Recipients::Workspace => Some(Audience::Workspace),
            Recipients::Topic(template) => {
                let name = template.render(&seen.context, 128).map_err(in_member("to.topic"))?;
                let invalid = |_| Reason::Invalid("a topic is 1 to 128 bytes without control characters");
                let topic =
                    Topic::new(&name).map_err(|error| in_member("to.topic")(invalid(error).into()))?;
                Some(Audience::Topic(topic))
            }
            Recipients::User(expression) => {
                let value = expression.value(&seen.scope).map_err(in_member("to.user"))?;
                let user = user_or_nobody(&value, "to.user")
                    .map_err(|r| in_member("to.user")(expression.fault(r)))?;
                user.map(|user| Audience::Users(vec![user]))
            }
            Recipients::Users(expression) => {
                let users = users(expression, seen, "to.users").map_err(in_member("to.users"))?;
                if users.len() > MAX_USERS_PER_ENTRY {
                    return Err(in_member("to.users")(Reason::Count { limit: MAX_USERS_PER_ENTRY }.into()));
                }
                (!users.is_empty()).then_some(Audience::Users(users))
            }
        })
    }

    fn level(&self, seen: &Seen<'_>) -> Result<Option<Level>, Fault> {
        let Some(template) = &self.level else { return Ok(None) };
        let name = template.render(&seen.context, 16)?;
        if name.is_empty() {
            return Ok(None);
        }
        let unknown = Reason::Invalid("a level is one of info, success, warning, error, alert");
        Level::from_name(&name).map(Some).ok_or_else(|| unknown.into())
    }
}

/// Puts the member's name beside a fault.
pub(crate) fn in_member(member: &'static str) -> impl Fn(Fault) -> (String, Fault) {
    move |fault| (member.to_owned(), fault)
}

fn check_name(source: &RuleSource) -> Result<(), Reason> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-');
    let name = &source.name;
    if (1..=MAX_RULE_NAME).contains(&name.len()) && name.bytes().all(allowed) {
        Ok(())
    } else {
        Err(Reason::Name)
    }
}

fn wrong(what: &str, wanted: &'static str, got: &Val<'_>) -> Reason {
    Reason::Type { what: what.to_owned(), wanted, got: got.kind() }
}

fn user_or_nobody(value: &Val<'_>, member: &str) -> Result<Option<UserId>, Reason> {
    match value {
        Val::Null => Ok(None),
        Val::Text(text) => UserId::new(text)
            .map(Some)
            .map_err(|_| Reason::Invalid("a user id is 1 to 128 bytes without control characters")),
        other => Err(wrong(member, "a user id", other)),
    }
}

/// The users that an expression names, each once: a user, a list of users and nulls, or null.
fn users<'a>(expression: &'a Expression, seen: &Seen<'a>, member: &str) -> Result<Vec<UserId>, Fault> {
    let value = expression.value(&seen.scope)?;
    let fault = |reason| expression.fault(reason);
    if !matches!(value, Val::Array(_) | Val::List(_)) {
        return user_or_nobody(&value, member).map(|user| user.into_iter().collect()).map_err(fault);
    }
    let mut users = Vec::new();
    let mut known = HashSet::new();
    for place in 0..value.len().unwrap_or(0) {
        let element = value.nth(place).unwrap_or(Val::Null);
        if let Some(user) = user_or_nobody(&element, member).map_err(fault)?
            && known.insert(user.clone())
        {
            if users.len() >= MAX_USERS_PER_ENTRY {
                return Err(fault(Reason::Count { limit: MAX_USERS_PER_ENTRY }));
            }
            users.push(user);
        }
    }
    Ok(users)
}

/// A rendered text of at most `limit` characters.
fn short(template: &Template, seen: &Seen<'_>, limit: usize) -> Result<String, Fault> {
    // A character has at most four bytes.
    let text = template.render(&seen.context, limit * 4)?;
    if text.chars().count() > limit {
        return Err(Reason::TooLong { limit, unit: "characters" }.into());
    }
    Ok(text)
}

fn required(template: &Template, seen: &Seen<'_>, limit: usize) -> Result<String, Fault> {
    let text = short(template, seen, limit)?;
    if text.trim().is_empty() { Err(Reason::Empty.into()) } else { Ok(text) }
}

/// An optional member that comes out empty is left out.
fn filled(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}
