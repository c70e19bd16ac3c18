//! Parsers of the values of settings, and the forms in which values are shown. Knows no setting by name.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use apc_sandbox::Line;
use url::Url;

use super::placeholder::{self, Unmeant, ValueUse};
use super::token;
use crate::apc::installation::{ApiUrl, Domain, UrlRefused};
use crate::apc::{Rank, WorkspaceId};
use crate::guards::logging::Level;
use crate::guards::policy::{Confirm, KeyOutput, Levels};
use crate::guards::secret::{is_secret_shaped, without_secret_shapes};

/// The longest refused value that is shown, in characters.
const SHOWN_MAX: usize = 20;

/// The shown form of a value that is not set.
pub(super) const NOT_SET: &str = "not set";

/// The shown form of a switch that is not set.
pub(super) const OFF: &str = "off";

/// A reason why the value of a setting cannot be used. Its text follows the name of the setting.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum Problem {
    #[error(transparent)]
    Unmeant(#[from] Unmeant),
    #[error(
        "is a value of {length} characters that looks like a token, which has a setting of its own"
    )]
    Token { length: usize },
    #[error("is {value}; accepted: {accepted}")]
    NotAccepted { value: String, accepted: String },
    #[error("is {value}: {reason}")]
    UrlRefused { value: String, reason: UrlRefused },
    #[error("is not UTF-8 text")]
    NotText,
    #[error("begins with ~, and there is no home directory")]
    NoHome,
    #[error("and {other} are both set; unset one of them")]
    SecondToken { other: &'static str },
    #[error("names a file that cannot be opened: {0}")]
    LogFile(Arc<io::Error>),
}

impl Problem {
    fn refused(text: &str, reason: UrlRefused) -> Self {
        let value = shown(text);
        Self::UrlRefused { value, reason }
    }

    fn not_accepted(text: &str, accepted: impl Into<String>) -> Self {
        Self::NotAccepted {
            value: shown(text),
            accepted: accepted.into(),
        }
    }
}

/// The accepted names of a setting with few values. The first name of a value is its shown form.
type Choices<T> = [(&'static str, T)];

pub(super) const CONFIRMS: &Choices<Confirm> = &[
    ("auto", Confirm::Auto),
    ("always", Confirm::Always),
    ("never", Confirm::Never),
];

pub(super) const KEY_OUTPUTS: &Choices<KeyOutput> =
    &[("file", KeyOutput::File), ("show", KeyOutput::Show)];

/// The levels at which something is logged.
pub(super) const LEVELS: &Choices<Level> = &[
    (OFF, Level::OFF),
    ("error", Level::ERROR),
    ("warn", Level::WARN),
    ("info", Level::INFO),
];

/// The ranks of roles. A full role name stands for its rank, on whichever level.
pub(super) const RANKS: &Choices<Rank> = &[
    ("VIEWER", Rank::Viewer),
    ("EDITOR", Rank::Editor),
    ("ADMIN", Rank::Admin),
    ("WORKSPACE_VIEWER", Rank::Viewer),
    ("WORKSPACE_EDITOR", Rank::Editor),
    ("WORKSPACE_ADMIN", Rank::Admin),
    ("DEPLOYMENT_VIEWER", Rank::Viewer),
    ("DEPLOYMENT_EDITOR", Rank::Editor),
    ("DEPLOYMENT_ADMIN", Rank::Admin),
];

pub(super) const LEVELS_OF_WORK: &Choices<Levels> = &[
    ("workspace,deployment", Levels::All),
    ("workspace", Levels::WorkspaceOnly),
];

pub(super) const SANDBOX_LINES: &Choices<Line> = &[("today", Line::Today), ("2020", Line::Of2020)];

const SWITCH: &Choices<bool> = &[("true", true), ("false", false), ("1", true), ("0", false)];

/// Refuses a text that nobody meant: several clients pass `${NAME}` on if the variable is unset.
pub(super) fn not_a_placeholder(text: &str, kind: ValueUse) -> Result<(), Unmeant> {
    let text = match kind {
        ValueUse::Token => token::without_scheme(text),
        _ => text,
    };
    placeholder::find(text, kind).map_or(Ok(()), Err)
}

/// Refuses a text that is a token, or has one in a list. It would be looked up as a name, or become a file.
pub(super) fn not_a_token(text: &str) -> Result<&str, Problem> {
    let mut words = text.split([',', ' ']);
    match words.any(|word| is_secret_shaped(word.trim())) {
        true => Err(Problem::Token {
            length: text.trim().chars().count(),
        }),
        false => Ok(text),
    }
}

/// The form of a refused value that may be shown. The value may be a secret in the wrong setting.
pub(super) fn shown(value: &str) -> String {
    if let Ok(mut url) = Url::parse(value)
        && url.has_host()
        && !url.path().contains('@')
    {
        let hidden = url.set_username("").and_then(|()| url.set_password(None));
        url.set_query(None);
        url.set_fragment(None);
        if hidden.is_ok() {
            return format!("'{}'", without_secret_shapes(url.as_str()));
        }
    }
    match (value.chars().count(), without_login(value)) {
        (0..=SHOWN_MAX, Some(shown)) => format!("'{}'", shown.escape_debug()),
        (length, _) => format!("a value of {length} characters"),
    }
}

/// A text without what stands before an `@` and in a query; none if nothing else stands there. `@NAME@` is a placeholder.
fn without_login(text: &str) -> Option<&str> {
    let bare = match text.rsplit_once('@') {
        Some((login, "")) if !login.starts_with('@') => return None,
        Some((login, host)) if !login.is_empty() && !host.is_empty() => host,
        _ => text,
    };
    let has_value = |query: &str| query.contains('=');
    let query = bare.split_once('?').filter(|(_, query)| has_value(query));
    Some(query.map_or(bare, |(address, _)| address))
}

pub(super) fn choice<T: Copy>(text: &str, choices: &Choices<T>) -> Result<T, Problem> {
    let chosen = choices.iter().find(|(name, _)| *name == text.trim());
    chosen.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
        Problem::not_accepted(text, names.join(", "))
    })
}

