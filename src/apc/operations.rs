//! One typed function per document: everything that this server asks of the API.
//! Works around known flaws of the API: lists are checked for foreign accounts, mutations select scalars only.

use chrono::{TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::document::Document;
use super::documents::{
    APP_CONFIG, CREATE_IN_DEPLOYMENT, CREATE_IN_WORKSPACE, DELETE_IN_DEPLOYMENT,
    DELETE_IN_WORKSPACE, DEPLOYMENT_SERVICE_ACCOUNTS, SYS_WORKSPACES, WORKSPACE,
    WORKSPACE_SERVICE_ACCOUNTS, WORKSPACES,
};
use super::error::ApiError;
use super::exchange::{Answer, Api, Refusal, read};
use super::wire::{WireAccount, WireDeleted, WireWorkspace};
use super::{
    Binding, Bindings, Entity, NewServiceAccount, Place, ServiceAccount, ServiceAccountId,
    Workspace, WorkspaceId,
};

/// An id that no workspace has. A system-level caller gets an empty list for it, anybody else a refusal.
const NO_WORKSPACE: &str = "c000000000000000000000000";

/// Workspaces that the API lists.
#[derive(Debug, Default)]
pub struct Workspaces {
    /// Those that could be read.
    pub listed: Vec<Workspace>,
    /// The number of entries that could not be read.
    pub unreadable: usize,
}

/// The accounts of one place, in the API's order.
#[derive(Debug)]
pub struct Listing {
    /// The accounts that were selected.
    pub accounts: Vec<ServiceAccount>,
    /// The number of accounts that the place has, as far as they could be read.
    pub size: usize,
    /// The number of accounts that could not be read.
    pub unreadable: usize,
    /// Whether everything could be read, so that an account that is not listed is not there.
    pub is_complete: bool,
    /// The time by which the API's clock is ahead of ours; none where it told no time.
    pub clock_ahead: Option<TimeDelta>,
}

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

/// The one place that a document is about.
#[derive(Serialize)]
enum InPlace<'a> {
    #[serde(rename = "workspaceUuid")]
    Workspace(&'a str),
    #[serde(rename = "deploymentUuid")]
    Deployment(&'a str),
}

impl<'a> From<&'a Place> for InPlace<'a> {
    fn from(place: &'a Place) -> Self {
        match place {
            Place::Workspace(id) => Self::Workspace(id.as_str()),
            Place::Deployment(id) => Self::Deployment(id.as_str()),
        }
    }
}

/// Asks the platform for its version; needs no token.
///
/// # Errors
/// What happened instead of an answer.
pub async fn app_config(api: &Api<'_>) -> Result<AppConfig, ApiError> {
    let told = api.query(&APP_CONFIG, &NoVariables {}, |reply, field| {
        Ok(read::<AppConfig>(reply, field)?.data)
    });
    told.await?.ok_or(ApiError::MissingData)
}

/// Lists the workspaces that the token is bound to; system-level and deployment-level tokens see none.
///
/// # Errors
/// `Unauthenticated` for every error of the API but those of its database: this list is refused to nobody whose
/// token is good.
pub async fn workspaces(api: &Api<'_>) -> Result<Workspaces, ApiError> {
    match list_workspaces(api, &WORKSPACES).await {
        Err(error) if error.speaks_against_the_token() => Err(ApiError::Unauthenticated),
        listed => listed,
    }
}

/// Lists all workspaces, for system-level tokens.
///
/// # Errors
/// `Incompatible` where the release has no such list; `PermissionDenied` for other tokens. Whether the token is good
/// is not asked.
pub async fn sys_workspaces(api: &Api<'_>) -> Result<Workspaces, ApiError> {
    match list_workspaces(api, &SYS_WORKSPACES).await {
        Err(ApiError::Refused) => Err(ApiError::PermissionDenied),
        listed => listed,
    }
}

async fn list_workspaces(api: &Api<'_>, document: &Document) -> Result<Workspaces, ApiError> {
    let listed = api.query(document, &NoVariables {}, |reply, field| {
        let listed = read::<Vec<Option<WireWorkspace>>>(reply, field)?.data;
        Ok(listed.map(|entries| {
            let all = entries.len();
            let readable = entries.into_iter().flatten();
            let listed: Vec<_> = readable.map(|workspace| workspace.read(api)).collect();
            Workspaces {
                unreadable: all - listed.len(),
                listed,
            }
        }))
    });
    listed.await?.ok_or(ApiError::MissingData)
}

/// Reads one workspace; none where the API knows no such id.
///
/// # Errors
/// What happened, with a bad token and a missing permission told apart.
pub async fn workspace(api: &Api<'_>, id: &WorkspaceId) -> Result<Option<Workspace>, ApiError> {
    let variables = InPlace::Workspace(id.as_str());
    let found = api.query(&WORKSPACE, &variables, |reply, field| {
        Ok(read::<WireWorkspace>(reply, field)?.data)
    });
    match found.await {
        Ok(found) => Ok(found.map(|workspace| workspace.read(api))),
        Err(error) => Err(explained_read(api, error).await),
    }
}

/// Tells whether the token is a system-level one, on releases without a list of all workspaces.
///
/// # Errors
/// What happened instead of an answer.
pub async fn is_system_level(api: &Api<'_>) -> Result<bool, ApiError> {
    let variables = InPlace::Workspace(NO_WORKSPACE);
    let listed = api.query(&WORKSPACE_SERVICE_ACCOUNTS, &variables, |reply, field| {
        let answer = read::<Vec<Option<WireAccount<'_>>>>(reply, field)?;
        Ok(answer.data.map(drop))
    });
    match listed.await {
        Ok(listed) => Ok(listed.is_some()),
        Err(ApiError::Refused | ApiError::PermissionDenied) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The field by which the release shows roles, as far as lists that were read before have told; none where it has
/// neither of the two.
pub fn role_field(api: &Api<'_>) -> Option<&'static str> {
    api.renamed_field(&WORKSPACE_SERVICE_ACCOUNTS)
}

/// The parts of an account that decide whether it is selected.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its label.
    pub label: Option<&'a str>,
}

/// Lists the accounts of a place that are selected. The others are never owned: a list may hold thousands, and a page
/// a hundred. A place that does not exist has none, for a system-level token.
///
/// # Errors
/// What happened, with a bad token and a missing permission told apart.
pub async fn service_accounts(
    api: &Api<'_>,
    place: &Place,
    mut select: impl FnMut(Candidate<'_>) -> bool,
) -> Result<Listing, ApiError> {
    let document = match place {
        Place::Workspace(_) => &WORKSPACE_SERVICE_ACCOUNTS,
        Place::Deployment(_) => &DEPLOYMENT_SERVICE_ACCOUNTS,
    };
    let variables = InPlace::from(place);
    let listed = api.query(document, &variables, |reply, field| {
        let answer = read::<Vec<Option<WireAccount<'_>>>>(reply, field)?;
        let listed = listing(api, place, answer, &mut select)?;
        Ok(listed.map(|listing| Listing {
            clock_ahead: reply.date.map(|date| date - Utc::now()),
            ..listing
        }))
    });
    match listed.await {
        Ok(listing) => listing.ok_or(ApiError::MissingData),
        Err(error) => Err(explained_read(api, error).await),
    }
}

fn listing(
    api: &Api<'_>,
    place: &Place,
    answer: Answer<Vec<Option<WireAccount<'_>>>>,
    select: &mut impl FnMut(Candidate<'_>) -> bool,
) -> Result<Option<Listing>, Refusal> {
    let Some(rows) = answer.data else {
        return Ok(None);
    };
    // All keys first: one may stand in the label of an account before its own.
    rows.iter().flatten().for_each(|row| row.remember_key(api));
    let mut listing = Listing {
        accounts: Vec::new(),
        size: 0,
        unreadable: 0,
        is_complete: answer.errors.iter().all(|error| error.is_about_a_member()),
        clock_ahead: None,
    };
    for row in rows {
        let Some(row) = row.filter(|row| row.id.is_some()) else {
            listing.unreadable += 1;
            listing.is_complete = false;
            continue;
        };
        let bindings = row.bindings(api);
        if !bindings.allow(place) {
            continue;
        }
        listing.size += 1;
        if row.candidate().is_some_and(&mut *select) {
            let account = row.read(api, place, bindings);
            listing
                .accounts
                .extend(account.map(ServiceAccount::with_masked_key_if_undated));
        }
    }
    if listing.size == 0 && listing.unreadable > 0 {
        let first = answer.errors.first();
        let error = first.map_or(ApiError::MissingData, |error| error.classify(200, true));
        return Err(Refusal::Other(error));
    }
    Ok(Some(listing))
}

/// Creates an account and returns it with its full key.
///
/// # Errors
/// What happened; [`ApiError::effect`] tells whether there may be an account all the same.
pub async fn create_service_account(
    api: &Api<'_>,
    new: &NewServiceAccount,
) -> Result<ServiceAccount, ApiError> {
    #[derive(Serialize)]
    struct Variables<'a> {
        label: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        category: Option<&'a str>,
        role: &'a str,
        #[serde(flatten)]
        place: InPlace<'a>,
    }
    let document = match &new.place {
        Place::Workspace(_) => &CREATE_IN_WORKSPACE,
        Place::Deployment(_) => &CREATE_IN_DEPLOYMENT,
    };
    let variables = Variables {
        label: new.label.as_str(),
        category: new.category.as_ref().map(|category| category.as_str()),
        role: new.role.name(),
        place: InPlace::from(&new.place),
    };
    let created = api.mutate(document, &variables, |reply, field| {
        let created = read::<WireAccount<'_>>(reply, field)?.of_change()?;
        Ok(created.and_then(|account| {
            account.remember_key(api);
            account.read(api, &new.place, bindings_of(new))
        }))
    });
    match created.await {
        Ok(Some(account)) if account.api_key.is_some() => Ok(account),
        Ok(_) => Err(ApiError::MissingData),
        Err(error) => Err(explained(api, error).await),
    }
}

/// The binding that a creation makes. It is not asked for: a selected binding can fail although the account was made.
fn bindings_of(new: &NewServiceAccount) -> Bindings {
    Bindings::Known(vec![Binding {
        role: Some(new.role.name().to_owned()),
        entity: Entity::Place(new.place.clone()),
    }])
}

/// Deletes an account, whichever place it belongs to: the API does not compare, so the caller has to.
///
/// # Errors
/// What happened; [`ApiError::effect`] tells whether the account may be gone all the same.
pub async fn delete_service_account(
    api: &Api<'_>,
    place: &Place,
    id: &ServiceAccountId,
) -> Result<(), ApiError> {
    #[derive(Serialize)]
    struct Variables<'a> {
        #[serde(rename = "serviceAccountUuid")]
        id: &'a str,
        #[serde(flatten)]
        place: InPlace<'a>,
    }
    let document = match place {
        Place::Workspace(_) => &DELETE_IN_WORKSPACE,
        Place::Deployment(_) => &DELETE_IN_DEPLOYMENT,
    };
    let variables = Variables {
        id: id.as_str(),
        place: InPlace::from(place),
    };
    let deleted = api.mutate(document, &variables, |reply, field| {
        let deleted = read::<WireDeleted>(reply, field)?.of_change()?;
        Ok(deleted.and_then(|deleted| deleted.id))
    });
    match deleted.await {
        // Only an answer about this account says that it is gone.
        Ok(Some(deleted)) if deleted == id.as_str() => Ok(()),
        Ok(_) => Err(ApiError::MissingData),
        Err(error) => Err(explained(api, error).await),
    }
}

/// Explains the error of a read. The token's own date of expiry decides alone, whatever words the API refused it with.
async fn explained_read(api: &Api<'_>, error: ApiError) -> ApiError {
    match error {
        ApiError::Rejected(_) if api.token_has_expired() => ApiError::Unauthenticated,
        error => explained(api, error).await,
    }
}

/// Explains a refusal. The API says the same of a bad token and of a missing permission, but refuses its list of
/// workspaces for a bad token only.
async fn explained(api: &Api<'_>, error: ApiError) -> ApiError {
    if error != ApiError::Refused {
        return error;
    }
    if api.token_has_expired() {
        return ApiError::Unauthenticated;
    }
    match workspaces(api).await {
        Ok(_) => ApiError::PermissionDenied,
        Err(ApiError::Unauthenticated) => ApiError::Unauthenticated,
        Err(_) => ApiError::RefusalUnexplained,
    }
}
