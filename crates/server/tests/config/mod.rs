//! Every way a configuration is refused, as an operator meets it: through `campanile check`.

mod reference;

use std::path::PathBuf;

use crate::program::{Program, Ran};

/// A program in a directory of its own, with `text` as its configuration.
fn check(text: &str) -> Ran {
    let program = Program::new();
    let file = program.write("campanile.toml", text);
    program.run(["check", "--config", &file.to_string_lossy()])
}

fn check_with(variable: &str, value: &str) -> Ran {
    Program::new().set(variable, value).run(["check"])
}

#[test]
fn what_check_prints_is_a_configuration() {
    let program = Program::new();
    let first = program.run(["check"]);
    first.succeeded();
    let file = program.write("again.toml", &first.stdout);
    let second = program.run(["check", "--config", &file.to_string_lossy()]);
    second.succeeded();
    assert_eq!(first.stdout, second.stdout);
}

#[test]
fn the_printed_defaults_change_nothing() {
    let program = Program::new();
    let defaults = program.run(["check", "--defaults"]);
    let file = program.write("defaults.toml", &defaults.stdout);
    let effective = program.run(["check", "--config", &file.to_string_lossy()]);
    assert_eq!(effective.stdout, program.run(["check"]).stdout);
}

#[test]
fn effective_values_are_printed_without_secrets() {
    let secret = "a-secret-that-nobody-should-ever-see";
    let text = format!("[[auth.keys]]\nalgorithm = \"HS256\"\nsecret = \"{secret}\"\n");
    let program =
        Program::new().set("CAMPANILE_CONNECTION__KEEPALIVE", "off").set("CAMPANILE_SECRET", secret);
    let file = program.write("campanile.toml", &text);
    for format in [&["check"][..], &["check", "--json"]] {
        let file = file.to_string_lossy();
        let ran = program.run(format.iter().copied().chain(["--config", &file]));
        ran.succeeded();
        assert!(!ran.stdout.contains(secret), "{}", ran.stdout);
        assert!(ran.stdout.contains("(hidden)") && ran.stdout.contains("off"), "{}", ran.stdout);
    }
}

#[test]
fn an_unknown_option_is_refused_with_the_nearest() {
    check("[connection]\nkeepalife = \"5s\"\n")
        .failed("there is no option connection.keepalife", "did you mean connection.keepalive?");
    check("[conection]\nkeepalive = \"5s\"\n")
        .failed("there is no option conection", "did you mean connection?");
    check("[server]\nkeepalive = \"5s\"\n")
        .failed("there is no option server.keepalive", "did you mean connection.keepalive?");
    check("[workspaces]\nauto_creat = true\n")
        .failed("there is no option workspaces.auto_creat", "did you mean workspaces.auto_create?");
    check("[workspaces.acme]\nmood = \"inbox\"\n")
        .failed("there is no option workspaces.acme.mood", "did you mean workspaces.acme.mode?");
    check("[server]\ncolour = \"red\"\n").failed("there is no option server.colour", "known here: allow");
    check("[[auth.keys]]\nalgorithm = \"HS256\"\nsecretfile = \"k\"\n")
        .failed("auth.keys[0].secretfile", "did you mean auth.keys[0].secret_file?");
}

#[test]
fn an_unknown_variable_is_refused_with_the_nearest() {
    check_with("CAMPANILE_SERVER__LISTEM", "x")
        .failed("there is no option server.listem", "did you mean CAMPANILE_SERVER__LISTEN?");
    check_with("CAMPANILE_SECRET_FILE", "x")
        .failed("there is no variable CAMPANILE_SECRET_FILE", "did you mean CAMPANILE_SECRET?");
    check_with("CAMPANILE_PORT", "tcp://10.0.0.1:8700").succeeded();
}

#[test]
fn a_value_that_cannot_be_is_refused_with_what_can() {
    let cases = [
        (
            "[connection]\nkeepalive = \"5x\"\n",
            "connection.keepalive = \"5x\": must be a whole number and a unit",
        ),
        (
            "[connection]\nkeepalive = 25\n",
            "connection.keepalive: must be text in quotes, not a whole number",
        ),
        ("[connection]\nkeepalive = \"2h\"\n", "connection.keepalive = \"2h\": must be \"1s\" to \"1h\""),
        (
            "[connection]\nstall_timeout = \"off\"\n",
            "connection.stall_timeout = \"off\": must be a whole number",
        ),
        ("[connection]\noutbox_bytes = 10\n", "connection.outbox_bytes = 10: must be 131072 to 67108864"),
        ("[connection]\nmax_message_bytes = -1\n", "connection.max_message_bytes = -1"),
        ("[auth]\nleeway = \"6s\"\n", "auth.leeway = \"6s\": must be \"0s\" to \"5s\""),
        ("[auth]\nleeway = \"500ms\"\n", "must be whole seconds"),
        ("[auth.claims]\nuser = []\n", "auth.claims.user: must not be empty"),
        ("[surfaces.workspace]\nmax_per_user = 0\n", "must be 1 to 1024"),
        ("[surfaces.product]\nworkspace = \"No\"\n", "a workspace slug is 1 to 63 of"),
        ("[workspaces]\nretention = \"36h\"\n", "must be whole days"),
        ("[workspaces.Acme]\nmode = \"inbox\"\n", "a workspace slug is 1 to 63 of"),
        ("[workspaces.acme]\nmode = \"durable\"\n", "workspaces.acme.mode = \"durable\": unknown variant"),
        ("[store]\nreaders = 0\n", "store.readers = 0: must be 1 to 64"),
        ("[log]\nlevel = \"inof\"\n", "log.level = \"inof\": must be off, error"),
        ("[server]\nlisten = \"localhost\"\n", "must be an IP address and a port"),
        ("[server\n", "campanile.toml, line 1: "),
    ];
    for (text, what) in cases {
        check(text).failed(what, "`campanile check --defaults` shows every option with its range");
    }
}

