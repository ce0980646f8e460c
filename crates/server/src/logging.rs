//! Log lines on standard error: text for people, JSON for machines.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{ConfigError, Format, Log};

/// What standard error is.
#[derive(Debug, Clone, Copy)]
pub struct Terminal {
    /// Whether a person is looking.
    pub is_terminal: bool,
    /// Whether they would rather have no colours (`NO_COLOR`).
    pub no_color: bool,
}

/// Starts logging for the whole process; a second start changes nothing.
///
/// # Errors
/// [`ConfigError::Invalid`] if `log.level` is not understood.
pub fn start(log: &Log, terminal: Terminal) -> Result<(), ConfigError> {
    let filter = log.level.parse::<EnvFilter>().map_err(|error| ConfigError::Invalid {
        key: "log.level".into(),
        got: None,
        problem: error.to_string(),
        origin: None,
    })?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let as_text = match log.format {
        Format::Auto => terminal.is_terminal,
        Format::Text => true,
        Format::Json => false,
    };
    // Only a logger that is there already refuses, and then lines go to that one.
    let _ = if as_text {
        let colours = terminal.is_terminal && !terminal.no_color;
        lines.with_target(false).with_ansi(colours).finish().try_init()
    } else {
        lines.json().flatten_event(true).with_span_list(false).finish().try_init()
    };
    Ok(())
}
