//! One typed function per document: what this server asks of the API.
//! Trusts no hole: lists are checked for foreign accounts, mutations select scalars only.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::error::ApiError;
use super::exchange::{Api, Document, read};
use super::{NewServiceAccount, ServiceAccount, ServiceAccountId, Workspace, WorkspaceId};
use crate::guards::secret::Secret;

const APP_CONFIG: Document = Document {
    field: "appConfig",
    text: include_str!("documents/appConfig.graphql"),
    optional: &["version", "baseDomain"],
};

const WORKSPACES: Document = Document {
    field: "workspaces",
    text: include_str!("documents/workspaces.graphql"),
    optional: &["label"],
};

const WORKSPACE: Document = Document {
    field: "workspace",
    text: include_str!("documents/workspace.graphql"),
    optional: &["label"],
};

const WORKSPACE_SERVICE_ACCOUNTS: Document = Document {
    field: "workspaceServiceAccounts",
    text: include_str!("documents/workspaceServiceAccounts.graphql"),
    optional: &[
        "label",
        "apiKey",
        "category",
        "entityUuid",
        "active",
        "createdAt",
        "updatedAt",
        "lastUsedAt",
        "roleBinding",
    ],
};

// The key is not optional here: an account whose key nobody gets to see is of no use.
const CREATE: Document = Document {
    field: "createWorkspaceServiceAccount",
    text: include_str!("documents/createWorkspaceServiceAccount.graphql"),
    optional: &[
        "label",
        "category",
        "active",
        "createdAt",
        "updatedAt",
        "lastUsedAt",
    ],
};

const DELETE: Document = Document {
    field: "deleteWorkspaceServiceAccount",
    text: include_str!("documents/deleteWorkspaceServiceAccount.graphql"),
    optional: &["label"],
};

/// The accounts of one workspace, in the API's order.
#[derive(Debug)]
pub struct Listing {
    /// The accounts that were selected.
    pub accounts: Vec<ServiceAccount>,
    /// How many the workspace has.
    pub size: usize,
    /// The API's clock when it answered.
    pub date: Option<DateTime<Utc>>,
}

/// What the platform says of itself to anybody.
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

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InWorkspace<'a> {
    workspace_uuid: &'a str,
}

/// What the platform is; needs no token.
///
/// # Errors
/// What happened instead of an answer.
pub async fn app_config(api: &Api<'_>) -> Result<AppConfig, ApiError> {
    let told = api.query(&APP_CONFIG, &NoVariables {}, |reply, field| {
        read::<AppConfig>(reply, field)
    });
    told.await?.ok_or(ApiError::MissingData)
}

/// The workspaces the token is bound to; system-level tokens see none.
///
/// # Errors
/// `FORBIDDEN` here means a bad token and nothing else, so it is `Unauthenticated`.
pub async fn workspaces(api: &Api<'_>) -> Result<Vec<Workspace>, ApiError> {
    let listed = api.query(&WORKSPACES, &NoVariables {}, |reply, field| {
        let listed = read::<Vec<Option<WireWorkspace>>>(reply, field)?;
        Ok(listed.map(|listed| {
            listed
                .into_iter()
                .flatten()
                .map(|workspace| workspace.read(api))
                .collect()
        }))
    });
    match listed.await {
        Ok(workspaces) => workspaces.ok_or(ApiError::MissingData),
        Err(ApiError::Forbidden) => Err(ApiError::Unauthenticated),
        Err(error) => Err(error),
    }
}

/// One workspace; none where the API knows no such id.
///
/// # Errors
/// What happened, with a bad token and a missing permission told apart.
pub async fn workspace(api: &Api<'_>, id: &WorkspaceId) -> Result<Option<Workspace>, ApiError> {
    let variables = InWorkspace {
        workspace_uuid: id.as_str(),
    };
    let found = api.query(&WORKSPACE, &variables, |reply, field| {
        read::<WireWorkspace>(reply, field)
    });
    match found.await {
        Ok(found) => Ok(found.map(|workspace| workspace.read(api))),
        Err(error) => Err(told_apart(api, error).await),
    }
}

