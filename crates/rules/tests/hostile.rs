//! Rules made to cost: each ends in a typed error, in bounded time, memory and stack.

use std::time::{Duration, Instant};

use campanile_rules::{Outcome, Rule, RuleError};
use serde_json::{Value, json};

use crate::peak;
use crate::shop::{Happened, compile, outcome};

/// The longest that one rule may take on the largest event, without optimisation and beside other tests.
const LONGEST: Duration = Duration::from_secs(2);
/// The most memory of one rule on the largest event, beside the event.
const MOST: usize = 64 * 1024 * 1024;
/// Half of what a thread of the server has.
const STACK: usize = 1024 * 1024;

/// As large as an event may be: many elements, long texts, and nested as deeply as JSON is taken.
fn largest() -> Happened {
    let nested = (0..28).fold(json!(1), |inner, _| json!([inner]));
    let items: Vec<Value> = (0..8_000).map(|n| json!({"n": n})).collect();
    Happened::new(
        "x",
        json!({"items": items, "long": "a".repeat(100_000), "text": "a".repeat(16_000), "nested": nested, "n": 1}),
    )
}

/// Runs one rule on the largest event on a small stack, and gives its error.
fn refused(what: &str, more: Value) -> RuleError {
    let (what, name) = (what.to_owned(), what.to_owned());
    let run = move || {
        let event = largest();
        let begun = Instant::now();
        let (result, bytes) = peak::of(|| compile(more).map(|rule: Rule| outcome(rule, &event)));
        (result, bytes, begun.elapsed())
    };
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(run).unwrap();
    let (result, bytes, took) = thread.join().unwrap_or_else(|_| panic!("{what:.200} panicked"));
    eprintln!("{took:>10.1?} {:>8} KiB  {:.100}", bytes / 1024, name.replace('\n', " "));
    assert!(took < LONGEST, "{name:.200} took {took:?}");
    assert!(bytes < MOST, "{name:.200} held {bytes} bytes");
    match result {
        Err(error) | Ok(Outcome::Failed(error)) => error,
        Ok(other) => panic!("{name:.200}: {other:?}"),
    }
}

