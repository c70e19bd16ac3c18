//! The opening of a session. It is read leniently: only the parts in use have to be readable, which are
//! the protocol version, the client's name and its ability to show a form.
//! Adds nothing that the client did not say.

use rmcp::model::{
    ClientCapabilities, ClientRequest, ConstString, CustomRequest, ElicitationCapability,
    ErrorData, GetMeta, Implementation, InitializeRequest, InitializeRequestParams,
    InitializeResultMethod, ProtocolVersion, RequestMetaObject,
};
use serde::Deserialize;
use serde_json::Value;

use crate::session::refusals;
use crate::session::server::is_stateless;

/// The places in `_meta` of the things that a stateless client says about itself.
const PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
const METADATA: [&str; 3] = [PROTOCOL_VERSION, CLIENT_CAPABILITIES, CLIENT_INFO];

/// The way in which a session was opened, as rmcp sees it.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Opening {
    /// Not yet.
    #[default]
    None,
    /// By `initialize`.
    Handshake,
    /// By a stateless request, whose `_meta` stands for a handshake.
    Stateless,
}

impl Opening {
    /// Tells whether the session is open.
    pub fn is_open(self) -> bool {
        self != Self::None
    }

    /// The refusal of a request without the metadata that stands for a handshake, if it needs any.
    pub fn refusal(self, request: &ClientRequest) -> Option<ErrorData> {
        let meta = request.get_meta();
        let is_needed = match request {
            ClientRequest::InitializeRequest(_) => false,
            ClientRequest::DiscoverRequest(_) => true,
            ClientRequest::PingRequest(_) => self == Self::Stateless,
            _ => self != Self::Handshake || is_stateless(meta.protocol_version().as_ref()),
        };
        let lacking = meta.missing_required_keys(&ProtocolVersion::V_2026_07_28);
        let has_some = meta.keys().any(|name| METADATA.contains(&&**name));
        match self {
            _ if !is_needed || lacking.is_empty() => None,
            Self::Handshake if !has_some => Some(refusals::already_open()),
            Self::None if !has_some => Some(refusals::not_open()),
            _ => Some(refusals::lacks_metadata(&lacking)),
        }
    }

    /// Notes a request that may open the session.
    pub fn note(&mut self, request: &ClientRequest) {
        match request {
            _ if self.is_open() => {}
            ClientRequest::InitializeRequest(_) => *self = Self::Handshake,
            ClientRequest::DiscoverRequest(_) | ClientRequest::PingRequest(_) => {}
            other if has_known_version(other) => *self = Self::Stateless,
            _ => {}
        }
    }
}

fn has_known_version(request: &ClientRequest) -> bool {
    let version = request.get_meta().protocol_version();
    version.is_some_and(|version| ProtocolVersion::KNOWN_VERSIONS.contains(&version))
}

/// Replaces the parts of a handshake, or of a stateless request's `_meta`, that rmcp does not read.
pub fn mend(request: &mut ClientRequest) {
    match request {
        // A method that rmcp knows is custom where its parameters do not parse.
        ClientRequest::CustomRequest(custom) if custom.method == InitializeResultMethod::VALUE => {
            *request = ClientRequest::InitializeRequest(initialize(custom));
        }
        other if other.get_meta().contains_key(CLIENT_CAPABILITIES) => {
            mend_meta(other.get_meta_mut());
        }
        _ => {}
    }
}

fn initialize(request: &CustomRequest) -> InitializeRequest {
    let member = |name| request.params.as_ref().and_then(|params| params.get(name));
    let version = member("protocolVersion").map(ProtocolVersion::deserialize);
    // Without a version the client is offered the newest, as for one that is unknown.
    let version = version
        .and_then(Result::ok)
        .unwrap_or(ProtocolVersion::V_2025_11_25);
    let capabilities = capabilities(member("capabilities"));
    let client = implementation(member("clientInfo"));
    let parameters = InitializeRequestParams::new(capabilities, client);
    InitializeRequest::new(parameters.with_protocol_version(version))
}

fn mend_meta(meta: &mut RequestMetaObject) {
    if meta.client_capabilities().is_none() {
        meta.set_client_capabilities(capabilities(meta.get(CLIENT_CAPABILITIES)));
    }
    if meta.contains_key(CLIENT_INFO) && meta.client_info().is_none() {
        meta.set_client_info(implementation(meta.get(CLIENT_INFO)));
    }
}

fn implementation(declared: Option<&Value>) -> Implementation {
    let text = |name| declared.and_then(|info| info.get(name)?.as_str());
    let (name, version) = (text("name"), text("version"));
    Implementation::new(name.unwrap_or_default(), version.unwrap_or_default())
}

fn capabilities(declared: Option<&Value>) -> ClientCapabilities {
    let mut readable = ClientCapabilities::default();
    let elicitation = declared.and_then(|declared| declared.get("elicitation"));
    let shows_forms = elicitation.is_some_and(|elicitation| match elicitation {
        Value::Null | Value::Bool(false) => false,
        // Some languages write an empty object as `[]`, and some clients `true`.
        declared => declared.get("url").is_none() || declared.get("form").is_some(),
    });
    readable.elicitation = shows_forms.then(ElicitationCapability::default);
    readable
}
