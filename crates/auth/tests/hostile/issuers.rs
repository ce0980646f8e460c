//! Tokens that would profit from there being several issuers.

use std::sync::Arc;

use campanile_auth::{Algorithm, Refusal, Verifier};
use jsonwebtoken::EncodingKey;
use serde_json::{Value, json};

use super::{Case, case};
use crate::mint::*;

pub fn cases() -> Vec<Case> {
    let issuers = Arc::new(believing(vec![], [x(), y(), z()]));
    let with_keys = Arc::new(believing(vec![key(Some("own"), Algorithm::HS256)], [x(), y(), z()]));
    let lists =
        [confused(), names(), algorithms(), key_ids(), headers(), audiences(), types(), claims(), late()];
    let cases = lists.into_iter().flatten().map(|case| case.by(&issuers));
    cases.chain(beside_keys(&with_keys)).collect()
}

/// The claims of a good token of `iss`, changed.
fn changed(iss: &str, member: &str, value: Value) -> String {
    let mut claims = claims_of(iss);
    claims[member] = value;
    claims.to_string()
}

fn without(member: &str) -> String {
    let mut claims = claims_of(X);
    claims.as_object_mut().unwrap().remove(member);
    claims.to_string()
}

fn by(key: &EncodingKey, algorithm: Algorithm, header: &str, payload: &str) -> String {
    sign_with(key, algorithm, &format!("{}.{}", encode(header), encode(payload)))
}