#[test]
fn templates() {
    let wide = |open: &str, middle: &str, close: &str, n: usize| {
        format!("{{{{ {}{middle}{} }}}}", open.repeat(n), close.repeat(n))
    };
    let hostile = vec![
        // Long values of short ones.
        "{{ 'x' * 1000000000 }}".to_owned(),
        "{{ [1] * 1000000000 }}".to_owned(),
        "{{ 1000000000 * 'x' }}".to_owned(),
        "{{ 9 ** 99999999 }}".to_owned(),
        "{{ range(100000000) | list }}".to_owned(),
        "{{ range(100000000) }}".to_owned(),
        "{{ 'x' | center(1000000000) }}".to_owned(),
        "{{ 'x' | indent(1000000000) }}".to_owned(),
        "{{ '%1000000000s' | format('x') }}".to_owned(),
        "{{ data | pprint }}".to_owned(),
        "{{ data | tojson }}".to_owned(),
        "{{ data }}".to_owned(),
        "{{ data.long | upper }}".to_owned(),
        "{{ data.text | replace('a', data.text) }}".to_owned(),
        "{{ data.text | replace('', data.text) }}".to_owned(),
        "{{ data.items | join(data.text) }}".to_owned(),
        "{{ [data.long, data.long] | join }}".to_owned(),
        "{{ data.n | truncate(99999999, end=data.long) }}{{ data.long | truncate(20000) }}".to_owned(),
        "{{ data ~ data ~ data ~ data ~ data ~ data ~ data ~ data }}".to_owned(),
        "{{ (data.text ~ data.text ~ data.text ~ data.text ~ data.text) }}".to_owned(),
        format!("{{{{ x{} }}}}", " ~ data".repeat(700)),
        format!("{{{{ {}x }}}}", "data.items + ".repeat(500)),
        "{{ (data.items + data.items + data.items + data.items + data.items) | tojson }}".to_owned(),
        "{% for a in [data.text ~ data.text ~ data.text] %}{% for b in [a ~ a ~ a ~ a] %}{{ b ~ b ~ b }}{% endfor %}{% endfor %}".to_owned(),
        // What keeps something from turn to turn.
        "{% set x = 'x' %}{% set x = x ~ x %}{{ x }}".to_owned(),
        "{% set ns = namespace(x='x') %}{% for i in data.items %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}".to_owned(),
        "{% set x %}{% for i in data.items %}xxxxxxxx{% endfor %}{% endset %}".to_owned(),
        "{% filter upper %}{% for i in data.items %}xxxxxxxxxx{% endfor %}{% endfilter %}".to_owned(),
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}".to_owned(),
        "{% call m() %}x{% endcall %}".to_owned(),
        "{% with x = data %}{{ x }}{% endwith %}".to_owned(),
        "{% include 'message' %}".to_owned(),
        "{% import 'message' as m %}".to_owned(),
        "{% extends 'template' %}".to_owned(),
        "{% block a %}{{ self.a() }}{% endblock %}".to_owned(),
        "{% for i in data.items recursive %}{{ loop(data.items) }}{% endfor %}".to_owned(),
        // Work without an end.
        "{% for a in data.items %}{% for b in data.items %}{% if a.n == b %}x{% endif %}{% endfor %}{% endfor %}".to_owned(),
        "{% for a in data.items %}{% if data.items == data.items ~ '' %}{% endif %}{% endfor %}".to_owned(),
        "{% for a in data.items %}{% if data == data %}{% endif %}{% endfor %}".to_owned(),
        "{% for a in data.items %}{% if 1 in data.items %}{% endif %}{% endfor %}".to_owned(),
        "{% for a in data.items %}{% if data.text ~ 'b' in data.text %}{% endif %}{% endfor %}".to_owned(),
        "{% for a in data.items %}{{ data.items[::-1] | first | length }}{% endfor %}".to_owned(),
        "{% for a in data.items %}{% if data.text | upper == 'x' %}{% endif %}{% endfor %}".to_owned(),
        "{% for a in data.items %}{% if data.text[::-1] == 'x' %}{% endif %}{% endfor %}".to_owned(),
        "{% for a in data.items %}{% if data.long | length == 1 %}{% endif %}{% endfor %}".to_owned(),
        "{% for a in data.items %}{{ data.items | last | tojson | length }}{% endfor %}".to_owned(),
        "{% for a in data.items %}{{ data.items | length }}{% endfor %}".to_owned(),
        "{% for a in data.items + data.items %}{% for b in data.items + data.items %}{% if b in data.items + data.items + data.items %}{% endif %}{% endfor %}{% endfor %}".to_owned(),
        "{% for a in data.text %}{% for b in data.text %}{% endfor %}{% endfor %}".to_owned(),
        // The parser's stack.
        wide("(", "1", ")", 4_000),
        wide("[", "1", "]", 4_000),
        wide("{1:", "1", "}", 2_000),
        wide("not ", "1", "", 2_000),
        wide("-", "1", "", 8_000),
        wide("1 if 1 else ", "1", "", 650),
        wide("", "data", ".a", 4_000),
        wide("", "data", "[0]", 2_600),
        wide("", "data", "|d", 4_000),
        wide("", "data", "()", 4_000),
        wide("", "1", "/1", 4_000),
        wide("", "1", " and 1", 1_300),
        wide("", "1", " is defined", 700),
        "{% if 1 %}".repeat(800),
        "{% for a in data.items %}".repeat(300),
        "{% if 1 %}x{% elif 1 %}".repeat(300),
        "{{".repeat(4_000),
        "{% raw %}".repeat(900),
        "{#".repeat(4_000) + "{{ x",
        "{{ '".to_owned() + &"\\u0041".repeat(1_300),
    ];
    assert!(hostile.len() >= 30);
    for template in hostile {
        refused(&template, json!({"message": template}));
    }
}

