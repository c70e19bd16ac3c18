//! The report of the doctor: each check is printed as it comes, or all of them as one JSON document at the end.

use std::borrow::Cow;
use std::io;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use serde_json::json;

use crate::commands::terminal::{print, width, wrapped};
use crate::guards::secret::Secrets;
use crate::guards::text::on_one_line;

const TITLE: Style = Style::new().bold();
const OK: Style = AnsiColor::Green.on_default();
const WARN: Style = AnsiColor::Yellow.on_default();
const FAIL: Style = AnsiColor::Red.on_default().bold();

/// The columns of the verdict and the blanks after it.
const VERDICT: usize = 6;

/// The form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Lines for people.
    Lines,
    /// One JSON document for programs.
    Json,
}

/// The part of the setup that a check is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Section {
    Settings,
    Connection,
    Token,
    Machine,
    Clients,
}

impl Section {
    fn title(self) -> &'static str {
        match self {
            Self::Settings => "Settings",
            Self::Connection => "Connection",
            Self::Token => "Token",
            Self::Machine => "This machine",
            Self::Clients => "Servers that a client starts",
        }
    }
}

/// The outcome of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Ok,
    Warn,
    Fail,
}

impl Verdict {
    fn shown(self) -> (Style, &'static str) {
        match self {
            Self::Ok => (OK, "ok"),
            Self::Warn => (WARN, "warn"),
            Self::Fail => (FAIL, "fail"),
        }
    }
}

/// The words of a check: a fact, and the advice that follows from it.
pub(super) struct Words {
    text: String,
    advice: Option<String>,
}

impl Words {
    /// The same after a beginning.
    pub(super) fn after(self, beginning: &str) -> Self {
        Self {
            text: format!("{beginning}{}", self.text),
            ..self
        }
    }
}

impl From<&str> for Words {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl From<String> for Words {
    fn from(text: String) -> Self {
        Self { text, advice: None }
    }
}

impl<T: Into<String>, A: Into<String>> From<(T, A)> for Words {
    fn from((text, advice): (T, A)) -> Self {
        Self {
            text: text.into(),
            advice: Some(advice.into()),
        }
    }
}

/// One check.
#[derive(Debug, Serialize)]
struct Check {
    section: Section,
    name: String,
    verdict: Verdict,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

impl Check {
    /// The check in one line.
    fn sentences(&self) -> String {
        let Self {
            name, text, advice, ..
        } = self;
        match advice {
            Some(advice) => format!("{name}: {}. {advice}", text.trim_end_matches('.')),
            None => format!("{name}: {text}"),
        }
    }
}

/// The checks that were made.
pub(super) struct Report<'a> {
    form: Form,
    width: Option<usize>,
    secrets: &'a Secrets,
    section: Section,
    checks: Vec<Check>,
}

impl<'a> Report<'a> {
    pub(super) fn new(form: Form, secrets: &'a Secrets) -> Self {
        Self {
            form,
            width: width(),
            secrets,
            section: Section::Settings,
            checks: Vec::new(),
        }
    }

    /// Begins a section. The remark follows its title.
    pub(super) fn begin(&mut self, section: Section, remark: &str) -> io::Result<()> {
        self.section = section;
        let gap = if self.checks.is_empty() { "" } else { "\n" };
        let title = section.title();
        self.line(&format!("{gap}{TITLE}{title}{TITLE:#}{remark}"))
    }

    /// Adds a check, without any secret in it.
    pub(super) fn add(
        &mut self,
        verdict: Verdict,
        name: &str,
        words: impl Into<Words>,
    ) -> io::Result<()> {
        let Words { text, advice } = words.into();
        let clean = |text: String| on_one_line(&self.secrets.scrub_foreign(&text));
        let check = Check {
            section: self.section,
            name: clean(name.to_owned()),
            verdict,
            text: clean(text),
            advice: advice.map(clean),
        };
        let (style, word) = verdict.shown();
        let sentences = wrapped(&check.sentences(), VERDICT, self.width);
        self.line(&format!("{style}{word:<4}{style:#}  {sentences}"))?;
        self.checks.push(check);
        Ok(())
    }

    /// Ends the report with what matters, by name, and gives the exit code.
    pub(super) fn end(&self) -> io::Result<ExitCode> {
        let is_ok = self.named(Verdict::Fail).is_empty();
        match self.form {
            Form::Lines => print(wrapped(&format!("\n{}", self.summary()), 0, self.width))?,
            Form::Json => print(format!("{:#}", json!({"ok": is_ok, "checks": self.checks})))?,
        }
        Ok(if is_ok {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    fn summary(&self) -> String {
        let (failed, warned) = (self.named(Verdict::Fail), self.named(Verdict::Warn));
        let failed = match failed.as_slice() {
            [] if warned.is_empty() => Cow::from("All checks passed."),
            [] => Cow::from("No check failed."),
            [one] => Cow::from(format!("1 check failed: {one}.")),
            many => Cow::from(format!(
                "{} checks failed: {}. Begin with the first one.",
                many.len(),
                many.join(", ")
            )),
        };
        match warned.as_slice() {
            [] => failed.into_owned(),
            [one] => format!("{failed} 1 warning: {one}."),
            many => format!("{failed} {} warnings: {}.", many.len(), many.join(", ")),
        }
    }

    fn named(&self, verdict: Verdict) -> Vec<&str> {
        let checks = self.checks.iter().filter(|check| check.verdict == verdict);
        checks.map(|check| check.name.as_str()).collect()
    }

    fn line(&self, line: &str) -> io::Result<()> {
        match self.form {
            Form::Lines => print(line),
            Form::Json => Ok(()),
        }
    }
}
