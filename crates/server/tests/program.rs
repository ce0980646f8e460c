//! The real binary in a directory of its own, with an environment of its own.

use std::ffi::OsStr;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

/// `campanile`, as it is installed: a fresh working directory and none of our variables.
pub struct Program {
    directory: TempDir,
    variables: Vec<(String, String)>,
    binary: PathBuf,
}

/// What a run left behind.
#[derive(Debug)]
pub struct Ran {
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Program {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        Self { directory, variables: vec![], binary: env!("CARGO_BIN_EXE_campanile").into() }
    }

    /// Runs a copy of the binary, which may be replaced, from here on.
    pub fn copied(mut self) -> Self {
        let copy = self.path("campanile");
        std::fs::copy(&self.binary, &copy).expect("a file in the temporary directory");
        self.binary = copy;
        self
    }

    /// Sets a variable for all runs.
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).expect("a file in the temporary directory");
        path
    }

    pub fn remove(&self, name: &str) {
        std::fs::remove_file(self.path(name)).expect("a file in the temporary directory");
    }

    pub fn chmod(&self, name: &str, mode: u32) {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(self.path(name), mode).expect("a file in the temporary directory");
    }

    /// Makes the local key, as the first start does.
    pub fn with_local_key(self) -> Self {
        std::fs::create_dir(self.path("campanile-data")).expect("a directory in the temporary directory");
        campanile_server::config::local_key::create(&self.path("campanile-data")).expect("a local key");
        self
    }

    pub fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Ran {
        self.run_with("", arguments)
    }

    /// Runs to the end with `input` on standard input.
    pub fn run_with<S: AsRef<OsStr>>(&self, input: &str, arguments: impl IntoIterator<Item = S>) -> Ran {
        let mut child = self.start(arguments);
        let mut stdin = child.stdin.take().expect("standard input is piped");
        // A program that does not read its input may be gone already.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        child.wait_with_output().expect("the program was started").into()
    }

    /// Starts it and leaves it running.
    pub fn start<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Child {
        Command::new(&self.binary)
            .args(arguments)
            .current_dir(self.directory.path())
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program can be started")
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            status: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Ran {
    #[track_caller]
    pub fn succeeded(&self) {
        assert_eq!(self.status, Some(0), "{self:?}");
    }

    /// It said what was wrong, and what to do about it, and no more.
    #[track_caller]
    pub fn failed(&self, what: &str, hint: &str) {
        assert_eq!(self.status, Some(1), "{self:?}");
        let lines: Vec<&str> = self.stderr.lines().collect();
        assert!(lines.len() <= 2 && lines[0].starts_with("error: ") && lines[0].contains(what), "{self:?}");
        if !hint.is_empty() {
            assert!(
                lines.get(1).is_some_and(|line| line.starts_with("  hint: ") && line.contains(hint)),
                "{self:?}"
            );
        }
    }
}
