//! The exact edges of what a run may use, and what is reported of it.

use std::sync::Arc;
use std::time::Duration;

use campanile_functions::{
    CheckError, Limit, Limits, MAX_CODE_BYTES, MAX_LOG_BYTES, MAX_LOG_LINE_BYTES, MAX_LOG_LINES,
    MAX_PARAMS_BYTES, Pool, Spent, Verdict,
};
use serde_json::json;

use crate::support::{Recorder, call, call_with, config, failure, result, run};

#[tokio::test]
async fn source_and_parameters_are_bounded_before_a_process_sees_them() {
    let pool = Pool::new(config()).unwrap();
    let mut code = "function run() { return 1 }".to_owned();
    code.push_str(&"\n".repeat(MAX_CODE_BYTES - code.len()));
    assert_eq!(result(&run(&pool, &code).await), json!(1));
    code.push('\n');
    assert!(matches!(run(&pool, &code).await.verdict, Verdict::Refused(Limit::Code)));

    let code = "function run() { return executionParams.length }";
    let longest = "x".repeat(MAX_PARAMS_BYTES - 2);
    let host = Arc::new(Recorder::default());
    let finished = pool.run(call_with(code, &json!(longest)), host.clone()).await.unwrap();
    assert_eq!(result(&finished), json!(MAX_PARAMS_BYTES - 2));
    let finished = pool.run(call_with(code, &json!(longest + "x")), host).await.unwrap();
    assert!(matches!(finished.verdict, Verdict::Refused(Limit::Params)));
}

#[tokio::test]
async fn a_call_can_lower_limits_and_not_raise_them() {
    let pool = Pool::new(config()).unwrap();
    let calls =
        "async function run() { for (let i = 0; i < 5; i++) await api.fetchRecord('a'); return 'done' }";
    let with = |host_calls, result_bytes| {
        let mut asked = call(calls);
        asked.limits = Some(Limits { host_calls, result_bytes, ..Limits::default() });
        asked
    };
    let host = Arc::new(Recorder::default());
    for (asked, expected) in
        [(with(5, 6), None), (with(4, 6), Some(Limit::HostCalls)), (with(5, 5), Some(Limit::Result))]
    {
        let finished = pool.run(asked, host.clone()).await.unwrap();
        match (&finished.verdict, expected) {
            (Verdict::Completed(_), None) => {}
            (Verdict::Refused(limit), Some(expected)) => assert_eq!(*limit, expected),
            other => panic!("{other:?}"),
        }
    }
    // The pool's 16 MiB hold, whatever the call wishes.
    let mut asked = call("function run() { return new ArrayBuffer(20e6).byteLength }");
    asked.limits = Some(Limits { memory_bytes: 1 << 30, ..Limits::default() });
    let finished = pool.run(asked, host).await.unwrap();
    assert!(matches!(finished.verdict, Verdict::MemoryExceeded | Verdict::Failed { .. }), "{finished:?}");
}

#[tokio::test]
async fn use_is_reported() {
    let pool = Pool::new(config()).unwrap();
    let code = "async function run() {
        const kept = new Uint8Array(5e6);
        for (let i = 0; i < 1e6; i++) kept[i] = i;
        await api.sleep(200);
        return kept.length;
    }";
    let finished = run(&pool, code).await;
    let usage = finished.usage;
    assert_eq!(result(&finished), json!(5_000_000));
    assert!((2..200).contains(&usage.cpu_ms), "{usage:?}");
    assert!((200..30_000).contains(&usage.wall_ms), "{usage:?}");
    assert!((5_000_000..8_000_000).contains(&usage.memory_peak_bytes), "{usage:?}");
}

#[tokio::test]
async fn memory_that_was_refused_and_done_without_ends_no_run() {
    let pool = Pool::new(config()).unwrap();
    let code = "function run() { try { new ArrayBuffer(1e9) } catch (error) { return 'did without' } }";
    assert_eq!(result(&run(&pool, code).await), json!("did without"));
}

#[tokio::test]
async fn the_log_of_a_run_that_was_killed_is_kept() {
    let pool = Pool::new(config()).unwrap();
    let finished = run(&pool, "function run() { api.log('before'); for (;;) {} }").await;
    assert!(matches!(finished.verdict, Verdict::TimedOut(Spent::Cpu)));
    assert_eq!(finished.log[0].text, "before");
    assert!((200..700).contains(&finished.usage.cpu_ms), "{:?}", finished.usage);
}

#[tokio::test]
async fn the_log_is_bounded_in_lines_in_bytes_and_in_each_line() {
    let pool = Pool::new(config()).unwrap();
    let finished = run(&pool, "function run() { for (let i = 0; i < 1500; i++) api.log(i) }").await;
    assert_eq!(finished.log.len(), MAX_LOG_LINES);
    assert_eq!(finished.log[MAX_LOG_LINES - 2].text, "998");
    assert_eq!(finished.log[MAX_LOG_LINES - 1].text, "truncated");

    let finished =
        run(&pool, "function run() { for (let i = 0; i < 50; i++) api.log('é'.repeat(5000)) }").await;
    let bytes: usize = finished.log.iter().map(|line| line.text.len()).sum();
    assert!(bytes <= MAX_LOG_BYTES && bytes > MAX_LOG_BYTES - 2 * MAX_LOG_LINE_BYTES, "{bytes}");
    assert!(finished.log[0].text.ends_with("é … (cut)") && finished.log[0].text.len() <= MAX_LOG_LINE_BYTES);
    assert_eq!(finished.log.last().unwrap().text, "truncated");

    let finished = run(&pool, "function run() { api.log('x'.repeat(4096)) }").await;
    assert_eq!(finished.log[0].text.len(), MAX_LOG_LINE_BYTES, "what fits is not cut");
}

#[tokio::test]
async fn texts_of_an_error_are_cut() {
    let pool = Pool::new(config()).unwrap();
    let finished = run(&pool, "function run() { throw new Error('ü'.repeat(10000)) }").await;
    let (name, message) = failure(&finished);
    assert_eq!((name, message.len()), ("Error", 4096));
}

#[tokio::test]
async fn calls_that_were_not_awaited_are_finished_before_the_run_is_reported() {
    let pool = Pool::new(config()).unwrap();
    let host = Arc::new(Recorder::default());
    let code = "async function run() { for (let i = 0; i < 20; i++) api.notify({ to: 'ada', i }); return 1 }";
    let finished = pool.run(call(code), host.clone()).await.unwrap();
    assert_eq!(result(&finished), json!(1));
    assert_eq!(host.calls.lock().unwrap().len(), 20);
    let code = "async function run() { api.fetchRecord('never'); return 1 }";
    let mut brief = call(code);
    brief.limits = Some(Limits { wall: Duration::from_secs(1), ..Limits::default() });
    let finished = pool.run(brief, host).await.unwrap();
    assert_eq!(result(&finished), json!(1));
    assert!(Duration::from_millis(finished.usage.wall_ms) >= Duration::from_secs(1), "{:?}", finished.usage);
}

#[tokio::test]
async fn a_source_that_takes_long_to_parse_is_refused_and_the_next_is_checked() {
    let pool = Pool::new(config()).unwrap();
    // Each name is looked for among all of them.
    let names: String = (0..24_000).map(|n| format!("let v{n}=()=>v{n};")).collect();
    let costly = pool.check(&format!("function run() {{{names}}}")).await;
    assert!(matches!(costly, Err(CheckError::TooCostly)), "{costly:?}");
    pool.check("function run() {}").await.unwrap();
}
