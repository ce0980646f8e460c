//! Rules that mean harm, and events that do.

use serde_json::{Value, json};

use super::texts;
use crate::backend::{event, rule};

/// A rule of its own type with this in the place of one of its members.
fn with(n: usize, member: &str, value: Value) -> Value {
    let kind = format!("harm-{n}");
    let mut rule = rule(&kind, &kind);
    match member {
        "on.when" => rule["on"]["when"] = value,
        member => rule[member] = value,
    }
    rule
}

fn wide(open: &str, middle: &str, close: &str, n: usize) -> String {
    format!("{}{middle}{}", open.repeat(n), close.repeat(n))
}

/// Those that are not taken: the member that is named, and the rule.
pub fn refused() -> Vec<(&'static str, Value)> {
    let templates = [
        "{{ 'x' * 1000000000 }}".to_owned(),
        "{{ 9 ** 99999999 }}".to_owned(),
        "{{ range(100000000) | list }}".to_owned(),
        "{{ 'x' | indent(1000000000) }}".to_owned(),
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}".to_owned(),
        "{% call m() %}x{% endcall %}".to_owned(),
        "{% include 'message' %}".to_owned(),
        "{% extends 'template' %}".to_owned(),
        "{% for i in data.items recursive %}{{ loop(data.items) }}{% endfor %}".to_owned(),
        format!("{{{{ {} }}}}", wide("(", "1", ")", 4_000)),
        format!("{{{{ {} }}}}", wide("", "data", ".a", 4_000)),
        "{% if 1 %}".repeat(800),
        "{% for a in data.items %}".repeat(300),
        "{{".repeat(4_000),
        "{#".repeat(4_000) + "{{ x",
        "{{ import('os') }}".to_owned(),
    ];
    let expressions = [
        wide("(", "1", ")", 4_000),
        wide("[", "1", "]", 4_000),
        wide("!", "true", "", 8_000),
        wide("data.items.all(a, ", "true", ")", 100),
        wide("", "1", "+1", 4_000),
        "data.text.matches('a{1000}{1000}')".to_owned(),
        "data.text.matches('(?P<')".to_owned(),
        "'".to_owned() + &"\\x".repeat(4_000),
        "`".repeat(8_000),
        "eval(data.text)".to_owned(),
    ];
    let metadata = [
        (0..60).fold(json!("{{ data.n }}"), |inner, _| json!({ "a": inner })),
        json!(vec!["x"; 101]),
        json!({"deep": {"API-Key": "{{ data.n }}"}}),
    ];
    let all = templates.map(|text| ("message", json!(text))).into_iter();
    let all = all.chain(expressions.map(|text| ("on.when", json!(text))));
    let all = all.chain(metadata.map(|value| ("metadata", value)));
    all.enumerate().map(|(n, (member, value))| (member, with(n, member, value))).collect()
}

/// Those that look harmless until an event comes: the member that is to blame, and the rule.
pub fn failing() -> Vec<(&'static str, Value)> {
    let all = texts::failing().into_iter().enumerate();
    all.map(|(n, (member, value))| (member, with(1_000 + n, member, value))).collect()
}

/// Events that are not taken: the status and code of the answer, and the body.
pub fn events() -> Vec<(u16, &'static str, String)> {
    let with = |data: Value| event("x", "harm-1000", data).to_string();
    let deep = (0..40).fold(json!(1), |inner, _| json!([inner]));
    let endless = "[".repeat(200_000);
    vec![
        (422, "invalid_body", endless),
        (422, "invalid_request", with(deep)),
        (422, "invalid_request", with(json!("x".repeat(300_000)))),
        (413, "body_too_large", with(json!("x".repeat(5 << 20)))),
        (422, "invalid_request", with(json!({"a": 1})).replace("\"a\":1", "\"a\":1,\"a\":2")),
        (422, "invalid_request", with(json!(0)).replace("\"data\":0", "\"data\":1e999999")),
        (422, "invalid_request", event(&"i".repeat(2_000), "harm-1000", json!(1)).to_string()),
        (422, "invalid_request", event("x\u{0}", "harm-1000", json!(1)).to_string()),
        (422, "invalid_body", "null".to_owned()),
    ]
}
