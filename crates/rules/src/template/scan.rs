//! A look at a template before it is compiled, by the engine's own lexer: which statements it has, how deep it
//! nests, and how often it may make a text longer.
//!
//! The engine's fuel counts instructions, not bytes. So whatever makes a long value of short ones, or keeps one
//! between the turns of a loop, is not available: assignments, macros, captured blocks, `*` on texts. What is
//! left can be counted here.

use minijinja::machinery::{Span, Token, tokenize};

use super::filters::{FILTERS, TESTS};
use crate::error::{Fault, Position, Reason};
use crate::limits::{
    MAX_CONCATENATIONS, MAX_SOURCE_BYTES, MAX_TEMPLATE_LOOPS, MAX_TEMPLATE_NESTING, MAX_TEMPLATE_TOKENS,
};

/// Refuses what is too long or has what templates may not have. Says whether there is anything to evaluate.
pub(super) fn scan(source: &str) -> Result<bool, Fault> {
    if source.len() > MAX_SOURCE_BYTES {
        return Err(Reason::TooLong { limit: MAX_SOURCE_BYTES, unit: "bytes" }.into());
    }
    let mut counts = Counts::default();
    for token in tokenize(source, false, super::syntax()) {
        let (token, span) = token.map_err(|error| super::fault(source, &error))?;
        let position = Position { line: u32::from(span.start_line), column: column(source, span) };
        counts.take(&token).map_err(|reason| Fault { position: Some(position), reason })?;
    }
    Ok(counts.evaluated)
}

fn column(source: &str, span: Span) -> u32 {
    Position::of(source, span.start_offset as usize).column
}

#[derive(Default)]
struct Counts {
    evaluated: bool,
    tokens: usize,
    /// Brackets open, and prefix operators since the last operand.
    open: usize,
    prefixes: usize,
    blocks: usize,
    loops: usize,
    concatenations: usize,
    /// The next word names a statement.
    statement: bool,
    in_for: bool,
    next: Next,
}

/// What a word would be.
#[derive(Default, PartialEq)]
enum Next {
    #[default]
    Operand,
    Member,
    Filter,
    Test,
}

impl Counts {
    fn take(&mut self, token: &Token<'_>) -> Result<(), Reason> {
        if let Token::TemplateData(_) = token {
            return Ok(());
        }
        self.evaluated = true;
        self.tokens += 1;
        if self.tokens > MAX_TEMPLATE_TOKENS {
            return Err(Reason::TooMany { what: "tokens", limit: MAX_TEMPLATE_TOKENS });
        }
        let statement = std::mem::replace(&mut self.statement, matches!(token, Token::BlockStart));
        match token {
            Token::Ident(name) if statement => self.statement(name)?,
            _ if statement => return Err(Reason::Syntax("a statement begins with a word".to_owned())),
            Token::VariableStart | Token::BlockStart => (self.open, self.prefixes) = (0, 0),
            Token::BlockEnd => self.in_for = false,
            Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => self.open += 1,
            Token::ParenClose | Token::BracketClose | Token::BraceClose => {
                self.open = self.open.saturating_sub(1);
            }
            Token::Mul | Token::Pow => {
                return Err(Reason::NotAvailable("multiplication, but by the filter times,".to_owned()));
            }
            Token::Tilde | Token::Plus => {
                self.concatenations += 1;
                if self.concatenations > MAX_CONCATENATIONS {
                    return Err(Reason::TooMany { what: "~ and +", limit: MAX_CONCATENATIONS });
                }
            }
            Token::Ident("recursive") if self.in_for => {
                return Err(Reason::NotAvailable("a recursive loop".to_owned()));
            }
            _ => {}
        }
        self.word(token)?;
        // `if` and `else` of an expression nest without a bracket too.
        self.prefixes = match token {
            Token::Minus | Token::Ident("not" | "if" | "else") => self.prefixes + 1,
            Token::VariableEnd | Token::BlockEnd => 0,
            _ => self.prefixes,
        };
        if self.open + self.prefixes + self.blocks > MAX_TEMPLATE_NESTING {
            return Err(Reason::TooDeep { limit: MAX_TEMPLATE_NESTING });
        }
        Ok(())
    }