/// The accounts of a workspace. A workspace that does not exist has none, for a system admin.
///
/// # Errors
/// What happened, with a bad token and a missing permission told apart.
pub async fn workspace_service_accounts(
    api: &Api<'_>,
    workspace_id: &WorkspaceId,
) -> Result<Listing, ApiError> {
    select_service_accounts(api, workspace_id, |_| true).await
}

/// Those accounts of a workspace that are selected. The others are never owned: a list may hold
/// thousands, and a page a hundred.
///
/// # Errors
/// What happened, with a bad token and a missing permission told apart.
pub async fn select_service_accounts(
    api: &Api<'_>,
    workspace_id: &WorkspaceId,
    mut select: impl FnMut(Glimpse<'_>) -> bool,
) -> Result<Listing, ApiError> {
    let variables = InWorkspace {
        workspace_uuid: workspace_id.as_str(),
    };
    let listed = api.query(&WORKSPACE_SERVICE_ACCOUNTS, &variables, |reply, field| {
        let Some(listed) = read::<Vec<Option<WireAccount<'_>>>>(reply, field)? else {
            return Ok(None);
        };
        let mut listing = Listing {
            accounts: Vec::new(),
            size: 0,
            date: reply.date,
        };
        // All keys first: one may stand in the label of an account before its own.
        listed
            .iter()
            .flatten()
            .for_each(|account| account.remember_key(api));
        for account in listed
            .into_iter()
            .flatten()
            .filter(|account| account.is_of(workspace_id))
        {
            listing.size += 1;
            if select(account.glimpse()) {
                listing.accounts.push(
                    account
                        .placed_in(api, workspace_id)
                        .with_masked_key_if_undated(),
                );
            }
        }
        Ok(Some(listing))
    });
    match listed.await {
        Ok(listing) => listing.ok_or(ApiError::MissingData),
        Err(error) => Err(told_apart(api, error).await),
    }
}

/// What of an account decides whether it is selected.
#[derive(Debug, Clone, Copy)]
pub struct Glimpse<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its label.
    pub label: Option<&'a str>,
}

/// Creates an account and returns it with its full key.
///
/// # Errors
/// What happened; [`ApiError::effect`] tells whether there may be an account all the same.
pub async fn create_workspace_service_account(
    api: &Api<'_>,
    new: &NewServiceAccount,
) -> Result<ServiceAccount, ApiError> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Variables<'a> {
        label: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        category: Option<&'a str>,
        workspace_uuid: &'a str,
        role: &'a str,
    }
    let variables = Variables {
        label: new.label.as_str(),
        category: new.category.as_ref().map(|category| category.as_str()),
        workspace_uuid: new.workspace_id.as_str(),
        role: new.role.name(),
    };
    let created = api.mutate(&CREATE, &variables, |reply, field| {
        let created = read::<WireAccount<'_>>(reply, field)?;
        Ok(created.map(|account| {
            account.remember_key(api);
            account.placed_in(api, &new.workspace_id)
        }))
    });
    match created.await {
        Ok(Some(account)) if account.api_key.is_some() => Ok(ServiceAccount {
            role: Some(new.role.name().to_owned()),
            ..account
        }),
        Ok(_) => Err(ApiError::MissingData),
        Err(error) => Err(told_apart(api, error).await),
    }
}

/// Deletes an account, whichever workspace it is in: the API does not compare, so the caller has to.
///
/// # Errors
/// What happened; [`ApiError::effect`] tells whether the account may be gone all the same.
pub async fn delete_workspace_service_account(
    api: &Api<'_>,
    workspace_id: &WorkspaceId,
    id: &ServiceAccountId,
) -> Result<(), ApiError> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Variables<'a> {
        service_account_uuid: &'a str,
        workspace_uuid: &'a str,
    }
    let variables = Variables {
        service_account_uuid: id.as_str(),
        workspace_uuid: workspace_id.as_str(),
    };
    let deleted = api.mutate(&DELETE, &variables, |reply, field| {
        let deleted = read::<WireDeleted>(reply, field)?;
        Ok(deleted.and_then(|deleted| deleted.id))
    });
    match deleted.await {
        // Only an answer about this account says that it is gone.
        Ok(Some(deleted)) if deleted == id.as_str() => Ok(()),
        Ok(_) => Err(ApiError::MissingData),
        Err(error) => Err(told_apart(api, error).await),
    }
}

