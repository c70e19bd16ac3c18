//! The file of one key: made before the account, filled after it, and given its name at last.
//! Never deletes a file with a key in it.

use std::fs;
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

use super::{KeyDirProblem, KeyDirectory, publication};
use crate::guards::regular_file;
use crate::guards::secret::{Secret, Secrets};

/// The beginning of the names of files that are not published yet.
pub(super) const PENDING: &str = ".pending-";

/// The bytes that keep the room for a key: as many as a key has, and none that is in one.
pub(super) const PLACEHOLDER: &str = "................................";

/// The end of a file that holds no whole key.
const UNWRITTEN: &str = "..";

/// The longest account id that makes a file's name.
const NAMING_ID_MAX: usize = 64;

/// The largest file that is read back, in bytes.
const KEY_MAX: u64 = 4096;

/// A file that is known to take a key. Dropped without a key, it is removed.
#[derive(Debug)]
pub struct KeyFile {
    file: NamedTempFile,
    directory: KeyDirectory,
}

/// A key that has its file.
#[derive(Debug)]
pub struct Published {
    /// The file.
    pub path: PathBuf,
    /// The reason why a power failure could still lose it: the file or its directory could not be synced.
    pub unsynced: Option<io::Error>,
}

/// A key that has no file of its own name.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
pub struct NotPublished {
    /// The file under a name of ours that holds the key; none where nothing holds it.
    pub kept_in: Option<PathBuf>,
    /// The reason.
    pub source: io::Error,
}

/// The name for an account's key file, without its ending. None where the id is no plain id, or has the shape of a
/// secret: an API may answer with a key in place of the id.
pub fn file_name<'a>(account_id: &'a str, secrets: &Secrets) -> Option<&'a str> {
    let is_plain = names_a_file(account_id) && secrets.scrub_foreign(account_id) == account_id;
    is_plain.then_some(account_id)
}

/// Tells whether an id can be the name of a file.
pub(super) fn names_a_file(id: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (1..=NAMING_ID_MAX).contains(&id.len()) && id.bytes().all(is_plain)
}

/// Tells whether an unpublished file may hold a key, or a part of one. A file that cannot be read may.
pub(super) fn may_hold_key(path: &Path) -> bool {
    let content = regular_file::read(path, KEY_MAX);
    !content.is_ok_and(|bytes| bytes.is_empty() || bytes == PLACEHOLDER.as_bytes())
}

/// Removes an unpublished file, unless it may hold a key.
pub(super) fn remove_without_key(path: &Path) {
    if !may_hold_key(path) {
        let _ = fs::remove_file(path);
    }
}

/// The unpublished file of that name; none where the name is no such file's.
pub(super) fn pending_path(directory: &Path, name: &str) -> Option<PathBuf> {
    let random = name.strip_prefix(PENDING)?;
    names_a_file(random).then(|| directory.join(name))
}

/// The key in an unpublished file; none where there is no whole one.
pub(super) fn read_key(path: &Path) -> Option<Secret> {
    let text = String::from_utf8(regular_file::read(path, KEY_MAX).ok()?).ok()?;
    let is_whole = !text.is_empty() && !text.ends_with(UNWRITTEN);
    is_whole.then(|| Secret::new(text))
}

impl KeyDirectory {
    /// Makes the file for a key that is still to come, private and large enough. A failure leaves nothing behind.
    pub fn key_file(&self) -> Result<KeyFile, KeyDirProblem> {
        // The system's own error, without the random name that the crate adds.
        let mut reason = None;
        let private = |path: &Path| {
            let made = private().create_new(true).open(path);
            made.inspect_err(|error| reason = error.raw_os_error())
        };
        let made = Builder::new().prefix(PENDING).make_in(self.path(), private);
        let own = |error| reason.map_or(error, io::Error::from_raw_os_error);
        let mut file = made.map_err(|error| self.unusable(own(error)))?;
        self.check_mode(file.as_file())?;
        let written = file.as_file_mut().write_all(PLACEHOLDER.as_bytes());
        let synced = written.and_then(|()| file.as_file().sync_all());
        synced.map_err(|error| self.has_no_room(error))?;
        let directory = self.clone();
        Ok(KeyFile { file, directory })
    }
}

impl KeyFile {
    /// The file's present name.
    pub fn name(&self) -> &str {
        let name = self.file.path().file_name();
        name.and_then(|name| name.to_str()).unwrap_or_default()
    }

    /// Writes the key and gives the file the name, or one at random. It overwrites nothing; the error tells where the key is.
    pub fn publish(mut self, name: Option<&str>, key: &Secret) -> Result<Published, NotPublished> {
        let nowhere = |source| NotPublished {
            kept_in: None,
            source,
        };
        self.overwrite(key).map_err(nowhere)?;
        // From here on the file holds the key: a disk that does not take it yet is no reason to delete it.
        let unsynced = self.file.as_file().sync_all().err();
        let random = self.name().trim_start_matches(PENDING).to_owned();
        let (file, pending) = self.file.keep().map_err(|kept| nowhere(kept.error))?;
        // Some systems do not rename a file that is open.
        drop(file);
        let names = match name {
            Some(name) => [format!("{name}.key"), format!("{name}-{random}.key")],
            None => [format!("key-{random}.key"), format!("key-{random}-2.key")],
        };
        match publish_as(&self.directory, &pending, &names) {
            Ok(published) => Ok(Published {
                unsynced: unsynced.or(published.unsynced),
                ..published
            }),
            Err(source) => Err(NotPublished {
                kept_in: holds(&pending, key).then_some(pending),
                source,
            }),
        }
    }

