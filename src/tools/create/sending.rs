//! The sending of a creation, and the account that came of it, whatever the answer was.
//! Takes no account for the new one that could be a colleague's.

use std::ops::ControlFlow;

use super::PlaceBefore;
use super::failures::{already_exists, outcome_unknown, refused_creation, taken_unseen, unclear};
use super::storage::Storage;
use crate::apc::error::{ApiError, Effect};
use crate::apc::operations;
use crate::apc::selection::Candidate;
use crate::apc::{NewServiceAccount, ServiceAccount, ServiceAccountId};
use crate::guards::key_files;
use crate::guards::policy::KeyOutput;
use crate::tools::change::{Change, look_again, look_once};
use crate::tools::recovery::{CreationTrace, SeenBefore, new_ones, trace};
use crate::tools::{Call, Failure};

/// Sends the creation, and finds out what came of it.
pub(super) async fn create(
    call: &Call,
    new: &NewServiceAccount,
    before: &PlaceBefore,
    mut storage: Storage,
) -> Result<Change, Failure> {
    storage.mark_sent(before.clock_ahead)?;
    let api = call.api_for_change();
    let created = operations::create_service_account(&api, new).await;
    let recovered = created.is_err();
    let found = match created {
        Ok(account) => Ok(account),
        // No later call may take another account for the one that was named.
        Err(ApiError::KeyNotTold { id }) => find_told(call, new, &id).await,
        Err(error) => match error.effect() {
            Effect::None => Err(not_created(call, new, &error).await),
            // Nothing is taken for ours after an error, by no later call either.
            Effect::AnsweredWithError => Err(answered(call, new, &before.seen, &error).await),
            // Without an account the intent stays: it may still appear.
            Effect::AnswerLost => Ok(find_lost(call, new, &before.seen, &error).await?),
        },
    };
    let account = match found {
        Ok(account) => account,
        Err(failure) => {
            storage.decide();
            return Err(failure);
        }
    };
    let key_file = storage.publish(call, &account)?;
    Ok(Change {
        account,
        key_file,
        recovered,
    })
}

async fn not_created(call: &Call, new: &NewServiceAccount, error: &ApiError) -> Failure {
    match error {
        ApiError::LabelTaken => {
            let has_label = |account: Candidate<'_>| account.label == Some(new.label.as_str());
            let api = call.api();
            match operations::service_accounts(&api, &new.place, has_label).await {
                Ok(listing) => match listing.accounts.first() {
                    Some(account) => already_exists(new, account),
                    None => taken_unseen(new, "does not show an account of that label"),
                },
                Err(_) => taken_unseen(new, "could not be read afterwards"),
            }
        }
        error => call.failure_of_change("create", error, &new.place),
    }
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
        let kind = new.place.kind();
        let what = format!("{what} The {kind} could not be read afterwards.");
        return outcome_unknown(call, new, &what);
    };
    let is_complete = listing.is_complete && listing.labels_are_known;
    let there = new_ones(listing, new, before).into_iter();
    let ids: Vec<_> = there.map(|account| account.id).collect();
    if !ids.is_empty() {
        let why = "is there now, and may be this one or a colleague's";
        return unclear(call, new, &what, &ids, why);
    }
    if is_complete {
        return refused_creation(new, &what);
    }
    let what = format!("{what} Not every account could be read afterwards.");
    outcome_unknown(call, new, &what)
}

async fn find_told(
    call: &Call,
    new: &NewServiceAccount,
    id: &str,
) -> Result<ServiceAccount, Failure> {
    let told = look_again(call, &new.place, |listing| {
        let mut accounts = listing.accounts.into_iter();
        match accounts.find(|account| account.id.as_str() == id && account.has_whole_key()) {
            Some(account) => ControlFlow::Break(Some(account)),
            None => ControlFlow::Continue(None),
        }
    });
    told.await.flatten().ok_or_else(|| {
        let what = "The API answered without the whole key of the new account.";
        let id = ServiceAccountId::verbatim(id.to_owned());
        unclear(call, new, what, &[id], "is the new account")
    })
}

async fn find_lost(
    call: &Call,
    new: &NewServiceAccount,
    before: &SeenBefore,
    error: &ApiError,
) -> Result<ServiceAccount, Failure> {
    let what = call.happened(error);
    let directory = call.shared.config.key_dir.as_deref();
    let has_key_file = |id: &ServiceAccountId| {
        call.policy().key_output == KeyOutput::File && key_files::has_key_of(directory, id.as_str())
    };
    let seen = look_again(call, &new.place, |listing| {
        match trace(listing, new, before, has_key_file) {
            CreationTrace::New(account) => ControlFlow::Break(CreationTrace::New(account)),
            trace => ControlFlow::Continue(trace),
        }
    });
    let so_far = match seen.await {
        Some(CreationTrace::New(account)) => return Ok(*account),
        Some(CreationTrace::Unclear { ids, why }) => {
            return Err(unclear(call, new, &what, &ids, &why));
        }
        Some(CreationTrace::Nothing) => "does not show it so far",
        None => "could not be read afterwards",
    };
    let what = format!("{what} The {} {so_far}.", new.place.kind());
    Err(outcome_unknown(call, new, &what))
}
