//! `campanile check`: validates a configuration and prints the effective one, or checks the store.

use std::io::IsTerminal;
use std::path::Path;
use std::time::Duration;

use campanile_store::CheckReport;
use clap::Args;
use indicatif::ProgressBar;

use super::failure::chain;
use super::setup::Setup;
use super::{Failure, output};
use crate::config::{self, Environment, local_key};

/// Validate a configuration and print the effective one, without secrets; or check the store
///
/// The key files that it names are read too; keys at a `jwks_url` are not fetched. With --store, the data directory is checked instead, whether or
/// not a server runs on it: every entry against its checksum, nothing missing, every count. It is only read,
/// which takes longer than copying it. --data may also name a backup. The first 100 problems are named, if
/// there are any; the exit status is then 1.
#[derive(Debug, Args)]
pub struct Check {
    /// Check the log and the receipts in the data directory instead
    #[arg(long)]
    store: bool,
    /// Print JSON in place of TOML or text
    #[arg(long)]
    json: bool,
    /// Print the commented defaults instead: a file to start from
    #[arg(long, conflicts_with_all = ["store", "json", "config", "data"])]
    defaults: bool,
    #[command(flatten)]
    setup: Setup,
}

impl Check {
    /// Prints the configuration or the report, or says why it is refused.
    pub fn run(self, environment: &Environment) -> Result<(), Failure> {
        if self.defaults {
            return output::line(config::DEFAULT_FILE.trim_end());
        }
        let config = self.setup.load(environment)?;
        if self.store {
            return check_store(&config.server.data, self.json);
        }
        // The local key is made by the first start; until then there is none to check.
        let is_due = config.needs_local_key() && !config.server.data.join(local_key::FILE).exists();
        if !is_due {
            config.key_set()?;
        }
        let text = if self.json {
            serde_json::to_string_pretty(&config)
                .map_err(|error| Failure::caused("cannot write JSON", &error))
        } else {
            toml::to_string(&config).map_err(|error| Failure::caused("cannot write TOML", &error))
        };
        output::line(text?.trim_end())
    }
}

fn check_store(data: &Path, json: bool) -> Result<(), Failure> {
    let hidden = !std::io::stderr().is_terminal();
    let spinner = if hidden { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
    spinner.set_message(format!("checking {}", data.display()));
    spinner.enable_steady_tick(Duration::from_millis(100));
    let checked = campanile_store::check_full(data);
    spinner.finish_and_clear();
    let report = checked.map_err(|error| {
        Failure::with_hint(
            format!("cannot check {}: {}", data.display(), chain(&error)),
            "the data directory is that of --data or of the configuration",
        )
    })?;
    output::line(&if json { in_json(data, &report) } else { in_words(data, &report) })?;
    if report.problems.is_empty() { Ok(()) } else { Err(Failure::Refused) }
}

fn in_json(data: &Path, report: &CheckReport) -> String {
    serde_json::json!({
        "data": data.display().to_string(),
        "workspaces": report.workspaces,
        "entries": report.entries,
        "problems": report.problems,
    })
    .to_string()
}

fn in_words(data: &Path, report: &CheckReport) -> String {
    let what = if report.problems.is_empty() { "is sound" } else { "has problems" };
    let (workspaces, entries) = (report.workspaces, report.entries);
    let mut text = format!("{} {what} (workspaces: {workspaces}, entries: {entries})", data.display());
    for problem in &report.problems {
        text.push_str("\n  ");
        text.push_str(problem);
    }
    text
}
