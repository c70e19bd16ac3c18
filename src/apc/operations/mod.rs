//! One typed function per document: everything that this server asks of the API.
//! Works around known flaws of the API: lists are checked for foreign accounts, mutations select scalars only.

mod places;

use std::collections::{HashMap, HashSet};

use chrono::{TimeDelta, Utc};
use serde::Serialize;

use super::documents::{
    CREATE_IN_DEPLOYMENT, CREATE_IN_WORKSPACE, DELETE_IN_DEPLOYMENT, DELETE_IN_WORKSPACE,
    DEPLOYMENT_SERVICE_ACCOUNTS, WORKSPACE_SERVICE_ACCOUNTS,
};
use super::error::{ApiError, GraphqlError};
use super::exchange::Api;
use super::response::GraphqlResponse;
use super::selection::{Candidate, First};
use super::wire::{Text, WireAccount, WireDeleted};
use super::{NewServiceAccount, Place, ServiceAccount, ServiceAccountId};

pub(crate) use places::{
    AppConfig, Deployments, Workspaces, app_config, deployments, is_system_level, sys_workspaces,
    workspace, workspaces,
};

/// The accounts of one place, in the API's order unless another one was asked for.
#[derive(Debug, Default)]
pub struct Listing {
    /// The accounts that were selected.
    pub accounts: Vec<ServiceAccount>,
    /// The number of accounts that the place has, as far as they could be read.
    pub size: usize,
    /// The number of accounts that could not be read.
    pub unreadable: usize,
    /// The number of accounts of which something could not be read.
    pub partly_read: usize,
    /// True if every id could be read, so that an account that is not listed is not there.
    pub is_complete: bool,
    /// True if every label could be read as well, so that a label that is not listed is free.
    pub labels_are_known: bool,
    /// The ids of accounts in the answer that belong to other places.
    pub foreign: Vec<String>,
    /// The time by which the API's clock is ahead of ours; none where it told no time.
    pub clock_ahead: Option<TimeDelta>,
}

impl Listing {
    /// Tells whether the API has shown no account at all.
    pub fn is_empty(&self) -> bool {
        self.size == 0 && self.unreadable == 0 && self.foreign.is_empty()
    }
}

