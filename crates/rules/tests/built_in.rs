//! Every documented type comes from a built-in rule, and none of them exposes what it was not asked to.

use std::collections::BTreeSet;

use campanile_model::{Audience, Level, Topic, UserId};
use campanile_rules::{Made, Outcome, RuleSet, defaults, refused_by_default};
use serde_json::{Value, json};

use crate::shop::Happened;

fn made(happened: &Happened) -> Vec<Made> {
    let rules = RuleSet::new(vec![], &defaults(&refused_by_default()).unwrap()).unwrap();
    rules
        .made(&happened.event())
        .into_iter()
        .map(|verdict| match verdict.outcome {
            Outcome::Made(made) => *made,
            other => panic!("{}: {other:?}", verdict.rule),
        })
        .collect()
}

fn one(happened: &Happened) -> Made {
    let [made] = <[Made; 1]>::try_from(made(happened)).unwrap();
    made
}

fn users(names: &[&str]) -> Audience {
    Audience::Users(names.iter().map(|name| UserId::new(name).unwrap()).collect())
}

fn topic(name: &str) -> Audience {
    Audience::Topic(Topic::new(name).unwrap())
}

const CANARY: &str = "c4n4ry";

/// One event of each type, with a canary wherever the event may carry more than the rules tell.
fn events() -> Vec<Happened> {
    let record = json!({
        "collection": "posts", "recordId": "p1", "changed": ["title"],
        "before": {"title": CANARY}, "after": {"title": CANARY, CANARY: 1}, "note": CANARY,
    });
    let bulk = json!({
        "collection": "posts", "count": 12, "sample": (0..12).map(|n| format!("p{n}")).collect::<Vec<_>>(),
        "records": [{"title": CANARY}], "errors": [CANARY],
    });
    let run = json!({
        "function": "tidy", "runId": "r1", "startedBy": "bob", "trigger": "schedule", "durationMs": 12,
        "error": {"message": CANARY, "stack": CANARY}, "log": [CANARY], "result": CANARY, "params": {"a": CANARY},
    });
    let product = json!({
        "productId": "m1", "productName": "Milk", "expiryDate": "2026-03-03", "owners": ["bob", "eve"],
        "topic": "dairy", "daysLeft": 2, "rung": "2d", "level": "warning", "notes": CANARY, "quantity": CANARY,
    });
    let system = json!({"user": "bob", "changed": ["timeZone"], "before": CANARY, "settings": {"a": CANARY}, "hash": CANARY});
    let announcement = json!({
        "announcementId": "a1", "message": "Back at noon", "startsAt": "2026-03-02T10:00:00Z", "endsAt": null,
        "internal": CANARY,
    });
    let limit = json!({
        "limit": "rules", "used": 450, "max": 500, "percent": 90, "names": [CANARY], "last": {"name": CANARY},
    });
    let drain = json!({
        "drainId": "d1", "at": "2026-03-02T10:00:00Z", "message": "Back at noon", "node": CANARY, "by": CANARY,
    });
    let mut events = Vec::new();
    for (data, kinds) in [
        (record, &["record_created", "record_updated", "record_deleted"][..]),
        (bulk, &["records_bulk_created", "records_bulk_updated", "records_bulk_deleted"]),
        (run, &["function_started", "function_complete", "function_failed", "function_timeout"]),
        (product, &["product_expiring", "product_expired"]),
        (
            system,
            &[
                "workspace.updated",
                "user.access_granted",
                "user.access_withdrawn",
                "user.updated",
                "service_account.rotated",
                "token.revoked",
            ],
        ),
        (announcement, &["maintenance.scheduled", "maintenance.changed", "maintenance.cancelled"]),
        (limit, &["limit_nearly_reached"]),
        (drain, &["drain_planned", "drain_changed", "drain_cancelled"]),
    ] {
        events.extend(kinds.iter().map(|kind| Happened::new(kind, data.clone())));
    }
    events
}

#[test]
fn each_documented_type_comes_from_one() {
    let types: BTreeSet<String> =
        events().iter().flat_map(|event| made(event).into_iter().map(|made| made.kind)).collect();
    for documented in [
        "record_created",
        "record_updated",
        "record_deleted",
        "bulk_complete",
        "function_started",
        "function_complete",
        "function_failed",
        "function_timeout",
        "workspace_updated",
        "access_granted",
        "access_withdrawn",
        "user_updated",
        "service_account_rotated",
        "token_revoked",
        "maintenance_scheduled",
        "maintenance_changed",
        "maintenance_cancelled",
        "limit_nearly_reached",
        "drain_planned",
        "drain_changed",
        "drain_cancelled",
        "product_expiring",
        "product_expired",
    ] {
        assert!(types.contains(documented), "{documented} of {types:?}");
    }
    assert!(made(&Happened::new("order_paid", json!({"a": 1}))).is_empty(), "other types match none");
}

#[test]
fn nothing_is_exposed_that_was_not_meant_for_people() {
    for event in events() {
        let made = made(&event);
        assert!(!made.is_empty());
        let text = serde_json::to_string(&made).unwrap();
        assert!(!text.contains(CANARY), "{text}");
    }
}

