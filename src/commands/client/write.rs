//! `apc-mcp client NAME --write`: has the client add the entry itself where it can, else edits its configuration.
//!
//! It shows first what changes, and asks. It prints no secret of an entry that is there.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::entry::Entry;
use super::file::{Configuration, NotEdited};
use super::table::{Form, Words};
use super::{difference, own_program};
use crate::cli::ClientName;
use crate::commands::shell;
use crate::commands::terminal::note;
use crate::config::Environment;
use crate::guards::text::quoted;

/// The consent to a change of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// Given on the command line.
    Given,
    /// To be asked for.
    Ask,
}

/// A reason why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum NotWritten {
    /// The place of the client's configuration is not known for certain.
    #[error(
        "the file is not known for certain, so nothing was written. Put the entry there yourself: 'apc-mcp client {client}' prints it and says where"
    )]
    NoFile {
        /// The client as it is named on the command line.
        client: String,
    },
    /// The client's own program is missing.
    #[error(
        "'{program}' is not in the PATH, and only it can add the entry, so nothing was written. Install it, or put the entry there yourself: 'apc-mcp client {client}' prints it and says where"
    )]
    NoProgram {
        /// The program.
        program: String,
        /// The client as it is named on the command line.
        client: String,
    },
    /// The file cannot be edited.
    #[error("{}: {problem}. Nothing was changed", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The problem with it.
        problem: NotEdited,
    },
    /// Nobody can be asked.
    #[error(
        "nothing was written, since there is no terminal to ask in. Repeat the command with --yes"
    )]
    NobodyToAsk,
    /// The person said no.
    #[error("nothing was written")]
    Declined,
    /// The client's own command failed.
    #[error("'{command}' failed ({outcome}). {after}")]
    Client {
        /// The command.
        command: String,
        /// Its exit status, or the reason why it did not start.
        outcome: String,
        /// The state of the configuration after that.
        after: After,
    },
    /// The client's own command succeeded, and the entry is not there.
    #[error(
        "{}: '{command}' ended without an error, and the entry does not show. Look at the client's own list of servers",
        path.display()
    )]
    NotSeen {
        /// The file.
        path: PathBuf,
        /// The command.
        command: String,
    },
    /// Nothing can be shown or asked.
    #[error(transparent)]
    Terminal(#[from] io::Error),
}

/// The state of a configuration after the client's own command failed. Its text is advice.
#[derive(Debug, thiserror::Error)]
pub enum After {
    /// It was put back, or there is none, as before.
    #[error("The configuration is as it was before")]
    AsBefore,
    /// It could not be put back.
    #[error("Compare the configuration with the copy of it that is named above")]
    NotRestored,
    /// There was none before.
    #[error("The client made {}, which was not there before: look at it", .0.display())]
    Made(PathBuf),
}

/// The change to be made.
pub struct Change<'a> {
    /// The client.
    pub client: ClientName,
    /// The client's name on the command line.
    pub name: &'a str,
    /// The new entry.
    pub entry: &'a Entry,
    /// The variables, for the places of programs and files.
    pub environment: &'a Environment,
}

/// The client's own program, and its command that adds the entry.
struct OwnCommand {
    program: PathBuf,
    adding: Words,
}

