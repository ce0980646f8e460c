//! What the first start on an empty data directory says: how to try it.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;

use super::endpoint::reachable;
use crate::config::{Config, Server};

/// What the commands to paste depend on.
#[derive(Debug, Clone)]
pub struct Welcome {
    program: String,
    /// Options that every command needs to find the same key.
    setup: String,
    needs_secret: bool,
    tls: bool,
}

impl Welcome {
    /// For a server that was started as `program`, with `file` if there is a configuration file.
    pub fn new(program: &str, file: Option<&Path>, config: &Config) -> Self {
        let mut setup = String::new();
        let mut option = |name: &str, path: &Path| {
            // Writing to a String can't fail.
            let _ = write!(setup, " --{name} {}", quoted(&path.to_string_lossy()));
        };
        if let Some(file) = file {
            option("config", file);
        }
        if config.server.data != Server::default().data {
            option("data", &config.server.data);
        }
        Self {
            program: quoted(program),
            setup,
            needs_secret: config.auth.secret.is_some(),
            tls: config.server.tls.is_on(),
        }
    }

    /// The text, for a server that listens on `listen`: commands that work as they stand in another terminal
    /// in the same directory.
    pub fn text(&self, listen: SocketAddr) -> String {
        let Self { program, setup, needs_secret, tls } = self;
        let at = reachable(listen);
        let socket = if *tls { "wss" } else { "ws" };
        let url = match tls {
            // The name is the certificate's, which only the operator knows.
            true => format!(" --url https://localhost:{}", at.port()),
            false if listen == Server::default().listen => String::new(),
            false => format!(" --url http://{at}"),
        };
        let secret = if *needs_secret { " (with the same CAMPANILE_SECRET)" } else { "" };
        format!(
            "\
Campanile is new here. To try it, receive in a second terminal{secret}:

  {program} listen --workspace demo --user alice{setup}{url}

and publish from a third:

  {program} send --workspace demo --user alice --title Hello --message 'It works'{setup}{url}

A token for a client of your own:

  {program} token --workspace demo --user alice{setup}

which connects to {socket}://{at}/?workspaceSlug=demo&token=<that token>
"
        )
    }
}

/// A word that a shell takes as it stands.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(program: &str, file: Option<&str>, data: Option<&str>, listen: &str) -> String {
        let mut config = Config::default();
        if let Some(data) = data {
            config.server.data = data.into();
        }
        Welcome::new(program, file.map(Path::new), &config).text(listen.parse().unwrap())
    }

    #[test]
    fn as_short_as_it_can_be() {
        let text = text("campanile", None, None, "127.0.0.1:8700");
        assert!(text.contains("\n  campanile listen --workspace demo --user alice\n"), "{text}");
        assert!(!text.contains("--url") && !text.contains("--data"), "{text}");
    }

    #[test]
    fn as_long_as_it_must_be() {
        let text = text("target/debug/campanile", Some("c.toml"), Some("/srv/my data"), "0.0.0.0:80");
        assert!(text.contains("  target/debug/campanile send"), "{text}");
        let options = " --config c.toml --data '/srv/my data' --url http://127.0.0.1:80\n";
        assert!(text.contains(options), "{text}");
        assert!(text.contains("ws://127.0.0.1:80/?"), "{text}");
    }

    #[test]
    fn within_tls() {
        let mut config = Config::default();
        config.server.tls.cert_file = "cert.pem".into();
        let text = Welcome::new("campanile", None, &config).text("0.0.0.0:443".parse().unwrap());
        assert!(text.contains(" --url https://localhost:443\n"), "{text}");
        assert!(text.contains("wss://127.0.0.1:443/?") && !text.contains("http://"), "{text}");
    }
}
