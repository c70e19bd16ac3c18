//! The default installation, small enough to read in one listing, and the people who sign in to it.

use std::time::Duration;

use chrono::TimeDelta;

use crate::state::account::NewAccount;
use crate::state::roles::{Entity, Role};
use crate::state::store::Store;

const ANALYTICS: &str = "cmf3ana1y00010h6analytics";
const DATA_SCIENCE: &str = "cmf3dsc1e00020h6datascien";
const DEPLOYMENT: &str = "cmf3dep1o00030h6forecasts";
const PROD_AIRFLOW: &str = "cmf3dep1o000c0h6prodairfl";
const ROOT_ACCOUNT: &str = "cmf3sys1t00040h6systemadm";
const VIEWER_ACCOUNT: &str = "cmf3acc1o00070h6dashboard";
const DAY: u64 = 24 * 60 * 60;

/// The people and programs that sign in to the default installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persona {
    /// A service account's key with every right, bound to no workspace.
    SystemAdmin,
    /// A user who is an admin of both workspaces.
    WorkspaceAdmin,
    /// A user who is an editor of the first workspace.
    WorkspaceEditor,
    /// A service account's key that may read the first workspace.
    WorkspaceViewer,
    /// A user who is an admin of the second workspace's deployment and of nothing else.
    DeploymentAdmin,
    /// A user without any binding.
    Nobody,
}

impl Store {
    /// Two workspaces with a deployment each, and accounts of every kind. One of the deployments has none so far.
    pub fn seeded() -> Store {
        let store = Store::empty()
            .workspace(ANALYTICS, "Analytics")
            .workspace(DATA_SCIENCE, "Data Science")
            .deployment(DEPLOYMENT, "Forecasts", DATA_SCIENCE)
            .deployment(PROD_AIRFLOW, "prod-airflow", ANALYTICS);
        let store = people(store);
        accounts().into_iter().fold(store, Store::account)
    }

    /// The token of a persona; of no use with other seeds.
    pub(crate) fn token(&mut self, persona: Persona) -> String {
        let user = match persona {
            Persona::SystemAdmin => return self.key_of(ROOT_ACCOUNT),
            Persona::WorkspaceViewer => return self.key_of(VIEWER_ACCOUNT),
            Persona::WorkspaceAdmin => "admin",
            Persona::WorkspaceEditor => "editor",
            Persona::DeploymentAdmin => "deployer",
            Persona::Nobody => "nobody",
        };
        self.sign_in(user, TimeDelta::days(1))
    }

    fn key_of(&self, id: &str) -> String {
        let account = self.accounts.get(id);
        account.map_or(String::new(), |account| account.key.clone())
    }
}

fn people(store: Store) -> Store {
    let admin = [
        (Role::WorkspaceAdmin, workspace(ANALYTICS)),
        (Role::WorkspaceAdmin, workspace(DATA_SCIENCE)),
    ];
    store
        .user("admin", &admin)
        .user("editor", &[(Role::WorkspaceEditor, workspace(ANALYTICS))])
        .user("deployer", &[(Role::DeploymentAdmin, deployment())])
        .user("nobody", &[])
}

fn workspace(id: &str) -> Entity {
    Entity::Workspace(id.into())
}

fn deployment() -> Entity {
    Entity::Deployment(DEPLOYMENT.into())
}

/// The service accounts, ordered by id, which is the order of their creation.
fn accounts() -> Vec<NewAccount> {
    let analytics = || workspace(ANALYTICS);
    let science = || workspace(DATA_SCIENCE);
    vec![
        NewAccount {
            id: Some(ROOT_ACCOUNT.into()),
            ..used("platform-bootstrap", Role::SystemAdmin, Entity::System, 1)
        },
        NewAccount {
            id: Some("cmf3acc1o00050h6cicddeplo".into()),
            category: Some("ci-cd".into()),
            ..used("ci-deploy", Role::WorkspaceEditor, analytics(), 0)
        },
        NewAccount {
            id: Some("cmf3acc1o00060h6terraform".into()),
            category: Some("infrastructure".into()),
            ..used("terraform", Role::WorkspaceAdmin, analytics(), 3)
        },
        NewAccount {
            id: Some(VIEWER_ACCOUNT.into()),
            ..used("dashboard", Role::WorkspaceViewer, analytics(), 0)
        },
        NewAccount {
            id: Some("cmf3acc1o00080h6migration".into()),
            age: days(212),
            ..NewAccount::new("migration-2024", Role::WorkspaceEditor, analytics())
        },
        NewAccount {
            id: Some("cmf3acc1o00090h6notebooks".into()),
            ..used("notebooks", Role::WorkspaceViewer, science(), 9)
        },
        NewAccount {
            id: Some("cmf3acc1o000a0h6forecasts".into()),
            ..used("forecasts-deploy", Role::DeploymentEditor, deployment(), 2)
        },
        NewAccount {
            id: Some("cmf3acc1o000b0h6modeltrai".into()),
            age: Duration::from_secs(60),
            ..NewAccount::new("model-training", Role::WorkspaceEditor, science())
        },
    ]
}

/// An account of a season ago, last used some days ago.
fn used(label: &str, role: Role, entity: Entity, days_ago: u64) -> NewAccount {
    NewAccount {
        age: days(90),
        last_used: Some(days(days_ago) + Duration::from_secs(3600)),
        ..NewAccount::new(label, role, entity)
    }
}

fn days(count: u64) -> Duration {
    Duration::from_secs(count * DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_seed_has_an_id_like_the_api_s() {
        let store = Store::seeded();
        let workspaces = store.workspaces.iter().map(|workspace| &workspace.id);
        let deployments = store.deployments.iter().map(|deployment| &deployment.id);
        for id in workspaces.chain(deployments).chain(store.accounts.keys()) {
            assert_eq!(id.len(), 25, "{id}");
            assert!(id.starts_with('c') && id.bytes().all(|b| b.is_ascii_alphanumeric()));
        }
    }

    #[test]
    fn every_start_has_the_same_seeds() {
        let ids = || Store::seeded().accounts.into_keys().collect::<Vec<_>>();
        assert_eq!(ids(), ids());
    }

    #[test]
    fn an_account_created_now_sorts_after_the_seeds() {
        let mut store = Store::seeded();
        let new = store.add(NewAccount::new("new", Role::User, Entity::System));
        assert_eq!(store.accounts.keys().next_back(), Some(&new.id));
    }
}
