//! The context of a call: the state that all calls of a server share, and one call's own installation, user and time.
//! Decides nothing about tools.

use std::sync::Arc;
use std::time::Duration;

use rmcp::model::JsonObject;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::arguments::ArgumentReader;
use super::by_levels::ABOUT_DEPLOYMENTS;
use super::change::LOOKING_AGAIN;
use super::failure::Failure;
use super::label_locks::LabelLocks;
use super::place_words::{change_denied, denied, listing_denied, unknown_place};
use super::places::{self, DeploymentWorkspaces, ReadProgress};
use super::recovery::unfinished::{self, Unfinished};
use super::user::{Answer, Question, User};
use super::words;
use crate::apc::error::ApiError;
use crate::apc::exchange::{Api, GraphqlClient};
use crate::apc::installation::Installation;
use crate::apc::operations::{self, Listing};
use crate::apc::selection::Candidate;
use crate::apc::{Level, Place, WorkspaceId};
use crate::config::Config;
use crate::guards::policy::{ChangeRate, Policy};
use crate::guards::secret::Secrets;

/// The time of a call beyond one API request, apart from waiting for the user.
const BEYOND_ONE_REQUEST: Duration = Duration::from_secs(25);

/// The shortest time in which a change that was sent may still show.
const STILL_TO_SHOW_MIN: Duration = Duration::from_secs(10);

/// The state that all calls of a server share.
pub struct SharedState {
    pub(super) config: Config,
    pub(super) secrets: Secrets,
    pub(super) label_locks: LabelLocks,
    pub(super) rate: ChangeRate,
    /// The changes under way, which no cancelled call takes down.
    pub(super) changes: TaskTracker,
    /// Cancelled when the process ends before a change is decided.
    pub(super) abandoned: CancellationToken,
    graphql: GraphqlClient,
}

impl SharedState {
    /// The state of a server that has called no installation yet.
    pub fn new(config: Config, secrets: Secrets) -> Self {
        Self {
            graphql: GraphqlClient::new(config.connecting.clone(), config.timeout, secrets.clone()),
            rate: ChangeRate::new(config.policy.changes_per_minute),
            config,
            secrets,
            label_locks: LabelLocks::default(),
            changes: TaskTracker::new(),
            abandoned: CancellationToken::new(),
        }
    }

    /// The secrets that are known, and the token in use among them.
    pub async fn known_secrets(&self) -> &Secrets {
        if let Ok(installation) = self.config.installation().await {
            self.secrets.remember_token(installation.token.expose());
        }
        &self.secrets
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.config
    }

    pub(super) fn policy(&self) -> &Policy {
        &self.config.policy
    }

    /// Gives the changes that are under way this long to end. A change that is undecided by then is recorded as such,
    /// and its unpublished files are removed.
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

/// One call: its installation, its user and its time.
#[derive(Clone)]
pub(super) struct Call {
    pub(super) shared: Arc<SharedState>,
    pub(super) installation: Arc<Installation>,
    pub(super) user: Arc<dyn User>,
    pub(super) deadline: Instant,
    pub(super) unfinished: Arc<Unfinished>,
    pub(super) known_deployments: Arc<DeploymentWorkspaces>,
    pub(super) progress: Arc<ReadProgress>,
}

impl Call {
    pub(super) async fn begin(
        shared: &Arc<SharedState>,
        user: Arc<dyn User>,
    ) -> Result<Self, Failure> {
        let installation = shared.config.installation().await?;
        // Known before the arguments are read: they might hold it.
        shared.secrets.remember_token(installation.token.expose());
        Ok(Self {
            installation: Arc::new(installation),
            deadline: Instant::now() + shared.config.timeout + BEYOND_ONE_REQUEST,
            shared: Arc::clone(shared),
            user,
            unfinished: Arc::default(),
            known_deployments: Arc::default(),
            progress: Arc::default(),
        })
    }

    pub(super) fn api(&self) -> Api<'_> {
        self.api_until(self.deadline)
    }

