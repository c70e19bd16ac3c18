//! Creations that a process left unfinished when it died: found by their intents, and told once.
//! Never fails a call, and decides nothing that the API does not show clearly.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::Utc;
use tokio::time::Instant;

use super::{could_be, is_as_asked};
use crate::apc::operations::{self, Listing};
use crate::apc::{Place, ServiceAccount, ServiceAccountId};
use crate::guards::audit::Attempt;
use crate::guards::key_files::{
    self, Content, Intent, KeyDirectory, LeftIntent, Phase, RecoveredAccount, Sending,
};
use crate::guards::policy::KeyOutput;
use crate::guards::secret::Secret;
use crate::guards::text::quoted;
use crate::tools::change::note_place;
use crate::tools::{Call, create, get, locked, places};

const LOOK_MAX: Duration = Duration::from_secs(5);

/// The unfinished creations that a call has found out about. It holds their locks until they are told.
#[derive(Default)]
pub struct Unfinished {
    places: Mutex<HashSet<Place>>,
    /// True once the directory was seen without an intent: a call may read thousands of places.
    nothing_left: AtomicBool,
    untold: Mutex<Vec<UntoldRecovery>>,
}

/// An outcome that no result has told of yet.
struct UntoldRecovery {
    /// The intent, which goes once it is told; none if it stays.
    intent: Option<LeftIntent>,
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
            told.intent.into_iter().for_each(LeftIntent::forget);
        }
    }

    fn add(&self, intent: Option<LeftIntent>, sentence: String) {
        locked(&self.untold).push(UntoldRecovery { intent, sentence });
    }
}

/// Finds out what came of the creations in a place that dead processes left, once for every call.
pub async fn finish(call: &Call, place: &Place) {
    let (config, unfinished) = (&call.shared.config, &call.unfinished);
    let directory = config.key_dir.as_deref();
    let Some(directory) = directory.filter(|_| may_finish(call, place)) else {
        return;
    };
    if unfinished.nothing_left.load(Ordering::Relaxed)
        || !locked(&unfinished.places).insert(place.clone())
    {
        return;
    }
    let left = KeyDirectory::left_intents(directory);
    let nothing_left = left.is_empty();
    unfinished
        .nothing_left
        .store(nothing_left, Ordering::Relaxed);
    let sent = left.into_iter();
    let sent = sent.filter_map(|left| still_open(call, place, left));
    let sent: Vec<_> = sent.collect();
    if sent.is_empty() {
        return;
    }
    if let Some(listing) = look(call, place, &sent).await {
        for left in sent {
            settle(call, directory, place, left, &listing);
        }
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
            call.unfinished.add(Some(left), sentence);
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

fn settle(call: &Call, directory: &Path, place: &Place, mut left: LeftIntent, listing: &Listing) {
    let Some(intent) = left.intent().cloned() else {
        return;
    };
    let Phase::Sent(sending) = &intent.phase else {
        return;
    };
    let key_file = |id: &ServiceAccountId| key_files::key_of(directory, id.as_str());
    let found = match outcome(&intent, sending, listing, key_file) {
        Outcome::Undecided => return,
        Outcome::Nothing | Outcome::Doubtful(_) if intent.may_still_show(Utc::now()) => return,
        Outcome::Nothing => return left.forget(),
        Outcome::Doubtful(account) => found(account, None, true),
        Outcome::Published(account, file) => {
            found(account, Some(file.display().to_string()), false)
        }
        Outcome::One(account) => match keep_key(call, directory, &left, account) {
            Ok(file) => found(account, file, false),
            Err(reason) => {
                let sentence = not_kept(&intent, account, directory, &reason);
                return call.unfinished.add(None, sentence);
            }
        },
    };
    let sentence = sentence(&intent, &found);
    audit(call, place, &intent, &found);
    if let Err(error) = left.found(found) {
        tracing::warn!(%error, "an intent could not be marked as found; it will be told again");
    }
    call.unfinished.add(Some(left), sentence);
}

fn found(
    account: &ServiceAccount,
    api_key_file: Option<String>,
    is_doubtful: bool,
) -> RecoveredAccount {
    RecoveredAccount {
        service_account_id: account.id.as_str().to_owned(),
        api_key_file,
        is_doubtful,
    }
}

/// The account of an unfinished creation, as a list shows it.
#[derive(Debug)]
enum Outcome<'a> {
    /// The one account that can have come of it.
    One(&'a ServiceAccount),
    /// The same, whose key has its file already.
    Published(&'a ServiceAccount, PathBuf),
    /// The one account that fits but for the time of its making: it may be a later one, or the API has several clocks.
    Doubtful(&'a ServiceAccount),
    /// No account.
    Nothing,
    /// Accounts, or gaps in the list, that decide nothing.
    Undecided,
}

fn outcome<'a>(
    intent: &Intent,
    sending: &Sending,
    listing: &'a Listing,
    key_file: impl Fn(&ServiceAccountId) -> Option<PathBuf>,
) -> Outcome<'a> {
    if !listing.is_complete || !listing.labels_are_known {
        return Outcome::Undecided;
    }
    let plan = &intent.plan;
    let fits = |account: &&ServiceAccount| {
        account.label.as_deref() == Some(plan.label.as_str())
            && !sending.seen.iter().any(|id| id == account.id.as_str())
            && could_be(account, &plan.role, plan.category.as_deref())
    };
    let fitting = listing.accounts.iter().filter(fits);
    let (in_time, others): (Vec<_>, Vec<_>) = fitting
        .map(|account| (account, key_file(&account.id)))
        .partition(|(account, _)| {
            let made_at = account.created_at.as_deref().and_then(get::moment);
            made_at.is_none_or(|made_at| intent.covers(sending, made_at))
        });
    match (&*without_key(&in_time), &*in_time, &*without_key(&others)) {
        ([one], _, _) if is_as_asked(one, &plan.role) => Outcome::One(one),
        ([], [(one, Some(file))], _) => Outcome::Published(one, file.clone()),
        ([], _, [one]) => Outcome::Doubtful(one),
        ([], _, []) => Outcome::Nothing,
        _ => Outcome::Undecided,
    }
}

fn without_key<'a>(all: &[(&'a ServiceAccount, Option<PathBuf>)]) -> Vec<&'a ServiceAccount> {
    let open = all.iter().filter(|(_, file)| file.is_none());
    open.map(|(account, _)| *account).collect()
}

