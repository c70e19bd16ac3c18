//! Words for the model: what a call brought, or what happened instead, why, and what to do next.
//! Lets out no secret: every text is scrubbed here on its way.

use std::borrow::Cow;
use std::path::Path;
use std::time::Duration;

use rmcp::model::{CallToolResult, ContentBlock, JsonObject, MetaObject};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::apc::error::{ApiError, Rejection, Unreachable};
use crate::apc::installation::{Installation, TokenKind, TokenSource};
use crate::apc::{Place, Role, ServiceAccount, ServiceAccountId};
use crate::config::setting::API_TOKEN;
use crate::config::{NotConfigured, advice};
use crate::guards::key_files::KeyDirProblem;
use crate::guards::policy::{KeyOutput, Policy};
use crate::guards::secret::Secrets;
use crate::guards::text::{gist, harmless, quoted};

/// The longest reason of the operating system's in an error, in characters.
const REASON_MAX: usize = 200;

/// The longest message of the API's own in an error, in characters.
const MESSAGE_MAX: usize = 300;

/// What kind of failure it is, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// An argument is not accepted.
    InvalidArguments,
    /// Something is not set up.
    NotConfigured,
    /// The token is not accepted.
    Unauthenticated,
    /// The token is good and may not do this.
    PermissionDenied,
    /// This server's policy forbids it.
    NotAllowed,
    /// The user said no.
    Declined,
    /// The user has to be asked and cannot be.
    ConfirmationRequired,
    /// There is no such thing.
    NotFound,
    /// There is such a thing already.
    AlreadyExists,
    /// Too much was asked in too short a time.
    RateLimited,
    /// No connection.
    Unreachable,
    /// A read got no answer in time.
    TimedOut,
    /// A change was sent, and nobody knows whether it was made.
    OutcomeUnknown,
    /// The API, or something before it, says no in words of its own.
    ApiError,
    /// The API lacks what is needed.
    IncompatibleApi,
    /// A fault of this server.
    InternalError,
}

impl Code {
    /// The code as it stands in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidArguments => "invalid_arguments",
            Self::NotConfigured => "not_configured",
            Self::Unauthenticated => "unauthenticated",
            Self::PermissionDenied => "permission_denied",
            Self::NotAllowed => "not_allowed",
            Self::Declined => "declined",
            Self::ConfirmationRequired => "confirmation_required",
            Self::NotFound => "not_found",
            Self::AlreadyExists => "already_exists",
            Self::RateLimited => "rate_limited",
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed_out",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::ApiError => "api_error",
            Self::IncompatibleApi => "incompatible_api",
            Self::InternalError => "internal_error",
        }
    }

    /// Whether the same call may succeed later.
    fn is_retryable(self) -> bool {
        matches!(self, Self::RateLimited | Self::TimedOut | Self::Unreachable)
    }
}

/// A call that failed: a code for programs and words for the model.
#[derive(Debug, Clone)]
pub struct Failure {
    code: Code,
    text: String,
    facts: Vec<(&'static str, Value)>,
}

impl Failure {
    /// A failure in words: what happened, why, and what to do next.
    pub fn new(code: Code, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
            facts: Vec::new(),
        }
    }

    /// Names the account concerned, for programs.
    pub fn about_account(self, id: &ServiceAccountId) -> Self {
        self.with("service_account_id", json!(id.as_str()))
    }

    /// Names several accounts concerned, for programs.
    pub fn about_accounts(self, ids: &[ServiceAccountId]) -> Self {
        let ids: Vec<_> = ids.iter().map(ServiceAccountId::as_str).collect();
        self.with("service_account_ids", json!(ids))
    }

    /// Names the place concerned, for programs.
    pub fn about_place(self, place: &Place) -> Self {
        match place {
            Place::Workspace(id) => self.with("workspace_id", json!(id.as_str())),
            Place::Deployment(id) => self.with("deployment_id", json!(id.as_str())),
        }
    }

    /// The code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// Whether the token may not read a place, or there is none: it says nothing of other places.
    pub fn is_denial(&self) -> bool {
        matches!(self.code, Code::PermissionDenied | Code::NotFound)
    }

    /// The words, without the code.
    pub fn text(&self) -> &str {
        &self.text
    }

    fn with(mut self, name: &'static str, fact: Value) -> Self {
        self.facts.push((name, fact));
        self
    }

