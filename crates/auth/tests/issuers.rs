//! What issuers' tokens are let in as, and which issuers stop the start.

use campanile_auth::{
    Algorithm, Config, ConfigError, Identity, Issuer, IssuerConfig, IssuerKeys, JwksError, KeySet, Place,
    Refusal, Workspaces,
};
use campanile_model::Timestamp;
use serde_json::{Value, json};

use crate::mint::*;

fn named(slugs: &[&str]) -> Workspaces {
    Workspaces::Named(slugs.iter().copied().collect())
}

#[test]
fn each_by_its_own_keys() {
    use Algorithm::*;
    let verifier = believing(vec![key(None, HS384)], [x(), y(), z()]);
    let secret = jsonwebtoken::EncodingKey::from_secret(Z_SECRET.as_bytes());
    let message = |algorithm: Algorithm, header: &str, iss: &str| {
        let message = format!("{}.{}", encode(header), encode(claims_of(iss).to_string()));
        (algorithm, message)
    };
    for (iss, (algorithm, message), key) in [
        (X, message(RS256, r#"{"alg":"RS256","kid":"x-rsa"}"#, X), signing_key(RS256)),
        (X, message(RS256, r#"{"alg":"RS256","typ":"at+JWT"}"#, X), signing_key(RS256)),
        (X, message(ES256, r#"{"alg":"ES256","kid":"x-ec","typ":"application/jwt"}"#, X), signing_key(ES256)),
        (Y, message(EdDSA, r#"{"alg":"EdDSA"}"#, Y), signing_key(EdDSA)),
        (Y, message(PS256, r#"{"alg":"PS256","kid":"y-rsa"}"#, Y), other_rsa()),
        (Z, message(HS256, r#"{"alg":"HS256"}"#, Z), secret.clone()),
        (Z, message(HS256, r#"{"alg":"HS256","kid":"whatever it calls it"}"#, Z), secret),
    ] {
        let identity = verifier.verify(&sign_with(&key, algorithm, &message), now());
        let identity = identity.unwrap_or_else(|refusal| panic!("{iss} {algorithm}: {refusal}"));
        assert_eq!((identity.user.as_str(), identity.issuer.as_deref()), ("alice", Some(iss)));
        assert_eq!(identity.workspaces, named(&["acme"]));
    }
    // The keys without an issuer sign for any, also for one that is configured.
    for iss in [X, "https://nobody.example/"] {
        let identity = verifier.verify(&token(HS384, claims_of(iss).to_string()), now()).unwrap();
        assert_eq!(identity.issuer, None);
    }
}

#[test]
fn an_issuer_is_named_by_what_its_text_means() {
    let escaped = claims_of(X).to_string().replace('/', r"\/");
    assert!(believing(vec![], [x()]).verify(&from_x(escaped), now()).is_ok());
}

#[test]
fn one_audience_of_several() {
    let verifier = believing(vec![], [x()]);
    for aud in [json!("campanile"), json!("also-us"), json!(["another", "campanile"]), json!(["also-us"])] {
        let mut claims = claims_of(X);
        claims["aud"] = aud;
        assert!(verifier.verify(&from_x(claims.to_string()), now()).is_ok(), "{claims}");
    }
}

#[test]
fn no_audience_where_none_is_asked_for() {
    let config = IssuerConfig::new("z", Z, &[], &[Algorithm::HS256]);
    let issuer = Issuer::new(&config, &IssuerKeys::Secret(SECRET.into())).unwrap();
    let verifier = believing(vec![], [issuer]);
    for aud in ["", r#""aud":"another","#, r#""aud":1,"#] {
        let payload = format!(r#"{{{aud}"iss":"{Z}","sub":"a","exp":1767229200}}"#);
        assert!(verifier.verify(&with_payload(payload), now()).is_ok(), "{aud}");
    }
}

/// Reads `claims` of an issuer with these rules, signed by its secret.
fn read(change: impl FnOnce(&mut IssuerConfig), claims: Value) -> Result<Identity, Refusal> {
    let mut config = IssuerConfig::new("z", Z, &["campanile"], &[Algorithm::HS256]);
    change(&mut config);
    let issuer = Issuer::new(&config, &IssuerKeys::Secret(SECRET.into())).unwrap();
    let mut all = json!({ "iss": Z, "sub": "alice", "aud": "campanile", "exp": NOW + 3600 });
    all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    let identity = believing(vec![], [issuer]).verify(&with_payload(all.to_string()), now())?;
    Ok(Identity::clone(&identity))
}

#[test]
fn workspaces_as_issuers_write_them() {
    let read = |value: Value| read(|_| {}, json!({ "workspaces": value })).unwrap().workspaces;
    assert_eq!(read(json!("acme")), named(&["acme"]));
    assert_eq!(read(json!(["acme", "Not One", "b"])), named(&["acme", "b"]));
    assert_eq!(read(json!("Not One")), named(&[]), "stated, and none that could be");
    assert_eq!(read(json!("acme other")), named(&[]));
    assert_eq!(read(json!("*")), named(&[]), "one organisation is never every one");
    assert_eq!(read(json!(["*"])), Workspaces::All { named: Default::default() });
}

#[test]
fn scopes_as_issuers_write_them() {
    let read = |value: Value| {
        let identity = read(|config| config.claims.scope = "scp".into(), json!({ "scp": value })).unwrap();
        identity.scopes.iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(read(json!("a b")), ["a", "b"]);
    assert_eq!(read(json!(["a", "b"])), ["a", "b"]);
    assert_eq!(read(json!(["a b", "c"])), ["c"], "a role with a space in it is not two");
    assert!(read(json!([])).is_empty());
}

#[test]
fn ways_into_claims() {
    let map = |config: &mut IssuerConfig| {
        config.claims.user = vec!["/user/id".into(), "sub".into()];
        config.claims.workspaces = "/o/slg".into();
        config.claims.scope = "/resource_access/campanile/roles".into();
    };
    let claims = json!({
        "user": { "id": "bob" }, "o": { "slg": "acme" },
        "resource_access": { "account": { "roles": ["x"] }, "campanile": { "roles": ["admin"] } },
    });
    let identity = read(map, claims).unwrap();
    assert_eq!((identity.user.as_str(), &identity.workspaces), ("bob", &named(&["acme"])));
    assert!(identity.has_scope("admin") && !identity.has_scope("x"));

    let sparse = read(map, json!({ "user": {}, "o": {}, "resource_access": { "account": {} } })).unwrap();
    assert_eq!((sparse.user.as_str(), &sparse.workspaces), ("alice", &Workspaces::Unstated));
    assert!(sparse.scopes.is_empty());
    assert_eq!(read(map, json!({ "user": "bob" })), Err(Refusal::NoUser), "never passed over for sub");
    assert_eq!(read(map, json!({ "o": "acme" })), Err(Refusal::BadClaim("workspaces")));
}

#[test]
fn defaults_are_for_tokens_without_the_claim() {
    let with = |workspaces: &[&str]| {
        let workspaces: Vec<String> = workspaces.iter().map(|slug| (*slug).to_owned()).collect();
        move |config: &mut IssuerConfig| {
            config.default_workspaces = workspaces;
            config.default_scope = "notifications:write admin".into();
        }
    };
    let silent = read(with(&["acme", "b"]), json!({})).unwrap();
    assert_eq!(silent.workspaces, named(&["acme", "b"]));
    assert!(silent.has_scope("admin") && silent.has_scope("notifications:write"));
    let told = read(with(&["acme"]), json!({ "workspaces": [], "scope": "" })).unwrap();
    assert_eq!(told.workspaces, named(&[]), "said to be none");
    assert!(told.scopes.is_empty());
    let all = read(with(&["*", "acme"]), json!({})).unwrap().workspaces;
    assert_eq!(all, Workspaces::All { named: ["acme"].into_iter().collect() });
    assert_eq!(read(with(&["acme"]), json!({ "workspaces": null })), Err(Refusal::BadClaim("workspaces")));
}

#[test]
fn kinds_of_tokens() {
    let with = |types: &[&str], header: &str| {
        let mut config = IssuerConfig::new("z", Z, &[], &[Algorithm::HS256]);
        config.types = types.iter().map(|typ| (*typ).to_owned()).collect();
        let issuer = Issuer::new(&config, &IssuerKeys::Secret(SECRET.into())).unwrap();
        let payload = format!(r#"{{"iss":"{Z}","sub":"a","exp":1767229200}}"#);
        let token = signed(Algorithm::HS256, header, payload);
        believing(vec![], [issuer]).verify(&token, now()).map(|_| ())
    };
    let access_only = &["at+jwt"];
    assert_eq!(with(access_only, r#"{"alg":"HS256","typ":"at+jwt"}"#), Ok(()));
    assert_eq!(with(access_only, r#"{"alg":"HS256","typ":"application/at+JWT"}"#), Ok(()));
    assert_eq!(with(access_only, r#"{"alg":"HS256","typ":"JWT"}"#), Err(Refusal::WrongType));
    assert_eq!(with(access_only, r#"{"alg":"HS256"}"#), Err(Refusal::WrongType), "a plain JWT then");
    assert_eq!(with(&["JWT"], r#"{"alg":"HS256"}"#), Ok(()));
}

#[test]
fn when_it_was_issued() {
    let identity = read(|_| {}, json!({ "iat": NOW - 5 })).unwrap();
    assert_eq!(identity.issued_at, Some(Timestamp::from_millis((NOW - 5) * 1000)));
    assert_eq!(read(|_| {}, json!({})).unwrap().issued_at, None);
}

#[test]
fn what_stops_the_start() {
    let good = || IssuerConfig::new("z", Z, &["campanile"], &[Algorithm::HS256]);
    let at = || Place::Issuer("z".into());
    let refused = |change: fn(&mut IssuerConfig)| {
        let mut config = good();
        change(&mut config);
        Issuer::new(&config, &IssuerKeys::Secret(SECRET.into())).unwrap_err()
    };
    for (option, change) in [
        ("issuer", (|config| config.issuer.clear()) as fn(&mut IssuerConfig)),
        ("audience", |config| config.audience.push(String::new())),
        ("algorithms", |config| config.algorithms.clear()),
        ("types", |config| config.types.clear()),
        ("claims.user", |config| config.claims.user.clear()),
        ("claims.workspaces", |config| config.claims.workspaces.clear()),
        ("claims.scope", |config| config.claims.scope.clear()),
    ] {
        assert_eq!(refused(change), ConfigError::Empty { at: at(), option });
    }
    assert_eq!(
        refused(|config| config.default_workspaces.push("Not One".into())),
        ConfigError::BadSlug { at: at() }
    );
    let keys = |algorithms: &[Algorithm], keys: IssuerKeys| {
        Issuer::new(&IssuerConfig::new("z", Z, &[], algorithms), &keys).unwrap_err()
    };
    use Algorithm::*;
    let secret = || IssuerKeys::Secret(SECRET.into());
    let pem = |text: &str| IssuerKeys::Pem(text.into());
    let mixed = ConfigError::MixedAlgorithms { at: at() };
    assert_eq!(keys(&[RS256], secret()), mixed);
    assert_eq!(keys(&[HS256, RS256], secret()), mixed);
    assert_eq!(keys(&[HS256], pem(fixture::RSA)), mixed);
    assert_eq!(keys(&[RS256, HS256], jwks(&[])), mixed);
    assert_eq!(keys(&[HS256], IssuerKeys::Awaited), mixed);
    let short = IssuerKeys::Secret("x".repeat(31));
    assert_eq!(keys(&[HS256], short), ConfigError::ShortSecret { at: at(), got: 31 });
    let as_secret = IssuerKeys::Secret(fixture::RSA.into());
    assert_eq!(keys(&[HS256], as_secret), ConfigError::PemAsSecret { at: at() });
    assert_eq!(keys(&[RS256], pem(fixture::RSA_PRIVATE)), ConfigError::PrivateKey { at: at() });
    let bad = keys(&[RS256, ES256], pem(fixture::RSA));
    assert!(matches!(bad, ConfigError::BadPem { algorithm: ES256, .. }), "{bad}");
    let none = JwksError::NoUsableKey { unused: 1 };
    let unusable = keys(&[ES384], jwks(&[jwk(&signing_key(RS256), RS256, json!({}))]));
    assert_eq!(unusable, ConfigError::Jwks { at: at(), source: none });
    assert!(unusable.to_string().starts_with("auth.issuers \"z\": "), "{unusable}");
}

#[test]
fn names_are_given_once() {
    let issuer = |name: &str, iss: &str| {
        let config = IssuerConfig::new(name, iss, &[], &[Algorithm::HS256]);
        Issuer::new(&config, &IssuerKeys::Secret(SECRET.into())).unwrap()
    };
    let of = |issuers: [Issuer; 2]| KeySet::of(&Config::default(), issuers).unwrap_err();
    let doubled = |name: &str| ConfigError::DuplicateIssuer { at: Place::Issuer(name.into()) };
    assert_eq!(of([issuer("a", X), issuer("b", X)]), doubled("b"));
    assert_eq!(of([issuer("a", X), issuer("a", Y)]), doubled("a"));
    assert_eq!(of([issuer("a", X), issuer("auth.keys", Y)]), doubled("auth.keys"));
    assert_eq!(KeySet::of(&Config::default(), []).unwrap_err(), ConfigError::NoKeys);
}

#[test]
fn keys_that_come_later_change_nobody_elses() {
    let awaited = IssuerConfig::new("y", Y, &["campanile"], &[Algorithm::EdDSA]);
    let awaited = Issuer::new(&awaited, &IssuerKeys::Awaited).unwrap();
    let verifier = believing(vec![], [x(), awaited.clone()]);
    let from_y = signed(Algorithm::EdDSA, r#"{"alg":"EdDSA","kid":"y-1"}"#, claims_of(Y).to_string());
    let from_x = from_x(claims_of(X).to_string());
    assert_eq!(verifier.verify(&from_y, now()), Err(Refusal::UnknownKey));
    assert_eq!(verifier.lacks_key_of(&from_y).as_deref(), Some(Y));
    assert_eq!(verifier.lacks_key_of(&from_x), None);

    let key = jwk(&signing_key(Algorithm::EdDSA), Algorithm::EdDSA, json!({ "kid": "y-1" }));
    let here = awaited.with_jwks(&json!({ "keys": [key] }).to_string()).unwrap();
    assert!(!here.has_keys_of(&awaited) && here.has_keys_of(&here.clone()));
    verifier.revise(|keys| keys.with(here.clone()));
    assert!(verifier.verify(&from_y, now()).is_ok() && verifier.verify(&from_x, now()).is_ok());
    assert_eq!(verifier.lacks_key_of(&from_y), None);

    let emptied = here.with_jwks(r#"{"keys":[]}"#).unwrap();
    verifier.revise(|keys| keys.with(emptied.clone()));
    assert_eq!(verifier.verify(&from_y, now()), Err(Refusal::UnknownKey), "taken back");
    assert!(verifier.verify(&from_x, now()).is_ok());
}

/// The only thing of a token that may lead to a fetch is that its issuer is configured and its key is not there.
#[test]
fn what_may_be_a_reason_to_fetch() {
    let verifier = believing(vec![key(None, Algorithm::HS256)], [x(), y()]);
    let with = |header: &str, iss: &str| {
        let claims = claims_of(iss).to_string();
        verifier.lacks_key_of(&signed(Algorithm::HS256, header, claims))
    };
    assert_eq!(with(r#"{"alg":"RS256","kid":"new"}"#, X).as_deref(), Some(X));
    assert_eq!(with(r#"{"alg":"RS256","kid":"new","jku":"https://evil.example"}"#, Y).as_deref(), Some(Y));
    assert_eq!(with(r#"{"alg":"RS256","kid":"x-rsa"}"#, X), None);
    assert_eq!(with(r#"{"alg":"RS256"}"#, X), None, "there are keys, and it means all of them");
    assert_eq!(with(r#"{"alg":"RS256","kid":"new"}"#, "https://nobody.example/"), None);
    assert_eq!(with(r#"{"alg":"RS256","kid":"new","crit":[]}"#, X), None);
    for text in ["", "a.b.c", "..", &"a".repeat(100_000)] {
        assert_eq!(verifier.lacks_key_of(text), None);
    }
}

#[test]
fn nothing_of_a_key_is_shown() {
    let secret = IssuerKeys::Secret(Z_SECRET.into());
    let shown = format!("{secret:?} {:?} {:?}", z(), believing(vec![], [x(), z()]).keys());
    assert!(!shown.contains("the secret of"), "{shown}");
    assert!(shown.contains("x-rsa") && shown.contains(Z), "{shown}");
}
