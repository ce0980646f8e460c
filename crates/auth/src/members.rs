//! A JSON object read strictly: what a header and a payload must be.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use campanile_model::limits::MAX_JSON_DEPTH;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of one JSON object, each once, their values still as text.
///
/// Values stay text so that each reader decides how strictly to take its own: a number is read as it was
/// written, not as the nearest double.
pub(crate) struct Members<'a>(BTreeMap<Cow<'a, str>, &'a RawValue>);

impl<'a> Members<'a> {
    /// Reads `json`: UTF-8, one object, nothing after it, at most 32 deep, no name twice.
    pub(crate) fn parse(json: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(json).ok()?;
        if is_too_deep(json) {
            return None;
        }
        serde_json::from_str(text).ok()
    }

    /// The value of `name` as JSON text, if there is such a member; `null` is a value.
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).map(|value| value.get())
    }

    /// The value that a configured name leads to: a member, or for a name with `/` in front the way into an object
    /// (RFC 6901, through objects only). `Err` where the way leads into something else than an object.
    pub(crate) fn at(&self, name: &str) -> Result<Option<&'a str>, NotAnObject> {
        let Some(way) = name.strip_prefix('/') else { return Ok(self.get(name)) };
        let mut steps = way.split('/').map(|step| step.replace("~1", "/").replace("~0", "~"));
        let mut found = steps.next().and_then(|step| self.get(&step));
        for step in steps {
            let Some(value) = found else { return Ok(None) };
            found = Members::parse(value.as_bytes()).ok_or(NotAnObject)?.get(&step);
        }
        Ok(found)
    }
}

/// What stands on the way to a claim is no object, or one with a name given twice.
pub(crate) struct NotAnObject;

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = BTreeMap::new();
                while let Some(Text(name)) = map.next_key()? {
                    // RFC 8725 §2.8 leaves "last wins" to parsers; two readers must not see two tokens.
                    if members.insert(name, map.next_value()?).is_some() {
                        return Err(A::Error::custom("a member is given twice"));
                    }
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

/// A string, borrowed where it holds no escape.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The string that `json` is, or `None` if it is anything else.
pub(crate) fn string(json: &str) -> Option<Cow<'_, str>> {
    serde_json::from_str(json).ok().map(|Text(text)| text)
}

/// The strings of the array that `json` is, or `None` if it is anything else or holds anything else.
pub(crate) fn strings(json: &str) -> Option<Vec<Cow<'_, str>>> {
    let texts: Vec<Text<'_>> = serde_json::from_str(json).ok()?;
    Some(texts.into_iter().map(|Text(text)| text).collect())
}

/// Whether brackets are nested deeper than the limit. Looked at before the parser gets to recurse.
fn is_too_deep(json: &[u8]) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_JSON_DEPTH {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_objects_only_and_each_name_once() {
        let json = br#" {"a":1,"b":{"x":1,"x":2},"c":null} "#;
        let members = Members::parse(json).unwrap();
        assert_eq!((members.get("a"), members.get("c"), members.get("d")), (Some("1"), Some("null"), None));
        for bad in [
            "",
            "1",
            "null",
            "[]",
            "\"{}\"",
            "{",
            "{}x",
            "{} {}",
            "{\"a\":1,}",
            "{a:1}",
            "{'a':1}",
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"\ud800":1}"#,
            "\u{feff}{}",
            "{\"a\":NaN}",
            "{\"a\":01}",
        ] {
            assert!(Members::parse(bad.as_bytes()).is_none(), "{bad}");
        }
        assert!(Members::parse(b"{\"a\":\"\xff\"}").is_none());
        assert!(Members::parse(b"\xff\xfe{\0}\0").is_none());
    }

    #[test]
    fn ways_lead_through_objects() {
        let json =
            br#"{"a":{"b":{"c":1},"d":2,"/":{"~":3}},"https://x/y":4,"":5,"t":"x","two":{"a":1,"a":2}}"#;
        let members = Members::parse(json).unwrap();
        for (name, value) in [
            ("a", Some(r#"{"b":{"c":1},"d":2,"/":{"~":3}}"#)),
            ("/a/b/c", Some("1")),
            ("/a/d", Some("2")),
            ("/a/~1/~0", Some("3")),
            ("https://x/y", Some("4")),
            ("/https:~1~1x~1y", Some("4")),
            ("/", Some("5")),
            ("a/d", None),
            ("a.d", None),
            ("/a/e", None),
            ("/e/a", None),
            ("/a/b/e", None),
        ] {
            assert_eq!(members.at(name).ok(), Some(value), "{name}");
        }
        for name in ["/t/x", "/a/d/x", "/two/a"] {
            assert!(members.at(name).is_err(), "{name}");
        }
    }

    #[test]
    fn depth_is_bounded_outside_strings() {
        let nested = |n: usize| format!("{{\"a\":{}{}}}", "[".repeat(n), "]".repeat(n));
        assert!(Members::parse(nested(MAX_JSON_DEPTH - 1).as_bytes()).is_some());
        assert!(Members::parse(nested(MAX_JSON_DEPTH).as_bytes()).is_none());
        assert!(Members::parse(nested(100_000).as_bytes()).is_none());
        let quoted = format!(r#"{{"a":"\"{}\\"}}"#, "[".repeat(100));
        assert!(Members::parse(quoted.as_bytes()).is_some());
    }

    #[test]
    fn strings_are_strings() {
        assert_eq!(string(r#""a\u00e4""#).as_deref(), Some("aä"));
        for bad in ["1", "null", "[]", r#""\ud800""#] {
            assert!(string(bad).is_none(), "{bad}");
        }
        assert_eq!(strings(r#"["a","b"]"#).unwrap(), ["a", "b"]);
        for bad in [r#"["a",1]"#, r#"[null]"#, r#""a""#, "null", "{}", r#"[["a"]]"#] {
            assert!(strings(bad).is_none(), "{bad}");
        }
    }
}
