//! The installations that the recordings start from.

use std::time::Duration;

use apc_sandbox::{Entity, Line, NewAccount, Role, Sandbox, Store};
use serde_json::Value;

use crate::replay::{Recordings, Users, text};

const WS1: &str = "ckws1aaaa0000000000000000";
const WS2: &str = "ckws2bbbb0000000000000000";
const DEP1: &str = "ckdep1aaaa000000000000000";
const DEP2: &str = "ckdep2aaaa000000000000000";
/// A workspace that is deleted before anything is sent, so that its accounts are orphans and its deployments homeless.
const GONE: &str = "ckwsgone00000000000000000";

fn workspace(id: &str) -> Entity {
    Entity::Workspace(id.into())
}

fn deployment(id: &str) -> Entity {
    Entity::Deployment(id.into())
}

fn rows<'a>(seeds: &'a Value, table: &str) -> &'a [Value] {
    seeds[table].as_array().unwrap()
}

/// The entity of a seed; orphans come from the workspace that will be deleted.
fn entity(seed: &Value) -> Entity {
    let role = seed["role"].as_str().unwrap_or_default();
    match (seed["workspace"].as_str(), seed["deployment"].as_str()) {
        (Some(id), _) => workspace(id),
        (_, Some(id)) => deployment(id),
        _ if role.starts_with("SYSTEM") => Entity::System,
        _ => workspace(GONE),
    }
}

fn role(name: &str) -> Role {
    let roles = [
        Role::SystemViewer,
        Role::SystemAdmin,
        Role::WorkspaceViewer,
        Role::WorkspaceEditor,
        Role::WorkspaceAdmin,
        Role::DeploymentViewer,
        Role::DeploymentEditor,
        Role::DeploymentAdmin,
    ];
    let found = roles.into_iter().find(|role| role.name() == name);
    found.unwrap_or_else(|| panic!("seed of role {name}"))
}

fn minutes(seed: &Value, field: &str) -> Duration {
    Duration::from_secs(60 * seed[field].as_u64().unwrap())
}

fn account(seed: &Value, role: Role, entity: Entity, age: Duration) -> NewAccount {
    NewAccount {
        id: Some(text(seed, "id").into()),
        key: Some(text(seed, "apiKey").into()),
        category: seed["category"].as_str().map(Into::into),
        age,
        ..NewAccount::new(text(seed, "label"), role, entity)
    }
}

fn with_workspaces(store: Store, seeds: &Value) -> Store {
    let rows = rows(seeds, "workspaces").iter();
    let store = rows.fold(store, |store, seed| {
        store.workspace(text(seed, "id"), text(seed, "label"))
    });
    store.workspace(GONE, "Gone")
}

fn with_users(store: Store, recordings: &Recordings) -> Store {
    let users = recordings.users.iter();
    users.fold(store, |store, (name, grants)| store.user(name, grants))
}

/// The installation of the first recordings, whose seeds are written in another form.
pub async fn start_2020(recordings: &Recordings) -> Sandbox {
    let seeds = &recordings.file["seeds"];
    let store = with_workspaces(Store::empty().line(Line::Of2020), seeds);
    let mut store = with_users(store, recordings).deployment(DEP2, "Deployment Two", WS2);
    for (id, accounts) in seeds["workspace_accounts"].as_object().unwrap() {
        for seed in accounts.as_array().unwrap() {
            let old = text(seed, "id").starts_with("cksaws1oldsa");
            let age = Duration::from_secs(if old { 30 * 60 } else { 0 });
            let role = role(text(&seed["roleBinding"], "role"));
            let mut account = account(seed, role, workspace(id), age);
            if old {
                // The seeds have this key masked, and one recording has it whole.
                account.key = Some("abcdef0123456789abcdef0123456789".into());
            }
            store = store.account(account);
        }
    }
    let root = NewAccount::new("seed-sys-admin", Role::SystemAdmin, Entity::System);
    let store = store.account(NewAccount {
        id: Some("cksasysadminsa00000000000".into()),
        category: Some("seed".into()),
        ..root
    });
    Sandbox::start_with(0, store).await.unwrap()
}

