//! Templates: minijinja's expressions, `if` and `for`, as plain text.
//!
//! The engine's fuel bounds instructions. Everything else that could cost time or memory is bounded here: the
//! statements and operators (`scan`), the event's values (`data`), the filters (`filters`), and the text made
//! (a writer that takes no more than it may).

mod data;
mod filters;
mod scan;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value, escape_formatter};

use crate::Event;
use crate::error::{Fault, Position, Reason};
use crate::limits::TEMPLATE_FUEL;

/// A template, compiled.
#[derive(Debug)]
pub(crate) enum Template {
    /// A text without anything to evaluate.
    Plain(Box<str>),
    /// Its own environment, which holds it under [`NAME`].
    Compiled(Box<Environment<'static>>),
}

/// The name of a template in its environment. Errors are named by who asked.
const NAME: &str = "template";

impl Template {
    /// Compiles `source`.
    ///
    /// # Errors
    /// What does not parse, passes a bound, or has a filter or statement that templates do not have.
    pub(crate) fn new(source: &str) -> Result<Self, Fault> {
        if !scan::scan(source)? && !source.contains("{#") {
            return Ok(Self::Plain(source.into()));
        }
        let mut env = base().clone();
        env.add_template_owned(NAME, source.to_owned()).map_err(|error| fault(source, &error))?;
        let compiled = env.get_template(NAME).map_err(|error| fault(source, &error))?;
        for name in compiled.undeclared_variables(false) {
            if !NAMES.contains(&name.as_str()) {
                return Err(Reason::Unknown(format!("variable {name}")).into());
            }
        }
        Ok(Self::Compiled(Box::new(env)))
    }

    /// Bytes it takes, about: measured with short and long ones.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Plain(text) => text.len(),
            Self::Compiled(env) => {
                9 * 1024 + env.get_template(NAME).map_or(0, |template| 16 * template.source().len())
            }
        }
    }

    /// The text for an event, at most `limit` bytes.
    ///
    /// # Errors
    /// A member that is not there, an operation that cannot be done, too long a text or too much spent.
    pub(crate) fn render(&self, context: &Context, limit: usize) -> Result<String, Fault> {
        let env = match self {
            Self::Plain(text) if text.len() <= limit => return Ok(text.to_string()),
            Self::Plain(_) => return Err(Reason::TooLong { limit, unit: "bytes" }.into()),
            Self::Compiled(env) => env,
        };
        let template = env.get_template(NAME).map_err(|error| fault("", &error))?;
        let mut out = Out { bytes: Vec::new(), limit, full: false };
        let rendered = template.render_captured_to(context.value.clone(), &mut out);
        context.instructions.fetch_add(instructions(&rendered), Ordering::Relaxed);
        let rendered = rendered.map(drop);
        if out.full {
            return Err(Reason::TooLong { limit, unit: "bytes" }.into());
        }
        rendered.map_err(|error| fault(template.source(), &error))?;
        if context.meter.is_spent() {
            return Err(Reason::TooCostly.into());
        }
        String::from_utf8(out.bytes).map_err(|_| Reason::Template("the text is not UTF-8").into())
    }
}

/// The names that templates see.
const NAMES: [&str; 6] = ["event", "data", "actor", "type", "subject", "source"];

/// An event as templates see it, and what they may spend on it.
#[derive(Debug)]
pub(crate) struct Context {
    value: Value,
    meter: Arc<data::Meter>,
    /// Of the templates of one rule.
    instructions: AtomicU64,
}

impl Context {
    pub(crate) fn new(event: &Event<'_>) -> Self {
        let meter = Arc::new(data::Meter::new());
        let common = [
            ("type", Value::from(event.kind)),
            ("source", Value::from(event.source)),
            ("subject", Value::from(event.subject)),
            ("actor", Value::from(event.actor.map(|actor| actor.as_str()))),
            ("data", data::value(event.data, &meter)),
        ];
        let own = [("id", Value::from(event.id)), ("time", Value::from(event.time))];
        let whole = Value::from_pairs(common.iter().cloned().chain(own));
        let value = Value::from_pairs(common.into_iter().chain([("event", whole), filters::entry(&meter)]));
        Self { value, meter, instructions: AtomicU64::new(0) }
    }

