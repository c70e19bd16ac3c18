//! The words of failures that every tool shares: an error of the API, or a rule of this server.
//! Each says what happened, why as far as it is known, and what to do next.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::failure::{Code, Failure};
use super::place_words::not_permitted;
use super::unreachable::unreachable;
use crate::apc::error::{ApiError, Rejection};
use crate::apc::installation::{ApiUrl, Installation, TokenSource};
use crate::apc::token::TokenKind;
use crate::apc::{Level, Role};
use crate::config::advice;
use crate::config::setting::API_TOKEN;
use crate::guards::audit::AuditLog;
use crate::guards::key_files::KeyDirProblem;
use crate::guards::policy::{Policy, TooMany};
use crate::guards::secret::Secrets;
use crate::guards::text::{gist, harmless, quoted};

/// The longest reason of the operating system's in an error, in characters.
pub const REASON_MAX: usize = 200;

/// The longest message of the API's own in an error, in characters.
const MESSAGE_MAX: usize = 300;

/// The failure of a read, or of a change that was certainly not made, in words that fit every tool. A tool that knows
/// better says so itself.
pub fn api_failure(error: &ApiError, installation: &Installation, secrets: &Secrets) -> Failure {
    let (url, source) = (&installation.url, &installation.token_source);
    let (host, what) = (url.host(), happened(error, url, secrets));
    let (code, text) = match error {
        ApiError::Unreachable(why) => return unreachable(why, url),
        ApiError::RateLimited { retry_after } => return rate_limited(*retry_after, host),
        ApiError::Unauthenticated => return unauthenticated(installation),
        ApiError::PermissionDenied => (Code::PermissionDenied, not_permitted(installation)),
        ApiError::TimedOut => {
            let text = format!(
                "The Private Cloud API at {} did not answer in time. Nothing was changed. Call again, or raise --timeout (APC_TIMEOUT).",
                url.address()
            );
            (Code::TimedOut, text)
        }
        ApiError::ConnectionLost => {
            let text = format!("{what} Nothing was changed. Call again in a minute.");
            (Code::Unreachable, text)
        }
        ApiError::TokenInDoubt { message } => {
            let text = format!(
                "The API at {host} did not accept the token from {source}: it answered its list of workspaces, which every valid token may read, with {}. Nothing was changed. Set another token; if these words are about the platform and not the token, call again later.",
                foreign(message, secrets)
            );
            (Code::Unauthenticated, text)
        }
        ApiError::Incompatible { message } => {
            let text = format!(
                "The API at {host} does not understand the request, so nothing was done; it says {}. {ANOTHER_RELEASE}",
                foreign(message, secrets)
            );
            (Code::IncompatibleApi, text)
        }
        ApiError::MissingData => {
            let text = format!("{what} Nothing was changed. {ANOTHER_RELEASE}");
            (Code::IncompatibleApi, text)
        }
        _ => {
            let text = format!("{what} Nothing was changed. {ASK_OPERATORS}");
            (Code::ApiError, text)
        }
    };
    Failure::new(code, text)
}

pub fn accounts(count: usize) -> String {
    match count {
        1 => "1 account".to_owned(),
        many => format!("{many} accounts"),
    }
}

/// The first of these in words, at most this many, and the number of the others; none if there are none.
pub fn first_named<T>(
    all: impl ExactSizeIterator<Item = T>,
    most: usize,
    words: impl Fn(T) -> String,
) -> Option<String> {
    let more = all.len().saturating_sub(most);
    let mut named: Vec<_> = all.take(most).map(words).collect();
    if more > 0 {
        named.push(format!("{more} more"));
    }
    (!named.is_empty()).then(|| named.join(", "))
}

/// The failure of a call to a tool that is not in the table.
pub fn unknown_tool(name: &str) -> Failure {
    Failure::new(
        Code::InternalError,
        format!("There is no tool {}.", quoted(name)),
    )
}

/// The failure of a creation whose role is above the highest that this server may give.
pub fn role_not_allowed(role: Role, policy: &Policy) -> Failure {
    let highest = Role {
        rank: policy.max_role,
        ..role
    };
    let text = format!(
        "{} is above {}, the highest role that --max-role (APC_MAX_ROLE) allows. Nothing was sent; take a lower role, or have whoever runs this server raise it.",
        role.name(),
        highest.name()
    );
    Failure::new(Code::NotAllowed, text)
}

