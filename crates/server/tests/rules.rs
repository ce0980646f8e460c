//! Rules: put, replaced, tried, refused.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use campanile_server::clock::Clock;
use campanile_testkit::{SECRET, TestServer, Token, request};
use serde_json::{Value, json};

use crate::backend::{call, done, each, event, inbox, refused, report, rule, token};
use crate::process::Process;
use crate::program::Program;

fn names(list: &Value, built_in: bool) -> Vec<&str> {
    let rules = list["rules"].as_array().unwrap().iter();
    rules
        .filter(|kept| kept["builtIn"] == built_in)
        .map(|kept| kept["rule"]["name"].as_str().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_are_kept_by_name_and_state() {
    let mut server = TestServer::start().await;
    let list = done(call(&server, "GET", "/rules", &Value::Null).await);
    assert!(names(&list, false).is_empty());
    assert!(names(&list, true).contains(&"record") && names(&list, true).contains(&"maintenance"));

    let path = "/v1/workspaces/acme/rules/paid";
    let admin = token(&server);
    let body = rule("paid", "order_paid").to_string();
    refused(call(&server, "GET", "/rules/paid", &Value::Null).await, 404, "not_found");
    let put = server.send_with("PUT", path, &admin, &[("If-None-Match", "*")], &body).await;
    let tag = put.header("etag").unwrap().to_owned();
    assert_eq!(done(put)["builtIn"], false);
    refused(server.send_with("PUT", path, &admin, &[("If-None-Match", "*")], &body).await, 412, "changed");
    let read = call(&server, "GET", "/rules/paid", &Value::Null).await;
    assert_eq!(read.header("etag"), Some(tag.as_str()));
    assert_eq!(read.json()["rule"]["title"], "{{ data.title }}");
    let other = server.send_with("PUT", path, &admin, &[("If-Match", &tag)], &body).await;
    let newer = other.header("etag").unwrap().to_owned();
    assert_ne!(newer, tag);
    refused(server.send_with("PUT", path, &admin, &[("If-Match", &tag)], &body).await, 412, "changed");
    refused(server.send_with("DELETE", path, &admin, &[("If-Match", &tag)], "").await, 412, "changed");
    refused(server.send_with("PUT", path, &admin, &[("If-Match", "x")], &body).await, 422, "invalid_request");
    server.restart().await;
    assert_eq!(names(&done(call(&server, "GET", "/rules", &Value::Null).await), false), ["paid"]);
    assert_eq!(server.send_with("DELETE", path, &admin, &[("If-Match", &newer)], "").await.status, 204);
    refused(call(&server, "DELETE", "/rules/paid", &Value::Null).await, 404, "not_found");
    let problem =
        refused(call(&server, "PUT", "/rules/other", &rule("paid", "t")).await, 422, "invalid_rule");
    assert_eq!(problem["field"], "name");
    let user = server.token("alice").with("scope", "notifications:write events:write").sign();
    for (method, path) in
        [("GET", "/rules"), ("GET", "/rules/x"), ("DELETE", "/rules/x"), ("POST", "/rules/try")]
    {
        let path = format!("/v1/workspaces/acme{path}");
        refused(server.send(method, &path, &user, "").await, 403, "scope_missing");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_built_in_rule_is_replaced_switched_off_and_back() {
    let server = TestServer::start().await;
    let subscribers = "/topics/collection:orders/subscribers";
    done(call(&server, "POST", subscribers, &json!({"users": ["alice"]})).await);
    let created =
        |id: &str| event(id, "record_created", json!({"collection": "orders", "recordId": id, "total": 7}));
    done(report(&server, "acme", &created("r1")).await);
    assert_eq!(each(&inbox(&server, "alice").await, "message"), ["r1"]);

    let built_in = call(&server, "GET", "/rules/record", &Value::Null).await;
    assert_eq!(built_in.header("etag"), Some("\"0\""));
    let mut own = built_in.json()["rule"].clone();
    assert_eq!(built_in.json()["builtIn"], true);
    own["message"] = "{{ data.recordId }} for {{ data.total }}".into();
    done(call(&server, "PUT", "/rules/record", &own).await);
    done(report(&server, "acme", &created("r2")).await);
    assert_eq!(each(&inbox(&server, "alice").await, "message"), ["r2 for 7", "r1"]);
    let list = done(call(&server, "GET", "/rules", &Value::Null).await);
    assert!(names(&list, false) == ["record"] && !names(&list, true).contains(&"record"), "{list}");

    own["enabled"] = false.into();
    done(call(&server, "PUT", "/rules/record", &own).await);
    assert_eq!(done(report(&server, "acme", &created("r3")).await)["events"][0]["notifications"], json!([]));

    done(call(&server, "DELETE", "/rules/record", &Value::Null).await);
    done(report(&server, "acme", &created("r4")).await);
    assert_eq!(each(&inbox(&server, "alice").await, "message"), ["r4", "r2 for 7", "r1"]);
    let problem =
        refused(call(&server, "DELETE", "/rules/record", &Value::Null).await, 422, "invalid_request");
    assert!(problem["detail"].as_str().unwrap().contains("enabled: false"), "{problem}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_name_the_member_and_the_place() {
    let server = TestServer::start().await;
    for (member, value, field, part) in [
        ("title", json!("a\n  {{ data. }}"), "title", "line 2"),
        ("title", json!("{{ nothing }}"), "title", "nothing"),
        ("title", json!("{% include 'x' %}"), "title", "include"),
        ("message", json!("x".repeat(9_000)), "message", "8192"),
        ("on", json!({"types": ["a"], "when": "data.a ==\n == 1"}), "on.when", "line 2"),
        ("on", json!({"types": ["a"], "when": "nothing(1)"}), "on.when", "nothing"),
        ("on", json!({"types": []}), "on.types", "1 to 32"),
        ("to", json!({"user": "data.("}), "to.user", "line 1"),
        ("except", json!("'unclosed"), "except", "line 1"),
        ("ttl", json!("soon"), "ttl", "duration"),
        ("metadata", json!({"total": {"$cel": "1 +"}}), "metadata.total", "line 1"),
        ("metadata", json!({"order": {"api_key": "x"}}), "metadata.order.api_key", "secret"),
        ("metadata", json!({"Password": "{{ data.p }}"}), "metadata.Password", "secret"),
    ] {
        let mut bad = rule("bad", "t");
        bad[member] = value;
        let problem = refused(call(&server, "PUT", "/rules/bad", &bad).await, 422, "invalid_rule");
        assert_eq!(problem["field"], field, "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(part), "{part}: {problem}");
        let tried = json!({"event": event("1", "t", json!({})), "rule": bad});
        assert_eq!(
            refused(call(&server, "POST", "/rules/try", &tried).await, 422, "invalid_rule")["field"],
            field
        );
    }
    let mut unknown = rule("bad", "t");
    unknown["titel"] = "x".into();
    refused(call(&server, "PUT", "/rules/bad", &unknown).await, 422, "invalid_body");
    refused(call(&server, "GET", "/rules/bad", &Value::Null).await, 404, "not_found");

    let secret =
        json!({"to": {"user": "a"}, "title": "T", "message": "M", "metadata": {"a": [{"Access-Token": 1}]}});
    let problem = refused(call(&server, "POST", "/notifications", &secret).await, 422, "invalid_request");
    assert_eq!(problem["field"], "metadata");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_list_of_refused_keys_is_configured() {
    let server = TestServer::configured("[workspaces]\nrefused_keys = [\"iban\"]\n").await;
    let with =
        |metadata: Value| json!({"to": {"user": "a"}, "title": "T", "message": "M", "metadata": metadata});
    done(call(&server, "POST", "/notifications", &with(json!({"password": "now allowed"}))).await);
    refused(
        call(&server, "POST", "/notifications", &with(json!({"IBAN": "x"}))).await,
        422,
        "invalid_request",
    );
    let mut bad = rule("bad", "t");
    bad["metadata"] = json!({"i-ban": "x"});
    refused(call(&server, "PUT", "/rules/bad", &bad).await, 422, "invalid_rule");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_says_who_would_receive_what_and_why_not() {
    let server = TestServer::start().await;
    let mut when = rule("when", "order_*");
    when["on"]["when"] = "data.total > 1000".into();
    let mut failing = rule("failing", "order_paid");
    failing["message"] = "\n{{ data.missing }}".into();
    let mut off = rule("off", "order_paid");
    off["enabled"] = false.into();
    let mut elsewhere = rule("elsewhere", "order_paid");
    elsewhere["on"]["sources"] = json!(["https://other.example/*"]);
    let mut nobody = rule("nobody", "order_paid");
    nobody["to"] = json!({"user": "null"});
    let mut secret = rule("secret", "order_paid");
    secret["metadata"] = json!({"all": {"$cel": "data.all"}});
    let mut made = rule("made", "order_paid");
    made["to"] = json!({"topic": "orders"});
    made["except"] = "actor".into();
    made["level"] = "warning".into();
    made["collapseKey"] = "order:{{ data.number }}".into();
    made["ttl"] = "1h".into();
    for rule in [&when, &failing, &off, &elsewhere, &nobody, &secret, &made] {
        done(call(&server, "PUT", &format!("/rules/{}", rule["name"].as_str().unwrap()), rule).await);
    }
    let subscribers = json!({"users": ["carol", "bob", "alice"]});
    done(call(&server, "POST", "/topics/orders/subscribers", &subscribers).await);
    let data = json!({"user": "alice", "title": "T", "total": 10, "number": 7, "all": {"token": "canary"}});
    let mut one = event("1", "order_paid", data);
    one["actor"] = "bob".into();
    let tried = done(call(&server, "POST", "/rules/try", &json!({"event": one})).await);
    let of = |name: &str| {
        let verdicts = tried["verdicts"].as_array().unwrap().iter();
        verdicts.clone().find(|v| v["rule"] == name).unwrap_or_else(|| panic!("{name}: {tried}")).clone()
    };
    for (name, outcome, reason) in [
        ("when", "passed", "its condition is false"),
        ("off", "passed", "the rule is off"),
        ("elsewhere", "passed", "the source is another"),
        ("nobody", "passed", "there is nobody to tell"),
        ("record", "passed", "the type is another"),
        ("failing", "failed", ""),
        ("secret", "failed", "refused"),
    ] {
        let verdict = of(name);
        assert_eq!(verdict["outcome"], outcome, "{verdict}");
        assert!(verdict["reason"].as_str().unwrap().contains(reason), "{verdict}");
        assert_eq!(verdict["builtIn"], name == "record");
    }
    assert_eq!((&of("failing")["field"], &of("failing")["line"]), (&json!("message"), &json!(2)));
    let preview = &of("made")["notification"];
    assert_eq!(preview["to"], json!({"topic": "orders"}));
    assert_eq!(
        preview["subscribers"],
        json!({"users": ["alice", "carol"], "more": false}),
        "but for the actor"
    );
    assert_eq!((&preview["except"], &preview["title"]), (&json!(["bob"]), &json!("T")));
    assert_eq!((&preview["type"], &preview["level"]), (&json!("order_paid"), &json!("warning")));
    assert_eq!(
        (&preview["metadata"]["level"], &preview["collapseKey"]),
        (&json!("warning"), &json!("order:7"))
    );
    assert!(preview["expiresAt"].is_string() && preview["durable"] == true, "{preview}");
    assert!(!of("secret").to_string().contains("canary"));

    // Nothing was sent or kept, and a rule can be tried before it is put in place.
    assert_eq!(inbox(&server, "alice").await["items"], json!([]));
    assert_eq!(done(call(&server, "GET", "/events", &Value::Null).await)["events"], json!([]));
    let alone = json!({"event": one, "rule": rule("new", "order_paid")});
    let alone = done(call(&server, "POST", "/rules/try", &alone).await);
    assert_eq!(alone["verdicts"].as_array().unwrap().len(), 1);
    assert_eq!(alone["verdicts"][0]["notification"]["to"], json!({"user": "alice"}));
    refused(call(&server, "GET", "/rules/new", &Value::Null).await, 404, "not_found");

    // By the key of one that was taken; Campanile's own events too.
    let key = done(report(&server, "acme", &one).await)["events"][0]["key"].clone();
    let again = done(call(&server, "POST", "/rules/try", &json!({"key": key})).await);
    assert_eq!(again["verdicts"].as_array().unwrap().len(), tried["verdicts"].as_array().unwrap().len());
    let mut own = one.clone();
    own["source"] = "/collections/orders".into();
    done(call(&server, "POST", "/rules/try", &json!({"event": own})).await);
    for bad in [json!({}), json!({"event": one, "key": key}), json!({"event": {"specversion": "1.0"}})] {
        refused(call(&server, "POST", "/rules/try", &bad).await, 422, "invalid_request");
    }
    refused(call(&server, "POST", "/rules/try", &json!({"key": "x"})).await, 404, "not_found");
    refused(
        call(&server, "POST", "/rules/try", &json!({"event": one, "roule": 1})).await,
        422,
        "invalid_body",
    );
}

/// Publishes that end beside three waves of hostile events.
const LEAST_PUBLISHED: usize = 10;

/// On the real binary, which has a worker for each core.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_that_take_long_hold_up_nobody_who_publishes() {
    let cores = std::thread::available_parallelism().unwrap().get();
    if cores == 1 {
        // There is no other thread to serve the others.
        return;
    }
    let server = Process::start(&Program::new().set("CAMPANILE_SECRET", SECRET));
    let claims = Token::of("backend", Clock::system().now().as_secs());
    let bearer = format!("Bearer {}", claims.with("scope", "events:write notifications:write admin").sign());
    let send = async |method: &str, path: &str, kind: &str, body: &Value| {
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", kind)];
        let path = format!("/v1/workspaces/acme{path}");
        done(request(server.address, method, &path, &headers, body.to_string().as_bytes()).await)
    };
    let items: Vec<_> = (0..1_000).map(|n| json!({ "n": n })).collect();
    for n in 0..50 {
        let mut rule = rule(&format!("harm-{n}"), "harm");
        rule["on"]["when"] = "data.items.all(a, data.items.all(b, a.n + b.n >= 0))".into();
        send("PUT", &format!("/rules/harm-{n}"), "application/json", &rule).await;
    }
    let events: Vec<_> =
        (0..3 * cores).map(|n| event(&n.to_string(), "harm", json!({ "items": items }))).collect();
    let begun = Instant::now();
    let is_over = AtomicBool::new(false);
    let harm = async {
        let events =
            events.iter().map(|event| send("POST", "/events", "application/cloudevents+json", event));
        futures_util::future::join_all(events).await;
        is_over.store(true, Ordering::Relaxed);
        begun.elapsed() / 3
    };
    let publish = async {
        let (mut slowest, mut published) = (Duration::ZERO, 0);
        // One that began meanwhile counts, however long it takes.
        while !is_over.load(Ordering::Relaxed) {
            let asked = Instant::now();
            let notification = json!({"to": {"user": "alice"}, "title": "T", "message": "M"});
            send("POST", "/notifications", "application/json", &notification).await;
            slowest = slowest.max(asked.elapsed());
            published += 1;
        }
        (slowest, published)
    };
    let (one, (slowest, published)) = tokio::join!(harm, publish);
    assert!(slowest < one / 2, "{slowest:?} beside events of {one:?}");
    assert!(published >= LEAST_PUBLISHED, "{published} beside events of {one:?}");
}
