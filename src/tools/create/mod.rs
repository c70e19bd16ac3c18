//! `create_service_account`: a new account in a workspace or on a deployment, and its key.
//! Refuses what the API would let through: any role, any label, a second account of one label.

mod arguments;
mod failures;
mod sending;
mod storage;

use chrono::TimeDelta;
use rmcp::model::{CallToolResult, JsonObject};
use schemars::JsonSchema;
use serde::Serialize;

use failures::{
    already_exists, not_all_readable, not_looked, not_synced, outcome_unknown, still_busy,
};
use sending::create;
use storage::Storage;

use crate::apc::NewServiceAccount;
use crate::apc::selection::Candidate;
use crate::guards::policy::KeyOutput;
use crate::tools::account_view::AccountView;
use crate::tools::by_levels;
use crate::tools::change::{AuditRecord, Change, run_to_completion};
use crate::tools::recovery::SeenBefore;
use crate::tools::{Call, Failure, NoResult, Run, ToolEntry, ToolOptions, success};

/// The row of the table.
pub const TOOL: ToolEntry = ToolEntry {
    name: NAME,
    title: "Create service account",
    run: Run::Change(|call, arguments, record| Box::pin(run(call, arguments, record))),
    destructive: false,
    idempotent: false,
    description,
    input: arguments::input,
    output: by_levels::output::<CreateResult>,
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
         refused. Returns the account, {key}; recovered: found again after a lost answer."
    )
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
    /// Further news for the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    notes: Option<Vec<String>>,
}

async fn run(
    call: &Call,
    mut given: JsonObject,
    record: &mut AuditRecord,
) -> Result<CallToolResult, NoResult> {
    call.add_default_workspace(&mut given);
    let new = arguments::read(call, given, record).await?;
    let until = call.half_time();
    let locked = call.shared.label_locks.lock(&new, until).await;
    let label_lock = locked.ok_or_else(|| still_busy(&new))?;
    let storage = Storage::reserve(call, &new, until).await?;
    let before = look(call, &new).await?;
    // The look may have learned more of it.
    record.found_place(call, &new.place);
    let (worker, account) = (call.clone(), new.clone());
    let undecided = |what: &str| outcome_unknown(call, &new, what);
    let work = async move {
        let _locked = label_lock;
        create(&worker, &account, &before, storage).await
    };
    let created = run_to_completion(call, record, undecided, work).await?;
    Ok(success(&shown(created, call)))
}

/// The place as it was before the creation.
struct PlaceBefore {
    /// The ids of all its accounts, which tell a new account from an older one afterwards.
    seen: SeenBefore,
    clock_ahead: TimeDelta,
}

/// Looks before creating: the place is known, all of its accounts can be read, and none has the label.
async fn look(call: &Call, new: &NewServiceAccount) -> Result<PlaceBefore, Failure> {
    let mut seen = SeenBefore::new();
    let has_label = |account: Candidate<'_>| {
        seen.insert(account.id.to_owned());
        account.label == Some(new.label.as_str())
    };
    let listing = call.list(&new.place, has_label).await;
    let listing = listing.map_err(|failure| not_looked(failure, new, call.policy()))?;
    if let Some(account) = listing.accounts.first() {
        return Err(already_exists(new, account));
    }
    seen.extend(listing.foreign);
    match listing.is_complete && listing.labels_are_known {
        true => Ok(PlaceBefore {
            seen,
            clock_ahead: listing.clock_ahead.unwrap_or_default(),
        }),
        false => Err(not_all_readable(new)),
    }
}

fn shown(created: Change, call: &Call) -> CreateResult {
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
