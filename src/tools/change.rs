//! Shared by the tools that change something: the audit record, a task that no cancel drops, and the second look
//! after a lost answer.
//! Sends nothing itself.

use std::future::Future;
use std::ops::ControlFlow;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use rmcp::model::{CallToolResult, JsonObject};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::NoResult;
use super::context::{Call, SharedState};
use super::failure::{Code, Failure};
use super::places::NamedPlace;
use super::user::User;
use super::words::{audit_unusable, too_many_changes};
use crate::apc::operations::Listing;
use crate::apc::{DeploymentId, Label, Place, Role, ServiceAccount, ServiceAccountId, WorkspaceId};
use crate::guards::audit::{Attempt, SENT};
use crate::guards::key_files::Published;
use crate::guards::text::harmless;

/// The time for finding a lost answer, kept free at the end of a call.
pub const LOOKING_AGAIN: Duration = Duration::from_secs(15);

/// The number of times that a place is read to find a lost answer.
const LOOKS: u32 = 2;

/// The pause between two looks: the change may still be under way.
const PAUSE: Duration = Duration::from_secs(1);

/// The longest name of a client in the audit log, in characters.
const CLIENT_MAX: usize = 80;

/// The audit record of a change that is being tried. Its last line is written once: by the call, or by the task that took
/// the record along.
pub struct AuditRecord {
    shared: Arc<SharedState>,
    attempt: Option<Attempt>,
}

impl AuditRecord {
    /// A record whose log can be written to, as far as opening it tells.
    ///
    /// # Errors
    /// The log cannot be opened, so nothing may be changed.
    pub fn open(shared: &Arc<SharedState>, tool: &str, user: &dyn User) -> Result<Self, Failure> {
        let log = &shared.config.audit;
        log.check().map_err(|error| audit_unusable(log, &error))?;
        let client = harmless(&user.client(), CLIENT_MAX);
        Ok(Self {
            shared: Arc::clone(shared),
            attempt: Some(Attempt::new(client, tool)),
        })
    }

    /// Records that the change is about to be sent.
    ///
    /// # Errors
    /// The line is not written as a whole, so nothing may be changed.
    fn sending(&self) -> Result<(), Failure> {
        let (log, secrets) = (&self.shared.config.audit, &self.shared.secrets);
        let written = match &self.attempt {
            Some(attempt) => log.append(attempt, SENT, secrets),
            None => Ok(()),
        };
        written.map_err(|error| audit_unusable(log, &error))
    }

    /// Notes the arguments of the call as far as they are accepted: they may be all that is ever known of it.
    pub fn arguments(&mut self, given: &JsonObject) {
        let text = |name: &str| given.get(name).and_then(Value::as_str);
        self.named_place(&NamedPlace {
            workspace_id: text("workspace_id").and_then(|id| WorkspaceId::parse(id).ok()),
            deployment_id: text("deployment_id").and_then(|id| DeploymentId::parse(id).ok()),
        });
        if let Some(Ok(id)) = text("service_account_id").map(ServiceAccountId::parse) {
            self.account(&id);
        }
        let label = text("label").and_then(|label| Label::parse(label).ok());
        let role = text("role").and_then(|role| Role::parse(role).ok());
        self.label_and_role(label.as_ref().map(Label::as_str), role.map(Role::name));
    }

    /// Notes the ids by which the call names a place.
    pub fn named_place(&mut self, named: &NamedPlace) {
        self.note(|attempt| {
            if let Some(id) = &named.workspace_id {
                attempt.workspace_id = Some(id.to_string());
            }
            if let Some(id) = &named.deployment_id {
                attempt.deployment_id = Some(id.to_string());
            }
        });
    }

    pub(super) fn found_place(&mut self, call: &Call, place: &Place) {
        self.note(|attempt| note_place(attempt, call, place));
    }

    /// Notes the account.
    pub fn account(&mut self, id: &ServiceAccountId) {
        self.note(|attempt| attempt.service_account_id = Some(id.to_string()));
    }

    /// Notes the label and the role.
    pub fn label_and_role(&mut self, label: Option<&str>, role: Option<&str>) {
        self.note(|attempt| {
            attempt.label = label.map(str::to_owned);
            attempt.role = role.map(str::to_owned);
        });
    }

    /// Writes the line, unless a task has taken the record along, or the call only asked.
    pub fn close(mut self, ended: &Result<CallToolResult, NoResult>) {
        match ended {
            Ok(_) => self.write("ok"),
            Err(NoResult::Failed(failure)) => self.write(failure.code().name()),
            Err(NoResult::InputRequired(_)) => self.attempt = None,
        }
    }

    fn note(&mut self, change: impl FnOnce(&mut Attempt)) {
        if let Some(attempt) = &mut self.attempt {
            change(attempt);
        }
    }

