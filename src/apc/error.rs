//! The errors of a request, as facts, classified once.
//! Knows `errors[]` and their codes; gives no advice, which is the task of `tools::words`.

use std::time::Duration;

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::unreachable::Unreachable;

/// The largest error that is read, in bytes. Of a larger one no more is known than that there is one.
const ERROR_MAX: usize = 1024 * 1024;

/// The reason why a request has no useful answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiError {
    /// Nothing was sent.
    Unreachable(Unreachable),
    /// Sent, and no whole answer came in time.
    TimedOut,
    /// Sent, and the connection ended before a whole answer came.
    ConnectionLost,
    /// Something in front of the API asks for patience (HTTP 429); the API did not see the request.
    RateLimited { retry_after: Option<Duration> },
    /// A page of something in front of the API: an ingress, a proxy, a firewall. The API may have done its work.
    Status { status: u16 },
    /// HTTP 200, but no GraphQL answer: a login page, a proxy's greeting.
    NotGraphql,
    /// A body in a compression that was not asked for.
    Compressed { encoding: String },
    /// The answer is larger than this server reads.
    TooLarge,
    /// An answer that points elsewhere. It is not followed: the token would go with it.
    Redirected { host: Option<String> },
    /// The token is not accepted.
    Unauthenticated,
    /// Refused, and not yet known whether for the token or for a permission: the API says the same.
    Refused,
    /// The token is good and lacks a permission, or there is no such place.
    PermissionDenied,
    /// The list of workspaces, which every good token may read, was answered with an error.
    TokenInDoubt { message: String },
    /// Refused, and the question whether the token is good got no answer.
    RefusalUnexplained,
    /// The label is taken in that place.
    LabelTaken,
    /// The API does not understand the request: it was refused before anything was done.
    Incompatible { message: String },
    /// The account was created, and the answer names it without its whole key and without an error.
    KeyNotTold { id: String },
    /// The API answered without what it promises: no data and no error, or data of another form.
    MissingData,
    /// Any other error of the API.
    Rejected(Rejection),
}

/// An error of the API in its own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The API's code.
    pub code: Option<String>,
    /// The API's message.
    pub message: String,
    /// True if the API may have begun the work: an answer without a `data` member precedes all work.
    pub began: bool,
}

impl Rejection {
    /// Tells whether the API knows no such thing.
    pub fn is_not_found(&self) -> bool {
        self.code.as_deref() == Some("RESOURCE_NOT_FOUND")
    }
}

/// The state of a change that ended in an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It was certainly not made.
    None,
    /// It may have been made: the answer was lost on the way.
    AnswerLost,
    /// It may have been made: the API itself answered with an error.
    AnsweredWithError,
}

impl ApiError {
    /// The state of a change that ended so. What the API decides before it does the work leaves no trace, and so do
    /// the few statuses that are given before a request is passed on. Any other page may stand for a lost answer.
    pub fn effect(&self) -> Effect {
        match self {
            Self::Status { status: 413 | 431 } => Effect::None,
            Self::TimedOut
            | Self::ConnectionLost
            | Self::NotGraphql
            | Self::Compressed { .. }
            | Self::TooLarge
            | Self::Status { .. }
            | Self::KeyNotTold { .. }
            | Self::MissingData => Effect::AnswerLost,
            Self::Rejected(rejection) if rejection.began => Effect::AnsweredWithError,
            _ => Effect::None,
        }
    }

    /// Tells whether the API itself answers so, to a caller whose token it accepts. Each release does it in its own words.
    pub fn is_an_answer(&self) -> bool {
        matches!(
            self,
            Self::PermissionDenied
                | Self::Incompatible { .. }
                | Self::Rejected(_)
                | Self::MissingData
        )
    }

    /// Tells whether a read may succeed if it is simply made again.
    pub fn is_passing(&self) -> bool {
        use Unreachable::{Connect, Dns, HandshakeEnded};
        matches!(
            self,
            Self::Unreachable(Connect | Dns | HandshakeEnded)
                | Self::ConnectionLost
                | Self::RateLimited { .. }
                | Self::Status { status: 502..=504 }
        )
    }
}

/// One entry of `errors[]`. Any JSON value is read; a member of another type than specified counts as missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GraphqlError {
    message: String,
    code: String,
    path: Vec<Value>,
}

impl<'de> Deserialize<'de> for GraphqlError {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <&RawValue>::deserialize(deserializer)?.get();
        let entry = match text.len() {
            0..=ERROR_MAX => serde_json::from_str(text).unwrap_or_default(),
            _ => Value::Null,
        };
        let text = |pointer| match entry.pointer(pointer) {
            Some(Value::String(text)) => text.clone(),
            Some(other @ (Value::Number(_) | Value::Bool(_))) => other.to_string(),
            _ => String::new(),
        };
        let path = entry.get("path").and_then(Value::as_array);
        Ok(Self {
            message: text("/message"),
            code: text("/extensions/code"),
            path: path.cloned().unwrap_or_default(),
        })
    }
}

