use std::sync::Arc;

use campanile_model::UserId;
use serde_json::{Value, json};

use super::*;

fn evaluate(source: &str, data: Value) -> Result<Value, Fault> {
    let (data, actor) = (Arc::new(data), UserId::new("ann").unwrap());
    let event = Event {
        id: "e1",
        source: "/shop",
        kind: "order_paid",
        subject: None,
        time: "2026-03-01T10:00:00Z",
        actor: Some(&actor),
        data: &data,
    };
    let expression = Expression::new(source)?;
    expression.json(&Scope::new(&event))
}

#[test]
fn the_language() {
    let data = json!({
        "total": 1200, "rate": 0.5, "name": "Zoë", "tags": ["a", "b"], "none": null, "big": u64::MAX,
        "lines": [{"sku": "x", "n": 2}, {"sku": "y", "n": 5}], "at": "2026-02-28T23:30:00.250Z",
    });
    for (source, wanted) in [
        ("1 + 2 * 3 - 4 / 2 % 3", json!(5)),
        ("data.total > 1000 && actor == 'ann'", json!(true)),
        ("data.total * data.rate", json!(600.0)),
        ("data.missing == 1 || true", json!(true)),
        ("true || data.missing == 1", json!(true)),
        ("false && data.missing == 1", json!(false)),
        ("has(data.total) && !has(data.missing)", json!(true)),
        ("has(data.none)", json!(true)),
        ("data.none == null", json!(true)),
        ("data.name == 'Zo\\u00eb' && size(data.name) == 3", json!(true)),
        ("'a' in data.tags && !('z' in data.tags) && 'total' in data", json!(true)),
        ("data['total'] == 1200 && data.tags[1] == 'b'", json!(true)),
        ("data.lines.map(l, l.sku)", json!(["x", "y"])),
        ("data.lines.map(l, l.n > 2, l.sku + '!')", json!(["y!"])),
        ("data.lines.filter(l, l.n < 3)", json!([{"sku": "x", "n": 2}])),
        ("data.lines.all(l, l.n > 1) && data.lines.exists(l, l.n == 5)", json!(true)),
        ("data.lines.exists_one(l, l.n == 5)", json!(true)),
        ("data.lines.map(a, data.lines.map(b, a.n * b.n))", json!([[4, 10], [10, 25]])),
        ("{'a': 1, 'b': [actor]}", json!({"a": 1, "b": ["ann"]})),
        ("[1] + [2] == [1, 2]", json!(true)),
        ("data.lines[0] == {'n': 2, 'sku': 'x'}", json!(true)),
        ("1 == 1.0 && 1u == 1 && 2.5 > 2", json!(true)),
        ("'1' == 1", json!(false)),
        ("data.big > 5 && data.big == 18446744073709551615u", json!(true)),
        ("data.name.startsWith('Z') && data.name.endsWith('ë') && data.name.contains('o')", json!(true)),
        ("'ab12'.matches('^[a-z]+[0-9]+$')", json!(true)),
        ("data.total > 5 ? 'much' : 'little'", json!("much")),
        ("string(12) + string(true) + string(1.5)", json!("12true1.5")),
        ("int('42') + int(3.9)", json!(45)),
        ("double('1.5')", json!(1.5)),
        ("timestamp(event.time) - timestamp(data.at) < duration('11h')", json!(true)),
        ("timestamp(data.at).getMonth() == 1 && timestamp(data.at).getHours() == 23", json!(true)),
        ("timestamp(data.at).getMilliseconds()", json!(250)),
        ("timestamp(data.at) + duration('30m')", json!("2026-03-01T00:00:00.25Z")),
        ("type == 'order_paid' && source == '/shop' && subject == null && event.id == 'e1'", json!(true)),
        ("event.data.total == data.total", json!(true)),
        ("-data.total", json!(-1200)),
        ("data.lines.map(l, l.n)[1]", json!(5)),
        ("data.map(k, k).filter(k, k.startsWith('t'))", json!(["tags", "total"])),
    ] {
        assert_eq!(evaluate(source, data.clone()), Ok(wanted), "{source}");
    }
}

#[test]
fn errors_know_their_place_and_say_no_value() {
    let data = json!({"secret": "hunter2", "list": ["hunter2"], "n": 0});
    for (source, line, column) in [
        ("data.secret + 1", 1, 13),
        ("'ö' == 'ö' && data.nothing", 1, 19),
        ("data.secret.x == 1", 1, 12),
        ("true &&\n  data.list[3] == 'a'", 2, 12),
        ("data.list[data.secret]", 1, 10),
        ("1 / data.n", 1, 3),
        ("int(data.secret)", 1, 4),
        ("timestamp(data.secret)", 1, 10),
        ("9223372036854775807 * 3", 1, 21),
        ("!data.secret", 1, 1),
        ("{data.n: 1}", 1, 6),
    ] {
        let fault = evaluate(source, data.clone()).unwrap_err();
        let position = fault.position.unwrap();
        assert_eq!((position.line, position.column), (line, column), "{source}: {fault:?}");
        assert!(!fault.reason.to_string().contains("hunter2"), "{source}: {fault:?}");
    }
}

#[test]
fn what_does_not_exist_is_known_before_any_event() {
    for source in [
        "nothing == 1",
        "now() > 1",
        "data.name.reverse()",
        "size(1, 2)",
        "b'bytes' == data.x",
        "data.?x",
        "'x'.matches(data.pattern)",
        "'x'.matches('(')",
        "data.all(1, true)",
        "has(data)",
        "Message{a: 1}",
        "data.",
        "",
        "1 +",
    ] {
        assert!(Expression::new(source).is_err(), "{source}");
    }
}