    /// The failure as a result that a model gets to read.
    pub fn into_result(self, secrets: &Secrets) -> CallToolResult {
        let text = format!("{}: {}", self.code.name(), self.text);
        let mut error = JsonObject::new();
        error.insert("code".to_owned(), json!(self.code.name()));
        error.insert("retryable".to_owned(), json!(self.code.is_retryable()));
        for (name, fact) in self.facts {
            let clean = fact.as_str().map(|text| json!(secrets.scrub(text)));
            error.insert(name.to_owned(), clean.unwrap_or(fact));
        }
        let mut result =
            CallToolResult::error(vec![ContentBlock::text(secrets.scrub(&text).into_owned())]);
        let mut meta = MetaObject::new();
        meta.insert("apc-mcp/error".to_owned(), Value::Object(error));
        result.meta = Some(meta);
        result
    }
}

impl From<NotConfigured> for Failure {
    fn from(missing: NotConfigured) -> Self {
        Self::new(Code::NotConfigured, format!("{missing}."))
    }
}

/// A result that succeeded: JSON as structured content, and the same as text for clients that know no better.
pub fn success<T: Serialize>(value: &T) -> CallToolResult {
    let text = serde_json::to_string(value).unwrap_or_default();
    let mut result = CallToolResult::success(vec![ContentBlock::text(text)]);
    result.structured_content = serde_json::to_value(value).ok();
    result
}

// A service account in a result. (A doc comment would become a description in the schema.)
#[derive(Debug, Serialize, JsonSchema)]
pub struct AccountView {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    /// Its roles elsewhere; deleting it ends them too.
    #[serde(skip_serializing_if = "Option::is_none")]
    other_bindings: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workspace_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    deployment_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    active: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<String>,
}

impl AccountView {
    /// The account as results show it: verbatim, the key masked unless it shall show.
    pub fn new(account: ServiceAccount, keys: KeyOutput, secrets: &Secrets) -> Self {
        let others: Vec<_> = account.other_bindings().map(ToString::to_string).collect();
        let role = account.role().map(str::to_owned);
        let (workspace_id, deployment_id) = match account.place {
            Place::Workspace(id) => (Some(id.into_string()), None),
            Place::Deployment(id) => (None, Some(id.into_string())),
        };
        Self {
            id: scrubbed(account.id.into_string(), secrets),
            label: account.label,
            api_key: account.api_key.map(|key| match keys {
                KeyOutput::File => key.masked(),
                KeyOutput::Show => key.expose().to_owned(),
            }),
            role,
            other_bindings: Some(others).filter(|others| !others.is_empty()),
            category: account.category,
            workspace_id,
            deployment_id,
            active: account.active,
            created_at: account.created_at,
            updated_at: account.updated_at,
            last_used_at: account.last_used_at,
        }
    }
}

/// The text without secrets, and without a copy where there are none.
pub fn scrubbed(text: String, secrets: &Secrets) -> String {
    match secrets.scrub(&text) {
        Cow::Owned(clean) => clean,
        Cow::Borrowed(_) => text,
    }
}

/// What happened to a request, in words. The same for every tool; what a tool knows better it says
/// itself.
pub fn api_failure(error: &ApiError, installation: &Installation, secrets: &Secrets) -> Failure {
    let host = installation.url.host();
    match error {
        ApiError::Unreachable(why) => unreachable(why, host),
        ApiError::TimedOut => Failure::new(
            Code::TimedOut,
            format!(
                "The Private Cloud API at {host} did not answer in time. Nothing was changed. Call again, or raise --timeout (APC_TIMEOUT)."
            ),
        ),
        ApiError::ConnectionLost => Failure::new(
            Code::Unreachable,
            format!(
                "The connection to {host} ended before the whole answer came, several times. Nothing was changed. Call again in a while."
            ),
        ),
        ApiError::RateLimited { retry_after } => rate_limited(*retry_after, host),
        ApiError::Unauthenticated => unauthenticated(installation),
        ApiError::PermissionDenied => Failure::new(
            Code::PermissionDenied,
            format!(
                "The token from {} is valid at {host} but may not do this, or there is no such workspace: the API says the same of both. Nothing was changed. Listing takes WORKSPACE_VIEWER there, creating and deleting usually WORKSPACE_EDITOR or WORKSPACE_ADMIN: ask an admin of the workspace for the role, or call get_service_accounts without arguments to see the workspaces of this token.",
                installation.token_source
            ),
        ),
        ApiError::Incompatible { message } => Failure::new(
            Code::IncompatibleApi,
            format!(
                "The API at {host} does not understand the request, so nothing was done; it says {}. This release may be too old or too new for this server.",
                foreign(message, secrets)
            ),
        ),
        ApiError::MissingData => Failure::new(
            Code::IncompatibleApi,
            format!(
                "The API at {host} answered without the data it promises. This release may be too old or too new for this server."
            ),
        ),
        other => Failure::new(
            Code::ApiError,
            format!("{} {ASK_OPERATORS}", happened(other, host, secrets)),
        ),
    }
}

