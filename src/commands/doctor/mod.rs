//! `apc-mcp doctor`: whether a call could work, line by line, and what to do where it could not.
//! Changes nothing at the API, and prints no secret.

mod caller;
mod connection;
mod machine;
mod settings;

use std::io::{self, Write};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};

use crate::commands::sandbox::EmbeddedSandbox;
use crate::config::Config;
use crate::guards::secret::Secrets;
use crate::guards::text::on_one_line;

const TITLE: Style = Style::new().bold();
const OK: Style = AnsiColor::Green.on_default();
const WARN: Style = AnsiColor::Yellow.on_default();
const FAIL: Style = AnsiColor::Red.on_default().bold();

/// Checks everything that a call needs and prints what it finds.
///
/// # Errors
/// Nobody reads what is printed, or the sandbox does not start.
pub async fn run(
    mut config: Config,
    secrets: Secrets,
) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let _sandbox = EmbeddedSandbox::if_wanted(&mut config).await?;
    let installation = config.installation().await;
    if let Ok(found) = &installation {
        secrets.remember(found.token.expose());
    }
    let mut doctor = Doctor {
        config: &config,
        secrets: &secrets,
        failed: 0,
    };
    doctor.settings(installation.as_ref().ok()).await?;
    doctor.title("Connection")?;
    match &installation {
        Ok(found) => doctor.connection(found).await?,
        Err(missing) => doctor.without_installation(&missing.to_string()).await?,
    }
    doctor.title("This machine")?;
    doctor.machine()?;
    Ok(doctor.verdict()?)
}

/// What is being looked at, and how many lines say that it cannot work.
struct Doctor<'a> {
    config: &'a Config,
    secrets: &'a Secrets,
    failed: usize,
}

impl Doctor<'_> {
    fn ok(&self, subject: &str, text: &str) -> io::Result<()> {
        self.line(OK, "ok", subject, text)
    }

    fn warn(&self, subject: &str, text: &str) -> io::Result<()> {
        self.line(WARN, "warn", subject, text)
    }

    fn fail(&mut self, subject: &str, text: &str) -> io::Result<()> {
        self.failed += 1;
        self.line(FAIL, "fail", subject, text)
    }

    fn line(&self, style: Style, verdict: &str, subject: &str, text: &str) -> io::Result<()> {
        let text = on_one_line(&self.secrets.scrub_foreign(text));
        writeln!(
            anstream::stdout(),
            "{style}{verdict:<4}{style:#}  {subject}: {text}"
        )
    }

    fn title(&self, text: &str) -> io::Result<()> {
        writeln!(anstream::stdout(), "\n{TITLE}{text}{TITLE:#}")
    }

    fn verdict(&self) -> io::Result<ExitCode> {
        let (text, code) = match self.failed {
            0 => ("All of it can be used.".to_owned(), ExitCode::SUCCESS),
            1 => (
                "One line says fail; mend that.".to_owned(),
                ExitCode::FAILURE,
            ),
            many => (
                format!("{many} lines say fail; mend the first one first."),
                ExitCode::FAILURE,
            ),
        };
        writeln!(anstream::stdout(), "\n{text}")?;
        Ok(code)
    }
}
