//! What happened to a request, as facts, classified once.
//! Knows `errors[]` and their codes; gives no advice, which is the business of `tools::result`.

use std::time::Duration;

use serde::Deserialize;

/// Why a request has no useful answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiError {
    /// Nothing was sent.
    Unreachable(Unreachable),
    /// Sent, and no whole answer came in time.
    TimedOut,
    /// Sent, and the connection ended before a whole answer came.
    ConnectionLost,
    /// Something in front of the API asks for patience (HTTP 429); the API did not see the request.
    RateLimited {
        /// How long to wait, where it was said.
        retry_after: Option<Duration>,
    },
    /// An answer that is not the API's: an ingress, a proxy, a crash.
    Status {
        /// The HTTP status.
        status: u16,
    },
    /// HTTP 200, but no GraphQL answer: a login page, a proxy's greeting.
    NotGraphql,
    /// The answer is larger than this server reads.
    TooLarge,
    /// An answer that points elsewhere. It is not followed: the token would go with it.
    Redirected {
        /// The host it points to, where it says one.
        host: Option<String>,
    },
    /// The token is not accepted.
    Unauthenticated,
    /// Refused, and not yet known whether for the token or for a permission: the API says the same.
    Forbidden,
    /// The token is good and lacks a permission, or the workspace does not exist.
    PermissionDenied,
    /// Refused, and the question whether the token is good got no answer.
    ForbiddenUndecided,
    /// The label is taken in that workspace.
    LabelTaken,
    /// The API knows no such workspace.
    WorkspaceUnknown,
    /// The API knows no such service account.
    AccountUnknown,
    /// The API does not understand the request: it was refused before anything was done.
    Incompatible {
        /// The API's own words.
        message: String,
    },
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
}

/// Why nothing could be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreachable {
    /// The host's name has no address.
    Dns,
    /// The connection was refused, or the network is down.
    Connect,
    /// The connection took too long.
    ConnectTimedOut,
    /// The server's certificate is from no authority known here.
    UnknownAuthority,
    /// The server's certificate has expired.
    CertificateExpired,
    /// The server's certificate is not valid yet.
    CertificateNotYetValid,
    /// The server's certificate is for another name.
    CertificateForAnotherHost,
    /// Any other failure to agree on TLS.
    Tls,
    /// The proxy could not be used.
    Proxy,
    /// The proxy wants a login.
    ProxyLogin,
    /// There are no trusted authorities on this machine.
    NoTrustStore,
    /// The file with further authorities cannot be used.
    CaFile {
        /// Why.
        problem: String,
    },
    /// The server's own time for the call was used up before it could be sent.
    NoTimeLeft,
}

/// Whether a change that ended in an error may have been made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It was certainly not made.
    None,
    /// It may have been made.
    Unknown,
}

impl ApiError {
    /// Whether a change that ended so may have been made. Whatever the API decides before it does
    /// the work, or a gateway before the API, leaves no trace; everything else might.
    pub fn effect(&self) -> Effect {
        match self {
            Self::TimedOut
            | Self::ConnectionLost
            | Self::NotGraphql
            | Self::TooLarge
            | Self::MissingData => Effect::Unknown,
            // Between 400 and 499 something refused the request before the API worked on it.
            Self::Status { status } if !(400..500).contains(status) => Effect::Unknown,
            Self::Rejected(rejection) if rejection.code.as_deref() != Some("BAD_USER_INPUT") => {
                Effect::Unknown
            }
            _ => Effect::None,
        }
    }

    /// Whether a read may succeed if it is simply made again.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable(Unreachable::Connect | Unreachable::Dns)
            | Self::ConnectionLost
            | Self::RateLimited { .. } => true,
            Self::Status { status } => (502..=504).contains(status),
            _ => false,
        }
    }
}

/// One entry of `errors[]`.
#[derive(Debug, Deserialize)]
pub struct GraphqlError {
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    extensions: Option<Extensions>,
}

#[derive(Debug, Deserialize)]
struct Extensions {
    #[serde(default)]
    code: Option<String>,
}

