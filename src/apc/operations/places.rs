//! The platform and its places: workspaces, and the deployments of a workspace.
//! Asks for one workspace at a time: today's API judges permission once for several.

use serde::{Deserialize, Serialize};

use super::{explained_read, of_expired_token};
use crate::apc::document::Document;
use crate::apc::documents::{
    APP_CONFIG, SYS_WORKSPACES, WORKSPACE, WORKSPACE_DEPLOYMENTS, WORKSPACE_SERVICE_ACCOUNTS,
    WORKSPACES,
};
use crate::apc::error::{ApiError, Rejection};
use crate::apc::exchange::Api;
use crate::apc::response::GraphqlResponse;
use crate::apc::wire::{WireAccount, WireDeployment, WireWorkspace};
use crate::apc::{Deployment, Place, Workspace, WorkspaceId};

/// An id that no workspace has. A system-level caller gets an empty list for it, anybody else a refusal.
const NO_WORKSPACE: &str = "c000000000000000000000000";

/// The entries of a list of places.
#[derive(Debug)]
pub struct Entries<T> {
    /// Those that could be read.
    pub listed: Vec<T>,
    /// The number of entries that could not be read.
    pub unreadable: usize,
}

/// Workspaces that the API lists.
pub type Workspaces = Entries<Workspace>;
/// The deployments that the API lists of a workspace.
pub type Deployments = Entries<Deployment>;

/// The platform's own description, which needs no token.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AppConfig {
    /// Its version.
    pub version: Option<String>,
    /// The domain that it believes to have.
    pub base_domain: Option<String>,
}

#[derive(Serialize)]
struct NoVariables {}

/// Asks the platform for its version; needs no token.
///
/// # Errors
/// The error that came in place of an answer.
pub async fn app_config(api: &Api<'_>) -> Result<AppConfig, ApiError> {
    let answer = api.query(&APP_CONFIG, &NoVariables {}).await?;
    answer.read()?.ok_or(ApiError::MissingData)
}

/// Lists the workspaces that the token is bound to; system-level and deployment-level tokens see none. Every error of the
/// API becomes `Unauthenticated` or `TokenInDoubt`: this list is refused to nobody whose token is good.
pub async fn workspaces(api: &Api<'_>) -> Result<Workspaces, ApiError> {
    let listed = list_workspaces(api, &WORKSPACES).await;
    listed.map_err(|error| match of_expired_token(api, error) {
        ApiError::Rejected(Rejection { message, .. }) | ApiError::Incompatible { message } => {
            ApiError::TokenInDoubt { message }
        }
        ApiError::Refused | ApiError::LabelTaken => ApiError::Unauthenticated,
        error => error,
    })
}

/// Lists all workspaces, for system-level tokens. Fails with `Incompatible` where the release has no such list, and with
/// `PermissionDenied` for other tokens; it does not ask whether the token is good.
pub async fn sys_workspaces(api: &Api<'_>) -> Result<Workspaces, ApiError> {
    let listed = list_workspaces(api, &SYS_WORKSPACES).await;
    listed.map_err(|error| match of_expired_token(api, error) {
        ApiError::Refused => ApiError::PermissionDenied,
        error => error,
    })
}

async fn list_workspaces(api: &Api<'_>, document: &Document) -> Result<Workspaces, ApiError> {
    let answer = api.query(document, &NoVariables {}).await?;
    entries(&answer, |workspace: WireWorkspace| {
        workspace.into_workspace(api)
    })
    .await
}

/// Lists the deployments of a workspace. A deployment-level token is refused the list of its own workspace.
pub async fn deployments(api: &Api<'_>, workspace: &WorkspaceId) -> Result<Deployments, ApiError> {
    let listed = async {
        let variables = Place::from(workspace.clone());
        let answer = api.query(&WORKSPACE_DEPLOYMENTS, &variables).await?;
        entries(&answer, |deployment: WireDeployment| {
            deployment.into_deployment(api)
        })
        .await
    };
    explained_read(api, listed.await).await
}

/// Reads the entries of a list. An entry without an id is counted and left out.
async fn entries<'a, R, T>(
    answer: &'a GraphqlResponse,
    mut read: impl FnMut(R) -> Option<T>,
) -> Result<Entries<T>, ApiError>
where
    R: Deserialize<'a>,
{
    answer.check_the_whole()?;
    let (mut listed, mut unreadable) = (Vec::new(), 0);
    let take = |row: Option<R>| match row.and_then(&mut read) {
        Some(entry) => listed.push(entry),
        None => unreadable += 1,
    };
    match answer.rows(take).await? {
        true => Ok(Entries { listed, unreadable }),
        false => Err(ApiError::MissingData),
    }
}

/// Reads one workspace; none where the API knows no such id.
///
/// # Errors
/// The error of the read; it tells a bad token from a missing permission.
pub async fn workspace(api: &Api<'_>, id: &WorkspaceId) -> Result<Option<Workspace>, ApiError> {
    let variables = Place::from(id.clone());
    let found = api.query(&WORKSPACE, &variables).await;
    let found = found.and_then(|answer| answer.read::<WireWorkspace>());
    let found = explained_read(api, found).await?;
    Ok(found.and_then(|workspace| workspace.into_workspace(api)))
}

/// Tells whether the token is a system-level one, on releases without a list of all workspaces.
///
/// # Errors
/// The error that came in place of an answer.
pub async fn is_system_level(api: &Api<'_>) -> Result<bool, ApiError> {
    let variables = Place::from(WorkspaceId::verbatim(NO_WORKSPACE.to_owned()));
    let listed = async {
        let answer = api.query(&WORKSPACE_SERVICE_ACCOUNTS, &variables).await?;
        answer.rows(|_: Option<WireAccount<'_>>| {}).await
    };
    match listed.await {
        Ok(is_list) => Ok(is_list),
        Err(ApiError::Refused | ApiError::PermissionDenied) => Ok(false),
        Err(error) => Err(error),
    }
}
