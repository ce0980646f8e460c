//! The documented shape of a function, and every call of `api`.

use std::sync::Arc;

use campanile_functions::{CheckError, Finished, HostCall, Level, Pool, Verdict};
use serde_json::{Value, json};

use crate::support::{Recorder, call, call_with, config, failure, result, run};

const SAMPLE: &str = "
async function run() {
const orderId = executionParams.orderId;
// Process something
const order = await api.fetchRecord(orderId);
// Your processing logic here
api.log({ message: 'Order processed', orderId });
return { success: true, orderId };
}
";

#[tokio::test]
async fn the_documented_sample_runs_unchanged() {
    let pool = Pool::new(config()).unwrap();
    let host = Arc::new(Recorder::default());
    let finished = pool.run(call_with(SAMPLE, &json!({ "orderId": "o-7" })), host.clone()).await.unwrap();
    assert_eq!(result(&finished), json!({ "success": true, "orderId": "o-7" }));
    assert_eq!(*host.calls.lock().unwrap(), [HostCall::FetchRecord { id: "o-7".into() }]);
    assert_eq!(finished.log.len(), 1);
    assert_eq!(finished.log[0].text, r#"{"message":"Order processed","orderId":"o-7"}"#);
    assert_eq!(finished.log[0].level, Level::Info);
    assert_eq!(finished.usage.host_calls, 1);
    assert!(finished.usage.memory_peak_bytes > 100_000);
}

#[tokio::test]
async fn every_call_reaches_the_host_with_its_arguments_and_its_answer_comes_back() {
    let pool = Pool::new(config()).unwrap();
    let host = Arc::new(Recorder::default());
    let code = "async function run() {
        const fetched = await api.fetchRecord('a');
        await api.queryRecords('orders');
        const page = await api.queryRecords('orders', { filter: { total: { gt: 5 } }, limit: 10, after: 'x' });
        const made = await api.createRecord('orders', { total: 1 }, { id: 'o-1' });
        await api.createRecord('orders', {});
        await api.updateRecord('o-1', { total: null }, { ifVersion: 3 });
        await api.deleteRecord('o-1');
        const sent = await api.notify({ to: 'ada', title: 't', message: 'm', type: 'info', metadata: { a: 1 } });
        return [fetched.data.total, page.next, made.id, sent.id];
    }";
    let finished = pool.run(call(code), host.clone()).await.unwrap();
    assert_eq!(result(&finished), json!([12.5, null, "o-1", "n1"]));
    let query =
        |filter, limit, after| HostCall::QueryRecords { collection: "orders".into(), filter, limit, after };
    let create = |id, data| HostCall::CreateRecord { collection: "orders".into(), id, data };
    assert_eq!(
        *host.calls.lock().unwrap(),
        [
            HostCall::FetchRecord { id: "a".into() },
            query(None, None, None),
            query(Some(json!({ "total": { "gt": 5 } })), Some(10), Some("x".into())),
            create(Some("o-1".into()), json!({ "total": 1 })),
            create(None, json!({})),
            HostCall::UpdateRecord { id: "o-1".into(), patch: json!({ "total": null }), if_version: Some(3) },
            HostCall::DeleteRecord { id: "o-1".into() },
            HostCall::Notify(
                json!({ "to": "ada", "title": "t", "message": "m", "type": "info", "metadata": { "a": 1 } })
            ),
        ]
    );
    assert_eq!(finished.usage.host_calls, 8);
}

#[tokio::test]
async fn a_refusal_of_the_host_is_an_error_with_its_code() {
    let pool = Pool::new(config()).unwrap();
    let caught = "async function run() {
        try { await api.fetchRecord('missing'); } catch (error) {
            return [error instanceof Error, error.code, error.message];
        }
    }";
    let finished = run(&pool, caught).await;
    assert_eq!(result(&finished), json!([true, "not_found", "there is no record `missing`"]));
    let finished = run(&pool, "async function run() {\n  await api.fetchRecord('missing');\n}").await;
    assert_eq!(failure(&finished), ("Error", "there is no record `missing`"));
    assert!(matches!(finished.verdict, Verdict::Failed { line: Some(2), .. }), "{finished:?}");
    let finished = run(&pool, "async function run() { await api.fetchRecord('huge') }").await;
    assert!(failure(&finished).1.contains("above 1048576"), "{finished:?}");
}

