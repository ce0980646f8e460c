//! The key a node makes for itself on its first start, so that trying it needs no set-up.
//!
//! `<data>/secret.key` holds 256 random bits as 64 hexadecimal digits. The key is that text itself, so
//! `CAMPANILE_SECRET="$(cat campanile-data/secret.key)"` means the same key anywhere else.

use std::io;
use std::path::Path;

use super::{ConfigError, keys};
use crate::private_file::{random, write};

/// The file in the data directory.
pub const FILE: &str = "secret.key";

/// Makes the key in the directory `data` if there is none. Only its owner can read it.
///
/// # Errors
/// [`ConfigError::Uncreatable`].
pub fn create(data: &Path) -> Result<(), ConfigError> {
    let path = data.join(FILE);
    if path.exists() {
        return Ok(());
    }
    random::<32>()
        .and_then(|bytes| write(&path, &hex(&bytes)))
        .map_err(|source| ConfigError::Uncreatable { path, source })
}

/// The key's text.
///
/// # Errors
/// [`ConfigError::NoLocalKey`], or that it is open to others or too short to be one.
pub fn read(data: &Path) -> Result<String, ConfigError> {
    let path = data.join(FILE);
    match keys::read_secret(&path, keys::Others::Nothing) {
        Ok(text) => keys::checked(&text, &path.display().to_string()),
        Err(ConfigError::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            Err(ConfigError::NoLocalKey(path))
        }
        Err(error) => Err(error),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_once_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(read(dir.path()), Err(ConfigError::NoLocalKey(_))));
        create(dir.path()).unwrap();
        let key = read(dir.path()).unwrap();
        assert!(key.len() == 64 && key.bytes().all(|b| b.is_ascii_hexdigit()));
        create(dir.path()).unwrap();
        assert_eq!(read(dir.path()).unwrap(), key);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "no draft is left behind");
    }

    #[cfg(unix)]
    #[test]
    fn for_the_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        create(dir.path()).unwrap();
        let file = dir.path().join(FILE);
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o640)).unwrap();
        let error = read(dir.path()).unwrap_err();
        assert!(error.to_string().contains("0640"), "{error}");
        assert!(error.hint().unwrap().starts_with("run `chmod 600 "));
    }
}