    /// Filters and tests that do not exist are known before any event.
    fn word(&mut self, token: &Token<'_>) -> Result<(), Reason> {
        let next = std::mem::take(&mut self.next);
        self.next = match token {
            Token::Pipe => Next::Filter,
            Token::Dot => Next::Member,
            Token::Ident("is") if next == Next::Operand => Next::Test,
            Token::Ident("not") if next == Next::Test => Next::Test,
            Token::Ident(name) if next == Next::Filter && !FILTERS.contains(name) => {
                return Err(Reason::Unknown(format!("filter {name}")));
            }
            Token::Ident(name) if next == Next::Test && !TESTS.contains(name) => {
                return Err(Reason::Unknown(format!("test {name}")));
            }
            _ => Next::Operand,
        };
        Ok(())
    }

    fn statement(&mut self, name: &str) -> Result<(), Reason> {
        match name {
            "if" => self.blocks += 1,
            "for" => {
                self.blocks += 1;
                self.loops += 1;
                self.in_for = true;
                if self.loops > MAX_TEMPLATE_LOOPS {
                    return Err(Reason::TooMany { what: "loops", limit: MAX_TEMPLATE_LOOPS });
                }
            }
            // Loops one after the other are counted together: their work adds up as well.
            "endif" | "endfor" => self.blocks = self.blocks.saturating_sub(1),
            "elif" | "else" => {}
            _ => return Err(Reason::NotAvailable(format!("the statement {name}"))),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_needs_no_evaluation() {
        assert_eq!(scan("Paid: 5 * 3 ~ 15 {# ignored #}"), Ok(false));
        assert_eq!(scan("{{ a }}"), Ok(true));
        assert_eq!(scan("{% if a %}b{% endif %}"), Ok(true));
    }

    #[test]
    fn what_could_grow_is_not_there() {
        for bad in [
            "{% set x = 1 %}",
            "{% set x %}a{% endset %}",
            "{% macro m() %}{% endmacro %}",
            "{% include 'a' %}",
            "{% import 'a' as b %}",
            "{% extends 'a' %}",
            "{% block b %}{% endblock %}",
            "{% filter upper %}a{% endfilter %}",
            "{% with x = 1 %}{% endwith %}",
            "{% call x() %}{% endcall %}",
            "{% do x() %}",
            "{% autoescape true %}{% endautoescape %}",
            "{%- set x = 1 -%}",
            "{{ 'x' * 5 }}",
            "{{ 5 ** 5 }}",
            "{% for a in b recursive %}{% endfor %}",
        ] {
            assert!(matches!(scan(bad).unwrap_err().reason, Reason::NotAvailable(_)), "{bad}");
        }
        let fault = scan("ok\n  {% set x = 1 %}").unwrap_err();
        assert_eq!(fault.position, Some(Position { line: 2, column: 6 }));
    }

    #[test]
    fn filters_and_tests_are_known() {
        for good in
            ["{{ a | upper }}", "{{ a.is.b }}", "{{ a is not none }}", "{{ a is none }}", "{{ a.b | d }}"]
        {
            assert_eq!(scan(good), Ok(true), "{good}");
        }
        for bad in ["{{ a | pprint }}", "{{ a is divisibleby(3) }}", "{{ a | upper | urlize }}"] {
            assert!(matches!(scan(bad).unwrap_err().reason, Reason::Unknown(_)), "{bad}");
        }
    }

    #[test]
    fn nesting_and_length_are_bounded() {
        for bad in [
            format!("{{{{ {} }}}}", "(".repeat(40)),
            format!("{{{{ {}x }}}}", "not ".repeat(40)),
            format!("{{{{ {}x }}}}", "-".repeat(40)),
            format!("{{{{ {}1 }}}}", "1 if x else ".repeat(40)),
            format!("{{{{ x{} }}}}", ".a".repeat(400)),
            format!("{{{{ x{} }}}}", " ~ x".repeat(20)),
            "{% if x %}".repeat(40),
            "{% for x in y %}".repeat(4),
            "x".repeat(9_000),
        ] {
            let reason = scan(&bad).unwrap_err().reason;
            let bounded =
                matches!(reason, Reason::TooDeep { .. } | Reason::TooMany { .. } | Reason::TooLong { .. });
            assert!(bounded, "{reason:?} {bad:.40}");
        }
    }
}
