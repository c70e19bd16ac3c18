//! The doctor's checks of this machine: the key directory, the audit log and the policy.
//!
//! It creates the directory and the log as a change would, and leaves no key.

use std::fs;
use std::io;
use std::path::Path;

use super::Doctor;
use crate::apc::Role;
use crate::config::advice;
use crate::config::setting::{AUDIT_LOG, KEY_DIR};
use crate::guards::key_files::{self, Content, KeyDirectory, LeftIntent, Phase};
use crate::guards::policy::{Confirm, KeyOutput};
use crate::guards::text::quoted;

impl Doctor<'_> {
    pub(super) fn machine(&mut self) -> io::Result<()> {
        self.key_directory()?;
        self.left_behind()?;
        self.audit_log()?;
        if self.config.is_broken() {
            let text = "not in force: no call is made while a setting is wrong";
            return self.warn("policy", text);
        }
        self.ok("policy", self.policy())
    }

    fn key_directory(&mut self) -> io::Result<()> {
        let policy = &self.config.policy;
        if policy.read_only || policy.key_output == KeyOutput::Show {
            let text = "not used: no key is kept under these settings";
            return self.ok("key directory", text);
        }
        if let Some(broken) = self.config.broken(&KEY_DIR) {
            return self.warn("key directory", format!("not checked: {broken}"));
        }
        let path = self.config.key_dir.as_deref();
        match KeyDirectory::open(path).and_then(|directory| directory.key_file()) {
            // The file is not published, so dropping it deletes it.
            Ok(_) => {
                let path = path.unwrap_or(Path::new("")).display();
                self.ok("key directory", format!("{path} can be used"))
            }
            Err(problem) => {
                let advice = advice::on_key_dir(&problem);
                self.fail("key directory", (problem.to_string(), advice))
            }
        }
    }

    /// Names what dead processes left, wherever it can be read, and changes nothing of it.
    fn left_behind(&mut self) -> io::Result<()> {
        let Some(directory) = self.config.key_dir.as_deref() else {
            return Ok(());
        };
        for left in KeyDirectory::left_intents(directory) {
            if is_empty(left.path()) {
                continue;
            }
            let text = format!("{}: {}", left.path().display(), unfinished(&left));
            match left.intent().and(self.leaves_intents()) {
                Some(advice) => self.warn("unfinished creation", (text, advice))?,
                None => self.warn("unfinished creation", text)?,
            }
        }
        for path in key_files::unpublished_keys(directory) {
            let text = format!(
                "{} holds a key, or a part of one, that was given no name of its own",
                path.display()
            );
            let advice = "Compare its first 6 characters with the api_key of the accounts that get_service_accounts lists; move it to where it is needed, or delete that account and the file. Nothing deletes it by itself";
            self.warn("unpublished key", (text, advice))?;
        }
        Ok(())
    }

    /// The reason why this server touches no intent, and what helps; none where it does.
    fn leaves_intents(&self) -> Option<String> {
        let flag = match self.config.policy.key_output {
            _ if self.config.policy.read_only => "--read-only",
            KeyOutput::Show => "--key-output show",
            KeyOutput::File => return None,
        };
        Some(format!(
            "This takes a server without {flag}: this one leaves the file as it is"
        ))
    }

    fn audit_log(&mut self) -> io::Result<()> {
        if let Some(broken) = self.config.broken(&AUDIT_LOG) {
            return self.warn("audit log", format!("not checked: {broken}"));
        }
        let audit = &self.config.audit;
        let Some(path) = audit.path() else {
            return self.ok("audit log", "off");
        };
        match audit.check() {
            Ok(_) => self.ok("audit log", format!("{} can be written", path.display())),
            Err(error) => {
                let text = format!("{} cannot be opened: {error}", path.display());
                self.fail("audit log", (text, advice::on_audit_log()))
            }
        }
    }

    fn policy(&self) -> String {
        let policy = &self.config.policy;
        let mut place = match &policy.allowed_workspaces {
            None => "every workspace of the token".to_owned(),
            Some(allowed) if allowed.len() == 1 => "one workspace".to_owned(),
            Some(allowed) => format!("{} workspaces", allowed.len()),
        };
        if policy.has_deployments() {
            place.push_str(" and on deployments there");
        }
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
        let levels = policy.roles().filter(|role| role.rank == policy.max_role);
        let highest: Vec<_> = levels.map(Role::name).collect();
        format!(
            "reads, creates up to {} and deletes ({asks}) in {place}; {keys}; {rate}",
            highest.join(" or ")
        )
    }
}

/// Tells whether a file is empty: such an intent says nothing, and its name is free for the next creation.
fn is_empty(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.len() == 0)
}

/// The subject of an intent, its age, and the advice about it.
fn unfinished(left: &LeftIntent) -> String {
    let intent = match &left.content {
        Content::Intent(intent) => intent,
        Content::Nothing => return "its process ended before it had sent anything; the next call removes it".to_owned(),
        Content::Unreadable => return "this version cannot read it. Look with get_service_accounts for accounts that nobody knows, then delete the file".to_owned(),
    };
    let place = intent.plan.place();
    let place = place.map_or("an unknown place".to_owned(), |place| place.to_string());
    let since = intent.since().format("%Y-%m-%d %H:%M:%S UTC");
    let label = quoted(&intent.plan.label);
    let what = format!("a creation of {label} in {place}, of {since}");
    match &intent.phase {
        Phase::Prepared => format!("{what}, was never sent; the next call there removes it"),
        Phase::Found(found) => {
            let id = quoted(&found.service_account_id);
            let doubt = match found.is_doubtful {
                true => ", or another one",
                false => "",
            };
            format!(
                "{what}, is decided: its account is {id}{doubt}; the next successful call there tells what became of its key"
            )
        }
        Phase::Sent(_) => format!(
            "{what}, was sent, and its process ended before the answer came. Call get_service_accounts there: it recovers the key of the one account that fits, within ten minutes of the creation. If several fit, or the file stays, compare the accounts of that label, delete those that nobody uses, and then this file"
        ),
    }
}
