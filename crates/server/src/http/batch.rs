//! One thing, such as a notification, or an array of them, read in one pass that knows where it stands.

use std::fmt;

use campanile_engine::publish::Draft;
use campanile_model::limits::MAX_BATCH;
use serde::Deserialize;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};

use super::body::{JsonBody, refuse};
use super::problem::Problem;

/// What a publish request holds, or another that takes one or many of a kind.
#[derive(Debug)]
pub struct Batch<T = Draft> {
    /// At least one where it is not an array.
    pub drafts: Vec<T>,
    /// Whether it is an array.
    pub is_array: bool,
}

impl Batch {
    /// Reads a body.
    ///
    /// # Errors
    /// As [`JsonBody::parse`], with the `index` of the entry that is not as it should be.
    pub fn parse(body: &JsonBody) -> Result<Self, Problem> {
        Self::parse_up_to(body, MAX_BATCH, "notifications")
    }
}

impl<T: DeserializeOwned> Batch<T> {
    /// Reads a body of at most `limit` of what is called `noun`.
    ///
    /// # Errors
    /// As [`Batch::parse`].
    pub fn parse_up_to(body: &JsonBody, limit: usize, noun: &'static str) -> Result<Self, Problem> {
        let is_array = body.0.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'[');
        if !is_array {
            return Ok(Self { drafts: vec![body.parse()?], is_array });
        }
        let mut drafts = Vec::new();
        let mut deserializer = serde_json::Deserializer::from_slice(&body.0);
        let entries = Entries { drafts: &mut drafts, limit, noun };
        let parsed = entries.deserialize(&mut deserializer).and_then(|()| deserializer.end());
        match parsed {
            Ok(()) => Ok(Self { drafts, is_array }),
            // A syntax error is a property of the whole body, wherever it stands.
            Err(error) if error.is_data() => Err(refuse(&error).index(Some(drafts.len()))),
            Err(error) => Err(refuse(&error)),
        }
    }
}

/// An array of at most `limit` of what is called `noun`: it ends where it grows too long, whatever follows. What was
/// read until then is there also if the rest can't be.
pub(super) struct Entries<'a, T> {
    /// Where they go.
    pub(super) drafts: &'a mut Vec<T>,
    pub(super) limit: usize,
    pub(super) noun: &'static str,
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for Entries<'_, T> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<'_, T> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an array of {}", self.noun)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(draft) = seq.next_element()? {
            if self.drafts.len() == self.limit {
                let Self { limit, noun, .. } = self;
                return Err(A::Error::custom(format_args!("a batch has at most {limit} {noun}")));
            }
            self.drafts.push(draft);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"to":{"user":"a"},"title":"T","message":"M"}"#;

    fn parse(text: String) -> Result<(usize, bool), String> {
        Batch::parse(&JsonBody(text.into()))
            .map(|b| (b.drafts.len(), b.is_array))
            .map_err(|p| format!("{p:?}"))
    }

    #[test]
    fn one_or_many() {
        assert_eq!(parse(GOOD.into()), Ok((1, false)));
        assert_eq!(parse(format!(" \n[{GOOD}]")), Ok((1, true)));
        assert_eq!(parse("[]".into()), Ok((0, true)));
        let many = |n: usize| format!("[{}]", [GOOD].repeat(n).join(","));
        assert_eq!(parse(many(1_000)), Ok((1_000, true)));
        assert!(parse(many(1_001)).unwrap_err().contains("at most 1000"));
    }

    #[test]
    fn errors_know_their_place() {
        let wrong = parse(format!("[{GOOD},{GOOD},{{}}]")).unwrap_err();
        assert!(wrong.contains("index: Some(2)") && wrong.contains("missing field"), "{wrong}");
        assert!(parse(format!("[{GOOD}")).unwrap_err().contains("invalid_json"));
        assert!(parse(format!("[{GOOD}]x")).unwrap_err().contains("invalid_json"));
        assert!(parse("1".into()).unwrap_err().contains("invalid_body"));
    }
}
