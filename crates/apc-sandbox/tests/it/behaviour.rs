//! The behaviour of the sandbox beyond the recordings: pages, personas, faults, releases and age.

use std::time::Duration;

use apc_sandbox::{Fault, NewAccount, On, Persona, Role, Sandbox};
use chrono::TimeDelta;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{
    Answer, CREATE, DELETE, LIST, LIST_WITHOUT_DATE, ask, graphql, labels, new_ci, post, small,
    try_create, until, w1,
};

#[tokio::test]
async fn answers_a_malformed_body_with_a_page() {
    let (sandbox, _, token) = small().await;
    let answer = post(&sandbox, Some(&token), "{\"query\": ").await;
    assert_eq!(answer.status, 400);
    assert_eq!(
        answer.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert!(answer.body.starts_with("<!DOCTYPE html>"));
}

#[tokio::test]
async fn answers_a_body_over_100_kb_with_a_page() {
    let (sandbox, _, token) = small().await;
    let body = json!({ "query": "{ workspaces { id } }", "x": "x".repeat(100 * 1024) });
    let answer = post(&sandbox, Some(&token), &body.to_string()).await;
    assert_eq!(answer.status, 413);
    assert!(answer.body.starts_with("<!DOCTYPE html>"));
}

#[tokio::test]
async fn answers_headers_over_8_kb_with_nothing_but_a_status() {
    let (sandbox, _, _) = small().await;
    let answer = post(&sandbox, Some(&"x".repeat(9000)), "{}").await;
    assert_eq!((answer.status, answer.body.as_str()), (431, ""));
}

#[tokio::test]
async fn answers_an_empty_body_with_a_page() {
    let (sandbox, _, token) = small().await;
    let answer = post(&sandbox, Some(&token), "").await;
    assert_eq!(answer.status, 500);
    assert!(answer.body.starts_with("<!DOCTYPE html>"));
}

#[tokio::test]
async fn dates_its_answers() {
    let (sandbox, _, token) = small().await;
    let answer = graphql(&sandbox, &token, "{ workspaces { id } }", json!({})).await;
    assert!(answer.header("date").unwrap().ends_with("GMT"));
}

#[tokio::test]
async fn refuses_a_variable_that_is_missing_or_of_the_wrong_type() {
    let (sandbox, handle, token) = small().await;
    for (name, value) in [
        ("label", json!(5)),
        ("role", json!(5)),
        ("workspace", json!(null)),
    ] {
        let mut variables = new_ci();
        variables[name] = value;
        let answer = graphql(&sandbox, &token, CREATE, variables).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, "INTERNAL_SERVER_ERROR")
        );
        assert!(answer.json().get("data").is_none());
    }
    let answer = graphql(&sandbox, &token, CREATE, json!({ "label": "new" })).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (400, "INTERNAL_SERVER_ERROR")
    );
    assert_eq!(labels(&handle), ["ci"]);
}

#[tokio::test]
async fn refuses_a_document_whose_variable_is_declared_of_another_type() {
    let (sandbox, handle, token) = small().await;
    for (from, to) in [("Uuid!", "ID!"), ("Uuid!", "Uuid"), ("Role!", "String!")] {
        let query = CREATE.replace(from, to);
        let answer = graphql(&sandbox, &token, &query, new_ci()).await;
        let refusal = (answer.status, answer.code());
        assert_eq!(refusal, (400, "GRAPHQL_VALIDATION_FAILED".into()), "{to}");
    }
    assert_eq!(labels(&handle), ["ci"]);
}

#[tokio::test]
async fn an_alias_of_a_required_field_costs_the_whole_account() {
    let (sandbox, _, token) = small().await;
    let query = "{ workspaceServiceAccounts(workspaceUuid: \"w1\") { made: createdAt label } }";
    let answer = graphql(&sandbox, &token, query, json!({})).await;
    let body = answer.json();
    assert_eq!(body["data"]["workspaceServiceAccounts"], json!([null]));
    let message = "Cannot return null for non-nullable field ServiceAccount.createdAt.";
    assert_eq!(body["errors"][0]["message"], message);
}

