//! The file of an intent: locked while its process lives, so that one process works on it at a time.
//! Never waits, and removes no intent whose creation may have been made.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::intent::{
    self, Content, INTENT, Intent, Phase, PhaseLine, Plan, RecoveredAccount, Sending,
};
use super::{KeyDirProblem, KeyDirectory, key_file, publication};
use crate::guards::secret::Secret;

/// The number of times that a file is opened which others remove at the same moment.
const TRIES: usize = 100;

/// The largest intent that is read, in bytes.
const SIZE_MAX: u64 = 1024 * 1024;

/// A locked file. Dropping it frees the lock.
#[derive(Debug)]
struct LockedFile {
    file: File,
    path: PathBuf,
}

/// The intent of this process. Dropped before it says that anything was sent, it is removed.
#[derive(Debug)]
pub struct OwnIntent {
    locked: LockedFile,
    is_sent: bool,
}

/// An intent that another process left, locked by this one.
#[derive(Debug)]
pub struct LeftIntent {
    locked: LockedFile,
    /// Its content.
    pub content: Content,
}

impl LockedFile {
    /// Opens and locks a file. None where another process, or another call of this one, holds the lock.
    fn open(path: &Path, options: &fs::OpenOptions) -> io::Result<Option<Self>> {
        for _ in 0..TRIES {
            let file = options.open(path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => {
                    return Err(io::Error::new(io::ErrorKind::Unsupported, error));
                }
            }
            // Whoever held the lock before may have removed or renamed the file.
            if is_at(&file, path) {
                let path = path.to_owned();
                return Ok(Some(Self { file, path }));
            }
        }
        Ok(None)
    }

    fn read(&self) -> io::Result<Content> {
        let mut text = Vec::new();
        let mut file = &self.file;
        file.rewind()?;
        file.take(SIZE_MAX).read_to_end(&mut text)?;
        let text = String::from_utf8(text);
        Ok(text.map_or(Content::Unreadable, |text| intent::parse(&text)))
    }

    fn append(&self, line: &PhaseLine) -> io::Result<()> {
        let json = serde_json::to_string(line).map_err(io::Error::other)?;
        let mut file = &self.file;
        file.seek(io::SeekFrom::End(0))?;
        file.write_all(format!("{json}\n").as_bytes())?;
        self.file.sync_all()
    }

    fn remove(&self) {
        // What cannot be removed is found, and told, by the next call and by the doctor.
        let _ = fs::remove_file(&self.path);
    }
}

/// Removes a file that says nothing: no creation was begun with it.
fn remove_if_empty(path: &Path) {
    if fs::metadata(path).is_ok_and(|found| found.len() == 0) {
        let _ = fs::remove_file(path);
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    let locked = file.try_clone().and_then(same_file::Handle::from_file);
    let there = same_file::Handle::from_path(path);
    matches!((locked, there), (Ok(locked), Ok(there)) if locked == there)
}

impl KeyDirectory {
    /// Begins an intent of that name. None where another process holds it. An undecided one that a dead process left is
    /// set aside under a longer name.
    ///
    /// # Errors
    /// The file cannot be made, or the file system has no locks.
    pub fn begin_intent(&self, name: &str) -> Result<Option<OwnIntent>, KeyDirProblem> {
        let path = self.path().join(name);
        let mut options = key_file::private();
        options.create(true);
        for _ in 0..TRIES {
            let opened = LockedFile::open(&path, &options);
            let Some(locked) = opened.map_err(|error| self.unlockable(&path, error))? else {
                return Ok(None);
            };
            let is_free = self.check_mode(&locked.file);
            let is_free = is_free.and_then(|()| {
                let is_free = self.is_free(&locked);
                is_free.map_err(|error| self.unusable(error))
            });
            if is_free.inspect_err(|_| remove_if_empty(&path))? {
                let is_sent = false;
                return Ok(Some(OwnIntent { locked, is_sent }));
            }
        }
        Ok(None)
    }

    /// Makes room for a new intent in a file that may hold an old one. False where the old one was set aside.
    fn is_free(&self, locked: &LockedFile) -> io::Result<bool> {
        match locked.read()? {
            Content::Nothing => {}
            Content::Intent(old) if old.phase == Phase::Prepared => {
                let room = key_file::pending_path(self.path(), &old.plan.key_file);
                room.iter()
                    .for_each(|path| key_file::remove_without_key(path));
            }
            Content::Intent(_) | Content::Unreadable => {
                publication::publish(&locked.path, &aside(&locked.path))?;
                return Ok(false);
            }
        }
        locked.file.set_len(0)?;
        Ok(true)
    }

    /// The intents that dead processes left, locked by this one from now on.
    pub fn left_intents(directory: &Path) -> Vec<LeftIntent> {
        let mut options = File::options();
        options.read(true).write(true);
        let files = Self::files_that_begin(directory, INTENT);
        let claimed = files.iter().filter_map(|path| {
            let locked = LockedFile::open(path, &options).ok()??;
            let content = locked.read().unwrap_or(Content::Unreadable);
            Some(LeftIntent { locked, content })
        });
        claimed.collect()
    }

    fn unlockable(&self, path: &Path, source: io::Error) -> KeyDirProblem {
        if source.kind() != io::ErrorKind::Unsupported {
            return self.unusable(source);
        }
        // Without locks no process can have begun an intent here.
        remove_if_empty(path);
        let path = self.path().to_owned();
        KeyDirProblem::NoLocks { path, source }
    }
}

/// Another name for an intent that begins as its own. Two of one process and one moment would be refused, not lost.
fn aside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    let now = chrono::Utc::now().timestamp_micros();
    name.push(format!("-{}-{now}", std::process::id()));
    name.into()
}