pub(super) fn switch(text: &str) -> Result<bool, Problem> {
    choice(&text.to_ascii_lowercase(), SWITCH)
}

pub(super) fn api_url(text: &str) -> Result<ApiUrl, Problem> {
    ApiUrl::parse(text.trim()).map_err(|reason| Problem::refused(text, reason))
}

/// Parses a domain. `instead` names the setting for a URL, which people mistake this one for.
pub(super) fn domain(text: &str, instead: impl Display) -> Result<Domain, Problem> {
    Domain::parse(text).map_err(|reason| match reason {
        UrlRefused::Malformed => Problem::not_accepted(
            text,
            format!("a domain such as acme.dev; for an address or a path use {instead}"),
        ),
        reason => Problem::refused(text, reason),
    })
}

pub(super) fn workspace_id(text: &str) -> Result<WorkspaceId, Problem> {
    WorkspaceId::parse(text.trim()).map_err(|accepted| Problem::not_accepted(text, accepted.0))
}

/// Parses ids between commas. An empty list is refused: it could mean all workspaces or none.
pub(super) fn workspace_ids(text: &str) -> Result<BTreeSet<WorkspaceId>, Problem> {
    let ids: BTreeSet<_> = items(text).map(workspace_id).collect::<Result<_, _>>()?;
    match ids.is_empty() {
        true => Err(Problem::not_accepted(text, "ids of workspaces")),
        false => Ok(ids),
    }
}

/// Parses the levels, between commas and in any order.
pub(super) fn levels(text: &str) -> Result<Levels, Problem> {
    let names: BTreeSet<_> = items(text).collect();
    if names == BTreeSet::from(["workspace", "deployment"]) {
        Ok(Levels::All)
    } else if names == BTreeSet::from(["workspace"]) {
        Ok(Levels::WorkspaceOnly)
    } else {
        let accepted = "workspace,deployment or workspace";
        Err(Problem::not_accepted(text, accepted))
    }
}

/// The items of a list with commas.
fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
}

pub(super) fn changes(text: &str) -> Result<u32, Problem> {
    let number = text.trim().parse().ok().filter(|number| *number <= 100_000);
    number.ok_or_else(|| Problem::not_accepted(text, "whole numbers from 0 (no limit) to 100000"))
}

