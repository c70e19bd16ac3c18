//! The MCP server: who it is, which tools it has, and the fences around a call.
//! Knows no transport and no API; a call that panics or is cancelled ends here and nowhere else.
//!
//! What it does otherwise than rmcp by itself:
//! - A call that panics gets no answer from rmcp. Here it is answered as a fault of ours.
//! - A call that is cancelled goes on in rmcp, and its HTTP request with it. Here both are dropped.
//! - A known method with parameters that do not parse is an unknown method to rmcp. Here its parameters
//!   are what is wrong.
//! - An unknown tool is "not found" to rmcp. Here the answer names those there are.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::FutureExt;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CustomRequest, CustomResult, ErrorCode,
    ErrorData, GetPromptRequestParams, GetPromptResponse, Implementation, ListPromptsResult,
    ListToolsResult, MetaObject, PaginatedRequestParams, ProtocolVersion, ServerCapabilities,
    ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{RoleServer, ServerHandler};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::guards::secret::Secrets;
use crate::guards::text::quoted;
use crate::session::elicitation::RemoteUser;
use crate::session::prompts;
use crate::tools::{self, House, Shape};

/// How long a client may keep the list of tools, in milliseconds: it is fixed at start.
const LIST_FRESH_MS: u64 = 300_000;

/// Where results of the stateless era say who answers.
const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

/// The methods that this server knows: one of them with parameters that do not parse is not an
/// unknown method.
const METHODS: [&str; 7] = [
    "initialize",
    "ping",
    "prompts/get",
    "prompts/list",
    "server/discover",
    "tools/call",
    "tools/list",
];

/// How long calls under way may take once a signal has come: a little longer than the changes have,
/// so that what became of one is still answered.
const SIGNAL_GRACE: Duration = Duration::from_millis(1600);

/// The server, for as many requests as come.
pub struct Server {
    house: Arc<House>,
    secrets: Secrets,
    shape: Shape,
    tools: OnceLock<Vec<Tool>>,
    ending: Ending,
}

/// How a session ends: what stops a server, and what it tells its calls.
#[derive(Clone, Default)]
pub struct Ending {
    /// Cancelled when a signal wants the process to end.
    pub signal: CancellationToken,
    /// Cancelled when the input has ended: nobody is left to answer a question.
    pub input: CancellationToken,
}

impl Server {
    /// A server with these settings. What shapes its tools is fixed from here on.
    pub async fn new(config: Config, secrets: Secrets, ending: Ending) -> Self {
        let shape = Shape {
            has_default_workspace: config.has_default_workspace().await,
            policy: config.policy.clone(),
        };
        let house = Arc::new(House::new(config, secrets.clone()));
        Self {
            house,
            secrets,
            shape,
            tools: OnceLock::new(),
            ending,
        }
    }

    /// What its calls share; it outlives the session.
    pub fn house(&self) -> Arc<House> {
        Arc::clone(&self.house)
    }

    /// How its session ends.
    pub fn ending(&self) -> &Ending {
        &self.ending
    }

    fn identity(&self) -> Implementation {
        let title = match self.house.config().sandbox {
            true => "Astro Private Cloud service accounts (sandbox)",
            false => "Astro Private Cloud service accounts",
        };
        Implementation::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")).with_title(title)
    }

    fn instructions(&self) -> String {
        let sandbox = match self.house.config().sandbox {
            true => {
                "This is a sandbox: an embedded API with invented accounts, gone when the server ends. "
            }
            false => "",
        };
        format!(
            "{sandbox}Administers the service accounts of Astro Private Cloud workspaces. Start with get_service_accounts \
             without arguments to learn ids. Delete only what the user named. An error's text says what to do next."
        )
    }

    fn tools(&self) -> &[Tool] {
        self.tools.get_or_init(|| tools::definitions(&self.shape))
    }

