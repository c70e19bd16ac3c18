//! The tools: which there are, and the way of a call to its tool. To add one, write its file and
//! name it in `TOOLS`, and in `run` or `change`.
//! Knows no transport; a tool knows neither HTTP nor GraphQL.

mod arguments;
mod change;
mod create;
mod delete;
mod get;
mod label_locks;
mod places;
mod recovery;
mod result;
mod schema;
pub mod user;

use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{CallToolResponse, CallToolResult, InputRequiredResult, JsonObject, Tool};
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::apc::error::ApiError;
use crate::apc::exchange::{Api, Houston};
use crate::apc::installation::Installation;
use crate::apc::operations::{self, Candidate, Listing};
use crate::apc::{Place, WorkspaceId};
use crate::config::Config;
use crate::guards::policy::{ChangeRate, Policy};
use crate::guards::secret::Secrets;
use crate::guards::text::quoted;

use arguments::Reader;
use change::Record;
use label_locks::LabelLocks;
use result::{Code, Failure, api_failure};
use user::User;

pub use result::ONLY_READS;

/// The time of a call beyond one API request, apart from waiting for the user.
const BEYOND_ONE_REQUEST: Duration = Duration::from_secs(25);

/// What all calls of a server share.
pub struct House {
    config: Config,
    houston: Houston,
    secrets: Secrets,
    creations: LabelLocks,
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
            creations: LabelLocks::default(),
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
        return Ok(get::call(&call, arguments.unwrap_or_default()).await?);
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
    let arguments = arguments.unwrap_or_default();
    record.arguments(&arguments);
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
            deadline: Instant::now() + house.config.timeout + BEYOND_ONE_REQUEST,
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

    /// Reads the arguments of a tool.
    fn read<T: DeserializeOwned>(
        &self,
        tool: &str,
        schema: &JsonObject,
        given: JsonObject,
    ) -> Result<T, Failure> {
        let roles = |name: &str| (name == "role").then(|| self.policy().accepted_roles());
        let reader = Reader {
            tool,
            schema,
            secrets: self.secrets(),
            accepted: &roles,
        };
        reader.read(given)
    }

    /// Fills in the default workspace where none is given.
    fn add_default_workspace(&self, given: &mut JsonObject) {
        let named = given.get("workspace_id").is_some_and(|id| !id.is_null());
        if let (false, Some(id)) = (named, self.default_workspace()) {
            given.insert("workspace_id".to_owned(), id.into_string().into());
        }
    }

    /// The time by which a call has to begin its own work after waiting for another one.
    fn half_time(&self) -> Instant {
        let left = self.deadline.saturating_duration_since(Instant::now());
        Instant::now() + left.saturating_sub(change::LOOKING_AGAIN) / 2
    }

    /// The time in which a change that was sent may still show.
    fn appearing(&self) -> Duration {
        (2 * self.house.config.timeout).max(Duration::from_secs(10))
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

    /// Whether the policy lets calls be about this place.
    fn check_place(&self, place: &Place) -> Result<(), Failure> {
        match place {
            Place::Workspace(id) if self.policy().allows(id) => Ok(()),
            Place::Workspace(_) | Place::Deployment(_) => Err(result::place_not_allowed(place)),
        }
    }

    /// Lists the selected accounts of a place that is known to exist: an empty list alone does not tell, since a
    /// system-level token gets one for any id.
    async fn list(
        &self,
        place: &Place,
        select: impl FnMut(Candidate<'_>) -> bool,
    ) -> Result<Listing, Failure> {
        let api = self.api();
        let listing = operations::service_accounts(&api, place, select).await;
        let listing = listing.map_err(|error| self.failure(&error).about_place(place))?;
        if let (0, 0, Place::Workspace(id)) = (listing.size, listing.unreadable, place) {
            let workspace = operations::workspace(&api, id).await;
            // Whoever may list accounts may be refused the workspace; only a clear no counts.
            if matches!(workspace, Ok(None)) {
                return Err(unknown_place(place));
            }
        }
        Ok(listing)
    }
}

fn unknown_place(place: &Place) -> Failure {
    let text = format!(
        "There is no {place}. Nothing was changed. Call get_service_accounts without arguments to see the workspaces of this token."
    );
    Failure::new(Code::NotFound, text).about_place(place)
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
