//! Advice on settings, in the words that both the tools and the doctor use.

use std::io;

use super::setting::{AUDIT_LOG, KEY_DIR};
use crate::guards::key_files::KeyDirProblem;

/// The way out if the directory for key files cannot be used.
pub fn on_key_dir(problem: &KeyDirProblem) -> String {
    let another = format!("et {KEY_DIR} to a directory of your own");
    let place = match problem {
        KeyDirProblem::Io { source, .. } | KeyDirProblem::NoRoom { source, .. }
            if is_full(source) =>
        {
            return format!(
                "Free some space there, raise the quota or the limit of file sizes (ulimit -f), or s{another} on another disk"
            );
        }
        KeyDirProblem::Io { source, .. } | KeyDirProblem::NoRoom { source, .. }
            if has_too_many_files(source) =>
        {
            return "Raise the limit of open files (ulimit -n) for the program that starts this server, and start it again".to_owned();
        }
        KeyDirProblem::NoRoom { .. } => "on another disk",
        KeyDirProblem::NoModes { .. } => "on a file system that keeps them, such as a local disk",
        KeyDirProblem::NoLocks { .. } => "on a file system with file locks, such as a local disk",
        KeyDirProblem::NoHome | KeyDirProblem::Io { .. } | KeyDirProblem::Unsafe { .. } => {
            "that nobody else can write to"
        }
    };
    format!("S{another} {place}")
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}

#[cfg(unix)]
fn has_too_many_files(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let error = Errno::from_io_error(error);
    matches!(error, Some(Errno::MFILE | Errno::NFILE))
}

/// Elsewhere there is no such limit.
#[cfg(not(unix))]
fn has_too_many_files(_: &io::Error) -> bool {
    false
}

/// The way out if the audit log cannot be opened.
pub fn on_audit_log() -> String {
    format!("No change is made until {AUDIT_LOG} is corrected or unset; reading works without it")
}
