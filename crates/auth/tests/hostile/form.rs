//! Not a token at all, or not in compact form.

use campanile_auth::{Algorithm, Refusal};

use super::{Case, case};
use crate::mint::*;

pub fn cases() -> Vec<Case> {
    use Refusal::{Malformed, Missing};
    let good = with_payload(GOOD);
    let segments: Vec<&str> = good.split('.').collect();
    let [header, payload, signature] = segments[..] else { unreachable!("a token has three segments") };
    let standard_alphabet = format!("{}.{}", encode(r#"{"alg":"HS256"}"#), "ey++/w");
    let longest = format!(r#"{{"userId":"alice","exp":1767229200,"x":"{}"}}"#, "x".repeat(8_192));
    let deep =
        |n: usize| format!(r#"{{"userId":"alice","exp":1767229200,"x":{}{}}}"#, "[".repeat(n), "]".repeat(n));

    vec![
        case("empty", "", Missing),
        case("blank", " ", Missing),
        case("blank with line ends", " \t\r\n", Missing),
        case("word", "garbage", Malformed),
        case("one dot", ".", Malformed),
        case("two dots", "..", Malformed),
        case("many dots", ".".repeat(8_000), Malformed),
        case("two segments", format!("{header}.{payload}"), Malformed),
        case("four segments", format!("{good}.{signature}"), Malformed),
        case("five segments, as an encrypted token has", format!("{good}.{payload}.{signature}"), Malformed),
        case("trailing dot", format!("{good}."), Malformed),
        case("leading dot", format!(".{good}"), Malformed),
        case("empty header", format!(".{payload}.{signature}"), Malformed),
        case("empty payload", format!("{header}..{signature}"), Malformed),
        case("bearer prefix", format!("Bearer {good}"), Malformed),
        case("quotes", format!("\"{good}\""), Malformed),
        case("leading space", format!(" {good}"), Malformed),
        case("trailing space", format!("{good} "), Malformed),
        case("trailing newline", format!("{good}\n"), Malformed),
        case("trailing NUL", format!("{good}\0"), Malformed),
        case("space inside", good.replacen('.', ". ", 1), Malformed),
        case("newline inside", good.replacen('.', "\n.", 1), Malformed),
        case("byte order mark", format!("\u{feff}{good}"), Malformed),
        case("UTF-16 read as bytes", good.chars().flat_map(|c| [c, '\0']).collect::<String>(), Malformed),
        case("full-width dots", good.replace('.', "．"), Malformed),
        case("look-alike letter", good.replacen('e', "е", 1), Malformed),
        case("zero-width space", good.replacen('.', "\u{200b}.", 1), Malformed),
        case("percent-encoded dots", good.replace('.', "%2E"), Malformed),
        case("padded header", format!("{header}==.{payload}.{signature}"), Malformed),
        case("padded signature", format!("{good}="), Malformed),
        case("standard alphabet", sign_message(Algorithm::HS256, &standard_alphabet), Malformed),
        case(
            "JSON serialization",
            format!(r#"{{"payload":"{payload}","signature":"{signature}"}}"#),
            Malformed,
        ),
        case("two tokens, comma between", format!("{good},{good}"), Malformed),
        case("longer than is looked at, genuine", with_payload(longest), Malformed),
        case("a megabyte", "a".repeat(1 << 20), Malformed),
        case("a megabyte of blanks", " ".repeat(1 << 20), Malformed),
        case("header not base64url", sign_message(Algorithm::HS256, &format!("a.{payload}")), Malformed),
        case(
            "payload not base64url, genuine",
            sign_message(Algorithm::HS256, &format!("{header}.a")),
            Malformed,
        ),
        case(
            "payload with bits left over, genuine",
            sign_message(Algorithm::HS256, &format!("{header}.{}", with_a_second_spelling(r#"{"exp":1 }"#))),
            Malformed,
        ),
        case("header not JSON", with_header("alg"), Malformed),
        case("header empty JSON", with_header("{}"), Malformed),
        case("header an array", with_header(r#"[{"alg":"HS256"}]"#), Malformed),
        case("header a string", with_header(r#""HS256""#), Malformed),
        case("header null", with_header("null"), Malformed),
        case("header not UTF-8", with_header(b"{\"alg\":\"HS256\",\"x\":\"\xff\"}"), Malformed),
        case("header in UTF-16", with_header(utf_16(r#"{"alg":"HS256"}"#)), Malformed),
        case("header with a byte order mark", with_header("\u{feff}{\"alg\":\"HS256\"}"), Malformed),
        case("header with something after it", with_header(r#"{"alg":"HS256"}{"alg":"none"}"#), Malformed),
        case("header with a comment", with_header(r#"{"alg":"HS256"/**/}"#), Malformed),
        case("header with a comma at the end", with_header(r#"{"alg":"HS256",}"#), Malformed),
        case("payload not JSON, genuine", with_payload("alice"), Malformed),
        case("payload an array, genuine", with_payload(format!("[{GOOD}]")), Malformed),
        case("payload a string, genuine", with_payload(r#""alice""#), Malformed),
        case("payload null, genuine", with_payload("null"), Malformed),
        case("payload a number, genuine", with_payload("1"), Malformed),
        case("payload empty of JSON, genuine", with_payload(" "), Malformed),
        case("payload not UTF-8, genuine", with_payload(b"{\"exp\":1,\"userId\":\"\xc3\x28\"}"), Malformed),
        case(
            "payload over-long UTF-8, genuine",
            with_payload(b"{\"exp\":1,\"userId\":\"\xc0\x80\"}"),
            Malformed,
        ),
        case("payload in UTF-16, genuine", with_payload(utf_16(GOOD)), Malformed),
        case("payload cut off, genuine", with_payload(&GOOD[..GOOD.len() - 1]), Malformed),
        case("payload twice, genuine", with_payload(format!("{GOOD}{GOOD}")), Malformed),
        case("payload a token itself, genuine", with_payload(&good), Malformed),
        case("payload 33 deep, genuine", with_payload(deep(32)), Malformed),
        case("payload 3,000 deep, genuine", with_payload(deep(1_500)), Malformed),
        case("payload 10,000 deep and too long", with_payload(deep(10_000)), Malformed),
        case("payload never closed, genuine", with_payload(r#"{"a":"#.repeat(1_000)), Malformed),
    ]
}

fn utf_16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// The same bytes in base64url to a lenient reader: the last character has bits that stand for nothing.
fn with_a_second_spelling(text: &str) -> String {
    assert_eq!(text.len() % 3, 1, "two bytes less than a group leave four bits over");
    let mut encoded = encode(text);
    let last = encoded.pop().map(|c| char::from(c as u8 + 1));
    encoded.extend(last);
    encoded
}