    /// Lets the templates of another rule spend as much again.
    pub(crate) fn begin(&self) {
        self.meter.reset();
        self.instructions.store(0, Ordering::Relaxed);
    }

    /// What the templates have cost since [`Self::begin`]: work and instructions.
    pub(crate) fn spent(&self) -> u64 {
        self.meter.work() + self.instructions.load(Ordering::Relaxed)
    }
}

/// How many instructions a rendering took. One that failed otherwise than by taking too many took few of note.
fn instructions(rendered: &Result<minijinja::Captured<'_>, Error>) -> u64 {
    match rendered {
        Ok(captured) => captured.state().fuel_levels().map_or(0, |(consumed, _)| consumed),
        Err(error) if error.kind() == ErrorKind::OutOfFuel => TEMPLATE_FUEL,
        Err(_) => 0,
    }
}

/// The environment that every template's begins as.
fn base() -> &'static Environment<'static> {
    static BASE: OnceLock<Environment<'static>> = OnceLock::new();
    BASE.get_or_init(|| {
        let mut env = Environment::empty();
        env.set_syntax(syntax());
        env.set_undefined_behavior(UndefinedBehavior::Strict);
        env.set_fuel(Some(TEMPLATE_FUEL));
        env.set_debug(false);
        env.set_recursion_limit(16);
        env.set_formatter(write);
        filters::add_all(&mut env);
        env
    })
}

/// The engine's own syntax, except that a line's end at the end of a template stays.
fn syntax() -> SyntaxConfig {
    // Only other delimiters could be refused.
    SyntaxConfig::builder().keep_trailing_newline(true).build().unwrap_or_default()
}

/// Writes a value as JSON has it: `true`, not `True`. Null is nothing.
fn write(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    match value.kind() {
        ValueKind::Bool => Ok(out.write_str(if value.is_true() { "true" } else { "false" })?),
        ValueKind::None => Ok(()),
        ValueKind::Undefined => Err(Error::from(ErrorKind::UndefinedError)),
        _ => escape_formatter(out, state, value),
    }
}

/// The engine's error without its text, which may hold a value of the event.
fn fault(source: &str, error: &Error) -> Fault {
    let position = match (error.range(), error.line()) {
        (Some(range), _) => Some(Position::of(source, range.start)),
        (None, Some(line)) => Some(Position { line: u32::try_from(line).unwrap_or(u32::MAX), column: 0 }),
        (None, None) => None,
    };
    let reason = match error.kind() {
        ErrorKind::SyntaxError | ErrorKind::BadEscape => {
            let detail = error.detail().unwrap_or("it does not parse");
            Reason::Syntax(detail.chars().take(160).collect())
        }
        ErrorKind::UndefinedError => Reason::Missing(None),
        ErrorKind::OutOfFuel => Reason::TooCostly,
        ErrorKind::UnknownFilter => Reason::Unknown("such filter".to_owned()),
        ErrorKind::UnknownTest => Reason::Unknown("such test".to_owned()),
        ErrorKind::UnknownFunction | ErrorKind::UnknownMethod => Reason::Unknown("such function".to_owned()),
        ErrorKind::TooManyArguments => Reason::Template("a filter has too many arguments"),
        ErrorKind::MissingArgument => Reason::Template("a filter lacks an argument"),
        ErrorKind::CannotUnpack => Reason::Template("the value cannot be taken apart"),
        _ => Reason::Template("the operation cannot be done with these values"),
    };
    Fault { position, reason }
}

/// Takes at most `limit` bytes.
struct Out {
    bytes: Vec<u8>,
    limit: usize,
    full: bool,
}

impl std::io::Write for &mut Out {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.limit {
            self.full = true;
            return Err(std::io::ErrorKind::WriteZero.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
