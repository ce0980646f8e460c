//! What is asked of a pool, and what it may answer.

use std::io;
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::limits::MAX_CODE_BYTES;
use crate::{Limits, SyntaxError};

/// One run that is asked for.
#[derive(Debug, Clone)]
pub struct Call {
    /// The function's source, a script that defines `run`. At most [`MAX_CODE_BYTES`].
    pub code: Arc<str>,
    /// The global `executionParams`: JSON, at most [`MAX_PARAMS_BYTES`](crate::MAX_PARAMS_BYTES).
    pub execution_params: Box<RawValue>,
    /// The global `triggerParams`, likewise.
    pub trigger_params: Box<RawValue>,
    /// Limits below those of the pool; `None`: those.
    pub limits: Option<Limits>,
}

/// Why nothing was run.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// As many runs wait as may wait, or as many sources to be parsed, of all or of this caller; or the turn of this
    /// one did not come in time.
    #[error("{queue} functions wait already")]
    Busy {
        /// How many may. Of runs: [`PoolConfig::queue`](crate::PoolConfig::queue).
        queue: usize,
    },
    /// The pool was shut down, before the run or during it.
    #[error("functions are shut down")]
    Closed,
    /// No process could be started.
    #[error("no process for functions could be started")]
    Spawn(#[source] io::Error),
    /// The HTTP client could not be made.
    #[error("no HTTP client for functions could be made")]
    Http(#[source] reqwest::Error),
}

/// Why a source is refused.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// It does not parse.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// It is too long.
    #[error("{bytes} bytes of source, above {MAX_CODE_BYTES}")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// Parsing it takes more than it may.
    #[error("the source takes too much time or memory to parse")]
    TooCostly,
    /// It could not be looked at.
    #[error(transparent)]
    Pool(#[from] PoolError),
}

/// What a process is to do.
#[derive(Clone, Copy)]
pub(super) enum Work<'a> {
    Run(&'a Call),
    Check { caller: Option<&'a str>, code: &'a str },
}

impl Work<'_> {
    /// Who has a share of those that wait. Runs are dealt out fairly by whoever asks for them.
    pub(super) fn caller(&self) -> Option<&str> {
        match self {
            Self::Run(_) => None,
            Self::Check { caller, .. } => *caller,
        }
    }
}