#[tokio::test]
async fn takes_any_value_for_an_id() {
    let (sandbox, _, token) = small().await;
    let answer = graphql(&sandbox, &token, LIST, json!({ "workspace": 5 })).await;
    assert_eq!((answer.status, answer.code().as_str()), (200, "FORBIDDEN"));
}

#[tokio::test]
async fn lists_each_persona_its_workspaces() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let expected = [
        (Persona::SystemAdmin, 0),
        (Persona::WorkspaceAdmin, 2),
        (Persona::WorkspaceEditor, 1),
        (Persona::WorkspaceViewer, 1),
        (Persona::Nobody, 0),
    ];
    for (persona, count) in expected {
        let answer = ask(&sandbox, persona, "{ workspaces { id } }", json!({})).await;
        let workspaces = answer.json()["data"]["workspaces"]
            .as_array()
            .unwrap()
            .len();
        assert_eq!(workspaces, count, "{persona:?}");
    }
}

#[tokio::test]
async fn lets_a_persona_create_as_far_as_its_role_goes() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let list = ask(
        &sandbox,
        Persona::WorkspaceAdmin,
        "{ workspaces { id } }",
        json!({}),
    )
    .await;
    let first = list.json()["data"]["workspaces"][0]["id"].clone();
    let expected = [
        (Persona::SystemAdmin, ""),
        (Persona::WorkspaceAdmin, ""),
        (Persona::WorkspaceEditor, ""),
        (Persona::WorkspaceViewer, "FORBIDDEN"),
        (Persona::Nobody, "FORBIDDEN"),
    ];
    for (persona, code) in expected {
        let label = format!("{persona:?}");
        let variables = json!({ "label": label, "workspace": first, "role": "WORKSPACE_VIEWER" });
        let answer = ask(&sandbox, persona, CREATE, variables).await;
        assert_eq!(answer.code(), code, "{persona:?}");
    }
}

#[tokio::test]
async fn gives_a_created_key_the_rights_of_its_role_until_it_is_deleted() {
    let (sandbox, handle, token) = small().await;
    let mut variables = new_ci();
    variables["role"] = json!("SYSTEM_ADMIN");
    let created = graphql(&sandbox, &token, CREATE, variables).await.json();
    let account = &created["data"]["createWorkspaceServiceAccount"];
    let (id, key) = (
        account["id"].as_str().unwrap(),
        account["apiKey"].as_str().unwrap(),
    );
    let unknown = json!({ "workspace": "nowhere" });
    let answer = graphql(&sandbox, key, LIST, unknown.clone()).await;
    assert_eq!(answer.json()["data"]["workspaceServiceAccounts"], json!([]));
    assert!(handle.remove_account(id));
    assert_eq!(
        graphql(&sandbox, key, LIST, unknown).await.code(),
        "FORBIDDEN"
    );
}

#[tokio::test]
async fn refuses_an_expired_token_like_an_unknown_one() {
    let (sandbox, handle, _) = small().await;
    let expired = handle.sign_in("admin", TimeDelta::hours(-1));
    for token in [
        expired.as_str(),
        "ey.ey.ey",
        "00000000000000000000000000000000",
    ] {
        let answer = graphql(&sandbox, token, "{ workspaces { id } }", json!({})).await;
        assert_eq!((answer.status, answer.code().as_str()), (200, "FORBIDDEN"));
    }
}

#[tokio::test]
async fn masks_an_old_key_only_where_its_date_is_selected() {
    let (sandbox, handle, token) = small().await;
    let variables = json!({ "workspace": "w1" });
    let key =
        |answer: Answer| answer.json()["data"]["workspaceServiceAccounts"][0]["apiKey"].clone();
    let fresh = graphql(&sandbox, &token, LIST, variables.clone()).await;
    assert_eq!(key(fresh), "abcdef0123456789abcdef0123456789");
    assert!(handle.age("a1", Duration::from_secs(11 * 60)));
    let old = graphql(&sandbox, &token, LIST, variables.clone()).await;
    assert_eq!(key(old), format!("abcdef{}", "*".repeat(26)));
    let undated = graphql(&sandbox, &token, LIST_WITHOUT_DATE, variables).await;
    assert_eq!(key(undated), "abcdef0123456789abcdef0123456789");
}