pub fn users_of_2020() -> Users {
    vec![
        ("ws1_editor", vec![ws1(Role::WorkspaceEditor)]),
        ("system_editor", vec![system(Role::SystemEditor)]),
        ("nobody", vec![]),
    ]
}

pub fn users_of_deployments() -> Users {
    let viewer_and_admin = vec![ws1(Role::WorkspaceViewer), dep1(Role::DeploymentAdmin)];
    let admin_and_viewer = vec![ws1(Role::WorkspaceAdmin), dep1(Role::DeploymentViewer)];
    let mut users = users_of_2020();
    users.extend([
        ("system_viewer", vec![system(Role::SystemViewer)]),
        ("dep1_admin_user", vec![dep1(Role::DeploymentAdmin)]),
        ("dep1_editor_user", vec![dep1(Role::DeploymentEditor)]),
        ("dep1_viewer_user", vec![dep1(Role::DeploymentViewer)]),
        ("ws1_viewer_dep1_admin_user", viewer_and_admin),
        ("ws1_admin_dep1_viewer_user", admin_and_viewer),
    ]);
    users
}

pub fn users_of_shield() -> Users {
    let ws2_admin = (Role::WorkspaceAdmin, workspace(WS2));
    vec![
        ("ws1_viewer_user", vec![ws1(Role::WorkspaceViewer)]),
        ("ws1_editor_user", vec![ws1(Role::WorkspaceEditor)]),
        ("ws1_admin_user", vec![ws1(Role::WorkspaceAdmin)]),
        ("ws2_admin_user", vec![ws2_admin]),
        ("sys_viewer_user", vec![system(Role::SystemViewer)]),
        ("sys_editor_user", vec![system(Role::SystemEditor)]),
        ("sys_admin_user", vec![system(Role::SystemAdmin)]),
        ("nobody_user", vec![]),
    ]
}

fn ws1(role: Role) -> (Role, Entity) {
    (role, workspace(WS1))
}

fn dep1(role: Role) -> (Role, Entity) {
    (role, deployment(DEP1))
}

fn system(role: Role) -> (Role, Entity) {
    (role, Entity::System)
}

pub async fn start_deployments(recordings: &Recordings) -> Sandbox {
    let seeds = &recordings.file["seeds"];
    let mut store = with_workspaces(Store::empty().line(Line::Of2020), seeds);
    for seed in rows(seeds, "deployments") {
        let home = seed["workspace"].as_str().unwrap_or(GONE);
        store = store.deployment(text(seed, "id"), text(seed, "label"), home);
    }
    for seed in rows(seeds, "accounts") {
        let role = role(seed["role"].as_str().unwrap_or("WORKSPACE_EDITOR"));
        let age = minutes(seed, "age_minutes");
        store = store.account(account(seed, role, entity(seed), age));
    }
    let store = with_users(store, recordings);
    let sandbox = Sandbox::start_with(0, store).await.unwrap();
    for seed in rows(seeds, "deployments") {
        if seed["deleted"] == true {
            assert!(sandbox.handle().delete_deployment(text(seed, "id")));
        }
    }
    assert!(sandbox.handle().delete_workspace(GONE));
    sandbox
}

pub async fn start_shield(recordings: &Recordings, case: &Value) -> Sandbox {
    let seeds = &recordings.file["seeds"];
    let mut store = with_workspaces(Store::empty().line(Line::Today), seeds)
        .deployment(DEP1, "Deployment One", WS1)
        .deployment("ckdep2bbbb000000000000000", "Deployment Two", WS2);
    for seed in rows(seeds, "service_accounts") {
        let role = role(text(seed, "role"));
        let age = minutes(seed, "minutes_old");
        store = store.account(account(seed, role, entity(seed), age));
    }
    let extra = case["extra_rows"]["ServiceAccount"].as_array();
    for row in extra.into_iter().flatten() {
        let orphan = account(row, Role::WorkspaceEditor, workspace(GONE), Duration::ZERO);
        store = store.account(NewAccount {
            label: format!("seed-{}", text(row, "label")),
            ..orphan
        });
    }
    let store = with_users(store, recordings);
    let sandbox = Sandbox::start_with(0, store).await.unwrap();
    sandbox.handle().use_shield_words();
    assert!(sandbox.handle().delete_workspace(GONE));
    sandbox
}
