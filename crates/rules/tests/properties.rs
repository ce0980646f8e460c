//! Whatever is written in a rule or comes in an event, nothing panics.

use campanile_rules::{Outcome, RuleSet, Why, defaults, refused_by_default, refused_key};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::shop::{Happened, compile, outcome};

/// Any JSON of some size, with the names that rules ask for.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    let name = prop_oneof![
        "[a-z]{1,3}",
        proptest::sample::select(vec![
            "collection",
            "recordId",
            "changed",
            "count",
            "sample",
            "function",
            "runId",
            "startedBy",
            "owners",
            "topic",
            "productName",
            "daysLeft",
            "level",
            "user",
            "message",
            "announcementId",
        ])
        .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(4, 48, 8, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map(name.clone(), inner, 0..8)
                .prop_map(|members| members.into_iter().collect::<Value>()),
        ]
    })
}

/// Texts near the languages: words, operators and brackets in any order.
fn near(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    proptest::collection::vec(
        prop_oneof![9 => proptest::sample::select(words).prop_map(str::to_owned), 1 => "\\PC{0,3}"],
        0..24,
    )
    .prop_map(|words| words.join(" "))
}

const EXPRESSION: &[&str] = &[
    "data",
    "actor",
    "type",
    "event",
    "x",
    "1",
    "2.5",
    "'a'",
    "r'\\d'",
    "null",
    "true",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ".",
    ",",
    ":",
    "?",
    "+",
    "-",
    "*",
    "/",
    "%",
    "==",
    "!=",
    "<",
    ">=",
    "in",
    "&&",
    "||",
    "!",
    "has(",
    "size(",
    ".map(x,",
    ".all(x,",
    ".filter(x,",
    ".matches(",
    "string(",
    "int(",
    "timestamp(",
    "duration(",
    "data.a",
    "data.b",
];

const TEMPLATE: &[&str] = &[
    "{{",
    "}}",
    "{%",
    "%}",
    "{#",
    "#}",
    "data",
    "actor",
    "if",
    "else",
    "elif",
    "endif",
    "for",
    "x",
    "in",
    "endfor",
    "set",
    "1",
    "2.5",
    "'a'",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ".",
    ",",
    ":",
    "|",
    "~",
    "+",
    "-",
    "/",
    "%",
    "==",
    "<",
    "not",
    "and",
    "is",
    "defined",
    "upper",
    "join",
    "default('x')",
    "truncate(3)",
    "tojson",
    "data.a",
    "data.b",
    "loop.index",
    "loop(x)",
    "raw",
    "endraw",
    "\n",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_expression(text in prop_oneof![near(EXPRESSION), "\\PC{0,60}"], data in any_json()) {
        if let Ok(rule) = compile(json!({"on": {"types": ["*"], "when": text}, "metadata": {"$cel": text}})) {
            outcome(rule, &Happened::new("x", data));
        }
    }

    #[test]
    fn any_template(text in prop_oneof![near(TEMPLATE), "\\PC{0,60}"], data in any_json()) {
        if let Ok(rule) = compile(json!({"message": text})) {
            outcome(rule, &Happened::new("x", data));
        }
    }

    #[test]
    fn any_event(
        kind in prop_oneof![
            proptest::sample::select(vec![
                "record_created", "record_updated", "records_bulk_deleted", "function_started", "function_failed",
                "product_expiring", "workspace.updated", "user.updated", "user.access_granted", "token.revoked",
                "maintenance.scheduled", "maintenance.cancelled", "limit_nearly_reached", "drain_planned",
                "drain_cancelled",
            ])
            .prop_map(str::to_owned),
            "\\PC{1,12}",
        ],
        data in any_json(),
    ) {
        let rules = RuleSet::new(vec![], &defaults(&refused_by_default()).unwrap()).unwrap();
        let happened = Happened::new(&kind, data);
        let verdicts = rules.evaluate(&happened.event());
        prop_assert_eq!(&verdicts, &rules.evaluate(&happened.event()), "always the same answer");
        let others = verdicts.iter().filter(|v| v.outcome != Outcome::Passed(Why::Type)).count();
        prop_assert!(others <= 2);
        for verdict in verdicts {
            if let Outcome::Made(made) = verdict.outcome {
                prop_assert!((1..=200).contains(&made.title.chars().count()));
                prop_assert!((1..=128).contains(&made.kind.chars().count()));
                prop_assert!(made.message.len() <= 16 * 1024);
                prop_assert_eq!(refused_key(&refused_by_default(), &made.metadata.unwrap_or_default()), None);
            }
        }
    }
}
