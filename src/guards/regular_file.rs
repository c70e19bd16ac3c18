//! Opens the regular files that settings name. Refuses files that could block, such as pipes.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use crate::guards::encoding;

/// Opens a file for appending, and creates it with mode 0600 if there is none. Refuses what is neither a regular file nor a
/// character device such as `/dev/null`.
pub fn append(path: &Path) -> io::Result<File> {
    let appendable = |file: &Metadata| match file.is_file() || is_character_device(file) {
        true => Ok(()),
        false => Err(not_regular()),
    };
    // Opening a pipe without a reader fails by a reason that tells nobody anything.
    if let Ok(found) = std::fs::metadata(path) {
        appendable(&found)?;
    }
    let file = open(OpenOptions::new().append(true).create(true), path)?;
    appendable(&file.metadata()?)?;
    Ok(file)
}

/// Reads the last byte of a file; none of an empty one, or of a device.
///
/// # Errors
/// The file cannot be read.
pub fn last_byte(path: &Path) -> io::Result<Option<u8>> {
    let mut file = open(OpenOptions::new().read(true), path)?;
    let found = file.metadata()?;
    if !found.is_file() || found.len() == 0 {
        return Ok(None);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last.first().copied())
}

/// Reads a regular file. Refuses one that is larger than `max` bytes.
pub fn read(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    let mut file = open(OpenOptions::new().read(true), path)?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(not_regular());
    }
    if found.len() > max {
        let text = format!("it is larger than {} KiB", max / 1024);
        return Err(io::Error::new(ErrorKind::FileTooLarge, text));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads a regular file of UTF-8 text as [`read`] does, without its byte order mark. Refuses UTF-16.
pub fn read_text(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    encoding::utf8(read(path, max)?)
}

/// Opens a file of any kind without waiting.
fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
        options.mode(0o600).custom_flags(flags.bits().cast_signed());
    }
    options.open(path)
}

fn not_regular() -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, "it is not a regular file")
}

#[cfg(unix)]
fn is_character_device(file: &Metadata) -> bool {
    std::os::unix::fs::FileTypeExt::is_char_device(&file.file_type())
}

#[cfg(not(unix))]
fn is_character_device(_: &Metadata) -> bool {
    false
}

#[cfg(all(test, unix))]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    use rustix::fs::{Mode, OFlags};

    use super::*;

    #[test]
    fn a_new_file_is_private_and_lines_are_appended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        for line in ["one\n", "two\n"] {
            append(&path).unwrap().write_all(line.as_bytes()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_pipe_is_refused_with_and_without_a_reader() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        let refused = append(&path).unwrap_err();
        assert_eq!(refused.to_string(), "it is not a regular file");
        let reader = rustix::fs::open(&path, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty());
        assert!(append(&path).is_err());
        let read = File::from(reader.unwrap()).read(&mut [0]);
        assert_eq!(read.unwrap(), 0);
    }

    #[test]
    fn a_file_that_is_too_large_or_not_regular_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "x".repeat(1024)).unwrap();
        assert_eq!(read(&path, 1024).unwrap().len(), 1024);
        std::fs::write(&path, "x".repeat(1025)).unwrap();
        let refused = read(&path, 1024).unwrap_err();
        assert_eq!(refused.to_string(), "it is larger than 1 KiB");
        for other in [folder.path(), Path::new("/dev/zero")] {
            let refused = read(other, 1024).unwrap_err();
            assert_eq!(refused.to_string(), "it is not a regular file");
        }
    }

    #[test]
    fn a_folder_is_refused_and_a_device_is_not() {
        let folder = tempfile::tempdir().unwrap();
        assert!(append(folder.path()).is_err());
        assert!(append(Path::new("/dev/null")).is_ok());
    }
}
