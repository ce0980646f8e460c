//! `[functions]`: JavaScript of the workspaces.

use std::time::Duration;

use campanile_functions::{AllowList, Limits};
use serde::{Deserialize, Serialize};

use super::range::{within, within_time};
use super::{ConfigError, duration};

/// What functions may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Functions {
    /// Processes that run functions, 0 to 1,024: so many run at once. 0: one more than there are cores. One
    /// workspace has all but the last of several, which is for another that runs nothing. Default: 0.
    pub workers: usize,
    /// MiB of the JavaScript heap of one run, 2 to 1,024. Default: 64.
    pub memory_mib: usize,
    /// Processor time of one run, 1 ms to 1 h. Default: 10 s.
    #[serde(with = "duration::text")]
    pub cpu: Duration,
    /// Time from the start of one run to its end, 1 ms to 1 h. Default: 5 min (the workspace documents).
    #[serde(with = "duration::text")]
    pub wall: Duration,
    /// Hosts that functions may reach by HTTPS: `api.example.com`, `api.example.com:8443`, `*.example.com`, or
    /// with `http://` before it in the clear. Default: none.
    pub http_allow: Vec<String>,
}

impl Default for Functions {
    fn default() -> Self {
        Self {
            workers: 0,
            memory_mib: 64,
            cpu: Duration::from_secs(10),
            wall: Duration::from_secs(300),
            http_allow: Vec::new(),
        }
    }
}

impl Functions {
    /// What each run may use.
    pub fn limits(&self) -> Limits {
        Limits { memory_bytes: self.memory_mib << 20, cpu: self.cpu, wall: self.wall, ..Limits::default() }
    }

    /// Whom functions may reach.
    ///
    /// # Errors
    /// For an entry that names no host.
    pub fn allow_list(&self) -> Result<AllowList, ConfigError> {
        AllowList::parse(&self.http_allow)
            .map_err(|error| ConfigError::invalid("functions.http_allow", None, error.to_string()))
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within("functions.workers", self.workers, 0..=1_024)?;
        within("functions.memory_mib", self.memory_mib, 2..=1_024)?;
        within_time("functions.cpu", Some(self.cpu), "1ms", "1h")?;
        within_time("functions.wall", Some(self.wall), "1ms", "1h")?;
        self.allow_list().map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_the_sandboxes() {
        assert_eq!(Functions::default().limits(), Limits::default());
    }

    #[test]
    fn hosts_are_checked() {
        let with = |host: &str| Functions { http_allow: vec![host.to_owned()], ..Functions::default() };
        assert!(with("*.example.com").check().is_ok());
        assert!(with("https://example.com/path").check().is_err());
    }
}