#[tokio::test]
async fn masks_where_the_date_is_selected_through_a_fragment() {
    let (sandbox, handle, token) = small().await;
    handle.age("a1", Duration::from_secs(11 * 60));
    let query = "{ workspaceServiceAccounts(workspaceUuid: \"w1\") { apiKey ...dates } }
        fragment dates on ServiceAccount { createdAt }";
    let body = graphql(&sandbox, &token, query, json!({})).await.json();
    let key = body["data"]["workspaceServiceAccounts"][0]["apiKey"]
        .as_str()
        .unwrap();
    assert!(key.ends_with('*'));
}

#[tokio::test]
async fn answers_aliased_lists_of_several_workspaces_each_on_its_own() {
    let (sandbox, _, token) = small().await;
    let query = "{ a: workspaceServiceAccounts(workspaceUuid: \"w1\") { id }
        b: workspaceServiceAccounts(workspaceUuid: \"w2\") { id } }";
    let answer = graphql(&sandbox, &token, query, json!({})).await;
    let body = answer.json();
    assert_eq!(body["data"], json!({ "a": [{ "id": "a1" }], "b": null }));
    assert_eq!(body["errors"][0]["path"], json!(["b"]));
}

#[tokio::test]
async fn a_connection_dropped_before_leaves_the_state_as_it_was() {
    let (sandbox, handle, token) = small().await;
    handle.inject(Fault::DropBefore, On::Any, 1);
    assert!(try_create(&sandbox, &token).await.is_none());
    assert_eq!(labels(&handle), ["ci"]);
    assert_eq!(handle.requests().last().unwrap().status, None);
}

#[tokio::test]
async fn a_connection_dropped_after_has_changed_the_state() {
    let (sandbox, handle, token) = small().await;
    handle.inject(
        Fault::DropAfter,
        On::Field("createWorkspaceServiceAccount"),
        1,
    );
    assert!(try_create(&sandbox, &token).await.is_none());
    assert_eq!(labels(&handle), ["ci", "new"]);
}

#[tokio::test]
async fn a_truncated_answer_announces_more_than_it_sends() {
    let (sandbox, handle, token) = small().await;
    handle.inject(Fault::TruncateAfter, On::Any, 1);
    let answer = try_create(&sandbox, &token).await.unwrap();
    let announced: usize = answer.header("content-length").unwrap().parse().unwrap();
    assert_eq!(answer.body.len(), announced / 2);
    assert_eq!(labels(&handle), ["ci", "new"]);
}

#[tokio::test]
async fn a_hanging_request_is_neither_done_nor_answered() {
    let (sandbox, handle, token) = small().await;
    handle.inject(Fault::Hang, On::Any, 1);
    let patience = Duration::from_millis(200);
    let answer = timeout(patience, try_create(&sandbox, &token)).await;
    assert!(answer.is_err());
    assert_eq!(labels(&handle), ["ci"]);
}

#[tokio::test]
async fn a_request_that_hangs_after_is_done_without_an_answer() {
    let (sandbox, handle, token) = small().await;
    handle.inject(Fault::HangAfter, On::Any, 1);
    tokio::select! {
        _ = try_create(&sandbox, &token) => panic!("an answer"),
        () = until(|| labels(&handle).len() == 2) => {}
    }
}

#[tokio::test]
async fn a_delayed_creation_happens_although_the_caller_has_left() {
    let (sandbox, handle, token) = small().await;
    handle.inject(Fault::Delay(Duration::from_millis(200)), On::Any, 1);
    tokio::select! {
        _ = try_create(&sandbox, &token) => {}
        () = until(|| !handle.requests().is_empty()) => {}
    }
    until(|| labels(&handle).len() == 2).await;
}

#[tokio::test]
async fn a_dripping_answer_arrives_whole() {
    let (sandbox, handle, token) = small().await;
    handle.inject(Fault::SlowDrip(Duration::from_millis(1)), On::Any, 1);
    let answer = try_create(&sandbox, &token).await.unwrap();
    let account = &answer.json()["data"]["createWorkspaceServiceAccount"];
    assert_eq!(account["label"], "new");
}

#[tokio::test]
async fn a_canned_answer_comes_with_or_without_the_work() {
    let (sandbox, handle, token) = small().await;
    for (executed, expected) in [(false, 1), (true, 2)] {
        let fault = Fault::Answer {
            status: 429,
            headers: vec![("retry-after".into(), "7".into())],
            body: "<html>slow down</html>".into(),
            executed,
        };
        handle.inject(fault, On::Any, 1);
        let answer = try_create(&sandbox, &token).await.unwrap();
        assert_eq!(
            (answer.status, answer.header("retry-after")),
            (429, Some("7"))
        );
        assert_eq!(answer.body, "<html>slow down</html>");
        assert_eq!(labels(&handle).len(), expected);
    }
}

#[tokio::test]
async fn an_error_after_the_work_names_the_field_it_leaves_null() {
    let (sandbox, handle, token) = small().await;
    let (code, message) = ("INTERNAL_SERVER_ERROR".into(), "out of luck".into());
    handle.inject(Fault::ErrorAfter { code, message }, On::Any, 1);
    let answer = try_create(&sandbox, &token).await.unwrap();
    let body = answer.json();
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (200, "INTERNAL_SERVER_ERROR")
    );
    assert_eq!(
        body["data"],
        json!({ "createWorkspaceServiceAccount": null })
    );
    assert_eq!(labels(&handle), ["ci", "new"]);
}