pub(super) fn seconds(text: &str) -> Result<Duration, Problem> {
    let number = text.trim().trim_end_matches('s').trim_end();
    match number.parse() {
        Ok(seconds) if (0.1..=300.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err(Problem::not_accepted(text, "seconds from 0.1 to 300")),
    }
}

/// A text without the byte order mark that some editors and shells put before it.
pub(super) fn without_mark(text: String) -> String {
    let bare = text.strip_prefix('\u{feff}').map(str::to_owned);
    bare.unwrap_or(text)
}

/// Parses a path. A leading `~/` is the home directory: only a shell would have replaced it.
pub(super) fn path(text: &str) -> Result<PathBuf, Problem> {
    let is_separator = |letter: char| letter == '/' || letter == std::path::MAIN_SEPARATOR;
    let Some(rest) = text.strip_prefix('~') else {
        return Ok(text.into());
    };
    match rest.strip_prefix(is_separator) {
        Some(below) => Ok(home()?.join(below.trim_start_matches(is_separator))),
        None if rest.is_empty() => home(),
        None if rest.contains(['/', '\\']) => {
            let accepted = "a path from the root, or from ~/ for your own home directory";
            Err(Problem::not_accepted(text, accepted))
        }
        None => Ok(text.into()),
    }
}

/// Parses a path that is no setting of this program, and refuses one that nobody meant.
pub(super) fn meant_path(text: &str) -> Result<PathBuf, Problem> {
    not_a_placeholder(text, ValueUse::Path)?;
    path(not_a_token(text)?)
}

fn home() -> Result<PathBuf, Problem> {
    std::env::home_dir().ok_or(Problem::NoHome)
}

pub(super) fn name_of<T: PartialEq>(value: T, choices: &Choices<T>) -> String {
    let named = choices.iter().find(|(_, choice)| *choice == value);
    named.map_or(NOT_SET, |(name, _)| name).to_owned()
}

pub(super) fn or_not_set(value: Option<&impl Display>) -> String {
    value.map_or_else(|| NOT_SET.to_owned(), ToString::to_string)
}

pub(super) fn path_in_words(path: Option<&Path>) -> String {
    or_not_set(path.map(Path::display).as_ref())
}

pub(super) fn on_or_off(on: bool) -> String {
    if on { "on" } else { OFF }.to_owned()
}

pub(super) fn ids_in_words(ids: Option<&BTreeSet<WorkspaceId>>) -> String {
    let ids = ids.map(|ids| ids.iter().map(ToString::to_string).collect::<Vec<_>>());
    ids.map_or("all".to_owned(), |ids| ids.join(", "))
}

pub(super) fn changes_in_words(limit: u32) -> String {
    match limit {
        0 => "no limit".to_owned(),
        limit => limit.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_value_is_shown_without_a_login_and_a_query() {
        for (value, expected) in [
            ("me:geheim@acme.dev", "'acme.dev'"),
            ("geheim@acme.dev", "'acme.dev'"),
            ("me:ge@heim@acme.dev", "'acme.dev'"),
            ("geheim@", "a value of 7 characters"),
            ("a.dev?token=geheim", "'a.dev'"),
            ("x:p@a.dev?k=geheim", "'a.dev'"),
            ("http://m:1/geh@a.b", "'a.b'"),
            (
                "https://me:geheim@acme.dev/v1?k=geheim",
                "'https://acme.dev/v1'",
            ),
            ("@NAME@", "'@NAME@'"),
            ("acme dev", "'acme dev'"),
        ] {
            assert_eq!(shown(value), expected, "{value}");
        }
    }

    #[test]
    fn a_timeout_is_in_seconds() {
        assert_eq!(seconds("20").unwrap(), Duration::from_secs(20));
        assert_eq!(seconds("2.5 s").unwrap(), Duration::from_millis(2500));
        for bad in ["0", "-1", "301", "soon", "NaN", "inf", ""] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_levels_are_both_or_that_of_workspaces() {
        for both in [
            "workspace,deployment",
            " deployment , workspace",
            "workspace,deployment,",
        ] {
            assert_eq!(levels(both).unwrap(), Levels::All, "{both}");
        }
        assert_eq!(levels(" workspace ").unwrap(), Levels::WorkspaceOnly);
        for bad in [
            "deployment",
            "system",
            "workspace,system",
            "all",
            "Workspace",
            ",",
        ] {
            assert!(levels(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_full_role_name_stands_for_its_rank() {
        for name in ["EDITOR", " WORKSPACE_EDITOR ", "DEPLOYMENT_EDITOR"] {
            assert_eq!(choice(name, RANKS).unwrap(), Rank::Editor);
        }
        assert_eq!(name_of(Rank::Editor, RANKS), "EDITOR");
        for bad in ["SYSTEM_ADMIN", "editor", "WORKSPACE_", ""] {
            assert!(choice(bad, RANKS).is_err(), "{bad}");
        }
    }
}