impl Change<'_> {
    /// Shows the change, asks, and makes it.
    ///
    /// # Errors
    /// Nothing was written, or not as it was meant.
    pub fn make(&self, consent: Consent) -> Result<(), NotWritten> {
        let path = self.path()?;
        let about = |problem| NotWritten::File {
            path: path.clone(),
            problem,
        };
        let own = self.own_command(&path)?;
        let file = Configuration::read(&path).map_err(about)?;
        let old = self.there(&file, own.as_ref()).map_err(about)?;
        if old.as_ref().is_some_and(|old| self.is_in(old)) {
            self.say(&path, "the entry is there already. Nothing was changed.")?;
            return about_kept(old.as_ref(), &[]);
        }
        let form = self.client.form();
        let there = old.as_ref().map(|old| Entry::read(old, form));
        for line in difference::lines(there.as_ref(), self.entry) {
            note(line)?;
        }
        self.say(&path, "this is the change of the entry.")?;
        let kept = self.kept(old.as_ref());
        about_kept(old.as_ref(), &kept)?;
        agreed(consent)?;
        file.is_unchanged().map_err(about)?;
        if let Some(copy) = file.copy().map_err(about)? {
            note(format!("The file as it was is in {}", copy.display()))?;
        }
        // A client would drop the members that stay.
        match own.as_ref().filter(|_| kept.is_empty()) {
            Some(own) => self.by_client(own, old.is_some(), &file)?,
            None => self.by_hand(&file, old.as_ref()).map_err(about)?,
        }
        self.end(&path, own.as_ref())
    }

    /// Tells if an entry that is there needs no change.
    fn is_in(&self, old: &Value) -> bool {
        match self.client.form() {
            Form::Toml => Entry::read(old, Form::Toml) == *self.entry,
            form => self.entry.over(old, form) == *old,
        }
    }

    /// The names of the members that stay beside those that are written.
    fn kept<'a>(&self, old: Option<&'a Value>) -> Vec<&'a str> {
        match (self.client.form(), old) {
            (Form::Toml, _) | (_, None) => Vec::new(),
            (form, Some(old)) => self.entry.kept(old, form),
        }
    }

    fn path(&self) -> Result<PathBuf, NotWritten> {
        let path = self.client.file(self.environment);
        path.ok_or_else(|| NotWritten::NoFile {
            client: self.name.to_owned(),
        })
    }

    /// The client's own command, unless the file is a link: some clients put a new file in its place.
    fn own_command(&self, path: &Path) -> Result<Option<OwnCommand>, NotWritten> {
        let is_edited = self.client.form() != Form::Toml && path.is_symlink();
        let Some(adding) = self.client.adding(self.entry).filter(|_| !is_edited) else {
            return Ok(None);
        };
        let name = adding.first().map(String::as_str).unwrap_or_default();
        let found = self.environment.program(name);
        let program = found.ok_or_else(|| NotWritten::NoProgram {
            program: name.to_owned(),
            client: self.name.to_owned(),
        })?;
        Ok(Some(OwnCommand { program, adding }))
    }

    /// The entry that is there.
    fn there(
        &self,
        file: &Configuration,
        own: Option<&OwnCommand>,
    ) -> Result<Option<Value>, NotEdited> {
        match self.client.form() {
            Form::Toml => match own.and_then(|own| own_program::told(&own.program)) {
                None if file.seems_to_have_entry(Form::Toml.root()) => Err(NotEdited::NotTold),
                told => Ok(told),
            },
            form => file.entry(form.root()),
        }
    }

    /// Runs the client's own commands. If they fail, the file is put back.
    fn by_client(
        &self,
        own: &OwnCommand,
        is_there: bool,
        file: &Configuration,
    ) -> Result<(), NotWritten> {
        let removing = self.client.removing().filter(|_| is_there);
        for words in removing.iter().chain([&own.adding]) {
            if let Err(outcome) = own_program::run(&own.program, words) {
                return Err(NotWritten::Client {
                    command: shell::line(words),
                    outcome,
                    after: self.after(file),
                });
            }
        }
        Ok(())
    }

    /// Puts the file back after a failure. One that the client made stays for a person to look at.
    fn after(&self, file: &Configuration) -> After {
        match file.restore() {
            Err(_) => After::NotRestored,
            Ok(()) if file.exists() => After::AsBefore,
            Ok(()) => {
                let made = self.client.file(self.environment);
                let made = made.filter(|path| path.exists());
                made.map_or(After::AsBefore, After::Made)
            }
        }
    }

    fn by_hand(&self, file: &Configuration, old: Option<&Value>) -> Result<(), NotEdited> {
        let form = self.client.form();
        let entry = self.entry.over(old.unwrap_or(&Value::Null), form);
        let text = file.with_entry(form.root(), &entry)?;
        file.replace(&text)
    }

    /// Reads again, and says what came of it. VS Code writes its file when it likes.
    fn end(&self, path: &Path, own: Option<&OwnCommand>) -> Result<(), NotWritten> {
        let seen = Configuration::read(path).and_then(|file| self.there(&file, own));
        let seen = seen.ok().flatten();
        let form = self.client.form();
        let is_seen = seen.is_some_and(|seen| Entry::read(&seen, form) == *self.entry);
        match own {
            _ if is_seen => self.say(
                path,
                "written. Restart the client, or have it reload its servers.",
            ),
            Some(own) if self.client != ClientName::Vscode => Err(NotWritten::NotSeen {
                path: path.to_owned(),
                command: shell::line(&own.adding),
            }),
            _ => self.say(
                path,
                "the entry does not show yet. Look at the client's own list of servers.",
            ),
        }
    }

    fn say(&self, path: &Path, words: &str) -> Result<(), NotWritten> {
        Ok(note(format!("{}: {words}", path.display()))?)
    }
}

/// Names the members that stay, and the one that switches the entry off.
fn about_kept(old: Option<&Value>, kept: &[&str]) -> Result<(), NotWritten> {
    if !kept.is_empty() {
        let names: Vec<_> = kept.iter().map(|name| quoted(name)).collect();
        note(format!(
            "These members of the entry stay as they are: {}.",
            names.join(", ")
        ))?;
    }
    let has = |name, value| old.and_then(|old| old.get(name)) == Some(&Value::Bool(value));
    for (name, value) in [("disabled", true), ("enabled", false)] {
        if has(name, value) {
            note(format!(
                "The entry is switched off: '{name}' in it is {value}. Switch it on in the client."
            ))?;
        }
    }
    Ok(())
}

/// Asks in the terminal, unless consent is given.
fn agreed(consent: Consent) -> Result<(), NotWritten> {
    if consent == Consent::Given {
        return Ok(());
    }
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(NotWritten::NobodyToAsk);
    }
    write!(anstream::stderr(), "Write it? [y/N] ")?;
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    match ["y", "yes"].contains(&line.trim().to_ascii_lowercase().as_str()) {
        true => Ok(()),
        false => Err(NotWritten::Declined),
    }
}
