//! The policy: settings that forbid things to the tools, whatever the token allows.
//! Decides and counts. The words of a refusal are in `tools::words`.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::apc::{Role, WorkspaceId};

/// The time in which changes are counted.
const MINUTE: Duration = Duration::from_secs(60);

/// The default for the number of changes a minute.
pub const CHANGES_PER_MINUTE: u32 = 30;

/// The policy of this server.
#[derive(Debug, Clone)]
pub struct Policy {
    /// True if the server only reads.
    pub read_only: bool,
    /// The workspaces it may touch; all where absent.
    pub allowed_workspaces: Option<BTreeSet<WorkspaceId>>,
    /// The highest role it may give.
    pub max_role: Role,
    /// When the user is asked before a deletion.
    pub confirm: Confirm,
    /// The place for new keys.
    pub key_output: KeyOutput,
    /// The highest number of changes a minute; 0 for any number.
    pub changes_per_minute: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            read_only: false,
            allowed_workspaces: None,
            max_role: Role::WorkspaceAdmin,
            confirm: Confirm::default(),
            key_output: KeyOutput::default(),
            changes_per_minute: CHANGES_PER_MINUTE,
        }
    }
}

/// When the user is asked before a deletion.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Confirm {
    /// Ask if the client can.
    #[default]
    Auto,
    /// Always: where the client cannot ask, nothing is deleted.
    Always,
    /// Never, but for the account whose key this server uses.
    Never,
}

/// The place for new keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum KeyOutput {
    /// To private files; results show them masked.
    #[default]
    File,
    /// Into results, as the API returns them.
    Show,
}

impl Policy {
    /// Tells whether calls may be about this workspace.
    pub fn allows(&self, workspace: &WorkspaceId) -> bool {
        self.allowed_workspaces
            .as_ref()
            .is_none_or(|allowed| allowed.contains(workspace))
    }

    /// The roles that may be given, lowest first.
    pub fn roles(&self) -> impl Iterator<Item = Role> {
        Role::ALL.into_iter().filter(|role| *role <= self.max_role)
    }
}

impl Policy {
    /// The roles that may be given, in words: those above the highest allowed are named with the setting that lifts it.
    pub fn accepted_roles(&self) -> String {
        let names = |roles: &[Role]| {
            let names: Vec<_> = roles.iter().map(|role| role.name()).collect();
            names.join(", ")
        };
        let (allowed, off): (Vec<_>, Vec<_>) =
            Role::ALL.iter().partition(|role| **role <= self.max_role);
        match off.is_empty() {
            true => names(&allowed),
            false => format!(
                "{} ({} switched off by --max-role, APC_MAX_ROLE)",
                names(&allowed),
                names(&off)
            ),
        }
    }
}

/// Counts the changes sent in the last minute.
#[derive(Debug)]
pub struct ChangeRate {
    limit: u32,
    sent: Mutex<VecDeque<Instant>>,
}

impl ChangeRate {
    /// Lets this many changes a minute pass; 0 lets all pass.
    pub fn new(limit: u32) -> Self {
        Self {
            limit,
            sent: Mutex::default(),
        }
    }

    /// Counts a change that is about to be sent.
    ///
    /// # Errors
    /// The time to wait before the next one may be sent.
    pub fn take(&self) -> Result<(), Duration> {
        if self.limit == 0 {
            return Ok(());
        }
        let now = Instant::now();
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        while sent
            .front()
            .is_some_and(|first| now.duration_since(*first) >= MINUTE)
        {
            sent.pop_front();
        }
        match sent.front() {
            Some(first) if sent.len() >= self.limit as usize => {
                Err(MINUTE - now.duration_since(*first))
            }
            _ => {
                sent.push_back(now);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn changes_beyond_the_limit_wait_until_the_first_is_a_minute_old() {
        let rate = ChangeRate::new(2);
        assert_eq!(rate.take(), Ok(()));
        tokio::time::advance(Duration::from_secs(20)).await;
        assert_eq!(rate.take(), Ok(()));
        assert_eq!(rate.take(), Err(Duration::from_secs(40)));
        tokio::time::advance(Duration::from_secs(40)).await;
        assert_eq!(rate.take(), Ok(()));
    }

    #[tokio::test]
    async fn no_limit_lets_all_pass() {
        let rate = ChangeRate::new(0);
        assert!((0..1000).all(|_| rate.take().is_ok()));
    }

    #[test]
    fn the_roles_end_at_the_highest_allowed() {
        let policy = Policy {
            max_role: Role::WorkspaceEditor,
            ..Policy::default()
        };
        assert_eq!(
            policy.roles().collect::<Vec<_>>(),
            [Role::WorkspaceViewer, Role::WorkspaceEditor]
        );
    }
}
