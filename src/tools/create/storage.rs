//! The storage of a creation: the file that its key will need, and the intent that survives a crash.
//! Both are there before anything is sent.

use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::{Instant, sleep};

use super::failures::{key_masked, key_not_kept, still_busy};
use crate::apc::{NewServiceAccount, ServiceAccount};
use crate::guards::key_files::{
    self, KeyDirectory, KeyFile, NotPublished, OwnIntent, Plan, Published, Sending,
};
use crate::guards::policy::KeyOutput;
use crate::tools::words::key_dir_unusable;
use crate::tools::{Call, Failure};

/// The pause before asking again for a label that another process is creating.
const PAUSE: Duration = Duration::from_millis(25);

/// The files of a creation, where keys go to files at all. Dropped before the creation was sent, they are removed;
/// dropped afterwards, the intent stays.
pub(super) struct Storage(Option<Files>);

struct Files {
    directory: KeyDirectory,
    key_file: KeyFile,
    intent: OwnIntent,
}

impl Storage {
    /// Makes the files. Waits while another process creates an account of the label.
    pub(super) async fn reserve(
        call: &Call,
        new: &NewServiceAccount,
        until: Instant,
    ) -> Result<Self, Failure> {
        if call.policy().key_output == KeyOutput::Show {
            return Ok(Self(None));
        }
        let unusable = |problem| key_dir_unusable(&problem);
        let directory = KeyDirectory::open(call.shared.config.key_dir.as_deref());
        let directory = directory.map_err(unusable)?;
        let url = call.installation.url.as_str();
        let name = key_files::name_of(url, &new.place, new.label.as_str());
        let intent = loop {
            match directory.begin_intent(&name).map_err(unusable)? {
                Some(intent) => break intent,
                None if Instant::now() < until => sleep(PAUSE).await,
                None => return Err(still_busy(new)),
            }
        };
        let key_file = directory.key_file().map_err(unusable)?;
        let plan = Plan::new(new, key_file.name(), call.shared.config.timeout);
        intent.prepare(plan, &directory).map_err(unusable)?;
        Ok(Self(Some(Files {
            directory,
            key_file,
            intent,
        })))
    }

    /// Writes down that the creation is sent now. What cannot be written down is not sent.
    pub(super) fn mark_sent(&mut self, clock_ahead: TimeDelta) -> Result<(), Failure> {
        let Some(files) = &mut self.0 else {
            return Ok(());
        };
        // An account that has the label would have ended the call: none was seen.
        let sending = Sending::now(clock_ahead, Vec::new());
        let marked = files.intent.mark_sent(sending, &files.directory);
        marked.map_err(|problem| key_dir_unusable(&problem))
    }

    /// Removes the files: the creation was not made, or somebody else has to decide what came of it.
    pub(super) fn decide(self) {
        if let Some(files) = self.0 {
            files.intent.decide();
        }
    }

    /// Gives the key its file. A key that the API masked is none.
    pub(super) fn publish(
        self,
        call: &Call,
        account: &ServiceAccount,
    ) -> Result<Option<Published>, Failure> {
        let Some(key) = account.api_key.as_ref().filter(|key| !key.is_masked()) else {
            self.decide();
            return Err(key_masked(account));
        };
        let Some(files) = self.0 else {
            return Ok(None);
        };
        let name = key_files::file_name(account.id.as_str(), call.secrets());
        let published = files.key_file.publish(name, key);
        // While nothing holds the key, the next call may still read it from the API.
        let is_recoverable =
            files.intent.is_there() && !call.shared.config.keys_go_with_the_sandbox();
        if !matches!(published, Err(NotPublished { kept_in: None, .. })) {
            files.intent.decide();
        }
        published
            .map(Some)
            .map_err(|error| key_not_kept(account, &error, is_recoverable))
    }
}
