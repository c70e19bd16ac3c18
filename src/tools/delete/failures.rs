//! The words of a deletion that failed.
//! Each says whether the account was deleted, and what to do next.

use super::consent::{Reason, described, other_rights};
use crate::apc::{Place, ServiceAccount};
use crate::guards::text::quoted;
use crate::tools::failure::{Code, Failure};

/// The number of accounts that are listed where none was named and nobody can be asked.
const LISTED: usize = 50;

pub(super) fn neither() -> Failure {
    let text = "service_account_id and workspace_id are both missing; at least one is needed. Nothing was sent. Call get_service_accounts to find the id.";
    Failure::new(Code::InvalidArguments, text)
}

pub(super) fn declined(why: &str) -> Failure {
    let text = format!("Nothing was deleted: {why}. Do not try again unless the user asks for it.");
    Failure::new(Code::Declined, text)
}

pub(super) fn confirmation_required(account: &ServiceAccount, reason: Option<Reason>) -> Failure {
    let why = match reason {
        Some(Reason::OwnKey) => {
            "it is the account whose key this server itself uses, and without it the server can do nothing any more".to_owned()
        }
        Some(Reason::OtherBindings) => format!(
            "deleting it ends rights elsewhere.{}",
            other_rights(account)
        ),
        None => "--confirm (APC_CONFIRM) is 'always'".to_owned(),
    };
    let text = format!(
        "Nothing was deleted: the user has to confirm the deletion of {}, since {}; and this client cannot ask. Use a client that can, or another way to delete it.",
        described(account),
        why.trim_end_matches('.')
    );
    Failure::new(Code::ConfirmationRequired, text)
        .about_account(&account.id)
        .about_place(&account.place)
}

pub(super) fn nothing_there(place: &Place) -> Failure {
    let text = format!("There are no service accounts in {place}, so there is nothing to delete.");
    Failure::new(Code::NotFound, text).about_place(place)
}

/// No account was named and nobody can be asked: what there is to name.
pub(super) fn listed(place: &Place, accounts: &[ServiceAccount]) -> Failure {
    let named = |account: &ServiceAccount| {
        format!(
            "{} {}",
            quoted(account.id.as_str()),
            quoted(account.label.as_deref().unwrap_or_default())
        )
    };
    let some: Vec<_> = accounts.iter().take(LISTED).map(named).collect();
    let more = match accounts.len().saturating_sub(LISTED) {
        0 => String::new(),
        more => format!(", and {more} more that get_service_accounts lists"),
    };
    let text = format!(
        "service_account_id is missing, and nothing was deleted. In {place} there are (id, label): {}{more}. Call again with the id of the one that is meant; ask the user if that is not certain.",
        some.join(", ")
    );
    Failure::new(Code::InvalidArguments, text).about_place(place)
}

/// The failure of a deletion that the API refused with an error, where the account is still listed.
pub(super) fn still_there(account: &ServiceAccount, what: &str) -> Failure {
    let id = quoted(account.id.as_str());
    let text = format!(
        "{what} Nothing was deleted: {id} is still listed. Call again in a while; if it happens again, ask those who run the installation."
    );
    Failure::new(Code::ApiError, text)
        .about_account(&account.id)
        .about_place(&account.place)
}

/// The failure of a deletion of an account that the API lists and says not to know.
pub(super) fn listed_and_unknown(account: &ServiceAccount) -> Failure {
    let text = format!(
        "The API says that there is no service account {}, and yet lists it. Nothing was deleted. Call again in a while; if it happens again, ask those who run the installation.",
        quoted(account.id.as_str())
    );
    Failure::new(Code::NotFound, text)
        .about_account(&account.id)
        .about_place(&account.place)
}

pub(super) fn gone_before(account: &ServiceAccount) -> Failure {
    let text = format!(
        "Service account {} was there a moment ago and is gone now. Nothing is left to do.",
        quoted(account.id.as_str())
    );
    Failure::new(Code::NotFound, text)
        .about_account(&account.id)
        .about_place(&account.place)
}

pub(super) fn outcome_unknown(account: &ServiceAccount, what: &str) -> Failure {
    let id = quoted(account.id.as_str());
    let text = format!(
        "The deletion of {id} was sent, and whether it was done is not known. {what} Call get_service_accounts with that service_account_id: if it is still listed, delete it again."
    );
    Failure::new(Code::OutcomeUnknown, text)
        .about_account(&account.id)
        .about_place(&account.place)
}