/// The fault of a role that belongs to another level than the place.
pub fn role_of_other_level(role: Role, level: Level, policy: &Policy) -> String {
    let accepted = policy.accepted_roles(level);
    let place = match (policy.has_deployments(), level) {
        (false, _) => return format!("role is '{}'; accepted: {accepted}", role.name()),
        (true, Level::Workspace) => "in a workspace",
        (true, Level::Deployment) => "on a deployment",
    };
    let instead = match role.rank <= policy.max_role {
        true => format!("; the role of the same rank is {}", role.on(level).name()),
        false => String::new(),
    };
    format!(
        "role is '{}'; accepted {place}: {accepted}{instead}",
        role.name()
    )
}

/// The failure of a call with an argument about deployments, on a server that works on workspaces alone.
pub fn level_switched_off(argument: &str) -> Failure {
    let text = format!(
        "{argument} is switched off: this server works on workspaces alone, as --levels (APC_LEVELS) is 'workspace'. Nothing was sent; leave the argument out, or have whoever runs this server add the other level."
    );
    Failure::new(Code::NotAllowed, text)
}

/// The sentence about a server that only reads, to stand after others.
pub const ONLY_READS: &str = " This server only reads: --read-only (APC_READ_ONLY) is set.";

/// The failure of a change that would be one too many in a minute.
pub fn too_many_changes(too_many: &TooMany, policy: &Policy) -> Failure {
    let TooMany { seconds, fitting } = too_many;
    let changes = match fitting {
        1 => "change fits",
        _ => "changes fit",
    };
    let text = format!(
        "{} changes were sent in the last minute, as many as --max-changes-per-minute (APC_MAX_CHANGES_PER_MINUTE) allows. Nothing was done. Call again in {seconds} s: {fitting} {changes} then.",
        policy.changes_per_minute
    );
    Failure::new(Code::RateLimited, text)
        .with("retry_after_seconds", json!(seconds))
        .with("changes_then", json!(fitting))
}

/// The failure of a change that cannot be recorded in the audit log.
pub fn audit_unusable(log: &AuditLog, error: &std::io::Error) -> Failure {
    let path = log.path().map(|path| path.display().to_string());
    let text = format!(
        "The audit log {} cannot be written: {}. Nothing was changed. {}.",
        quoted(&path.unwrap_or_default()),
        harmless(&error.to_string(), REASON_MAX),
        advice::on_audit_log()
    );
    Failure::new(Code::NotConfigured, text)
}

/// The failure of a creation whose key could not be stored.
pub fn key_dir_unusable(problem: &KeyDirProblem) -> Failure {
    let text = format!(
        "The directory for key files {}. Nothing was created. {}.",
        harmless(&problem.to_string(), REASON_MAX + 200),
        advice::on_key_dir(problem)
    );
    Failure::new(Code::NotConfigured, text)
}

fn without_version(url: &ApiUrl) -> String {
    format!(
        "The URL that is set has no /v1 in its path, where every installation has its API: set --api-url (APC_API_URL) to a URL such as {}.",
        url.usual()
    )
}

const ASK_OPERATORS: &str = "If it happens again, ask those who run the installation.";

const ANOTHER_RELEASE: &str = "This release may be too old or too new for this server: no other call helps, so tell the user to run 'apc-mcp doctor', which shows the release.";