    fn unknown_tool(&self, name: &str) -> ErrorData {
        let names: Vec<_> = tools::names(&self.shape.policy).collect();
        let read_only = match self.shape.policy.read_only {
            true => " It only reads: --read-only (APC_READ_ONLY) is set.",
            false => "",
        };
        let text = format!(
            "There is no tool {}. This server has: {}.{read_only}",
            quoted(&self.secrets.scrub(name)),
            names.join(", ")
        );
        ErrorData::invalid_params(text, None)
    }

    /// Waits until nobody waits for the call any more, or there is no time left for it.
    async fn given_up(&self, cancelled: CancellationToken) {
        cancelled.cancelled().await;
        if self.ending.signal.is_cancelled() {
            tokio::time::sleep(SIGNAL_GRACE).await;
        }
    }

    /// Results of the stateless era say who answers; those of the older one need not.
    fn signature(&self, context: &RequestContext<RoleServer>) -> Option<MetaObject> {
        let stateless = context
            .protocol_version()
            .is_some_and(|version| version >= ProtocolVersion::V_2026_07_28);
        stateless.then(|| {
            let mut meta = MetaObject::new();
            meta.insert(
                SERVER_INFO.to_owned(),
                serde_json::to_value(self.identity()).unwrap_or_default(),
            );
            meta
        })
    }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_prompts()
            .enable_tools()
            .build();
        ServerConfig::new(capabilities)
            .with_server_info(self.identity())
            .with_instructions(self.instructions())
    }

    async fn list_tools(
        &self,
        _page: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let mut result = ListToolsResult::with_all_items(self.tools().to_vec());
        result.meta = self.signature(&context);
        if result.meta.is_some() {
            result.ttl_ms = Some(LIST_FRESH_MS);
            result.cache_scope = Some(CacheScope::Private);
        }
        Ok(result)
    }

    async fn list_prompts(
        &self,
        _page: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let prompts = prompts::definitions(&self.shape.policy);
        let mut result = ListPromptsResult::with_all_items(prompts);
        result.meta = self.signature(&context);
        if result.meta.is_some() {
            result.ttl_ms = Some(LIST_FRESH_MS);
            result.cache_scope = Some(CacheScope::Private);
        }
        Ok(result)
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let mut result = prompts::get(&request.name, request.arguments, &self.shape.policy)?;
        result.meta = self.signature(&context);
        Ok(result.into())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let name = request.name.clone();
        if !tools::names(&self.shape.policy).any(|known| known == name) {
            return Err(self.unknown_tool(&name));
        }
        let cancelled = context.ct.clone();
        let signature = self.signature(&context);
        let user = RemoteUser::new(
            context,
            request.input_responses,
            request.request_state,
            self.ending.input.clone(),
        );
        // Boxed: rmcp moves what answers a request about ten times, and a call is large.
        let call = Box::pin(tools::call(
            &self.house,
            &name,
            request.arguments,
            Arc::new(user),
        ));
        let call = unpanicked(&name, &self.secrets, call);
        let mut response = tokio::select! {
            biased;
            response = call => response,
            // After a notification the client waits for nothing, and rmcp drops what is answered;
            // after a signal it still does.
            () = self.given_up(cancelled) => tools::stopped(&name, &self.secrets).into(),
        };
        if let (Some(signature), CallToolResponse::Complete(result)) = (signature, &mut response) {
            result.meta.get_or_insert_default().extend(signature);
        }
        Ok(response)
    }

    /// rmcp hands over what it could not read, known methods with bad parameters included.
    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        let method = request.method.as_str();
        if METHODS.contains(&method) {
            return Err(ErrorData::invalid_params(
                format!("The parameters of {method} do not parse."),
                None,
            ));
        }
        let text = format!(
            "There is no method {}. This server has: {}.",
            quoted(&self.secrets.scrub(method)),
            METHODS.join(", ")
        );
        Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, text, None))
    }
}

/// rmcp would let a call that panics end without an answer.
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