#[tokio::test]
async fn wrong_arguments_are_type_errors_and_reach_no_host() {
    let pool = Pool::new(config()).unwrap();
    let host = Arc::new(Recorder::default());
    for asked in [
        "api.fetchRecord()",
        "api.fetchRecord(7)",
        "api.queryRecords('')",
        "api.queryRecords('a', null)",
        "api.createRecord('a')",
        "api.createRecord('a', 'text')",
        "api.updateRecord('a')",
        "api.deleteRecord({})",
        "api.notify('hello')",
        "api.queryRecords('a', { limit: 1n })",
        "api.http.get('https://a.test', null)",
        "api.crypto.sha256(7)",
        "api.crypto.sha256('a', 'rot13')",
        "api.base64.decode('?')",
        "api.base64.decode('/w==')",
        "setTimeout(7)",
    ] {
        let code = format!("async function run() {{ await {asked} }}");
        let finished = pool.run(call(&code), host.clone()).await.unwrap();
        assert_eq!(failure(&finished).0, "TypeError", "{asked}: {finished:?}");
    }
    // What only the types of the host forbid is its own error.
    let finished = pool
        .run(call("async function run() { await api.queryRecords('a', { limit: -1 }) }"), host.clone())
        .await
        .unwrap();
    assert_eq!(failure(&finished).0, "Error");
    assert_eq!(*host.calls.lock().unwrap(), []);
}

#[tokio::test]
async fn what_a_function_may_return() {
    let pool = Pool::new(config()).unwrap();
    for (code, expected) in [
        ("async function run() {}", json!(null)),
        ("function run() { return 1 }", json!(1)),
        ("const run = () => ({ a: undefined, b: [undefined] })", json!({ "b": [null] })),
        ("var run = async () => new Date(0)", json!("1970-01-01T00:00:00.000Z")),
        ("let run = () => ({ then(resolve) { resolve('thenable') } })", json!("thenable")),
        ("run = () => [NaN, 'ü😀', 1e300]", json!([null, "ü😀", 1e300])),
        ("function run() { return () => 1 }", json!(null)),
        ("function run() { return new Date(2026, 0, 1).getTimezoneOffset() }", json!(0)),
        ("function run() { return typeof Math.random() + typeof Date.now() }", json!("numbernumber")),
        ("function run() { return this === undefined || this === globalThis }", json!(true)),
        (
            "const api2 = api; const { log } = api; function run() { log('x'); return api2 === api }",
            json!(true),
        ),
    ] {
        assert_eq!(result(&run(&pool, code).await), expected, "{code}");
    }
    for (code, name) in [
        ("function run() { return 1n }", "TypeError"),
        ("function run() { const a = {}; a.a = a; return a }", "TypeError"),
        ("function run() { return '\\ud800' }", "TypeError"),
        ("function run() { throw new RangeError('no') }", "RangeError"),
        ("async function run() { throw 'text' }", "Thrown"),
        ("function run() { return Promise.reject({ a: 1 }) }", "Thrown"),
        ("const x = 1", "ReferenceError"),
        ("const run = 7", "ReferenceError"),
        ("async function run() {", "SyntaxError"),
        ("import x from 'y'; function run() {}", "SyntaxError"),
        ("function run() {}\0", "SyntaxError"),
        ("throw new Error('at the top'); function run() {}", "Error"),
        ("async function run() { await import('fs') }", "ReferenceError"),
    ] {
        let finished = run(&pool, code).await;
        assert_eq!(failure(&finished).0, name, "{code}: {finished:?}");
    }
}

#[tokio::test]
async fn an_error_names_its_line() {
    let pool = Pool::new(config()).unwrap();
    let finished = run(&pool, "async function run() {\n  const a = null;\n  return a.b;\n}").await;
    let Verdict::Failed { name, line, stack, .. } = &finished.verdict else { panic!("{finished:?}") };
    assert_eq!((name.as_str(), *line), ("TypeError", Some(3)));
    assert!(stack.contains("at run (function.js:3:"), "{stack}");
}

#[tokio::test]
async fn parameters_are_given_and_frozen() {
    let pool = Pool::new(config()).unwrap();
    let code = "'use strict'; function run() {
        const refused = [];
        for (const change of [
            () => { executionParams.a.b.push(1) },
            () => { executionParams.c = 1 },
            () => { triggerParams.nested.list[0] = 7 },
            () => { executionParams = 1 },
            () => { api.log = 1 },
            () => { api.http.get = 1 },
        ]) { try { change(); refused.push(false) } catch (e) { refused.push(e instanceof TypeError) } }
        return [executionParams, triggerParams.nested.list, refused];
    }";
    let params = json!({ "a": { "b": [{}] }, "__proto__": { "polluted": true } });
    let finished = pool.run(call_with(code, &params), Arc::new(Recorder::default())).await.unwrap();
    assert_eq!(result(&finished), json!([params, [1, 2], [true, true, true, true, true, true]]));
}