#[test]
fn an_error_names_its_source() {
    let ran = check("[store]\nreaders = 0\n");
    assert!(ran.stderr.contains("campanile.toml: store.readers"), "{}", ran.stderr);
    check_with("CAMPANILE_STORE__READERS", "0").failed("CAMPANILE_STORE__READERS: store.readers = 0", "");
    check_with("CAMPANILE_STORE__READERS", "many").failed("must be a whole number", "");
}

#[test]
fn a_broken_file_is_not_shown() {
    let ran = check("[[auth.keys]]\nsecret = \"hunter2hunter2hunter2hunter2hunter2\n");
    ran.failed("campanile.toml, line 2: ", "");
    assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
}

#[test]
fn a_file_that_is_not_there() {
    Program::new().run(["check", "--config", "none.toml"]).failed("cannot read none.toml: ", "");
}

#[test]
fn a_short_secret_stops_the_start() {
    let short = Program::new().set("CAMPANILE_SECRET", "short");
    let what = "the secret of CAMPANILE_SECRET has 5 bytes, at least 32 are needed";
    short.run(["check"]).failed(what, "`openssl rand -hex 32`");
    short.run(["serve", "--listen", "127.0.0.1:0"]).failed(what, "`openssl rand -hex 32`");
    check("[[auth.keys]]\nalgorithm = \"HS512\"\nsecret = \"short\"\n")
        .failed("the secret of auth.keys[0] has 5 bytes", "");
}

#[test]
fn a_key_has_one_source() {
    let long = "a".repeat(32);
    check(&format!("[[auth.keys]]\nalgorithm = \"HS256\"\nsecret = \"{long}\"\nsecret_file = \"k\"\n")).failed(
        "auth.keys[0] (HS256) needs exactly one of secret and secret_file, and has secret and secret_file",
        "",
    );
    check("[[auth.keys]]\nalgorithm = \"HS256\"\n").failed("and has none", "");
    check(&format!("[[auth.keys]]\nalgorithm = \"RS256\"\nsecret = \"{long}\"\n"))
        .failed("auth.keys[0] (RS256) needs public_key_file, and has secret", "");
    check("[[auth.keys]]\nalgorithm = \"none\"\n").failed("auth.keys[0].algorithm: unknown variant", "");
}

#[test]
fn key_files_are_read_and_checked() {
    let program = Program::new();
    let write_key = |text: &str, mode: u32| -> PathBuf {
        let file = program.write("key", text);
        program.chmod("key", mode);
        program.write(
            "campanile.toml",
            &format!("[[auth.keys]]\nalgorithm = \"HS256\"\nsecret_file = {:?}\n", file.to_string_lossy()),
        )
    };
    let check = |config: PathBuf| program.run(["check", "--config", &config.to_string_lossy()]);

    check(write_key(&format!("{}\n", "k".repeat(32)), 0o600)).succeeded();
    check(write_key(&format!("{}\n", "k".repeat(31)), 0o600)).failed("has 31 bytes", "");
    check(write_key("-----BEGIN PUBLIC KEY-----\nMFkw\n", 0o600))
        .failed("the secret of auth.keys[0] is the text of a PEM key", "public_key_file");
    check(write_key(&"k".repeat(32), 0o444)).succeeded(); // as a container platform mounts it
    check(write_key(&"k".repeat(32), 0o620)).failed("is open to others (mode 0620)", "run `chmod 600 ");
    let config = write_key("", 0o600);
    program.remove("key");
    check(config).failed("cannot read ", "");
}

#[test]
fn others_do_not_reach_a_server_without_tls() {
    for listen in ["0.0.0.0:0", "[::]:0", "[::ffff:0.0.0.0]:0", "192.0.2.1:80"] {
        let what = format!("server.listen = {listen} is reached from other machines");
        check(&format!("[server]\nlisten = \"{listen}\"\n")).failed(&what, "server.allow_plaintext = true");
        let program = Program::new();
        program.run(["serve", "--listen", listen]).failed(&what, "server.allow_plaintext = true");
        assert!(!program.path("campanile-data").exists(), "nothing was made");
        check(&format!("[server]\nlisten = \"{listen}\"\nallow_plaintext = true\n")).succeeded();
    }
    for listen in ["127.0.0.1:0", "127.9.9.9:0", "[::1]:0", "[::ffff:127.0.0.1]:0"] {
        check(&format!("[server]\nlisten = \"{listen}\"\n")).succeeded();
    }
    // What does not listen does not care.
    let program = Program::new().with_local_key().set("CAMPANILE_SERVER__LISTEN", "0.0.0.0:1");
    program.run(["token", "--workspace", "w", "--user", "u"]).succeeded();
}

#[test]
fn an_address_for_the_api_is_judged_like_the_main_one() {
    check("[server.api]\nlisten = \"0.0.0.0:1\"\n")
        .failed("server.api.listen = 0.0.0.0:1 is reached from other machines", "[server.tls]");
    check("[server.api]\nlisten = \"127.0.0.1:1\"\n").succeeded();
    check("[server.api]\nlisten = \"here\"\n").failed("must be an IP address and a port", "");
    check("[server.api]\nclient_ca_file = \"ca.pem\"\n").failed("needs server.api.listen", "");
    check("[server.api]\nlisten = \"127.0.0.1:1\"\nclient_ca_file = \"ca.pem\"\n")
        .failed("needs [server.tls]", "");
}
