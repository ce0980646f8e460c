//! Query strings, read strictly.

/// A parameter as it stands in a query.
#[cfg_attr(test, derive(Debug))] // in the server it may hold a token
#[derive(Clone, PartialEq, Eq)]
pub enum Parameter {
    /// It is not there.
    Missing,
    /// It is there once; percent-decoded. `+` stays what it is: in a token it is no space.
    Once(String),
    /// It is there more than once, or is not UTF-8: nobody can say what is meant.
    Ambiguous,
}

/// Reads the parameter `name` of `query` (what follows the `?`).
pub fn parameter(query: &str, name: &str) -> Parameter {
    let mut found = Parameter::Missing;
    for pair in query.split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if percent_decode(key).is_none_or(|key| key != name) {
            continue;
        }
        found = match (found, percent_decode(value)) {
            (Parameter::Missing, Some(value)) => Parameter::Once(value),
            _ => return Parameter::Ambiguous,
        };
    }
    found
}

/// `None` where the bytes are not UTF-8. A `%` without two digits stands for itself, as in browsers.
fn percent_decode(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let hex = |b: Option<&u8>| b.and_then(|b| char::from(*b).to_digit(16)).and_then(|d| u8::try_from(d).ok());
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match (byte, hex(bytes.get(at + 1)), hex(bytes.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                decoded.push(high * 16 + low);
                at += 3;
            }
            _ => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters() {
        let once = |v: &str| Parameter::Once(v.into());
        assert_eq!(parameter("token=a.b.c&workspaceSlug=w", "token"), once("a.b.c"));
        assert_eq!(parameter("workspaceSlug=w&token=a%2Eb%2ec", "token"), once("a.b.c"));
        assert_eq!(parameter("token=a+b%2", "token"), once("a+b%2"));
        assert_eq!(parameter("token", "token"), once(""));
        assert_eq!(parameter("", "token"), Parameter::Missing);
        assert_eq!(parameter("Token=a", "token"), Parameter::Missing);
        assert_eq!(parameter("token=a&token=a", "token"), Parameter::Ambiguous);
        assert_eq!(parameter("token=a&%74oken=b", "token"), Parameter::Ambiguous);
        assert_eq!(parameter("token=%ff", "token"), Parameter::Ambiguous);
    }
}
