//! The words of a deletion that failed.
//! Each says whether the account was deleted, and what to do next.

use super::consent::{BOX, Cause, Deletion, described, other_rights};
use crate::apc::{Place, ServiceAccount};
use crate::guards::policy::{Confirm, Policy};
use crate::guards::text::quoted;
use crate::tools::user::{MachineSign, Unanswered};
use crate::tools::{Call, Code, Failure};

/// The number of accounts that are listed where none was named and nobody can be asked.
const LISTED: usize = 50;

pub(super) fn neither(policy: &Policy) -> Failure {
    let missing = match policy.has_deployments() {
        true => "service_account_id, workspace_id and deployment_id are all missing",
        false => "service_account_id and workspace_id are both missing",
    };
    let text = format!(
        "{missing}; at least one is needed. Nothing was sent. Call get_service_accounts to find the id."
    );
    Failure::new(Code::InvalidArguments, text)
}

pub(super) fn declined(why: &str) -> Failure {
    let text = format!("Nothing was deleted: {why}. Do not try again unless the user asks for it.");
    Failure::new(Code::Declined, text)
}

pub(super) fn refused(refusal: Unanswered) -> Failure {
    declined(match refusal {
        Unanswered::Declined => "the user declined",
        Unanswered::Cancelled => "the user closed the question without an answer",
        Unanswered::NotTicked => {
            return declined(&format!(
                "the question was accepted, but its box '{BOX}' was not ticked, so the answer is not a yes. Some clients show the box as a choice of True and False, or as a field named 'answer': True means yes there. A client that shows no box cannot confirm a deletion"
            ));
        }
        Unanswered::NotOffered => "the answer is not one of the choices that were offered",
        Unanswered::OtherQuestion => "the answer belongs to another question",
        Unanswered::Changed => "the account has changed since the question was asked",
        Unanswered::TimedOut => "the user did not answer within 5 minutes",
        Unanswered::CallEnded => "the call or the session ended before the user answered",
    })
}

pub(super) fn nobody_answered(
    machine: MachineSign,
    what: &str,
    cause: Cause,
    policy: &Policy,
) -> Failure {
    let text = format!(
        "Nothing was deleted: the user has to {what}, and {} {}",
        sign(machine),
        way_out(machine, cause, policy)
    );
    Failure::new(Code::ConfirmationRequired, text)
}

fn sign(machine: MachineSign) -> &'static str {
    match machine {
        MachineSign::AtOnce => {
            "this client said no within 100 ms of the question, and no person reads it so fast."
        }
        MachineSign::Error => "this client sent an error in place of an answer.",
        MachineSign::Unreadable => "this client sent an answer that cannot be read.",
        MachineSign::ForeignState => {
            "the answer came with a requestState that this server process did not issue for this call, or issued more than 10 minutes ago. The likely reason is a client that starts the server anew for each call."
        }
    }
}

/// The way to a person's answer, and the way round it where there is one.
fn way_out(machine: MachineSign, cause: Cause, policy: &Policy) -> String {
    let asked = match machine {
        MachineSign::ForeignState => {
            "Call again without an answer to be asked anew, with a client that keeps the server running"
        }
        _ => "Use a client that shows questions to its user",
    };
    let unasked = match (cause, policy.confirm) {
        (Cause::OwnKey | Cause::MayBeOwnKey | Cause::OtherBindings, _) => {
            ", or another way to delete it; --confirm never does not cover this account."
        }
        (Cause::Answer, _) => ".",
        (Cause::Selection, Confirm::Never) => {
            ", or call again with the service_account_id that the user names; get_service_accounts finds it."
        }
        (Cause::Selection, _) => {
            ", or call again with the service_account_id that the user names; get_service_accounts finds it. A selection is asked about in any case. To delete an account that is named by its id without a question, start the server with --confirm never (APC_CONFIRM), and have the client itself ask for approval of each tool call."
        }
        (Cause::Policy, _) => {
            "; or start the server with --confirm never (APC_CONFIRM) and have the client itself ask for approval of each tool call."
        }
    };
    format!("{asked}{unasked}")
}

