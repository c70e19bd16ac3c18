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
async fn fifty_accounts_with_every_field_are_at_most_12_500_characters() {
    let length = length_of_fifty(Some(HOUR)).await;
    assert!(length <= 12_500, "{length} characters");
}

#[tokio::test]
async fn fifty_accounts_never_used_are_at_most_10_600_characters() {
    // Most releases never write the last use.
    let length = length_of_fifty(None).await;
    assert!(length <= 10_600, "{length} characters");
}

async fn length_of_fifty(last_used: Option<Duration>) -> usize {
    let workspace = Entity::Workspace(ANALYTICS.into());
    let mut store = Store::empty()
        .workspace(ANALYTICS, "Analytics")
        .user("admin", &[(Role::WorkspaceAdmin, workspace.clone())]);
    for number in 0..10_000 {
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

    assert_eq!(found.accounts().len(), 50);
    assert!(found.structured()["next_cursor"].is_string());
    let fields = 7 + usize::from(last_used.is_some());
    let is_full = |account: &serde_json::Value| keys(account).len() == fields;
    assert!(found.accounts().iter().all(is_full));
    found.text().chars().count()
}