    pub(super) fn api_until(&self, deadline: Instant) -> Api<'_> {
        let deadline = deadline.min(self.deadline);
        self.shared.graphql.within(&self.installation, deadline)
    }

    /// The API for a change: the time for finding a lost answer is kept free.
    pub(super) fn api_for_change(&self) -> Api<'_> {
        self.api_until(self.changes_end())
    }

    fn changes_end(&self) -> Instant {
        self.deadline - LOOKING_AGAIN
    }

    pub(super) fn read<T: DeserializeOwned>(
        &self,
        tool: &str,
        schema: &JsonObject,
        given: JsonObject,
    ) -> Result<T, Failure> {
        let mut about_deployments = ABOUT_DEPLOYMENTS.into_iter();
        if !self.policy().has_deployments()
            && let Some(name) = about_deployments.find(|name| is_given(&given, name))
        {
            return Err(words::level_switched_off(name));
        }
        let level = match is_given(&given, "deployment_id") {
            true => Level::Deployment,
            false => Level::Workspace,
        };
        // A role that is searched for may be any; one that is given may not.
        let gives_role = tool != super::get::TOOL.name;
        let roles = |name: &str| {
            (gives_role && name == "role").then(|| self.policy().accepted_roles(level))
        };
        let reader = ArgumentReader {
            tool,
            schema,
            secrets: self.secrets(),
            accepted: &roles,
        };
        reader.read(given)
    }

    /// Fills in the default workspace where no place is given.
    pub(super) fn add_default_workspace(&self, given: &mut JsonObject) {
        let mut places = ["workspace_id", "deployment_id"].into_iter();
        let named = places.any(|name| given.get(name).is_some_and(|id| !id.is_null()));
        if let (false, Some(id)) = (named, self.default_workspace()) {
            given.insert("workspace_id".to_owned(), id.into_string().into());
        }
    }

    /// Asks the user. The time that the user takes is not the call's.
    pub(super) async fn ask(&mut self, question: &Question) -> Answer {
        let asked = Instant::now();
        let answer = self.user.ask(question).await;
        self.deadline += asked.elapsed();
        answer
    }

    /// The moment by which a call that waits for another one has to begin its own work.
    pub(super) fn half_time(&self) -> Instant {
        let left = self.deadline.saturating_duration_since(Instant::now());
        Instant::now() + left.saturating_sub(LOOKING_AGAIN) / 2
    }

    /// The time in which a change that was sent may still show.
    pub(super) fn still_to_show(&self) -> Duration {
        (2 * self.shared.config.timeout).max(STILL_TO_SHOW_MIN)
    }

    pub(super) fn secrets(&self) -> &Secrets {
        &self.shared.secrets
    }

    pub(super) fn policy(&self) -> &Policy {
        self.shared.policy()
    }

    pub(super) fn failure(&self, error: &ApiError) -> Failure {
        words::api_failure(error, &self.installation, self.secrets())
    }

    pub(super) fn happened(&self, error: &ApiError) -> String {
        words::happened(error, &self.installation.url, self.secrets())
    }

    pub(super) fn default_workspace(&self) -> Option<WorkspaceId> {
        self.shared.config.default_workspace(&self.installation)
    }

    pub(super) fn failure_at(&self, error: &ApiError, place: &Place) -> Failure {
        match error {
            ApiError::PermissionDenied => denied(place, self.policy(), &self.installation),
            error => self.failure(error).about_place(place),
        }
    }

    pub(super) fn failure_of_change(&self, verb: &str, error: &ApiError, place: &Place) -> Failure {
        match error {
            ApiError::PermissionDenied => change_denied(verb, place, &self.installation),
            error => self.failure_at(error, place),
        }
    }

    /// Lists the selected accounts of a place after making sure that it exists: an empty list alone does not tell, since
    /// a system-level token gets one for any id. What dead processes left there is looked at first.
    pub(super) async fn list(
        &self,
        place: &Place,
        mut select: impl FnMut(Candidate<'_>) -> bool,
    ) -> Result<Listing, Failure> {
        let rank = |account: Candidate<'_>| select(account).then_some(());
        self.list_first(place, usize::MAX, rank).await
    }

    /// The same for the first accounts of an order, at most this many.
    pub(super) async fn list_first<R: Ord>(
        &self,
        place: &Place,
        most: usize,
        rank: impl FnMut(Candidate<'_>) -> Option<R>,
    ) -> Result<Listing, Failure> {
        let api = self.api();
        let listing = self.list_known_first(&api, place, most, rank).await?;
        if listing.is_empty() {
            self.check_existence(&api, place).await?;
        }
        Ok(listing)
    }

    /// The same for a place that the API has named itself in this call, so that it exists.
    pub(super) async fn list_known_first<R: Ord>(
        &self,
        api: &Api<'_>,
        place: &Place,
        most: usize,
        rank: impl FnMut(Candidate<'_>) -> Option<R>,
    ) -> Result<Listing, Failure> {
        unfinished::finish(self, place).await;
        let listing = operations::first_service_accounts(api, place, most, rank).await;
        listing.map_err(|error| match error {
            ApiError::PermissionDenied if api.token_is_good() => {
                listing_denied(place, self.policy(), &self.installation)
            }
            error => self.failure_at(&error, place),
        })
    }

    /// Makes sure that a place whose list is empty exists.
    pub(super) async fn check_existence(
        &self,
        api: &Api<'_>,
        place: &Place,
    ) -> Result<(), Failure> {
        let id = match place {
            Place::Workspace(id) => id,
            Place::Deployment(id) => return places::check_deployment(self, api, id).await,
        };
        match operations::workspace(api, id).await {
            // A caller who may list accounts and is refused the workspace is no system-level one.
            Ok(Some(_)) | Err(ApiError::PermissionDenied) => Ok(()),
            Ok(None) => Err(unknown_place(place)),
            Err(error) => Err(self.failure_at(&error, place)),
        }
    }
}

/// Tells whether an argument says something. Null and empty text are as good as left out.
pub(super) fn is_given(given: &JsonObject, name: &str) -> bool {
    let value = given.get(name);
    value.is_some_and(|value| !value.is_null() && value != "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apc::installation::ApiUrl;
    use crate::guards::secret::Secret;
    use crate::tools::user::{Form, Unanswered};
    use futures_util::future::BoxFuture;

    /// A user who thinks for this long and then declines.
    struct Thinking(Duration);

    impl User for Thinking {
        fn client(&self) -> String {
            String::new()
        }

        fn can_be_asked(&self) -> bool {
            false
        }

        fn brings_answer(&self) -> bool {
            false
        }

        fn selected(&self, _: &str) -> Option<String> {
            None
        }

        fn report(&self, _: u64, _: u64, _: String) -> BoxFuture<'_, ()> {
            Box::pin(async {})
        }

        fn ask<'a>(&'a self, _: &'a Question) -> BoxFuture<'a, Answer> {
            Box::pin(async {
                tokio::time::sleep(self.0).await;
                Answer::No(Unanswered::Declined)
            })
        }
    }

    const THINKING: Duration = Duration::from_secs(120);

    async fn begin(timeout: Duration) -> Call {
        let mut config = Config::default();
        config.timeout = timeout;
        let url = ApiUrl::parse("http://127.0.0.1:1/v1").unwrap();
        config.set_sandbox(url, Secret::new("0123456789abcdef"), "keys".into());
        let shared = Arc::new(SharedState::new(config, Secrets::default()));
        let user = Arc::new(Thinking(THINKING));
        Call::begin(&shared, user).await.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_has_the_time_of_one_request_and_25_seconds_of_which_15_are_for_lost_answers() {
        for seconds in [0.5, 20.0, 45.0, 120.0, 300.0] {
            let timeout = Duration::from_secs_f64(seconds);
            let expected = timeout + Duration::from_secs(25);
            let call = begin(timeout).await;
            assert_eq!(call.deadline - Instant::now(), expected);
            let kept = Duration::from_secs(15);
            assert_eq!(call.changes_end() - Instant::now(), expected - kept);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_that_the_user_takes_is_not_the_calls() {
        let mut call = begin(Duration::from_secs(20)).await;
        let left = call.deadline - Instant::now();
        let question = Question {
            key: "delete:a".to_owned(),
            message: "Delete it?".to_owned(),
            facts: String::new(),
            form: Form::Confirm {
                title: "Delete".to_owned(),
            },
            selection: None,
        };
        call.ask(&question).await;
        assert_eq!(call.deadline - Instant::now(), left);
    }
}