impl OwnIntent {
    /// Writes down the planned creation. If that fails, nothing may be sent.
    pub fn prepare(&self, plan: Plan, directory: &KeyDirectory) -> Result<(), KeyDirProblem> {
        let written = self.locked.append(&PhaseLine::Prepared(plan));
        written.map_err(|error| directory.has_no_room(error))?;
        // A name that a power failure could lose is no reason to refuse.
        let _ = directory.sync();
        Ok(())
    }

    /// Writes down that the creation is sent now. If that fails, nothing may be sent.
    pub fn mark_sent(
        &mut self,
        sending: Sending,
        directory: &KeyDirectory,
    ) -> Result<(), KeyDirProblem> {
        let written = self.locked.append(&PhaseLine::Sent(sending));
        written.map_err(|error| directory.has_no_room(error))?;
        self.is_sent = true;
        Ok(())
    }

    /// Tells whether its file is still there for a later call to find.
    pub fn is_there(&self) -> bool {
        is_at(&self.locked.file, &self.locked.path)
    }

    /// Removes the intent, once its outcome is known.
    pub fn decide(mut self) {
        self.is_sent = false;
    }
}

impl Drop for OwnIntent {
    fn drop(&mut self) {
        if !self.is_sent {
            self.locked.remove();
        }
    }
}

impl LeftIntent {
    /// The intent, where it can be read.
    pub fn intent(&self) -> Option<&Intent> {
        match &self.content {
            Content::Intent(intent) => Some(intent),
            Content::Nothing | Content::Unreadable => None,
        }
    }

    /// The intent's file.
    pub fn path(&self) -> &Path {
        &self.locked.path
    }

    /// Tells whether its name begins so.
    pub fn is_named(&self, beginning: &str) -> bool {
        let name = self.path().file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with(beginning))
    }

    /// The key that its process wrote into its file before it died.
    pub fn key(&self) -> Option<Secret> {
        key_file::read_key(&self.pending()?)
    }

    /// Writes the outcome down, so that a later call can tell it without another look at the API.
    ///
    /// # Errors
    /// It cannot be written: it will be found again.
    pub fn found(&mut self, found: RecoveredAccount) -> io::Result<()> {
        self.locked.append(&PhaseLine::Found(found.clone()))?;
        if let Content::Intent(intent) = &mut self.content {
            intent.phase = Phase::Found(found);
        }
        Ok(())
    }

    /// Removes the intent and the file that kept room for its key, unless there is a key in that file.
    pub fn forget(self) {
        if let Some(path) = self.pending() {
            key_file::remove_without_key(&path);
        }
        self.locked.remove();
    }

    /// Removes the file that its process wrote the key into: the key has another one now.
    pub fn forget_key(&self) {
        if let Some(path) = self.pending() {
            let _ = fs::remove_file(path);
        }
    }

    fn pending(&self) -> Option<PathBuf> {
        let directory = self.path().parent()?;
        key_file::pending_path(directory, &self.intent()?.plan.key_file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_there_are_no_locks_only_an_empty_file_is_removed() {
        let home = tempfile::tempdir().unwrap();
        let directory = KeyDirectory::open(Some(&home.path().join("keys"))).unwrap();
        for (text, stays) in [("", false), ("{}\n", true)] {
            let path = directory.path().join("intent");
            fs::write(&path, text).unwrap();
            let problem = directory.unlockable(&path, io::ErrorKind::Unsupported.into());
            assert!(
                matches!(problem, KeyDirProblem::NoLocks { .. }),
                "{problem}"
            );
            assert_eq!(path.exists(), stays, "{text:?}");
        }
    }
}