/// Gives the key its file, where there is a whole one: the one that the dead process had got, or else the API's.
///
/// # Errors
/// The reason why the file cannot be written; the next call tries again.
fn keep_key(
    call: &Call,
    directory: &Path,
    left: &LeftIntent,
    account: &ServiceAccount,
) -> Result<Option<String>, String> {
    let id = account.id.as_str();
    let got = left.key().filter(|key| account.may_have_key(key));
    let shown = account.api_key.clone().filter(|key| !key.is_masked());
    let was_got = got.is_some();
    let Some(key) = got.or(shown) else {
        return Ok(None);
    };
    let file = publish(call, directory, id, &key)?;
    if was_got {
        left.forget_key();
    }
    Ok(Some(file))
}

fn publish(call: &Call, directory: &Path, id: &str, key: &Secret) -> Result<String, String> {
    call.secrets().remember(key.expose());
    let name = key_files::file_name(id, call.secrets());
    let file = KeyDirectory::open(Some(directory)).and_then(|directory| directory.key_file());
    let file = file.map_err(|problem| problem.to_string())?;
    let published = file.publish(name, key).map_err(|error| error.to_string())?;
    Ok(published.path.display().to_string())
}

fn unfinished(intent: &Intent) -> String {
    let label = quoted(&intent.plan.label);
    let since = intent.since().format("%Y-%m-%d %H:%M:%S UTC");
    format!(
        "A creation of service account {label}, sent about {since}, was not finished by its process."
    )
}

fn sentence(intent: &Intent, found: &RecoveredAccount) -> String {
    let id = quoted(&found.service_account_id);
    let unfinished = unfinished(intent);
    match &found.api_key_file {
        _ if found.is_doubtful => format!(
            "{unfinished} The account {id} fits by its label, role and category, as far as they are shown, but was not made at that time, by the platform's clock: it may be another one. If nobody has its key, delete {id}, and create the account again if it is needed."
        ),
        Some(file) => format!(
            "{unfinished} The account was made, with id {id}. Its key was recovered and is in {file}."
        ),
        None => format!(
            "{unfinished} The account was made, with id {id}. Its key is lost: the API does not show it in full any more. Delete {id}, and create the account again if it is needed."
        ),
    }
}

fn not_kept(intent: &Intent, account: &ServiceAccount, directory: &Path, reason: &str) -> String {
    format!(
        "{} The account was made, with id {}, and its key cannot be written to {}: {reason}. Mend that, and call get_service_accounts here again within ten minutes of the creation: after that the key is lost.",
        unfinished(intent),
        quoted(account.id.as_str()),
        directory.display()
    )
}

/// Writes the line of the audit log. A log that cannot be opened loses no key: it is only warned about.
fn audit(call: &Call, place: &Place, intent: &Intent, found: &RecoveredAccount) {
    let mut attempt = Attempt::of_recovery(create::TOOL.name);
    note_place(&mut attempt, call, place);
    attempt.service_account_id = Some(found.service_account_id.clone());
    attempt.label = Some(intent.plan.label.clone());
    attempt.role = Some(intent.plan.role.clone());
    let outcome = match found.api_key_file {
        _ if found.is_doubtful => "outcome_unknown",
        Some(_) => "recovered",
        None => "key_lost",
    };
    let log = &call.shared.config.audit;
    if let Err(error) = log.append(&attempt, outcome, call.secrets()) {
        tracing::warn!(%error, outcome, "a recovery could not be audited");
    }
}
