//! What harmful rules and events say. The benchmark uses them too.

use serde_json::{Value, json};

/// As large as an event may be: many elements, long texts, and nested as deeply as JSON is taken.
pub fn largest() -> Value {
    let nested = (0..26).fold(json!(1), |inner, _| json!([inner]));
    let items: Vec<Value> = (0..8_000).map(|n| json!({ "n": n })).collect();
    json!({
        "items": items, "long": "a".repeat(100_000), "text": "a".repeat(16_000), "nested": nested, "n": 1,
        "user": "mallory", "title": "T",
    })
}

/// Members of rules that look harmless until such an event comes: which, and what it says.
pub fn failing() -> Vec<(&'static str, Value)> {
    let templates = [
        "{{ data | tojson }}",
        "{{ data.text | replace('', data.text) }}",
        "{{ data.items | join(data.text) }}",
        "{{ (data.text ~ data.text ~ data.text ~ data.text ~ data.text) }}",
        "{% for a in data.items %}{% for b in data.items %}{% if a.n == b %}x{% endif %}{% endfor %}{% endfor %}",
        "{% for a in data.items %}{% if data.text ~ 'b' in data.text %}{% endif %}{% endfor %}",
        "{% for a in data.items %}{{ data.items[::-1] | first | length }}{% endfor %}",
        "{% for a in data.text %}{% for b in data.text %}{% endfor %}{% endfor %}",
    ];
    let conditions = [
        "data.items.all(a, data.items.all(b, a.n + b.n >= 0))".to_owned(),
        "data.items.exists(a, data.items.exists(b, a == 1 || b == 1))".to_owned(),
        "data.items.all(a, data.items == data.items)".to_owned(),
        format!("['xxxxxxxxxxxxxxxx']{} == []", ".map(x, x + x + x + x)".repeat(20)),
        "data.items.all(a, !data.text.matches('^(\\\\w+\\\\s?)*$x'))".to_owned(),
        "9223372036854775807 * 9223372036854775807 > 1".to_owned(),
        "1 / 0 == 1".to_owned(),
        "data.items[99999999999] == 1".to_owned(),
        "timestamp('9999-12-31T23:59:59Z') + duration('999999999h') > timestamp(0)".to_owned(),
        "data".to_owned(),
    ];
    let recipients =
        ["data.items.map(a, string(a.n))", "data.items.map(a, data.items)", "[data.long]", "data"];
    let metadata = [
        (0..8).fold(json!({"$cel": "data.nested"}), |inner, _| json!([inner])),
        json!(vec!["{{ data.text }}"; 100]),
        json!({"$cel": "{'x': [{'API-KEY': 1}]}"}),
        json!({"$cel": "data.items.map(a, data)"}),
    ];
    let all = templates.map(|text| ("message", json!(text))).into_iter();
    let all = all.chain(conditions.map(|text| ("on.when", json!(text))));
    let all = all.chain(recipients.map(|text| ("to", json!({ "users": text }))));
    all.chain(metadata.map(|value| ("metadata", value))).collect()
}
