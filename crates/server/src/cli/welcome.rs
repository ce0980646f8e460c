//! What the first start on an empty data directory says: how to try it.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::endpoint::reachable;
use crate::config::{Config, Server};

/// What the commands to paste depend on.
#[derive(Debug, Clone)]
pub struct Welcome {
    program: String,
    data: PathBuf,
}

impl Welcome {
    /// For a server that was started as `program`.
    pub fn new(program: &str, config: &Config) -> Self {
        Self { program: program.to_owned(), data: config.server.data.clone() }
    }

    /// The text, for a server that listens on `listen`: three commands that work as they stand in another
    /// terminal in the same directory.
    pub fn text(&self, listen: SocketAddr) -> String {
        let default = Server::default();
        let data = if self.data == default.data { String::new() } else { self.data_flag() };
        let url = if listen == default.listen {
            String::new()
        } else {
            format!(" --url http://{}", reachable(listen))
        };
        let program = quoted(&self.program);
        let at = reachable(listen);
        format!(
            "\
Campanile is new here. To try it, receive in a second terminal:

  {program} listen --workspace demo --user alice{data}{url}

and publish from a third:

  {program} send --workspace demo --user alice --title Hello --message 'It works'{data}{url}

A token for a client of your own:

  {program} token --workspace demo --user alice{data}

which connects to ws://{at}/?workspaceSlug=demo&token=<that token>
"
        )
    }

    fn data_flag(&self) -> String {
        format!(" --data {}", quoted(&self.data.to_string_lossy()))
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

    fn text(program: &str, data: &str, listen: &str) -> String {
        Welcome { program: program.into(), data: data.into() }.text(listen.parse().unwrap())
    }

    #[test]
    fn as_short_as_it_can_be() {
        let text = text("campanile", "./campanile-data", "127.0.0.1:8700");
        assert!(text.contains("\n  campanile listen --workspace demo --user alice\n"), "{text}");
        assert!(!text.contains("--url") && !text.contains("--data"), "{text}");
    }

    #[test]
    fn as_long_as_it_must_be() {
        let text = text("target/debug/campanile", "/srv/my data", "0.0.0.0:80");
        assert!(text.contains("target/debug/campanile send"), "{text}");
        assert!(text.contains(" --data '/srv/my data' --url http://127.0.0.1:80\n"), "{text}");
        assert!(text.contains("ws://127.0.0.1:80/?"), "{text}");
    }
}
