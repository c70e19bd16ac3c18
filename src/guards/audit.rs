//! The audit log: a JSON line before a change is sent and one with its outcome; one line for a change that was refused
//! or failed before that.
//!
//! Never holds a key. Every record is exactly one line, and a torn line never joins the next.

use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use chrono::{SecondsFormat, Utc};
use serde::Serialize;

use crate::guards::regular_file;
use crate::guards::secret::Secrets;
use crate::guards::text::harmless_json;

/// The outcome of a change that is about to be sent.
pub const SENT: &str = "sent";

/// The file for the records; none if no file is set.
#[derive(Debug, Clone, Default)]
pub struct AuditLog {
    path: Option<PathBuf>,
}

/// The record of a change that is being tried, with the members that are known so far.
#[derive(Debug, Default, Serialize)]
pub struct Attempt {
    /// Name and version of the client, in its own words.
    pub client: String,
    /// The tool.
    pub tool: String,
    /// The workspace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace_id: Option<String>,
    /// The deployment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment_id: Option<String>,
    /// The account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account_id: Option<String>,
    /// The account's label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The account's role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    change: String,
}

/// A record as it is written.
#[derive(Serialize)]
struct AuditLine<'a> {
    time: String,
    #[serde(flatten)]
    attempt: &'a Attempt,
    outcome: &'a str,
}

impl Attempt {
    /// The record of a change, with nothing else known yet.
    pub fn new(client: impl Into<String>, tool: &str) -> Self {
        Self {
            client: client.into(),
            tool: tool.to_owned(),
            change: random_id(),
            ..Self::default()
        }
    }

    /// The record of an account that a process left behind when it died, and that a later one has found.
    pub fn of_recovery(tool: &str) -> Self {
        Self::new("recovery", tool)
    }

    /// The id that joins the lines of one change.
    pub fn change(&self) -> &str {
        &self.change
    }
}

/// 16 hex digits. The standard library seeds its hashers at random; a key would have twice as many digits.
fn random_id() -> String {
    format!("{:016x}", RandomState::new().hash_one(()))
}

impl AuditLog {
    /// The record of a change by a client through a tool, with nothing else known yet.
    pub fn new(path: Option<PathBuf>) -> Self {
        Self { path }
    }

    /// The file, where one is set.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Checks that the file can be opened, so that a call that cannot be recorded ends before it does anything.
    ///
    /// # Errors
    /// The file cannot be opened for appending.
    pub fn check(&self) -> io::Result<()> {
        let opened = self.path().map(regular_file::append).transpose();
        opened.map(drop)
    }

    /// Writes a line, in one write. The file is opened afresh, so that it may be moved away between two lines. Fails if the
    /// line was not written as a whole.
    pub fn append(&self, attempt: &Attempt, outcome: &str, secrets: &Secrets) -> io::Result<()> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        let mut file = regular_file::append(path)?;
        let beginning = if may_be_torn(path) { "\n" } else { "" };
        let line = format!("{beginning}{}", line(attempt, outcome, secrets));
        write_whole(&mut file, line.as_bytes())
    }
}

/// Tells whether the last line may lack its end: the disk was full, or a machine stopped. An empty line in a file that
/// may be written and not read does no harm.
fn may_be_torn(path: &Path) -> bool {
    let last = regular_file::last_byte(path);
    last.map_or(true, |last| last.is_some_and(|last| last != b'\n'))
}

/// Writes everything at once or fails. A second write could come after a line of another process.
fn write_whole(file: &mut File, line: &[u8]) -> io::Result<()> {
    const PART: &str = "only a part of the line could be written";
    loop {
        match file.write(line) {
            Ok(written) if written == line.len() => return Ok(()),
            Ok(_) => return Err(io::Error::new(ErrorKind::StorageFull, PART)),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Separators that only some programs take for line ends are escaped as well.
fn line(attempt: &Attempt, outcome: &str, secrets: &Secrets) -> String {
    let line = AuditLine {
        time: Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true),
        attempt,
        outcome,
    };
    let json = serde_json::to_string(&line).unwrap_or_default();
    format!("{}\n", harmless_json(&secrets.scrub(&json)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line_of_json_whatever_the_label_holds() {
        let label = "a\n{\"outcome\":\"ok\"}\u{2028}\u{202e}\u{e0041}";
        let attempt = Attempt {
            label: Some(label.to_owned()),
            ..Attempt::default()
        };
        let line = line(&attempt, "ok", &Secrets::default());
        assert_eq!(line.lines().count(), 1);
        assert!(line.ends_with('\n') && line.is_ascii(), "{line}");
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["label"], label);
    }

    #[test]
    fn a_key_in_a_label_does_not_reach_the_log() {
        let secrets = Secrets::default();
        secrets.remember("0123456789abcdef0123456789abcdef");
        let label = Some("0123456789abcdef0123456789abcdef".to_owned());
        let attempt = Attempt {
            label,
            ..Attempt::default()
        };
        let line = line(&attempt, "ok", &secrets);
        assert!(line.contains(r#""label":"[redacted]""#), "{line}");
    }

    fn append(path: &Path, label: &str) -> io::Result<()> {
        let mut attempt = Attempt::of_recovery("create_service_account");
        attempt.label = Some(label.to_owned());
        AuditLog::new(Some(path.to_owned())).append(&attempt, "recovered", &Secrets::default())
    }

    #[test]
    fn a_line_after_a_torn_one_stands_by_itself() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit");
        for (there, lines) in [("", 1), ("{}\n", 2), ("{}\n{\"half", 3), ("{\"half\n", 2)] {
            std::fs::write(&path, there).unwrap();
            append(&path, "etl").unwrap();
            let text = std::fs::read_to_string(&path).unwrap();
            assert_eq!(text.lines().count(), lines, "{text}");
            let last = text.lines().last().unwrap();
            let last: serde_json::Value = serde_json::from_str(last).unwrap();
            assert_eq!(last["client"], "recovery");
            assert_eq!(last["outcome"], "recovered");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_line_that_does_not_fit_is_an_error() {
        assert!(append(Path::new("/dev/full"), "etl").is_err());
        append(Path::new("/dev/null"), "etl").unwrap();
    }
}