#[tokio::test]
async fn a_fault_for_a_field_spares_the_others_and_wears_off() {
    let (sandbox, handle, token) = small().await;
    handle.inject(
        Fault::DropBefore,
        On::Field("createWorkspaceServiceAccount"),
        2,
    );
    let answer = graphql(&sandbox, &token, "{ workspaces { id } }", json!({})).await;
    assert_eq!(answer.status, 200);
    assert!(try_create(&sandbox, &token).await.is_none());
    assert!(try_create(&sandbox, &token).await.is_none());
    assert!(try_create(&sandbox, &token).await.is_some());
}

#[tokio::test]
async fn a_release_without_a_field_refuses_to_select_it() {
    let (sandbox, handle, token) = small().await;
    handle.lack_field("createdAt");
    let answer = graphql(&sandbox, &token, LIST, json!({ "workspace": "w1" })).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (400, "GRAPHQL_VALIDATION_FAILED")
    );
    let message = "Cannot query field \"createdAt\" on type \"ServiceAccount\".";
    assert_eq!(answer.json()["errors"][0]["message"], message);
    let answer = graphql(
        &sandbox,
        &token,
        LIST_WITHOUT_DATE,
        json!({ "workspace": "w1" }),
    )
    .await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_field_can_be_lacking_on_one_type_only() {
    let (sandbox, handle, token) = small().await;
    handle.lack_field("ServiceAccount.label");
    let answer = graphql(&sandbox, &token, "{ workspaces { label } }", json!({})).await;
    assert_eq!(answer.status, 200);
    let answer = graphql(&sandbox, &token, CREATE, new_ci()).await;
    assert_eq!(answer.status, 400);
    assert_eq!(labels(&handle), ["ci"]);
}

#[tokio::test]
async fn a_release_without_the_duplicate_check_makes_twins() {
    let (sandbox, handle, token) = small().await;
    handle.set_duplicate_check(false);
    try_create(&sandbox, &token).await.unwrap();
    try_create(&sandbox, &token).await.unwrap();
    assert_eq!(labels(&handle), ["ci", "new", "new"]);
}

