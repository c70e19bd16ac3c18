//! `apc-mcp client NAME --write`: has the client add the entry itself where it can, else edits its configuration.
//!
//! It shows first what changes, and asks. It prints no secret of an entry that is there.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::entry::{Entry, NAME};
use super::file::{Configuration, NotEdited};
use super::table::{Form, Words};
use crate::cli::ClientName;
use crate::commands::shell;
use crate::commands::terminal::note;
use crate::config::Environment;
use crate::config::setting::API_TOKEN;
use crate::guards::secret::without_secret_shapes;
use crate::guards::text::on_one_line;

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
    #[error("'{command}' failed ({outcome}). {}", restored(.is_restored))]
    Client {
        /// The command.
        command: String,
        /// Its exit status, or the reason why it did not start.
        outcome: String,
        /// The configuration is as it was before.
        is_restored: bool,
    },
    /// Nothing can be shown or asked.
    #[error(transparent)]
    Terminal(#[from] io::Error),
}

fn restored(is_restored: &bool) -> &'static str {
    match is_restored {
        true => "The configuration is as it was before",
        false => "Compare the configuration with the copy of it that is named above",
    }
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

impl Change<'_> {
    /// Shows the change, asks, and makes it.
    ///
    /// # Errors
    /// Nothing was written, or not as it was meant.
    pub fn make(&self, consent: Consent) -> Result<(), NotWritten> {
        let path = self.client.file(self.environment);
        let path = path.ok_or_else(|| NotWritten::NoFile {
            client: self.name.to_owned(),
        })?;
        let about = |problem| NotWritten::File {
            path: path.clone(),
            problem,
        };
        let file = Configuration::read(&path).map_err(about)?;
        let adding = self.client.adding(self.entry);
        // Some clients put a new file in the place of a link.
        let adding = adding.filter(|_| self.client.form() == Form::Toml || !path.is_symlink());
        let program = adding
            .as_ref()
            .map(|words| self.program(words))
            .transpose()?;
        let there = self.there(&file, program.as_deref()).map_err(about)?;
        if there.as_ref() == Some(self.entry) {
            note(format!(
                "{}: the entry is there already. Nothing was changed.",
                path.display()
            ))?;
            return Ok(());
        }
        self.show(&path, there.as_ref())?;
        agreed(consent)?;
        if let Some(copy) = file.copy().map_err(about)? {
            note(format!("The file as it was is in {}", copy.display()))?;
        }
        let told_by = program.clone();
        match (adding, program) {
            (Some(words), Some(program)) => {
                self.by_client(&program, &words, there.is_some(), &file)?
            }
            _ => {
                let form = self.client.form();
                let text = file
                    .with_entry(form.root(), &self.entry.json(form))
                    .map_err(about)?;
                file.replace(&text).map_err(about)?;
            }
        }
        let seen =
            Configuration::read(&path).and_then(|file| self.there(&file, told_by.as_deref()));
        if seen.ok().flatten().as_ref() != Some(self.entry) {
            note(format!(
                "{} does not show the entry yet: look at the client's own list of servers.",
                path.display()
            ))?;
            return Ok(());
        }
        note(format!(
            "Written to {}. Restart the client, or have it reload its servers.",
            path.display()
        ))?;
        Ok(())
    }

    fn program(&self, words: &Words) -> Result<PathBuf, NotWritten> {
        let name = words.first().map(String::as_str).unwrap_or_default();
        let found = self.environment.program(name);
        found.ok_or_else(|| NotWritten::NoProgram {
            program: name.to_owned(),
            client: self.name.to_owned(),
        })
    }

    /// The entry that is there.
    fn there(
        &self,
        file: &Configuration,
        program: Option<&Path>,
    ) -> Result<Option<Entry>, NotEdited> {
        let form = self.client.form();
        let found = match (form, program) {
            (Form::Toml, Some(program)) => told(program),
            (Form::Toml, None) => None,
            _ => file.entry(form.root())?,
        };
        Ok(found.and_then(|value| Entry::read(&value, form)))
    }

    fn show(&self, path: &Path, there: Option<&Entry>) -> io::Result<()> {
        let new = shown(self.entry);
        let Some(there) = there else {
            note(format!(
                "{} gets the entry {NAME}:\n{}",
                path.display(),
                marked(&new, "+")
            ))?;
            return Ok(());
        };
        note(format!(
            "{} has an entry {NAME}. It changes like this:",
            path.display()
        ))?;
        for line in difference(&shown(there), &new) {
            note(line)?;
        }
        let token = API_TOKEN.variable();
        if there.variable(token).is_some() && self.entry.variable(token).is_none() {
            note(format!(
                "The entry that is there holds {token}; the new one does not, and the token comes from elsewhere."
            ))?;
        }
        Ok(())
    }

    /// Runs the client's own commands. If they fail, the file is put back.
    fn by_client(
        &self,
        program: &Path,
        adding: &Words,
        is_there: bool,
        file: &Configuration,
    ) -> Result<(), NotWritten> {
        let removing = self.client.removing().filter(|_| is_there);
        for words in removing.iter().chain([adding]) {
            if let Err(outcome) = run(program, words) {
                return Err(NotWritten::Client {
                    command: shell::line(words),
                    outcome,
                    is_restored: file.restore().is_ok(),
                });
            }
        }
        Ok(())
    }
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

/// Runs a command of the client. Its words go to standard error, so that standard output stays empty.
fn run(program: &Path, words: &[String]) -> Result<(), String> {
    let ended = Command::new(program)
        .args(words.iter().skip(1))
        .stdin(Stdio::null())
        .stdout(io::stderr())
        .status();
    match ended {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(status.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

/// The entry as Codex tells it.
fn told(program: &Path) -> Option<Value> {
    let ended = Command::new(program)
        .args(["mcp", "get", NAME, "--json"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()
        .filter(|ended| ended.status.success())?;
    let mut told: Value = serde_json::from_slice(&ended.stdout).ok()?;
    told.get_mut("transport").map(Value::take)
}

/// The lines of an entry, with no secret in them.
fn shown(entry: &Entry) -> Vec<String> {
    let safe = |text: &str| on_one_line(&without_secret_shapes(text));
    let mut lines = vec![format!("command  {}", safe(&entry.command))];
    let arguments = entry.arguments.iter();
    lines.extend(arguments.map(|argument| format!("argument {}", safe(argument))));
    let variables = entry.variables.iter();
    lines.extend(
        variables.map(|(name, value)| match name == API_TOKEN.variable() {
            true => format!("variable {name}=(not shown)"),
            false => format!("variable {}={}", safe(name), safe(value)),
        }),
    );
    lines
}

fn marked(lines: &[String], mark: &str) -> String {
    let lines: Vec<_> = lines.iter().map(|line| format!("{mark} {line}")).collect();
    lines.join("\n")
}

/// The old lines that go, and all new ones.
fn difference(old: &[String], new: &[String]) -> Vec<String> {
    let gone = old.iter().filter(|line| !new.contains(line));
    let stays = |line: &String| if old.contains(line) { " " } else { "+" };
    gone.map(|line| format!("- {line}"))
        .chain(new.iter().map(|line| format!("{} {line}", stays(line))))
        .collect()
}
