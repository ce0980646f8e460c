//! Genuine tokens whose claims cannot be meant.

use std::sync::Arc;

use campanile_auth::{Config, Refusal};

use super::{Case, case};
use crate::mint::*;

pub fn cases() -> Vec<Case> {
    [expiry(), other_times(), lives(), users(), grants(), duplicates()].into_iter().flatten().collect()
}

fn expiry() -> Vec<Case> {
    use Refusal::{BadClaim, Expired, NoExpiry};
    let with = |exp: &str| with_payload(format!(r#"{{"userId":"alice","exp":{exp}}}"#));
    let bad = BadClaim("exp");
    vec![
        case("exp absent", with_payload(r#"{"userId":"alice"}"#), NoExpiry),
        case(
            "exp by another name",
            with_payload(r#"{"userId":"alice","Exp":1767229200,"expires":1}"#),
            NoExpiry,
        ),
        case("exp inside something", with_payload(r#"{"userId":"alice","x":{"exp":1767229200}}"#), NoExpiry),
        case("payload of nothing", with_payload("{}"), NoExpiry),
        case("exp null", with("null"), bad),
        case("exp a string", with(r#""1767229200""#), bad),
        case("exp a date", with(r#""2027-01-01T00:00:00Z""#), bad),
        case("exp true", with("true"), bad),
        case("exp a list", with("[1767229200]"), bad),
        case("exp an object", with("{}"), bad),
        case("exp negative", with("-1"), bad),
        case("exp minus zero", with("-0"), bad),
        case("exp far negative", with("-9223372036854775808"), bad),
        case("exp 1e30", with("1e30"), bad),
        case("exp 1e308", with("1e308"), bad),
        case("exp 1e999", with("1e999"), bad),
        case("exp the greatest of 64 bits", with("18446744073709551615"), bad),
        case("exp beyond 64 bits", with("99999999999999999999999999"), bad),
        case("exp in milliseconds", with("1767229200000"), bad),
        case("exp of 5,000 digits", with(&"9".repeat(5_000)), bad),
        case("exp NaN", with("NaN"), Refusal::Malformed),
        case("exp Infinity", with("Infinity"), Refusal::Malformed),
        case("exp in hex", with("0x7fffffff"), Refusal::Malformed),
        case("exp with a zero in front", with("01767229200"), Refusal::Malformed),
        case("exp with a plus", with("+1767229200"), Refusal::Malformed),
        case("exp zero", with("0"), Expired),
        case("exp very small", with("1e-300"), Expired),
        case("exp now", with("1767225600"), Expired),
        case("exp now and less than a millisecond", with("1767225600.0009"), Expired),
        case("exp two seconds ago", with("1767225598"), Expired),
        case("exp 0.9 seconds ago", with("1767225599.1"), Expired),
    ]
}

fn other_times() -> Vec<Case> {
    use Refusal::{BadClaim, NotYetValid};
    let with = |claim: &str| with_payload(format!(r#"{{"userId":"alice","exp":1767229200,{claim}}}"#));
    vec![
        case("nbf in a second", with(r#""nbf":1767225601"#), NotYetValid),
        case("nbf in a millisecond", with(r#""nbf":1767225600.001"#), NotYetValid),
        case("nbf after exp", with(r#""nbf":1767229201"#), NotYetValid),
        case(
            "nbf in the future and expired",
            with_payload(r#"{"userId":"alice","exp":1767225000,"nbf":1767229200}"#),
            NotYetValid,
        ),
        case("nbf a string", with(r#""nbf":"0""#), BadClaim("nbf")),
        case("nbf null", with(r#""nbf":null"#), BadClaim("nbf")),
        case("nbf 1e30", with(r#""nbf":1e30"#), BadClaim("nbf")),
        case("nbf negative", with(r#""nbf":-1"#), BadClaim("nbf")),
        case("iat a string", with(r#""iat":"1767225600""#), BadClaim("iat")),
        case("iat null", with(r#""iat":null"#), BadClaim("iat")),
        case("iat an object", with(r#""iat":{}"#), BadClaim("iat")),
        case("iat 1e30", with(r#""iat":1e30"#), BadClaim("iat")),
    ]
}

/// On a verifier that bounds how long tokens live, to an hour.
fn lives() -> Vec<Case> {
    use Refusal::{Expired, LivesTooLong, NoIssueTime, NoUser, NotYetValid};
    let config = Config { keys: every_key(), longest_life_secs: Some(3_600), ..Config::default() };
    let bounded = Arc::new(configured(config));
    let with = |claims: &str| with_payload(format!(r#"{{"userId":"alice",{claims}}}"#));
    let lives = [
        case("no iat", with(r#""exp":1767229200"#), NoIssueTime),
        case("no iat, and little left", with(r#""exp":1767225601"#), NoIssueTime),
        case("no iat, and nbf instead", with(r#""nbf":1767225600,"exp":1767229200"#), NoIssueTime),
        case("no iat, and expired", with(r#""exp":1767225540"#), NoIssueTime),
        case("a second too long", with(r#""iat":1767225600,"exp":1767229201"#), LivesTooLong),
        case("too long, and little left", with(r#""iat":1767222000,"exp":1767225601"#), LivesTooLong),
        case(
            "too long, and not begun",
            with(r#""iat":1767225600,"nbf":1767312000,"exp":1767315600"#),
            LivesTooLong,
        ),
        case("too long, and expired", with(r#""iat":1767220000,"exp":1767225540"#), LivesTooLong),
        case("for ever", with(r#""iat":0,"exp":253402300799"#), LivesTooLong),
        case(
            "short, and not begun",
            with(r#""iat":1767225600,"nbf":1767225601,"exp":1767229200"#),
            NotYetValid,
        ),
        case("short, and expired", with(r#""iat":1767225500,"exp":1767225540"#), Expired),
        case("too long, and of nobody", with_payload(r#"{"iat":0,"exp":253402300799}"#), NoUser),
    ];
    lives.into_iter().map(|case| case.by(&bounded)).collect()
}

fn users() -> Vec<Case> {
    use Refusal::NoUser;
    // Beside a `sub` that would do: what is there and wrong must not be passed over.
    let with = |id: &str| with_payload(format!(r#"{{"userId":{id},"sub":"alice","exp":1767229200}}"#));
    let sub = |id: &str| with_payload(format!(r#"{{"sub":{id},"exp":1767229200}}"#));
    let expired = r#"{"userId":null,"sub":"alice","exp":1767225540}"#;
    vec![
        case("no user at all", with_payload(r#"{"exp":1767229200}"#), NoUser),
        case("user in another case", with_payload(r#"{"userid":"alice","exp":1767229200}"#), NoUser),
        case("userId null", with("null"), NoUser),
        case("userId empty", with(r#""""#), NoUser),
        case("userId a number", with("1"), NoUser),
        case("userId true", with("true"), NoUser),
        case("userId an object", with(r#"{"id":"alice"}"#), NoUser),
        case("userId a list", with(r#"["alice"]"#), NoUser),
        case("userId 129 bytes", with(&format!(r#""{}""#, "u".repeat(129))), NoUser),
        case("userId 65 characters of two bytes", with(&format!(r#""{}""#, "ü".repeat(65))), NoUser),
        case("userId with a NUL", with(r#""alice\u0000""#), NoUser),
        case("userId with a line end", with(r#""alice\nmallory""#), NoUser),
        case("userId with an escape sequence", with(r#""\u001b[2J""#), NoUser),
        case("userId with a C1 control", with(r#""\u0085""#), NoUser),
        case("userId DEL", with(r#""\u007f""#), NoUser),
        case("userId half a surrogate pair", with(r#""\ud83d""#), NoUser),
        case("userId with a raw line end", with("\"a\nb\""), Refusal::Malformed),
        case("sub null", sub("null"), NoUser),
        case("sub empty", sub(r#""""#), NoUser),
        case("sub a number", sub("42"), NoUser),
        case("no usable user and expired", with_payload(expired), NoUser),
    ]
}

fn grants() -> Vec<Case> {
    use Refusal::BadClaim;
    let with = |claim: &str| with_payload(format!(r#"{{"userId":"alice","exp":1767229200,{claim}}}"#));
    let bad = BadClaim("workspaces");
    vec![
        case("workspaces null", with(r#""workspaces":null"#), bad),
        case("workspaces a string", with(r#""workspaces":"acme""#), bad),
        case("workspaces a star", with(r#""workspaces":"*""#), bad),
        case("workspaces a number", with(r#""workspaces":1"#), bad),
        case("workspaces true", with(r#""workspaces":true"#), bad),
        case("workspaces an object", with(r#""workspaces":{"acme":true}"#), bad),
        case("workspaces with a number", with(r#""workspaces":["acme",1]"#), bad),
        case("workspaces with null", with(r#""workspaces":["acme",null]"#), bad),
        case("workspaces with a list", with(r#""workspaces":["acme",["b"]]"#), bad),
        case("workspaces with an object", with(r#""workspaces":[{"slug":"acme"}]"#), bad),
        case("workspaces with half a surrogate pair", with(r#""workspaces":["\ud800"]"#), bad),
        case("scope a list", with(r#""scope":["admin"]"#), BadClaim("scope")),
        case("scope null", with(r#""scope":null"#), BadClaim("scope")),
        case("scope true", with(r#""scope":true"#), BadClaim("scope")),
        case("jti a number", with(r#""jti":1"#), BadClaim("jti")),
        case("jti null", with(r#""jti":null"#), BadClaim("jti")),
        case(
            "workspaces wrong and expired",
            with_payload(r#"{"userId":"alice","exp":1767225540,"workspaces":"acme"}"#),
            bad,
        ),
    ]
}

fn duplicates() -> Vec<Case> {
    use Refusal::Malformed;
    let with = |claims: &str| with_payload(format!("{{{claims}}}"));
    vec![
        case("userId twice", with(r#""exp":1767229200,"userId":"alice","userId":"mallory""#), Malformed),
        case(
            "userId twice, once by escapes",
            with(r#""exp":1767229200,"userId":"a","\u0075serId":"b""#),
            Malformed,
        ),
        case("exp twice", with(r#""userId":"alice","exp":1,"exp":1767229200"#), Malformed),
        case(
            "workspaces twice",
            with(r#""userId":"alice","exp":1767229200,"workspaces":[],"workspaces":["*"]"#),
            Malformed,
        ),
        case("a claim we ignore twice", with(r#""userId":"alice","exp":1767229200,"x":1,"x":1"#), Malformed),
        case("duplicates and expired", with(r#""userId":"alice","exp":1,"x":1,"x":1"#), Malformed),
    ]
}
