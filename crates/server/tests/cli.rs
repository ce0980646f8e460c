//! The commands, as scripts use them.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command};

use serde_json::Value;

use crate::program::{Program, Ran};

fn token(program: &Program, more: &[&str]) -> String {
    let ran = program.run(["token", "--user", "alice"].iter().chain(more));
    ran.succeeded();
    ran.stdout.trim().to_owned()
}

fn verdicts(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).expect("one line of JSON")
}

#[test]
fn help_is_help() {
    let ran = Program::new().run(["--help"]);
    ran.succeeded();
    for word in ["serve", "token", "send", "listen", "check", "backup", "Exit status"] {
        assert!(ran.stdout.contains(word), "{word}");
    }
    assert_eq!(Program::new().run(["serve", "--bogus"]).status, Some(2));
    assert_eq!(Program::new().run(["token", "--user", "alice"]).status, Some(2), "a workspace is missing");
}

#[test]
fn a_token_is_accepted_by_what_it_names() {
    let program = Program::new().with_local_key();
    let token = token(&program, &["--workspace", "acme", "--workspace", "default", "--scope", "a b"]);
    let ran = program.run_with(&token, ["token", "verify", "--json"]);
    ran.succeeded();
    let said = verdicts(&ran);
    assert_eq!(said["user"], "alice");
    assert_eq!(said["workspaces"], serde_json::json!(["acme", "default"]));
    assert_eq!(said["scope"], serde_json::json!(["a", "b"]));
    assert!(said["surfaces"].as_array().expect("a list").iter().all(|s| s["accepted"] == true), "{said}");
}

