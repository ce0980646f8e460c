//! `campanile revoke`: tokens that are taken back.

use campanile_model::UserId;
use clap::Args;
use hyper::Method;

use super::Failure;
use super::errand::{Access, Errand, SAFE, body};
use crate::config::Environment;

/// Who revokes where the token is our own.
const AUTHOR: &str = "campanile-revoke";

/// Take tokens back before they expire
///
/// Prints what the server answered, one line of JSON. They are refused at once, in every workspace, and their live
/// connections are closed within a second.
#[derive(Debug, Args)]
pub struct Revoke {
    #[command(flatten)]
    what: What,
    /// When the token expires, such as 2026-03-01T22:00:00Z [default: the revocation is kept until it is taken back]
    #[arg(long, value_name = "INSTANT", requires = "token_id")]
    expires: Option<String>,
    /// Only tokens of this issuer (`iss`)
    #[arg(long, value_name = "ISSUER", requires = "user")]
    issuer: Option<String>,
    #[command(flatten)]
    access: Access,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct What {
    /// The token with this id (`jti`)
    #[arg(long, value_name = "ID")]
    token_id: Option<String>,
    /// Every token of this user that was issued until now
    #[arg(long, value_name = "USER", value_parser = UserId::new)]
    user: Option<UserId>,
    /// Show what is revoked
    #[arg(long)]
    list: bool,
    /// Take this revocation back, by its id
    #[arg(long, value_name = "ID", value_parser = hex)]
    undo: Option<String>,
}

impl Revoke {
    /// Asks the server, and prints the answer.
    pub fn run(self, environment: &Environment) -> Result<(), Failure> {
        let What { token_id, user, list, undo } = self.what;
        let (method, path, body) = match undo {
            Some(id) => (Method::DELETE, format!("/revocations/{id}"), None),
            None if list => (Method::GET, "/revocations?limit=1000".to_owned(), None),
            None => {
                let members = [
                    ("tokenId", token_id),
                    ("expiresAt", self.expires),
                    ("user", user.map(|user| user.to_string())),
                    ("issuer", self.issuer),
                ];
                (Method::POST, "/revocations".to_owned(), Some(body(members)))
            }
        };
        let errand = Errand { author: AUTHOR, workspace: None, method, path, body, again: SAFE, rest: None };
        self.access.send(environment, errand)
    }
}

/// The id of a revocation goes into a path.
fn hex(text: &str) -> Result<String, &'static str> {
    let is_hex = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hex { Ok(text.to_owned()) } else { Err("must be hexadecimal digits") }
}
