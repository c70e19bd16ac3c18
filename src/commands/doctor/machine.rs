//! The doctor's lines about this machine: the key directory, the audit log and the policy.
//!
//! It creates the directory and the log as a change would, and leaves no key.

use std::io;

use super::Doctor;
use crate::config::advice;
use crate::guards::key_files::KeyDirectory;
use crate::guards::policy::{Confirm, KeyOutput};

impl Doctor<'_> {
    /// Writes a line for each.
    pub(super) fn machine(&mut self) -> io::Result<()> {
        self.key_directory()?;
        self.audit_log()?;
        self.ok("policy", &self.policy())
    }

    fn key_directory(&mut self) -> io::Result<()> {
        let policy = &self.config.policy;
        if policy.read_only || policy.key_output == KeyOutput::Show {
            return self.ok(
                "key directory",
                "not used: no key is kept under these settings",
            );
        }
        let directory = KeyDirectory::open(self.config.key_dir.as_deref());
        match directory.and_then(|directory| directory.key_file()) {
            // The file is not published, so dropping it deletes it.
            Ok(_) => {
                let path = self.config.key_dir.as_deref().map(|path| path.display());
                let path = path.map(|path| path.to_string()).unwrap_or_default();
                self.ok("key directory", &format!("{path} can be used"))
            }
            Err(problem) => {
                let text = format!("{problem}. {}", advice::on_key_dir());
                self.fail("key directory", &text)
            }
        }
    }

    fn audit_log(&mut self) -> io::Result<()> {
        let audit = &self.config.audit;
        let Some(path) = audit.path() else {
            return self.ok("audit log", "off");
        };
        match audit.open() {
            Ok(_) => self.ok("audit log", &format!("{} can be written", path.display())),
            Err(error) => {
                let text = format!(
                    "{} cannot be opened: {error}. {}",
                    path.display(),
                    advice::on_audit_log()
                );
                self.fail("audit log", &text)
            }
        }
    }

    fn policy(&self) -> String {
        let policy = &self.config.policy;
        let place = match &policy.allowed_workspaces {
            None => "every workspace of the token".to_owned(),
            Some(allowed) if allowed.len() == 1 => "one workspace".to_owned(),
            Some(allowed) => format!("{} workspaces", allowed.len()),
        };
        if policy.read_only {
            return format!("only reads, in {place}");
        }
        let asks = match policy.confirm {
            Confirm::Auto => "asking first where the client can ask",
            Confirm::Always => "asking first, and not at all where the client cannot ask",
            Confirm::Never => "without asking",
        };
        let keys = match policy.key_output {
            KeyOutput::File => "keys to private files",
            KeyOutput::Show => "keys into results",
        };
        let rate = match policy.changes_per_minute {
            0 => "any number of changes".to_owned(),
            limit => format!("up to {limit} changes a minute"),
        };
        format!(
            "reads, creates up to {} and deletes ({asks}) in {place}; {keys}; {rate}",
            policy.max_role.name()
        )
    }
}