/// One sentence on what happened to a request, without advice.
pub fn happened(error: &ApiError, url: &ApiUrl, secrets: &Secrets) -> String {
    let (host, at) = (url.host(), url.address());
    match error {
        ApiError::TimedOut => format!("The API at {at} did not answer in time."),
        ApiError::ConnectionLost => {
            format!("The connection to {at} ended before the whole answer came.")
        }
        ApiError::Status { status } if url.lacks_version() => format!(
            "{host} answered with a page of HTTP status {status} in place of the API's answer. {}",
            without_version(url)
        ),
        ApiError::NotGraphql if url.lacks_version() => format!(
            "{host} answered with something that is not the API's. {}",
            without_version(url)
        ),
        ApiError::Status { status: 404 } => format!(
            "{host} answered with a page of HTTP status 404: there is no API at this address, or something in front of it, such as a proxy, a firewall or an ingress, does not let the request through. A data plane has no API of its own: use the domain of its control plane."
        ),
        ApiError::Status { status } => {
            format!(
                "{host} answered with a page of HTTP status {status} in place of the API's answer; it comes from something in front of the API, such as a proxy, a firewall or an ingress."
            )
        }
        ApiError::NotGraphql => {
            format!("{host} answered with something that is not the API's, perhaps a login page.")
        }
        ApiError::Compressed { encoding } => format!(
            "{host} answered with a body in the compression {}, which was not asked for, so it was not read. Something in front of the API compresses it, such as a proxy or an ingress: those who run that have to switch it off for requests without Accept-Encoding.",
            quoted(encoding)
        ),
        ApiError::TooLarge => {
            format!("The answer of {host} is larger than 32 MiB and was not read.")
        }
        ApiError::Redirected { host: Some(to) } => {
            format!(
                "{host} redirects to {}, which is not followed: the token would go along.",
                quoted(to)
            )
        }
        ApiError::Redirected { host: None } => {
            format!("{host} redirects, which is not followed: the token would go along.")
        }
        ApiError::RefusalUnexplained => format!(
            "The API at {host} refused, and did not answer the question whether the token or a permission is the reason."
        ),
        ApiError::Rejected(Rejection { message, .. }) if message.trim().is_empty() => {
            format!("The API at {host} answered with an error that says nothing.")
        }
        ApiError::Rejected(Rejection { code, message, .. }) => {
            let code = code
                .as_deref()
                .map(|code| format!(" ({})", harmless(&secrets.scrub_foreign(code), REASON_MAX)));
            format!(
                "The API at {host} says {}{}.",
                foreign(message, secrets),
                code.unwrap_or_default()
            )
        }
        ApiError::MissingData => {
            format!("The API at {host} answered without the data it promises.")
        }
        ApiError::KeyNotTold { .. } => {
            format!("The API at {host} answered without the whole key of the new account.")
        }
        _ => format!("The API at {host} refused the request."),
    }
}

fn foreign(message: &str, secrets: &Secrets) -> String {
    format!(
        "'{}'",
        harmless(&secrets.scrub_foreign(&gist(message)), MESSAGE_MAX)
    )
}

fn rate_limited(retry_after: Option<Duration>, host: &str) -> Failure {
    // Without a word from the API, what ingresses usually count in.
    let seconds = retry_after.map_or(60, |wait| wait.as_secs().max(1));
    let text = format!(
        "{host} asks to wait before the next request. Nothing was done. Call again in {seconds} s, one call at first: it does not say how many fit then."
    );
    Failure::new(Code::RateLimited, text).with("retry_after_seconds", json!(seconds))
}

fn unauthenticated(installation: &Installation) -> Failure {
    let host = installation.url.host();
    let source = &installation.token_source;
    let expired = match TokenKind::of(&installation.token) {
        TokenKind::UserToken { expires } => expired(expires),
        TokenKind::ServiceAccountKey => "its service account may have been deleted".to_owned(),
    };
    let domain = installation.url.base_domain();
    let way_out = match source {
        TokenSource::AstroLogin => format!("Run 'astro login {domain}'; no restart is needed."),
        TokenSource::Setting(name) if *name == API_TOKEN.name() => {
            let or_login = match installation.url.is_an_address() {
                true => String::new(),
                false => format!(", or unset it and run 'astro login {domain}'"),
            };
            format!(
                "Set a new token{or_login}. A server that a client started has to be restarted then."
            )
        }
        _ => "Put a new token there; no restart is needed.".to_owned(),
    };
    let text = format!(
        "The Private Cloud API at {host} refused the token from {source}; {expired}. Nothing was changed. {way_out}"
    );
    Failure::new(Code::Unauthenticated, text)
}

fn expired(expires: Option<DateTime<Utc>>) -> String {
    match expires {
        Some(time) if time < Utc::now() => format!("it expired on {}", time.date_naive()),
        Some(time) => format!(
            "it would expire on {}, so it was revoked or belongs to another installation",
            time.date_naive()
        ),
        None => "it may have expired".to_owned(),
    }
}
