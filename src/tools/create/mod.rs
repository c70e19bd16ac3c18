//! `create_service_account`: a new account in a workspace, and its key.
//! Refuses what the API would let through: any role, any label, a second account of one label.

mod failures;
mod storage;

use std::sync::LazyLock;

use chrono::TimeDelta;
use rmcp::model::{CallToolResult, JsonObject};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use storage::Storage;

use failures::{
    already_exists, not_all_readable, not_looked, not_synced, outcome_unknown, refused_creation,
    still_busy, unclear,
};

use crate::apc::error::{ApiError, Effect};
use crate::apc::operations;
use crate::apc::selection::Candidate;
use crate::apc::{
    Label, NewServiceAccount, Place, Role, ServiceAccount, ServiceAccountId, WorkspaceId,
};
use crate::guards::key_files::{self, Published};
use crate::guards::policy::KeyOutput;
use crate::tools::account_view::AccountView;
use crate::tools::change::{
    AuditRecord, ChangedAccount, LOOKING_AGAIN, Look, look_again, look_once, run_to_completion,
};
use crate::tools::context::Call;
use crate::tools::failure::Failure;
use crate::tools::recovery::{SeenBefore, Trace, new_ones, trace};
use crate::tools::words::{role_not_allowed, too_many_changes};
use crate::tools::{Definition, Hints, Run, ToolEntry, ToolOptions, schema, success};

/// The row of the table.
pub const TOOL: ToolEntry = ToolEntry {
    name: NAME,
    title: "Create service account",
    run: Run::Change(|call, arguments, record| {
        Box::pin(async move { Ok(run(call, arguments, record).await?) })
    }),
    hints: Hints {
        destructive: false,
        idempotent: false,
    },
    define: |options| Definition {
        description: description(options),
        input: input(options),
        output: schema::output::<CreateResult>(),
    },
};

const NAME: &str = "create_service_account";

fn description(options: &ToolOptions) -> String {
    let key = match options.policy.key_output {
        KeyOutput::File => {
            "its API key masked, and api_key_file, a private file with the whole key"
        }
        KeyOutput::Show => "its API key",
    };
    format!(
        "Create a service account, for a script or CI job that needs access of its own; give the lowest role that will do. \
         An account cannot be changed and its key not renewed: to rotate a key, or to change a role or label, create a \
         successor under another label, have its key put to use, then delete the old account. A label that is taken is \
         refused. Returns the account, {key}; recovered: the answer was lost, and the account is found and complete."
    )
}

fn input(options: &ToolOptions) -> JsonObject {
    let mut input = INPUT.clone();
    if options.has_default_workspace {
        schema::make_optional(&mut input, "workspace_id");
        let described = "Id of its workspace; default: the one set for this server.";
        schema::set(&mut input, "workspace_id", "description", json!(described));
    }
    let roles: Vec<_> = options.policy.roles().map(Role::name).collect();
    schema::set(&mut input, "role", "enum", json!(roles));
    schema::set(&mut input, "role", "description", json!(rights(&roles)));
    if let Some(allowed) = &options.policy.allowed_workspaces {
        let ids: Vec<_> = allowed.iter().map(WorkspaceId::as_str).collect();
        schema::set(&mut input, "workspace_id", "enum", json!(ids));
    }
    input
}

/// A clause on what each role allows.
fn rights(roles: &[&str]) -> String {
    let clauses = [
        ("_VIEWER", "VIEWER (default) reads"),
        ("_EDITOR", "EDITOR also deploys and changes"),
        ("_ADMIN", "ADMIN also manages users and accounts"),
    ];
    let offered = clauses
        .iter()
        .filter(|(end, _)| roles.iter().any(|role| role.ends_with(end)));
    let clauses: Vec<_> = offered.map(|(_, clause)| *clause).collect();
    format!("{}.", clauses.join(", "))
}

static INPUT: LazyLock<JsonObject> = LazyLock::new(schema::input::<Arguments>);

/// The arguments. The default workspace stands in where there is one.
#[derive(Deserialize, JsonSchema)]
struct Arguments {
    /// What it is for, 1 to 255 characters; unique in its place. No secrets: the platform logs it.
    label: Label,
    /// Id of its workspace.
    workspace_id: WorkspaceId,
    /// Its rights there.
    #[serde(default)]
    role: Role,
    /// A word to group accounts by, up to 255 characters; default none.
    category: Option<Label>,
}

/// The result.
#[derive(Serialize, JsonSchema)]
struct CreateResult {
    service_account: AccountView,
    /// The file that holds the key and nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key_file: Option<String>,
    /// The answer was lost, and the account was found by reading again.
    #[serde(skip_serializing_if = "Option::is_none")]
    recovered: Option<bool>,
    /// What the user should hear of as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    notes: Option<Vec<String>>,
}