pub(super) fn confirmation_required(deletion: &Deletion, cause: Cause) -> Failure {
    let account = &deletion.account;
    let rights = format!(
        "deleting it ends rights elsewhere.{}",
        other_rights(deletion)
    );
    let why = match cause {
        Cause::OwnKey => {
            "it is the account whose key this server itself uses, and without it the server can do nothing"
        }
        Cause::MayBeOwnKey => {
            "the API does not show enough of its key: it may be the one that this server itself uses, and without that the server can do nothing"
        }
        Cause::OtherBindings => rights.trim_end_matches('.'),
        Cause::Selection => "it was selected from a list, and not named by its id",
        Cause::Policy => "--confirm (APC_CONFIRM) is 'always'",
        Cause::Answer => "the call brings inputResponses or requestState, but no valid answer",
    };
    let way_out = match cause {
        Cause::Selection => {
            "Use a client that can, or call again with the service_account_id that the user names."
        }
        Cause::Answer => {
            "Use a client that can, and declare elicitation in each call; or, if the user wants this deletion, call again without inputResponses and requestState."
        }
        _ => "Use a client that can, or another way to delete it.",
    };
    let text = format!(
        "Nothing was deleted: the user has to confirm the deletion of {}, since {why}; and this client cannot ask. {way_out}",
        described(account)
    );
    Failure::new(Code::ConfirmationRequired, text).about(account)
}

pub(super) fn nothing_there(place: &Place) -> Failure {
    let text = format!("There are no service accounts in {place}, so there is nothing to delete.");
    Failure::new(Code::NotFound, text).about_place(place)
}

pub(super) fn nothing_seen(place: &Place, unread: &str) -> Failure {
    let text = format!(
        "The list of {place} shows no service account, but not everything could be read.{unread} Nothing was deleted. Call again in a minute; if it happens again, ask those who run the installation."
    );
    Failure::new(Code::ApiError, text).about_place(place)
}

/// No account was named and nobody can be asked: what there is to name.
pub(super) fn listed(place: &Place, accounts: &[ServiceAccount], unread: &str) -> Failure {
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
        "service_account_id is missing, and nothing was deleted. In {place} there are (id, label): {}{more}.{unread} Call again with the id of the one that is meant; ask the user if that is not certain.",
        some.join(", ")
    );
    Failure::new(Code::InvalidArguments, text).about_place(place)
}

pub(super) fn still_there(account: &ServiceAccount, what: &str) -> Failure {
    let id = quoted(account.id.as_str());
    let text = format!(
        "{what} Nothing was deleted: {id} is still listed. Call again in a minute; if it happens again, ask those who run the installation."
    );
    Failure::new(Code::ApiError, text).about(account)
}

/// The failure of a deletion of an account that the API lists and says not to know.
pub(super) fn listed_and_unknown(account: &ServiceAccount) -> Failure {
    let text = format!(
        "The API says that there is no service account {}, and yet lists it. Nothing was deleted. Call again in a minute; if it happens again, ask those who run the installation.",
        quoted(account.id.as_str())
    );
    Failure::new(Code::NotFound, text).about(account)
}

pub(super) fn gone_before(account: &ServiceAccount) -> Failure {
    let text = format!(
        "Service account {} was there a moment ago and is gone now. Nothing is left to do.",
        quoted(account.id.as_str())
    );
    Failure::new(Code::NotFound, text).about(account)
}

pub(super) fn outcome_unknown(call: &Call, account: &ServiceAccount, what: &str) -> Failure {
    let id = quoted(account.id.as_str());
    let text = format!(
        "The deletion of {id} was sent, and whether it was done is not known. {what} It may still be done in the next {} s. Wait that long, then call get_service_accounts with {}_id {} and service_account_id {id}: not_found means that it is deleted; if it is still listed, it is safe to delete it again.",
        call.still_to_show().as_secs(),
        account.place.kind(),
        quoted(account.place.id())
    );
    Failure::new(Code::OutcomeUnknown, text).about(account)
}