#[test]
fn expressions() {
    let wide = |open: &str, middle: &str, close: &str, n: usize| {
        format!("{}{middle}{}", open.repeat(n), close.repeat(n))
    };
    let hostile = vec![
        // Loops within loops.
        "data.items.all(a, data.items.all(b, a.n + b.n >= 0))".to_owned(),
        "data.items.map(a, data.items.map(b, data.items.map(c, c)))".to_owned(),
        "data.items.exists(a, data.items.exists(b, a == 1 || b == 1))".to_owned(),
        "data.items.filter(a, data.items.exists_one(b, b == a) && false)".to_owned(),
        "data.items.all(a, data.items.all(b, true) || true)".to_owned(),
        "data.items.all(a, data.items.all(b, c.x) || true)".to_owned(),
        "data.items.exists(a, data.missing || data.items.all(b, data.items.all(c, true)))".to_owned(),
        "data.items.all(a, a in data.items)".to_owned(),
        "data.items.all(a, data == data)".to_owned(),
        "data.items.all(a, data.items == data.items)".to_owned(),
        wide("data.items.all(a, ", "true", ")", 100),
        wide("data.items.all(a, ", "true", ")", 4),
        // Long values.
        "data.items.map(a, data.long + data.long)".to_owned(),
        "data.items.map(a, data.items + data.items)".to_owned(),
        "data.items.map(a, data)".to_owned(),
        "data.items.map(a, [data, data, data, data])".to_owned(),
        "data.items.map(a, {'a': data, 'b': data})".to_owned(),
        "data".to_owned(),
        format!("[data]{}", ".map(x, [x, x, x, x])".repeat(20)),
        format!("['xxxxxxxxxxxxxxxx']{}", ".map(x, x + x + x + x)".repeat(20)),
        format!("[data.long]{}", ".map(x, x + x)".repeat(30)),
        format!("[[1]]{}", ".map(x, x + x + x + x)".repeat(20)),
        format!("{}[0]", "data.long + ".repeat(290)),
        format!("[1]{}", ".map(x, [x])".repeat(40)),
        // Texts looked at over and over.
        "data.items.all(a, data.long.contains('b') == false)".to_owned(),
        "data.items.all(a, data.long == data.long)".to_owned(),
        "data.items.all(a, size(data.long) > 1)".to_owned(),
        "data.items.all(a, data.text.matches('(a|a)*b') == false)".to_owned(),
        "data.long.matches('a*')".to_owned(),
        "data.items.all(a, !data.text.matches('^(\\\\w+\\\\s?)*$x'))".to_owned(),
        // Patterns.
        "data.text.matches('a{1000}{1000}')".to_owned(),
        "data.text.matches('(a*)*b\\\\w{500}\\\\w{500}')".to_owned(),
        format!("data.text.matches('{}{}')", "(".repeat(500), ")".repeat(500)),
        "data.text.matches(data.text)".to_owned(),
        "data.text.matches('(?P<')".to_owned(),
        // Numbers and times.
        "1 / 0 == 1".to_owned(),
        "9223372036854775807 * 9223372036854775807 > 1".to_owned(),
        "-9223372036854775808 / -1 % 0 == 1".to_owned(),
        "data.items[99999999999] == 1".to_owned(),
        "data.items[-1] == 1".to_owned(),
        "timestamp('9999-12-31T23:59:59Z') + duration('999999999h') > timestamp(0)".to_owned(),
        "timestamp(9223372036854775807) > timestamp(0)".to_owned(),
        "duration(data.long) > duration('1s')".to_owned(),
        "double(data.long) > 1.0".to_owned(),
        // The parser's stack and memory.
        wide("(", "1", ")", 4_000),
        wide("[", "1", "]", 4_000),
        wide("{1:", "1", "}", 2_000),
        wide("!", "true", "", 8_000),
        wide("-", "1", "", 8_000),
        wide("true ? 1 : ", "1", "", 700),
        wide("size(", "1", ")", 1_300),
        wide("data.f(", "1", ")", 1_000),
        wide("", "data", ".a", 4_000),
        wide("", "data", ".a", 295),
        wide("", "data", "[0]", 199),
        wide("", "data", ".a()", 149),
        wide("", "1", "+1", 4_000),
        wide("", "1", "+1", 299),
        wide("", "1", "/1", 299),
        wide("", "1", "<1", 299),
        wide("", "1", "||1", 299),
        wide("", "1", "&& 1 || 1", 140),
        wide("!", "1", "", 591),
        wide("-", "'a'", "", 591),
        wide("-(", "1", ")", 90),
        wide("(", "1", ")", 23) + "(",
        wide("[", "1", "", 20),
        wide("", "", ",", 590),
        wide("", "", ")", 590),
        wide("", "", "'a' ", 590),
        wide("", "", "1 ", 590),
        wide("", "", "? : ", 20),
        wide("", "", "\u{1}", 590),
        wide("", "", "@", 8_000),
        "'".to_owned() + &"\\x".repeat(4_000),
        "'''".repeat(2_000),
        "`".repeat(8_000),
        "//".repeat(4_000),
    ];
    assert!(hostile.len() >= 30);
    for expression in hostile {
        refused(&expression, json!({"metadata": {"$cel": expression}}));
    }
}

#[test]
fn metadata() {
    for (what, metadata) in [
        ("deep", (0..60).fold(json!("{{ data.n }}"), |inner, _| json!({"a": inner}))),
        ("made deep", (0..8).fold(json!({"$cel": "data.nested"}), |inner, _| json!([inner]))),
        ("many of the longest", json!(vec!["{{ data.text }}"; 100])),
        ("many long loops", json!(vec!["{% for a in data.items[:2000] %}{% endfor %}"; 100])),
        ("more than can be", json!(vec!["x"; 101])),
        ("many large expressions", json!(vec![json!({"$cel": "data.items"}); 100])),
        ("many long expressions", json!(vec![json!({"$cel": "data.items.all(a, a.n >= 0)"}); 100])),
        ("many fixed", json!({"a": {"$cel": "data.items"}, "b": vec![1; 20_000]})),
        ("a secret that is brought in", json!({"$cel": "{'x': [{'API-KEY': 1}]}"})),
    ] {
        refused(what, json!({"metadata": metadata}));
    }
}
