//! The data directory, before anything is opened in it.

use std::io;
use std::path::Path;

use super::{Config, ConfigError, local_key};

/// Makes what the first start needs: the directory (mode 0700), and in it the local key where no other is
/// configured. Says whether the directory was absent or empty.
///
/// # Errors
/// [`ConfigError::Uncreatable`], [`ConfigError::Unreadable`].
pub fn prepare(config: &Config) -> Result<bool, ConfigError> {
    let data = &config.server.data;
    let fresh = is_empty(data)?;
    create(data)?;
    if config.needs_local_key() {
        local_key::create(data)?;
    }
    Ok(fresh)
}

fn is_empty(data: &Path) -> Result<bool, ConfigError> {
    match std::fs::read_dir(data) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(source) => Err(ConfigError::Unreadable { path: data.to_owned(), source }),
    }
}

fn create(data: &Path) -> Result<(), ConfigError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(data).map_err(|source| ConfigError::Uncreatable { path: data.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::super::{Secret, Server};
    use super::*;

    fn config(data: &Path) -> Config {
        Config { server: Server { data: data.to_owned(), ..Server::default() }, ..Config::default() }
    }

    #[test]
    fn fresh_once() {
        let dir = tempfile::tempdir().unwrap();
        let config = config(&dir.path().join("a/b"));
        assert!(prepare(&config).unwrap());
        assert!(!prepare(&config).unwrap());
        assert!(config.server.data.join(local_key::FILE).exists());
    }

    #[test]
    fn no_local_key_where_another_is_given() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = config(&dir.path().join("data"));
        config.auth.secret = Some(Secret::new("s".repeat(32)));
        assert!(prepare(&config).unwrap());
        assert!(!config.server.data.join(local_key::FILE).exists());
    }

    #[cfg(unix)]
    #[test]
    fn for_the_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let config = config(&dir.path().join("data"));
        prepare(&config).unwrap();
        let mode = std::fs::metadata(&config.server.data).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}
