//! `campanile token verify`: what the server would answer to a token, and why.

use std::io::Read;
use std::path::{Path, PathBuf};

use campanile_auth::{Identity, Refusal, Verifier, Workspaces};
use campanile_model::{Slug, Timestamp};
use campanile_wire::Surface;
use clap::Args;
use serde_json::{Value, json};

use super::setup::Setup;
use super::verdict::Verdict;
use super::{Failure, output};
use crate::clock::Clock;
use crate::config::{Config, ConfigError, Environment};
use crate::key_sources::fetch::Fetcher;
use crate::signing_keys;

/// Bytes read before giving up: no token is as long.
const MAX_INPUT_BYTES: u64 = 1024 * 1024;

/// Say what each surface would answer to a token, and why
///
/// The token itself is never printed. Exit status 0: accepted by a surface (with --workspace: by the one that
/// is asked for it); 1: refused. Whether the workspace exists is not looked at, nor whether the token was revoked. Where
/// the token's issuer publishes its keys at a `jwks_url`, they are fetched; those of service accounts are read from the
/// data directory.
#[derive(Debug, Args)]
pub struct Verify {
    /// File with the token; standard input if absent
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// The workspace that the token is shown for
    #[arg(long, value_name = "SLUG", value_parser = Slug::new)]
    workspace: Option<Slug>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    setup: Setup,
}

impl Verify {
    /// Prints the judgement.
    pub fn run(self, environment: &Environment) -> Result<(), Failure> {
        let config = self.setup.load(environment)?;
        let token = read_token(self.file.as_deref())?;
        let verifier = Verifier::new(config.key_set()?, &config.auth()?);
        let now = Clock::system().now();
        if verifier.keys().issuer(&config.tokens.issuer).is_none() {
            let own = signing_keys::own_issuer(&config.tokens).map_err(ConfigError::from)?;
            verifier.replace(verifier.keys().with(own));
        }
        find_keys(&config, &verifier, &token, now)?;
        let judged = verifier.verify(&token, now);
        let judged = judged.as_deref().map_err(|refusal| *refusal);

        let verdicts = campanile_wire::SURFACES.map(|surface| {
            let workspace = self.workspace_of(surface, &config);
            (surface, Verdict::of(surface, judged, workspace))
        });
        if self.json {
            output::line(&as_json(judged, &verdicts).to_string())?;
        } else {
            as_text(judged, &verdicts, now).iter().try_for_each(|line| output::line(line))?;
        }
        let accepted = verdicts.iter().any(|(surface, verdict)| {
            let counts = self.workspace.is_none() || surface.workspace_parameter.is_some();
            counts && verdict.is_accepted()
        });
        if accepted { Ok(()) } else { Err(Failure::Refused) }
    }

    /// The workspace that `surface` would ask the token for.
    fn workspace_of<'a>(&'a self, surface: &Surface, config: &'a Config) -> Option<&'a Slug> {
        match surface.workspace_parameter {
            Some(_) => self.workspace.as_ref(),
            None => Some(&config.surfaces.product.workspace),
        }
    }
}

/// Finds the keys of the issuer that `token` names: where that is the server itself, in its data directory; where they are
/// published at an address, there, as the server does.
fn find_keys(config: &Config, verifier: &Verifier, token: &str, now: Timestamp) -> Result<(), Failure> {
    let Some(iss) = verifier.lacks_key_of(token) else { return Ok(()) };
    if *iss == *config.tokens.issuer {
        let own = signing_keys::believed(&config.server.data, &config.tokens, now);
        let cannot = "cannot read the keys of service accounts";
        let own = own.map_err(|error| Failure::caused(cannot, error.as_ref()))?;
        verifier.replace(verifier.keys().with(own));
        return Ok(());
    }
    let Some(issuer) = config.auth.issuers.iter().find(|issuer| issuer.issuer == *iss) else { return Ok(()) };
    let Some(url) = &issuer.jwks_url else { return Ok(()) };
    let cannot = |error: &dyn std::error::Error| {
        Failure::caused(format!("cannot fetch the keys of the issuer {}", issuer.name), error)
    };
    let fetcher = Fetcher::new().map_err(|error| cannot(&error))?;
    let fetched = super::runtime()?.block_on(fetcher.fetch(url)).map_err(|error| cannot(&error))?;
    let issuer =
        issuer.read(&config.auth.claims)?.with_jwks(&fetched.text).map_err(|error| cannot(&error))?;
    verifier.replace(verifier.keys().with(issuer));
    Ok(())
}

/// A token from a file or standard input, without the white space around it.
pub fn read_token(file: Option<&Path>) -> Result<String, Failure> {
    let mut text = String::new();
    let read = match file {
        Some(path) => {
            std::fs::File::open(path).and_then(|file| file.take(MAX_INPUT_BYTES).read_to_string(&mut text))
        }
        None => std::io::stdin().take(MAX_INPUT_BYTES).read_to_string(&mut text),
    };
    let name = || file.map_or("standard input".into(), |path| path.display().to_string());
    read.map_err(|error| Failure::caused(format!("cannot read a token from {}", name()), &error))?;
    Ok(text.trim().to_owned())
}

type Judged<'a> = Result<&'a Identity, Refusal>;

fn as_text(judged: Judged<'_>, verdicts: &[(&Surface, Verdict)], now: Timestamp) -> Vec<String> {
    let mut lines: Vec<String> = verdicts
        .iter()
        .map(|(surface, verdict)| match verdict {
            Verdict::Accepted => format!("{:<10} accepted", surface.name),
            Verdict::Refused { close, cause } => {
                format!("{:<10} close {} {:?} ({cause})", surface.name, close.code, close.reason)
            }
        })
        .collect();
    match judged {
        Ok(identity) => {
            let left = (identity.expires_at.as_millis() - now.as_millis()).max(0) / 1000;
            lines.push(format!("{:<10} {}", "user", identity.user));
            if let Some(issuer) = &identity.issuer {
                lines.push(format!("{:<10} {issuer}", "issuer"));
            }
            lines.push(format!("{:<10} {}", "workspaces", named(&identity.workspaces).join(" ")));
            lines.push(format!("{:<10} {}", "scope", identity.scopes.iter().collect::<Vec<_>>().join(" ")));
            lines.push(format!("{:<10} {} (in {left} s)", "expires", identity.expires_at));
        }
        Err(refusal) => lines.push(format!("{:<10} {refusal}", "because")),
    }
    lines
}

fn as_json(judged: Judged<'_>, verdicts: &[(&Surface, Verdict)]) -> Value {
    let surfaces: Vec<Value> = verdicts
        .iter()
        .map(|(surface, verdict)| match verdict {
            Verdict::Accepted => json!({ "surface": surface.name, "accepted": true }),
            Verdict::Refused { close, cause } => json!({
                "surface": surface.name, "accepted": false,
                "code": close.code, "reason": close.reason, "cause": cause,
            }),
        })
        .collect();
    match judged {
        Ok(identity) => json!({
            "surfaces": surfaces,
            "user": identity.user,
            "issuer": identity.issuer,
            "workspaces": named(&identity.workspaces),
            "scope": identity.scopes.iter().collect::<Vec<_>>(),
            "expiresAt": identity.expires_at,
        }),
        Err(refusal) => json!({ "surfaces": surfaces, "because": refusal.to_string() }),
    }
}

fn named(workspaces: &Workspaces) -> Vec<&str> {
    match workspaces {
        Workspaces::Unstated => vec![],
        Workspaces::All { named } => std::iter::once("*").chain(named.iter()).collect(),
        Workspaces::Named(named) => named.iter().collect(),
    }
}
