//! The audit log: one JSON line per change that was tried, refusals and failures included.
//!
//! It never holds a key. Every record is exactly one line.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use chrono::{SecondsFormat, Utc};
use serde::Serialize;

use crate::guards::regular_file;
use crate::guards::secret::Secrets;
use crate::guards::text::harmless_json;

/// The file for the records; none if no file is set.
#[derive(Debug, Clone, Default)]
pub struct AuditLog {
    path: Option<PathBuf>,
}

/// The record of a change that is being tried, as far as it is known.
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

/// The log, opened before a change. No change is made unless it can be audited.
#[derive(Debug)]
pub struct OpenAudit(Option<File>);

impl Attempt {
    /// The record of a change by a client through a tool, with nothing else known yet.
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

    /// Opens the file, afresh for every change, so that it may be moved away between two.
    ///
    /// # Errors
    /// The file cannot be opened for appending.
    pub fn open(&self) -> io::Result<OpenAudit> {
        let file = self.path.as_deref().map(regular_file::append);
        file.transpose().map(OpenAudit)
    }
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
