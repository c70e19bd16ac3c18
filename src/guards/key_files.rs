//! Where API keys go: one private file a key, the key and nothing else in it.
//! Makes the file before the account, overwrites nothing, and leaves nothing behind by a failure.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::{Builder, NamedTempFile};

use crate::guards::secret::Secret;

/// What the names of files begin with that are not published yet.
const PENDING: &str = ".pending-";

/// An unpublished file this old was left by a process that was killed.
const LEFT_OVER: Duration = Duration::from_secs(3600);

/// The longest account id that makes a file's name.
const NAMING_ID_MAX: usize = 64;

/// Why a directory cannot hold keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyDirProblem {
    /// There is no directory to take.
    #[error("there is no home directory to keep keys in")]
    NoHome,
    /// It cannot be made, read or written.
    #[error("{} cannot be used: {source}", path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
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

/// A file that is ready to take a key. Dropped unpublished, it is removed.
#[derive(Debug)]
pub struct KeyFile {
    file: NamedTempFile,
    directory: PathBuf,
}

/// Makes the file for a key that is still to come, in a directory that only we can write to.
///
/// # Errors
/// Why the key could not be kept; nothing is left behind.
pub fn prepare(directory: Option<&Path>) -> Result<KeyFile, KeyDirProblem> {
    let directory = directory.ok_or(KeyDirProblem::NoHome)?;
    let failed = |source| KeyDirProblem::Io {
        path: directory.to_owned(),
        source,
    };
    let directory = std::path::absolute(directory).map_err(failed)?;
    make(&directory).map_err(failed)?;
    check(&directory)?;
    sweep(&directory);
    let mut builder = Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600));
    let file = builder
        .prefix(PENDING)
        .tempfile_in(&directory)
        .map_err(failed)?;
    Ok(KeyFile { file, directory })
}

impl KeyFile {
    /// Writes the key and gives the file its name, under which nothing was before.
    ///
    /// # Errors
    /// The key is not kept; nothing is left behind.
    pub fn publish(mut self, account_id: &str, key: &Secret) -> io::Result<PathBuf> {
        self.file.write_all(key.expose().as_bytes())?;
        self.file.as_file().sync_all()?;
        let name = match names_a_file(account_id) {
            true => account_id.to_owned(),
            false => self.random_name(),
        };
        let path = self.directory.join(format!("{name}.key"));
        let file = match self.file.persist_noclobber(&path) {
            Ok(file) => file,
            Err(taken) if taken.error.kind() == io::ErrorKind::AlreadyExists => {
                return publish_beside(taken.file, &self.directory, &name);
            }
            Err(failed) => return Err(failed.error),
        };
        sync_directory(&self.directory)?;
        drop(file);
        Ok(path)
    }

    /// The part of the unpublished file's name that was drawn at random.
    fn random_name(&self) -> String {
        let name = self
            .file
            .path()
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        format!("key{}", name.trim_start_matches(PENDING))
    }
}

/// An older file has the account's name: it is kept, and the new one gets a random addition.
fn publish_beside(file: NamedTempFile, directory: &Path, name: &str) -> io::Result<PathBuf> {
    let own = file
        .path()
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default()
        .to_owned();
    let path = directory.join(format!("{name}-{}.key", own.trim_start_matches(PENDING)));
    file.persist_noclobber(&path)
        .map_err(|failed| failed.error)?;
    sync_directory(directory)?;
    Ok(path)
}

/// Whether the directory holds a key file of this account: some process has published its key already.
pub fn has_key_of(directory: Option<&Path>, account_id: &str) -> bool {
    let file = |directory: &Path| directory.join(format!("{account_id}.key"));
    names_a_file(account_id) && directory.is_some_and(|directory| file(directory).exists())
}

