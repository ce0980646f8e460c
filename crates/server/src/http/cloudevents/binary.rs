//! An event whose attributes are headers and whose data is the body (the HTTP protocol binding, §3.1).

use axum::http::{HeaderMap, HeaderValue};

use super::super::body::JsonBody;
use super::super::problem::Problem;
use super::envelope::{Envelope, is_name, refuse};

/// What the names of attributes begin with as headers.
const PREFIX: &str = "ce-";

/// Reads one event.
///
/// # Errors
/// Names the attribute.
pub(super) fn read(headers: &HeaderMap, body: &JsonBody) -> Result<Envelope, Problem> {
    let mut envelope = Envelope::default();
    for name in headers.keys() {
        let Some(attribute) = name.as_str().strip_prefix(PREFIX) else { continue };
        if !is_name(attribute) {
            return Err(refuse("ce-", "an attribute's name has lower-case letters and digits only"));
        }
        let mut values = headers.get_all(name).iter();
        // Extension attributes are not kept, whatever they say.
        let Some(slot) = envelope.known(attribute) else { continue };
        let refuse = |detail: &'static str| Err(refuse(name.as_str().to_owned(), detail));
        let (Some(value), None) = (values.next(), values.next()) else {
            return refuse("an attribute is given once");
        };
        if attribute == "datacontenttype" {
            return refuse("of an event in headers, Content-Type says what its data is");
        }
        *slot = match decoded(value) {
            Some(text) => Some(text),
            None => return refuse("a value is visible ASCII, and percent-encoded UTF-8 where it is not"),
        };
    }
    if !body.0.is_empty() {
        envelope.data = Some(body.parse()?);
    }
    Ok(envelope)
}

/// The value that stands in a header: quotes are taken off, then one round of percent-decoding (§3.1.3.2).
fn decoded(value: &HeaderValue) -> Option<String> {
    let text = value.to_str().ok()?.trim();
    let text = match text.strip_prefix('"') {
        Some(rest) => unquoted(rest)?,
        None => text.to_owned(),
    };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, others @ ..] = rest {
        rest = others;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let [high, low, others @ ..] = rest else { return None };
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        bytes.push(digit(*high)? << 4 | digit(*low)?);
        rest = others;
    }
    String::from_utf8(bytes).ok()
}

/// What stands before the closing quote, which is the last character (RFC 9110 §5.6.4).
fn unquoted(rest: &str) -> Option<String> {
    let mut text = String::with_capacity(rest.len());
    let mut characters = rest.chars();
    while let Some(c) = characters.next() {
        match c {
            '"' => return characters.next().is_none().then_some(text),
            '\\' => text.push(characters.next()?),
            other => text.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_once() {
        let decoded = |text: &'static str| decoded(&HeaderValue::from_static(text));
        for (text, wanted) in [
            ("plain", "plain"),
            ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),
            ("%2525", "%25"),
            ("%41", "A"),
            ("\"a \\\"b\\\" %20c\"", "a \"b\"  c"),
            ("with space", "with space"),
            ("", ""),
        ] {
            assert_eq!(decoded(text).as_deref(), Some(wanted), "{text}");
        }
        // Overlong and broken UTF-8, broken escapes and quotes.
        for bad in ["%C0%A0", "%FF", "%E2%82", "%", "%4", "%zz", "%+1", "\"open", "\"a\"b", "\"a\\"] {
            assert_eq!(decoded(bad), None, "{bad}");
        }
    }
}