/// The words of a refusal, without the full stop: of 2020 and of bad tokens, of today, and of the library of today's API.
const REFUSALS: [&str; 3] = [
    "You do not have the appropriate permissions for that",
    "Insufficient permissions",
    "Not Authorised!",
];

/// The beginning of the refusal of a label that the place already has.
const LABEL_TAKEN: &str = "Service Account already exists";

/// The words and codes of releases for a bad token.
const BAD_TOKENS: [&str; 4] = [
    "AUTH_TOKEN_REFRESH_FAILED",
    "UNAUTHENTICATED",
    "Invalid token",
    "Expired token",
];

impl GraphqlError {
    /// The API's message, empty where there is none.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Tells whether the document itself was refused, which precedes any work.
    pub fn is_validation(&self) -> bool {
        self.code == "GRAPHQL_VALIDATION_FAILED" || self.message.starts_with("Cannot query field")
    }

    /// Tells whether the error has a code, as every error of the API's own has.
    pub fn has_code(&self) -> bool {
        !self.code.is_empty()
    }

    /// The entry of a list and its member that the error is about: the entry itself is there.
    pub fn member_of_entry(&self) -> Option<(usize, &str)> {
        let [_, Value::Number(index), Value::String(member), ..] = self.path.as_slice() else {
            return None;
        };
        let index = usize::try_from(index.as_u64()?).ok()?;
        Some((index, member))
    }

    /// Tells whether the error is about a part of the answer: its path leads below the top-level field.
    pub fn is_partial(&self) -> bool {
        self.path.len() > 1
    }

    /// Tells whether the API refused, by its words: the code of today's refusals is that of any failure.
    pub fn is_refusal(&self) -> bool {
        REFUSALS.contains(&self.words())
    }

    /// Tells whether the token is bad: releases say so in the code or in the message.
    fn is_bad_token(&self) -> bool {
        BAD_TOKENS.contains(&self.code.as_str()) || BAD_TOKENS.contains(&self.words())
    }

    fn words(&self) -> &str {
        self.message.trim().trim_end_matches('.')
    }

    /// The meaning of this error in an answer of that HTTP status, with or without a `data` member. Only words that
    /// precede all work say that nothing was done; a code alone does not, and nor do words behind a status that is not the
    /// API's own.
    pub fn classify(&self, status: u16, has_data: bool) -> ApiError {
        let message = self.message.clone();
        let is_odd = !matches!((status, has_data), (200, _) | (400, false));
        if is_odd || self.is_partial() {
            return self.rejected(is_odd || has_data);
        }
        match self.code.as_str() {
            _ if self.is_bad_token() => ApiError::Unauthenticated,
            _ if self.is_refusal() => ApiError::Refused,
            _ if message.starts_with(LABEL_TAKEN) => ApiError::LabelTaken,
            // A bad variable is a 400 with INTERNAL_SERVER_ERROR: nothing has been done.
            "GRAPHQL_PARSE_FAILED" | "GRAPHQL_VALIDATION_FAILED" if !has_data => {
                ApiError::Incompatible { message }
            }
            _ if status == 400 && !has_data => ApiError::Incompatible { message },
            _ => self.rejected(has_data),
        }
    }