fn names_a_file(id: &str) -> bool {
    (1..=NAMING_ID_MAX).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// Directories we make are private from birth; those that exist are left as they are.
fn make(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

#[cfg(unix)]
fn check(directory: &Path) -> Result<(), KeyDirProblem> {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::symlink_metadata(directory).map_err(|source| KeyDirProblem::Io {
        path: directory.to_owned(),
        source,
    })?;
    let reason = match &metadata {
        metadata if metadata.is_symlink() => "is a symbolic link",
        metadata if !metadata.is_dir() => "is not a directory",
        metadata if metadata.uid() != rustix::process::geteuid().as_raw() => {
            "belongs to another user"
        }
        metadata if metadata.mode() & 0o022 != 0 => "can be written by other users",
        _ => return Ok(()),
    };
    Err(KeyDirProblem::Unsafe {
        path: directory.to_owned(),
        reason,
    })
}

/// Elsewhere a directory in the user's profile inherits access for that user alone.
#[cfg(not(unix))]
fn check(directory: &Path) -> Result<(), KeyDirProblem> {
    let metadata = fs::symlink_metadata(directory).map_err(|source| KeyDirProblem::Io {
        path: directory.to_owned(),
        source,
    })?;
    if metadata.is_dir() && !metadata.is_symlink() {
        return Ok(());
    }
    Err(KeyDirProblem::Unsafe {
        path: directory.to_owned(),
        reason: "is not a directory",
    })
}

#[cfg(unix)]
fn sync_directory(directory: &Path) -> io::Result<()> {
    fs::File::open(directory)?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Removes what killed processes left. A failure only leaves it for the next time.
fn sweep(directory: &Path) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        let pending = entry
            .file_name()
            .to_str()
            .is_some_and(|name| name.starts_with(PENDING));
        let written = entry
            .metadata()
            .and_then(|metadata| metadata.modified())
            .ok();
        let age = written.and_then(|written| SystemTime::now().duration_since(written).ok());
        if pending && age.is_some_and(|age| age > LEFT_OVER) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    fn key() -> Secret {
        Secret::new("0123456789abcdef0123456789abcdef")
    }

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn a_key_file_is_private_and_holds_the_key_alone() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("a/b/keys");
        let path = prepare(Some(&directory))
            .unwrap()
            .publish("ck1", &key())
            .unwrap();
        assert_eq!(path, directory.join("ck1.key"));
        assert_eq!(fs::read_to_string(&path).unwrap(), key().expose());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        for made in ["a", "a/b", "a/b/keys"] {
            assert_eq!(
                fs::metadata(home.path().join(made)).unwrap().mode() & 0o777,
                0o700,
                "{made}"
            );
        }
        assert_eq!(names(&directory), ["ck1.key"]);
    }

    #[test]
    fn a_file_is_private_before_the_key_comes_and_gone_if_none_comes() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("keys");
        let file = prepare(Some(&directory)).unwrap();
        assert_eq!(
            file.file.as_file().metadata().unwrap().mode() & 0o777,
            0o600
        );
        drop(file);
        assert_eq!(names(&directory), Vec::<String>::new());
    }

    #[test]
    fn nothing_is_overwritten() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("keys");
        let first = prepare(Some(&directory))
            .unwrap()
            .publish("ck1", &Secret::new("first"))
            .unwrap();
        let second = prepare(Some(&directory))
            .unwrap()
            .publish("ck1", &key())
            .unwrap();
        assert_ne!(first, second);
        assert_eq!(fs::read_to_string(first).unwrap(), "first");
        assert_eq!(fs::read_to_string(second).unwrap(), key().expose());
    }

    #[test]
    fn an_id_that_could_be_a_path_names_no_file() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("keys");
        for id in ["../evil", "", "a/b", &"a".repeat(65), ".."] {
            let path = prepare(Some(&directory))
                .unwrap()
                .publish(id, &key())
                .unwrap();
            assert_eq!(path.parent(), Some(directory.as_path()), "{id}");
        }
    }

    #[test]
    fn a_directory_that_others_could_reach_is_refused_and_left_as_it_is() {
        let home = tempfile::tempdir().unwrap();
        let open = home.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, PermissionsExt::from_mode(0o777)).unwrap();
        assert!(
            prepare(Some(&open))
                .unwrap_err()
                .to_string()
                .ends_with("can be written by other users")
        );
        assert_eq!(fs::metadata(&open).unwrap().mode() & 0o777, 0o777);

        let link = home.path().join("link");
        symlink(home.path(), &link).unwrap();
        assert!(
            prepare(Some(&link))
                .unwrap_err()
                .to_string()
                .ends_with("is a symbolic link")
        );

        let file = home.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(prepare(Some(&file)).is_err());
    }

    #[test]
    fn leftovers_are_swept_when_they_are_old() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("keys");
        make(&directory).unwrap();
        let (old, young) = (
            directory.join(".pending-old"),
            directory.join(".pending-young"),
        );
        for path in [&old, &young] {
            fs::write(path, "").unwrap();
        }
        let long_ago = SystemTime::now() - 2 * LEFT_OVER;
        fs::File::options()
            .write(true)
            .open(&old)
            .unwrap()
            .set_modified(long_ago)
            .unwrap();
        drop(prepare(Some(&directory)).unwrap());
        assert_eq!(names(&directory), [".pending-young"]);
    }
}
