//! Creations that a process left unfinished when it died: found by their intents, and told once.
//! Never fails a call, and decides nothing that the API does not show clearly.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::{could_be, is_as_asked};
use crate::apc::operations::{self, Listing};
use crate::apc::{Place, ServiceAccount, ServiceAccountId, WorkspaceId};
use crate::guards::audit::Attempt;
use crate::guards::key_files::{
    self, Content, Found, Intent, KeyDirectory, LeftIntent, Phase, Sending,
};
use crate::guards::policy::KeyOutput;
use crate::guards::secret::Secret;
use crate::guards::text::quoted;
use crate::tools::context::Call;
use crate::tools::places;

/// The longest look for the accounts of unfinished creations.
const LOOK_MAX: Duration = Duration::from_secs(5);

/// The tool of the lines in the audit log.
const TOOL: &str = "create_service_account";

/// The unfinished creations that a call has found out about. It holds their locks until they are told.
#[derive(Default)]
pub struct Unfinished {
    places: Mutex<HashSet<Place>>,
    /// True once the directory was seen without an intent: a call may read thousands of places.
    nothing_left: AtomicBool,
    untold: Mutex<Vec<Untold>>,
}

struct Untold {
    intent: LeftIntent,
    sentence: String,
}

impl Unfinished {
    /// The sentences for the result of the call.
    pub fn notes(&self) -> Vec<String> {
        let untold = locked(&self.untold);
        untold.iter().map(|one| one.sentence.clone()).collect()
    }

    /// Ends the intents that a successful result has told of.
    pub fn are_told(&self) {
        for told in locked(&self.untold).drain(..) {
            told.intent.forget();
        }
    }

    fn add(&self, intent: LeftIntent, sentence: String) {
        locked(&self.untold).push(Untold { intent, sentence });
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Finds out what came of the creations in a place that dead processes left, once for every call.
pub async fn finish(call: &Call, place: &Place) {
    let config = &call.shared.config;
    let Some(directory) = config
        .key_dir
        .as_deref()
        .filter(|_| may_finish(call, place))
    else {
        return;
    };
    if call.unfinished.nothing_left.load(Ordering::Relaxed)
        || !locked(&call.unfinished.places).insert(place.clone())
    {
        return;
    }
    let left = KeyDirectory::left_intents(directory);
    call.unfinished
        .nothing_left
        .store(left.is_empty(), Ordering::Relaxed);
    let sent: Vec<_> = left
        .into_iter()
        .filter_map(|left| still_open(call, place, left))
        .collect();
    if sent.is_empty() {
        return;
    }
    let Some(listing) = look(call, place, &sent).await else {
        return;
    };
    for left in sent {
        settle(call, directory, place, left, &listing);
    }
}

/// Tells whether this server could have made the creation itself.
fn may_finish(call: &Call, place: &Place) -> bool {
    let policy = call.policy();
    !policy.read_only
        && policy.key_output == KeyOutput::File
        && places::check(call, place).is_ok()
        && !call.shared.config.keys_go_with_the_sandbox()
}

/// The intent, if it is about this place and was sent, and nobody knows what came of it. Others are ended here, or
/// left as they are.
fn still_open(call: &Call, place: &Place, left: LeftIntent) -> Option<LeftIntent> {
    let intent = match &left.content {
        Content::Intent(intent) => intent,
        Content::Nothing => {
            left.forget();
            return None;
        }
        Content::Unreadable => return None,
    };
    let url = call.installation.url.as_str();
    let name = key_files::name_of(url, place, &intent.plan.label);
    let is_here = intent.plan.place().as_ref() == Some(place) && left.is_named(&name);
    let may_live = intent.plan.is_of_another_boot() && intent.may_still_show(Utc::now());
    if !is_here || may_live {
        return None;
    }
    match &intent.phase {
        Phase::Sent(_) => return Some(left),
        Phase::Prepared => left.forget(),
        Phase::Found(found) => {
            let sentence = sentence(intent, found);
            call.unfinished.add(left, sentence);
        }
    }
    None
}

/// The accounts of the labels that are looked for. None where they cannot be read.
async fn look(call: &Call, place: &Place, sent: &[LeftIntent]) -> Option<Listing> {
    let intents = sent.iter().filter_map(LeftIntent::intent);
    let labels: BTreeSet<_> = intents.map(|intent| intent.plan.label.as_str()).collect();
    let api = call.api_until(Instant::now() + LOOK_MAX).once();
    let listing = operations::service_accounts(&api, place, |account| {
        account.label.is_some_and(|label| labels.contains(label))
    });
    listing.await.ok()
}

/// Ends an intent, as far as the list decides it.
fn settle(call: &Call, directory: &Path, place: &Place, mut left: LeftIntent, listing: &Listing) {
    let Some(intent) = left.intent().cloned() else {
        return;
    };
    let Phase::Sent(sending) = &intent.phase else {
        return;
    };
    let has_key_file = |id: &ServiceAccountId| key_files::has_key_of(Some(directory), id.as_str());
    let found = match verdict(&intent, sending, listing, has_key_file) {
        Verdict::Undecided => return,
        Verdict::Nothing if intent.may_still_show(Utc::now()) => return,
        Verdict::Nothing => return left.forget(),
        Verdict::One(account) => keep_key(call, directory, &left, account),
    };
    let Some(found) = found else { return };
    let sentence = sentence(&intent, &found);
    audit(call, place, &intent, &found);
    if let Err(error) = left.found(found) {
        tracing::warn!(%error, "an intent could not be marked as found; it will be told again");
    }
    call.unfinished.add(left, sentence);
}

/// The account of an unfinished creation, as a list shows it.
#[derive(Debug)]
enum Verdict<'a> {
    /// The one account that can have come of it.
    One(&'a ServiceAccount),
    /// No account.
    Nothing,
    /// Accounts, or gaps in the list, that decide nothing.
    Undecided,
}

fn verdict<'a>(
    intent: &Intent,
    sending: &Sending,
    listing: &'a Listing,
    has_key_file: impl Fn(&ServiceAccountId) -> bool,
) -> Verdict<'a> {
    let plan = &intent.plan;
    let is_candidate = |account: &&ServiceAccount| {
        account.label.as_deref() == Some(plan.label.as_str())
            && !sending.seen.iter().any(|id| id == account.id.as_str())
            && could_be(account, &plan.role, plan.category.as_deref())
            && made_at(account).is_none_or(|made_at| intent.covers(sending, made_at))
            && !has_key_file(&account.id)
    };
    let mut candidates = listing.accounts.iter().filter(is_candidate);
    let is_whole = listing.is_complete && listing.labels_are_known;
    match (candidates.next(), candidates.next()) {
        (Some(one), None) if is_whole && is_as_asked(one, &plan.role) => Verdict::One(one),
        (None, _) if is_whole => Verdict::Nothing,
        _ => Verdict::Undecided,
    }
}

