//! A worker that somebody took over: it says what it likes, and the server believes none of it.

use std::sync::Arc;

use campanile_functions::{
    MAX_CALLS_IN_FLIGHT, MAX_LOG_LINE_BYTES, MAX_LOG_LINES, Pool, PoolConfig, Verdict,
};
use serde_json::{Value, json};

use crate::support::{Recorder, call, config};

/// One frame.
fn frame(said: &Value) -> Vec<u8> {
    let text = said.to_string();
    let mut bytes = u32::try_from(text.len()).unwrap().to_le_bytes().to_vec();
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

/// How a run ends whose worker says this.
async fn said(frames: &[u8]) -> Verdict {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("frames");
    std::fs::write(&file, frames).unwrap();
    let args = vec!["rogue".to_owned(), file.to_str().unwrap().to_owned()];
    let pool = Pool::new(PoolConfig { args, ..config() }).unwrap();
    let finished = pool.run(call("function run() {}"), Arc::new(Recorder::default())).await.unwrap();
    finished.verdict
}

fn done(outcome: &Value) -> Vec<u8> {
    frame(&json!({ "Done": { "outcome": outcome, "cpu_us": u64::MAX, "memory_peak_bytes": u64::MAX } }))
}

fn asked(call: u32, id: &str) -> Vec<u8> {
    frame(&json!({ "Call": { "call": call, "kind": "Host", "arguments": { "fetchRecord": { "id": id } } } }))
}

fn line(text: &str) -> Vec<u8> {
    frame(&json!({ "Log": { "at_ms": 0, "level": "info", "text": text } }))
}

#[tokio::test]
async fn what_a_worker_may_say_is_heard() {
    assert!(matches!(said(&done(&json!({ "Completed": [1] }))).await, Verdict::Completed(_)));
    let odd =
        done(&json!({ "Failed": { "name": "x".repeat(9000), "message": "", "line": null, "stack": "" } }));
    let verdict = said(&odd).await;
    assert!(matches!(&verdict, Verdict::Failed { name, .. } if name.len() == 4096), "{verdict:?}");
    // Deeper than anybody reads, written by hand because nobody writes it either.
    let deep = done(&json!({ "Completed": "here" }));
    let text = String::from_utf8(deep[4..].to_vec()).unwrap();
    let text = text.replace(r#""here""#, &format!("{}{}", "[".repeat(50_000), "]".repeat(50_000)));
    let mut frame = u32::try_from(text.len()).unwrap().to_le_bytes().to_vec();
    frame.extend_from_slice(text.as_bytes());
    let verdict = said(&frame).await;
    assert!(matches!(&verdict, Verdict::Failed { name, .. } if name == "TypeError"), "{verdict:?}");
}

#[tokio::test]
async fn what_no_worker_says_ends_it() {
    let repeated = |count: usize, frame: Vec<u8>| frame.repeat(count);
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("nothing, and ends", Vec::new()),
        ("a length of 4 GiB", vec![0xff; 4]),
        ("no JSON", b"\x02\0\0\0{]".to_vec()),
        ("no frame", frame(&json!({ "Dance": 1 }))),
        ("a second greeting", frame(&json!("Ready"))),
        ("the outcome of a check", done(&json!("Parsed"))),
        ("a result above the limit", done(&json!({ "Completed": "x".repeat(256 << 10) }))),
        ("a line above the limit", line(&"x".repeat(MAX_LOG_LINE_BYTES + 1))),
        ("a log above the limit", repeated(17, line(&"x".repeat(MAX_LOG_LINE_BYTES)))),
        ("too many lines", repeated(MAX_LOG_LINES + 1, line(""))),
        ("too many calls at once", repeated(MAX_CALLS_IN_FLIGHT + 1, asked(0, "never"))),
        (
            "a sleep of no time",
            frame(&json!({ "Call": { "call": 0, "kind": "Sleep", "arguments": "long" } })),
        ),
    ];
    for (what, frames) in cases {
        let verdict = said(&frames).await;
        assert!(matches!(verdict, Verdict::Crashed), "{what}: {verdict:?}");
    }
}
