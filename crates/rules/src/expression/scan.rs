//! A look at an expression before it is parsed: the parser's stack and tree grow with nesting and length, so
//! both are bounded by reading the text once, without recursion.

use crate::error::{Fault, Position, Reason};
use crate::limits::{MAX_EXPRESSION_NESTING, MAX_EXPRESSION_TOKENS, MAX_SOURCE_BYTES};

/// Refuses what is too long, has too many tokens, or opens too many brackets at once.
///
/// Where a text's end depends on how a lexer reads backslashes, it is refused, so that no bracket can hide in
/// what only this function takes for a text.
pub(super) fn scan(source: &str) -> Result<(), Fault> {
    if source.len() > MAX_SOURCE_BYTES {
        return Err(Reason::TooLong { limit: MAX_SOURCE_BYTES, unit: "bytes" }.into());
    }
    let bytes = source.as_bytes();
    let fault = |at: usize, reason| Fault { position: Some(Position::of(source, at)), reason };
    let (mut at, mut tokens, mut open) = (0, 0, 0_usize);
    while at < bytes.len() {
        let start = at;
        match bytes[at] {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0c => {
                at += 1;
                continue;
            }
            b'/' if bytes.get(at + 1) == Some(&b'/') => {
                at += bytes[at..].iter().position(|b| *b == b'\n').unwrap_or(bytes.len() - at);
                continue;
            }
            b'"' | b'\'' => at = text_end(bytes, at, false).map_err(|reason| fault(start, reason))?,
            b if is_word(b) => {
                at += bytes[at..].iter().position(|b| !is_word(*b)).unwrap_or(bytes.len() - at);
                if matches!(bytes.get(at), Some(b'"' | b'\'')) {
                    let raw = bytes[start..at].iter().any(|b| matches!(b, b'r' | b'R'));
                    at = text_end(bytes, at, raw).map_err(|reason| fault(start, reason))?;
                }
            }
            b'(' | b'[' | b'{' => {
                open += 1;
                at += 1;
            }
            b')' | b']' | b'}' => {
                open = open.saturating_sub(1);
                at += 1;
            }
            // A conditional nests in its last branch without a bracket.
            b'?' => {
                open += 1;
                at += 1;
            }
            _ => at += 1,
        }
        tokens += 1;
        if tokens > MAX_EXPRESSION_TOKENS {
            return Err(fault(start, Reason::TooMany { what: "tokens", limit: MAX_EXPRESSION_TOKENS }));
        }
        if open > MAX_EXPRESSION_NESTING {
            return Err(fault(start, Reason::TooDeep { limit: MAX_EXPRESSION_NESTING }));
        }
    }
    if tokens == 0 { Err(Reason::Empty.into()) } else { Ok(()) }
}

fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_' || b >= 0x80
}

/// The place after the text whose opening quote is at `at`.
fn text_end(bytes: &[u8], at: usize, raw: bool) -> Result<usize, Reason> {
    let quote = bytes[at];
    let triple = bytes[at..].starts_with(&[quote; 3]);
    let mut at = at + if triple { 3 } else { 1 };
    loop {
        match bytes.get(at) {
            None => return Err(Reason::Syntax("a text has no end".to_owned())),
            Some(b'\n' | b'\r') if !triple => {
                return Err(Reason::Syntax("a text has no end on its line".to_owned()));
            }
            Some(b'\\') if raw && matches!(bytes.get(at + 1), Some(b'"' | b'\'')) => {
                let reason = "a quote after a backslash in a raw text: use the other quote";
                return Err(Reason::Syntax(reason.to_owned()));
            }
            Some(b'\\') if !raw => at += 2,
            Some(b) if *b == quote && !triple => return Ok(at + 1),
            Some(b) if *b == quote && bytes[at..].starts_with(&[quote; 3]) => return Ok(at + 3),
            Some(_) => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_in_texts_do_not_nest() {
        for good in
            ["a", "f('((((((((((((((((((((((((((((((')", r#"x == "\"(((""#, "r'\\d+' // ((((", "'''a\n'b'''"]
        {
            assert_eq!(scan(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn what_would_cost_the_parser_is_refused() {
        let reason = |text: &str| scan(text).unwrap_err().reason;
        assert!(matches!(reason(&"(".repeat(100)), Reason::TooDeep { .. }));
        assert!(matches!(reason(&"a?b:".repeat(100)), Reason::TooDeep { .. }));
        assert!(matches!(reason(&"a+".repeat(1_000)), Reason::TooMany { .. }));
        assert!(matches!(reason(&"a".repeat(9_000)), Reason::TooLong { .. }));
        for bad in ["'", "\"a", "'a\nb'", r"r'\''", "'\\"] {
            assert!(matches!(reason(bad), Reason::Syntax(_)), "{bad}");
        }
        assert_eq!(reason(" // nothing"), Reason::Empty);
    }
}
