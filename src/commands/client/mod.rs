//! `apc-mcp client NAME`: prints the entry for a client's configuration and the place of it, or writes it there.
//!
//! It prints no secret. The entry works as it stands: it holds every setting that counts here, but for the token.

mod difference;
mod entry;
mod file;
mod own_program;
mod table;
mod write;

use std::path::Path;

use clap::ValueEnum;

use crate::cli::ClientName;
use crate::commands::shell;
use crate::commands::terminal::{note, print, width_of_errors, wrapped};
use crate::config::setting::{API_TOKEN_FILE, DOMAIN, SANDBOX};
use crate::config::{Carried, Config, Environment, Flags};
use entry::{Entry, NAME};
use write::{Change, Consent};

type Failed = Box<dyn std::error::Error>;

/// The things to do with the entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Print it.
    Print,
    /// Show the change of the client's configuration, ask, and make it.
    Write,
    /// The same without asking.
    WriteUnasked,
}

/// Prints or writes the entry. Everything else goes to standard error: the place, the way to sign in, and each setting that
/// is not in the entry.
///
/// # Errors
/// A setting is broken, the path of this program is not UTF-8, nothing was written, or the output cannot be written.
pub fn run(
    client: ClientName,
    task: Task,
    config: &Config,
    flags: &Flags,
    environment: &Environment,
) -> Result<(), Failed> {
    let carried = Carried::of(config, flags, environment)?;
    let variables = carried.variables.iter();
    let variables = variables.map(|(name, value)| ((*name).to_owned(), value.clone()));
    let entry = Entry {
        command: command(environment)?,
        arguments: carried.arguments.clone(),
        variables: variables.collect(),
    };
    let consent = match task {
        Task::Print => {
            show(client, &entry)?;
            say(&format!("{ADD} {}", credentials(&carried)))?;
            return left_out(&carried);
        }
        Task::Write => Consent::Ask,
        Task::WriteUnasked => Consent::Given,
    };
    let name = client.to_possible_value();
    let change = Change {
        client,
        name: name
            .as_ref()
            .map(|name| name.get_name())
            .unwrap_or_default(),
        entry: &entry,
        environment,
    };
    left_out(&carried)?;
    change.make(consent)?;
    say(&credentials(&carried))
}

/// Advice for a configuration that exists.
const ADD: &str = "If the file has such an object already, add the entry to it.";

/// The name of this program if a shell finds it by that, else its path.
fn command(environment: &Environment) -> Result<String, Failed> {
    let this = std::env::current_exe()?;
    let is_this = |found: &Path| same_file::is_same_file(found, &this).unwrap_or(false);
    if environment
        .program(NAME)
        .is_some_and(|found| is_this(&found))
    {
        return Ok(NAME.to_owned());
    }
    let path = this.into_os_string().into_string();
    path.map_err(|path| format!("the path of this program is not UTF-8: {}", path.display()).into())
}

fn show(client: ClientName, entry: &Entry) -> Result<(), Failed> {
    say(client.destination())?;
    print(entry.snippet(client.form()))?;
    if let Some(words) = client.adding(entry) {
        say("Or have the client add it for all of your projects:")?;
        // Never wrapped: a line that is broken cannot be pasted.
        note(format!("\n{}\n", shell::line(&words)))?;
    }
    Ok(())
}

/// Names the settings that the entry does not hold.
fn left_out(carried: &Carried) -> Result<(), Failed> {
    for (name, reason) in &carried.left_out {
        say(&format!("Not carried over: {name} {reason}."))?;
    }
    Ok(())
}

fn credentials(carried: &Carried) -> String {
    let (domain, token_file) = (DOMAIN.name(), API_TOKEN_FILE.name());
    let has = |flag: &str| {
        let mut arguments = carried.arguments.iter();
        arguments.any(|argument| argument.split('=').next() == Some(flag))
    };
    let advice = if has(SANDBOX.name()) {
        return "The sandbox needs no login.".to_owned();
    } else if has(token_file) {
        "The token is read from its file at every call.".to_owned()
    } else {
        format!(
            "The entry holds no token: run 'astro login DOMAIN' once, or give this command {domain} DOMAIN {token_file} \
             FILE as well."
        )
    };
    format!("{advice} 'apc-mcp doctor' with the same flags checks it all.")
}

fn say(text: &str) -> Result<(), Failed> {
    Ok(note(wrapped(text, 0, width_of_errors()))?)
}