    fn rejected(&self, began: bool) -> ApiError {
        ApiError::Rejected(Rejection {
            code: Some(self.code.clone()).filter(|code| !code.is_empty()),
            message: self.message.clone(),
            began,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(entry: Value) -> GraphqlError {
        serde_json::from_str(&entry.to_string()).unwrap()
    }

    fn error(code: &str, message: &str) -> GraphqlError {
        read(
            json!({"message": message, "path": ["createWorkspaceServiceAccount"], "extensions": {"code": code}}),
        )
    }

    #[test]
    fn an_internal_error_is_undecided_unless_nothing_was_executed() {
        let error = error("INTERNAL_SERVER_ERROR", "anything");
        assert_eq!(
            error.classify(200, true).effect(),
            Effect::AnsweredWithError
        );
        assert_eq!(error.classify(200, false).effect(), Effect::None);
        assert_eq!(error.classify(400, false).effect(), Effect::None);
    }

    #[test]
    fn a_refusal_is_known_by_its_words_whatever_the_code() {
        for code in ["FORBIDDEN", "INTERNAL_SERVER_ERROR", "", "NEW"] {
            for words in [
                "Insufficient permissions.",
                "Insufficient permissions",
                "You do not have the appropriate permissions for that",
                "Not Authorised!",
            ] {
                for has_data in [true, false] {
                    let refused = error(code, words).classify(200, has_data);
                    assert_eq!(refused, ApiError::Refused, "{code} {words}");
                    assert_eq!(refused.effect(), Effect::None);
                }
            }
        }
        let other_words = error("FORBIDDEN", "other words").classify(200, true);
        assert_eq!(other_words.effect(), Effect::AnsweredWithError);
    }

    #[test]
    fn a_refused_part_of_an_answer_is_no_refusal_of_the_whole() {
        let part = read(
            json!({"message": "Insufficient permissions.", "path": ["createWorkspaceServiceAccount", "apiKey"]}),
        );
        assert_eq!(part.classify(200, true).effect(), Effect::AnsweredWithError);
    }

    #[test]
    fn a_code_of_any_type_is_read() {
        for (code, expected) in [
            (json!(403), Some("403")),
            (json!(true), Some("true")),
            (json!(null), None),
            (json!({}), None),
            (json!([1]), None),
        ] {
            let error = read(json!({"message": "x", "extensions": {"code": code}}));
            let ApiError::Rejected(rejection) = error.classify(200, true) else {
                panic!("{error:?}");
            };
            assert_eq!(rejection.code.as_deref(), expected);
        }
        for odd in [json!(null), json!(5), json!("x"), json!([]), json!({})] {
            assert_eq!(read(odd).message(), "");
        }
    }

    #[test]
    fn only_words_say_that_nothing_was_done() {
        let taken = "Service Account already exists with the name ci";
        for (code, message, effect) in [
            ("UNAUTHENTICATED", "", Effect::None),
            ("BAD_USER_INPUT", taken, Effect::None),
            ("INTERNAL_SERVER_ERROR", taken, Effect::None),
            ("BAD_USER_INPUT", "Invalid role", Effect::AnsweredWithError),
            ("RESOURCE_NOT_FOUND", "x", Effect::AnsweredWithError),
            ("GRAPHQL_VALIDATION_FAILED", "x", Effect::AnsweredWithError),
            (
                "",
                "No Node for the model Workspace",
                Effect::AnsweredWithError,
            ),
        ] {
            let classified = error(code, message).classify(200, true);
            assert_eq!(classified.effect(), effect, "{code} {message}");
            let unexecuted = error(code, message).classify(200, false);
            assert_eq!(unexecuted.effect(), Effect::None, "{code} {message}");
        }
    }

    #[test]
    fn a_document_that_was_refused_is_incompatible_under_either_status() {
        for status in [200, 400] {
            for code in ["GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED"] {
                let message = "x".to_owned();
                let refused = error(code, "x").classify(status, false);
                assert_eq!(
                    refused,
                    ApiError::Incompatible { message },
                    "{status} {code}"
                );
            }
        }
    }

    #[test]
    fn an_error_about_a_member_names_its_entry() {
        let about = |path: Value| {
            let error = read(json!({"message": "x", "path": path}));
            error
                .member_of_entry()
                .map(|(index, member)| (index, member.to_owned()))
        };
        assert_eq!(
            about(json!(["q", 2, "label"])),
            Some((2, "label".to_owned()))
        );
        assert_eq!(
            about(json!(["q", 0, "roleBindings", 1, "role"])),
            Some((0, "roleBindings".to_owned()))
        );
        for path in [
            json!(["q"]),
            json!(["q", 2]),
            json!(["q", "a", "b"]),
            json!(null),
        ] {
            assert_eq!(about(path), None);
        }
    }

    #[test]
    fn newer_words_for_a_bad_token_are_known() {
        for words in [
            "UNAUTHENTICATED",
            "AUTH_TOKEN_REFRESH_FAILED",
            "Invalid token",
            "Expired token.",
        ] {
            for error in [error(words.trim_end_matches('.'), "x"), error("x", words)] {
                assert_eq!(error.classify(200, true), ApiError::Unauthenticated);
            }
        }
    }

    #[test]
    fn an_account_whose_key_was_not_told_was_made() {
        let id = "ck1".to_owned();
        let effect = ApiError::KeyNotTold { id }.effect();
        assert_eq!(effect, Effect::AnswerLost);
    }

    #[test]
    fn a_page_may_stand_for_a_lost_answer_unless_it_precedes_the_api() {
        for status in [400, 403, 404, 408, 409, 422, 499, 500, 502, 503, 504] {
            assert_eq!(
                ApiError::Status { status }.effect(),
                Effect::AnswerLost,
                "{status}"
            );
        }
        for status in [413, 431] {
            assert_eq!(
                ApiError::Status { status }.effect(),
                Effect::None,
                "{status}"
            );
        }
        for error in [
            ApiError::RateLimited { retry_after: None },
            ApiError::Redirected { host: None },
            ApiError::Unauthenticated,
            ApiError::Unreachable(Unreachable::NotTls),
        ] {
            assert_eq!(error.effect(), Effect::None, "{error:?}");
        }
    }
}
