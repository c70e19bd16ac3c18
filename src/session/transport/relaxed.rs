//! A lenient reading of a message. Some languages write an empty object as `[]` or as an empty text.
//! Changes nothing in a message that rmcp reads by itself.

use rmcp::RoleServer;
use rmcp::model::{
    CallToolRequestMethod, ClientRequest, ConstString, GetPromptRequestMethod,
    InitializeResultMethod, JsonRpcMessage,
};
use rmcp::service::RxJsonRpcMessage;
use serde_json::{Map, Value};

/// The methods whose params have arguments.
const WITH_ARGUMENTS: [&str; 2] = [CallToolRequestMethod::VALUE, GetPromptRequestMethod::VALUE];

/// Reads a line. Returns nothing if it is no message.
pub fn parse(line: &[u8]) -> Option<RxJsonRpcMessage<RoleServer>> {
    match serde_json::from_slice(line) {
        Ok(message) if !is_malformed(&message) => Some(message),
        _ => reread(line),
    }
}

/// Tells whether rmcp could not read the params. It takes the request for one of an unknown method then.
fn is_malformed(message: &RxJsonRpcMessage<RoleServer>) -> bool {
    if let JsonRpcMessage::Request(request) = message
        && let ClientRequest::CustomRequest(request) = &request.request
    {
        return WITH_ARGUMENTS.contains(&&*request.method);
    }
    false
}

/// Reads a line without the members that are empty or that nobody needs.
fn reread(line: &[u8]) -> Option<RxJsonRpcMessage<RoleServer>> {
    let mut message: Value = serde_json::from_slice(line).ok()?;
    let members = message.as_object_mut()?;
    let method = members.get("method")?.as_str()?;
    // A handshake is understood whatever its params are.
    let needs_params = method != InitializeResultMethod::VALUE;
    let has_arguments = WITH_ARGUMENTS.contains(&method);
    match members.get_mut("params") {
        Some(Value::Object(params)) => {
            remove_if(params, "_meta", |meta| !meta.is_object());
            remove_if(params, "arguments", |given| {
                has_arguments && is_empty(given)
            });
        }
        Some(_) => remove_if(members, "params", |params| {
            !needs_params || is_empty(params)
        }),
        None => {}
    }
    serde_json::from_value(message).ok()
}

fn remove_if(members: &mut Map<String, Value>, name: &str, is_useless: impl Fn(&Value) -> bool) {
    if members.get(name).is_some_and(is_useless) {
        members.remove(name);
    }
}

/// Tells whether the value is a way to write an empty object.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.is_empty(),
        Value::String(text) => text.trim().is_empty(),
        _ => false,
    }
}