/// The place is not one this server may touch.
pub fn place_not_allowed(place: &Place) -> Failure {
    let text = format!(
        "This server may not touch {place}: it is not among those that --allow-workspace (APC_ALLOWED_WORKSPACES) allows. Nothing was sent; whoever runs this server can allow it."
    );
    Failure::new(Code::NotAllowed, text).about_place(place)
}

/// The role is above the highest that this server may give.
pub fn role_not_allowed(role: Role, policy: &Policy) -> Failure {
    let text = format!(
        "{} is above {}, the highest role that --max-role (APC_MAX_ROLE) allows. Nothing was sent; take a lower role, or have whoever runs this server raise it.",
        role.name(),
        policy.max_role.name()
    );
    Failure::new(Code::NotAllowed, text)
}

/// The sentence about a server that only reads, to stand after others.
pub const ONLY_READS: &str = " This server only reads: --read-only (APC_READ_ONLY) is set.";

/// The server only reads.
pub fn read_only() -> Failure {
    let text = format!("{ONLY_READS} Nothing was sent; whoever runs it can unset that.");
    Failure::new(Code::NotAllowed, text.trim_start())
}

/// Too many changes in a minute.
pub fn too_many_changes(wait: Duration, policy: &Policy) -> Failure {
    // Rounded up: a call made after that many seconds has to pass.
    let seconds = wait.as_secs() + 1;
    let text = format!(
        "{} changes were sent in the last minute, as many as --max-changes-per-minute (APC_MAX_CHANGES_PER_MINUTE) allows. Nothing was done. Call again in {seconds} s.",
        policy.changes_per_minute
    );
    Failure::new(Code::RateLimited, text).with("retry_after_seconds", json!(seconds))
}

/// The audit log cannot be written, so nothing may be changed.
pub fn audit_unusable(path: &Path, error: &std::io::Error) -> Failure {
    let text = format!(
        "The audit log {} cannot be opened: {}. Nothing was changed. {}.",
        quoted(&path.display().to_string()),
        harmless(&error.to_string(), REASON_MAX),
        advice::on_audit_log()
    );
    Failure::new(Code::NotConfigured, text)
}

/// Keys cannot be kept, so no account may be made.
pub fn key_dir_unusable(problem: &KeyDirProblem) -> Failure {
    let text = format!(
        "The directory for key files {}. Nothing was created. {}.",
        harmless(&problem.to_string(), REASON_MAX + 200),
        advice::on_key_dir()
    );
    Failure::new(Code::NotConfigured, text)
}

const ASK_OPERATORS: &str = "If it happens again, ask those who run the installation.";

/// What happened, as one sentence without advice, for failures that are not this server's to mend.
pub fn happened(error: &ApiError, host: &str, secrets: &Secrets) -> String {
    match error {
        ApiError::TimedOut => format!("The API at {host} did not answer in time."),
        ApiError::ConnectionLost => {
            format!("The connection to {host} ended before the whole answer came.")
        }
        ApiError::Status { status } => {
            format!(
                "{host} answered with a page of HTTP status {status} in place of the API's answer; it comes from something in front of the API, such as a proxy, a firewall or an ingress."
            )
        }
        ApiError::NotGraphql => {
            format!("{host} answered with something that is not the API's, perhaps a login page.")
        }
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
        "{host} asks to wait before the next request. Nothing was done. Call again in {seconds} s."
    );
    Failure::new(Code::RateLimited, text).with("retry_after_seconds", json!(seconds))
}

