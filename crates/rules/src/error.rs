//! Why a rule is refused, or failed on an event.

use serde::Serialize;

/// A place in the text of a template or an expression, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The column, in characters. 0 where only the line is known.
    pub column: u32,
}

impl Position {
    /// The place of the byte `offset` in `source`.
    pub(crate) fn of(source: &str, offset: usize) -> Self {
        let mut end = offset.min(source.len());
        while !source.is_char_boundary(end) {
            end -= 1;
        }
        let before = &source[..end];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self { line: small(line), column: small(column) }
    }
}

/// A rule is refused, or failed on an event. Names the rule, its member and the place in its text, and never
/// a value of the event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize)]
#[error("rule {rule}: {member}{}: {reason}", at(.position))]
pub struct RuleError {
    /// The rule's name.
    pub rule: String,
    /// The member of the rule: `on.when`, `title`, `metadata.total`.
    pub member: String,
    /// The place in the member's text, where it is known.
    pub position: Option<Position>,
    /// What is wrong.
    #[serde(serialize_with = "as_text")]
    pub reason: Reason,
}

fn at(position: &Option<Position>) -> String {
    match position {
        Some(Position { line, column: 0 }) => format!(" (line {line})"),
        Some(Position { line, column }) => format!(" (line {line}, column {column})"),
        None => String::new(),
    }
}

fn as_text<S: serde::Serializer>(reason: &Reason, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(reason)
}

/// What is wrong with a rule or an evaluation. Texts in it are of the rule or of this program, never of an
/// event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The rule's name breaks its grammar.
    #[error("a name is 1 to 64 of a-z, 0-9, dot, underscore and hyphen")]
    Name,
    /// Two rules of one set have this name.
    #[error("another rule has this name")]
    Twice,
    /// A list that may not be empty is, or is too long.
    #[error("1 to {limit} are allowed")]
    Count {
        /// The most.
        limit: usize,
    },
    /// A text or a value is too long.
    #[error("at most {limit} {unit} are allowed")]
    TooLong {
        /// The most.
        limit: usize,
        /// What is counted: `bytes`, `characters`.
        unit: &'static str,
    },
    /// A text that may not be empty is.
    #[error("it is empty")]
    Empty,
    /// Nested too deeply.
    #[error("it is nested too deeply: {limit} levels are allowed")]
    TooDeep {
        /// The most.
        limit: usize,
    },
    /// Too many tokens, loops, concatenations.
    #[error("it has too many {what}: {limit} are allowed")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// The most.
        limit: usize,
    },
    /// The text does not parse.
    #[error("{0}")]
    Syntax(String),
    /// Something that the language has, and rules do not.
    #[error("{0} is not available in rules")]
    NotAvailable(String),
    /// A metadata key that would expose a secret.
    #[error("this key is refused: it names a secret")]
    RefusedKey,
    /// A duration is not a whole number and a unit, or too long.
    #[error("a duration is a whole number and s, m, h or d, up to 365 days")]
    Duration,
    /// A user id, topic or level breaks its grammar. The text says which.
    #[error("{0}")]
    Invalid(&'static str),
    /// A name that neither the event nor the language has.
    #[error("there is no {0} here")]
    Unknown(String),
    /// A member that this event does not have.
    #[error("this event has no such member{}", named(.0))]
    Missing(Option<String>),
    /// A value has another type than is needed.
    #[error("{what} needs {wanted}, and this event gives {got}")]
    Type {
        /// The operation.
        what: String,
        /// The types it takes.
        wanted: &'static str,
        /// The type it got.
        got: &'static str,
    },
    /// A number overflows, or is divided by zero; an index is out of bounds.
    #[error("{0}")]
    Arithmetic(&'static str),
    /// The evaluation would cost too much time or memory.
    #[error("this is too costly for this event")]
    TooCostly,
    /// What was evaluated before has cost all that one request may.
    #[error("too much was asked at once: run the event again on its own")]
    NothingLeft,
    /// The template engine failed otherwise; its category of error.
    #[error("{0}")]
    Template(&'static str),
}

fn named(name: &Option<String>) -> String {
    name.as_ref().map(|name| format!(": {name}")).unwrap_or_default()
}

/// An error of one text, before it is known whose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub position: Option<Position>,
    pub reason: Reason,
}

impl Fault {
    pub(crate) fn at(self, rule: &str, member: &str) -> RuleError {
        RuleError {
            rule: rule.to_owned(),
            member: member.to_owned(),
            position: self.position,
            reason: self.reason,
        }
    }
}

impl From<Reason> for Fault {
    fn from(reason: Reason) -> Self {
        Self { position: None, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters() {
        let at = |offset| Position::of("ab\nçd\n", offset);
        assert_eq!(at(0), Position { line: 1, column: 1 });
        assert_eq!(at(3), Position { line: 2, column: 1 });
        assert_eq!(at(5), Position { line: 2, column: 2 });
        assert_eq!(at(4), Position { line: 2, column: 1 }, "inside a character is that character");
        assert_eq!(at(99), Position { line: 3, column: 1 });
    }

    #[test]
    fn an_error_reads_as_one_sentence() {
        let error = Fault { position: Some(Position { line: 2, column: 7 }), reason: Reason::TooCostly };
        let text = error.at("mine", "on.when").to_string();
        assert_eq!(text, "rule mine: on.when (line 2, column 7): this is too costly for this event");
    }
}
