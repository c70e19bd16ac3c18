//! The tools: which there are, and the way of a call to its tool. To add one, write its file and
//! name it in [`definitions`] and [`run`].
//! Knows no transport; a tool knows neither HTTP nor GraphQL.

mod arguments;
mod create;
mod delete;
mod get;
mod result;
mod schema;

use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{CallToolResult, JsonObject, Tool};
use tokio::time::Instant;

use crate::apc::error::ApiError;
use crate::apc::graphql::{Api, Houston};
use crate::apc::installation::Installation;
use crate::apc::operations;
use crate::apc::{ServiceAccount, Workspace, WorkspaceId};
use crate::config::Config;
use crate::secret::Secrets;

use result::{Code, Failure, api_failure};

/// The longest a call may take.
const CALL: Duration = Duration::from_secs(45);

/// What all calls of a server share.
pub struct House {
    config: Config,
    houston: Houston,
    secrets: Secrets,
    creations: create::Creations,
}

impl House {
    /// A house that has met no installation yet.
    pub fn new(config: Config, secrets: Secrets) -> Self {
        let houston = Houston::new(config.connecting.clone(), config.timeout, secrets.clone());
        Self {
            config,
            houston,
            secrets,
            creations: create::Creations::default(),
        }
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.config
    }
}

/// What of the settings shapes the tools; taken once, at start.
#[derive(Debug, Clone, Default)]
pub struct Shape {
    /// Whether a call that names no workspace has one all the same.
    pub has_default_workspace: bool,
}

/// The tools as clients see them, sorted by name.
pub fn definitions(shape: &Shape) -> Vec<Tool> {
    vec![
        create::definition(shape),
        delete::definition(),
        get::definition(),
    ]
}

/// Whether there is a tool of that name.
pub fn exists(name: &str) -> bool {
    [create::NAME, delete::NAME, get::NAME].contains(&name)
}

/// Runs a tool. Every failure is a result: a protocol error would hide its words from the model.
pub async fn call(house: &Arc<House>, name: &str, arguments: Option<JsonObject>) -> CallToolResult {
    match run(house, name, arguments).await {
        Ok(result) => result,
        Err(failure) => {
            tracing::info!(tool = name, code = failure.code().name(), "call failed");
            failure.into_result(&house.secrets)
        }
    }
}

async fn run(
    house: &Arc<House>,
    name: &str,
    arguments: Option<JsonObject>,
) -> Result<CallToolResult, Failure> {
    let call = Call {
        house: Arc::clone(house),
        installation: Arc::new(house.config.installation().await?),
        deadline: Instant::now() + CALL,
    };
    match name {
        create::NAME => create::call(&call, arguments).await,
        delete::NAME => delete::call(&call, arguments).await,
        get::NAME => get::call(&call, arguments).await,
        unknown => Err(Failure::new(
            Code::InternalError,
            format!("There is no tool {}.", result::quoted(unknown)),
        )),
    }
}

/// A panic in a tool, in words.
pub fn panicked(name: &str, secrets: &Secrets) -> CallToolResult {
    let text = format!(
        "{name} failed by a fault of this server, which goes on. If it was to change something, look with get_service_accounts whether it did."
    );
    Failure::new(Code::InternalError, text).into_result(secrets)
}

/// One call: the installation it goes to and the time it has.
#[derive(Clone)]
struct Call {
    house: Arc<House>,
    installation: Arc<Installation>,
    deadline: Instant,
}

impl Call {
    fn api(&self) -> Api<'_> {
        self.house.houston.within(&self.installation, self.deadline)
    }

    fn secrets(&self) -> &Secrets {
        &self.house.secrets
    }

    fn failure(&self, error: &ApiError) -> Failure {
        api_failure(error, &self.installation, self.secrets())
    }

    /// What happened, as one sentence.
    fn happened(&self, error: &ApiError) -> String {
        result::happened(error, self.installation.url.host(), self.secrets())
    }

    /// The accounts of a workspace that is known to exist: an empty list alone does not tell, since
    /// a system admin gets one for any id.
    async fn accounts_of(
        &self,
        workspace_id: &WorkspaceId,
    ) -> Result<Vec<ServiceAccount>, Failure> {
        let api = self.api();
        let listing = operations::workspace_service_accounts(&api, workspace_id).await;
        let accounts = listing
            .map_err(|error| self.failure(&error).about_workspace(workspace_id))?
            .accounts;
        if accounts.is_empty() {
            let workspace = operations::workspace(&api, workspace_id).await;
            // Whoever may list accounts may be refused the workspace; only a clear no counts.
            if matches!(workspace, Ok(None)) {
                return Err(unknown_workspace(workspace_id));
            }
        }
        Ok(accounts)
    }

    /// The workspaces in which an id is looked for: those of the token, and the default one.
    async fn visible_workspaces(&self) -> Result<Vec<Workspace>, Failure> {
        let mut visible = operations::workspaces(&self.api())
            .await
            .map_err(|error| self.failure(&error))?;
        if let Some(id) = &self.installation.default_workspace
            && visible.iter().all(|workspace| workspace.id != *id)
        {
            let known = operations::workspace(&self.api(), id).await.ok().flatten();
            visible.push(known.unwrap_or(Workspace {
                id: id.clone(),
                label: None,
            }));
        }
        if visible.is_empty() {
            let text = "The token sees no workspace by itself, as system-level tokens do. Nothing was changed; call again with a workspace_id, which the platform's administrators can tell.";
            return Err(Failure::new(Code::InvalidArguments, text));
        }
        Ok(visible)
    }
}

fn unknown_workspace(id: &WorkspaceId) -> Failure {
    let text = format!(
        "There is no workspace {}. Nothing was changed. Call get_service_accounts without arguments to see the workspaces of this token.",
        result::quoted(id.as_str())
    );
    Failure::new(Code::NotFound, text).about_workspace(id)
}
