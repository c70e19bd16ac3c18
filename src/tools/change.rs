//! What the tools that change something share: the audit record, a task that no cancel drops, and
//! looking again after a lost answer.
//! Sends nothing itself.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use rmcp::model::CallToolResult;
use tokio::time::{Instant, sleep};

use super::result::{Code, Failure, audit_unusable};
use super::user::User;
use super::{Call, Ended, House};
use crate::apc::operations::{self, Listing};
use crate::apc::{ServiceAccountId, WorkspaceId};
use crate::guards::audit::{Attempt, OpenAudit};
use crate::guards::text::harmless;

/// The time for finding a lost answer, kept free at the end of a call.
pub const LOOKING_AGAIN: Duration = Duration::from_secs(15);

/// How often a workspace is read to find a lost answer.
const LOOKS: u32 = 2;

/// The pause between two looks: the change may still be under way.
const PAUSE: Duration = Duration::from_secs(1);

/// The longest name of a client in the audit log, in characters.
const CLIENT_MAX: usize = 80;

/// The audit line of a change that is being tried. It is written once: by the call, or by the task
/// that took it along.
pub struct Record {
    house: Arc<House>,
    open: Option<(OpenAudit, Attempt)>,
}

impl Record {
    /// A record whose log is open.
    ///
    /// # Errors
    /// The log cannot be opened, so nothing may be changed.
    pub fn open(house: &Arc<House>, tool: &str, user: &dyn User) -> Result<Self, Failure> {
        let log = &house.config.audit;
        let open = log
            .open()
            .map_err(|error| audit_unusable(log.path().unwrap_or("".as_ref()), &error))?;
        let client = harmless(&user.client(), CLIENT_MAX);
        let attempt = Attempt::new(client, tool);
        Ok(Self {
            house: Arc::clone(house),
            open: Some((open, attempt)),
        })
    }

    /// Notes the workspace.
    pub fn workspace(&mut self, id: &WorkspaceId) {
        self.note(|attempt| attempt.workspace_id = Some(id.as_str().to_owned()));
    }

    /// Notes the account.
    pub fn account(&mut self, id: &ServiceAccountId) {
        self.note(|attempt| attempt.service_account_id = Some(id.as_str().to_owned()));
    }

    /// Notes the label and the role.
    pub fn label_and_role(&mut self, label: Option<&str>, role: Option<&str>) {
        self.note(|attempt| {
            attempt.label = label.map(str::to_owned);
            attempt.role = role.map(str::to_owned);
        });
    }

    /// Writes the line, unless a task has taken the record along, or the call only asked.
    pub fn close(self, ended: &Result<CallToolResult, Ended>) {
        match ended {
            Ok(_) => self.write("ok"),
            Err(Ended::Failed(failure)) => self.write(failure.code().name()),
            Err(Ended::Asked(_)) => {}
        }
    }

    fn note(&mut self, change: impl FnOnce(&mut Attempt)) {
        if let Some((_, attempt)) = &mut self.open {
            change(attempt);
        }
    }

    fn take(&mut self) -> Self {
        Self {
            house: Arc::clone(&self.house),
            open: self.open.take(),
        }
    }

    fn write(self, outcome: &'static str) {
        if let Some((audit, attempt)) = self.open {
            audit.write(attempt, outcome, &self.house.secrets);
        }
    }
}

/// Carries a change through, whatever becomes of the call: nobody else would learn what came of it.
/// When the process ends first, the change is given up as undecided.
pub async fn carry_through<T, W>(
    call: &Call,
    record: &mut Record,
    undecided: Failure,
    work: W,
) -> Result<T, Failure>
where
    T: Outcome,
    W: Future<Output = Result<T, Failure>> + Send + 'static,
{
    let mut record = record.take();
    let abandoned = call.house.abandoned.clone();
    let task = call.house.changes.spawn(async move {
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
                record.account(done.account_id());
                record.write("ok");
            }
            Err(failure) => record.write(failure.code().name()),
        }
        result
    });
    task.await.unwrap_or_else(|_| Err(fault()))
}

/// What a change brings that the record has to name.
pub trait Outcome: Send + 'static {
    /// The account that was changed.
    fn account_id(&self) -> &ServiceAccountId;
}

/// Nothing is known of the change any more.
fn fault() -> Failure {
    let text = "A fault of this server, which goes on, ended the change; whether it was made is not known. Look with get_service_accounts before trying again.";
    Failure::new(Code::OutcomeUnknown, text)
}

/// Looks at the workspace again after a lost answer: at most twice, until what it shows decides.
/// None where nothing could be read.
pub async fn look_again<T>(
    call: &Call,
    workspace_id: &WorkspaceId,
    mut seen: impl FnMut(Listing) -> Seen<T>,
) -> Option<T> {
    let end = (Instant::now() + LOOKING_AGAIN).min(call.deadline);
    let mut last = None;
    for look in 1..=LOOKS {
        let left = end.saturating_duration_since(Instant::now());
        // Each look gets its share of the time, so that the first cannot use up the second's.
        let until = Instant::now() + left / (LOOKS - look + 1);
        let api = call.api_until(until).once();
        if let Ok(listing) = operations::workspace_service_accounts(&api, workspace_id).await {
            match seen(listing) {
                Seen::Decided(found) => return Some(found),
                Seen::NotYet(found) => last = Some(found),
            }
        }
        if look < LOOKS {
            sleep(PAUSE).await;
        }
    }
    last
}

/// What a look showed.
pub enum Seen<T> {
    /// It is decided.
    Decided(T),
    /// It may still change.
    NotYet(T),
}
