//! The policy: settings that forbid things to the tools, whatever the token allows.
//! Decides and counts. The words of a refusal are in `tools::words`.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::apc::{Level, Rank, Role, WorkspaceId};

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
    /// The levels on which it works.
    pub levels: Levels,
    /// The highest rank of a role it may give, on every level.
    pub max_role: Rank,
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
            levels: Levels::default(),
            max_role: Rank::Admin,
            confirm: Confirm::default(),
            key_output: KeyOutput::default(),
            changes_per_minute: CHANGES_PER_MINUTE,
        }
    }
}

/// The levels on which a server works.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Levels {
    /// Workspaces and deployments.
    #[default]
    All,
    /// Workspaces alone: nothing tells of deployments.
    WorkspaceOnly,
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
        let allowed = self.allowed_workspaces.as_ref();
        allowed.is_none_or(|allowed| allowed.contains(workspace))
    }

    /// Tells whether it works on deployments as well.
    pub fn has_deployments(&self) -> bool {
        self.levels == Levels::All
    }

    /// The roles that may be given, by level and lowest first.
    pub fn roles(&self) -> impl Iterator<Item = Role> {
        let max_role = self.max_role;
        self.known_roles().filter(move |role| role.rank <= max_role)
    }

    /// The roles on the levels of this server, by level and lowest first.
    pub fn known_roles(&self) -> impl Iterator<Item = Role> + use<> {
        let has_deployments = self.has_deployments();
        Role::all().filter(move |role| has_deployments || role.level == Level::Workspace)
    }

    /// The roles that may be given on a level, in words, and those that a setting has switched off.
    pub fn accepted_roles(&self, level: Level) -> String {
        let names = |roles: Vec<Role>| {
            let names: Vec<_> = roles.into_iter().map(Role::name).collect();
            names.join(", ")
        };
        let roles = level.roles().into_iter();
        let (allowed, off) = roles.partition(|role| role.rank <= self.max_role);
        let (allowed, off) = (names(allowed), names(off));
        match off.is_empty() {
            true => allowed,
            false => format!("{allowed} ({off} switched off by --max-role, APC_MAX_ROLE)"),
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
    /// There were as many as may be sent in a minute.
    pub fn take(&self) -> Result<(), TooMany> {
        if self.limit == 0 {
            return Ok(());
        }
        let now = Instant::now();
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.retain(|change| *change + MINUTE > now);
        match sent.front() {
            Some(first) if sent.len() >= self.limit as usize => {
                let seconds = (*first + MINUTE - now).as_secs() + 1;
                let then = now + Duration::from_secs(seconds);
                let old = sent.iter().filter(|change| **change + MINUTE <= then);
                let fitting = old.count();
                Err(TooMany { seconds, fitting })
            }
            _ => {
                sent.push_back(now);
                Ok(())
            }
        }
    }
}

/// The limit of changes is reached.
#[derive(Debug, PartialEq, Eq)]
pub struct TooMany {
    /// The seconds to wait, rounded up: a change made after that many has to pass.
    pub seconds: u64,
    /// The number of changes that may be sent then.
    pub fitting: usize,
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
        let (seconds, fitting) = (41, 1);
        assert_eq!(rate.take(), Err(TooMany { seconds, fitting }));
        tokio::time::advance(Duration::from_secs(40)).await;
        assert_eq!(rate.take(), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn as_many_changes_fit_after_the_wait_as_are_told() {
        let rate = ChangeRate::new(5);
        for pause in [0, 0, 0, 30, 1] {
            tokio::time::advance(Duration::from_secs(pause)).await;
            assert_eq!(rate.take(), Ok(()));
        }
        let too_many = rate.take().unwrap_err();
        assert_eq!(too_many.fitting, 3);
        tokio::time::advance(Duration::from_secs(too_many.seconds)).await;
        for _ in 0..too_many.fitting {
            assert_eq!(rate.take(), Ok(()));
        }
        assert!(rate.take().is_err());
    }

    #[tokio::test]
    async fn no_limit_lets_all_pass() {
        let rate = ChangeRate::new(0);
        assert!((0..1000).all(|_| rate.take().is_ok()));
    }

    fn names(policy: &Policy) -> Vec<&'static str> {
        policy.roles().map(Role::name).collect()
    }

    #[test]
    fn the_roles_end_at_the_highest_allowed_on_every_level() {
        let policy = Policy {
            max_role: Rank::Editor,
            ..Policy::default()
        };
        let expected = [
            "WORKSPACE_VIEWER",
            "WORKSPACE_EDITOR",
            "DEPLOYMENT_VIEWER",
            "DEPLOYMENT_EDITOR",
        ];
        assert_eq!(names(&policy), expected);
    }

    #[test]
    fn a_server_without_deployments_gives_no_role_on_one() {
        let policy = Policy {
            levels: Levels::WorkspaceOnly,
            ..Policy::default()
        };
        let expected = ["WORKSPACE_VIEWER", "WORKSPACE_EDITOR", "WORKSPACE_ADMIN"];
        assert_eq!(names(&policy), expected);
    }
}
