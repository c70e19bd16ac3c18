//! The words of a creation that failed.
//! Each says whether an account was created, and what to do next.

use crate::apc::{NewServiceAccount, Place, ServiceAccount, ServiceAccountId};
use crate::guards::key_files::{NotPublished, Published};
use crate::guards::policy::{KeyOutput, Policy};
use crate::guards::text::quoted;
use crate::tools::account_view::to_the_second;
use crate::tools::place_words::of_deployment;
use crate::tools::{Call, Code, Failure};

pub(super) fn not_looked(failure: Failure, new: &NewServiceAccount, policy: &Policy) -> Failure {
    if failure.code() != Code::PermissionDenied {
        return failure;
    }
    let place = &new.place;
    let (or_else, ask) = match place {
        Place::Workspace(_) => (
            "or there is no such workspace: the API says the same of both",
            "Ask an admin of the workspace for a role that may list its accounts, or call get_service_accounts with limit 0 to see the workspaces of this token.",
        ),
        Place::Deployment(_) => (
            "or the deployment is deleted, belongs to a workspace of others, or does not exist: the API says the same of all",
            "Ask an admin of the deployment for a role there: DEPLOYMENT_VIEWER lists, DEPLOYMENT_EDITOR and DEPLOYMENT_ADMIN create; WORKSPACE_EDITOR or WORKSPACE_ADMIN on its workspace is enough on some releases only.",
        ),
    };
    let text = format!(
        "The token may not list the service accounts of {place}, {or_else}. Nothing was created: without the list an account of that label could be made twice, and a lost answer could not be found again. {ask}{}",
        of_deployment(place, policy)
    );
    Failure::new(Code::PermissionDenied, text).about_place(place)
}

pub(super) fn not_all_readable(new: &NewServiceAccount) -> Failure {
    let text = format!(
        "The API could not read every service account of {}, so it is not certain that {} is free there. Nothing was created. Choose another place, or ask those who run the installation to look at the accounts of that {}.",
        new.place,
        quoted(new.label.as_str()),
        new.place.kind()
    );
    Failure::new(Code::ApiError, text).about_place(&new.place)
}

pub(super) fn already_exists(new: &NewServiceAccount, account: &ServiceAccount) -> Failure {
    let label = quoted(new.label.as_str());
    let which = particulars(account);
    let text = format!(
        "There is a service account {label} in {} already{which}. Nothing was created. There are three ways on: create it under another label; or go on with that account, where its key is kept, since a key cannot be shown again; or, if the user says that nothing uses it, delete that account and create it again.",
        new.place
    );
    Failure::new(Code::AlreadyExists, text)
        .about_place(&new.place)
        .about_account(&account.id)
}

/// The failure of a creation whose label is taken by what the API says alone: no account of that label was seen.
pub(super) fn taken_unseen(new: &NewServiceAccount, list: &str) -> Failure {
    let text = format!(
        "The API says that the label {} is taken in {place}; the list of that {kind} {list}. Nothing was created. Create it under another label, since a label can stay taken by an account whose {kind} was deleted; if every label fails, ask those who run the installation.",
        quoted(new.label.as_str()),
        place = new.place,
        kind = new.place.kind(),
    );
    Failure::new(Code::AlreadyExists, text).about_place(&new.place)
}

pub(super) fn particulars(account: &ServiceAccount) -> String {
    let mut text = format!("id {}", quoted(account.id.as_str()));
    if let Some(role) = account.role() {
        text += &format!(", role {}", quoted(role));
    }
    if let Some(date) = account.created_at.clone().map(to_the_second) {
        text += &format!(", created {}", quoted(&date));
    }
    format!(" ({text})")
}

pub(super) fn refused_creation(new: &NewServiceAccount, what: &str) -> Failure {
    let text = format!(
        "{what} Nothing was created: {} does not show {}. If the same label fails again, choose another one, since a label can stay taken by an account whose workspace was deleted; else ask those who run the installation.",
        new.place,
        quoted(new.label.as_str())
    );
    Failure::new(Code::ApiError, text).about_place(&new.place)
}

