//! A call that failed: a code for programs and words for the model.
//! Every text is scrubbed of secrets on its way out.

use rmcp::model::{CallToolResult, ContentBlock, JsonObject, MetaObject};
use serde_json::{Value, json};

use crate::apc::{Place, ServiceAccount, ServiceAccountId};
use crate::config::NotConfigured;
use crate::guards::secret::Secrets;

/// The kind of a failure, for programs. README.md has a table of the kinds.
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

    /// Names the account concerned and its place, for programs.
    pub fn about(self, account: &ServiceAccount) -> Self {
        self.about_account(&account.id).about_place(&account.place)
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

    /// The same failure where it is no place's own.
    pub fn about_no_place(mut self) -> Self {
        let places = ["workspace_id", "deployment_id"];
        self.facts.retain(|(name, _)| !places.contains(name));
        self
    }

    /// The code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// Tells whether the token may not read a place, or there is none: it says nothing of other places.
    pub fn is_denial(&self) -> bool {
        matches!(self.code, Code::PermissionDenied | Code::NotFound)
    }

    /// The words, without the code.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Adds sentences that the user should hear of as well.
    pub fn noting(mut self, notes: &[String]) -> Self {
        for note in notes {
            self.text += &format!(" {note}");
        }
        self
    }

    /// Adds a fact for programs.
    pub fn with(mut self, name: &'static str, fact: Value) -> Self {
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
            error.insert(name.to_owned(), scrubbed(fact, secrets));
        }
        let text = match self.code {
            // Settings are quoted here, and one may hold a token by mistake.
            Code::NotConfigured => secrets.scrub_foreign(&text),
            _ => secrets.scrubbed(text),
        };
        let mut result = CallToolResult::error(vec![ContentBlock::text(text)]);
        let mut meta = MetaObject::new();
        meta.insert("apc-mcp/error".to_owned(), Value::Object(error));
        result.meta = Some(meta);
        result
    }
}

fn scrubbed(fact: Value, secrets: &Secrets) -> Value {
    match fact {
        Value::String(text) => Value::String(secrets.scrubbed(text)),
        Value::Array(facts) => {
            let facts = facts.into_iter();
            facts.map(|fact| scrubbed(fact, secrets)).collect()
        }
        other => other,
    }
}

impl From<NotConfigured> for Failure {
    fn from(missing: NotConfigured) -> Self {
        Self::new(Code::NotConfigured, format!("{missing}."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
