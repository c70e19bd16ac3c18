//! `create_service_account`: a new account in a workspace, and its key.
//! Refuses what the API would let through: any role, any label, a second account of one label.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::model::{CallToolResult, JsonObject, Tool, ToolAnnotations};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::OwnedMutexGuard;

use super::arguments::Arguments;
use super::result::{AccountView, Code, Failure, quoted, success};
use super::{Call, Shape, schema, unknown_workspace};
use crate::apc::error::{ApiError, Effect};
use crate::apc::operations;
use crate::apc::{Label, NewServiceAccount, Role, ServiceAccount, WorkspaceId};

/// The tool's name.
pub const NAME: &str = "create_service_account";

/// The tool as clients see it.
pub fn definition(shape: &Shape) -> Tool {
    let description = "Create a service account in a workspace and get its API key. Use it when a script or CI job \
         needs access of its own; give the lowest role that will do. A label that the workspace already has is refused \
         and the existing account named. Returns the account with its key.";
    let mut input = schema::input::<New>();
    if !shape.has_default_workspace {
        schema::require(&mut input, "workspace_id");
    }
    Tool::new(NAME, description, input)
        .with_title("Create service account")
        .with_raw_output_schema(schema::output::<Created>())
        .with_annotations(
            ToolAnnotations::new()
                .read_only(false)
                .destructive(false)
                .idempotent(false)
                .open_world(true),
        )
}

/// The arguments, for the schema.
#[derive(JsonSchema)]
#[expect(
    dead_code,
    reason = "the schema is made from the fields; values are read one by one"
)]
struct New {
    /// What the account is for, unique in its workspace. No place for secrets: the platform logs it.
    label: Label,
    /// The workspace it gets access to.
    workspace_id: Option<WorkspaceId>,
    /// What it may do there.
    role: Option<Role>,
    /// A free word to group accounts by.
    category: Option<Label>,
}

/// The result.
#[derive(Serialize, JsonSchema)]
struct Created {
    service_account: AccountView,
}

/// Runs the tool.
pub async fn call(call: &Call, given: Option<JsonObject>) -> Result<CallToolResult, Failure> {
    let new = read(given, call)?;
    let turn = call.house.creations.turn(&new).await;
    if turn.waited {
        // A creation of this label has just ended, and releases up to 0.16 do not check labels.
        refuse_taken(call, &new).await?;
    }
    let account = create(call, &new).await?;
    Ok(success(&Created {
        service_account: AccountView::new(account, call.secrets()),
    }))
}

fn read(given: Option<JsonObject>, call: &Call) -> Result<NewServiceAccount, Failure> {
    let mut arguments =
        Arguments::new(given, NAME, &["label", "workspace_id", "role", "category"])?;
    let default_workspace = call.installation.default_workspace.clone();
    Ok(NewServiceAccount {
        label: arguments.required("label")?,
        role: arguments.optional("role")?.unwrap_or_default(),
        category: arguments.optional("category")?,
        workspace_id: match arguments.optional("workspace_id")?.or(default_workspace) {
            Some(id) => id,
            None => arguments.required("workspace_id")?,
        },
    })
}

async fn create(call: &Call, new: &NewServiceAccount) -> Result<ServiceAccount, Failure> {
    let created = operations::create_workspace_service_account(&call.api(), new).await;
    match created {
        Ok(account) => Ok(account),
        Err(ApiError::LabelTaken) => Err(taken(call, new).await),
        Err(ApiError::WorkspaceUnknown) => Err(unknown_workspace(&new.workspace_id)),
        Err(error) if error.effect() == Effect::Unknown => Err(outcome_unknown(call, new, &error)),
        Err(error) => Err(call.failure(&error).about_workspace(&new.workspace_id)),
    }
}

async fn refuse_taken(call: &Call, new: &NewServiceAccount) -> Result<(), Failure> {
    match existing(call, new).await {
        Some(account) => Err(already_exists(new, Some(&account))),
        None => Ok(()),
    }
}

async fn taken(call: &Call, new: &NewServiceAccount) -> Failure {
    already_exists(new, existing(call, new).await.as_ref())
}

/// The account that has the label, where its workspace can be read.
async fn existing(call: &Call, new: &NewServiceAccount) -> Option<ServiceAccount> {
    let listing = operations::workspace_service_accounts(&call.api(), &new.workspace_id)
        .await
        .ok()?;
    let same_label =
        |account: &ServiceAccount| account.label.as_deref() == Some(new.label.as_str());
    listing.accounts.into_iter().find(same_label)
}

fn already_exists(new: &NewServiceAccount, account: Option<&ServiceAccount>) -> Failure {
    let label = quoted(new.label.as_str());
    let workspace = quoted(new.workspace_id.as_str());
    let way_out = "Nothing was created. Choose another label, or delete that account first if it is no longer used; its key cannot be shown again.";
    let failure = |which: String| {
        let text = format!(
            "Workspace {workspace} already has a service account {label}{which}. {way_out}"
        );
        Failure::new(Code::AlreadyExists, text).about_workspace(&new.workspace_id)
    };
    let Some(account) = account else {
        return failure(String::new());
    };
    let role = account
        .role
        .as_deref()
        .map(|role| format!(", role {}", quoted(role)));
    let date = account
        .created_at
        .as_deref()
        .map(|date| format!(", created {}", quoted(date)));
    let id = quoted(account.id.as_str());
    let which = format!(
        " (id {id}{}{})",
        role.unwrap_or_default(),
        date.unwrap_or_default()
    );
    failure(which).about_account(&account.id)
}

fn outcome_unknown(call: &Call, new: &NewServiceAccount, error: &ApiError) -> Failure {
    let label = quoted(new.label.as_str());
    let text = format!(
        "The creation of {label} was sent, and whether it was done is not known. {} Call get_service_accounts with label {label} before creating it again.",
        call.happened(error)
    );
    Failure::new(Code::OutcomeUnknown, text).about_workspace(&new.workspace_id)
}

/// One creation at a time per workspace and label: the API's own check for uniqueness is racy, and
/// models call in parallel.
#[derive(Default)]
pub struct Creations(Mutex<HashMap<(WorkspaceId, Label), Gate>>);

type Gate = Arc<tokio::sync::Mutex<()>>;

/// The right to create an account of one label; the next one's turn comes when it goes.
struct Turn {
    waited: bool,
    _guard: OwnedMutexGuard<()>,
}

impl Creations {
    async fn turn(&self, new: &NewServiceAccount) -> Turn {
        let gate = self.gate(new);
        match Arc::clone(&gate).try_lock_owned() {
            Ok(guard) => Turn {
                waited: false,
                _guard: guard,
            },
            Err(_) => Turn {
                waited: true,
                _guard: gate.lock_owned().await,
            },
        }
    }

    fn gate(&self, new: &NewServiceAccount) -> Gate {
        let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        gates.retain(|_, gate| Arc::strong_count(gate) > 1);
        Arc::clone(
            gates
                .entry((new.workspace_id.clone(), new.label.clone()))
                .or_default(),
        )
    }
}