/// The field by which the release shows roles, as far as earlier lists have told; none where it has neither.
pub fn role_field(api: &Api<'_>) -> Option<&'static str> {
    let on_deployments = api.renamed_field(&DEPLOYMENT_SERVICE_ACCOUNTS);
    let in_workspaces = api.renamed_field(&WORKSPACE_SERVICE_ACCOUNTS);
    in_workspaces.filter(|_| on_deployments.is_some())
}

/// Lists the accounts of a place that are selected. The others are never owned: a list may hold thousands, and a page
/// a hundred. A place that does not exist has none, for a system-level token. The error tells a bad token from a missing
/// permission.
pub async fn service_accounts(
    api: &Api<'_>,
    place: &Place,
    mut select: impl FnMut(Candidate<'_>) -> bool,
) -> Result<Listing, ApiError> {
    let rank = |account: Candidate<'_>| select(account).then_some(());
    first_service_accounts(api, place, usize::MAX, rank).await
}

/// Lists the accounts of a place that get a rank: the first of them, in that order, and at most this many.
///
/// # Errors
/// The error of the read; it tells a bad token from a missing permission.
pub async fn first_service_accounts<R: Ord>(
    api: &Api<'_>,
    place: &Place,
    most: usize,
    mut rank: impl FnMut(Candidate<'_>) -> Option<R>,
) -> Result<Listing, ApiError> {
    let document = match place {
        Place::Workspace(_) => &WORKSPACE_SERVICE_ACCOUNTS,
        Place::Deployment(_) => &DEPLOYMENT_SERVICE_ACCOUNTS,
    };
    let listed = async {
        let answer = api.query(document, place).await?;
        listing(api, place, &answer, most, &mut rank).await
    };
    explained_read(api, listed.await).await
}

/// Reads a list in one pass. Rows stay borrowed until every key is known: one may stand in the label of an earlier row.
async fn listing<'a, R: Ord>(
    api: &Api<'_>,
    place: &Place,
    answer: &'a GraphqlResponse,
    most: usize,
    rank: &mut impl FnMut(Candidate<'_>) -> Option<R>,
) -> Result<Listing, ApiError> {
    let failed = failed_members(&answer.errors);
    let mut errors = answer.errors.iter();
    let errors_name_members = errors.all(|error| error.member_of_entry().is_some());
    let mut listing = Listing {
        is_complete: errors_name_members,
        labels_are_known: failed.values().all(|members| !members.contains("label")),
        clock_ahead: answer.date.map(|date| date - Utc::now()),
        ..Listing::default()
    };
    let (mut keys, mut selected, mut index) = (Vec::new(), First::new(most), 0);
    let take = |row: Option<WireAccount<'a>>| {
        let failed = failed.get(&index);
        index += 1;
        let Some(mut row) = row.filter(|row| row.id.is_some()) else {
            listing.unreadable += 1;
            return;
        };
        if let Some(members) = failed {
            listing.partly_read += 1;
            row.mark_failed(members);
        }
        if !errors_name_members {
            row.doubt_nulls();
        }
        keys.extend(row.whole_key());
        let bindings = row.bindings();
        if !bindings.allow(place) {
            listing.foreign.extend(row.id.map(Text::into_string));
            return;
        }
        listing.size += 1;
        if let Some(rank) = row.candidate(&bindings, place).and_then(&mut *rank) {
            selected.push(rank, row);
        }
    };
    if !answer.rows(take).await? {
        return Err(ApiError::MissingData);
    }
    listing.is_complete &= listing.unreadable == 0;
    if listing.size == 0 && listing.unreadable > 0 {
        let first = answer.errors.first();
        return Err(first.map_or(ApiError::MissingData, |error| error.classify(200, true)));
    }
    let scrubber = api.remember_keys(keys);
    let read = |row: WireAccount<'_>| row.into_account(&scrubber, place);
    let accounts = selected.into_items().filter_map(read);
    let masked = accounts.map(ServiceAccount::with_masked_key_if_undated);
    listing.accounts = masked.collect();
    Ok(listing)
}

/// The account of an answer to a creation. Without its whole key an error about a part of the answer counts as well.
fn account_of(
    api: &Api<'_>,
    new: &NewServiceAccount,
    answer: &GraphqlResponse,
) -> Result<Option<ServiceAccount>, ApiError> {
    let account: Option<WireAccount<'_>> = answer.of_change()?;
    let account = account.and_then(|account| account.into_created(api, new));
    match (account, answer.errors.first()) {
        (Some(account), Some(error)) if !account.has_whole_key() => Err(error.classify(200, true)),
        (account, _) => Ok(account),
    }
}

/// The members that failed, by the entry of the list that they belong to.
fn failed_members(errors: &[GraphqlError]) -> HashMap<usize, HashSet<&str>> {
    let mut failed: HashMap<usize, HashSet<&str>> = HashMap::new();
    for (index, member) in errors.iter().filter_map(GraphqlError::member_of_entry) {
        failed.entry(index).or_default().insert(member);
    }
    failed
}

/// Creates an account and returns it with its full key. The error's `effect` tells whether it may be there all the same.
pub async fn create_service_account(
    api: &Api<'_>,
    new: &NewServiceAccount,
) -> Result<ServiceAccount, ApiError> {
    #[derive(Serialize)]
    struct Variables<'a> {
        label: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        category: Option<&'a str>,
        role: &'a str,
        #[serde(flatten)]
        place: &'a Place,
    }
    let document = match &new.place {
        Place::Workspace(_) => &CREATE_IN_WORKSPACE,
        Place::Deployment(_) => &CREATE_IN_DEPLOYMENT,
    };
    let variables = Variables {
        label: new.label.as_str(),
        category: new.category.as_ref().map(|category| category.as_str()),
        role: new.role.name(),
        place: &new.place,
    };
    let created = api.mutate(document, &variables).await;
    match created.and_then(|answer| account_of(api, new, &answer)) {
        // A masked key is told as such: nobody has it.
        Ok(Some(account)) if account.has_key_text() => Ok(account),
        Ok(Some(account)) => Err(ApiError::KeyNotTold {
            id: account.id.into_string(),
        }),
        Ok(None) => Err(ApiError::MissingData),
        Err(error) => Err(explained(api, error).await),
    }
}

/// Deletes an account, whichever place it belongs to: the API does not compare, so the caller has to. The error's `effect`
/// tells whether the account may be gone all the same.
pub async fn delete_service_account(
    api: &Api<'_>,
    place: &Place,
    id: &ServiceAccountId,
) -> Result<(), ApiError> {
    #[derive(Serialize)]
    struct Variables<'a> {
        #[serde(rename = "serviceAccountUuid")]
        id: &'a str,
        #[serde(flatten)]
        place: &'a Place,
    }
    let document = match place {
        Place::Workspace(_) => &DELETE_IN_WORKSPACE,
        Place::Deployment(_) => &DELETE_IN_DEPLOYMENT,
    };
    let variables = Variables {
        id: id.as_str(),
        place,
    };
    let answer = api.mutate(document, &variables).await;
    let deleted = answer.and_then(|answer| answer.of_change::<WireDeleted>());
    match deleted.map(|deleted| deleted.and_then(|deleted| deleted.id)) {
        // Only an answer about this account says that it is gone.
        Ok(Some(deleted)) if deleted == id.as_str() => Ok(()),
        Ok(_) => Err(ApiError::MissingData),
        Err(error) => Err(explained(api, error).await),
    }
}

async fn explained_read<T>(api: &Api<'_>, read: Result<T, ApiError>) -> Result<T, ApiError> {
    match read {
        Ok(read) => Ok(read),
        Err(error) => Err(explained(api, of_expired_token(api, error)).await),
    }
}

/// The error of a read. The token's own date of expiry decides alone, whatever came in place of an answer.
fn of_expired_token(api: &Api<'_>, error: ApiError) -> ApiError {
    let is_of_the_api = matches!(
        error,
        ApiError::Refused
            | ApiError::Rejected(_)
            | ApiError::Incompatible { .. }
            | ApiError::MissingData
            | ApiError::TimedOut
            | ApiError::ConnectionLost
    );
    match is_of_the_api && api.token_has_expired() {
        true => ApiError::Unauthenticated,
        false => error,
    }
}

/// Explains a refusal. The API says the same of a bad token and of a missing permission, but refuses its list of
/// workspaces for a bad token only.
async fn explained(api: &Api<'_>, error: ApiError) -> ApiError {
    if error != ApiError::Refused {
        return error;
    }
    if api.token_has_expired() {
        return ApiError::Unauthenticated;
    }
    if api.token_is_good() {
        return ApiError::PermissionDenied;
    }
    match workspaces(api).await {
        Ok(_) => ApiError::PermissionDenied,
        Err(error @ (ApiError::Unauthenticated | ApiError::TokenInDoubt { .. })) => error,
        Err(_) => ApiError::RefusalUnexplained,
    }
}
