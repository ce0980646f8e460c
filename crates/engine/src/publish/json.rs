//! Whether JSON that is passed on unread is fit for every client's parser.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use campanile_model::limits::MAX_JSON_DEPTH;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Refuses what parsers disagree on (RFC 8259 §4, §8.2; RFC 7493): members given twice, lone surrogates,
/// numbers beyond a double, and nesting deeper than [`MAX_JSON_DEPTH`]. A raw value is otherwise well-formed.
///
/// # Errors
/// What is wrong, to be read after the name of the value, without any part of it.
pub(crate) fn check_json(raw: &RawValue) -> Result<(), String> {
    let mut deserializer = serde_json::Deserializer::from_str(raw.get());
    Sound { depth: 0 }.deserialize(&mut deserializer).map_err(|error| {
        if error.is_data() {
            // Only the texts below: a value of any type is welcome.
            let text = error.to_string();
            text.split(" at line ").next().unwrap_or_default().to_owned()
        } else {
            "holds a lone surrogate or a number beyond a double".to_owned()
        }
    })
}

/// One value, `depth` containers deep.
#[derive(Clone, Copy)]
struct Sound {
    depth: usize,
}

impl Sound {
    fn inner<E: Error>(self) -> Result<Self, E> {
        if self.depth == MAX_JSON_DEPTH {
            return Err(E::custom(format_args!("is nested deeper than {MAX_JSON_DEPTH} levels")));
        }
        Ok(Self { depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Sound {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Sound {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let inner = self.inner()?;
        while seq.next_element_seed(inner)?.is_some() {}
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let inner = self.inner()?;
        let mut known = HashSet::new();
        while let Some(key) = map.next_key_seed(Key)? {
            if !known.insert(key) {
                return Err(A::Error::custom("has a member twice in one object"));
            }
            map.next_value_seed(inner)?;
        }
        Ok(())
    }
}

/// A member's name, borrowed where it is written without escapes.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }
    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(), String> {
        check_json(&RawValue::from_string(text.to_owned()).unwrap())
    }

    #[test]
    fn depth_is_counted_in_containers() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert_eq!(check(&nested(32)), Ok(()));
        assert_eq!(check(&nested(33)), Err("is nested deeper than 32 levels".into()));
        assert_eq!(check(&nested(10_000)), Err("is nested deeper than 32 levels".into()));
        assert!(check(&format!("{}1{}", "{\"a\":".repeat(33), "}".repeat(33))).is_err());
    }

    #[test]
    fn what_parsers_disagree_on_is_refused() {
        for good in
            ["null", "-0.0", "1e300", r#"{"a":{"a":1},"b":1}"#, r#""\ud83d\ude00""#, r#"{"\u0000":1}"#]
        {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        assert_eq!(check(r#"{"a":1,"\u0061":2}"#), Err("has a member twice in one object".into()));
        for bad in [r#""\ud800""#, r#"{"\udc00":1}"#, r#"["\ud800x"]"#, "1e999"] {
            assert!(check(bad).unwrap_err().starts_with("holds a lone surrogate"), "{bad}");
        }
    }
}