#[test]
fn a_product_token_opens_the_product_surface_only() {
    let program = Program::new().with_local_key();
    let token = token(&program, &["--product"]);
    let ran = program.run_with(&token, ["token", "verify", "--json"]);
    ran.succeeded();
    let said = verdicts(&ran);
    assert_eq!(
        (&said["surfaces"][0]["code"], &said["surfaces"][1]["accepted"]),
        (&4001.into(), &true.into())
    );
    let ran = program.run_with(&token, ["token", "verify", "--workspace", "acme"]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
}

#[test]
fn a_token_lives_no_longer_than_tokens_may() {
    let program = Program::new().with_local_key();
    let long = token(&program, &["--workspace", "acme", "--ttl", "3650d"]);
    let program = program.set("CAMPANILE_TOKENS__LONGEST_LIFE", "90m");
    let ran = program.run(["token", "--user", "alice", "--workspace", "acme", "--ttl", "3650d"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (Some(1), ""));
    assert!(ran.stderr.contains("tokens.longest_life, which is \"90m\""), "{}", ran.stderr);
    let verify = |token: &str| program.run_with(token, ["token", "verify", "--workspace", "acme"]);
    let ran = verify(&long);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(ran.stdout.contains("(lives_too_long)") && ran.stdout.contains("tokens.longest_life"), "{ran:?}");
    for more in [&["--workspace", "acme"][..], &["--workspace", "acme", "--ttl", "90m"]] {
        verify(&token(&program, more)).succeeded();
    }
}

#[test]
fn a_refused_token_is_told_why_and_never_shown() {
    let program = Program::new().with_local_key();
    let good = token(&program, &["--workspace", "acme"]);
    let other = Program::new().with_local_key();
    for (token, cause, workspace_code) in [
        (token(&other, &["--workspace", "acme"]), "bad_signature", 4001),
        ("not-a-token".into(), "malformed", 4001),
        (String::new(), "token_missing", 4001),
        (format!("{good}x"), "", 4001),
    ] {
        let ran = program.run_with(&token, ["token", "verify", "--json"]);
        assert_eq!(ran.status, Some(1), "{ran:?}");
        let said = verdicts(&ran);
        assert_eq!(said["surfaces"][0]["code"], workspace_code);
        assert_eq!(said["surfaces"][1]["code"], 1008);
        if !cause.is_empty() {
            assert_eq!(said["surfaces"][0]["cause"], cause);
        }
        assert!(token.is_empty() || !ran.stdout.contains(&token), "{ran:?}");
    }
    let ran = program.run_with(&good, ["token", "verify", "--workspace", "other"]);
    assert!(ran.status == Some(1) && ran.stdout.contains("slug_not_granted"), "{ran:?}");
}

#[test]
fn a_token_may_come_from_a_file() {
    let program = Program::new().with_local_key();
    program.write("token", &format!("{}\n", token(&program, &["--workspace", "*"])));
    program.run(["token", "verify", "token", "--workspace", "any"]).succeeded();
    program.run(["token", "verify", "none"]).failed("cannot read a token from none", "");
}

#[test]
fn without_a_key_there_is_no_token() {
    let sign = |program: &Program| program.run(["token", "--user", "alice", "--workspace", "acme"]);
    sign(&Program::new()).failed("there is no key at ./campanile-data/secret.key", "campanile serve");

    let loose = Program::new().with_local_key();
    loose.chmod("campanile-data/secret.key", 0o640);
    sign(&loose).failed("is open to others (mode 0640)", "run `chmod 600 ./campanile-data/secret.key`");

    let public = Program::new().set("CAMPANILE_AUTH__KEYS", "[{algorithm='RS256', public_key_file='k.pem'}]");
    sign(&public).failed("none of them can sign", "CAMPANILE_TOKEN");
}

#[test]
fn the_secret_of_the_environment_signs_and_verifies() {
    let secret = "0123456789abcdef0123456789abcdef";
    let program = Program::new().set("CAMPANILE_SECRET", secret);
    let token = token(&program, &["--workspace", "acme"]);
    program.run_with(&token, ["token", "verify"]).succeeded();
    let elsewhere = Program::new().set("CAMPANILE_SECRET", &secret.to_uppercase());
    assert_eq!(elsewhere.run_with(&token, ["token", "verify"]).status, Some(1));
}

#[test]
fn nobody_answers() {
    let program = Program::new().with_local_key();
    let to = ["--workspace", "acme", "--user", "alice", "--url", "http://127.0.0.1:9"];
    let hint = "is `campanile serve` running at http://127.0.0.1:9?";
    let send = ["send", "--title", "t", "--message", "m"];
    program.run(send.iter().chain(&to)).failed("cannot reach http://127.0.0.1:9", hint);
    program.run(["listen"].iter().chain(&to)).failed("cannot reach http://127.0.0.1:9", hint);
    let tls = ["listen", "--workspace", "a", "--user", "b", "--url", "https://127.0.0.1:9"];
    program.run(tls).failed("cannot reach https://127.0.0.1:9", "is `campanile serve` running");
}

/// An address that nobody has (RFC 5737): whoever tried to connect would wait for it.
#[test]
fn no_command_sends_a_token_in_the_clear() {
    let program = Program::new().with_local_key();
    program.write("rows.json", "[]");
    let commands = [
        "send --workspace acme --user alice --title t --message m",
        "listen --workspace acme --user alice",
        "products import rows.json --workspace acme",
        "functions list --workspace acme",
        "functions run f --workspace acme",
        "maintenance list --workspace acme",
        "maintenance withdraw 01890a5d-ac96-774b-bcce-b302099a8057 --workspace acme",
        "service-account list --workspace acme",
        "service-account create bot --workspace acme --scope admin",
        "key rotate",
        "revoke --user mallory",
        "revoke --list",
        "drain --in 10m",
        "drain",
    ];
    for command in commands {
        for url in ["http://192.0.2.1:8700", "ws://192.0.2.1"] {
            let began = std::time::Instant::now();
            let ran = program.run(command.split(' ').chain(["--url", url]));
            let shown = url.replace("ws:", "http:");
            ran.failed(&format!("the token would travel to {shown} in the clear"), "--allow-plaintext");
            // A connection has 10 seconds.
            assert!(began.elapsed().as_secs() < 10, "{command} has tried to connect");
        }
        program.run(command.split(' ').chain(["--url", "http://user@192.0.2.1"])).failed("user name", "");
    }
    // Whoever says so may; nobody listens at this name (RFC 6761).
    let to = ["revoke", "--list", "--url", "http://nobody.invalid:1"];
    let reach = "cannot reach http://nobody.invalid:1";
    program.run(to.iter().chain(&["--allow-plaintext"])).failed(reach, "");
    Program::new()
        .with_local_key()
        .set("CAMPANILE_SERVER__ALLOW_PLAINTEXT", "true")
        .run(to)
        .failed(reach, "");
}

/// The quick start, as a new user types it.
#[test]
fn serve_listen_send() {
    let program = Program::new().set("CAMPANILE_SERVER__LISTEN", "127.0.0.1:0");
    let mut serve = Running(program.start(["serve"]));
    let url = format!("http://{}", serve.address());
    let mut welcome = String::new();
    let mut lines = serve.stderr_lines();
    while !welcome.contains("token=<that token>") {
        welcome.push_str(&lines.next().expect("the welcome has an end"));
    }
    assert!(
        welcome.contains(&format!(
            "send --workspace demo --user alice --title Hello --message 'It works' --url {url}"
        )),
        "{welcome}"
    );

    let to = ["--workspace", "demo", "--user", "alice", "--url", &url];
    let mut listen = Running(program.start(["listen"].iter().chain(&to)));
    let mut news = listen.stderr_lines();
    assert!(news.next().expect("a line").starts_with("connected to "));
    // Connected is not yet accepted: a first notification says that it is.
    let send =
        |title: &str| program.run(["send", "--title", title, "--message", "It works"].iter().chain(&to));
    let sent = send("Hello");
    sent.succeeded();
    let sent: Value = serde_json::from_str(&sent.stdout).expect("one line of JSON");
    let mut arrived = BufReader::new(listen.0.stdout.take().expect("piped")).lines();
    let first: Value = serde_json::from_str(&arrived.next().expect("a line").expect("text")).expect("JSON");
    assert_eq!((&first["id"], &first["title"]), (&sent["id"], &"Hello".into()));

    send(&"x".repeat(300)).failed("answered 422: title has at most 200 characters", "");
    let foreign = Program::new().with_local_key();
    foreign
        .run(["send", "--title", "t", "--message", "m"].iter().chain(&to))
        .failed("answered 401", "campanile token verify");
    let refused = foreign.run(["listen"].iter().chain(&to));
    assert!(
        refused.status == Some(1) && refused.stderr.contains("closed with 4001 \"unauthorized\""),
        "{refused:?}"
    );
}

#[test]
fn a_backup_is_taken_while_the_server_runs() {
    let program = Program::new().set("CAMPANILE_SERVER__LISTEN", "127.0.0.1:0");
    program.run(["backup", "copy.db"]).failed("cannot copy ./campanile-data to copy.db", "--data");
    assert!(!program.path("copy.db").exists(), "nothing is left behind");

    let mut serve = Running(program.start(["serve"]));
    let url = format!("http://{}", serve.address());
    let send = ["send", "--workspace", "demo", "--everyone", "--title", "t", "--message", "m", "--url", &url];
    program.run(send).succeeded();
    program.run(["backup", "copy.db"]).succeeded();
    program.run(["backup", "copy.db"]).failed("exists already", "must be new");

    // The copy is a log: a server starts from it and goes on where it ended.
    std::fs::create_dir(program.path("restored")).expect("a directory in the temporary directory");
    std::fs::rename(program.path("copy.db"), program.path("restored/campanile.db")).expect("the copy");
    let mut restored = Running(program.start(["serve", "--data", "restored"]));
    let url = format!("http://{}", restored.address());
    let send = ["send", "--workspace", "demo", "--everyone", "--title", "t", "--message", "m", "--url", &url];
    let sent = program.run(send.iter().chain(&["--data", "restored"]));
    assert!(sent.stdout.contains("\"seq\":2"), "{sent:?}");
}

/// Whether a line of a process's status (proc(5)) says that it takes SIGHUP, SIGINT and SIGTERM.
fn takes_signals(line: &str) -> bool {
    const HANGUP_INTERRUPT_TERMINATE: u64 = 1 | 1 << 1 | 1 << 14;
    line.strip_prefix("SigCgt:").is_some_and(|mask| {
        let mask = u64::from_str_radix(mask.trim(), 16).expect("a mask in hexadecimal");
        mask & HANGUP_INTERRUPT_TERMINATE == HANGUP_INTERRUPT_TERMINATE
    })
}

/// Whoever reads that it listens may ask it to end, or to read its certificate again, at that very moment.
#[test]
fn a_server_that_says_that_it_listens_takes_signals() {
    let program = Program::new().set("CAMPANILE_SERVER__LISTEN", "127.0.0.1:0");
    for ending in ["-INT", "-TERM"] {
        let mut serve = Running(program.start(["serve"]));
        serve.address();
        let status = std::fs::read_to_string(format!("/proc/{}/status", serve.0.id())).expect("it runs");
        assert!(status.lines().any(takes_signals), "{status}");
        serve.signal("-HUP");
        serve.signal(ending);
        assert!(serve.0.wait().expect("a child").success(), "{ending}");
    }
}

/// To process 1 of a container a signal that nobody takes is lost, and to any other it is its end: so all are taken before
/// anything else is done.
#[test]
fn a_server_that_is_about_to_start_ends_in_order() {
    let program = Program::new().set("CAMPANILE_SERVER__LISTEN", "127.0.0.1:0");
    for _ in 0..8 {
        let mut serve = Running(program.start(["serve"]));
        let status = format!("/proc/{}/status", serve.0.id());
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while !std::fs::read_to_string(&status).expect("it runs").lines().any(takes_signals) {
            assert!(std::time::Instant::now() < deadline, "it takes no signals");
            std::thread::yield_now();
        }
        serve.terminate();
    }
}

#[test]
fn the_store_is_checked_on_demand() {
    let program = Program::new().set("CAMPANILE_SERVER__LISTEN", "127.0.0.1:0");
    let check = |more: &[&str]| program.run(["check", "--store"].iter().chain(more));
    check(&[]).failed("cannot check ./campanile-data", "--data");
    assert!(!program.path("campanile-data").exists(), "nothing is made");

    let mut serve = Running(program.start(["serve"]));
    let url = format!("http://{}", serve.address());
    for message in ["first", "the-second-body", "third"] {
        let to = ["send", "--workspace", "demo", "--user", "alice", "--title", "t", "--url", &url];
        program.run(to.iter().chain(&["--message", message])).succeeded();
    }
    let ran = check(&["--json"]);
    ran.succeeded();
    let sound =
        serde_json::json!({"data": "./campanile-data", "workspaces": 1, "entries": 3, "problems": []});
    assert_eq!(serde_json::from_str::<Value>(&ran.stdout).expect("one line of JSON"), sound);
    program.run(["backup", "copy.db"]).succeeded();
    check(&["--data", "copy.db"]).succeeded();

    serve.terminate();
    let ran = check(&[]);
    ran.succeeded();
    assert_eq!(ran.stdout, "./campanile-data is sound (workspaces: 1, entries: 3)\n");

    let file = program.path("copy.db");
    let mut bytes = std::fs::read(&file).expect("the database");
    let body = b"the-second-body";
    let at =
        bytes.windows(body.len()).position(|window| window == body).expect("the body is in the database");
    bytes[at] ^= 1;
    std::fs::create_dir(program.path("damaged")).expect("a directory in the temporary directory");
    std::fs::write(program.path("damaged/campanile.db"), &bytes).expect("the database");
    let ran = check(&["--data", "damaged"]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(ran.stdout.starts_with("damaged has problems (workspaces: 1, entries: 3)\n  "), "{ran:?}");
    assert!(!ran.stdout.contains("second-body") && ran.stderr.is_empty(), "{ran:?}");
    let ran = check(&["--data", "damaged", "--json"]);
    let said: Value = serde_json::from_str(&ran.stdout).expect("one line of JSON");
    assert!(said["problems"][0].as_str().is_some_and(|problem| problem.contains("entry 2")), "{said}");
    assert_eq!(ran.status, Some(1), "{ran:?}");
    let after = std::fs::read(program.path("damaged/campanile.db")).expect("the database");
    assert!(after == bytes, "it is only read");
}

/// A child that does not outlive its test.
struct Running(Child);

impl Running {
    /// The address in the log line that says so.
    fn address(&mut self) -> String {
        let stderr = self.0.stderr.as_mut().expect("standard error is piped");
        let mut line = Vec::new();
        loop {
            let mut byte = [0];
            stderr.read_exact(&mut byte).expect("the server says where it listens before it ends");
            if byte[0] != b'\n' {
                line.push(byte[0]);
                continue;
            }
            let said: Value = serde_json::from_slice(&line).expect("log lines are JSON where nobody looks");
            if said["message"] == "listening" {
                return said["address"].as_str().expect("an address").to_owned();
            }
            line.clear();
        }
    }

    fn signal(&self, signal: &str) {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().expect("kill runs").success());
    }

    /// Asks it to end, and waits until it has.
    fn terminate(&mut self) {
        self.signal("-TERM");
        assert!(self.0.wait().expect("a child").success());
    }

    fn stderr_lines(&mut self) -> impl Iterator<Item = String> + use<> {
        let stderr = self.0.stderr.take().expect("standard error is piped");
        BufReader::new(stderr).lines().map(|line| line.expect("text"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Gone already, if these fail.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
