//! The report of the doctor: each check is printed as it comes, or all of them as one JSON document at the end.

use std::io;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use serde_json::json;

use crate::cli::DoctorOptions;
use crate::commands::terminal::{print, print_wrapped, width, wrapped};
use crate::guards::secret::Secrets;
use crate::guards::text::on_one_line;

const TITLE: Style = Style::new().bold();
const OK: Style = AnsiColor::Green.on_default();
const WARN: Style = AnsiColor::Yellow.on_default();
const FAIL: Style = AnsiColor::Red.on_default().bold();

/// The columns of the verdict and the blanks after it.
const VERDICT: usize = 6;

/// The outcome of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    Ok,
    Warn,
    Fail,
}

impl Status {
    fn shown(self) -> (Style, &'static str) {
        match self {
            Self::Ok => (OK, "ok"),
            Self::Warn => (WARN, "warn"),
            Self::Fail => (FAIL, "fail"),
        }
    }
}

/// The words of a check: a fact, and the advice that follows from it.
pub(super) struct Finding {
    text: String,
    advice: Option<String>,
}

impl Finding {
    /// The same after a beginning.
    pub(super) fn after(self, beginning: &str) -> Self {
        Self {
            text: format!("{beginning}{}", self.text),
            ..self
        }
    }
}

impl From<&str> for Finding {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl From<String> for Finding {
    fn from(text: String) -> Self {
        Self { text, advice: None }
    }
}

impl<T: Into<String>, A: Into<String>> From<(T, A)> for Finding {
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
    section: &'static str,
    name: String,
    verdict: Status,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

impl Check {
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
    is_json: bool,
    secrets: &'a Secrets,
    section: &'static str,
    checks: Vec<Check>,
}

impl<'a> Report<'a> {
    pub(super) fn new(options: &DoctorOptions, secrets: &'a Secrets) -> Self {
        Self {
            is_json: options.json,
            secrets,
            section: "",
            checks: Vec::new(),
        }
    }

    /// Begins a section, whose name is that in JSON. The remark follows its title.
    pub(super) fn begin(
        &mut self,
        name: &'static str,
        title: &str,
        remark: &str,
    ) -> io::Result<()> {
        self.section = name;
        let gap = if self.checks.is_empty() { "" } else { "\n" };
        self.line(&format!("{gap}{TITLE}{title}{TITLE:#}{remark}"))
    }

    /// Adds a check, without any secret in it.
    pub(super) fn add(
        &mut self,
        verdict: Status,
        name: &str,
        words: impl Into<Finding>,
    ) -> io::Result<()> {
        let Finding { text, advice } = words.into();
        let clean = |text: String| on_one_line(&self.secrets.scrub_foreign(&text));
        let check = Check {
            section: self.section,
            name: clean(name.to_owned()),
            verdict,
            text: clean(text),
            advice: advice.map(clean),
        };
        let (style, word) = verdict.shown();
        let sentences = wrapped(&check.sentences(), VERDICT, width());
        self.line(&format!("{style}{word:<4}{style:#}  {sentences}"))?;
        self.checks.push(check);
        Ok(())
    }

    /// Ends the report with what matters, by name, and gives the exit code.
    pub(super) fn end(&self) -> io::Result<ExitCode> {
        let is_ok = self.named(Status::Fail).is_empty();
        match self.is_json {
            true => print(format!("{:#}", json!({"ok": is_ok, "checks": self.checks})))?,
            false => print_wrapped(&format!("\n{}", self.summary()))?,
        }
        Ok(ExitCode::from(u8::from(!is_ok)))
    }

    fn summary(&self) -> String {
        let (failed, warned) = (self.named(Status::Fail), self.named(Status::Warn));
        let names = failed.join(", ");
        let failed = match failed.len() {
            0 if warned.is_empty() => "All checks passed.".to_owned(),
            0 => "No check failed.".to_owned(),
            1 => format!("1 check failed: {names}."),
            many => format!("{many} checks failed: {names}. Begin with the first one."),
        };
        let names = warned.join(", ");
        match warned.len() {
            0 => failed,
            1 => format!("{failed} 1 warning: {names}."),
            many => format!("{failed} {many} warnings: {names}."),
        }
    }

    fn named(&self, verdict: Status) -> Vec<&str> {
        let checks = self.checks.iter().filter(|check| check.verdict == verdict);
        checks.map(|check| check.name.as_str()).collect()
    }

    fn line(&self, line: &str) -> io::Result<()> {
        match self.is_json {
            true => Ok(()),
            false => print(line),
        }
    }
}
