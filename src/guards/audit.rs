//! One JSON line per change that was tried, refusals and failures included.
//! Writes no key, and no line that holds more than one.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use chrono::{SecondsFormat, Utc};
use serde::Serialize;

use crate::guards::secret::Secrets;
use crate::guards::text::harmless_json;

/// Where the lines go; nowhere where no file is set.
#[derive(Debug, Clone, Default)]
pub struct AuditLog {
    path: Option<PathBuf>,
}

/// A change that is being tried, with what is known of it so far.
#[derive(Debug, Default, Serialize)]
pub struct Attempt {
    /// When the line was written.
    time: String,
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
    /// `ok`, or the code of the failure.
    outcome: &'static str,
}

/// The log, opened before a change: what could not be audited is not done.
#[derive(Debug)]
pub struct OpenAudit(Option<File>);

impl Attempt {
    /// A change by that client through that tool, of which nothing else is known yet.
    pub fn new(client: String, tool: &str) -> Self {
        Self {
            client,
            tool: tool.to_owned(),
            ..Self::default()
        }
    }
}

impl AuditLog {
    /// A log in that file, or none.
    pub fn new(path: Option<PathBuf>) -> Self {
        Self { path }
    }

    /// The file, where one is set.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Opens the file, afresh for every change, so that it may be moved away in between.
    ///
    /// # Errors
    /// The file cannot be opened for appending.
    pub fn open(&self) -> io::Result<OpenAudit> {
        self.path.as_deref().map(open).transpose().map(OpenAudit)
    }
}

fn open(path: &Path) -> io::Result<File> {
    if std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !is_device(&metadata)) {
        // Opening a pipe would wait for its reader.
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is not a regular file",
        ));
    }
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(unix)]
fn is_device(metadata: &std::fs::Metadata) -> bool {
    std::os::unix::fs::FileTypeExt::is_char_device(&metadata.file_type())
}

#[cfg(not(unix))]
fn is_device(_: &std::fs::Metadata) -> bool {
    false
}

impl OpenAudit {
    /// Writes the line, in one write. The change is made by now: a failure is only warned about.
    pub fn write(self, mut attempt: Attempt, outcome: &'static str, secrets: &Secrets) {
        let Some(mut file) = self.0 else { return };
        attempt.time = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
        attempt.outcome = outcome;
        let line = line(&attempt, secrets);
        if let Err(error) = file.write_all(line.as_bytes()) {
            tracing::warn!(%error, tool = attempt.tool, outcome, "the audit log could not be written");
        }
    }
}

/// Separators that only some programs take for line ends are escaped as well.
fn line(attempt: &Attempt, secrets: &Secrets) -> String {
    let json = serde_json::to_string(attempt).unwrap_or_default();
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
            outcome: "ok",
            ..Attempt::default()
        };
        let line = line(&attempt, &Secrets::default());
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
        let line = line(
            &Attempt {
                label,
                ..Attempt::default()
            },
            &secrets,
        );
        assert!(line.contains(r#""label":"[redacted]""#), "{line}");
    }
}