/// The words of the 2020 release for every refusal, bad tokens included; newer ones keep them.
const FORBIDDEN: &str = "You do not have the appropriate permissions for that";

impl GraphqlError {
    fn code(&self) -> &str {
        self.extensions
            .as_ref()
            .and_then(|extensions| extensions.code.as_deref())
            .unwrap_or_default()
    }

    /// The API's message, empty where there is none.
    pub fn message(&self) -> &str {
        self.message.as_deref().unwrap_or_default()
    }

    /// Whether the document itself was refused, which precedes any work.
    pub fn is_validation(&self) -> bool {
        self.code() == "GRAPHQL_VALIDATION_FAILED"
    }

    /// What this error means in an answer of that HTTP status.
    pub fn classify(&self, status: u16) -> ApiError {
        let message = self.message();
        match self.code() {
            "UNAUTHENTICATED" | "AUTH_TOKEN_REFRESH_FAILED" => ApiError::Unauthenticated,
            _ if matches!(message, "Invalid token" | "Expired token") => ApiError::Unauthenticated,
            "FORBIDDEN" => ApiError::Forbidden,
            _ if message == FORBIDDEN => ApiError::Forbidden,
            "RESOURCE_NOT_FOUND" => ApiError::AccountUnknown,
            "GRAPHQL_PARSE_FAILED" | "GRAPHQL_VALIDATION_FAILED" => ApiError::Incompatible {
                message: message.to_owned(),
            },
            // A bad variable is a 400 with INTERNAL_SERVER_ERROR: nothing has been done.
            _ if status == 400 => ApiError::Incompatible {
                message: message.to_owned(),
            },
            "BAD_USER_INPUT" if message.contains("already exists") => ApiError::LabelTaken,
            _ if message.starts_with("No Node for the model Workspace") => {
                ApiError::WorkspaceUnknown
            }
            code => ApiError::Rejected(Rejection {
                code: Some(code.to_owned()).filter(|code| !code.is_empty()),
                message: message.to_owned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: &str, message: &str) -> GraphqlError {
        serde_json::from_value(
            serde_json::json!({"message": message, "extensions": {"code": code}}),
        )
        .unwrap()
    }

    #[test]
    fn internal_server_error_means_unknown_with_200_and_nothing_done_with_400() {
        let error = error("INTERNAL_SERVER_ERROR", "anything");
        assert_eq!(error.classify(200).effect(), Effect::Unknown);
        assert_eq!(error.classify(400).effect(), Effect::None);
    }

    #[test]
    fn refusals_that_precede_the_work_have_no_effect() {
        for (code, message) in [
            ("FORBIDDEN", FORBIDDEN),
            ("", FORBIDDEN),
            ("UNAUTHENTICATED", ""),
            (
                "BAD_USER_INPUT",
                "Service Account already exists with the name ci",
            ),
            ("BAD_USER_INPUT", "Invalid role"),
            ("RESOURCE_NOT_FOUND", "The requested resource was not found"),
            (
                "INTERNAL_SERVER_ERROR",
                "No Node for the model Workspace with value x for id found.",
            ),
        ] {
            assert_eq!(
                error(code, message).classify(200).effect(),
                Effect::None,
                "{code} {message}"
            );
        }
    }

    #[test]
    fn newer_words_for_a_bad_token_are_known() {
        for (code, message) in [
            ("UNAUTHENTICATED", "x"),
            ("AUTH_TOKEN_REFRESH_FAILED", "x"),
            ("", "Invalid token"),
            ("", "Expired token"),
        ] {
            assert_eq!(
                error(code, message).classify(200),
                ApiError::Unauthenticated
            );
        }
    }

    #[test]
    fn gateway_failures_are_uncertain_and_gateway_refusals_are_not() {
        assert_eq!(ApiError::Status { status: 502 }.effect(), Effect::Unknown);
        assert_eq!(ApiError::Status { status: 413 }.effect(), Effect::None);
        assert_eq!(
            ApiError::RateLimited { retry_after: None }.effect(),
            Effect::None
        );
    }
}
