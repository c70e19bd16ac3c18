//! `create_service_account`: a new account in a workspace, and its key.
//! Refuses what the API would let through: any role, any label, a second account of one label.

use std::path::PathBuf;

use rmcp::model::{CallToolResult, JsonObject, Tool, ToolAnnotations};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::arguments::Arguments;
use super::change::{LOOKING_AGAIN, Outcome, Record, Seen, carry_through, look_again};
use super::recovery::{Trace, has_label, trace};
use super::result::{
    AccountView, Code, Failure, key_dir_unusable, role_not_allowed, scrubbed, success,
    too_many_changes,
};
use super::{Call, Shape, schema, unknown_workspace};
use crate::apc::error::{ApiError, Effect};
use crate::apc::operations;
use crate::apc::{Label, NewServiceAccount, Role, ServiceAccount, ServiceAccountId, WorkspaceId};
use crate::guards::key_files::{self, KeyFile};
use crate::guards::policy::KeyOutput;
use crate::guards::text::quoted;

/// The tool's name.
pub const NAME: &str = "create_service_account";

/// The tool as clients see it.
pub fn definition(shape: &Shape) -> Tool {
    let key = match shape.policy.key_output {
        KeyOutput::File => "its API key masked, and the path of a private file with the whole key",
        KeyOutput::Show => "its API key",
    };
    let description = format!(
        "Create a service account in a workspace, for a script or CI job that needs access of its own; give the lowest \
         role that will do. A label that the workspace already has is refused. Returns the account, {key}."
    );
    Tool::new(NAME, description, input(shape))
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

fn input(shape: &Shape) -> JsonObject {
    let mut input = schema::input::<New>();
    if !shape.has_default_workspace {
        schema::require(&mut input, "workspace_id");
    }
    let roles: Vec<_> = shape.policy.roles().map(Role::name).collect();
    schema::set(&mut input, "role", "enum", json!(roles));
    if let Some(allowed) = &shape.policy.allowed_workspaces {
        let ids: Vec<_> = allowed.iter().map(WorkspaceId::as_str).collect();
        schema::set(&mut input, "workspace_id", "enum", json!(ids));
        schema::set(&mut input, "workspace_id", "pattern", Value::Null);
    }
    input
}

/// The arguments, for the schema.
#[derive(JsonSchema)]
#[expect(
    dead_code,
    reason = "the schema is made from the fields; values are read one by one"
)]
struct New {
    /// What the account is for; unique in its workspace. Not for secrets: the platform logs it.
    label: Label,
    /// The workspace it is for.
    workspace_id: Option<WorkspaceId>,
    /// What it may do there.
    role: Option<Role>,
    /// A word to group accounts by.
    category: Option<Label>,
}

/// The result.
#[derive(Serialize, JsonSchema)]
struct Created {
    service_account: AccountView,
    /// The file that holds the key and nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key_file: Option<String>,
    /// The answer was lost and found again.
    #[serde(skip_serializing_if = "Option::is_none")]
    recovered: Option<bool>,
}

/// An account that was made.
struct Made {
    account: ServiceAccount,
    key_file: Option<PathBuf>,
    recovered: bool,
}

impl Outcome for Made {
    fn account_id(&self) -> &ServiceAccountId {
        &self.account.id
    }
}

/// Runs the tool.
pub async fn call(
    call: &Call,
    given: Option<JsonObject>,
    record: &mut Record,
) -> Result<CallToolResult, Failure> {
    let new = read(given, call, record)?;
    let until = call.deadline - 2 * LOOKING_AGAIN;
    let turn = call
        .house
        .creations
        .turn(&new, until)
        .await
        .ok_or_else(|| still_busy(&new))?;
    if turn.waited {
        // A creation of this label has just ended, and releases up to 0.16 do not check labels.
        refuse_taken(call, &new).await?;
    }
    let key_file = key_file(call)?;
    call.house
        .rate
        .take()
        .map_err(|wait| too_many_changes(wait, call.policy()))?;
    let undecided = outcome_unknown(&new, "This server was stopped before the answer came.");
    let work = {
        let call = call.clone();
        async move {
            let _turn = turn;
            make(&call, &new, key_file).await
        }
    };
    let made = carry_through(call, record, undecided, work).await?;
    Ok(success(&shown(made, call)))
}

fn read(
    given: Option<JsonObject>,
    call: &Call,
    record: &mut Record,
) -> Result<NewServiceAccount, Failure> {
    let mut arguments = Arguments::new(
        given,
        NAME,
        &["label", "workspace_id", "role", "category"],
        call.secrets(),
    )?;
    let workspace_id: Option<WorkspaceId> = arguments.optional("workspace_id")?;
    let workspace_id = workspace_id.or_else(|| call.default_workspace());
    if let Some(id) = &workspace_id {
        record.workspace(id);
    }
    let label: Label = arguments.required("label")?;
    record.label_and_role(Some(label.as_str()), None);
    let role = arguments.role(call.policy())?;
    record.label_and_role(Some(label.as_str()), Some(role.name()));
    let category = arguments.optional("category")?;
    let workspace_id = match workspace_id {
        Some(id) => id,
        None => arguments.required("workspace_id")?,
    };
    call.check_workspace(&workspace_id)?;
    if role > call.policy().max_role {
        return Err(role_not_allowed(role, call.policy()));
    }
    Ok(NewServiceAccount {
        workspace_id,
        label,
        role,
        category,
    })
}

