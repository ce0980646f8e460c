//! Signatures that are not, and claims that must not be read before that is known.

use campanile_auth::{Algorithm, Refusal};
use jsonwebtoken::EncodingKey;

use super::{Case, case};
use crate::mint::*;

pub fn cases() -> Vec<Case> {
    use Refusal::{BadSignature, Expired};
    let good = with_payload(GOOD);
    let (message, signature) = good.rsplit_once('.').unwrap();
    let other = with_payload(GOOD.replace("alice", "mallory"));
    let another_key = |payload: &str| {
        let message = format!("{}.{}", encode(r#"{"alg":"HS256"}"#), encode(payload));
        sign_with(&EncodingKey::from_secret(&[b'z'; 40]), Algorithm::HS256, &message)
    };
    let other_rsa = EncodingKey::from_rsa_pem(fixture::OTHER_RSA_PRIVATE.as_bytes()).unwrap();
    let rs256 = token(Algorithm::RS256, GOOD);
    let es256 = token(Algorithm::ES256, GOOD);
    let bytes_of = |token: &str, f: &dyn Fn(&mut Vec<u8>)| {
        use base64::Engine;
        let (message, signature) = token.rsplit_once('.').unwrap();
        let mut bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(signature).unwrap();
        f(&mut bytes);
        format!("{message}.{}", encode(bytes))
    };
    let expired = r#"{"userId":"alice","exp":1767225540}"#;

    vec![
        case("signature by another secret", another_key(GOOD), BadSignature),
        case(
            "signature by a secret that holds ours",
            {
                let secret = EncodingKey::from_secret(format!("{SECRET} ").as_bytes());
                sign_with(&secret, Algorithm::HS256, message)
            },
            BadSignature,
        ),
        case(
            "signature by another RSA key",
            sign_with(&other_rsa, Algorithm::RS256, rs256.rsplit_once('.').unwrap().0),
            BadSignature,
        ),
        case(
            "signature of another payload",
            format!("{message}.{}", other.rsplit_once('.').unwrap().1),
            BadSignature,
        ),
        case(
            "payload changed",
            good.replace(&encode(GOOD), &encode(GOOD.replace("alice", "mallory"))),
            BadSignature,
        ),
        case(
            "header changed",
            good.replacen(&encode(r#"{"alg":"HS256","typ":"JWT"}"#), &encode(r#"{"alg":"HS256"}"#), 1),
            BadSignature,
        ),
        case("signature empty", format!("{message}."), BadSignature),
        case("signature cut by a character", good[..good.len() - 1].to_owned(), BadSignature),
        case("signature cut by a byte", bytes_of(&good, &|b| b.truncate(31)), BadSignature),
        case("signature cut to its half", bytes_of(&good, &|b| b.truncate(16)), BadSignature),
        case("signature cut to one byte", bytes_of(&good, &|b| b.truncate(1)), BadSignature),
        case("signature with a byte more", bytes_of(&good, &|b| b.push(0)), BadSignature),
        case("signature twice", bytes_of(&good, &|b| b.extend_from_within(..)), BadSignature),
        case("signature with its first bit flipped", bytes_of(&good, &|b| b[0] ^= 0x80), BadSignature),
        case("signature with its last bit flipped", bytes_of(&good, &|b| b[31] ^= 1), BadSignature),
        case("signature of zeros", bytes_of(&good, &|b| b.fill(0)), BadSignature),
        case("signature of ones", bytes_of(&good, &|b| b.fill(0xff)), BadSignature),
        case("signature in hex", format!("{message}.{}", "0".repeat(64)), BadSignature),
        case("signature long", format!("{message}.{}", "A".repeat(8_000)), BadSignature),
        case("signature with bits left over", with_bits_left_over(message, signature), BadSignature),
        case("RSA signature of zeros", bytes_of(&rs256, &|b| b.fill(0)), BadSignature),
        case(
            "RSA signature one",
            bytes_of(&rs256, &|b| {
                b.fill(0);
                b[255] = 1
            }),
            BadSignature,
        ),
        case("RSA signature cut", bytes_of(&rs256, &|b| b.truncate(255)), BadSignature),
        case("RSA signature with a zero in front", bytes_of(&rs256, &|b| b.insert(0, 0)), BadSignature),
        case("ECDSA signature of zeros (CVE-2022-21449)", bytes_of(&es256, &|b| b.fill(0)), BadSignature),
        case("ECDSA signature of ones", bytes_of(&es256, &|b| b.fill(0xff)), BadSignature),
        case("ECDSA signature in DER", bytes_of(&es256, &in_der), BadSignature),
        case("ECDSA signature empty", format!("{}.", es256.rsplit_once('.').unwrap().0), BadSignature),
        case(
            "EdDSA signature of zeros",
            bytes_of(&token(Algorithm::EdDSA, GOOD), &|b| b.fill(0)),
            BadSignature,
        ),
        case(
            "EdDSA signature with its scalar raised by the order",
            bytes_of(&token(Algorithm::EdDSA, GOOD), &|b| plus_order(b)),
            BadSignature,
        ),
        case("expired and badly signed", another_key(expired), BadSignature),
        case(
            "expired and badly signed, flipped",
            bytes_of(&with_payload(expired), &|b| b[0] ^= 1),
            BadSignature,
        ),
        case("no exp and badly signed", another_key(r#"{"userId":"alice"}"#), BadSignature),
        case("payload not JSON and badly signed", another_key("not json"), BadSignature),
        case("expired and genuine", with_payload(expired), Expired),
    ]
}

/// Ends with the character after its last: the same 32 bytes to a lenient reader.
fn with_bits_left_over(message: &str, signature: &str) -> String {
    let (rest, last) = signature.split_at(signature.len() - 1);
    let next = char::from(last.as_bytes()[0] + 1);
    format!("{message}.{rest}{next}")
}

/// The two numbers of an ECDSA signature as X.509 writes them.
fn in_der(bytes: &mut Vec<u8>) {
    let integer = |half: &[u8]| [&[0x02, 33, 0], half].concat();
    let both = [integer(&bytes[..32]), integer(&bytes[32..])].concat();
    *bytes = [vec![0x30, both.len() as u8], both].concat();
}

/// The same signature to a reader that does not reduce: s + L (RFC 8032 §5.1.7 refuses it).
fn plus_order(bytes: &mut [u8]) {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut carry = 0;
    for (byte, order) in bytes[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        (*byte, carry) = (sum as u8, sum >> 8);
    }
}
