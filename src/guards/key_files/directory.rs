//! The directory of the key files: ours, and closed to others.
//! Changes no directory that is there already, and sweeps nothing that holds a key.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::KeyDirProblem;
use super::key_file::{self, PENDING};

/// An unpublished file without a key that is this old was left by a process that was killed.
const LEFT_OVER: Duration = Duration::from_secs(3600);

/// A directory that only we can write to.
#[derive(Debug, Clone)]
pub struct KeyDirectory {
    path: PathBuf,
}

impl KeyDirectory {
    /// Opens the directory, and makes it where there is none. The error tells why no key could be kept in it.
    pub fn open(directory: Option<&Path>) -> Result<Self, KeyDirProblem> {
        let given = directory.ok_or(KeyDirProblem::NoHome)?;
        let path = std::path::absolute(given);
        let made = path.and_then(|path| make(&path).map(|()| path));
        let path = made.map_err(|error| unusable(given, error))?;
        check(&path)?;
        let directory = Self { path };
        directory.sweep();
        Ok(directory)
    }

    /// The directory's absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn unusable(&self, source: io::Error) -> KeyDirProblem {
        unusable(&self.path, source)
    }

    pub(super) fn has_no_room(&self, source: io::Error) -> KeyDirProblem {
        let path = self.path.clone();
        KeyDirProblem::NoRoom { path, source }
    }

    /// Checks that a file that was made private is private: some file systems show every file with one mode.
    #[cfg(unix)]
    pub(super) fn check_mode(&self, file: &fs::File) -> Result<(), KeyDirProblem> {
        use std::os::unix::fs::MetadataExt;
        let found = file.metadata().map_err(|error| self.unusable(error))?;
        self.check_private(found.mode() & 0o777)
    }

    /// Elsewhere a file inherits the access of its directory.
    #[cfg(not(unix))]
    pub(super) fn check_mode(&self, _: &fs::File) -> Result<(), KeyDirProblem> {
        Ok(())
    }

    #[cfg(unix)]
    fn check_private(&self, mode: u32) -> Result<(), KeyDirProblem> {
        let path = self.path.clone();
        match mode & !0o600 {
            0 => Ok(()),
            _ => Err(KeyDirProblem::NoModes { path, mode }),
        }
    }

    /// Makes the names of files in it last.
    #[cfg(unix)]
    pub(super) fn sync(&self) -> io::Result<()> {
        fs::File::open(&self.path)?.sync_all()
    }

    /// Elsewhere directories cannot be synced.
    #[cfg(not(unix))]
    pub(super) fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    /// The files in it whose names begin so. None where it cannot be read.
    pub(super) fn files_that_begin(directory: &Path, beginning: &str) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(directory) else {
            return Vec::new();
        };
        let begins = |entry: &fs::DirEntry| {
            let name = entry.file_name().into_string();
            name.is_ok_and(|name| name.starts_with(beginning))
        };
        let entries = entries.flatten().filter(begins);
        entries.map(|entry| entry.path()).collect()
    }

    /// Removes the files that killed processes left, unless they hold a key. If that fails, the next call tries again.
    fn sweep(&self) {
        for path in Self::files_that_begin(&self.path, PENDING) {
            let written = fs::metadata(&path).and_then(|metadata| metadata.modified());
            let age = written.map(|written| SystemTime::now().duration_since(written));
            if let Ok(Ok(age)) = age
                && age > LEFT_OVER
            {
                key_file::remove_without_key(&path);
            }
        }
    }
}

fn unusable(directory: &Path, source: io::Error) -> KeyDirProblem {
    let path = directory.to_owned();
    KeyDirProblem::Io { path, source }
}

/// Directories we make are private from birth; those that exist are left as they are.
fn make(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

fn check(directory: &Path) -> Result<(), KeyDirProblem> {
    let found = fs::symlink_metadata(directory).map_err(|error| unusable(directory, error))?;
    let path = directory.to_owned();
    match danger(&found) {
        Some(reason) => Err(KeyDirProblem::Unsafe { path, reason }),
        None => Ok(()),
    }
}

#[cfg(unix)]
fn danger(found: &fs::Metadata) -> Option<&'static str> {
    use std::os::unix::fs::MetadataExt;
    match found {
        found if found.is_symlink() => Some("is a symbolic link"),
        found if !found.is_dir() => Some("is not a directory"),
        found if found.uid() != rustix::process::geteuid().as_raw() => {
            Some("belongs to another user")
        }
        found if found.mode() & 0o022 != 0 => Some("can be written by other users"),
        _ => None,
    }
}

/// Elsewhere a directory in the user's profile inherits access for that user alone.
#[cfg(not(unix))]
fn danger(found: &fs::Metadata) -> Option<&'static str> {
    let is_directory = found.is_dir() && !found.is_symlink();
    (!is_directory).then_some("is not a directory")
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_directory_that_others_could_reach_is_refused_and_left_as_it_is() {
        let home = tempfile::tempdir().unwrap();
        let open = home.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, PermissionsExt::from_mode(0o777)).unwrap();
        let reason = |path: &Path| KeyDirectory::open(Some(path)).unwrap_err().to_string();
        assert!(reason(&open).ends_with("can be written by other users"));
        let mode = fs::metadata(&open).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o777);

        let link = home.path().join("link");
        symlink(home.path(), &link).unwrap();
        assert!(reason(&link).ends_with("is a symbolic link"));

        let file = home.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(KeyDirectory::open(Some(&file)).is_err());
    }

    #[test]
    fn a_file_system_that_keeps_no_modes_is_refused_by_name() {
        let home = tempfile::tempdir().unwrap();
        let directory = KeyDirectory::open(Some(home.path())).unwrap();
        for mode in [0o755, 0o777, 0o700, 0o640, 0o604] {
            let refused = directory.check_private(mode).unwrap_err().to_string();
            assert!(refused.contains("keeps no file modes"), "{refused}");
            assert!(refused.contains(&format!("{mode:04o}")), "{refused}");
            assert!(refused.contains(home.path().to_str().unwrap()), "{refused}");
        }
        assert!(directory.check_private(0o600).is_ok());
        let shown = home.path().join("shown");
        fs::write(&shown, "").unwrap();
        fs::set_permissions(&shown, PermissionsExt::from_mode(0o755)).unwrap();
        let refused = directory.check_mode(&fs::File::open(shown).unwrap());
        assert!(matches!(refused, Err(KeyDirProblem::NoModes { .. })));
    }

    #[test]
    fn only_what_is_old_and_holds_no_key_is_swept() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("keys");
        make(&directory).unwrap();
        let long_ago = SystemTime::now() - 2 * LEFT_OVER;
        for (name, text, is_old) in [
            (".pending-old", "", true),
            (".pending-old-placeholder", key_file::PLACEHOLDER, true),
            (".pending-old-key", "0123456789abcdef0123456789abcdef", true),
            (".pending-old-half", "0123", true),
            (".pending-young", "", false),
            ("other", "", true),
        ] {
            let path = directory.join(name);
            fs::write(&path, text).unwrap();
            let file = fs::File::options().write(true).open(&path).unwrap();
            if is_old {
                file.set_modified(long_ago).unwrap();
            }
        }
        KeyDirectory::open(Some(&directory)).unwrap();
        let mut left: Vec<_> = KeyDirectory::files_that_begin(&directory, "")
            .iter()
            .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        left.sort();
        let kept = [
            ".pending-old-half",
            ".pending-old-key",
            ".pending-young",
            "other",
        ];
        assert_eq!(left, kept);
    }
}
