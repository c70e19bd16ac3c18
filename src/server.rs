//! The MCP server: who it is, which tools it has, and the fences around a call.
//! Knows no transport and no API; a call that panics or is cancelled ends here and nowhere else.

use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};

use futures_util::FutureExt;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, CustomRequest,
    CustomResult, ErrorCode, ErrorData, Implementation, ListToolsResult, MetaObject,
    PaginatedRequestParams, ProtocolVersion, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{RoleServer, ServerHandler};

use crate::apc::installation::ApiUrl;
use crate::config::Config;
use crate::sandbox::{Persona, Sandbox};
use crate::secret::{Secret, Secrets};
use crate::tools::{self, House, Shape};

/// How long a client may keep the list of tools, in milliseconds: it is fixed at start.
const LIST_FRESH_MS: u64 = 300_000;

/// Where results of the stateless era say who answers.
const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

/// The methods that this server knows: one of them with parameters that do not parse is not an
/// unknown method.
const METHODS: [&str; 5] = [
    "initialize",
    "ping",
    "server/discover",
    "tools/call",
    "tools/list",
];

/// The server, for as many requests as come.
pub struct Server {
    house: Arc<House>,
    secrets: Secrets,
    shape: Shape,
    tools: OnceLock<Vec<Tool>>,
    _sandbox: Option<Sandbox>,
}

impl Server {
    /// A server with these settings, and its sandbox where they ask for one. What shapes its tools
    /// is fixed from here on.
    ///
    /// # Errors
    /// The sandbox found no port.
    pub async fn start(mut config: Config, secrets: Secrets) -> io::Result<Self> {
        let sandbox = if config.sandbox {
            Some(Sandbox::start(0).await?)
        } else {
            None
        };
        if let Some(sandbox) = &sandbox {
            let url = ApiUrl::parse(&sandbox.url()).map_err(io::Error::other)?;
            config.set_sandbox(url, Secret::new(sandbox.token(Persona::WorkspaceAdmin)));
        }
        let shape = Shape {
            has_default_workspace: config.default_workspace().await.is_some(),
        };
        let house = Arc::new(House::new(config, secrets.clone()));
        Ok(Self {
            house,
            secrets,
            shape,
            tools: OnceLock::new(),
            _sandbox: sandbox,
        })
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
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
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

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let name = request.name.clone();
        if !tools::exists(&name) {
            return Err(unknown_tool(&name, self.tools()));
        }
        let call =
            AssertUnwindSafe(tools::call(&self.house, &name, request.arguments)).catch_unwind();
        let mut result = tokio::select! {
            biased;
            // The client has said that it does not wait; rmcp drops what is answered now.
            () = context.ct.cancelled() => CallToolResult::error(Vec::new()),
            result = call => result.unwrap_or_else(|_| tools::panicked(&name, &self.secrets)),
        };
        if let Some(signature) = self.signature(&context) {
            result.meta.get_or_insert_default().extend(signature);
        }
        Ok(result.into())
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
            "There is no method {method}. This server has: {}.",
            METHODS.join(", ")
        );
        Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, text, None))
    }
}

fn unknown_tool(name: &str, tools: &[Tool]) -> ErrorData {
    let names: Vec<_> = tools.iter().map(|tool| tool.name.as_ref()).collect();
    let name: String = name.chars().take(80).collect();
    ErrorData::invalid_params(
        format!(
            "There is no tool {name:?}. This server has: {}.",
            names.join(", ")
        ),
        None,
    )
}
