//! `campanile functions`.

use campanile_testkit::{SECRET, TestServer};
use serde_json::{Value, json};

use super::{call, order};
use crate::backend::done;
use crate::program::{Program, Ran};

/// Runs `campanile functions` with a file `file.js` of this source beside it.
async fn functions(server: &TestServer, code: &str, arguments: &[&str]) -> Ran {
    let url = format!("http://{}", server.address);
    let all: Vec<String> = ["functions"]
        .iter()
        .chain(arguments)
        .chain(&["--workspace", "acme", "--url", &url])
        .map(|argument| (*argument).to_owned())
        .collect();
    let code = code.to_owned();
    let ran = tokio::task::spawn_blocking(move || {
        let program = Program::new().set("CAMPANILE_SECRET", SECRET);
        program.write("file.js", &code);
        program.run(all)
    });
    ran.await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_is_put_run_and_looked_at() {
    let server = TestServer::start().await;
    order(&server, "o-1", json!({"total": 5})).await;
    let code = "async function run() {
        api.log('started with', executionParams);
        if (!executionParams.orderId) { api.logError('no order\\nat all\\u001b[2J'); throw new TypeError('which order?'); }
        return (await api.fetchRecord(executionParams.orderId)).data;
    }";
    let triggers =
        ["--on", "order.paid", "--when", "data.total > 5", "--cron", "0 9 * * MON", "--description", "D"];
    let put = functions(&server, code, &[&["put", "total", "file.js"][..], &triggers].concat()).await;
    put.succeeded();
    assert_eq!(put.stdout, "total  on order.paid when data.total > 5  at 0 9 * * MON UTC\n");
    // New code changes nothing else.
    functions(&server, &format!("{code}\n"), &["put", "total", "file.js", "--json"]).await.succeeded();
    let kept = done(call(&server, "GET", "/functions/total", &Value::Null).await);
    assert_eq!(kept["code"], format!("{code}\n"));
    assert_eq!((&kept["on"]["when"], &kept["description"]), (&json!("data.total > 5"), &json!("D")));

    let ran = functions(&server, "", &["run", "total", "--params", r#"{"orderId":"o-1"}"#, "--wait"]).await;
    ran.succeeded();
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{ran:?}");
    assert!(lines[0].contains(" s  info   started with {\"orderId\":\"o-1\"}"), "{ran:?}");
    assert!(lines[1].starts_with("run ") && lines[1].contains(" completed after "), "{ran:?}");
    assert_eq!(lines[2], r#"result: {"total":5}"#);

    let failed = functions(&server, "", &["run", "total", "--wait", "--json"]).await;
    assert_eq!(failed.status, Some(1), "{failed:?}");
    let run: Value = serde_json::from_str(&failed.stdout).unwrap();
    assert_eq!((&run["status"], &run["origin"]), (&json!("failed"), &json!("manual")));
    assert_eq!(run["startedBy"], "campanile-functions");
    for arguments in [&["log", "total", run["id"].as_str().unwrap()][..], &["log", "total"]] {
        let log = functions(&server, "", arguments).await;
        log.succeeded();
        assert!(
            log.stdout.contains(" s  error  no order\n                    at all\\u{1b}[2J\n"),
            "{log:?}"
        );
        assert!(log.stdout.ends_with("TypeError: which order? (line 3)\n"), "{log:?}");
    }
    let json = functions(&server, "", &["log", "total", "--json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&json.stdout).unwrap(), run);

    let begun = functions(&server, "", &["run", "total"]).await;
    begun.succeeded();
    super::ended(&server, "total", 3).await;
    let runs = functions(&server, "", &["runs", "total", "--limit", "2"]).await;
    runs.succeeded();
    assert_eq!(runs.stdout.lines().count(), 2, "{runs:?}");
    assert!(runs.stdout.starts_with(begun.stdout.trim()), "{runs:?}");
    assert!(runs.stdout.lines().all(|line| line.ends_with("manual    failed  TypeError")), "{runs:?}");
    let list = functions(&server, "", &["list"]).await;
    assert_eq!(list.stdout, put.stdout);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_say_what_is_wrong() {
    let server = TestServer::start().await;
    let put =
        functions(&server, "async function run() {\n  return 1 +;\n}", &["put", "bad", "file.js"]).await;
    put.failed("line 2, column 13", "");
    functions(&server, "", &["put", "bad", "absent.js"]).await.failed("absent.js", "");
    functions(&server, "", &["run", "bad"]).await.failed("404", "");
    functions(&server, "", &["log", "bad"]).await.failed("bad has not been run", "");
    for wrong in
        [&["run", "bad", "--params", "[1]"][..], &["put", "bad", "file.js", "--when", "true"], &["runs"]]
    {
        let ran = functions(&server, "", wrong).await;
        assert_eq!(ran.status, Some(2), "{ran:?}");
    }
}
