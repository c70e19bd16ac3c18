//! The MCP server: its identity, its tools and prompts, and the fences around a call.
//! Knows no transport and no API. A call that panics or is cancelled ends here and nowhere else.
//!
//! | rmcp | here |
//! |---|---|
//! | A call that panics is never answered. | It is answered as a fault of this server. |
//! | A call that is cancelled goes on, and its HTTP request with it. | Both are dropped. |
//! | The refusal of a tool is a word or two. | It names the tools that there are. |

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};

use futures_util::FutureExt;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, ErrorData, GetPromptRequestParams,
    GetPromptResponse, Implementation, ListPromptsResult, ListToolsResult, MetaObject,
    PaginatedRequestParams, ProtocolVersion, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{RoleServer, ServerHandler};
use tokio_util::sync::CancellationToken;

use super::elicitation::{RemoteUser, Seal};
use super::shutdown::{CALLS_AFTER_SIGNAL, Shutdown};
use super::{instructions, prompts, refusals};
use crate::config::Config;
use crate::guards::secret::Secrets;
use crate::tools::{self, SharedState, ToolOptions};

/// The time for which a client may keep a list, in milliseconds. Lists are fixed at start.
const LIST_FRESH_MS: u64 = 300_000;

/// The cache that may keep a list: the client's own.
const LIST_CACHE: CacheScope = CacheScope::Private;

/// The place of the server's identity in results of the stateless era.
const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

/// The server.
pub struct Server {
    shared: Arc<SharedState>,
    secrets: Secrets,
    options: ToolOptions,
    tools: OnceLock<Vec<Tool>>,
    seal: Arc<Seal>,
    shutdown: Shutdown,
}

impl Server {
    /// A server with these settings. The shape of its tools is fixed from here on.
    pub async fn new(config: Config, secrets: Secrets, shutdown: Shutdown) -> Self {
        let options = ToolOptions {
            has_default_workspace: config.has_default_workspace().await,
            policy: config.policy.clone(),
        };
        let shared = Arc::new(SharedState::new(config, secrets.clone()));
        Self {
            shared,
            secrets,
            options,
            tools: OnceLock::new(),
            seal: Arc::default(),
            shutdown,
        }
    }

    /// The state that its calls share. It outlives the session.
    pub fn shared(&self) -> Arc<SharedState> {
        Arc::clone(&self.shared)
    }

    /// The causes that end its session.
    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    fn identity(&self) -> Implementation {
        let title = match self.shared.config().sandbox {
            true => "Astro Private Cloud service accounts (sandbox)",
            false => "Astro Private Cloud service accounts",
        };
        Implementation::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")).with_title(title)
    }

    fn tools(&self) -> &[Tool] {
        self.tools.get_or_init(|| tools::definitions(&self.options))
    }

    /// The secrets that no answer shows, the token in use among them.
    pub(super) async fn known_secrets(&self) -> &Secrets {
        self.shared.known_secrets().await
    }

    /// Waits until nobody wants the answer of a call any more, or its time is over.
    async fn is_given_up(&self, cancelled: CancellationToken) {
        cancelled.cancelled().await;
        if self.shutdown.signal.is_cancelled() {
            tokio::time::sleep(CALLS_AFTER_SIGNAL).await;
        }
    }

    /// Refuses a tool that this server does not have.
    pub(super) async fn find(&self, tool: &str) -> Result<(), ErrorData> {
        let policy = &self.options.policy;
        let known: Vec<_> = tools::names(policy).collect();
        if known.contains(&tool) {
            return Ok(());
        }
        let secrets = self.known_secrets().await;
        Err(refusals::unknown("tool", tool, &known, policy, secrets))
    }

    /// The identity in a result of the stateless era. Older results have none.
    pub(super) fn signature(&self, version: Option<&ProtocolVersion>) -> Option<MetaObject> {
        is_stateless(version).then(|| {
            let identity = serde_json::to_value(self.identity()).unwrap_or_default();
            let mut meta = MetaObject::new();
            meta.insert(SERVER_INFO.to_owned(), identity);
            meta
        })
    }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_prompts()
            .enable_tools();
        ServerConfig::new(capabilities.build())
            .with_server_info(self.identity())
            .with_instructions(instructions::text(self.shared.config()))
    }

    async fn list_tools(
        &self,
        _page: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let mut result = ListToolsResult::with_all_items(self.tools().to_vec());
        result.meta = self.signature(context.protocol_version().as_ref());
        result.ttl_ms = result.meta.is_some().then_some(LIST_FRESH_MS);
        result.cache_scope = result.meta.is_some().then_some(LIST_CACHE);
        Ok(result)
    }

    async fn list_prompts(
        &self,
        _page: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let prompts = prompts::definitions(&self.options.policy);
        let mut result = ListPromptsResult::with_all_items(prompts);
        result.meta = self.signature(context.protocol_version().as_ref());
        result.ttl_ms = result.meta.is_some().then_some(LIST_FRESH_MS);
        result.cache_scope = result.meta.is_some().then_some(LIST_CACHE);
        Ok(result)
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let secrets = self.known_secrets().await;
        let mut result = prompts::get(request, &self.options.policy, secrets)?;
        result.meta = self.signature(context.protocol_version().as_ref());
        Ok(result.into())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let name = request.name.clone();
        self.find(&name).await?;
        let cancelled = context.ct.clone();
        let signature = self.signature(context.protocol_version().as_ref());
        let (seal, shutdown) = (Arc::clone(&self.seal), self.shutdown.clone());
        let user = RemoteUser::new(context, &request, seal, shutdown);
        // Boxed: rmcp moves what answers a request about ten times, and a call is large.
        let call = tools::call(&self.shared, &name, request.arguments, Arc::new(user));
        let call = unpanicked(&name, &self.secrets, Box::pin(call));
        let mut response = tokio::select! {
            biased;
            response = call => response,
            // After a notification the client waits for nothing, and rmcp drops what is answered;
            // after a signal it still does.
            () = self.is_given_up(cancelled) => tools::stopped(&name, &self.secrets).into(),
        };
        sign(&mut response, signature);
        Ok(response)
    }
}

/// Tells whether the version is one without a handshake.
pub(super) fn is_stateless(version: Option<&ProtocolVersion>) -> bool {
    version.is_some_and(|version| *version >= ProtocolVersion::V_2026_07_28)
}

/// Puts the identity into the result of a call.
pub(super) fn sign(response: &mut CallToolResponse, signature: Option<MetaObject>) {
    if let (Some(signature), CallToolResponse::Complete(result)) = (signature, response) {
        result.meta.get_or_insert_default().extend(signature);
    }
}

/// Answers a call that panics. rmcp would leave it without an answer.
async fn unpanicked(
    name: &str,
    secrets: &Secrets,
    call: impl Future<Output = CallToolResponse>,
) -> CallToolResponse {
    let response = AssertUnwindSafe(call).catch_unwind().await;
    response.unwrap_or_else(|_| tools::panicked(name, secrets).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_call_that_panics_is_answered_as_a_fault_of_ours() {
        let call = async { panic!("with a secret in it") };
        let response = unpanicked("get_service_accounts", &Secrets::default(), call).await;
        let CallToolResponse::Complete(result) = response else {
            panic!("not an answer")
        };
        let result = serde_json::to_value(result).unwrap();
        assert_eq!(result["isError"], true);
        assert_eq!(result["_meta"]["apc-mcp/error"]["code"], "internal_error");
        assert!(!result.to_string().contains("secret in it"), "{result}");
    }
}
