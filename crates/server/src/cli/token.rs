//! `campanile token`: signs a token with the local key.

use std::time::Duration;

use campanile_auth::{Grant, Words, Workspaces};
use campanile_model::{Slug, UserId};
use clap::{Args, Subcommand};

use super::setup::Setup;
use super::verify::Verify;
use super::{Failure, output};
use crate::clock::Clock;
use crate::config::{Config, Environment, duration};

/// How long a token is good where nobody says.
const USUAL: Duration = Duration::from_secs(60 * 60);

/// Print a token, or say what the server would answer to one
///
/// It is signed with CAMPANILE_SECRET, else the first secret of the configuration, else the local key.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Token {
    #[command(subcommand)]
    command: Option<TokenCommand>,
    /// Who the token is for
    #[arg(long, value_name = "USER", required = true, value_parser = UserId::new)]
    user: Option<UserId>,
    /// A workspace it opens; may be given several times; '*' is every existing one
    #[arg(long, value_name = "SLUG", required_unless_present = "product", value_parser = workspace)]
    workspace: Vec<String>,
    /// Name no workspace: the token opens the product surface only
    #[arg(long, conflicts_with = "workspace")]
    product: bool,
    /// How long it is good for
    ///
    /// At most tokens.longest_life, where that is set [default: 1h, or as long as that]
    #[arg(long, value_parser = ttl)]
    ttl: Option<Duration>,
    /// What its bearer may do, such as "notifications:write"
    #[arg(long, value_name = "WORDS", default_value = "", hide_default_value = true)]
    scope: String,
    #[command(flatten)]
    setup: Setup,
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    Verify(Verify),
}

impl Token {
    /// Prints the token, or the judgement.
    pub fn run(self, environment: &Environment) -> Result<(), Failure> {
        let user = match (self.command, self.user) {
            (Some(TokenCommand::Verify(verify)), _) => return verify.run(environment),
            (None, Some(user)) => user,
            // The parser asks for --user where there is no subcommand.
            (None, None) => return Err(Failure::new("a token needs a --user")),
        };
        let config = self.setup.load(environment)?;
        let ttl = life(self.ttl, config.tokens.longest_life).map_err(Failure::new)?;
        let grant = Grant {
            workspaces: if self.product { Workspaces::Unstated } else { granted(&self.workspace) },
            scopes: self.scope.split_ascii_whitespace().collect(),
            ..Grant::new(user, ttl.as_secs())
        };
        output::line(&sign(&config, &grant)?)
    }
}

/// Signs a token with the key found here.
pub fn sign(config: &Config, grant: &Grant) -> Result<String, Failure> {
    let names = config.claim_names();
    campanile_auth::sign(&config.signing_key()?, &names, grant, Clock::system().now())
        .map_err(|error| Failure::caused("cannot sign", &error))
}

fn granted(workspaces: &[String]) -> Workspaces {
    let named: Words = workspaces.iter().map(String::as_str).filter(|slug| *slug != "*").collect();
    if workspaces.iter().any(|slug| slug == "*") {
        Workspaces::All { named }
    } else {
        Workspaces::Named(named)
    }
}

fn workspace(text: &str) -> Result<String, String> {
    match text {
        "*" => Ok(text.to_owned()),
        slug => Slug::new(slug).map(|slug| slug.to_string()).map_err(|error| error.to_string()),
    }
}

/// How long a token is good that is to live as long as `asked`, where none may live longer than `longest`.
fn life(asked: Option<Duration>, longest: Option<Duration>) -> Result<Duration, String> {
    match (asked, longest) {
        (Some(asked), Some(longest)) if asked > longest => Err(format!(
            "the server would refuse a token that lives \"{}\": none may live longer than tokens.longest_life, which is \
             \"{}\"; ask for less, or raise that setting, here and at the server",
            duration::show(asked),
            duration::show(longest),
        )),
        (Some(asked), _) => Ok(asked),
        (None, longest) => Ok(longest.map_or(USUAL, |longest| longest.min(USUAL))),
    }
}

/// One second to ten years: who needs longer has another mistake to look for.
fn ttl(text: &str) -> Result<Duration, String> {
    const LONGEST: Duration = Duration::from_secs(3650 * 24 * 60 * 60);
    let ttl = duration::parse(text)?;
    if ttl.subsec_nanos() != 0 || ttl.is_zero() || ttl > LONGEST {
        return Err("must be \"1s\" to \"3650d\" in whole seconds".into());
    }
    Ok(ttl)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ttl_is_bounded() {
        assert_eq!(ttl("90m").unwrap(), Duration::from_secs(5400));
        for bad in ["0s", "1", "500ms", "4000d", "off", "-1h"] {
            assert!(ttl(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ttl_is_at_most_the_longest_life() {
        let secs = |secs| Some(Duration::from_secs(secs));
        assert_eq!(life(None, None), Ok(USUAL));
        assert_eq!(life(None, secs(60)).ok(), secs(60));
        assert_eq!(life(secs(60), secs(60)).ok(), secs(60));
        assert_eq!(life(secs(1 << 30), None).ok(), secs(1 << 30));
        let refused = life(secs(7_200), secs(3_600)).unwrap_err();
        assert!(refused.contains("tokens.longest_life") && refused.contains("\"1h\""), "{refused}");
    }

    #[test]
    fn a_star_stands_beside_names() {
        let all = granted(&["*".into(), "acme".into()]);
        assert!(all.grants(&Slug::new("other").unwrap()) && all.named_in_full(&Slug::new("acme").unwrap()));
    }
}
