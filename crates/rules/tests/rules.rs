//! What a rule makes, refuses and passes over.

use std::sync::Arc;

use campanile_model::{Audience, Level, Topic, UserId};
use campanile_rules::limits::MAX_STEPS;
use campanile_rules::{Asking, Outcome, Reason, RuleSet, Why, defaults, refused_by_default};
use serde_json::{Value, json};

use crate::shop::{Happened, compile, failed, made, outcome};

fn order() -> Happened {
    Happened::new(
        "order_paid",
        json!({
            "number": "A-17", "total": 1200, "owner": "bob", "team": ["bob", null, "eve", "bob", "ann"],
            "lines": [{"sku": "tea", "n": 2}, {"sku": "mug", "n": 1}], "note": null,
        }),
    )
}

fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

#[test]
fn everything_a_rule_can_say() {
    let made = made(
        json!({
            "on": {"types": ["user_*", "order_*"], "sources": ["/sh*"], "when": "data.total > 1000"},
            "to": {"topic": "orders:{{ data.owner }}"},
            "except": "[actor, data.owner]",
            "title": "Order {{ data.number }}",
            "message": "{% for line in data.lines %}{{ line.n }} {{ line.sku | upper }}{% if not loop.last %}, {% endif %}{% endfor %}",
            "type": "{{ type }}", "level": "{{ 'alert' if data.total > 1000 else 'info' }}",
            "event": "sale", "productName": "{{ data.lines | first | default('') }}", "expiryDate": "",
            "metadata": {
                "total": {"$cel": "data.total * 2"}, "text": "{{ data.total }}", "fixed": [1, true, null],
                "skus": {"$cel": "data.lines.map(l, l.sku)"},
            },
            "collapseKey": "order:{{ data.number }}", "ttl": "7d", "durable": true,
        }),
        &order(),
    );
    assert_eq!(made.audience, Audience::Topic(Topic::new("orders:bob").unwrap()));
    assert_eq!(made.except, [user("ann"), user("bob")]);
    assert_eq!((made.title.as_str(), made.message.as_str()), ("Order A-17", "2 TEA, 1 MUG"));
    assert_eq!((made.kind.as_str(), made.level), ("order_paid", Some(Level::Alert)));
    assert_eq!(made.event.as_deref(), Some("sale"));
    assert_eq!(made.product_name.as_deref(), Some(r#"{"n":2,"sku":"tea"}"#));
    assert_eq!(made.expiry_date, None);
    let metadata = json!({"total": 2400, "text": "1200", "fixed": [1, true, null], "skus": ["tea", "mug"]});
    assert_eq!(made.metadata, Some(metadata));
    assert_eq!(made.collapse_key.as_deref(), Some("order:A-17"));
    assert_eq!((made.ttl_ms, made.durable), (Some(604_800_000), Some(true)));
    let shown: Value = serde_json::to_value(&made).unwrap();
    assert_eq!(shown["audience"], json!({"topic": "orders:bob"}));
}

#[test]
fn named_users_are_told_once_and_without_the_excepted() {
    let to = |to: Value| made(json!({"to": to, "except": "actor"}), &order());
    let told = to(json!({"users": "data.team"}));
    assert_eq!(told.audience, Audience::Users(vec![user("bob"), user("eve")]));
    assert!(told.except.is_empty());
    assert_eq!(to(json!({"user": "data.owner"})).audience, Audience::Users(vec![user("bob")]));
    for nobody in [
        json!({"user": "actor"}),
        json!({"user": "data.note"}),
        json!({"users": "[actor, null]"}),
        json!({"users": "data.note"}),
    ] {
        let rule = compile(json!({"to": nobody.clone(), "except": "actor"})).unwrap();
        assert_eq!(outcome(rule, &order()), Outcome::Passed(Why::Nobody), "{nobody}");
    }
}

#[test]
fn a_dry_run_says_why_not() {
    let why = |more: Value| match outcome(compile(more).unwrap(), &order()) {
        Outcome::Passed(why) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(why(json!({"enabled": false})), Why::Disabled);
    assert_eq!(why(json!({"on": {"types": ["record_*"]}})), Why::Type);
    assert_eq!(why(json!({"on": {"types": ["*"], "sources": ["/other"]}})), Why::Source);
    assert_eq!(why(json!({"on": {"types": ["*"], "when": "data.total < 5"}})), Why::When);
}

#[test]
fn an_error_names_rule_member_and_place_and_no_value() {
    let canary = "hunter2hunter2";
    let event = Happened::new("x", json!({"s": canary, "list": [canary], "deep": {"s": canary}}));
    for (more, member, line, column) in [
        (json!({"title": "a\n  {{ data.nothing }}"}), "title", 2, 6),
        (json!({"title": "{{ data.s.nothing }}"}), "title", 1, 8),
        (json!({"message": "{{ data.s - 1 }}"}), "message", 1, 4),
        (json!({"message": "{{ data.s | round }}"}), "message", 1, 13),
        (json!({"message": "{{ data.s | nothing }}"}), "message", 1, 13),
        (json!({"message": "{{ data.s is not nothing }}"}), "message", 1, 18),
        (json!({"message": "{% for a, b in data.list %}{% endfor %}"}), "message", 1, 8),
        (json!({"on": {"types": ["*"], "when": "data.s"}}), "on.when", 1, 5),
        (json!({"on": {"types": ["*"], "when": "data.s > 1"}}), "on.when", 1, 8),
        (json!({"on": {"types": ["*"], "when": "true ||"}}), "on.when", 1, 8),
        (json!({"metadata": {"a": [{"b": {"$cel": "int(data.s)"}}]}}), "metadata.a.0.b", 1, 4),
        (json!({"to": {"user": "data.list"}}), "to.user", 1, 5),
    ] {
        let error = failed(more.clone(), &event);
        assert_eq!((error.rule.as_str(), error.member.as_str()), ("mine", member), "{more}");
        let place = error.position.unwrap_or_else(|| panic!("{more}: {error}"));
        assert_eq!((place.line, place.column), (line, column), "{more}: {error}");
        let shown = format!("{error} {error:?} {}", serde_json::to_string(&error).unwrap());
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    for more in [
        json!({"level": "{{ data.s }}"}),
        json!({"to": {"topic": "{{ data.s }}\n"}}),
        json!({"to": {"users": "[data.s + '\\n']"}}),
        json!({"metadata": {"$cel": "{data.s: 1, 'pass_word': data.s}"}}),
        json!({"title": "{{ data.s }}".repeat(15)}),
    ] {
        let error = failed(more.clone(), &event);
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{more}: {error}");
    }
}

#[test]
fn bounds_of_what_is_made() {
    let event = Happened::new("x", json!({"long": "ö".repeat(20_000), "many": vec![7; 5_000]}));
    for (more, member) in [
        (json!({"title": "{{ data.long | truncate(201) }}"}), "title"),
        (json!({"title": "{% if false %}x{% endif %}"}), "title"),
        (json!({"title": "  "}), "title"),
        (json!({"message": "{{ data.long }}"}), "message"),
        (json!({"message": "{% for x in data.many %}12345{% endfor %}"}), "message"),
        (json!({"type": "{{ data.long | truncate(129) }}"}), "type"),
        (json!({"type": ""}), "type"),
        (json!({"event": "{{ data.long | truncate(129) }}"}), "event"),
        (json!({"productName": "{{ data.long | truncate(256) }}"}), "productName"),
        (json!({"collapseKey": "{{ data.long | truncate(128) }}"}), "collapseKey"),
        (json!({"metadata": {"$cel": "data.long"}}), "metadata"),
        (
            json!({"metadata": {"a": {"$cel": "data.many"}, "b": {"$cel": "data.many"}, "c": {"$cel": "data.many"}, "d": {"$cel": "data.many"}}}),
            "metadata.d",
        ),
        (json!({"except": "['1','2','3','4','5','6','7','8','9','10','11']"}), "except"),
        (json!({"to": {"users": "data.many.map(x, 'u')"}, "except": "data.many"}), "except"),
        (json!({"to": {"topic": ""}}), "to.topic"),
        (json!({"to": {"user": "''"}}), "to.user"),
        (json!({"level": "loud"}), "level"),
        (json!({"ttl": "400d"}), "ttl"),
        (json!({"name": "No Spaces"}), "name"),
        (json!({"on": {"types": []}}), "on.types"),
        (json!({"on": {"types": ["*"], "sources": vec!["x"; 33]}}), "on.sources"),
        (json!({"description": "x".repeat(1_001)}), "description"),
        (json!({"metadata": {"a": vec!["x".repeat(8_000); 9]}}), ""),
        (json!({"metadata": {"deep": {"Api_Key": "{{ data.x }}"}}}), "metadata.deep.Api_Key"),
        (json!({"metadata": {"a": {"$cel": "1", "b": 2}}}), "metadata.a"),
    ] {
        let error = failed(more.clone(), &event);
        assert_eq!(error.member, member, "{more:.100}: {error}");
    }
    let good = made(
        json!({"title": "{{ data.long | truncate(200) }}", "message": "{{ data.long | truncate(8000) }}"}),
        &event,
    );
    assert_eq!(good.title.chars().count(), 200);
    assert_eq!(good.message.chars().count(), 8_000);
}

#[test]
fn one_failing_rule_leaves_the_others_alone() {
    let rules = ["a", "b", "c"].map(|name| {
        let message = if name == "b" { "{{ data.nothing }}" } else { "fine" };
        Arc::new(compile(json!({"name": name, "message": message})).unwrap())
    });
    let rules = RuleSet::new(rules.to_vec(), &defaults(&refused_by_default()).unwrap()).unwrap();
    let event = order();
    let verdicts = rules.made(&event.event());
    let outcomes: Vec<_> = verdicts.iter().map(|v| (v.rule.as_str(), &v.outcome)).collect();
    assert!(matches!(
        outcomes.as_slice(),
        [("a", Outcome::Made(_)), ("b", Outcome::Failed(_)), ("c", Outcome::Made(_))]
    ));
    let all = rules.evaluate(&event.event());
    assert!(
        all.len() > 10
            && all.iter().rev().skip(3).all(|v| v.built_in && v.outcome == Outcome::Passed(Why::Type))
    );
}

#[test]
fn a_rule_replaces_the_built_in_one_of_its_name() {
    let built_in = defaults(&refused_by_default()).unwrap();
    let event = Happened::new("record_created", json!({"collection": "posts", "recordId": "1"}));
    let made = |own: Vec<Value>| {
        let own = own.into_iter().map(|more| Arc::new(compile(more).unwrap())).collect();
        let verdicts = RuleSet::new(own, &built_in).unwrap().made(&event.event());
        verdicts.into_iter().map(|v| (v.rule, v.built_in)).collect::<Vec<_>>()
    };
    assert_eq!(made(vec![]), [("record".to_owned(), true)]);
    assert_eq!(made(vec![json!({"name": "record"})]), [("record".to_owned(), false)]);
    assert_eq!(made(vec![json!({"name": "record", "enabled": false})]), []);
    assert_eq!(made(vec![json!({})]), [("record".to_owned(), true), ("mine".to_owned(), false)]);
    let twice = vec![Arc::new(compile(json!({})).unwrap()), Arc::new(compile(json!({})).unwrap())];
    assert_eq!(RuleSet::new(twice, &[]).unwrap_err().reason, Reason::Twice);
}

#[test]
fn templates_have_what_texts_need() {
    let event = Happened::new(
        "x",
        json!({"n": 3, "half": 2.5, "name": "ann lee", "tags": ["b", "a"], "o": {"k": 1}, "none": null, "empty": ""}),
    );
    for (template, wanted) in [
        ("{{ data.name | capitalize }} {{ data.name | upper }}", "Ann lee ANN LEE"),
        ("{{ data.tags | join(', ') }}", "b, a"),
        ("{{ data.missing | default('none') }}", "none"),
        ("{{ data.empty | default('none', true) }}{{ data.none | d('x', true) }}", "nonex"),
        ("{{ data.o.missing | default }}|", "|"),
        ("{{ data.tags | length }} {{ data.name | length }} {{ data.o | count }}", "2 7 1"),
        (
            "{{ data.n + 1 }} {{ data.n - 1 }} {{ data.n / 2 }} {{ data.n // 2 }} {{ data.n % 2 }}",
            "4 2 1.5 1 1",
        ),
        ("{{ data.n | times(data.half) }} {{ data.n | times(2, 2) }}", "7.5 12"),
        (
            "{{ data.half | round }} {{ 3.14159 | round(2) }} {{ data.half | int }} {{ -5 | abs }}",
            "3 3.14 2 5",
        ),
        (
            "{{ data.name ~ '!' }} {{ data['name'][:3] }} {{ data.tags[0] }} {{ data.tags[-1] }}",
            "ann lee! ann b a",
        ),
        ("{% if data.n > 2 and 'a' in data.tags %}yes{% elif data.n %}some{% else %}no{% endif %}", "yes"),
        ("{% for t in data.tags %}{{ loop.index }}{{ t }}{% else %}none{% endfor %}", "1b2a"),
        ("{% for k in data.o %}{{ k }}={{ data.o[k] }}{% endfor %}", "k=1"),
        ("{{ data.o }} {{ data.o | tojson }} {{ data.tags | tojson }}", r#"{"k":1} {"k":1} ["b","a"]"#),
        (
            "{{ event.id }} {{ event.type }} {{ type }} {{ source }} {{ actor }} {{ event.data.n }}",
            "e-1 x x /shop ann 3",
        ),
        (
            "{{ 'set' if subject is none else subject }} {{ 'm' if data.missing is defined else 'u' }}",
            "set u",
        ),
        ("{{ data.name | replace('ann', 'eve') | truncate(5) }}", "eve …"),
        ("a <b> & 'c' {# gone #}{{ '<i>' }}", "a <b> & 'c' <i>"),
        ("{{ data.tags | first }}{{ data.tags | last }}{{ ' x ' | trim }}", "bax"),
        ("{{ data.none }}|{{ data.n == 3 }}", "|true"),
        ("{{ data == data and data.tags == ['b', 'a'] }}", "true"),
    ] {
        assert_eq!(made(json!({"message": template}), &event).message, wanted, "{template}");
    }
}

#[test]
fn rules_are_asked_in_slices_and_fail_once_nothing_is_left() {
    let costly = "data.many.all(a, data.many.all(b, a + b >= 0))";
    let named = |place: usize, when: &str| {
        Arc::new(compile(json!({"name": place.to_string(), "on": {"types": ["t"], "when": when}})).unwrap())
    };
    let own = (0..6).map(|place| named(place, if place == 5 { "true" } else { costly })).collect();
    let rules = RuleSet::new(own, &[]).unwrap();
    let event = Happened::new("t", json!({"many": (0..2_000).collect::<Vec<_>>()}));
    let ask = |left: u64| {
        let mut asking = Asking::new(left);
        let slices: Vec<_> = std::iter::from_fn(|| rules.ask(&event.event(), &mut asking)).collect();
        let reasons = slices.concat().into_iter().map(|verdict| match verdict.outcome {
            Outcome::Failed(error) => Some(error.reason),
            _ => None,
        });
        (slices.iter().map(Vec::len).collect::<Vec<_>>(), reasons.collect::<Vec<_>>(), asking.left())
    };
    let too_costly = Some(Reason::TooCostly);
    let (slices, reasons, left) = ask(10 * MAX_STEPS);
    assert_eq!(slices, [1, 1, 1, 1, 1, 1], "a slice ends with a costly rule");
    assert_eq!(reasons[..5], vec![too_costly.clone(); 5]);
    assert_eq!(reasons[5], None);
    assert!(left < 5 * MAX_STEPS, "what was spent is gone: {left}");

    let (_, reasons, left) = ask(2 * MAX_STEPS);
    let nothing_left = Some(Reason::NothingLeft);
    assert_eq!(reasons[..2], vec![too_costly; 2]);
    assert_eq!(reasons[2..], vec![nothing_left; 4], "also one that would have cost next to nothing");
    assert_eq!(left, 0);

    let templates = json!({"message": "{% for a in data.many %}{{ a }}{% endfor %}"});
    let rules = RuleSet::new(vec![Arc::new(compile(templates).unwrap())], &[]).unwrap();
    let event = Happened::new("record_created", json!({"many": (0..1_000).collect::<Vec<_>>()}));
    let mut asking = Asking::new(u64::MAX);
    assert_eq!(rules.ask(&event.event(), &mut asking).map(|verdicts| verdicts.len()), Some(1));
    assert!(u64::MAX - asking.left() > 5_000, "templates are counted: {}", u64::MAX - asking.left());
}

#[test]
fn what_a_rule_takes_is_bounded_before_it_is_taken() {
    let pattern = r"data.a.matches('\\pL\\pN\\pS')";
    let many = |count: usize| vec![pattern; count].join(" && ");
    let small = compile(json!({"on": {"types": ["*"], "when": many(1)}})).unwrap();
    assert!((10_000..1_000_000).contains(&small.weight()), "{}", small.weight());
    let error = compile(json!({"on": {"types": ["*"], "when": many(60)}})).unwrap_err();
    assert!(matches!(error.reason, Reason::TooLong { unit: "bytes of compiled expression", .. }), "{error}");
    assert_eq!(error.member, "on.when");

    let metadata: Value = (0..90).map(|n| (format!("m{n}"), json!({ "$cel": pattern }))).collect();
    let error = compile(json!({"metadata": metadata})).unwrap_err();
    assert!(matches!(error.reason, Reason::TooLong { unit: "bytes of compiled rule", .. }), "{error}");
}

#[test]
fn patterns_cost_what_they_take() {
    let hostile = format!("*{}b", "a".repeat(250));
    let on = json!({"types": ["*"], "sources": vec![hostile; 32]});
    let rules = vec![Arc::new(compile(json!({ "on": on })).unwrap())];
    let rules = RuleSet::new(rules, &[]).unwrap();
    let data = Happened::new("t", json!({}));
    let source = "a".repeat(1_024);
    let event = campanile_rules::Event { source: &source, ..data.event() };
    let mut asking = Asking::new(u64::MAX);
    assert_eq!(
        rules.ask(&event, &mut asking).map(|verdicts| verdicts.len()),
        Some(0),
        "it is not for the event"
    );
    assert!(asking.is_done());
    assert!(
        u64::MAX - asking.left() > 200_000,
        "eight million bytes are compared: {}",
        u64::MAX - asking.left()
    );
}
