//! The words of protocol errors: what is wrong with a request, and what the server has instead.
//! Says nothing about a call that failed; that is a result of its tool.

use rmcp::model::{
    CallToolRequestMethod, ConstString, DiscoverRequestMethod, ErrorCode, ErrorData,
    GetPromptRequestMethod, ProtocolVersion,
};
use serde_json::Value;

use super::server::is_stateless;
use super::transport::LINE_MAX;
use crate::guards::policy::Policy;
use crate::guards::secret::Secrets;
use crate::guards::text::quoted;
use crate::tools::ONLY_READS;

/// The methods of every protocol version.
const METHODS: [&str; 4] = ["prompts/get", "prompts/list", "tools/call", "tools/list"];

/// The methods of the versions that begin with a handshake.
const HANDSHAKE_METHODS: [&str; 2] = ["initialize", "ping"];

/// The methods of the versions without a handshake.
const STATELESS_METHODS: [&str; 1] = [DiscoverRequestMethod::VALUE];

/// The members of params that a method needs, and the values that they take.
const CALL_MEMBERS: [(&str, &str); 4] = [
    ("name", "a string"),
    ("arguments", "an object"),
    ("inputResponses", "an object"),
    ("requestState", "a string"),
];

/// Refuses a method that does not exist, or the params of one that does exist. rmcp reports both alike.
pub fn method(
    name: &str,
    params: Option<&Value>,
    version: Option<&ProtocolVersion>,
    secrets: &Secrets,
) -> ErrorData {
    let methods = match is_stateless(version) {
        true => [&METHODS[..], &STATELESS_METHODS].concat(),
        false => [&METHODS[..], &HANDSHAKE_METHODS].concat(),
    };
    if methods.contains(&name) {
        return ErrorData::invalid_params(unreadable_params(name, params), None);
    }
    if name == DiscoverRequestMethod::VALUE {
        return already_open();
    }
    let text = there_is_no("method", name, &methods, secrets);
    ErrorData::new(ErrorCode::METHOD_NOT_FOUND, text, None)
}

fn unreadable_params(method: &str, params: Option<&Value>) -> String {
    let accepted = match method {
        CallToolRequestMethod::VALUE | GetPromptRequestMethod::VALUE => {
            "an object with name (a string) and, if there are any, arguments (an object)"
        }
        _ => "an object or nothing",
    };
    let fault = fault(params).map_or(String::new(), |fault| format!(": {fault}"));
    format!("The params of {method} cannot be read{fault}. Accepted: {accepted}.")
}

/// The first fault of params with a name and arguments.
fn fault(params: Option<&Value>) -> Option<String> {
    let Some(params) = params.filter(|params| !params.is_null()) else {
        return Some("they are missing".to_owned());
    };
    if !params.is_object() {
        return Some(format!("they are {}", kind(params)));
    }
    CALL_MEMBERS.iter().find_map(|(name, accepted)| {
        let kind = match params.get(name) {
            None | Some(Value::Null) if *name != "name" => return None,
            None => return Some(format!("{name} is missing")),
            Some(value) => kind(value),
        };
        (kind != *accepted).then(|| format!("{name} is {kind} and has to be {accepted}"))
    })
}

/// The kind of a JSON value, in words.
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Refuses a tool or prompt that this server does not have.
pub fn unknown(
    kind: &str,
    name: &str,
    known: &[&str],
    policy: &Policy,
    secrets: &Secrets,
) -> ErrorData {
    let only_reads = if policy.read_only { ONLY_READS } else { "" };
    let text = there_is_no(kind, name, known, secrets) + only_reads;
    ErrorData::invalid_params(text, None)
}

fn there_is_no(kind: &str, name: &str, known: &[&str], secrets: &Secrets) -> String {
    let (name, known) = (quoted(&secrets.scrub(name)), known.join(", "));
    format!("There is no {kind} {name}. This server has: {known}.")
}

/// Refuses a request before the session is open.
pub fn not_open() -> ErrorData {
    let text = "The session is not open. Send initialize first; or, in version 2026-07-28, put \
        io.modelcontextprotocol/protocolVersion and io.modelcontextprotocol/clientCapabilities into params._meta of \
        every request.";
    ErrorData::invalid_params(text, None)
}

/// Refuses a discovery in a session that began with a handshake.
pub fn already_open() -> ErrorData {
    let text = "This session began with initialize, and server/discover is for clients that do not send initialize. \
        The result of initialize has the same information.";
    ErrorData::new(ErrorCode::METHOD_NOT_FOUND, text, None)
}

/// Refuses a stateless request that lacks these parts of its metadata.
pub fn lacks_metadata(names: &[&str]) -> ErrorData {
    let text = format!(
        "params._meta of this request lacks {}, or the value cannot be read. In version 2026-07-28 every request needs \
         io.modelcontextprotocol/protocolVersion (a string) and io.modelcontextprotocol/clientCapabilities (an object, \
         which may be empty) in params._meta.",
        names.join(" and ")
    );
    ErrorData::invalid_params(text, None)
}

/// Replaces the text of an error about a protocol version, and takes secrets out of the version.
pub fn reword_version(error: &mut ErrorData, secrets: &Secrets) {
    let data = error.data.as_mut();
    let requested = data.and_then(|data| data.get_mut("requested"));
    let mut shown = String::new();
    if let Some(Value::String(requested)) = requested {
        *requested = secrets.scrub_foreign(requested);
        shown.clone_from(requested);
    }
    let supported = ProtocolVersion::KNOWN_VERSIONS.iter();
    let supported: Vec<_> = supported.map(ProtocolVersion::as_str).collect();
    let (shown, supported) = (quoted(&shown), supported.join(", "));
    error.message = format!("This server does not speak protocol version {shown}. It speaks: {supported}. Send the request again with one of these versions.").into();
}

/// Refuses a line that is no message.
pub fn no_request() -> ErrorData {
    let text = "This line is not a valid request. Send one JSON object per line, with jsonrpc \"2.0\", a method, and an \
        id that is a whole number or a string. If there are params, they are an object. Lists of requests are not \
        accepted.";
    ErrorData::invalid_request(text, None)
}

/// Refuses a line that is too long.
pub fn oversized() -> ErrorData {
    let text = format!(
        "This line is longer than {LINE_MAX} bytes, the most that this server reads. It was not read, and nothing was \
         done. Send less in one request."
    );
    ErrorData::invalid_request(text, None)
}
