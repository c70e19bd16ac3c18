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

use crate::cli::{ClientName, ClientOptions};
use crate::commands::Failed;
use crate::commands::shell;
use crate::commands::terminal::{note, note_wrapped, print};
use crate::config::setting::{API_TOKEN_FILE, DOMAIN, SANDBOX};
use crate::config::{CarriedSettings, Config, Environment, Flags};
use entry::{Entry, NAME};
use write::EntryChange;

/// Prints or writes the entry. Everything else goes to standard error: the place, the way to sign in, and each setting that
/// is not in the entry.
pub fn run(
    options: ClientOptions,
    config: &Config,
    flags: &Flags,
    environment: &Environment,
) -> Result<(), Failed> {
    let carried = CarriedSettings::of(config, flags, environment)?;
    let entry = Entry {
        command: command(environment)?,
        arguments: carried.arguments.clone(),
        variables: carried.variables.clone(),
    };
    if !options.write {
        show(options.name, &entry)?;
        note_wrapped(&format!("{ADD} {}", credentials(&carried)))?;
        return left_out(&carried);
    }
    left_out(&carried)?;
    let change = EntryChange {
        client: options.name,
        is_agreed: options.yes,
        entry: &entry,
        environment,
    };
    change.make()?;
    Ok(note_wrapped(&credentials(&carried))?)
}

/// Advice for a configuration that exists.
const ADD: &str = "If the file has such an object already, add the entry to it.";

/// The name of this program if a shell finds it by that, else its path.
fn command(environment: &Environment) -> Result<String, Failed> {
    let this = std::env::current_exe()?;
    let is_this = |found: &Path| same_file::is_same_file(found, &this).unwrap_or(false);
    let found = environment.program(NAME);
    if found.is_some_and(|found| is_this(&found)) {
        return Ok(NAME.to_owned());
    }
    let path = this.into_os_string().into_string();
    path.map_err(|path| format!("the path of this program is not UTF-8: {}", path.display()).into())
}

fn show(client: ClientName, entry: &Entry) -> Result<(), Failed> {
    note_wrapped(client.destination())?;
    print(entry.snippet(client.form()))?;
    if let Some(words) = client.adding(entry) {
        note_wrapped("Or have the client add it for all of your projects:")?;
        // Never wrapped: a line that is broken cannot be pasted.
        note(format!("\n{}\n", shell::line(&words)))?;
    }
    Ok(())
}

/// Names the settings that the entry does not hold.
fn left_out(carried: &CarriedSettings) -> Result<(), Failed> {
    for (name, reason) in &carried.left_out {
        note_wrapped(&format!("Not carried over: {name} {reason}."))?;
    }
    Ok(())
}

fn credentials(carried: &CarriedSettings) -> String {
    let (domain, token_file) = (DOMAIN.name(), API_TOKEN_FILE.name());
    let has = |flag: &str| {
        let mut arguments = carried.arguments.iter();
        arguments.any(|argument| argument.split('=').next() == Some(flag))
    };
    if has(SANDBOX.name()) {
        return "The sandbox needs no login.".to_owned();
    }
    let advice = match has(token_file) {
        true => "The token is read from its file at every call.".to_owned(),
        false => format!(
            "The entry holds no token: run 'astro login DOMAIN' once, or give this command {domain} DOMAIN {token_file} \
             FILE as well."
        ),
    };
    format!("{advice} 'apc-mcp doctor' with the same flags checks it all.")
}
