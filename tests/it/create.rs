//! `create_service_account`: what it creates, and what it refuses that the API would let through.

use std::time::Duration;

use apc_sandbox::{Fault, On, Persona, Sandbox};
use serde_json::json;

use crate::support::harness::*;

const TOOL: &str = "create_service_account";

async fn start() -> (Sandbox, Session) {
    let sandbox = Sandbox::start(0).await.unwrap();
    let session = Session::start(Era::USUAL, &sandbox).await;
    (sandbox, session)
}

async fn showing_keys() -> (Sandbox, Session) {
    let sandbox = Sandbox::start(0).await.unwrap();
    let program = Program::at(&sandbox, Persona::WorkspaceAdmin).args(&["--key-output", "show"]);
    let session = program.serve(Era::USUAL).await;
    (sandbox, session)
}

#[tokio::test]
async fn an_account_is_a_viewer_without_category_unless_told_otherwise() {
    let (sandbox, mut session) = start().await;
    let new = json!({"label": "etl", "workspace_id": ANALYTICS});
    let created = session.call(TOOL, new).await;
    let real = truth(&sandbox.handle(), "etl");
    assert_eq!(real.role, "WORKSPACE_VIEWER");
    assert_eq!(real.category, None);
    assert_eq!(real.entity_uuid.as_deref(), Some(ANALYTICS));
    assert_eq!(created.account()["role"], "WORKSPACE_VIEWER");
    assert_eq!(created.account().get("category"), None);
}

#[tokio::test]
async fn the_result_is_the_account_with_its_full_key_where_keys_are_shown() {
    let (sandbox, mut session) = showing_keys().await;
    let new = json!({"label": "etl", "workspace_id": ANALYTICS, "category": "jobs"});
    let created = session.call(TOOL, new).await;
    let real = truth(&sandbox.handle(), "etl");
    let account = created.account();
    assert_eq!(account["id"], real.id);
    assert_eq!(account["label"], "etl");
    assert_eq!(account["category"], "jobs");
    assert_eq!(account["workspace_id"], ANALYTICS);
    assert_eq!(account["api_key"], real.key);
    assert!(account["created_at"].is_string());
    assert_eq!(account.get("last_used_at"), None);
}

#[tokio::test]
async fn each_role_is_given_as_it_was_asked_for() {
    let (sandbox, mut session) = start().await;
    for role in ["WORKSPACE_VIEWER", "WORKSPACE_EDITOR", "WORKSPACE_ADMIN"] {
        let new = json!({"label": role, "workspace_id": ANALYTICS, "role": role});
        let created = session.call(TOOL, new).await;
        assert_eq!(created.account()["role"], role);
        assert_eq!(truth(&sandbox.handle(), role).role, role);
    }
}

#[tokio::test]
async fn label_and_category_lose_the_blanks_around_them() {
    let (sandbox, mut session) = start().await;
    let new = json!({"label": "  e t l\t", "category": " jobs ", "workspace_id": ANALYTICS});
    let created = session.call(TOOL, new).await;
    assert_eq!(created.account()["label"], "e t l");
    assert_eq!(
        truth(&sandbox.handle(), "e t l").category.as_deref(),
        Some("jobs")
    );
}

#[tokio::test]
async fn a_label_that_the_workspace_has_is_refused_with_the_account_that_has_it() {
    let (sandbox, mut session) = start().await;
    let before = sandbox.handle().accounts();
    let found = session
        .call(
            "get_service_accounts",
            json!({"service_account_id": CI_DEPLOY}),
        )
        .await;
    let created_at = found.column("created_at")[0].to_owned();

    let new = json!({"label": "ci-deploy", "workspace_id": ANALYTICS});
    let refused = session.call(TOOL, new).await;

    let text = refused.refusal("already_exists");
    let date = &created_at[..10];
    assert_says(text, &["ci-deploy", CI_DEPLOY, "WORKSPACE_EDITOR", date]);
    assert_eq!(refused.error()["service_account_id"], CI_DEPLOY);
    assert_eq!(refused.error()["workspace_id"], ANALYTICS);
    assert_eq!(sandbox.handle().accounts(), before);
}

#[tokio::test]
async fn a_label_that_differs_in_case_or_workspace_is_another_label() {
    let (_sandbox, mut session) = start().await;
    for new in [
        json!({"label": "CI-Deploy", "workspace_id": ANALYTICS}),
        json!({"label": "ci-deploy", "workspace_id": DATA_SCIENCE}),
    ] {
        session.call(TOOL, new).await.structured();
    }
}

#[tokio::test]
async fn of_two_creations_of_one_label_at_once_one_is_made_whatever_the_api_checks() {
    let (sandbox, mut session) = start().await;
    let handle = sandbox.handle();
    handle.set_duplicate_check(false);
    // Both lines are in the pipe long before the first is done.
    handle.inject(Fault::Delay(Duration::from_secs(2)), On::Field(CREATE), 1);
    let new = json!({"label": "twin", "workspace_id": ANALYTICS});
    let first = session.send_call(TOOL, new.clone()).await;
    let second = session.send_call(TOOL, new).await;

    let outcomes = [
        session.outcome(TOOL, first).await,
        session.outcome(TOOL, second).await,
    ];

    let refused: Vec<_> = outcomes
        .iter()
        .filter(|outcome| outcome.is_error())
        .collect();
    assert_eq!(refused.len(), 1);
    assert_says(refused[0].refusal("already_exists"), &["twin"]);
    let twins = handle.accounts().into_iter();
    assert_eq!(twins.filter(|account| account.label == "twin").count(), 1);
}