    /// Writes the last line. The change is made by now, or was never sent: a failure is only warned about.
    fn write(&mut self, outcome: &'static str) {
        let Some(attempt) = self.attempt.take() else {
            return;
        };
        let log = &self.shared.config.audit;
        if let Err(error) = log.append(&attempt, outcome, &self.shared.secrets) {
            let (tool, change) = (&attempt.tool, attempt.change());
            tracing::warn!(%error, tool, change, outcome, "the audit log could not be written");
        }
    }
}

/// Notes a place, and the workspace of a deployment as far as the call has learned it.
pub(super) fn note_place(attempt: &mut Attempt, call: &Call, place: &Place) {
    match place {
        Place::Workspace(id) => attempt.workspace_id = Some(id.to_string()),
        Place::Deployment(id) => {
            if let Some(home) = call.known_deployments.workspace_of(id) {
                attempt.workspace_id = Some(home.into_string());
            }
            attempt.deployment_id = Some(id.to_string());
        }
    }
}

/// A call that is taken back while it still looks ends here: its line is written all the same.
impl Drop for AuditRecord {
    fn drop(&mut self) {
        self.write("cancelled");
    }
}

pub struct Change {
    pub account: ServiceAccount,
    pub key_file: Option<Published>,
    /// True if the answer was lost, and reading again has found out.
    pub recovered: bool,
}

/// Carries a change through, whatever becomes of the call: nobody else would learn what came of it.
/// When the process ends first, the change is given up as undecided. Nothing is sent that is one too many in a minute, or
/// that could not be recorded before.
pub async fn run_to_completion(
    call: &Call,
    record: &mut AuditRecord,
    undecided: impl FnOnce(&str) -> Failure,
    work: impl Future<Output = Result<Change, Failure>> + Send + 'static,
) -> Result<Change, Failure> {
    let taken = call.shared.rate.take();
    taken.map_err(|too_many| too_many_changes(&too_many, call.policy()))?;
    let undecided = undecided("This server was stopped before the answer came.");
    record.sending()?;
    let mut record = AuditRecord {
        shared: Arc::clone(&call.shared),
        attempt: record.attempt.take(),
    };
    let abandoned = call.shared.abandoned.clone();
    let task = call.shared.changes.spawn(async move {
        let work = AssertUnwindSafe(work).catch_unwind();
        let result = tokio::select! {
            result = work => result.unwrap_or_else(|_| Err(fault())),
            () = abandoned.cancelled() => {
                tracing::warn!("stopped before a change was decided; look whether it was made");
                Err(undecided)
            }
        };
        match &result {
            Ok(done) => {
                record.account(&done.account.id);
                record.write("ok");
            }
            Err(failure) => record.write(failure.code().name()),
        }
        result
    });
    task.await.unwrap_or_else(|_| Err(fault()))
}

fn fault() -> Failure {
    let text = "A fault of this server, which goes on, ended the change; whether it was made is not known. Wait 60 s, then look with get_service_accounts: if it was not made, it is safe to try again.";
    Failure::new(Code::OutcomeUnknown, text)
}

/// Reads a place again after a lost answer: at most twice, until the reading breaks off since the list decides. None where
/// nothing could be read.
pub async fn look_again<T>(
    call: &Call,
    place: &Place,
    mut read: impl FnMut(Listing) -> ControlFlow<T, T>,
) -> Option<T> {
    let end = (Instant::now() + LOOKING_AGAIN).min(call.deadline);
    let mut last = None;
    for look in 1..=LOOKS {
        let left = end.saturating_duration_since(Instant::now());
        // Each look gets its share of the time, so that the first cannot use up the second's.
        let until = Instant::now() + left / (LOOKS - look + 1);
        if let Some(listing) = look_until(call, place, until).await {
            match read(listing) {
                ControlFlow::Break(found) => return Some(found),
                ControlFlow::Continue(found) => last = Some(found),
            }
        }
        if look < LOOKS {
            sleep(PAUSE).await;
        }
    }
    last
}

/// Reads a place once after the API answered a change with an error. None where it could not be read.
pub async fn look_once(call: &Call, place: &Place) -> Option<Listing> {
    let until = (Instant::now() + LOOKING_AGAIN).min(call.deadline);
    look_until(call, place, until).await
}

async fn look_until(call: &Call, place: &Place, until: Instant) -> Option<Listing> {
    let api = call.api_until(until).once();
    let all = call.list_known_first(&api, place, usize::MAX, |_| Some(()));
    let listing = all.await.ok()?;
    // The list of a place that has vanished is empty for a system-level token, and says nothing of its accounts.
    if listing.is_empty() {
        call.check_existence(&api, place).await.ok()?;
    }
    Some(listing)
}