/// What could not be kept is not created: the file comes before the account.
fn key_file(call: &Call) -> Result<Option<KeyFile>, Failure> {
    match call.policy().key_output {
        KeyOutput::Show => Ok(None),
        KeyOutput::File => {
            let prepared = key_files::prepare(call.house.config.key_dir.as_deref());
            prepared
                .map(Some)
                .map_err(|problem| key_dir_unusable(&problem))
        }
    }
}

async fn make(
    call: &Call,
    new: &NewServiceAccount,
    key_file: Option<KeyFile>,
) -> Result<Made, Failure> {
    let sent = Instant::now();
    let api = call.api_until(call.deadline - LOOKING_AGAIN);
    let (account, recovered) = match operations::create_workspace_service_account(&api, new).await {
        Ok(account) => (account, false),
        Err(error) if error.effect() == Effect::Unknown => {
            (find_lost(call, new, sent, &error).await?, true)
        }
        Err(ApiError::LabelTaken) => return Err(taken(call, new).await),
        Err(ApiError::WorkspaceUnknown) => return Err(unknown_workspace(&new.workspace_id)),
        Err(error) => return Err(call.failure(&error).about_workspace(&new.workspace_id)),
    };
    call.house.creations.remember(&account.id);
    let key_file = match (key_file, &account.api_key) {
        (Some(file), Some(key)) => {
            let published = file.publish(account.id.as_str(), key);
            Some(published.map_err(|error| key_not_kept(&account, &error))?)
        }
        _ => None,
    };
    Ok(Made {
        account,
        key_file,
        recovered,
    })
}

fn shown(made: Made, call: &Call) -> Created {
    let path = made.key_file.map(|path| path.display().to_string());
    Created {
        service_account: AccountView::new(made.account, call.policy().key_output, call.secrets()),
        api_key_file: path.map(|path| scrubbed(path, call.secrets())),
        recovered: made.recovered.then_some(true),
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
    listing
        .accounts
        .into_iter()
        .find(|account| has_label(account, new))
}

/// Finds the account of a creation whose answer was lost, or says what is there instead.
async fn find_lost(
    call: &Call,
    new: &NewServiceAccount,
    sent: Instant,
    error: &ApiError,
) -> Result<ServiceAccount, Failure> {
    let what = call.happened(error);
    let seen = look_again(call, &new.workspace_id, |listing| {
        match trace(listing, new, sent.elapsed(), |id| {
            call.house.creations.has_made(id)
        }) {
            Trace::New(account) => Seen::Decided(Trace::New(account)),
            trace => Seen::NotYet(trace),
        }
    });
    match seen.await {
        Some(Trace::New(account)) => Ok(*account),
        Some(Trace::Older(account)) => Err(already_exists(new, Some(&account))),
        Some(Trace::Nothing) => Err(outcome_unknown(
            new,
            &format!("{what} The workspace does not show it so far."),
        )),
        Some(Trace::Unclear(seen)) => Err(outcome_unknown(new, &format!("{what} {seen}"))),
        None => Err(outcome_unknown(
            new,
            &format!("{what} The workspace could not be read afterwards."),
        )),
    }
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

fn outcome_unknown(new: &NewServiceAccount, what: &str) -> Failure {
    let label = quoted(new.label.as_str());
    let text = format!(
        "The creation of {label} was sent, and whether it was done is not known. {what} Call get_service_accounts with workspace_id {} and label {label} before creating it again.",
        quoted(new.workspace_id.as_str())
    );
    Failure::new(Code::OutcomeUnknown, text).about_workspace(&new.workspace_id)
}

fn key_not_kept(account: &ServiceAccount, error: &std::io::Error) -> Failure {
    let id = quoted(account.id.as_str());
    let text = format!(
        "The account was created with id {id}, but its key could not be written to its file: {error}. Make room or mend the directory, then delete {id} and create it again: its key is not kept anywhere."
    );
    Failure::new(Code::OutcomeUnknown, text)
        .about_account(&account.id)
        .about_workspace(&account.workspace_id)
}

fn still_busy(new: &NewServiceAccount) -> Failure {
    let text = format!(
        "Another creation of {} in that workspace is still under way. Nothing was sent for this one. Call get_service_accounts in a while to see what became of it.",
        quoted(new.label.as_str())
    );
    Failure::new(Code::TimedOut, text).about_workspace(&new.workspace_id)
}