pub(super) fn outcome_unknown(call: &Call, new: &NewServiceAccount, what: &str) -> Failure {
    let label = quoted(new.label.as_str());
    let key = match call.policy().key_output {
        KeyOutput::File => "notes say where its key is; if they do not, nobody holds its key",
        KeyOutput::Show => {
            "its api_key is whole for 10 minutes after the creation; if it is masked, nobody holds its key"
        }
    };
    let text = format!(
        "The creation of {label} was sent, and whether it was done is not known. {what} It may still appear in the next {} s. Wait that long, then call get_service_accounts with {}_id {} and label {label}: if it is not there, it is safe to create it again. If it is there, {key}: delete it then, and create it again.",
        call.still_to_show().as_secs(),
        new.place.kind(),
        quoted(new.place.id())
    );
    Failure::new(Code::OutcomeUnknown, text).about_place(&new.place)
}

/// The failure of a creation after which accounts of its label are there that cannot be told to be it.
pub(super) fn unclear(
    call: &Call,
    new: &NewServiceAccount,
    what: &str,
    ids: &[ServiceAccountId],
    why: &str,
) -> Failure {
    let listed: Vec<_> = ids.iter().map(|id| quoted(id.as_str())).collect();
    let listed = listed.join(", ");
    let text = format!(
        "The creation of {label} was sent, and whether it was done is not known. {what} In {place}, {listed} {why}. Nobody here holds its key. Look at it with get_service_accounts and ask the user whose it is; delete it only if nobody else made it, wait {wait} s, and create the account again.",
        label = quoted(new.label.as_str()),
        place = new.place,
        wait = call.still_to_show().as_secs(),
    );
    let failure = Failure::new(Code::OutcomeUnknown, text).about_place(&new.place);
    match ids {
        [only] => failure.about_account(only),
        several => failure.about_accounts(several),
    }
}

/// The failure of a creation whose key has no file of the account's name. The next call can recover one that nothing
/// holds, if the intent of the creation is still there.
pub(super) fn key_not_kept(
    account: &ServiceAccount,
    error: &NotPublished,
    is_recoverable: bool,
) -> Failure {
    let id = quoted(account.id.as_str());
    let way_out = match &error.kept_in {
        Some(path) => format!(
            "The whole key is in {}: move that file to where the key is needed. Nothing has to be created again.",
            path.display()
        ),
        None if is_recoverable => format!(
            "Make room or mend the directory, then call get_service_accounts with {kind}_id {place} within 10 minutes of the creation: it gets the key from the API, and its notes say where the key is. Delete {id} and create it again only if the notes say that its key is lost, or say nothing of it.",
            kind = account.place.kind(),
            place = quoted(account.place.id()),
        ),
        None => format!(
            "Make room or mend the directory, then delete {id} and create it again: its key is not kept anywhere."
        ),
    };
    let text = format!(
        "The account was created with id {id}, but its key could not be written to a file of that name: {error}. {way_out}"
    );
    Failure::new(Code::OutcomeUnknown, text).about(account)
}

pub(super) fn not_synced(file: &Published) -> Option<String> {
    let error = file.unsynced.as_ref()?;
    Some(format!(
        "The key file is written, but could not be synced to the disk ({error}): if this machine loses power now, the file may be gone. Copy the key to where it is needed soon."
    ))
}

pub(super) fn key_masked(account: &ServiceAccount) -> Failure {
    let id = quoted(account.id.as_str());
    let text = format!(
        "The account was created with id {id}, but this installation answered with its key masked, so nobody has the whole key and no file was written. Delete {id}; ask those who run the installation how keys of new service accounts are shown before creating another one."
    );
    Failure::new(Code::OutcomeUnknown, text).about(account)
}

pub(super) fn still_busy(new: &NewServiceAccount) -> Failure {
    let text = format!(
        "Another creation of {} in that {} is still under way. Nothing was sent for this one. Call get_service_accounts in a minute to see what became of it.",
        quoted(new.label.as_str()),
        new.place.kind()
    );
    Failure::new(Code::TimedOut, text).about_place(&new.place)
}