fn made_at(account: &ServiceAccount) -> Option<DateTime<Utc>> {
    let text = account.created_at.as_deref()?;
    let time = DateTime::parse_from_rfc3339(text).ok()?;
    Some(time.to_utc())
}

/// Gives the key its file, where there is a whole one: the API's, or the one that the dead process had got. None where
/// the file cannot be written; the next call tries again.
fn keep_key(
    call: &Call,
    directory: &Path,
    left: &LeftIntent,
    account: &ServiceAccount,
) -> Option<Found> {
    let id = account.id.as_str();
    let got = left.key().filter(|key| account.has_key(key));
    let shown = account.api_key.clone().filter(|key| !key.is_masked());
    let file = match got.or(shown) {
        Some(key) => Some(publish(call, directory, id, &key)?),
        None => None,
    };
    if file.is_some() {
        left.forget_key();
    }
    Some(Found {
        service_account_id: id.to_owned(),
        api_key_file: file,
    })
}

fn publish(call: &Call, directory: &Path, id: &str, key: &Secret) -> Option<String> {
    call.secrets().remember(key.expose());
    let name = key_files::file_name(id, call.secrets());
    let file = KeyDirectory::open(Some(directory)).and_then(|directory| directory.key_file());
    let file = file.inspect_err(|problem| tracing::warn!(%problem, "a key could not be recovered"));
    let published = file.ok()?.publish(name, key);
    let published = published.inspect_err(|error| tracing::warn!(%error, "a key has no file"));
    Some(published.ok()?.path.display().to_string())
}

/// The sentence for the user.
fn sentence(intent: &Intent, found: &Found) -> String {
    let label = quoted(&intent.plan.label);
    let id = quoted(&found.service_account_id);
    let since = intent.since().format("%Y-%m-%d %H:%M:%S UTC");
    let begun = format!(
        "A creation of service account {label}, sent about {since}, was not finished by its process. The account was made, with id {id}."
    );
    match &found.api_key_file {
        Some(file) => format!("{begun} Its key was recovered and is in {file}."),
        None => format!(
            "{begun} Its key is lost: the API does not show it in full any more. Delete {id}, and create the account again if it is needed."
        ),
    }
}

/// Writes the line of the audit log. A log that cannot be opened loses no key: it is only warned about.
fn audit(call: &Call, place: &Place, intent: &Intent, found: &Found) {
    let mut attempt = Attempt::of_recovery(TOOL);
    let id = Some(place.id().to_owned());
    match place {
        Place::Workspace(_) => attempt.workspace_id = id,
        Place::Deployment(deployment) => {
            let home = call.homes.workspace_of(deployment);
            attempt.workspace_id = home.map(WorkspaceId::into_string);
            attempt.deployment_id = id;
        }
    }
    attempt.service_account_id = Some(found.service_account_id.clone());
    attempt.label = Some(intent.plan.label.clone());
    attempt.role = Some(intent.plan.role.clone());
    let outcome = match found.api_key_file {
        Some(_) => "recovered",
        None => "key_lost",
    };
    let log = &call.shared.config.audit;
    if let Err(error) = log.append(&attempt, outcome, call.secrets()) {
        tracing::warn!(%error, outcome, "a recovery could not be audited");
    }
}
