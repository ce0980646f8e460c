//! Files that hold a secret: whole or not at all, and for their owner only.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// Writes `text` and a line end to the file at `path`, in place of what there was. Its mode is 0600.
///
/// Writes the whole file under another name first: a crash leaves no half secret behind. The name is one that
/// nobody else uses, a start at the same time or one that crashed before.
///
/// # Errors
/// Those of the file system. The file is then as it was.
pub fn write(path: &Path, text: &str) -> io::Result<()> {
    let tail = u64::from_ne_bytes(random()?);
    let draft = path.with_extension(format!("{tail:016x}.new"));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    let renamed =
        writeln!(file, "{text}").and_then(|()| file.sync_all()).and_then(|()| std::fs::rename(&draft, path));
    if renamed.is_err() {
        // Of no use to anyone; that it can't be removed is not the error to report.
        let _ = std::fs::remove_file(&draft);
    }
    renamed?;
    // The name too is to survive the loss of power.
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

/// `N` bytes that nobody can guess.
///
/// # Errors
/// The system has none.
pub fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| io::Error::other("the system has no random bytes"))?;
    Ok(bytes)
}
