//! The world of a task: a sandbox with the accounts that it wants, and the look at what became of them.

use std::time::Duration;

use apc_sandbox::{AccountSnapshot, Entity, Handle, NewAccount, Persona, Role, Sandbox};

use super::task::{Accounts, Task};
use crate::support::harness::{ANALYTICS, DATA_SCIENCE, DEPLOYMENT, Program};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The sandbox of one task.
pub struct World {
    sandbox: Sandbox,
    before: Vec<AccountSnapshot>,
}

impl World {
    pub async fn of(task: &Task) -> Self {
        let sandbox = Sandbox::start(0).await.unwrap();
        let handle = sandbox.handle();
        for accounts in &task.world {
            add(&handle, accounts);
        }
        let before = handle.accounts();
        Self { sandbox, before }
    }

    /// The server of the task, not yet started.
    pub fn program(&self, task: &Task) -> Program {
        Program::at(&self.sandbox, Persona::WorkspaceAdmin).args(&task.server)
    }

    /// Everything that does not hold, as sentences.
    pub fn faults(&self, task: &Task, answer: &str) -> Vec<String> {
        let now = self.sandbox.handle().accounts();
        let (holds, mut faults) = (&task.holds, Vec::new());
        for said in holds.said.iter().filter(|said| !answer.contains(*said)) {
            faults.push(format!("the answer does not say {said}"));
        }
        if let Some(label) = &holds.never_said_key_of {
            let account = self.before.iter().find(|account| account.label == *label);
            if answer.contains(&account.unwrap().key) {
                faults.push(format!("the key of {label} was shown"));
            }
        }
        for old in &self.before {
            let is_there = now.contains(old);
            if is_there == holds.gone.contains(&old.label) {
                faults.push(format!("{} is there: {is_there}", old.label));
            }
        }
        let is_old =
            |account: &&AccountSnapshot| self.before.iter().any(|old| old.id == account.id);
        let new: Vec<_> = now.iter().filter(|account| !is_old(account)).collect();
        for wanted in &holds.accounts {
            let place = entity(&wanted.place);
            let fits = |account: &&&AccountSnapshot| {
                account.label == wanted.label
                    && account.role == wanted.role
                    && account.category == wanted.category
                    && account
                        .bindings
                        .iter()
                        .any(|binding| binding.entity == place)
            };
            if new.iter().filter(fits).count() != 1 {
                faults.push(format!("{} was not created as it was wanted", wanted.label));
            }
        }
        if new.len() != holds.accounts.len() {
            faults.push(format!("{} accounts were created", new.len()));
        }
        faults
    }
}

fn add(handle: &Handle, accounts: &Accounts) {
    for number in 0..accounts.count {
        let younger = if accounts.each_day_younger { number } else { 0 };
        let days = |days: u64| DAY * u32::try_from(days).unwrap();
        handle.add_account(NewAccount {
            key: accounts.key.clone(),
            age: days(accounts.age_days - younger),
            last_used: accounts.used_days_ago.map(days),
            ..NewAccount::new(
                accounts.label.replace("{n}", &number.to_string()),
                role(&accounts.role),
                entity(&accounts.workspace),
            )
        });
    }
}

fn role(name: &str) -> Role {
    match name {
        "WORKSPACE_VIEWER" => Role::WorkspaceViewer,
        "WORKSPACE_EDITOR" => Role::WorkspaceEditor,
        "WORKSPACE_ADMIN" => Role::WorkspaceAdmin,
        other => panic!("{other}"),
    }
}

fn entity(label: &str) -> Entity {
    match label {
        "Analytics" => Entity::Workspace(ANALYTICS.into()),
        "Data Science" => Entity::Workspace(DATA_SCIENCE.into()),
        "Forecasts" => Entity::Deployment(DEPLOYMENT.into()),
        other => panic!("{other}"),
    }
}
