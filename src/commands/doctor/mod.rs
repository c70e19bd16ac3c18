//! `apc-mcp doctor`: whether a call could work, check by check, and what to do where it could not.
//! Changes nothing at the API, and prints no secret.

mod caller;
mod clients;
mod connection;
mod machine;
mod report;
mod rights;
mod settings;

use std::io;
use std::process::ExitCode;

use crate::commands::sandbox::EmbeddedSandbox;
use crate::config::{Config, Environment};
use crate::guards::secret::Secrets;

pub use report::Form;
use report::{Report, Section, Verdict, Words};

/// The settings that are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Those that somebody has set, and those that are wrong.
    Set,
    /// All of them, defaults included.
    All,
}

/// Checks everything that a call needs and prints what it finds.
///
/// # Errors
/// The report cannot be printed, or the sandbox does not start.
pub async fn run(
    mut config: Config,
    secrets: Secrets,
    environment: &Environment,
    (form, shown): (Form, Shown),
) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let _sandbox = EmbeddedSandbox::if_wanted(&mut config).await?;
    let installation = config.installation().await;
    if let Ok(found) = &installation {
        secrets.remember_token(found.token.expose());
    }
    let mut doctor = Doctor {
        config: &config,
        secrets: &secrets,
        report: Report::new(form, &secrets),
    };
    doctor.settings(installation.as_ref().ok(), shown).await?;
    doctor.report.begin(Section::Connection, "")?;
    match &installation {
        Ok(found) => doctor.connection(found).await?,
        Err(missing) => doctor.without_installation(missing).await?,
    }
    doctor.report.begin(Section::Machine, "")?;
    doctor.machine()?;
    doctor.report.begin(Section::Clients, "")?;
    doctor.clients(environment)?;
    Ok(doctor.report.end()?)
}

/// The setup that is examined, and the report of it.
struct Doctor<'a> {
    config: &'a Config,
    secrets: &'a Secrets,
    report: Report<'a>,
}

impl Doctor<'_> {
    fn ok(&mut self, name: &str, words: impl Into<Words>) -> io::Result<()> {
        self.report.add(Verdict::Ok, name, words)
    }

    fn warn(&mut self, name: &str, words: impl Into<Words>) -> io::Result<()> {
        self.report.add(Verdict::Warn, name, words)
    }

    fn fail(&mut self, name: &str, words: impl Into<Words>) -> io::Result<()> {
        self.report.add(Verdict::Fail, name, words)
    }
}
