//! Headers that want to choose how they are checked.

use campanile_auth::{Algorithm, KeyConfig, Refusal};
use jsonwebtoken::EncodingKey;

use super::{Case, case};
use crate::mint::*;

pub fn cases() -> Vec<Case> {
    [algorithms(), confusions(), key_ids(), members()].into_iter().flatten().collect()
}

fn unsigned(algorithm: &str) -> String {
    format!("{}.{}.", encode(format!(r#"{{"alg":"{algorithm}"}}"#)), encode(GOOD))
}

fn algorithms() -> Vec<Case> {
    use Refusal::{BadSignature, Malformed, WrongAlgorithm};
    let with = |alg: &str| with_header(format!(r#"{{"alg":{alg}}}"#));
    vec![
        case("none", unsigned("none"), WrongAlgorithm),
        case("None", unsigned("None"), WrongAlgorithm),
        case("NONE", unsigned("NONE"), WrongAlgorithm),
        case("nOnE", unsigned("nOnE"), WrongAlgorithm),
        case("none with a space", unsigned("none "), WrongAlgorithm),
        case("none with a genuine signature", with(r#""none""#), WrongAlgorithm),
        case("none by escapes", unsigned(r"\u006eone"), WrongAlgorithm),
        case(
            "none and a kid",
            format!("{}.{}.", encode(r#"{"alg":"none","kid":"HS256"}"#), encode(GOOD)),
            WrongAlgorithm,
        ),
        case("no signature", unsigned("HS256"), BadSignature),
        case("alg in lower case", with(r#""hs256""#), WrongAlgorithm),
        case("alg empty", with(r#""""#), WrongAlgorithm),
        case("alg unknown", with(r#""HS1""#), WrongAlgorithm),
        case("alg of encryption", with(r#""RSA-OAEP""#), WrongAlgorithm),
        case("alg ES256K", with(r#""ES256K""#), WrongAlgorithm),
        case("alg a URL", with(r#""http://www.w3.org/2001/04/xmldsig-more#hmac-sha256""#), WrongAlgorithm),
        case("alg null", with("null"), Malformed),
        case("alg a number", with("256"), Malformed),
        case("alg a list", with(r#"["HS256"]"#), Malformed),
        case("alg an object", with(r#"{"HS256":true}"#), Malformed),
        case("alg absent", with_header(r#"{"typ":"JWT"}"#), Malformed),
        case("Alg", with_header(r#"{"Alg":"HS256"}"#), Malformed),
        case("alg twice, none last", with_header(r#"{"alg":"HS256","alg":"none"}"#), Malformed),
        case("alg twice, none first", with_header(r#"{"alg":"none","alg":"HS256"}"#), Malformed),
        case("alg twice, the same", with_header(r#"{"alg":"HS256","alg":"HS256"}"#), Malformed),
        case("alg twice, once by escapes", with_header(r#"{"alg":"HS256","\u0061lg":"none"}"#), Malformed),
        case("a member we ignore twice", with_header(r#"{"alg":"HS256","x":1,"x":2}"#), Malformed),
    ]
}

/// A key used with an algorithm it was not configured for (RFC 8725 §2.1).
fn confusions() -> Vec<Case> {
    use Refusal::{BadSignature, WrongAlgorithm};
    // What a forger has: the public key's text, with and without its last line end, and the key's bytes.
    let forged = |alg: Algorithm, secret: &[u8], kid: &str| {
        let message = format!("{}.{}", encode(format!(r#"{{"alg":"{alg}"{kid}}}"#)), encode(GOOD));
        sign_with(&EncodingKey::from_secret(secret), alg, &message)
    };
    let rsa = fixture::RSA;
    let der = base64_body(rsa);
    let only = |algorithm| vec![key(None, algorithm)];
    let hs = Algorithm::HS256;
    vec![
        case("HS256 by the RSA public key", forged(hs, rsa.as_bytes(), ""), WrongAlgorithm)
            .on(only(Algorithm::RS256)),
        case("HS256 by the trimmed RSA public key", forged(hs, rsa.trim().as_bytes(), ""), WrongAlgorithm)
            .on(only(Algorithm::PS256)),
        case("HS256 by the RSA key's bytes", forged(hs, &der, ""), WrongAlgorithm).on(only(Algorithm::RS256)),
        case("HS512 by the RSA public key", forged(Algorithm::HS512, rsa.as_bytes(), ""), WrongAlgorithm)
            .on(only(Algorithm::RS512)),
        case("HS256 by the EC public key", forged(hs, fixture::P256.as_bytes(), ""), WrongAlgorithm)
            .on(only(Algorithm::ES256)),
        case("HS256 by the Ed25519 public key", forged(hs, fixture::ED25519.as_bytes(), ""), WrongAlgorithm)
            .on(only(Algorithm::EdDSA)),
        case(
            "HS256 by the RSA public key, RSA kid",
            forged(hs, rsa.as_bytes(), r#","kid":"RS256""#),
            WrongAlgorithm,
        ),
        case(
            "HS256 by the RSA public key, HMAC kid",
            forged(hs, rsa.as_bytes(), r#","kid":"HS256""#),
            BadSignature,
        ),
        case("HS256 by the RSA public key, all keys", forged(hs, rsa.as_bytes(), ""), BadSignature),
        case("HS384 by the HS256 key", token(Algorithm::HS384, GOOD), WrongAlgorithm).on(only(hs)),
        case("RS256 header, HMAC signature", signed(hs, r#"{"alg":"RS256"}"#, GOOD), WrongAlgorithm)
            .on(only(hs)),
        case("RS256 header, HMAC signature, all keys", signed(hs, r#"{"alg":"RS256"}"#, GOOD), BadSignature),
        case("PS256 by the RS256 key", token(Algorithm::PS256, GOOD), WrongAlgorithm)
            .on(only(Algorithm::RS256)),
        case(
            "RS256 header, PSS signature",
            signed(Algorithm::PS256, r#"{"alg":"RS256"}"#, GOOD),
            BadSignature,
        ),
        case("RS512 by the RS256 key", token(Algorithm::RS512, GOOD), WrongAlgorithm)
            .on(only(Algorithm::RS256)),
        case("ES384 by the P-384 key, P-256 kid", es384_as_p256(), WrongAlgorithm),
    ]
}

fn es384_as_p256() -> String {
    signed(Algorithm::ES384, r#"{"alg":"ES384","kid":"ES256"}"#, GOOD)
}

fn base64_body(pem: &str) -> Vec<u8> {
    use base64::Engine;
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    base64::engine::general_purpose::STANDARD.decode(body).unwrap()
}

/// Key ids are compared, never looked up anywhere.
fn key_ids() -> Vec<Case> {
    use Refusal::{BadSignature, Malformed, UnknownKey, WrongAlgorithm};
    let with = |kid: &str| with_header(format!(r#"{{"alg":"HS256","kid":{kid}}}"#));
    let empty_file = {
        let message =
            format!("{}.{}", encode(r#"{"alg":"HS256","kid":"../../../../dev/null"}"#), encode(GOOD));
        sign_with(&EncodingKey::from_secret(b""), Algorithm::HS256, &message)
    };
    vec![
        case("kid unknown", with(r#""nobody""#), UnknownKey),
        case("kid empty", with(r#""""#), UnknownKey),
        case("kid in another case", with(r#""hs256""#), UnknownKey),
        case("kid with a space", with(r#""HS256 ""#), UnknownKey),
        case("kid with a NUL", with(r#""HS256\u0000""#), UnknownKey),
        case("kid a path", with(r#""../../dev/null""#), UnknownKey),
        case("kid a path to an empty file, signed with nothing", empty_file, UnknownKey),
        case("kid an absolute path", with(r#""/proc/sys/kernel/randomize_va_space""#), UnknownKey),
        case("kid SQL", with(r#""x' UNION SELECT 'secret' -- ""#), UnknownKey),
        case("kid SQL that is always true", with(r#""HS256' OR '1'='1""#), UnknownKey),
        case("kid a command", with(r#""HS256|id""#), UnknownKey),
        case("kid a URL", with(r#""https://evil.example/key""#), UnknownKey),
        case("kid a pattern", with(r#""*""#), UnknownKey),
        case("kid long", with(&format!(r#""{}""#, "k".repeat(5_000))), UnknownKey),
        case("kid null", with("null"), Malformed),
        case("kid a number", with("1"), Malformed),
        case("kid an object", with(r#"{"id":"HS256"}"#), Malformed),
        case("kid a list", with(r#"["HS256"]"#), Malformed),
        case("kid true", with("true"), Malformed),
        case("kid twice", with(r#""HS256","kid":"HS384""#), Malformed),
        case("kid half a surrogate pair", with(r#""\ud800""#), Malformed),
        case("kid of a key of another algorithm", with(r#""RS256""#), WrongAlgorithm),
        case("kid of another key of the algorithm", with(r#""second""#), BadSignature).on(vec![
            key(Some("first"), Algorithm::HS256),
            KeyConfig { secret: Some("z".repeat(40)), ..key(Some("second"), Algorithm::HS256) },
        ]),
    ]
}

fn members() -> Vec<Case> {
    use Refusal::{BadSignature, Malformed, UnsupportedHeader};
    let with = |member: &str| with_header(format!(r#"{{"alg":"HS256",{member}}}"#));
    // Signed by a key of the forger's own, which the header offers in each of the ways there are.
    let own_key = EncodingKey::from_rsa_pem(fixture::OTHER_RSA_PRIVATE.as_bytes()).unwrap();
    let offers = |member: &str| {
        let header = encode(format!(r#"{{"alg":"RS256",{member}}}"#));
        sign_with(&own_key, Algorithm::RS256, &format!("{header}.{}", encode(GOOD)))
    };
    let hmac_jwk = {
        let header = encode(r#"{"alg":"HS256","jwk":{"kty":"oct","k":"c2VjcmV0"}}"#);
        sign_with(
            &EncodingKey::from_secret(b"secret"),
            Algorithm::HS256,
            &format!("{header}.{}", encode(GOOD)),
        )
    };
    vec![
        case("jku", offers(r#""jku":"https://evil.example/jwks.json""#), BadSignature),
        case("jku to a file", offers(r#""jku":"file:///etc/passwd""#), BadSignature),
        case("x5u", offers(r#""x5u":"https://evil.example/cert.pem""#), BadSignature),
        case("jwk", offers(r#""jwk":{"kty":"RSA","n":"AQAB","e":"AQAB"}"#), BadSignature),
        case("jwk with a secret in it", hmac_jwk, BadSignature),
        case("x5c", offers(r#""x5c":["MIIB"]"#), BadSignature),
        case("all of them", offers(r#""jku":"x","x5u":"x","jwk":{},"x5c":[]"#), BadSignature),
        case("crit", with(r#""crit":["exp"],"exp":1"#), UnsupportedHeader("crit")),
        case("crit empty", with(r#""crit":[]"#), UnsupportedHeader("crit")),
        case("crit null", with(r#""crit":null"#), UnsupportedHeader("crit")),
        case("crit b64", with(r#""crit":["b64"],"b64":false"#), UnsupportedHeader("crit")),
        case("b64", with(r#""b64":false"#), UnsupportedHeader("b64")),
        case("zip", with(r#""zip":"DEF""#), UnsupportedHeader("zip")),
        case("enc", with(r#""enc":"A256GCM""#), UnsupportedHeader("enc")),
        case("cty of a token within a token", with(r#""cty":"JWT""#), UnsupportedHeader("cty")),
        case("cty in lower case", with(r#""cty":"jwt""#), UnsupportedHeader("cty")),
        case("cty a number", with(r#""cty":1"#), Malformed),
        case("typ a number", with(r#""typ":1"#), Malformed),
        case("typ null", with(r#""typ":null"#), Malformed),
        case("typ a list", with(r#""typ":["JWT"]"#), Malformed),
        case("header 33 deep", with(&format!(r#""x":{}{}"#, "[".repeat(32), "]".repeat(32))), Malformed),
        case("header 4,000 deep", with(&format!(r#""x":{}"#, "[".repeat(4_000))), Malformed),
    ]
}