/// An account that was created.
struct Creation {
    account: ServiceAccount,
    key_file: Option<Published>,
    recovered: bool,
}

impl ChangedAccount for Creation {
    fn account_id(&self) -> &ServiceAccountId {
        &self.account.id
    }
}

/// Runs the tool.
async fn run(
    call: &Call,
    mut given: JsonObject,
    record: &mut AuditRecord,
) -> Result<CallToolResult, Failure> {
    call.add_default_workspace(&mut given);
    let new = parse(given, call, record)?;
    let until = call.half_time();
    let locked = call.shared.label_locks.lock(&new, until).await;
    let label_lock = locked.ok_or_else(|| still_busy(&new))?;
    let storage = Storage::reserve(call, &new, until).await?;
    let before = look(call, &new).await?;
    call.shared
        .rate
        .take()
        .map_err(|wait| too_many_changes(wait, call.policy()))?;
    let undecided = outcome_unknown(
        call,
        &new,
        "This server was stopped before the answer came.",
    );
    let work = {
        let call = call.clone();
        async move {
            let _locked = label_lock;
            create(&call, &new, &before, storage).await
        }
    };
    let created = run_to_completion(call, record, undecided, work).await?;
    Ok(success(&shown(created, call)))
}

fn parse(
    given: JsonObject,
    call: &Call,
    record: &mut AuditRecord,
) -> Result<NewServiceAccount, Failure> {
    let arguments: Arguments = call.read(NAME, &INPUT, given)?;
    let place = Place::Workspace(arguments.workspace_id);
    let role = arguments.role;
    record.place(&place);
    record.label_and_role(Some(arguments.label.as_str()), Some(role.name()));
    call.check_place(&place)?;
    if role > call.policy().max_role {
        return Err(role_not_allowed(role, call.policy()));
    }
    Ok(NewServiceAccount {
        place,
        label: arguments.label,
        role,
        category: arguments.category,
    })
}

/// The place as it was before the creation.
struct Before {
    /// The ids of all its accounts, which tell a new account from an older one afterwards.
    seen: SeenBefore,
    /// The time by which the API's clock is ahead of ours.
    clock_ahead: TimeDelta,
}

/// Looks before creating: the place is known, all of its accounts can be read, and none has the label.
async fn look(call: &Call, new: &NewServiceAccount) -> Result<Before, Failure> {
    let mut seen = SeenBefore::new();
    let has_label = |account: Candidate<'_>| {
        seen.insert(account.id.to_owned());
        account.label == Some(new.label.as_str())
    };
    let listing = call.list(&new.place, has_label).await;
    let listing = listing.map_err(|failure| not_looked(failure, new))?;
    if let Some(account) = listing.accounts.first() {
        return Err(already_exists(new, Some(account)));
    }
    seen.extend(listing.foreign);
    match listing.is_complete && listing.labels_are_known {
        true => Ok(Before {
            seen,
            clock_ahead: listing.clock_ahead.unwrap_or_default(),
        }),
        false => Err(not_all_readable(new)),
    }
}

/// The reason why there is no account to show.
enum NoAccount {
    /// It is known what came of the creation, as far as anybody here can know it.
    Decided(Failure),
    /// The account may still appear.
    Undecided(Failure),
}

async fn create(
    call: &Call,
    new: &NewServiceAccount,
    before: &Before,
    mut storage: Storage,
) -> Result<Creation, Failure> {
    // An account that has the label would have ended the call: none was seen.
    storage.mark_sent(before.clock_ahead, Vec::new())?;
    let (account, recovered) = match send(call, new, &before.seen).await {
        Ok(created) => created,
        Err(NoAccount::Undecided(failure)) => return Err(failure),
        Err(NoAccount::Decided(failure)) => {
            storage.decide();
            return Err(failure);
        }
    };
    let key_file = storage.publish(call, &account)?;
    Ok(Creation {
        account,
        key_file,
        recovered,
    })
}

/// Sends the creation. Returns the account, and whether it had to be found again.
async fn send(
    call: &Call,
    new: &NewServiceAccount,
    before: &SeenBefore,
) -> Result<(ServiceAccount, bool), NoAccount> {
    let api = call.api_until(call.deadline - LOOKING_AGAIN);
    let error = match operations::create_service_account(&api, new).await {
        Ok(account) => return Ok((account, false)),
        Err(ApiError::KeyNotTold { id }) => {
            // No later call may take another account for the one that was named.
            let told = find_told(call, new, &id).await;
            return told
                .map(|account| (account, true))
                .map_err(NoAccount::Decided);
        }
        Err(error) => error,
    };
    match error.effect() {
        Effect::None => Err(NoAccount::Decided(not_created(call, new, &error).await)),
        // Nothing is taken for ours after an error, by no later call either.
        Effect::AnsweredWithError => {
            let failure = answered(call, new, before, &error).await;
            Err(NoAccount::Decided(failure))
        }
        Effect::AnswerLost => match find_lost(call, new, before, &error).await {
            Ok(account) => Ok((account, true)),
            Err(failure) => Err(NoAccount::Undecided(failure)),
        },
    }
}

