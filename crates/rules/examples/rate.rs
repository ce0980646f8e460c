//! How many events a second one thread turns into notifications by the built-in rules, and by a workspace's own
//! rules beside them.
//!
//! `cargo run --release -p campanile-rules --example rate`
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement, run by hand")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use campanile_model::UserId;
use campanile_rules::{Event, Outcome, Rule, RuleSet, defaults, refused_by_default};
use serde_json::{Value, json};

fn main() {
    let built_in = defaults(&refused_by_default()).unwrap();
    let alone = RuleSet::new(vec![], &built_in).unwrap();
    let record = json!({"collection": "orders", "recordId": "o-1", "changed": ["total", "state"],
        "before": {"total": 5, "state": "open"}, "after": {"total": 7, "state": "paid"}});
    let wide: Vec<Value> =
        (0..2_000).map(|n| json!({"sku": format!("sku-{n}"), "amount": n, "open": true})).collect();
    let large =
        json!({"collection": "orders", "recordId": "o-1", "changed": ["lines"], "after": {"lines": wide}});
    let product = json!({"productId": "m1", "productName": "Milk", "expiryDate": "2026-03-03", "owners": ["bob"],
        "daysLeft": 2, "rung": "2d", "level": "warning"});
    let run =
        json!({"function": "tidy", "runId": "r1", "startedBy": "bob", "trigger": "hand", "durationMs": 12});
    measure("record_updated, built-in rules", &alone, "record_updated", &record);
    measure("record_updated of 100 KiB, built-in rules", &alone, "record_updated", &large);
    measure("product_expiring, built-in rules", &alone, "product_expiring", &product);
    measure("function_complete, built-in rules", &alone, "function_complete", &run);
    measure("an event that no rule is for", &alone, "order_paid", &record);

    let own = (0..100).map(|n| {
        let kinds = if n < 2 { json!(["record_*"]) } else { json!([format!("order_{n}"), "order_x*"]) };
        let source = json!({
            "name": format!("rule-{n}"), "on": {"types": kinds, "when": "data.after.total > 1 && actor != null"},
            "to": {"user": "actor"}, "title": "{{ data.recordId }} {{ data.after.total }}",
            "message": "{% for name in data.changed %}{{ name }} {% endfor %}", "type": "changed",
            "metadata": {"total": {"$cel": "data.after.total - data.before.total"}},
        });
        Arc::new(Rule::compile(serde_json::from_value(source).unwrap(), &refused_by_default()).unwrap())
    });
    let many = RuleSet::new(own.collect(), &built_in).unwrap();
    measure("record_updated, 100 own rules, 2 for it", &many, "record_updated", &record);
}

fn measure(what: &str, rules: &RuleSet, kind: &str, data: &Value) {
    let (data, actor) = (Arc::new(data.clone()), UserId::new("ann").unwrap());
    let event = Event {
        id: "1",
        source: "/shop",
        kind,
        subject: None,
        time: "2026-03-01T10:00:00Z",
        actor: Some(&actor),
        data: &data,
    };
    let begun = Instant::now();
    let (mut events, mut made) = (0_u32, 0_usize);
    while begun.elapsed() < Duration::from_secs(1) {
        for _ in 0..100 {
            made += rules.made(&event).iter().filter(|v| matches!(v.outcome, Outcome::Made(_))).count();
            events += 1;
        }
    }
    let each = begun.elapsed() / events;
    println!("{:>9.0} events/s {each:>10.1?} each, {made} made  {what}", 1.0 / each.as_secs_f64());
}
