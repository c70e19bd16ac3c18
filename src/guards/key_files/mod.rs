//! Where API keys go: one private file a key, the key and nothing else in it.
//! Proves before an account is made that its key fits, overwrites nothing, and never deletes a key.

mod directory;
mod key_file;
mod publication;

use std::io;
use std::path::{Path, PathBuf};

pub use directory::KeyDirectory;
pub use key_file::{KeyFile, NotPublished, Published, file_name};

/// Why a directory cannot hold keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyDirProblem {
    /// There is no directory to take.
    #[error("cannot be chosen: there is no home directory to keep keys in")]
    NoHome,
    /// It cannot be made, read or written.
    #[error("{} cannot be used: {source}", path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file of the size of a key cannot be written there.
    #[error("{} cannot take a key: {source}", path.display())]
    NoRoom {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Its file system does not keep the modes of files.
    #[error(
        "{} is on a file system that keeps no file modes: a file made with mode 0600 has mode {mode:04o}, so others could read the keys",
        path.display()
    )]
    NoModes {
        /// The directory.
        path: PathBuf,
        /// The mode that a private file got.
        mode: u32,
    },
    /// Others could reach the keys in it, or it is not what it seems.
    #[error("{} {reason}", path.display())]
    Unsafe {
        /// The directory.
        path: PathBuf,
        /// Why.
        reason: &'static str,
    },
}

/// Whether the directory holds a key file of this account: some process has published its key already.
pub fn has_key_of(directory: Option<&Path>, account_id: &str) -> bool {
    let file = |directory: &Path| directory.join(format!("{account_id}.key"));
    key_file::names_a_file(account_id)
        && directory.is_some_and(|directory| file(directory).exists())
}