#[test]
fn records_go_to_the_collections_subscribers() {
    let event = |kind| {
        Happened::new(kind, json!({"collection": "posts", "recordId": "p1", "changed": ["title", "body"]}))
    };
    let created = one(&event("record_created"));
    assert_eq!(created.audience, topic("collection:posts"));
    assert_eq!(created.except, [UserId::new("ann").unwrap()]);
    assert_eq!((created.title.as_str(), created.message.as_str()), ("Record created in posts", "p1 by ann"));
    assert_eq!((created.kind.as_str(), created.level), ("record_created", Some(Level::Info)));
    assert_eq!(created.metadata, Some(json!({"collection": "posts", "recordId": "p1", "actor": "ann"})));
    let updated = one(&event("record_updated"));
    assert_eq!(updated.metadata.unwrap()["changed"], json!(["title", "body"]));
    let unknown = one(&event("record_deleted").by(None));
    assert!(unknown.except.is_empty() && unknown.message == "p1");
}

#[test]
fn a_bulk_change_is_one_notification_with_ten_ids() {
    let event = events().remove(3);
    let bulk = one(&event);
    assert_eq!((bulk.kind.as_str(), bulk.level), ("bulk_complete", Some(Level::Success)));
    assert_eq!(bulk.title, "12 records created in posts");
    let metadata = bulk.metadata.unwrap();
    assert_eq!(metadata["sample"].as_array().map(Vec::len), Some(10));
    assert_eq!((&metadata["count"], &metadata["operation"]), (&json!(12), &json!("created")));
}

#[test]
fn runs_go_to_who_started_them_and_to_the_functions_subscribers() {
    let run = |kind: &str, by: Value| {
        made(
            &Happened::new(
                kind,
                json!({"function": "tidy", "runId": "r1", "startedBy": by, "durationMs": 12}),
            )
            .by(None),
        )
    };
    let started = run("function_started", json!("bob"));
    assert_eq!(
        started.iter().map(|m| m.audience.clone()).collect::<Vec<_>>(),
        [users(&["bob"]), topic("function:tidy")]
    );
    assert!(started.iter().all(|m| m.durable == Some(false) && m.level == Some(Level::Info)));
    assert_eq!(started[1].except, [UserId::new("bob").unwrap()]);
    for (kind, level, title) in [
        ("function_complete", Level::Success, "tidy completed"),
        ("function_failed", Level::Error, "tidy failed"),
        ("function_timeout", Level::Error, "tidy timed out"),
    ] {
        let ended = run(kind, Value::Null);
        let [ended] = ended.as_slice() else { panic!("nobody started it: {ended:?}") };
        assert_eq!((ended.kind.as_str(), ended.level, ended.title.as_str()), (kind, Some(level), title));
        assert_eq!(
            (ended.durable, ended.metadata.as_ref().unwrap()["durationMs"].clone()),
            (None, json!(12))
        );
    }
}

#[test]
fn products_tell_when_in_words() {
    let product = |kind: &str, days: i64, more: Value| {
        let mut data = json!({
            "productId": "m1", "productName": "Milk", "expiryDate": "2026-03-03", "daysLeft": days, "rung": "2d",
            "level": "warning",
        });
        for (key, value) in more.as_object().unwrap() {
            data[key] = value.clone();
        }
        made(&Happened::new(kind, data).by(None))
    };
    let owners = || json!({"owners": ["bob", "eve"]});
    for (kind, days, message) in [
        ("product_expiring", 7, "Milk expires in 7 days"),
        ("product_expiring", 1, "Milk expires in 1 day"),
        ("product_expiring", 0, "Milk expires today"),
        ("product_expired", 0, "Milk has expired"),
    ] {
        let made = product(kind, days, owners());
        let [made] = made.as_slice() else { panic!("{made:?}") };
        assert_eq!((made.message.as_str(), &made.audience), (message, &users(&["bob", "eve"])));
        assert_eq!(made.event.as_deref(), Some("product_expiration"));
        assert_eq!(made.product_name.as_deref(), Some("Milk"));
        assert_eq!(made.expiry_date.as_deref(), Some("2026-03-03"));
        assert_eq!((made.kind.as_str(), made.level), (kind, Some(Level::Warning)));
    }
    let to_topic = product("product_expired", 0, json!({"owners": null, "topic": "dairy"}));
    assert_eq!(to_topic.iter().map(|m| m.audience.clone()).collect::<Vec<_>>(), [topic("dairy")]);
    assert!(product("product_expired", 0, json!({})).is_empty(), "nobody to tell");
}

