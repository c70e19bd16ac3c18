//! The server as rmcp drives it: what rmcp refuses is refused in our own words.
//! Knows no tool from the inside.
//!
//! | rmcp | here |
//! |---|---|
//! | A known method with params that do not parse is an unknown method. | The params are refused. |
//! | A call whose arguments are no object is refused by an error, which models do not see. | It is refused by a result. |
//! | The refusal of a method is its name. | It names the methods that there are. |

use std::borrow::Cow;

use rmcp::model::{
    CallToolRequestMethod, ClientNotification, ClientRequest, ConstString, ErrorCode, ErrorData,
    ProtocolVersion, ServerConfig, ServerResult,
};
use rmcp::service::{NotificationContext, RequestContext, Service};
use rmcp::{RoleServer, ServerHandler};
use serde_json::Value;

use super::refusals;
use super::server::{Server, is_stateless, sign};
use crate::tools;

/// A request that rmcp may refuse.
struct RefusedRequest {
    method: String,
    /// Known where rmcp could not read the request.
    params: Option<Value>,
    version: Option<ProtocolVersion>,
}

impl RefusedRequest {
    /// The tool and the value in the place of its arguments, if that is what is wrong with a call.
    fn odd_arguments(&self) -> Option<(&str, &Value)> {
        let is_call = self.method == CallToolRequestMethod::VALUE;
        let params = self.params.as_ref().filter(|_| is_call)?;
        let given = params.get("arguments")?;
        let is_odd = !given.is_object() && !given.is_null();
        is_odd.then_some((params.get("name")?.as_str()?, given))
    }
}

/// The server as rmcp drives it. Refuses in our own words each request that rmcp refuses as unknown.
pub struct McpService(Server);

impl McpService {
    /// The service of this server.
    pub fn new(server: Server) -> Self {
        Self(server)
    }

    /// Refuses a call with odd arguments by a result, since the model sees no protocol error; anything else by an error.
    async fn refuse(&self, refused: &RefusedRequest) -> Result<ServerResult, ErrorData> {
        let (params, version) = (refused.params.as_ref(), refused.version.as_ref());
        let server = &self.0;
        let secrets = server.known_secrets().await;
        let Some((tool, given)) = refused.odd_arguments() else {
            return Err(refusals::method(&refused.method, params, version, secrets));
        };
        server.find(tool).await?;
        let kind = refusals::kind(given);
        let mut response = tools::arguments_are_no_object(tool, kind, secrets).into();
        sign(&mut response, server.signature(version));
        let mut result = ServerResult::from(response);
        if !is_stateless(version) {
            result.strip_result_type_for_legacy_peer();
        }
        Ok(result)
    }
}

impl Service<RoleServer> for McpService {
    async fn handle_request(
        &self,
        request: ClientRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<ServerResult, ErrorData> {
        let refused = RefusedRequest {
            method: request.method().to_owned(),
            params: match &request {
                ClientRequest::CustomRequest(request) => request.params.clone(),
                _ => None,
            },
            version: context.protocol_version(),
        };
        match self.0.handle_request(request, context).await {
            Err(error) if error.code == ErrorCode::METHOD_NOT_FOUND => self.refuse(&refused).await,
            other => other,
        }
    }

    async fn handle_notification(
        &self,
        notification: ClientNotification,
        context: NotificationContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.0.handle_notification(notification, context).await
    }

    fn get_info(&self) -> ServerConfig {
        ServerHandler::get_info(&self.0)
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        ServerHandler::supported_protocol_versions(&self.0)
    }
}
