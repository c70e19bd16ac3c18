//! `apc-mcp client NAME --write`: has the client add the entry itself where it can, else edits its configuration.
//!
//! It shows first what changes, and asks. It prints no secret of an entry that is there.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde_json::Value;

use super::entry::Entry;
use super::file::{Configuration, NotEdited};
use super::table::{CommandLine, ConfigFormat};
use super::{difference, own_program};
use crate::cli::ClientName;
use crate::commands::shell;
use crate::commands::terminal::{can_ask, is_yes, note};
use crate::config::Environment;
use crate::guards::text::quoted;

/// A reason why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum NotWritten {
    #[error(
        "the file is not known for certain, so nothing was written. Put the entry there yourself: 'apc-mcp client {client}' prints it and says where"
    )]
    NoFile { client: String },
    #[error(
        "'{program}' is not in the PATH, and only it can add the entry, so nothing was written. Install it, or put the entry there yourself: 'apc-mcp client {client}' prints it and says where"
    )]
    NoProgram { program: String, client: String },
    #[error("{}: {problem}. Nothing was changed", path.display())]
    File { path: PathBuf, problem: NotEdited },
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
        command: String,
        outcome: String,
        after: ConfigurationAfter,
    },
    #[error(
        "{}: '{command}' ended without an error, and the entry does not show. Look at the client's own list of servers",
        path.display()
    )]
    NotSeen { path: PathBuf, command: String },
    /// Nothing can be shown or asked.
    #[error(transparent)]
    Terminal(#[from] io::Error),
}

/// The state of a configuration after the client's own command failed. Its text is advice.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationAfter {
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
pub struct EntryChange<'a> {
    /// The client.
    pub client: ClientName,
    /// True if nobody has to be asked.
    pub is_agreed: bool,
    /// The new entry.
    pub entry: &'a Entry,
    /// The variables, for the places of programs and files.
    pub environment: &'a Environment,
}

/// The client's own program, and its command that adds the entry.
struct OwnCommand {
    program: PathBuf,
    adding: CommandLine,
}

