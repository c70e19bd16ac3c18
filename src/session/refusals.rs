//! The words of protocol errors: what is wrong with a request, and what the server has instead.
//! Says nothing about a call that failed; that is a result of its tool.

use rmcp::model::{ErrorCode, ErrorData, ProtocolVersion};

use super::transport::LINE_MAX;
use crate::guards::policy::Policy;
use crate::guards::secret::Secrets;
use crate::guards::text::quoted;
use crate::tools::ONLY_READS;

/// The methods of every protocol version.
const METHODS: [&str; 5] = [
    "prompts/get",
    "prompts/list",
    "server/discover",
    "tools/call",
    "tools/list",
];

/// The methods of the versions that begin with a handshake.
const HANDSHAKE_METHODS: [&str; 2] = ["initialize", "ping"];

/// Refuses a method that does not exist, or the parameters of one that does exist. rmcp reports both
/// alike.
pub fn method(name: &str, version: Option<&ProtocolVersion>, secrets: &Secrets) -> ErrorData {
    let mut methods = METHODS.to_vec();
    if version.is_none_or(|version| *version < ProtocolVersion::V_2026_07_28) {
        methods.extend(HANDSHAKE_METHODS);
    }
    if methods.contains(&name) {
        return ErrorData::invalid_params(wrong_parameters(name), None);
    }
    let text = unknown("method", name, &methods, secrets);
    ErrorData::new(ErrorCode::METHOD_NOT_FOUND, text, None)
}

fn wrong_parameters(method: &str) -> String {
    let accepted = match method {
        "tools/call" | "prompts/get" => "an object with a name and, if there are any, arguments",
        _ => "an object or nothing",
    };
    format!("The params of {method} cannot be read; accepted: {accepted}.")
}

/// Refuses a tool that this server does not have.
pub fn tool(name: &str, known: &[&str], policy: &Policy, secrets: &Secrets) -> ErrorData {
    let text = unknown("tool", name, known, secrets) + only_reads(policy);
    ErrorData::invalid_params(text, None)
}

/// Refuses a prompt that this server does not have.
pub fn prompt(name: &str, known: &[&str], policy: &Policy, secrets: &Secrets) -> ErrorData {
    let text = unknown("prompt", name, known, secrets) + only_reads(policy);
    ErrorData::invalid_params(text, None)
}

fn unknown(kind: &str, name: &str, known: &[&str], secrets: &Secrets) -> String {
    format!(
        "There is no {kind} {}. This server has: {}.",
        quoted(&secrets.scrub(name)),
        known.join(", ")
    )
}

fn only_reads(policy: &Policy) -> &'static str {
    match policy.read_only {
        true => ONLY_READS,
        false => "",
    }
}

/// Refuses a request before the session is open.
pub fn not_open() -> ErrorData {
    let text = "The session is not open. Send initialize first; or, in version 2026-07-28, put \
        io.modelcontextprotocol/protocolVersion and io.modelcontextprotocol/clientCapabilities into params._meta of \
        every request.";
    ErrorData::invalid_params(text, None)
}

/// Refuses a line that is no message.
pub fn no_request() -> ErrorData {
    let text = "This is no valid request: one object a line, with jsonrpc \"2.0\", a method, an id that is a whole \
        number or a string, and objects as params and params._meta where there are any.";
    ErrorData::invalid_request(text, None)
}

/// Refuses a line that is too long.
pub fn oversized() -> ErrorData {
    let text = format!(
        "The line is longer than {LINE_MAX} bytes, so it was not read and nothing was done. Send less in one request."
    );
    ErrorData::invalid_request(text, None)
}
