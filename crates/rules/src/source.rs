//! A rule as an administrator writes it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A rule: which events it is for, who is told, and what. Expressions are CEL; templates are Jinja's
/// expressions, `if` and `for`. Both see `event`, and for short `data`, `actor`, `type`, `subject`, `source`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = Rule)]
pub struct RuleSource {
    /// Unique in its workspace: 1 to 64 of `a-z`, `0-9`, dot, underscore and hyphen. A rule with the name of
    /// a built-in one replaces it.
    #[schema(pattern = "^[a-z0-9._-]{1,64}$", example = "big-order")]
    pub name: String,
    /// For people. At most 1,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// A rule that is off makes nothing; a built-in one of its name stays replaced.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub enabled: bool,
    /// The events it is for.
    pub on: On,
    /// Who is told.
    pub to: To,
    /// An expression for a user id, a list of them or null: who is not told. `actor` leaves out who caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "actor")]
    pub except: Option<String>,
    /// A template; at most 200 characters are made.
    #[schema(example = "Order {{ data.number }}")]
    pub title: String,
    /// A template; at most 16 KiB are made.
    pub message: String,
    /// A template for the notification's type.
    #[serde(rename = "type")]
    pub kind: String,
    /// A template for one of `info`, `success`, `warning`, `error`, `alert`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// A template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// A template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_name: Option<String>,
    /// A template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry_date: Option<String>,
    /// JSON whose texts are templates, and whose objects of the one member `$cel` are replaced by the value of
    /// that expression. At most 32 KiB are made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Value>,
    /// A template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collapse_key: Option<String>,
    /// How long it is shown: a whole number and `s`, `m`, `h` or `d`, up to 365 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "7d")]
    pub ttl: Option<String>,
    /// `false`: to those connected now, and not kept. Left out: as the workspace does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub durable: Option<bool>,
}

/// The events that a rule is for: all three have to match.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = RuleOn)]
pub struct On {
    /// 1 to 32 patterns of types, `*` for any run of characters. One has to match.
    #[schema(example = json!(["record_*"]))]
    pub types: Vec<String>,
    /// 1 to 32 patterns of sources; left out: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sources: Option<Vec<String>>,
    /// An expression for true or false; left out: true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "data.after.total > 1000")]
    pub when: Option<String>,
}

/// Who is told: exactly one of these.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = RuleTo)]
pub enum To {
    /// An expression for a user id; null is nobody.
    User(String),
    /// An expression for a list of user ids; null and the empty list are nobody.
    Users(String),
    /// A template for a topic's name.
    Topic(String),
    /// Everybody of the workspace; always `true`.
    Workspace(True),
}

/// The value `true`, and no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "bool", into = "bool")]
pub struct True;

impl TryFrom<bool> for True {
    type Error = &'static str;

    fn try_from(value: bool) -> Result<Self, Self::Error> {
        if value { Ok(Self) } else { Err("workspace is true, or left out") }
    }
}

impl utoipa::PartialSchema for True {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        bool::schema()
    }
}

impl utoipa::ToSchema for True {}

impl From<True> for bool {
    fn from(_: True) -> Self {
        true
    }
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_read_and_written_as_documented() {
        let text = r#"{"name":"n","enabled":true,"on":{"types":["record_*"],"when":"true"},
            "to":{"workspace":true},"title":"t","message":"m","type":"x","productName":"p","ttl":"7d"}"#;
        let rule: RuleSource = serde_json::from_str(text).unwrap();
        assert_eq!(rule.to, To::Workspace(True));
        let again: Value = serde_json::to_value(&rule).unwrap();
        assert_eq!(again, serde_json::from_str::<Value>(text).unwrap());
    }

    #[test]
    fn what_is_not_documented_is_refused() {
        let with = |to: &str, more: &str| {
            let text = format!(
                r#"{{"name":"n","on":{{"types":["a"]}},"to":{to},"title":"t","message":"m","type":"x"{more}}}"#
            );
            serde_json::from_str::<RuleSource>(&text)
        };
        assert!(with(r#"{"user":"actor"}"#, "").is_ok());
        for (to, more) in [
            (r#"{"workspace":false}"#, ""),
            (r#"{}"#, ""),
            (r#"{"user":"actor","topic":"t"}"#, ""),
            (r#"{"everyone":true}"#, ""),
            (r#"{"user":"actor"}"#, r#","titel":"x""#),
        ] {
            assert!(with(to, more).is_err(), "{to}{more}");
        }
    }
}
