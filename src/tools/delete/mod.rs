//! `delete_service_account`: deletes an account that was looked up first and that the user means.
//! Sends nothing for an id that is not in the list of its workspace: the API would delete any.

mod consent;
mod failures;
mod selection;

use std::ops::ControlFlow;
use std::sync::LazyLock;

use rmcp::model::{CallToolResult, JsonObject};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use consent::{Deletion, confirm};
use failures::{gone_before, listed_and_unknown, neither, outcome_unknown, still_there};
use selection::select;

use crate::apc::error::{ApiError, Effect};
use crate::apc::operations::{self, Listing};
use crate::apc::selection::Candidate;
use crate::apc::{DeploymentId, Place, ServiceAccount, ServiceAccountId, WorkspaceId};
use crate::guards::policy::Confirm;
use crate::tools::account_view::AccountView;
use crate::tools::by_levels::{self, ByLevels};
use crate::tools::change::{AuditRecord, Change, look_again, look_once, run_to_completion};
use crate::tools::places::{self, Gaps, NamedPlace, ReadWorkspace, VisibleWorkspaces};
use crate::tools::{
    Call, Failure, NoResult, Run, ToolEntry, ToolOptions, arguments, schema, success,
};

/// The row of the table.
pub const TOOL: ToolEntry = ToolEntry {
    name: NAME,
    title: "Delete service account",
    run: Run::Change(|call, arguments, record| Box::pin(run(call, arguments, record))),
    destructive: true,
    idempotent: true,
    description,
    input,
    output: by_levels::output::<DeleteResult>,
};

const NAME: &str = "delete_service_account";

fn description(options: &ToolOptions) -> String {
    let asked = match options.policy.confirm {
        Confirm::Auto => {
            "This server itself asks the user to confirm where the client shows questions; elsewhere have the user's yes \
             before you call."
        }
        Confirm::Always => {
            "This server itself asks the user to confirm, and deletes nothing where the client shows no questions."
        }
        Confirm::Never => {
            "This server does not ask the user, except for an account with further roles or its own: have the user's yes \
             before you call."
        }
    };
    format!(
        "Delete a service account for good; what uses its key stops working at once, and nothing brings it back. \
         get_service_accounts finds its id. It is looked up first: one of another place is not touched. {asked} Returns the \
         account as it was, deleted: true; recovered: gone, although the answer was lost."
    )
}

fn input(options: &ToolOptions) -> JsonObject {
    let mut input = INPUT.under(&options.policy).clone();
    if options.has_default_workspace {
        let described = "Id of its workspace; default: the one set for this server.";
        schema::set(&mut input, "workspace_id", "description", json!(described));
    }
    input
}

static INPUT: LazyLock<ByLevels> =
    LazyLock::new(|| ByLevels::new(schema::input::<Arguments>(), |_| {}));

/// The arguments.
#[derive(Deserialize, JsonSchema)]
struct Arguments {
    /// Its id; default: the user selects one of the place.
    service_account_id: Option<ServiceAccountId>,
    /// Id of its workspace; default: all are searched.
    workspace_id: Option<WorkspaceId>,
    /// Id of its deployment.
    deployment_id: Option<DeploymentId>,
}

/// The result.
#[derive(Serialize, JsonSchema)]
struct DeleteResult {
    service_account: AccountView,
    /// Always true: the account is gone.
    deleted: bool,
    /// The answer was lost and found again.
    #[serde(skip_serializing_if = "Option::is_none")]
    recovered: Option<bool>,
    /// Further news for the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    notes: Option<Vec<String>>,
}

async fn run(
    call: &mut Call,
    mut given: JsonObject,
    record: &mut AuditRecord,
) -> Result<CallToolResult, NoResult> {
    arguments::omit_empty(&mut given, INPUT.under(call.policy()));
    call.add_default_workspace(&mut given);
    let Arguments {
        service_account_id: id,
        workspace_id,
        deployment_id,
    } = call.read(NAME, INPUT.under(call.policy()), given)?;
    let named = NamedPlace {
        workspace_id,
        deployment_id,
    };
    record.named_place(&named);
    let place = named.resolve(call).await?;
    let (deletion, selection) = match (id, place) {
        (Some(id), Some(place)) => (find(call, &id, &place).await?.into(), None),
        (Some(id), None) => (search(call, &id).await?, None),
        (None, Some(place)) => {
            let (account, selection) = select(call, &place).await?;
            (account.into(), Some(selection))
        }
        (None, None) => return Err(neither(call.policy()).into()),
    };
    let account = &deletion.account;
    record.account(&account.id);
    record.found_place(call, &account.place);
    record.label_and_role(account.label.as_deref(), account.role());
    confirm(call, &deletion, selection).await?;
    Ok(delete(call, deletion.account, record).await?)
}

async fn find(
    call: &Call,
    id: &ServiceAccountId,
    place: &Place,
) -> Result<ServiceAccount, Failure> {
    let is_it = |account: Candidate<'_>| account.id == id.as_str();
    let listing = call.list(place, is_it).await?;
    let mut gaps = Gaps::default();
    gaps.add_unreadable_accounts(place, &listing);
    let found = listing.accounts.into_iter().next();
    found.ok_or_else(|| gaps.missing_account(id, Some(place), call.policy()))
}