/// One issuer's key under another's name.
fn confused() -> Vec<Case> {
    use Algorithm::*;
    use Refusal::{BadSignature, UnknownKey, WrongAlgorithm};
    let (as_x, as_y, as_z) = (claims_of(X).to_string(), claims_of(Y).to_string(), claims_of(Z).to_string());
    let z_secret = EncodingKey::from_secret(Z_SECRET.as_bytes());
    let secret = |bytes: &[u8]| EncodingKey::from_secret(bytes);
    let x_rsa = r#"{"alg":"RS256","kid":"x-rsa"}"#;
    let hs256 = r#"{"alg":"HS256"}"#;
    vec![
        case("the key of X, as Y", signed(RS256, x_rsa, &as_y), UnknownKey),
        case("the key of X without kid, as Y", signed(RS256, r#"{"alg":"RS256"}"#, &as_y), WrongAlgorithm),
        case(
            "the key of X by the kid of Y, as Y",
            signed(RS256, r#"{"alg":"RS256","kid":"y-rsa"}"#, &as_y),
            WrongAlgorithm,
        ),
        case(
            "the key of X by an algorithm and kid of Y",
            signed(PS256, r#"{"alg":"PS256","kid":"y-rsa"}"#, &as_y),
            BadSignature,
        ),
        case("the key of X, as Z", signed(RS256, x_rsa, &as_z), WrongAlgorithm),
        case("the key of Y, as X", by(&other_rsa(), RS256, x_rsa, &as_x), BadSignature),
        case(
            "the Ed25519 key of Y, as X",
            signed(EdDSA, r#"{"alg":"EdDSA","kid":"y-ed"}"#, &as_x),
            UnknownKey,
        ),
        case("the secret of Z, as X", by(&z_secret, HS256, hs256, &as_x), WrongAlgorithm),
        case(
            "the secret of Z by a kid of X, as X",
            by(&z_secret, HS256, r#"{"alg":"HS256","kid":"x-rsa"}"#, &as_x),
            WrongAlgorithm,
        ),
        case(
            "the secret that X published",
            signed(HS256, r#"{"alg":"HS256","kid":"x-oct"}"#, &as_x),
            UnknownKey,
        ),
        case("the secret that X published, without kid", signed(HS256, hs256, &as_x), WrongAlgorithm),
        case("the secret that X published, as an RSA key", signed(HS256, x_rsa, &as_x), BadSignature),
        case(
            "the PEM of X as a secret",
            by(&secret(fixture::RSA.as_bytes()), HS256, hs256, &as_x),
            WrongAlgorithm,
        ),
        case(
            "the PEM of X as the secret of Z",
            by(&secret(fixture::RSA.as_bytes()), HS256, hs256, &as_z),
            BadSignature,
        ),
        case(
            "the modulus of X as the secret of Z",
            {
                let n = jwk(&signing_key(RS256), RS256, json!({}))["n"].to_string();
                by(&secret(n.as_bytes()), HS256, hs256, &as_z)
            },
            BadSignature,
        ),
        case("an empty secret, as Z", by(&secret(b""), HS256, hs256, &as_z), BadSignature),
        case("none, as X", format!("{}.{}.", encode(r#"{"alg":"none"}"#), encode(&as_x)), WrongAlgorithm),
        case(
            "none by a kid of X",
            format!("{}.{}.", encode(r#"{"alg":"none","kid":"x-rsa"}"#), encode(&as_x)),
            WrongAlgorithm,
        ),
        case(
            "the payload of X under the signature of Y",
            {
                let y = signed(EdDSA, r#"{"alg":"EdDSA","kid":"y-ed"}"#, &as_y);
                let (header, signature) = (y.split('.').next().unwrap(), y.rsplit('.').next().unwrap());
                format!("{header}.{}.{signature}", encode(&as_x))
            },
            UnknownKey,
        ),
        case("iss changed after signing", from_x(&as_x).replace(&encode(&as_x), &encode(&as_y)), UnknownKey),
        case(
            "iss changed among keys of one kind",
            {
                let token = signed(RS256, r#"{"alg":"RS256"}"#, &as_x);
                token.replace(&encode(&as_x), &encode(&as_y))
            },
            WrongAlgorithm,
        ),
    ]
}

/// Whose token it is, said in every wrong way. All of them signed by X.
fn names() -> Vec<Case> {
    use Refusal::UnknownIssuer;
    let named = |iss: Value| from_x(changed(X, "iss", iss));
    vec![
        case("iss absent", from_x(without("iss")), UnknownIssuer),
        case("iss null", named(Value::Null), UnknownIssuer),
        case("iss a number", named(json!(1)), UnknownIssuer),
        case("iss true", named(json!(true)), UnknownIssuer),
        case("iss a list", named(json!([X])), UnknownIssuer),
        case("iss a list of all", named(json!([X, Y, Z])), UnknownIssuer),
        case("iss an object", named(json!({ "url": X })), UnknownIssuer),
        case("iss empty", named(json!("")), UnknownIssuer),
        case("iss a star", named(json!("*")), UnknownIssuer),
        case("iss without its slash", named(json!("https://x.example")), UnknownIssuer),
        case("iss with two slashes", named(json!("https://x.example//")), UnknownIssuer),
        case("iss in capitals", named(json!("HTTPS://X.EXAMPLE/")), UnknownIssuer),
        case("iss of another scheme", named(json!("http://x.example/")), UnknownIssuer),
        case("iss with a port", named(json!("https://x.example:443/")), UnknownIssuer),
        case("iss with a path behind", named(json!("https://x.example/evil")), UnknownIssuer),
        case("iss with a fragment behind", named(json!("https://x.example/#")), UnknownIssuer),
        case("iss as the end of a host", named(json!("https://evil-x.example/")), UnknownIssuer),
        case(
            "iss with a user before the host",
            named(json!("https://x.example@evil.example/")),
            UnknownIssuer,
        ),
        case("iss with a space behind", named(json!("https://x.example/ ")), UnknownIssuer),
        case("iss with a NUL behind", named(json!("https://x.example/\u{0}")), UnknownIssuer),
        case("iss with a look-alike", named(json!("https://х.example/")), UnknownIssuer),
        case("iss with a zero-width space", named(json!("https://x\u{200b}.example/")), UnknownIssuer),
        case("iss percent-encoded", named(json!("https://x.exampl%65/")), UnknownIssuer),
        case("iss the issuer's name here", named(json!("x")), UnknownIssuer),
        case("iss the name of the keys without one", named(json!("auth.keys")), UnknownIssuer),
        case("iss long", named(json!("x".repeat(4_000))), UnknownIssuer),
        case("iss by another name", from_x(changed("nobody", "Iss", json!(X))), UnknownIssuer),
        case("iss inside something", from_x(json!({ "x": claims_of(X) }).to_string()), UnknownIssuer),
        case(
            "iss twice, the known one last",
            from_x(format!(r#"{{"iss":"{Y}","iss":"{X}","sub":"a","aud":"campanile","exp":1767229200}}"#)),
            UnknownIssuer,
        ),
        case(
            "iss in the header only",
            signed(Algorithm::RS256, format!(r#"{{"alg":"RS256","iss":"{X}"}}"#), without("iss")),
            UnknownIssuer,
        ),
        case("a payload that cannot be read, signed by X", from_x("alice"), UnknownIssuer),
        case("a payload that is a list", from_x(format!("[{}]", claims_of(X))), UnknownIssuer),
    ]
}

/// Keys used as their issuer does not allow.
fn algorithms() -> Vec<Case> {
    use Algorithm::*;
    use Refusal::{BadSignature, WrongAlgorithm};
    let (as_x, as_y) = (claims_of(X).to_string(), claims_of(Y).to_string());
    let x = |algorithm: Algorithm, kid: &str| {
        signed(algorithm, format!(r#"{{"alg":"{algorithm}","kid":"{kid}"}}"#), &as_x)
    };
    let says = |says: &str, does: Algorithm, kid: &str| {
        signed(does, format!(r#"{{"alg":"{says}","kid":"{kid}"}}"#), &as_x)
    };
    vec![
        case("RS384 where RS256 is allowed", x(RS384, "x-rsa"), WrongAlgorithm),
        case("RS512 where RS256 is allowed", x(RS512, "x-rsa"), WrongAlgorithm),
        case("PS256 where RS256 is allowed", x(PS256, "x-rsa"), WrongAlgorithm),
        case("PS384 of X", x(PS384, "x-rsa"), WrongAlgorithm),
        case("ES384 of X", x(ES384, "x-ec"), WrongAlgorithm),
        case("EdDSA of X", x(EdDSA, "x-ec"), WrongAlgorithm),
        case("HS256 of X", x(HS256, "x-ec"), WrongAlgorithm),
        case("HS512 of X", x(HS512, "x-rsa"), WrongAlgorithm),
        case("RS256 said, PS256 done", says("RS256", PS256, "x-rsa"), BadSignature),
        case("RS256 said, RS384 done", says("RS256", RS384, "x-rsa"), BadSignature),
        case("ES256 said of an RSA key", says("ES256", RS256, "x-rsa"), WrongAlgorithm),
        case("RS256 said of an EC key", says("RS256", RS256, "x-ec"), WrongAlgorithm),
        case("ES256 said, ES384 done", says("ES256", ES384, "x-ec"), BadSignature),
        case("rs256 in small letters", says("rs256", RS256, "x-rsa"), WrongAlgorithm),
        case(
            "RS256 by a key that says PS256",
            by(&other_rsa(), RS256, r#"{"alg":"RS256","kid":"y-rsa"}"#, &as_y),
            WrongAlgorithm,
        ),
    ]
}

fn key_ids() -> Vec<Case> {
    use Refusal::{Malformed, UnknownKey};
    let with = |kid: &str| {
        signed(Algorithm::RS256, format!(r#"{{"alg":"RS256","kid":{kid}}}"#), claims_of(X).to_string())
    };
    vec![
        case("kid that X never had", with(r#""2031-rsa""#), UnknownKey),
        case("kid of X in capitals", with(r#""X-RSA""#), UnknownKey),
        case("kid of X with a path", with(r#""../x-rsa""#), UnknownKey),
        case("kid of X with its issuer", with(r#""https://x.example/x-rsa""#), UnknownKey),
        case("kid of X with a NUL", with(r#""x-rsa\u0000""#), UnknownKey),
        case("kid of X with a space", with(r#""x-rsa ""#), UnknownKey),
        case("kid a file, as X", with(r#""/dev/null""#), UnknownKey),
        case("kid a statement, as X", with(r#""' UNION SELECT 'x""#), UnknownKey),
        case("kid empty, as X", with(r#""""#), UnknownKey),
        case("kid long, as X", with(&format!("\"{}\"", "x".repeat(4_000))), UnknownKey),
        case("kid null, as X", with("null"), Malformed),
        case("kid a list, as X", with(r#"["x-rsa"]"#), Malformed),
        case("kid a number, as X", with("0"), Malformed),
    ]
}

/// Headers that bring their own keys.
fn headers() -> Vec<Case> {
    use Refusal::{BadSignature, UnknownKey};
    let own = jwk(&other_rsa(), Algorithm::RS256, json!({ "kid": "mine" }));
    let with = |kid: &str, member: Value| {
        let mut header = json!({ "alg": "RS256", "kid": kid });
        header.as_object_mut().unwrap().extend(member.as_object().unwrap().clone());
        by(&other_rsa(), Algorithm::RS256, &header.to_string(), &claims_of(X).to_string())
    };
    vec![
        case("jwk of its own, as X", with("mine", json!({ "jwk": own })), UnknownKey),
        case("jwk of its own by a kid of X", with("x-rsa", json!({ "jwk": own })), BadSignature),
        case("jku of its own, as X", with("mine", json!({ "jku": "https://evil.example/jwks" })), UnknownKey),
        case(
            "jku that begins as X does",
            with("mine", json!({ "jku": "https://x.example.evil.example/jwks" })),
            UnknownKey,
        ),
        case("jku on this machine", with("x-rsa", json!({ "jku": "http://127.0.0.1:1/jwks" })), BadSignature),
        case(
            "x5u of its own, as X",
            with("x-rsa", json!({ "x5u": "https://evil.example/cert" })),
            BadSignature,
        ),
        case("x5c of its own, as X", with("x-rsa", json!({ "x5c": ["MIIB"] })), BadSignature),
        case("x5t of X", with("mine", json!({ "x5t": "x-rsa" })), UnknownKey),
    ]
}

fn audiences() -> Vec<Case> {
    use Refusal::{BadClaim, WrongAudience};
    let with = |aud: Value| from_x(changed(X, "aud", aud));
    vec![
        case("aud absent", from_x(without("aud")), WrongAudience),
        case("aud of another", with(json!("another-service")), WrongAudience),
        case("aud of others", with(json!(["a", "b"])), WrongAudience),
        case("aud of nobody", with(json!([])), WrongAudience),
        case("aud empty", with(json!("")), WrongAudience),
        case("aud a star", with(json!("*")), WrongAudience),
        case("aud in capitals", with(json!("Campanile")), WrongAudience),
        case("aud that begins as ours", with(json!("campanile-staging")), WrongAudience),
        case("aud that ends as ours", with(json!("not-campanile")), WrongAudience),
        case("aud with ours among words", with(json!("another campanile")), WrongAudience),
        case("aud with ours among commas", with(json!("another,campanile")), WrongAudience),
        case("aud with a space", with(json!("campanile ")), WrongAudience),
        case("aud the issuer", with(json!(X)), WrongAudience),
        case("aud null", with(Value::Null), BadClaim("aud")),
        case("aud a number", with(json!(1)), BadClaim("aud")),
        case("aud an object", with(json!({ "campanile": true })), BadClaim("aud")),
        case("aud ours in a list in a list", with(json!([["campanile"]])), BadClaim("aud")),
        case("aud ours beside a number", with(json!(["campanile", 1])), BadClaim("aud")),
        case("aud ours beside null", with(json!(["campanile", null])), BadClaim("aud")),
        case(
            "aud twice",
            from_x(claims_of(X).to_string().replacen('{', r#"{"aud":"other","#, 1)),
            Refusal::UnknownIssuer,
        ),
    ]
}

fn types() -> Vec<Case> {
    let with = |typ: &str| {
        signed(
            Algorithm::RS256,
            format!(r#"{{"alg":"RS256","kid":"x-rsa","typ":{typ}}}"#),
            claims_of(X).to_string(),
        )
    };
    let wrong = Refusal::WrongType;
    vec![
        case("typ of a logout", with(r#""logout+jwt""#), wrong),
        case("typ of a logout, in full", with(r#""application/logout+jwt""#), wrong),
        case("typ of a proof", with(r#""dpop+jwt""#), wrong),
        case("typ of an event", with(r#""secevent+jwt""#), wrong),
        case("typ of a request", with(r#""oauth-authz-req+jwt""#), wrong),
        case("typ of an introspection", with(r#""token-introspection+jwt""#), wrong),
        case("typ of a client", with(r#""client-authentication+jwt""#), wrong),
        case("typ of a verifiable credential", with(r#""vc+sd-jwt""#), wrong),
        case("typ empty of X", with(r#""""#), wrong),
        case("typ with a space", with(r#""JWT ""#), wrong),
        case("typ of another tree", with(r#""text/JWT""#), wrong),
        case("typ JOSE", with(r#""JOSE""#), wrong),
    ]
}

/// Claims that a mapping leads to, of the wrong kind.
fn claims() -> Vec<Case> {
    use Refusal::{BadClaim, NoUser};
    let with = |name: &str, value: Value| from_x(changed(X, name, value));
    vec![
        case("the way to scope through a text", with("realm_access", json!("roles")), BadClaim("scope")),
        case(
            "the way to scope through a list",
            with("realm_access", json!([{ "roles": ["a"] }])),
            BadClaim("scope"),
        ),
        case("the way to scope through null", with("realm_access", Value::Null), BadClaim("scope")),
        case(
            "scope an object",
            with("realm_access", json!({ "roles": { "admin": true } })),
            BadClaim("scope"),
        ),
        case(
            "scope a list with a number",
            with("realm_access", json!({ "roles": ["admin", 1] })),
            BadClaim("scope"),
        ),
        case("scope a number", with("realm_access", json!({ "roles": 1 })), BadClaim("scope")),
        case(
            "scope given twice on its way",
            from_x(claims_of(X).to_string().replacen(
                '{',
                r#"{"realm_access":{"roles":[],"roles":["admin"]},"#,
                1,
            )),
            BadClaim("scope"),
        ),
        case("workspaces of X an object", with("workspaces", json!({ "acme": 1 })), BadClaim("workspaces")),
        case("workspaces of X a number", with("workspaces", json!(1)), BadClaim("workspaces")),
        case("workspaces of X null", with("workspaces", Value::Null), BadClaim("workspaces")),
        case(
            "workspaces of X in a list in a list",
            with("workspaces", json!([["acme"]])),
            BadClaim("workspaces"),
        ),
        case("sub of X absent", from_x(without("sub")), NoUser),
        case("sub of X a number", with("sub", json!(7)), NoUser),
        case("sub of X null beside a userId null", with("userId", Value::Null), NoUser),
    ]
}

/// "Expired" is only ever said of what was good once.
fn late() -> Vec<Case> {
    use Refusal::{BadSignature, Expired, NotYetValid, WrongAudience, WrongType};
    let mut expired = claims_of(X);
    expired["exp"] = json!(NOW - 60);
    let mut for_another = expired.clone();
    for_another["aud"] = json!("another");
    let logout = r#"{"alg":"RS256","kid":"x-rsa","typ":"logout+jwt"}"#;
    let forged = by(&other_rsa(), Algorithm::RS256, r#"{"alg":"RS256","kid":"x-rsa"}"#, &expired.to_string());
    vec![
        case("expired, of X", from_x(expired.to_string()), Expired),
        case("expired and for another", from_x(for_another.to_string()), WrongAudience),
        case("expired and of another kind", signed(Algorithm::RS256, logout, expired.to_string()), WrongType),
        case("expired and forged, as X", forged, BadSignature),
        case("not yet valid, of X", from_x(changed(X, "nbf", json!(NOW + 60))), NotYetValid),
    ]
}

/// Where keys without an issuer are believed too, they sign for any, and nobody else profits from that.
fn beside_keys(verifier: &Arc<Verifier>) -> Vec<Case> {
    use Algorithm::*;
    use Refusal::{BadSignature, UnknownKey, WrongAlgorithm, WrongAudience};
    let cases = vec![
        case("the key of X without iss, beside keys", from_x(without("iss")), UnknownKey),
        case(
            "the key of X, as nobody, without kid",
            signed(RS256, r#"{"alg":"RS256"}"#, without("iss")),
            WrongAlgorithm,
        ),
        case("the key of X as Y, beside keys", from_x(claims_of(Y).to_string()), UnknownKey),
        case("for another, beside keys", from_x(changed(X, "aud", json!("another"))), WrongAudience),
        case(
            "the PEM of X as the own secret",
            {
                let secret = EncodingKey::from_secret(fixture::RSA.as_bytes());
                by(&secret, HS256, r#"{"alg":"HS256","kid":"own"}"#, &claims_of(X).to_string())
            },
            BadSignature,
        ),
        case(
            "the own secret by a kid of X",
            signed(HS256, r#"{"alg":"HS256","kid":"x-rsa"}"#, claims_of(X).to_string()),
            WrongAlgorithm,
        ),
    ];
    cases.into_iter().map(|case| case.by(verifier)).collect()
}
