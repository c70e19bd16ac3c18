//! Giving a file its final name, under which nothing was before.
//! Not every file system can do it in one step, so there are several ways; none overwrites.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use super::key_file::private;

/// A way to give a file another name.
type RenameFunction = fn(&Path, &Path) -> io::Result<()>;

/// The best way first. exFAT, SMB, FUSE and some container mounts lack one or both of the first two.
const WAYS: [RenameFunction; 3] = [rename_without_replacing, link, copy];

/// Gives the file the name. Fails with `AlreadyExists` where there is such a file, else with the reason of the last way; the
/// file is where it was then.
pub(super) fn publish(from: &Path, to: &Path) -> io::Result<()> {
    by(&WAYS, from, to)
}

fn by(ways: &[RenameFunction], from: &Path, to: &Path) -> io::Result<()> {
    let mut last = io::Error::from(ErrorKind::Unsupported);
    for way in ways {
        match way(from, to) {
            Ok(()) => return Ok(()),
            Err(taken) if taken.kind() == ErrorKind::AlreadyExists => return Err(taken),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(any(target_vendor = "apple", target_os = "linux", target_os = "android"))]
fn rename_without_replacing(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?)
}

#[cfg(not(any(target_vendor = "apple", target_os = "linux", target_os = "android")))]
fn rename_without_replacing(_: &Path, _: &Path) -> io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}

fn link(from: &Path, to: &Path) -> io::Result<()> {
    fs::hard_link(from, to)?;
    // The key has its name; a second one that stays is only untidy.
    let _ = fs::remove_file(from);
    Ok(())
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let content = fs::read(from)?;
    let mut file = private().create_new(true).open(to)?;
    let written = file.write_all(&content).and_then(|()| file.sync_all());
    drop(file);
    let done_with = if written.is_ok() { from } else { to };
    let _ = fs::remove_file(done_with);
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refuse(_: &Path, _: &Path) -> io::Result<()> {
        Err(ErrorKind::PermissionDenied.into())
    }

    fn lack(_: &Path, _: &Path) -> io::Result<()> {
        Err(ErrorKind::InvalidInput.into())
    }

    #[test]
    fn a_file_gets_its_name_where_one_way_or_two_are_refused() {
        let ways: [&[RenameFunction]; 4] = [
            &WAYS,
            &[refuse, link],
            &[lack, refuse, copy],
            &[refuse, lack, copy],
        ];
        for ways in ways {
            let home = tempfile::tempdir().unwrap();
            let (from, to) = (home.path().join("from"), home.path().join("to"));
            fs::write(&from, "key").unwrap();
            by(ways, &from, &to).unwrap();
            assert_eq!(fs::read_to_string(&to).unwrap(), "key");
            assert!(!from.exists());
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_copy_is_private() {
        use std::os::unix::fs::MetadataExt;
        let home = tempfile::tempdir().unwrap();
        let (from, to) = (home.path().join("from"), home.path().join("to"));
        fs::write(&from, "key").unwrap();
        copy(&from, &to).unwrap();
        assert_eq!(fs::metadata(&to).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn no_way_overwrites_or_loses_the_file() {
        for way in WAYS {
            let home = tempfile::tempdir().unwrap();
            let (from, to) = (home.path().join("from"), home.path().join("to"));
            fs::write(&from, "key").unwrap();
            fs::write(&to, "precious").unwrap();
            let refused = by(&[way, refuse], &from, &to).unwrap_err();
            #[cfg(any(target_vendor = "apple", target_os = "linux"))]
            assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
            assert_eq!(fs::read_to_string(&to).unwrap(), "precious", "{refused}");
            assert_eq!(fs::read_to_string(&from).unwrap(), "key");
        }
    }

    #[test]
    fn where_every_way_is_refused_the_file_stays_and_the_last_reason_is_told() {
        let home = tempfile::tempdir().unwrap();
        let (from, to) = (home.path().join("from"), home.path().join("to"));
        fs::write(&from, "key").unwrap();
        let refused = by(&[lack, refuse], &from, &to).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
        assert_eq!(fs::read_to_string(&from).unwrap(), "key");
        assert!(!to.exists());
    }
}