#[tokio::test]
async fn remembers_what_was_asked_and_answered() {
    let (sandbox, handle, token) = small().await;
    graphql(&sandbox, &token, LIST, json!({ "workspace": "w1" })).await;
    let requests = handle.requests();
    let request = requests.first().unwrap();
    assert_eq!(request.operation, ["workspaceServiceAccounts"]);
    assert_eq!(request.variables, json!({ "workspace": "w1" }));
    assert_eq!(request.authorization.as_deref(), Some(token.as_str()));
    assert_eq!(request.status, Some(200));
    handle.clear_requests();
    assert!(handle.requests().is_empty());
}

#[tokio::test]
async fn shows_accounts_that_a_colleague_adds_meanwhile_in_order() {
    let (sandbox, handle, token) = small().await;
    let added: Vec<_> = (0..2000)
        .map(|n| {
            handle
                .add_account(NewAccount::new(
                    format!("n{n}"),
                    Role::WorkspaceViewer,
                    w1(),
                ))
                .id
        })
        .collect();
    let body = graphql(&sandbox, &token, LIST, json!({ "workspace": "w1" }))
        .await
        .json();
    let accounts = body["data"]["workspaceServiceAccounts"].as_array().unwrap();
    let listed: Vec<_> = accounts[1..]
        .iter()
        .map(|account| account["id"].as_str().unwrap())
        .collect();
    assert_eq!(listed, added);
}

#[tokio::test]
async fn a_system_account_looks_like_a_deployment_s_and_needs_a_system_role() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let create = "mutation($role: Role!) { createSystemServiceAccount(label: \"x\", role: $role) { entityType entityUuid } }";
    let root = Persona::SystemAdmin;
    let answer = ask(&sandbox, root, create, json!({ "role": "WORKSPACE_ADMIN" })).await;
    assert_eq!(answer.json()["errors"][0]["message"], "Invalid role");
    let answer = ask(&sandbox, root, create, json!({ "role": "SYSTEM_VIEWER" })).await;
    let account = &answer.json()["data"]["createSystemServiceAccount"];
    assert_eq!(
        *account,
        json!({ "entityType": "DEPLOYMENT", "entityUuid": null })
    );
}

#[tokio::test]
async fn an_update_fails_with_the_unchanged_label_or_without_one() {
    let (sandbox, _, token) = small().await;
    let update = "mutation($payload: JSON!) { updateWorkspaceServiceAccount(
        serviceAccountUuid: \"a1\", workspaceUuid: \"w1\", payload: $payload) { label roleBinding { role } } }";
    for (payload, name) in [(json!({ "label": "ci" }), "ci"), (json!({}), "undefined")] {
        let answer = graphql(&sandbox, &token, update, json!({ "payload": payload })).await;
        let message = format!("Service Account already exists with the name {name}");
        assert_eq!(answer.json()["errors"][0]["message"], message);
    }
    let payload = json!({ "label": "cd", "role": "SYSTEM_ADMIN" });
    let answer = graphql(&sandbox, &token, update, json!({ "payload": payload })).await;
    let updated = &answer.json()["data"]["updateWorkspaceServiceAccount"];
    assert_eq!(
        *updated,
        json!({ "label": "cd", "roleBinding": { "role": "SYSTEM_ADMIN" } })
    );
}

#[tokio::test]
async fn a_key_may_delete_its_own_account() {
    let (sandbox, handle, _) = small().await;
    let key = "abcdef0123456789abcdef0123456789";
    let variables = json!({ "id": "a1", "workspace": "w1" });
    let answer = graphql(&sandbox, key, DELETE, variables.clone()).await;
    assert_eq!(answer.code(), "");
    assert!(handle.accounts().is_empty());
    assert_eq!(
        graphql(&sandbox, key, DELETE, variables).await.code(),
        "FORBIDDEN"
    );
}

#[tokio::test]
async fn a_dropped_sandbox_is_gone() {
    let (sandbox, _, _) = small().await;
    let address = sandbox.url().replace("http://", "").replace("/v1", "");
    drop(sandbox);
    while TcpStream::connect(&address).await.is_ok() {
        tokio::task::yield_now().await;
    }
}
