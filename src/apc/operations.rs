//! One typed function per document: what this server asks of the API.
//! Trusts no hole: lists are checked for foreign accounts, mutations select scalars only.

use chrono::{DateTime, Utc};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::error::ApiError;
use super::graphql::{Api, Document};
use super::{NewServiceAccount, ServiceAccount, ServiceAccountId, Workspace, WorkspaceId};
use crate::secret::Secret;

const APP_CONFIG: Document = Document {
    field: "appConfig",
    text: include_str!("graphql/appConfig.graphql"),
    optional: &["version", "baseDomain"],
};

const WORKSPACES: Document = Document {
    field: "workspaces",
    text: include_str!("graphql/workspaces.graphql"),
    optional: &["label"],
};

const WORKSPACE: Document = Document {
    field: "workspace",
    text: include_str!("graphql/workspace.graphql"),
    optional: &["label"],
};

const WORKSPACE_SERVICE_ACCOUNTS: Document = Document {
    field: "workspaceServiceAccounts",
    text: include_str!("graphql/workspaceServiceAccounts.graphql"),
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
    text: include_str!("graphql/createWorkspaceServiceAccount.graphql"),
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
    text: include_str!("graphql/deleteWorkspaceServiceAccount.graphql"),
    optional: &["label"],
};

/// The accounts of one workspace, in the API's order.
#[derive(Debug)]
pub struct Listing {
    /// The accounts.
    pub accounts: Vec<ServiceAccount>,
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
    let answer = api.query(&APP_CONFIG, &NoVariables {}).await?;
    answer.data.ok_or(ApiError::MissingData)
}

/// The workspaces the token is bound to; system-level tokens see none.
///
/// # Errors
/// `FORBIDDEN` here means a bad token and nothing else, so it is `Unauthenticated`.
pub async fn workspaces(api: &Api<'_>) -> Result<Vec<Workspace>, ApiError> {
    match api
        .query::<_, Vec<Option<WireWorkspace>>>(&WORKSPACES, &NoVariables {})
        .await
    {
        Ok(answer) => {
            let workspaces = answer.data.ok_or(ApiError::MissingData)?;
            Ok(workspaces.into_iter().flatten().map(Into::into).collect())
        }
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
    match api.query::<_, WireWorkspace>(&WORKSPACE, &variables).await {
        Ok(answer) => Ok(answer.data.map(Into::into)),
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
    let variables = InWorkspace {
        workspace_uuid: workspace_id.as_str(),
    };
    match api
        .query::<_, Vec<Option<WireAccount>>>(&WORKSPACE_SERVICE_ACCOUNTS, &variables)
        .await
    {
        Ok(answer) => {
            let accounts = answer.data.ok_or(ApiError::MissingData)?;
            let of_workspace = accounts
                .into_iter()
                .flatten()
                .filter(|account| account.is_of(workspace_id));
            let accounts = of_workspace
                .map(|account| {
                    account
                        .placed_in(api, workspace_id)
                        .with_masked_key_if_undated()
                })
                .collect();
            Ok(Listing {
                accounts,
                date: answer.date,
            })
        }
        Err(error) => Err(told_apart(api, error).await),
    }
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
    match api.mutate::<_, WireAccount>(&CREATE, &variables).await {
        Ok(answer) => {
            let wire = answer.data.ok_or(ApiError::MissingData)?;
            let mut account = wire.placed_in(api, &new.workspace_id);
            if account.api_key.is_none() {
                return Err(ApiError::MissingData);
            }
            account.role = Some(new.role.name().to_owned());
            Ok(account)
        }
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
    match api.mutate::<_, IgnoredAny>(&DELETE, &variables).await {
        Ok(answer) => answer.data.map(drop).ok_or(ApiError::MissingData),
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

impl From<WireWorkspace> for Workspace {
    fn from(wire: WireWorkspace) -> Self {
        Self {
            id: WorkspaceId::verbatim(wire.id),
            label: wire.label,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireAccount {
    id: String,
    label: Option<String>,
    api_key: Option<Secret>,
    category: Option<String>,
    entity_uuid: Option<String>,
    active: Option<bool>,
    created_at: Option<String>,
    updated_at: Option<String>,
    last_used_at: Option<String>,
    role_binding: Option<WireRoleBinding>,
}

#[derive(Deserialize)]
struct WireRoleBinding {
    role: Option<String>,
}

impl WireAccount {
    /// Whether nothing speaks against the account being of that workspace.
    fn is_of(&self, workspace_id: &WorkspaceId) -> bool {
        self.entity_uuid
            .as_deref()
            .is_none_or(|entity| entity == workspace_id.as_str())
    }

    fn placed_in(self, api: &Api<'_>, workspace_id: &WorkspaceId) -> ServiceAccount {
        if let Some(key) = &self.api_key {
            api.remember(key);
        }
        ServiceAccount {
            id: ServiceAccountId::verbatim(self.id),
            label: self.label,
            api_key: self.api_key,
            role: self.role_binding.and_then(|binding| binding.role),
            category: self.category,
            workspace_id: workspace_id.clone(),
            active: self.active,
            created_at: self.created_at,
            updated_at: self.updated_at,
            last_used_at: self.last_used_at,
        }
    }
}
