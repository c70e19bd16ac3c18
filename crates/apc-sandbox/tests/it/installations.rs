//! The installations that the recordings start from.

use std::time::Duration;

use apc_sandbox::{Entity, Line, NewAccount, Role, Sandbox, Store};
use serde_json::Value;

use crate::replay::{Recordings, text};

const WS1: &str = "ckws1aaaa0000000000000000";
const WS2: &str = "ckws2bbbb0000000000000000";
const DEP1: &str = "ckdep1aaaa000000000000000";
const DEP2: &str = "ckdep2aaaa000000000000000";
/// A workspace that is deleted before anything is sent, so that its accounts are orphans and its deployments homeless.
const GONE: &str = "ckwsgone00000000000000000";

pub const USERS_OF_2020: &[&str] = &["ws1_editor", "system_editor", "nobody"];
pub const USERS_OF_DEPLOYMENTS: &[&str] = &[
    "ws1_editor",
    "system_editor",
    "nobody",
    "system_viewer",
    "dep1_admin_user",
    "dep1_editor_user",
    "dep1_viewer_user",
    "ws1_viewer_dep1_admin_user",
    "ws1_admin_dep1_viewer_user",
];
pub const USERS_OF_SHIELD: &[&str] = &[
    "ws1_viewer_user",
    "ws1_editor_user",
    "ws1_admin_user",
    "ws2_admin_user",
    "sys_viewer_user",
    "sys_editor_user",
    "sys_admin_user",
    "nobody_user",
];

/// The roles that the name of a user speaks of: pairs of a place and a rank.
fn grants(user: &str) -> Vec<(Role, Entity)> {
    let parts: Vec<_> = user.trim_end_matches("_user").split('_').collect();
    let grant = |pair: &[&str]| {
        let (level, entity) = match pair[0] {
            "ws1" => ("WORKSPACE", workspace(WS1)),
            "ws2" => ("WORKSPACE", workspace(WS2)),
            "dep1" => ("DEPLOYMENT", deployment(DEP1)),
            _ => ("SYSTEM", Entity::System),
        };
        let rank = pair[1].to_uppercase();
        (role(&format!("{level}_{rank}")), entity)
    };
    parts.chunks_exact(2).map(grant).collect()
}

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
        Role::SystemEditor,
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
    users.fold(store, |store, name| store.user(name, &grants(name)))
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
