//! How a command ends when it does not do what it was asked.

use std::error::Error;
use std::process::ExitCode;

use crate::config::ConfigError;

/// Why a command failed, for a person: one sentence what, one what to do.
#[derive(Debug)]
pub enum Failure {
    /// Something was refused or did not work. Exit status 1.
    Failed {
        /// What happened, with its causes.
        what: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// The answer is no, and was printed. Exit status 1.
    Refused,
    /// Whoever read standard output has gone. Exit status 0: it was they who stopped.
    ReaderGone,
}

impl Failure {
    /// A failure that speaks for itself.
    pub fn new(what: impl Into<String>) -> Self {
        Self::Failed { what: what.into(), hint: None }
    }

    /// A failure with something to do about it.
    pub fn with_hint(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Failed { what: what.into(), hint: Some(hint.into()) }
    }

    /// The same failure, with what is to be known of what was done before it.
    #[must_use]
    pub fn after(self, done: &str) -> Self {
        match self {
            Self::Failed { what, .. } => Self::with_hint(what, done),
            other => other,
        }
    }

    /// `what` failed because of `cause` and its causes.
    pub fn caused(what: impl Into<String>, cause: &dyn Error) -> Self {
        Self::new(format!("{}: {}", what.into(), chain(cause)))
    }

    /// Tells standard error, and what the process ends with.
    pub fn report(self) -> ExitCode {
        match self {
            Self::Failed { what, hint } => {
                eprintln!("error: {what}");
                if let Some(hint) = hint {
                    eprintln!("  hint: {hint}");
                }
                ExitCode::FAILURE
            }
            Self::Refused => ExitCode::FAILURE,
            Self::ReaderGone => ExitCode::SUCCESS,
        }
    }
}

/// An error with its causes on one line.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Failed { what: chain(&error), hint: error.hint() }
    }
}
