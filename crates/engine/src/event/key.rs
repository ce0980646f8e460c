//! What an event is called among the documents of its workspace.

use aws_lc_rs::digest;

/// The id of an event's document: one for each source and id, whatever their lengths.
pub(crate) fn key(source: &str, id: &str) -> String {
    let mut text = String::with_capacity(source.len() + id.len() + 1);
    text.push_str(source);
    text.push('\0');
    text.push_str(id);
    hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}

/// The bytes as lower case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        for half in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(half), 16).unwrap_or('0'));
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_events_are_apart() {
        assert_ne!(key("a", "b"), key("ab", ""));
        assert_eq!(key("a", "b").len(), 64);
    }
}