fn unauthenticated(installation: &Installation) -> Failure {
    let host = installation.url.host();
    let source = &installation.token_source;
    let expired = match TokenKind::of(&installation.token) {
        TokenKind::UserToken {
            expires: Some(expires),
        } if expires < chrono::Utc::now() => {
            format!("; it expired on {}", expires.date_naive())
        }
        TokenKind::UserToken {
            expires: Some(expires),
        } => {
            format!(
                "; it would expire on {}, so it was revoked or belongs to another installation",
                expires.date_naive()
            )
        }
        TokenKind::UserToken { expires: None } => "; it may have expired".to_owned(),
        TokenKind::ServiceAccountKey => "; its service account may have been deleted".to_owned(),
    };
    let domain = installation.login_domain();
    let way_out = match source {
        TokenSource::AstroLogin => format!("Run 'astro login {domain}'; no restart is needed."),
        TokenSource::Setting(name) if *name == API_TOKEN.name() => {
            format!(
                "Set a new token and restart this server, or unset it and run 'astro login {domain}'."
            )
        }
        _ => "Put a new token there; no restart is needed.".to_owned(),
    };
    let text = format!(
        "The Private Cloud API at {host} refused the token from {source}{expired}. {way_out}"
    );
    Failure::new(Code::Unauthenticated, text)
}

fn unreachable(why: &Unreachable, host: &str) -> Failure {
    let ca_cert = "--ca-cert (APC_CA_CERT)";
    let text = match why {
        Unreachable::Dns => {
            format!(
                "The host {host} has no address. Check the domain for a typing error, and whether a VPN is needed."
            )
        }
        Unreachable::Connect => {
            format!(
                "No connection to {host} could be made. Check the network, a VPN, and the port if one is set."
            )
        }
        Unreachable::ConnectTimedOut => {
            format!(
                "The connection to {host} took too long. A firewall or a missing VPN often is the reason."
            )
        }
        Unreachable::UnknownAuthority => format!(
            "The certificate of {host} is from an authority that this machine does not know. Set {ca_cert} to the PEM file of that authority."
        ),
        Unreachable::CertificateExpired => {
            format!(
                "The certificate of {host} has expired. Those who run it have to renew it; check this machine's clock, too."
            )
        }
        Unreachable::CertificateNotYetValid => {
            format!("The certificate of {host} is not valid yet. Check this machine's clock.")
        }
        Unreachable::CertificateForAnotherHost => {
            format!(
                "The certificate of {host} is for another name. Check the domain or URL for a typing error."
            )
        }
        Unreachable::Tls => {
            format!(
                "No secure connection to {host} could be agreed on. Check that the URL's port speaks https."
            )
        }
        Unreachable::Proxy => {
            format!("The proxy did not connect to {host}. Check HTTPS_PROXY and NO_PROXY.")
        }
        Unreachable::ProxyLogin => {
            format!(
                "The proxy on the way to {host} wants a login. Put it into HTTPS_PROXY, or {host} into NO_PROXY."
            )
        }
        Unreachable::NoTrustStore => format!(
            "This machine has no trusted certificate authorities, so {host} cannot be verified. Install its CA certificates, or set {ca_cert} or SSL_CERT_FILE."
        ),
        Unreachable::CaFile { problem } => {
            return Failure::new(
                Code::NotConfigured,
                format!(
                    "The file of {ca_cert} cannot be used: {}. Nothing was sent; set it to a PEM file with certificates.",
                    harmless(problem, REASON_MAX)
                ),
            );
        }
        Unreachable::NoTimeLeft => {
            return Failure::new(
                Code::TimedOut,
                format!(
                    "The time for the call was over before {host} could be asked. Nothing was changed. Call again."
                ),
            );
        }
    };
    Failure::new(Code::Unreachable, format!("{text} Nothing was sent."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_success_is_structured_content_and_the_same_as_text() {
        let result = serde_json::to_value(success(&json!({"total": 1}))).unwrap();
        assert_eq!(result["content"][0]["text"], r#"{"total":1}"#);
        assert_eq!(result["structuredContent"], json!({"total": 1}));
        assert_eq!(result["isError"], false);
    }

    #[test]
    fn a_failure_carries_code_and_ids_for_programs() {
        let id = ServiceAccountId::verbatim("ck1".to_owned());
        let result = Failure::new(Code::RateLimited, "Wait.")
            .about_account(&id)
            .into_result(&Secrets::default());
        let value = serde_json::to_value(result).unwrap();
        assert_eq!(value["content"][0]["text"], "rate_limited: Wait.");
        assert_eq!(value["isError"], true);
        assert_eq!(
            value["_meta"]["apc-mcp/error"],
            json!({"code": "rate_limited", "retryable": true, "service_account_id": "ck1"})
        );
        assert_eq!(value.get("structuredContent"), None);
    }
}