impl EntryChange<'_> {
    /// Shows the change, asks, and makes it. Fails if nothing was written, or not as it was meant.
    pub fn make(&self) -> Result<(), NotWritten> {
        let path = self.path()?;
        let about = |problem| NotWritten::File {
            path: path.clone(),
            problem,
        };
        let own = self.own_command(&path)?;
        let file = Configuration::read(&path).map_err(about)?;
        let old = self.there(&file, own.as_ref()).map_err(about)?;
        if old.as_ref().is_some_and(|old| self.is_in(old)) {
            say(&path, "the entry is there already. Nothing was changed.")?;
            return Ok(about_kept(old.as_ref(), &[])?);
        }
        let form = self.client.form();
        let there = old.as_ref().map(|old| Entry::read(old, form));
        for line in difference::lines(there.as_ref(), self.entry) {
            note(line)?;
        }
        say(&path, "this is the change of the entry.")?;
        let kept = match &old {
            Some(old) if form != ConfigFormat::Toml => self.entry.kept(old, form),
            _ => Vec::new(),
        };
        about_kept(old.as_ref(), &kept)?;
        if !self.is_agreed {
            ask()?;
        }
        file.is_unchanged().map_err(about)?;
        if let Some(copy) = file.copy().map_err(about)? {
            note(format!("The file as it was is in {}", copy.display()))?;
        }
        // A client would drop the members that stay.
        match own.as_ref().filter(|_| kept.is_empty()) {
            Some(own) => self.by_client(own, old.is_some(), &file, &path)?,
            None => self.by_hand(&file, old.as_ref()).map_err(about)?,
        }
        self.end(&path, own.as_ref())
    }

    /// Tells if an entry that is there needs no change.
    fn is_in(&self, old: &Value) -> bool {
        match self.client.form() {
            ConfigFormat::Toml => Entry::read(old, ConfigFormat::Toml) == *self.entry,
            form => self.entry.over(old, form) == *old,
        }
    }

    fn path(&self) -> Result<PathBuf, NotWritten> {
        let path = self.client.file(self.environment);
        path.ok_or_else(|| NotWritten::NoFile {
            client: self.name(),
        })
    }

    fn name(&self) -> String {
        let value = self.client.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// The client's own command, unless the file is a link: some clients put a new file in its place.
    fn own_command(&self, path: &Path) -> Result<Option<OwnCommand>, NotWritten> {
        let is_edited = self.client.form() != ConfigFormat::Toml && path.is_symlink();
        let Some(adding) = self.client.adding(self.entry).filter(|_| !is_edited) else {
            return Ok(None);
        };
        let name = adding.first().map(String::as_str).unwrap_or_default();
        let found = self.environment.program(name);
        let program = found.ok_or_else(|| NotWritten::NoProgram {
            program: name.to_owned(),
            client: self.name(),
        })?;
        Ok(Some(OwnCommand { program, adding }))
    }

    fn there(
        &self,
        file: &Configuration,
        own: Option<&OwnCommand>,
    ) -> Result<Option<Value>, NotEdited> {
        match self.client.form() {
            ConfigFormat::Toml => match own.and_then(|own| own_program::told(&own.program)) {
                None if file.seems_to_have_entry(ConfigFormat::Toml.root()) => {
                    Err(NotEdited::NotTold)
                }
                told => Ok(told),
            },
            form => file.entry(form.root()),
        }
    }

    /// Runs the client's own commands. If they fail, the file is put back. One that the client made stays for a person to
    /// look at.
    fn by_client(
        &self,
        own: &OwnCommand,
        is_there: bool,
        file: &Configuration,
        path: &Path,
    ) -> Result<(), NotWritten> {
        let removing = self.client.removing().filter(|_| is_there);
        for words in removing.iter().chain([&own.adding]) {
            if let Err(outcome) = own_program::run(&own.program, words) {
                let after = match file.restore() {
                    Err(_) => ConfigurationAfter::NotRestored,
                    Ok(()) if !file.exists() && path.exists() => {
                        ConfigurationAfter::Made(path.to_owned())
                    }
                    Ok(()) => ConfigurationAfter::AsBefore,
                };
                let command = shell::line(words);
                return Err(NotWritten::Client {
                    command,
                    outcome,
                    after,
                });
            }
        }
        Ok(())
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
        let words = match own {
            _ if is_seen => "written. Restart the client, or have it reload its servers.",
            Some(own) if self.client != ClientName::Vscode => {
                return Err(NotWritten::NotSeen {
                    path: path.to_owned(),
                    command: shell::line(&own.adding),
                });
            }
            _ => "the entry does not show yet. Look at the client's own list of servers.",
        };
        Ok(say(path, words)?)
    }
}

fn say(path: &Path, words: &str) -> io::Result<()> {
    note(format!("{}: {words}", path.display()))
}

/// Names the members that stay, and the one that switches the entry off.
fn about_kept(old: Option<&Value>, kept: &[&str]) -> io::Result<()> {
    if !kept.is_empty() {
        let names: Vec<_> = kept.iter().map(|name| quoted(name)).collect();
        let names = names.join(", ");
        note(format!(
            "These members of the entry stay as they are: {names}."
        ))?;
    }
    for (name, value) in [("disabled", true), ("enabled", false)] {
        if old.and_then(|old| old.get(name)) == Some(&Value::Bool(value)) {
            note(format!(
                "The entry is switched off: '{name}' in it is {value}. Switch it on in the client."
            ))?;
        }
    }
    Ok(())
}

fn ask() -> Result<(), NotWritten> {
    if !can_ask() {
        return Err(NotWritten::NobodyToAsk);
    }
    write!(anstream::stderr(), "Write it? [y/N] ")?;
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    match is_yes(&line) {
        true => Ok(()),
        false => Err(NotWritten::Declined),
    }
}
