//! The costs that are the same on every machine. `benches/` measures the others.

use std::time::Duration;

use apc_sandbox::{Entity, NewAccount, Role, Sandbox, Store};
use chrono::TimeDelta;
use serde_json::json;

use crate::support::harness::*;

const TOOL: &str = "get_service_accounts";
const HOUR: Duration = Duration::from_secs(60 * 60);

#[cfg(target_os = "linux")]
#[tokio::test]
async fn one_thread_does_it_all() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = Session::start(Era::USUAL, &sandbox).await;
    session.call(TOOL, json!({})).await.structured();
    let tasks = std::fs::read_dir(format!("/proc/{}/task", session.id())).unwrap();
    assert_eq!(tasks.count(), 1);
}

#[tokio::test]
async fn a_hundred_accounts_never_used_are_at_most_29_000_characters() {
    // Most releases never write the last use.
    let length = length_of_a_hundred(None).await;
    assert!(length <= 29_000, "{length} characters");
}

#[tokio::test]
async fn a_hundred_accounts_with_every_field_are_at_most_33_000_characters() {
    let length = length_of_a_hundred(Some(HOUR)).await;
    assert!(length <= 33_000, "{length} characters");
}

async fn length_of_a_hundred(last_used: Option<Duration>) -> usize {
    let workspace = Entity::Workspace(ANALYTICS.into());
    let mut store = Store::empty()
        .workspace(ANALYTICS, "Analytics")
        .user("admin", &[(Role::WorkspaceAdmin, workspace.clone())]);
    for number in 0..100 {
        store = store.account(NewAccount {
            category: Some("airflow".to_owned()),
            age: HOUR,
            last_used,
            ..NewAccount::new(
                format!("deploy-{number:05}"),
                Role::WorkspaceEditor,
                workspace.clone(),
            )
        });
    }
    let sandbox = Sandbox::start_with(0, store).await.unwrap();
    let token = sandbox.handle().sign_in("admin", TimeDelta::days(1));
    let program = Program::with_token(&sandbox, &token);
    let mut session = program.serve(Era::USUAL).await;

    let found = session.call(TOOL, json!({"workspace_id": ANALYTICS})).await;

    assert_eq!(found.accounts().len(), 100);
    let fields = 9 + usize::from(last_used.is_some());
    let is_full = |account: &serde_json::Value| keys(account).len() == fields;
    assert!(found.accounts().iter().all(is_full));
    found.text().chars().count()
}
