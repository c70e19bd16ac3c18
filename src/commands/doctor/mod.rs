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

use crate::cli::DoctorOptions;
use crate::commands::Failed;
use crate::commands::sandbox::EmbeddedSandbox;
use crate::config::{Config, Environment};
use crate::guards::secret::Secrets;
use report::{Finding, Report, Status};

/// Checks everything that a call needs and prints what it finds.
///
/// # Errors
/// The report cannot be printed, or the sandbox does not start.
pub async fn run(
    options: DoctorOptions,
    mut config: Config,
    secrets: Secrets,
    environment: &Environment,
) -> Result<ExitCode, Failed> {
    let _sandbox = EmbeddedSandbox::if_wanted(&mut config).await?;
    let installation = config.installation().await;
    if let Ok(found) = &installation {
        secrets.remember_token(found.token.expose());
    }
    let mut doctor = Doctor {
        config: &config,
        secrets: &secrets,
        report: Report::new(&options, &secrets),
    };
    let found = installation.as_ref().ok();
    doctor.settings(found, &options).await?;
    doctor.report.begin("connection", "Connection", "")?;
    match &installation {
        Ok(found) => doctor.connection(found).await?,
        Err(missing) => doctor.without_installation(missing).await?,
    }
    doctor.report.begin("machine", "This machine", "")?;
    doctor.machine()?;
    let title = "Servers that a client starts";
    doctor.report.begin("clients", title, "")?;
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
    fn ok(&mut self, name: &str, words: impl Into<Finding>) -> io::Result<()> {
        self.report.add(Status::Ok, name, words)
    }

    fn warn(&mut self, name: &str, words: impl Into<Finding>) -> io::Result<()> {
        self.report.add(Status::Warn, name, words)
    }

    fn fail(&mut self, name: &str, words: impl Into<Finding>) -> io::Result<()> {
        self.report.add(Status::Fail, name, words)
    }
}
