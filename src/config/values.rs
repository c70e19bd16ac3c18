//! What the values of settings may be, and how a refused one may be shown.
//! Knows no setting by name.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::apc::installation::{ApiUrl, Domain, UrlRefused};
use crate::apc::{Role, WorkspaceId};
use crate::guards::logging::Level;
use crate::guards::policy::{Confirm, KeyOutput};

/// The longest refused value that is shown.
const SHOWN_MAX: usize = 20;

/// Several clients hand on `${NAME}` as it stands where the variable is unset.
pub(super) fn not_a_placeholder(text: &str) -> Result<&str, String> {
    let trimmed = text.trim();
    if trimmed.starts_with("${") && trimmed.find('}') == Some(trimmed.len() - 1) {
        return Err(format!(
            "is {}, a placeholder that the client did not fill in",
            shown(trimmed)
        ));
    }
    Ok(text)
}

/// A refused value as it may be shown: a secret could have been put into the wrong setting.
pub(super) fn shown(value: &str) -> String {
    if let Ok(mut url) = Url::parse(value)
        && url.has_host()
    {
        let hidden = url.set_username("").and_then(|()| url.set_password(None));
        url.set_query(None);
        url.set_fragment(None);
        if hidden.is_ok() {
            return format!("'{url}'");
        }
    }
    match value.chars().count() {
        0..=SHOWN_MAX => format!("'{}'", value.escape_debug()),
        length => format!("a value of {length} characters"),
    }
}

pub(super) fn path(text: &str) -> Result<PathBuf, String> {
    Ok(PathBuf::from(text))
}

pub(super) fn api_url(text: &str) -> Result<ApiUrl, String> {
    ApiUrl::parse(text.trim()).map_err(|refused| format!("is {}: {refused}", shown(text)))
}

pub(super) fn domain(text: &str) -> Result<Domain, String> {
    Domain::parse(text).map_err(|refused| match refused {
        UrlRefused::Malformed => {
            format!("is {}; accepted is a domain such as acme.dev (for an address or a path use APC_API_URL)", shown(text))
        }
        refused => format!("is {}: {refused}", shown(text)),
    })
}

pub(super) fn workspace_id(text: &str) -> Result<WorkspaceId, String> {
    WorkspaceId::parse(text.trim())
        .map_err(|accepted| format!("is {}; accepted: {}", shown(text), accepted.0))
}

pub(super) fn workspace_ids(text: &str) -> Result<BTreeSet<WorkspaceId>, String> {
    let ids = text.split(',').map(str::trim).filter(|id| !id.is_empty());
    let ids: BTreeSet<_> = ids.map(workspace_id).collect::<Result<_, _>>()?;
    // An empty list would allow nothing or everything; neither was said.
    if ids.is_empty() {
        Err(format!(
            "is {}; accepted are ids of workspaces",
            shown(text)
        ))
    } else {
        Ok(ids)
    }
}

pub(super) fn role(text: &str) -> Result<Role, String> {
    Role::parse(text.trim()).map_err(|_| one_of(text, &Role::ALL.map(Role::name)))
}

pub(super) fn confirm(text: &str) -> Result<Confirm, String> {
    match text.trim() {
        "auto" => Ok(Confirm::Auto),
        "always" => Ok(Confirm::Always),
        "never" => Ok(Confirm::Never),
        _ => Err(one_of(text, &["auto", "always", "never"])),
    }
}

pub(super) fn key_output(text: &str) -> Result<KeyOutput, String> {
    match text.trim() {
        "file" => Ok(KeyOutput::File),
        "show" => Ok(KeyOutput::Show),
        _ => Err(one_of(text, &["file", "show"])),
    }
}

pub(super) fn changes(text: &str) -> Result<u32, String> {
    let number = text.trim().parse().ok().filter(|number| *number <= 100_000);
    number.ok_or_else(|| {
        format!(
            "is {}; accepted are whole numbers from 0 (no limit) to 100000",
            shown(text)
        )
    })
}

pub(super) fn one_of(text: &str, accepted: &[&str]) -> String {
    format!("is {}; accepted: {}", shown(text), accepted.join(", "))
}

pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let number = text
        .trim()
        .trim_end_matches('s')
        .trim_end()
        .parse::<f64>()
        .ok();
    number
        .filter(|seconds| (0.1..=300.0).contains(seconds))
        .map(Duration::from_secs_f64)
        .ok_or_else(|| format!("is {}; accepted are seconds from 0.1 to 300", shown(text)))
}

pub(super) fn switch(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(one_of(text, &["true", "false", "1", "0"])),
    }
}

pub(super) fn level(text: &str) -> Result<Level, String> {
    Level::named(text.trim()).ok_or_else(|| {
        format!(
            "is {}; accepted: off, error, warn, info, debug, trace",
            shown(text)
        )
    })
}