#[tokio::test]
async fn creations_of_different_labels_do_not_wait_for_each_other() {
    let (sandbox, mut session) = start().await;
    sandbox.handle().inject(Fault::Hang, On::Field(CREATE), 1);
    let hung = json!({"label": "hung", "workspace_id": ANALYTICS});
    session.send_call(TOOL, hung).await;
    while count(&sandbox.handle(), CREATE) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let other = json!({"label": "other", "workspace_id": ANALYTICS});
    session.call(TOOL, other).await.structured();
}

#[tokio::test]
async fn a_workspace_that_does_not_exist_is_not_found() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = Program::at(&sandbox, Persona::SystemAdmin)
        .serve(Era::USUAL)
        .await;
    let new = json!({"label": "etl", "workspace_id": NOTHING});
    let refused = session.call(TOOL, new).await;
    assert_says(refused.refusal("not_found"), &[NOTHING]);
    assert_eq!(refused.error()["workspace_id"], NOTHING);
}

#[tokio::test]
async fn a_workspace_of_others_may_not_be_written_to() {
    let sandbox = Sandbox::start(0).await.unwrap();
    for (persona, workspace) in [
        (Persona::WorkspaceEditor, DATA_SCIENCE),
        (Persona::WorkspaceViewer, ANALYTICS),
        (Persona::Nobody, ANALYTICS),
    ] {
        let mut session = Program::at(&sandbox, persona).serve(Era::USUAL).await;
        let before = sandbox.handle().accounts();
        let new = json!({"label": "etl", "workspace_id": workspace});
        let refused = session.call(TOOL, new).await;
        refused.refusal("permission_denied");
        assert_eq!(refused.error()["workspace_id"], workspace, "{persona:?}");
        assert_eq!(sandbox.handle().accounts(), before, "{persona:?}");
    }
}

#[tokio::test]
async fn the_default_workspace_is_meant_where_a_call_names_none() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let by_flag = Program::at(&sandbox, Persona::WorkspaceAdmin)
        .args(&["--workspace-id", DATA_SCIENCE])
        .serve(Era::USUAL);
    let by_variable = Program::at(&sandbox, Persona::WorkspaceAdmin)
        .env("APC_WORKSPACE_ID", DATA_SCIENCE)
        .serve(Era::USUAL);
    for (label, mut session) in [("flag", by_flag.await), ("variable", by_variable.await)] {
        let created = session.call(TOOL, json!({"label": label})).await;
        assert_eq!(created.account()["workspace_id"], DATA_SCIENCE);
        let real = truth(&sandbox.handle(), label);
        assert_eq!(real.entity_uuid.as_deref(), Some(DATA_SCIENCE));
    }
}

#[tokio::test]
async fn the_workspace_of_the_call_beats_the_default_one() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = Program::at(&sandbox, Persona::WorkspaceAdmin)
        .args(&["--workspace-id", DATA_SCIENCE])
        .serve(Era::USUAL)
        .await;
    let new = json!({"label": "etl", "workspace_id": ANALYTICS});
    let created = session.call(TOOL, new).await;
    assert_eq!(created.account()["workspace_id"], ANALYTICS);
}

#[tokio::test]
async fn a_default_workspace_makes_the_argument_optional_in_the_schema() {
    let mut session = Program::bare()
        .args(&["--workspace-id", ANALYTICS])
        .serve(Era::USUAL)
        .await;
    let tools = session.list_tools().await;
    assert_eq!(tools[0]["name"], TOOL);
    assert_eq!(tools[0]["inputSchema"]["required"], json!(["label"]));
}

#[tokio::test]
async fn a_mutation_selects_scalars_only() {
    let (sandbox, mut session) = start().await;
    let new = json!({"label": "etl", "workspace_id": ANALYTICS});
    let created = session.call(TOOL, new).await;
    let deletion =
        json!({"service_account_id": created.account()["id"], "workspace_id": ANALYTICS});
    session
        .call("delete_service_account", deletion)
        .await
        .structured();
    let requests = sandbox.handle().requests();
    let mut documents = requests
        .iter()
        .filter(|request| request.query.contains("mutation"));
    assert!(documents.all(|request| !request.query.contains("roleBinding")));
    assert_eq!(mutations(&sandbox.handle()), 2);
}

#[tokio::test]
async fn a_category_that_is_left_out_is_not_sent() {
    let (sandbox, mut session) = start().await;
    let new = json!({"label": "etl", "workspace_id": ANALYTICS});
    session.call(TOOL, new).await.structured();
    let requests = sandbox.handle().requests();
    let sent = requests
        .iter()
        .find(|request| request.operation == [CREATE]);
    assert!(sent.unwrap().variables["category"].is_null());
}
