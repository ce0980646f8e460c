//! `campanile backup`: copies the log while the server runs.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::Failure;
use super::failure::chain;
use super::setup::Setup;
use crate::config::Environment;

/// Copy the log and the receipts to a file while the server runs
///
/// The copy is as of one instant. A server started from it (as campanile.db in a data directory of its own) gives every
/// workspace a new epoch. The local key is not part of it.
#[derive(Debug, Args)]
pub struct Backup {
    /// The file to make
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    setup: Setup,
}

impl Backup {
    /// Copies, and says on standard error how far it is and what came of it.
    pub fn run(self, environment: &Environment) -> Result<(), Failure> {
        let data = self.setup.load(environment)?.server.data;
        let bar = if std::io::stderr().is_terminal() { bar() } else { ProgressBar::hidden() };
        let copied = campanile_store::backup(&data, &self.file, |done, of| {
            bar.set_length(of);
            bar.set_position(done);
        });
        bar.finish_and_clear();
        let bytes = copied.map_err(|error| {
            Failure::with_hint(
                format!("cannot copy {} to {}: {}", data.display(), self.file.display(), chain(&error)),
                "the data directory is that of --data or of the configuration, and the file must be new",
            )
        })?;
        eprintln!("{} holds {bytes} bytes", self.file.display());
        Ok(())
    }
}

const TEMPLATE: &str = "{bar:40} {percent:>3} % of {len} pages, {eta} left";

fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template(TEMPLATE);
    // The template is a constant; a test proves that it is understood.
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_understood() {
        ProgressStyle::with_template(TEMPLATE).unwrap();
    }
}
