//! docs/configuration.md is made from the default file. `make docs` writes it anew.

use std::fmt::Write;
use std::path::Path;

use campanile_server::config::{DEFAULT_FILE, environment};

const HEAD: &str = "\
# Configuration

<!-- Made from crates/server/config.default.toml by crates/server/tests/config/reference.rs; edit that file
     and run `make docs`. -->

Campanile runs without any. What differs from the defaults comes from, the later winning:

1. a TOML file: `campanile serve --config FILE`, or `CAMPANILE_CONFIG=FILE`;
2. the environment: `CAMPANILE_<SECTION>__<KEY>`, see [below](#environment);
3. the command line: `--listen`, `--data`.

`campanile check` validates them all and prints the result, without secrets; `campanile check --defaults`
prints a commented file to start from. An unknown option or variable stops the start, and the nearest name is
suggested. Durations are a whole number and a unit (`ms`, `s`, `m`, `h`, `d`). Relative paths count from the
working directory.
";

const ENVIRONMENT: &str = "
## Environment

Every option has a variable, named beside it above. Text needs no quotes, and lists are written as in TOML:
`CAMPANILE_AUTH__KEYS='[{algorithm = \"HS256\", secret_file = \"/run/secrets/key\"}]'`. A workspace's slug is
written with underscores for its hyphens: `CAMPANILE_WORKSPACES__MY_WORKSPACE__MODE=realtime`.

These variables stand for no option:

| variable | meaning |
|---|---|
";

const KEYS: &str = "
## Keys and secrets

The first `campanile serve` makes the local key `secret.key` in the data directory: 256 random bits as
hexadecimal text, readable by its owner only (mode 0600, in a directory of mode 0700). It is used only where
neither `CAMPANILE_SECRET` nor `auth.keys` gives a key, and no issuer is configured. The key is the text itself, so
`CAMPANILE_SECRET=\"$(cat campanile-data/secret.key)\"` is the same key elsewhere.

A secret has at least 32 bytes, or the start stops. So it does if others than its owner can read the local key,
or write a file named by `secret_file`; one that everybody can read (as container platforms mount it) is warned of.
`campanile token`, `send` and `listen` sign with `CAMPANILE_SECRET`, else the first secret of `auth.keys`, else
the local key. Keys of issuers only verify.

Files of keys are read again when they change, `jwks_url` is fetched again and again; what is broken or out of reach
leaves the former keys in use ([guides/identity-providers.md](guides/identity-providers.md#how-keys-rotate)).
";

#[test]
fn docs_are_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let made = reference();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == made, "docs/configuration.md is behind; `make docs` writes it anew");
}

fn reference() -> String {
    let mut text = HEAD.to_owned();
    let mut section = String::new();
    for block in blocks(DEFAULT_FILE).skip(1) {
        let comment = prose(&block.comment);
        match block.line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            Some(name) => {
                section = name.to_owned();
                write!(text, "\n## `[{name}]`\n\n{comment}\n")
            }
            None => match block.line.split_once(" = ") {
                Some((key, default)) => {
                    let variable = environment::variable(&format!("{section}.{key}"));
                    write!(text, "\n**`{key}`** = `{default}` (`{variable}`)\\\n{comment}\n")
                }
                None => write!(text, "\n{comment}\n"),
            },
        }
        .expect("writing to a String cannot fail");
    }
    text.push_str(ENVIRONMENT);
    for (name, meaning) in environment::NAMES {
        writeln!(text, "| `{name}` | {meaning} |").expect("writing to a String cannot fail");
    }
    text.push_str("| `NO_COLOR` | anything: no colours in log lines |\n");
    text.push_str(KEYS);
    text
}

/// A comment and the line it belongs to: an option, a section, or none.
struct Block<'a> {
    comment: Vec<&'a str>,
    line: &'a str,
}

fn blocks(file: &str) -> impl Iterator<Item = Block<'_>> {
    let mut comment = Vec::new();
    file.lines().chain([""]).filter_map(move |line| match line.strip_prefix('#') {
        Some(text) => {
            comment.push(text.strip_prefix(' ').unwrap_or(text));
            None
        }
        None if line.is_empty() && comment.is_empty() => None,
        None => Some(Block { comment: std::mem::take(&mut comment), line }),
    })
}

/// A comment as Markdown: what is indented is an example.
fn prose(comment: &[&str]) -> String {
    let mut text = String::new();
    let mut is_example = false;
    for line in comment {
        if line.starts_with("  ") != is_example {
            is_example = !is_example;
            text.push_str(if is_example { "\n```toml\n" } else { "```\n\n" });
        }
        text.push_str(line.strip_prefix("  ").unwrap_or(line));
        text.push('\n');
    }
    if is_example {
        text.push_str("```\n");
    }
    text.trim_end().to_owned()
}
