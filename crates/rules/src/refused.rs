//! Keys that metadata may not have, because what stands under them is a secret.

use serde_json::Value;

/// The keys refused unless the configuration says otherwise, compared by [`refused_key`]. `pin` and `otp` are
/// there as whole keys only: `pinned` and `shipping` are other words.
pub const REFUSED_KEYS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "secret",
    "clientSecret",
    "token",
    "accessToken",
    "refreshToken",
    "idToken",
    "sessionToken",
    "apiKey",
    "authorization",
    "credential",
    "credentials",
    "privateKey",
    "cookie",
    "setCookie",
    "sessionId",
    "otp",
    "pin",
    "cvv",
];

/// The place of the first key in `value`, at any depth, that is one of `refused`: members and indexes joined
/// by dots, `order.items.0.api_key`. Keys are compared by their letters and digits alone, in lower case, so
/// `api-key`, `API_KEY` and `apiKey` are one.
pub fn refused_key(refused: &[String], value: &Value) -> Option<String> {
    let refused: Vec<String> = refused.iter().map(|key| normal(key)).filter(|key| !key.is_empty()).collect();
    let mut path = Vec::new();
    find(&refused, value, &mut path).then(|| path.join("."))
}

/// [`REFUSED_KEYS`] as [`refused_key`] and [`crate::Rule::compile`] take them.
pub fn refused_by_default() -> Vec<String> {
    REFUSED_KEYS.iter().map(|key| (*key).to_owned()).collect()
}

fn normal(key: &str) -> String {
    key.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn find(refused: &[String], value: &Value, path: &mut Vec<String>) -> bool {
    match value {
        Value::Object(members) => members.iter().any(|(key, value)| {
            path.push(key.clone());
            let found = refused.contains(&normal(key)) || find(refused, value, path);
            if !found {
                path.pop();
            }
            found
        }),
        Value::Array(elements) => elements.iter().enumerate().any(|(place, value)| {
            path.push(place.to_string());
            let found = find(refused, value, path);
            if !found {
                path.pop();
            }
            found
        }),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn any_spelling_at_any_depth() {
        let refused = refused_by_default();
        let place = |value| refused_key(&refused, &value);
        assert_eq!(place(json!({"API-Key": 1})).as_deref(), Some("API-Key"));
        assert_eq!(place(json!({"a": [{"b": 1}, {"Pass_Word": null}]})).as_deref(), Some("a.1.Pass_Word"));
        assert_eq!(place(json!({"a": {"refresh_token": {}}})).as_deref(), Some("a.refresh_token"));
        assert_eq!(place(json!({"pinned": 1, "tokens": 2, "shipping": {"secretary": 1}})), None);
        assert_eq!(place(json!("password")), None);
    }

    #[test]
    fn the_list_is_the_callers() {
        let value = json!({"iban": "DE00"});
        assert_eq!(refused_key(&["I.B.A.N".to_owned()], &value).as_deref(), Some("iban"));
        assert_eq!(refused_key(&[String::new()], &json!({"": 1})), None, "an empty name refuses nothing");
    }
}