#[tokio::test]
async fn hashes_and_base64_are_those_of_the_standards() {
    let pool = Pool::new(config()).unwrap();
    let code = "function run() {
        const bytes = new Uint8Array([0, 255, 128]);
        return [
            api.crypto.sha256(''),
            api.crypto.sha256('abc', 'base64'),
            api.crypto.sha256(new Uint8Array([97, 98, 99])) === api.crypto.sha256('abc'),
            api.crypto.sha256(new Uint8Array([97, 98, 99]).buffer) === api.crypto.sha256('abc'),
            api.crypto.sha256(new Uint8Array([0, 97, 98, 99, 0]).subarray(1, 4)) === api.crypto.sha256('abc'),
            api.crypto.sha256(new Uint8Array(0)) === api.crypto.sha256(''),
            api.crypto.hmacSha256('key', 'The quick brown fox jumps over the lazy dog'),
            api.base64.encode('ü'), api.base64.decode('w7w='), api.base64.decode('w7w'),
            api.base64.encode(bytes), Array.from(api.base64.decodeBytes('AP+A')),
            /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(api.crypto.randomUUID()),
            api.crypto.randomUUID() !== api.crypto.randomUUID(),
        ];
    }";
    let expected = json!([
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=",
        true,
        true,
        true,
        true,
        "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8",
        "w7w=",
        "ü",
        "ü",
        "AP+A",
        [0, 255, 128],
        true,
        true
    ]);
    assert_eq!(result(&run(&pool, code).await), expected);
}

#[tokio::test]
async fn the_log_keeps_order_levels_and_anything() {
    let pool = Pool::new(config()).unwrap();
    let code = "async function run() {
        api.log('a', 1, null, undefined, [1, 'x'], { b: 2 }, 3n, Symbol('s'));
        api.logError(new TypeError('broken'));
        console.log('c');
        console.error('d');
        const cyclic = {}; cyclic.self = cyclic;
        api.log(cyclic);
        api.log({ get x() { throw 1 }, toString() { throw 2 } });
        api.log('\\ud800 lone');
        await api.sleep(20);
        api.log();
    }";
    let finished = run(&pool, code).await;
    assert_eq!(result(&finished), Value::Null);
    let lines: Vec<_> = finished.log.iter().map(|line| (line.level, line.text.as_str())).collect();
    assert_eq!(
        lines,
        [
            (Level::Info, r#"a 1 null undefined [1,"x"] {"b":2} 3 Symbol(s)"#),
            (Level::Error, "TypeError: broken"),
            (Level::Info, "c"),
            (Level::Error, "d"),
            (Level::Info, "[object Object]"),
            (Level::Info, "a value that cannot be shown"),
            (Level::Info, "\u{fffd} lone"),
            (Level::Info, ""),
        ]
    );
    assert!(finished.log[7].at_ms >= 20);
}

#[tokio::test]
async fn timers_fire_in_order_and_can_be_cleared() {
    let pool = Pool::new(config()).unwrap();
    let code = "async function run() {
        const seen = [];
        const cleared = setTimeout(() => seen.push('cleared'), 5);
        clearTimeout(cleared);
        setTimeout((a, b) => seen.push(a + b), 40, 'second', '!');
        setTimeout(() => seen.push('first'), 10);
        await new Promise((resolve) => setTimeout(resolve, 80));
        return seen;
    }";
    assert_eq!(result(&run(&pool, code).await), json!(["first", "second!"]));
}

#[tokio::test]
async fn more_calls_than_fit_at_once_wait_their_turn() {
    let pool = Pool::new(config()).unwrap();
    let code = "async function run() {
        const ids = Array.from({ length: 300 }, (_, i) => `o-${i}`);
        const records = await Promise.all(ids.map((id) => api.fetchRecord(id)));
        return records.every((record, i) => record.id === ids[i]);
    }";
    let finished = run(&pool, code).await;
    assert_eq!(result(&finished), json!(true));
    assert_eq!(finished.usage.host_calls, 300);
}

#[tokio::test]
async fn a_check_names_the_place_and_runs_nothing() {
    let pool = Pool::new(config()).unwrap();
    pool.check(SAMPLE).await.unwrap();
    pool.check("while (true) {}").await.unwrap();
    let error = pool.check("async function run() {\n  return 1 +;\n}").await.unwrap_err();
    let CheckError::Syntax(place) = error else { panic!("{error:?}") };
    assert_eq!((place.line, place.column), (2, 13), "{place}");
    assert!(matches!(pool.check("a\0b").await, Err(CheckError::Syntax(_))));
    let long = " ".repeat(campanile_functions::MAX_CODE_BYTES + 1);
    assert!(matches!(pool.check(&long).await, Err(CheckError::TooLarge { .. })));
    let deep = "[".repeat(400_000);
    assert!(matches!(pool.check(&deep).await, Err(CheckError::Syntax(_) | CheckError::TooCostly)));
    pool.check(SAMPLE).await.unwrap();
}

#[tokio::test]
async fn nothing_passes_from_one_run_to_the_next() {
    let pool = Pool::new(config()).unwrap();
    let leave =
        "globalThis.left = 1; Object.prototype.left = 2; Array.prototype.push = null; JSON.parse = null;
        function run() { api.constructor.left = 3; return 1 }";
    let seek = "function run() {
        return [typeof left, typeof {}.left, typeof [].push, typeof JSON.parse, typeof Object.left];
    }";
    result(&run(&pool, leave).await);
    let finished: Finished = run(&pool, seek).await;
    assert_eq!(result(&finished), json!(["undefined", "undefined", "function", "function", "undefined"]));
}