/// Looks through the visible workspaces, and through their deployments unless its bindings already tell every place of
/// the account. An account is missing only if all of them could be read.
async fn search(call: &Call, id: &ServiceAccountId) -> Result<Deletion, Failure> {
    let VisibleWorkspaces {
        workspaces,
        unproven,
        mut gaps,
    } = places::visible(call).await?;
    let unproven = &unproven;
    let read = |place| async move {
        let api = match unproven.contains(&place) {
            true => call.api(),
            false => call.api().with_good_token(),
        };
        let is_it = |account: Candidate<'_>| (account.id == id.as_str()).then_some(());
        call.list_known_first(&api, &place, usize::MAX, is_it).await
    };
    let may_be_in_deployments = |read: &[ReadWorkspace<Listing>]| {
        let listings = read.iter().flat_map(|read| &read.outcome);
        let mut found = listings.flat_map(|listing| &listing.accounts);
        let tells_its_places = |account: &ServiceAccount| !account.bindings.known().is_empty();
        call.policy().has_deployments() && !found.any(tells_its_places)
    };
    let reading = places::read_all(call, workspaces, read, may_be_in_deployments).await?;
    gaps.add_unread(&reading);
    let mut found = Vec::new();
    for (place, listing) in reading.into_lists() {
        gaps.add_unreadable_accounts(&place, &listing);
        found.extend(listing.accounts.into_iter().next());
    }
    Deletion::of(found).ok_or_else(|| gaps.missing_account(id, None, call.policy()))
}

async fn delete(
    call: &Call,
    account: ServiceAccount,
    record: &mut AuditRecord,
) -> Result<CallToolResult, Failure> {
    let (worker, deletion) = (call.clone(), account.clone());
    let undecided = |what: &str| outcome_unknown(call, &account, what);
    let work = async move { send(&worker, deletion).await };
    let deleted = run_to_completion(call, record, undecided, work).await?;
    let view = AccountView::new(deleted.account, call.policy().key_output, call.secrets());
    let notes = call.unfinished.notes();
    Ok(success(&DeleteResult {
        service_account: view,
        deleted: true,
        recovered: deleted.recovered.then_some(true),
        notes: Some(notes).filter(|notes| !notes.is_empty()),
    }))
}

async fn send(call: &Call, account: ServiceAccount) -> Result<Change, Failure> {
    let api = call.api_for_change();
    let deleted = operations::delete_service_account(&api, &account.place, &account.id).await;
    if let Err(error) = &deleted {
        make_sure(call, &account, error).await?;
    }
    Ok(Change {
        account,
        key_file: None,
        recovered: deleted.is_err(),
    })
}

/// Makes sure that a deletion was done that ended in an error.
async fn make_sure(call: &Call, account: &ServiceAccount, error: &ApiError) -> Result<(), Failure> {
    let (place, what) = (&account.place, call.happened(error));
    let lookup = |listing| Lookup::of(&listing, account);
    let seen = match error.effect() {
        Effect::None => {
            let failure = call.failure_of_change("delete", error, place);
            return Err(failure.about_account(&account.id));
        }
        Effect::AnsweredWithError => match look_once(call, place).await.map(lookup) {
            Some(Lookup::StillThere) if is_not_found(error) => {
                return Err(listed_and_unknown(account));
            }
            Some(Lookup::StillThere) => return Err(still_there(account, &what)),
            Some(Lookup::Gone) if is_not_found(error) => return Err(gone_before(account)),
            seen => seen,
        },
        Effect::AnswerLost => {
            let seen = look_again(call, place, |listing| match lookup(listing) {
                Lookup::Gone => ControlFlow::Break(Lookup::Gone),
                seen => ControlFlow::Continue(seen),
            });
            seen.await
        }
    };
    let so_far = match seen {
        // Nothing else can be mistaken for a deletion.
        Some(Lookup::Gone) => return Ok(()),
        Some(Lookup::StillThere) => "It is still listed so far.".to_owned(),
        Some(Lookup::NotEverythingRead) => "Not every account could be read afterwards.".to_owned(),
        None => format!("Its {} could not be read afterwards.", place.kind()),
    };
    Err(outcome_unknown(call, account, &format!("{what} {so_far}")))
}

fn is_not_found(error: &ApiError) -> bool {
    matches!(error, ApiError::Rejected(rejection) if rejection.is_not_found())
}

/// The account to be deleted, in a list that was read after the deletion.
enum Lookup {
    Gone,
    StillThere,
    NotEverythingRead,
}

impl Lookup {
    fn of(listing: &Listing, account: &ServiceAccount) -> Self {
        let mut listed = listing.accounts.iter();
        match listed.any(|listed| listed.id == account.id) {
            true => Self::StillThere,
            false if listing.is_complete => Self::Gone,
            false => Self::NotEverythingRead,
        }
    }
}