#[test]
fn system_events_go_to_the_workspace_or_the_user_concerned() {
    let workspace = one(&Happened::new("workspace.updated", json!({"changed": ["timeZone"]})));
    assert_eq!((workspace.audience, workspace.title), (Audience::Workspace, "Workspace updated".to_owned()));
    assert_eq!(workspace.except.len(), 1);
    let limit = one(&Happened::new("workspace.limit_nearly_reached", json!({"level": "warning"})).by(None));
    assert_eq!((limit.kind.as_str(), limit.level), ("workspace_limit_nearly_reached", Some(Level::Warning)));
    let granted = one(&Happened::new("user.access_granted", json!({"user": "bob"})));
    assert_eq!((granted.audience, granted.kind.as_str()), (users(&["bob"]), "access_granted"));
    assert_eq!(granted.message, "Your access to this workspace was granted");
    let updated = one(&Happened::new("user.updated", json!({})).about("eve"));
    assert_eq!((updated.audience, updated.kind.as_str()), (users(&["eve"]), "user_updated"));
    let maintenance = one(&Happened::new(
        "maintenance.scheduled",
        json!({"announcementId": "a1", "message": "Back at noon"}),
    ));
    assert_eq!((maintenance.audience, maintenance.level), (Audience::Workspace, Some(Level::Alert)));
    assert_eq!((maintenance.message.as_str(), maintenance.except.len()), ("Back at noon", 0));
    let cancelled =
        one(&Happened::new("maintenance.cancelled", json!({"announcementId": "a1", "message": "Not now"})));
    assert_eq!(cancelled.level, Some(Level::Alert));
}

#[test]
fn a_limit_is_told_to_who_caused_it_and_to_the_topic_of_limits() {
    let data = json!({"limit": "queued_runs", "used": 907, "max": 1_000, "percent": 90});
    let [user, others] =
        <[Made; 2]>::try_from(made(&Happened::new("limit_nearly_reached", data.clone()))).unwrap();
    assert_eq!([&user.audience, &others.audience], [&users(&["ann"]), &topic("workspace:limits")]);
    assert_eq!((user.except.len(), &others.except), (0, &vec![UserId::new("ann").unwrap()]));
    for told in [user, others] {
        assert_eq!((told.kind.as_str(), told.level), ("limit_nearly_reached", Some(Level::Warning)));
        assert_eq!(
            (&*told.title, &*told.message),
            ("Nearly at a limit: queued runs", "907 of 1000 queued runs (90 %)")
        );
        assert_eq!(told.collapse_key.as_deref(), Some("limit:queued_runs"));
        let mut metadata = data.clone();
        metadata["actor"] = "ann".into();
        assert_eq!(told.metadata, Some(metadata));
    }
    let nobody = one(&Happened::new("limit_nearly_reached", data).by(None));
    assert_eq!((&nobody.audience, nobody.except.len()), (&topic("workspace:limits"), 0));
}

#[test]
fn machines_access_is_told_to_the_user_it_names_and_to_the_topic_of_access() {
    // Nobody is named; and what an account may do is for those who look after it.
    let rotated = json!({"name": "bot", "clientId": "acme.bot", "scopes": ["admin"]});
    let rotated = one(&Happened::new("service_account.rotated", rotated).about("bot"));
    assert_eq!(
        (&rotated.audience, &rotated.except),
        (&topic("workspace:access"), &vec![UserId::new("ann").unwrap()])
    );
    assert_eq!((&*rotated.title, &*rotated.message), ("Service account rotated", "bot by ann"));
    assert_eq!((&*rotated.kind, rotated.level), ("service_account_rotated", Some(Level::Info)));
    assert_eq!(rotated.metadata, Some(json!({"subject": "bot", "actor": "ann"})));

    let revoked = Happened::new("token.revoked", json!({"user": "bob"})).about("bob");
    let [user, others] = <[Made; 2]>::try_from(made(&revoked)).unwrap();
    assert_eq!((&user.audience, &*user.message), (&users(&["bob"]), "By ann"));
    assert_eq!((&others.audience, &*others.message), (&topic("workspace:access"), "bob by ann"));
    assert_eq!(others.except, ["ann", "bob"].map(|name| UserId::new(name).unwrap()), "once is enough");
    let nobody = one(&Happened::new("token.revoked", json!({"tokenId": "t"})).by(None));
    assert_eq!((&*nobody.message, nobody.except.len()), ("", 0));
}

#[test]
fn a_drain_is_told_to_everybody() {
    let drain = |kind: &str, message: Value| {
        one(&Happened::new(
            kind,
            json!({"drainId": "d1", "at": "2026-03-02T10:00:00.000Z", "message": message}),
        ))
    };
    for (kind, level, title) in [
        ("drain_planned", Level::Alert, "Interruption planned"),
        ("drain_changed", Level::Alert, "Planned interruption changed"),
        ("drain_cancelled", Level::Alert, "Interruption no longer planned"),
    ] {
        let told = drain(kind, "New disks".into());
        assert_eq!((told.audience, told.except.len()), (Audience::Workspace, 0));
        assert_eq!((told.kind.as_str(), told.level, told.title.as_str()), (kind, Some(level), title));
        assert_eq!(told.collapse_key.as_deref(), Some("drain:d1"));
        assert_eq!(told.metadata, Some(json!({"drainId": "d1", "at": "2026-03-02T10:00:00.000Z"})));
        let own_words = kind != "drain_cancelled";
        assert_eq!(told.message == "New disks", own_words, "{}", told.message);
    }
    let told = drain("drain_planned", Value::Null);
    assert_eq!(told.message, "All connections are closed at 2026-03-02T10:00:00.000Z");
}
