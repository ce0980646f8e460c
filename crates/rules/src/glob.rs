//! Patterns of event types and sources.

use crate::error::Reason;
use crate::limits::MAX_PATTERN_BYTES;

/// A pattern in which `*` stands for any run of characters, none included, and everything else for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Glob(Box<str>);

impl Glob {
    pub(crate) fn new(pattern: &str) -> Result<Self, Reason> {
        match pattern.len() {
            0 => Err(Reason::Empty),
            n if n > MAX_PATTERN_BYTES => Err(Reason::TooLong { limit: MAX_PATTERN_BYTES, unit: "bytes" }),
            _ => Ok(Self(pattern.into())),
        }
    }

    /// Bytes it takes.
    pub(crate) fn weight(&self) -> usize {
        size_of::<Self>() + self.0.len()
    }

    /// What matching a text of so many bytes costs at most, in bytes looked at.
    pub(crate) fn cost(&self, text: usize) -> usize {
        self.0.len() * text
    }

    /// Greedy with one place to go back to: at most pattern times text steps, never exponential.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let (pattern, text) = (self.0.as_bytes(), text.as_bytes());
        let (mut p, mut t) = (0, 0);
        let mut star = None;
        while t < text.len() {
            if pattern.get(p) == Some(&b'*') {
                star = Some((p, t));
                p += 1;
            } else if pattern.get(p) == Some(&text[t]) {
                p += 1;
                t += 1;
            } else if let Some((back, taken)) = star {
                star = Some((back, taken + 1));
                p = back + 1;
                t = taken + 1;
            } else {
                return false;
            }
        }
        pattern[p..].iter().all(|b| *b == b'*')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_run() {
        let matches = |pattern: &str, text: &str| Glob::new(pattern).unwrap().matches(text);
        for (pattern, text) in [
            ("*", ""),
            ("*", "anything"),
            ("record_*", "record_created"),
            ("record_*", "record_"),
            ("*.user.*", "a.user.b"),
            ("a*b*c", "aXbYbZc"),
            ("exact", "exact"),
            ("*é", "caf\u{e9}"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in
            [("record_*", "records_x"), ("a*b", "ac"), ("exact", "exactly"), ("a", ""), ("user.*", "userX")]
        {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn a_hostile_pattern_stays_cheap() {
        let pattern = Glob::new(&"a*".repeat(127)).unwrap();
        assert!(!pattern.matches(&format!("{}b", "a".repeat(100))));
    }
}