fn shown(created: Creation, call: &Call) -> CreateResult {
    let file = created.key_file.as_ref();
    let path = file.map(|file| file.path.display().to_string());
    let mut notes = call.unfinished.notes();
    notes.extend(file.and_then(not_synced));
    CreateResult {
        service_account: AccountView::new(
            created.account,
            call.policy().key_output,
            call.secrets(),
        ),
        api_key_file: path.map(|path| call.secrets().scrubbed(path)),
        recovered: created.recovered.then_some(true),
        notes: Some(notes).filter(|notes| !notes.is_empty()),
    }
}

/// The failure of a creation that was certainly not made.
async fn not_created(call: &Call, new: &NewServiceAccount, error: &ApiError) -> Failure {
    match error {
        ApiError::LabelTaken => already_exists(new, existing(call, new).await.as_ref()),
        error => call.failure(error).about_place(&new.place),
    }
}

/// The account that has the label, where its place can be read.
async fn existing(call: &Call, new: &NewServiceAccount) -> Option<ServiceAccount> {
    let has_label = |account: Candidate<'_>| account.label == Some(new.label.as_str());
    let listing = operations::service_accounts(&call.api(), &new.place, has_label).await;
    listing.ok()?.accounts.into_iter().next()
}

/// The failure of a creation that the API answered with an error. Nothing is taken for ours, whatever is there now.
async fn answered(
    call: &Call,
    new: &NewServiceAccount,
    before: &SeenBefore,
    error: &ApiError,
) -> Failure {
    let what = call.happened(error);
    let Some(listing) = look_once(call, &new.place).await else {
        return outcome_unknown(
            call,
            new,
            &format!(
                "{what} The {} could not be read afterwards.",
                new.place.kind()
            ),
        );
    };
    let is_complete = listing.is_complete && listing.labels_are_known;
    let there = new_ones(listing, new, before);
    let ids: Vec<_> = there.iter().map(|account| account.id.clone()).collect();
    match (ids.as_slice(), is_complete) {
        ([], true) => refused_creation(new, &what),
        ([], false) => outcome_unknown(
            call,
            new,
            &format!("{what} Not every account could be read afterwards."),
        ),
        (ids, _) => {
            let why = "is there now, and may be this one or a colleague's";
            unclear(call, new, &what, ids, why)
        }
    }
}

/// Finds the whole key of an account that the answer to its creation has named.
async fn find_told(
    call: &Call,
    new: &NewServiceAccount,
    id: &str,
) -> Result<ServiceAccount, Failure> {
    let told = look_again(call, &new.place, |listing| {
        let mut accounts = listing.accounts.into_iter();
        match accounts.find(|account| account.id.as_str() == id && account.has_whole_key()) {
            Some(account) => Look::Decided(Some(account)),
            None => Look::NotYet(None),
        }
    });
    told.await.flatten().ok_or_else(|| {
        let what = "The API answered without the whole key of the new account.";
        let id = ServiceAccountId::verbatim(id.to_owned());
        unclear(call, new, what, &[id], "is the new account")
    })
}

/// Finds the account of a creation whose answer was lost, or says what is there instead.
async fn find_lost(
    call: &Call,
    new: &NewServiceAccount,
    before: &SeenBefore,
    error: &ApiError,
) -> Result<ServiceAccount, Failure> {
    let what = call.happened(error);
    let kind = new.place.kind();
    let directory = call.shared.config.key_dir.as_deref();
    let has_key_file = |id: &ServiceAccountId| {
        call.policy().key_output == KeyOutput::File && key_files::has_key_of(directory, id.as_str())
    };
    let seen = look_again(call, &new.place, |listing| {
        match trace(listing, new, before, has_key_file) {
            Trace::New(account) => Look::Decided(Trace::New(account)),
            trace => Look::NotYet(trace),
        }
    });
    match seen.await {
        Some(Trace::New(account)) => Ok(*account),
        Some(Trace::Unclear { ids, why }) => Err(unclear(call, new, &what, &ids, &why)),
        Some(Trace::Nothing) => Err(outcome_unknown(
            call,
            new,
            &format!("{what} The {kind} does not show it so far."),
        )),
        None => Err(outcome_unknown(
            call,
            new,
            &format!("{what} The {kind} could not be read afterwards."),
        )),
    }
}
