//! What the server may cost, as far as that is the same on every machine. `benches/` has the rest.

use std::time::Duration;

use apc_mcp::sandbox::{Entity, NewAccount, Role, Sandbox, Store};
use chrono::TimeDelta;
use serde_json::json;

use crate::harness::*;

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
async fn a_hundred_accounts_are_short_enough_for_a_model_to_read() {
    let workspace = Entity::Workspace(ANALYTICS.into());
    let mut store = Store::empty()
        .workspace(ANALYTICS, "Analytics")
        .user("admin", &[(Role::WorkspaceAdmin, workspace.clone())]);
    for number in 0..100 {
        store = store.account(NewAccount {
            category: Some("airflow".to_owned()),
            age: HOUR,
            last_used: Some(HOUR),
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
    let ten_fields = |account: &serde_json::Value| keys(account).len() == 10;
    assert!(found.accounts().iter().all(ten_fields));
    let length = found.text().chars().count();
    assert!(length <= 29_000, "100 accounts are {length} characters");
}
