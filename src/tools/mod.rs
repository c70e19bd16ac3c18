//! The tools: which there are, and the way of a call to its tool. To add one, write its file and
//! name it in `TOOLS`, and in `run` or `change`.
//! Knows no transport; a tool knows neither HTTP nor GraphQL.

mod arguments;
mod change;
mod create;
mod delete;
mod get;
mod label_locks;
mod recovery;
mod result;
mod schema;
pub mod user;

use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{CallToolResponse, CallToolResult, InputRequiredResult, JsonObject, Tool};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::apc::error::ApiError;
use crate::apc::exchange::{Api, Houston};
use crate::apc::installation::Installation;
use crate::apc::operations::{self, Glimpse};
use crate::apc::{ServiceAccount, Workspace, WorkspaceId};
use crate::config::Config;
use crate::guards::policy::{ChangeRate, Policy};
use crate::guards::secret::Secrets;
use crate::guards::text::quoted;

use change::Record;
use label_locks::Turns;
use result::{Code, Failure, api_failure};
use user::User;

pub use result::ONLY_READS;

/// The longest a call may take, apart from waiting for the user.
const CALL: Duration = Duration::from_secs(45);

/// What all calls of a server share.
pub struct House {
    config: Config,
    houston: Houston,
    secrets: Secrets,
    creations: Turns,
    rate: ChangeRate,
    changes: TaskTracker,
    abandoned: CancellationToken,
}

impl House {
    /// A house that has met no installation yet.
    pub fn new(config: Config, secrets: Secrets) -> Self {
        Self {
            houston: Houston::new(config.connecting.clone(), config.timeout, secrets.clone()),
            rate: ChangeRate::new(config.policy.changes_per_minute),
            config,
            secrets,
            creations: Turns::default(),
            changes: TaskTracker::new(),
            abandoned: CancellationToken::new(),
        }
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.config
    }

    fn policy(&self) -> &Policy {
        &self.config.policy
    }

    /// Gives the changes that are under way this long to end. What is undecided then is recorded as
    /// such, and its unpublished files are removed.
    pub async fn settle(&self, grace: Duration) {
        self.changes.close();
        if tokio::time::timeout(grace, self.changes.wait())
            .await
            .is_err()
        {
            self.abandoned.cancel();
            // Only bookkeeping is left by now.
            let _ = tokio::time::timeout(Duration::from_secs(1), self.changes.wait()).await;
        }
    }
}

/// What of the settings shapes the tools; taken once, at start.
#[derive(Debug, Clone, Default)]
pub struct Shape {
    /// Whether a call that names no workspace has one all the same.
    pub has_default_workspace: bool,
    /// What the server may do.
    pub policy: Policy,
}

/// A tool of the list.
struct Listed {
    name: &'static str,
    only_reads: bool,
    definition: fn(&Shape) -> Tool,
}

/// All there are, sorted by name.
const TOOLS: [Listed; 3] = [
    Listed {
        name: create::NAME,
        only_reads: false,
        definition: create::definition,
    },
    Listed {
        name: delete::NAME,
        only_reads: false,
        definition: |_| delete::definition(),
    },
    Listed {
        name: get::NAME,
        only_reads: true,
        definition: |_| get::definition(),
    },
];

/// Those that the policy leaves.
fn offered(policy: &Policy) -> impl Iterator<Item = &'static Listed> {
    let read_only = policy.read_only;
    TOOLS
        .iter()
        .filter(move |tool| tool.only_reads || !read_only)
}

/// The names of the tools, sorted. They cost nothing; a [definition](definitions) is made of schemas.
pub fn names(policy: &Policy) -> impl Iterator<Item = &'static str> {
    offered(policy).map(|tool| tool.name)
}

/// The tools as clients see them, sorted by name.
pub fn definitions(shape: &Shape) -> Vec<Tool> {
    offered(&shape.policy)
        .map(|tool| (tool.definition)(shape))
        .collect()
}