    fn overwrite(&mut self, key: &Secret) -> io::Result<()> {
        let file = self.file.as_file_mut();
        file.rewind()?;
        file.write_all(key.expose().as_bytes())?;
        file.set_len(key.expose().len() as u64)
    }
}

/// The options for a file that nobody else can read from birth.
pub(super) fn private() -> fs::OpenOptions {
    let mut options = fs::File::options();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Gives the file the first name that is free.
fn publish_as(directory: &KeyDirectory, pending: &Path, names: &[String]) -> io::Result<Published> {
    let mut taken = io::Error::from(io::ErrorKind::AlreadyExists);
    for name in names {
        let path = directory.path().join(name);
        match publication::publish(pending, &path) {
            Ok(()) => {
                let unsynced = directory.sync().err();
                return Ok(Published { path, unsynced });
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => taken = error,
            Err(error) => return Err(error),
        }
    }
    Err(taken)
}

fn holds(path: &Path, key: &Secret) -> bool {
    fs::read(path).is_ok_and(|content| content == key.expose().as_bytes())
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn key() -> Secret {
        Secret::new("0123456789abcdef0123456789abcdef")
    }

    fn directory(home: &tempfile::TempDir) -> KeyDirectory {
        KeyDirectory::open(Some(&home.path().join("a/b/keys"))).unwrap()
    }

    fn names(directory: &KeyDirectory) -> Vec<String> {
        let entries = fs::read_dir(directory.path()).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    fn publish(directory: &KeyDirectory, name: Option<&str>, key: &Secret) -> PathBuf {
        let file = directory.key_file().unwrap();
        file.publish(name, key).unwrap().path
    }

    #[test]
    fn a_key_file_is_private_and_holds_the_key_alone() {
        let home = tempfile::tempdir().unwrap();
        let directory = directory(&home);
        for key in [
            key(),
            Secret::new("a-shorter-key-of-20-"),
            Secret::new("long".repeat(20)),
        ] {
            let path = publish(&directory, Some("ck1"), &key);
            assert_eq!(fs::read_to_string(&path).unwrap(), key.expose());
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
            assert_eq!(path, directory.path().join("ck1.key"));
            fs::remove_file(path).unwrap();
        }
        for made in ["a", "a/b", "a/b/keys"] {
            let mode = fs::metadata(home.path().join(made)).unwrap().mode();
            assert_eq!(mode & 0o777, 0o700, "{made}");
        }
        assert!(names(&directory).is_empty());
    }

    #[test]
    fn a_file_is_private_and_has_room_before_the_key_comes_and_is_gone_if_none_comes() {
        let home = tempfile::tempdir().unwrap();
        let directory = directory(&home);
        let file = directory.key_file().unwrap();
        let found = fs::metadata(file.file.path()).unwrap();
        assert_eq!(found.mode() & 0o777, 0o600);
        assert_eq!(found.len(), 32);
        assert!(!may_hold_key(file.file.path()));
        drop(file);
        assert_eq!(names(&directory), Vec::<String>::new());
    }

    #[test]
    fn a_key_is_read_only_where_the_whole_of_it_was_written() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("pending");
        let half = [&key().expose()[..16], &PLACEHOLDER[16..]].concat();
        for (content, is_whole) in [
            (key().expose(), true),
            (&half, false),
            (PLACEHOLDER, false),
            ("", false),
        ] {
            fs::write(&path, content).unwrap();
            assert_eq!(read_key(&path).is_some(), is_whole, "{content}");
        }
    }

    #[test]
    fn nothing_is_overwritten() {
        let home = tempfile::tempdir().unwrap();
        let directory = directory(&home);
        let first = publish(&directory, Some("ck1"), &Secret::new("first"));
        let second = publish(&directory, Some("ck1"), &key());
        assert_ne!(first, second);
        assert_eq!(fs::read_to_string(first).unwrap(), "first");
        assert_eq!(fs::read_to_string(second).unwrap(), key().expose());
    }

    #[test]
    fn an_id_that_could_be_a_path_or_is_a_secret_names_no_file() {
        let secrets = Secrets::default();
        secrets.remember("a-user-token-of-some-length");
        for id in [
            "../evil",
            "",
            "a/b",
            &"a".repeat(65),
            "..",
            key().expose(),
            "a-user-token-of-some-length",
        ] {
            assert_eq!(file_name(id, &secrets), None, "{id}");
        }
        assert_eq!(file_name("ck_1-Z", &secrets), Some("ck_1-Z"));
        let home = tempfile::tempdir().unwrap();
        let directory = directory(&home);
        let path = publish(&directory, None, &key());
        assert_eq!(path.parent(), Some(directory.path()));
        assert!(path.to_str().unwrap().ends_with(".key"));
    }

    #[test]
    fn a_key_that_gets_no_name_stays_in_its_file_and_the_error_tells_where() {
        let home = tempfile::tempdir().unwrap();
        let directory = directory(&home);
        let file = directory.key_file().unwrap();
        // No file system has a name this long.
        let failed = file.publish(Some(&"x".repeat(300)), &key()).unwrap_err();
        let path = failed.kept_in.unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), key().expose());
        assert!(may_hold_key(&path));
        assert_eq!(names(&directory).len(), 1);
    }

    #[test]
    fn a_key_whose_directory_is_gone_is_nowhere() {
        let home = tempfile::tempdir().unwrap();
        let directory = directory(&home);
        let file = directory.key_file().unwrap();
        fs::remove_dir_all(directory.path()).unwrap();
        let failed = file.publish(Some("ck1"), &key()).unwrap_err();
        assert_eq!(failed.kept_in, None);
    }
}