/// The API says `FORBIDDEN` for a bad token and for a missing permission alike. Its list of
/// workspaces is refused for a bad token only, so asking for that tells which it was.
async fn told_apart(api: &Api<'_>, error: ApiError) -> ApiError {
    if !matches!(
        error,
        ApiError::Forbidden | ApiError::Status { status: 403 }
    ) {
        return error;
    }
    match (workspaces(api).await, error) {
        (Ok(_), _) => ApiError::PermissionDenied,
        (Err(ApiError::Unauthenticated), _) => ApiError::Unauthenticated,
        (Err(_), ApiError::Forbidden) => ApiError::ForbiddenUndecided,
        (Err(_), error) => error,
    }
}

impl ServiceAccount {
    /// The API masks an old key only where it is asked for the date of creation as well. From a
    /// release without that field every key comes in full, however old.
    fn with_masked_key_if_undated(mut self) -> Self {
        if self.created_at.is_none() {
            self.api_key = self.api_key.map(|key| Secret::new(key.masked()));
        }
        self
    }
}

#[derive(Deserialize)]
struct WireWorkspace {
    id: String,
    label: Option<String>,
}

impl WireWorkspace {
    fn read(self, api: &Api<'_>) -> Workspace {
        Workspace {
            id: WorkspaceId::verbatim(self.id),
            label: self.label.map(|label| api.scrubbed(label)),
        }
    }
}

#[derive(Deserialize)]
struct WireDeleted {
    id: Option<String>,
}

/// Text that stays in the answer where it can. (`Option<Cow<str>>` alone never does.)
#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

fn owned(text: Option<Text<'_>>) -> Option<String> {
    text.map(|text| text.0.into_owned())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireAccount<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    label: Option<Text<'a>>,
    api_key: Option<Text<'a>>,
    category: Option<Text<'a>>,
    entity_uuid: Option<Text<'a>>,
    active: Option<bool>,
    created_at: Option<Text<'a>>,
    updated_at: Option<Text<'a>>,
    last_used_at: Option<Text<'a>>,
    role_binding: Option<WireRoleBinding<'a>>,
}

#[derive(Deserialize)]
struct WireRoleBinding<'a> {
    #[serde(borrow)]
    role: Option<Text<'a>>,
}

impl WireAccount<'_> {
    /// Whether nothing speaks against the account being of that workspace.
    fn is_of(&self, workspace_id: &WorkspaceId) -> bool {
        self.entity_uuid
            .as_ref()
            .is_none_or(|entity| entity.0 == workspace_id.as_str())
    }

    fn glimpse(&self) -> Glimpse<'_> {
        Glimpse {
            id: &self.id.0,
            label: self.label.as_ref().map(|label| &*label.0),
        }
    }

    fn remember_key(&self, api: &Api<'_>) {
        if let Some(key) = &self.api_key {
            api.remember_key(&key.0);
        }
    }

    fn placed_in(self, api: &Api<'_>, workspace_id: &WorkspaceId) -> ServiceAccount {
        let clean = |text: Option<Text<'_>>| owned(text).map(|text| api.scrubbed(text));
        ServiceAccount {
            id: ServiceAccountId::verbatim(self.id.0.into_owned()),
            label: clean(self.label),
            api_key: owned(self.api_key).map(Secret::new),
            role: clean(self.role_binding.and_then(|binding| binding.role)),
            category: clean(self.category),
            workspace_id: workspace_id.clone(),
            active: self.active,
            created_at: clean(self.created_at),
            updated_at: clean(self.updated_at),
            last_used_at: clean(self.last_used_at),
        }
    }
}
