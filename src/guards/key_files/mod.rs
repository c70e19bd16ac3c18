//! The files of API keys: one private file for each key, with the key and nothing else in it.
//! Proves before an account is made that its key fits, overwrites nothing, and never deletes a key.

mod directory;
mod intent;
mod intent_file;
mod key_file;
mod machine;
mod publication;

use std::io;
use std::path::{Path, PathBuf};

pub use directory::KeyDirectory;
pub use intent::{Content, Intent, Phase, Plan, RecoveredAccount, Sending, name_of};
pub use intent_file::{LeftIntent, OwnIntent};
pub use key_file::{KeyFile, NotPublished, Published, file_name};

/// The reason why a directory cannot hold keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyDirProblem {
    /// There is no directory to take.
    #[error("cannot be chosen: there is no home directory to keep keys in")]
    NoHome,
    #[error("{} cannot be used: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} cannot take a key: {source}", path.display())]
    NoRoom { path: PathBuf, source: io::Error },
    #[error(
        "{} is on a file system that keeps no file modes: a file made with mode 0600 has mode {mode:04o}, so others could read the keys",
        path.display()
    )]
    NoModes { path: PathBuf, mode: u32 },
    #[error(
        "{} is on a file system without file locks ({source}), so two servers could create one account twice",
        path.display()
    )]
    NoLocks { path: PathBuf, source: io::Error },
    #[error("{} {reason}", path.display())]
    Unsafe { path: PathBuf, reason: &'static str },
}

/// The unpublished files that hold a key: their processes died, or could not give them a name.
pub fn unpublished_keys(directory: &Path) -> Vec<PathBuf> {
    let mut files = KeyDirectory::files_that_begin(directory, key_file::PENDING);
    files.retain(|path| key_file::may_hold_key(path));
    files.sort();
    files
}

/// Tells whether the directory holds a key file of this account: a process has published its key already.
pub fn has_key_of(directory: Option<&Path>, account_id: &str) -> bool {
    directory.is_some_and(|directory| key_of(directory, account_id).is_some())
}

/// The key file of this account, if the directory holds one.
pub fn key_of(directory: &Path, account_id: &str) -> Option<PathBuf> {
    let directory = std::path::absolute(directory).ok()?;
    let file = directory.join(format!("{account_id}.key"));
    (key_file::names_a_file(account_id) && file.exists()).then_some(file)
}