/// How a call that did not succeed ends.
enum Ended {
    Failed(Failure),
    /// With a question: a second call will bring the answer.
    Asked(Box<InputRequiredResult>),
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Runs a tool. Every failure is a result: a protocol error would hide its words from the model.
pub async fn call(
    house: &Arc<House>,
    name: &str,
    arguments: Option<JsonObject>,
    user: Arc<dyn User>,
) -> CallToolResponse {
    match run(house, name, arguments, user).await {
        Ok(result) => result.into(),
        Err(Ended::Asked(question)) => CallToolResponse::InputRequired(*question),
        Err(Ended::Failed(failure)) => {
            tracing::info!(tool = name, code = failure.code().name(), "call failed");
            failure.into_result(&house.secrets).into()
        }
    }
}

async fn run(
    house: &Arc<House>,
    name: &str,
    arguments: Option<JsonObject>,
    user: Arc<dyn User>,
) -> Result<CallToolResult, Ended> {
    if name == get::NAME {
        let call = Call::begin(house, user).await?;
        return Ok(get::call(&call, arguments).await?);
    }
    if house.policy().read_only {
        return Err(result::read_only().into());
    }
    let mut record = Record::open(house, name, &*user)?;
    // Boxed: a change is three times as large as a reading, which most calls are.
    let ended = Box::pin(change(house, name, arguments, user, &mut record)).await;
    record.close(&ended);
    ended
}

async fn change(
    house: &Arc<House>,
    name: &str,
    arguments: Option<JsonObject>,
    user: Arc<dyn User>,
    record: &mut Record,
) -> Result<CallToolResult, Ended> {
    let call = Call::begin(house, user).await?;
    match name {
        create::NAME => Ok(create::call(&call, arguments, record).await?),
        delete::NAME => delete::call(call, arguments, record).await,
        unknown => {
            let text = format!("There is no tool {}.", quoted(unknown));
            Err(Failure::new(Code::InternalError, text).into())
        }
    }
}

/// What happened to a request, in the words of a call that failed by it.
pub fn explained(error: &ApiError, installation: &Installation, secrets: &Secrets) -> String {
    api_failure(error, installation, secrets).text().to_owned()
}

/// A panic in a tool, in words.
pub fn panicked(name: &str, secrets: &Secrets) -> CallToolResult {
    let text = format!(
        "{name} failed by a fault of this server, which goes on. If it was to change something, look with get_service_accounts whether it did."
    );
    Failure::new(Code::InternalError, text).into_result(secrets)
}

/// The server is stopping, and the call has not ended yet, in words.
pub fn stopped(name: &str, secrets: &Secrets) -> CallToolResult {
    let text = format!(
        "{name} was cancelled: this server is stopping. If it was to change something, look with get_service_accounts whether it did."
    );
    Failure::new(Code::InternalError, text).into_result(secrets)
}

/// One call: the installation it goes to, the user behind it, and the time it has.
#[derive(Clone)]
struct Call {
    house: Arc<House>,
    installation: Arc<Installation>,
    user: Arc<dyn User>,
    deadline: Instant,
}

impl Call {
    /// A call to the installation as it is set up now.
    async fn begin(house: &Arc<House>, user: Arc<dyn User>) -> Result<Self, Failure> {
        let installation = house.config.installation().await?;
        // Known before the arguments are read: they might hold it.
        house.secrets.remember(installation.token.expose());
        Ok(Self {
            installation: Arc::new(installation),
            deadline: Instant::now() + CALL,
            house: Arc::clone(house),
            user,
        })
    }

    fn api(&self) -> Api<'_> {
        self.api_until(self.deadline)
    }

    fn api_until(&self, deadline: Instant) -> Api<'_> {
        self.house
            .houston
            .within(&self.installation, deadline.min(self.deadline))
    }

    fn secrets(&self) -> &Secrets {
        &self.house.secrets
    }

    fn policy(&self) -> &Policy {
        self.house.policy()
    }

    fn failure(&self, error: &ApiError) -> Failure {
        api_failure(error, &self.installation, self.secrets())
    }

    /// What happened, as one sentence.
    fn happened(&self, error: &ApiError) -> String {
        result::happened(error, self.installation.url.host(), self.secrets())
    }

    /// The workspace that is meant where the call names none.
    fn default_workspace(&self) -> Option<WorkspaceId> {
        self.house.config.default_workspace(&self.installation)
    }

    /// Whether the policy lets calls be about this workspace.
    fn check_workspace(&self, id: &WorkspaceId) -> Result<(), Failure> {
        if self.policy().allows(id) {
            Ok(())
        } else {
            Err(result::workspace_not_allowed(id))
        }
    }

    /// The accounts of a workspace.
    async fn accounts_of(
        &self,
        workspace_id: &WorkspaceId,
    ) -> Result<Vec<ServiceAccount>, Failure> {
        self.select_accounts(workspace_id, |_| true).await
    }

    /// The selected accounts of a workspace that is known to exist: an empty list alone does not
    /// tell, since a system admin gets one for any id.
    async fn select_accounts(
        &self,
        workspace_id: &WorkspaceId,
        select: impl FnMut(Glimpse<'_>) -> bool,
    ) -> Result<Vec<ServiceAccount>, Failure> {
        let api = self.api();
        let listing = operations::select_service_accounts(&api, workspace_id, select).await;
        let listing =
            listing.map_err(|error| self.failure(&error).about_workspace(workspace_id))?;
        if listing.size == 0 {
            let workspace = operations::workspace(&api, workspace_id).await;
            // Whoever may list accounts may be refused the workspace; only a clear no counts.
            if matches!(workspace, Ok(None)) {
                return Err(unknown_workspace(workspace_id));
            }
        }
        Ok(listing.accounts)
    }

    /// The workspaces in which an id is looked for: those of the token, the default one and those of
    /// the allow-list; under an allow-list none besides.
    async fn visible_workspaces(&self) -> Result<Vec<Workspace>, Failure> {
        let mut visible = operations::workspaces(&self.api())
            .await
            .map_err(|error| self.failure(&error))?;
        visible.retain(|workspace| self.policy().allows(&workspace.id));
        let default = self.default_workspace();
        let named = default
            .iter()
            .chain(self.policy().allowed_workspaces.iter().flatten());
        for id in named {
            if visible.iter().all(|workspace| workspace.id != *id) {
                let known = operations::workspace(&self.api(), id).await.ok().flatten();
                visible.push(known.unwrap_or(Workspace {
                    id: id.clone(),
                    label: None,
                }));
            }
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
        quoted(id.as_str())
    );
    Failure::new(Code::NotFound, text).about_workspace(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_says_of_each_tool_what_its_definition_says() {
        for tool in &TOOLS {
            let definition = (tool.definition)(&Shape::default());
            assert_eq!(definition.name, tool.name);
            let hints = definition.annotations.unwrap();
            assert_eq!(hints.read_only_hint, Some(tool.only_reads), "{}", tool.name);
        }
        assert!(TOOLS.is_sorted_by_key(|tool| tool.name));
    }
}
