//! The behaviour of the line of 2020 beyond the recordings.

use std::time::Duration;

use apc_sandbox::{Entity, Line, NewAccount, Persona, Role, Sandbox};
use serde_json::json;

use crate::support::{
    Answer, CREATE, FORECASTS, LIST, LIST_WITHOUT_DATE, ask, graphql, labels, new_ci, small, told,
    try_create, w1,
};

#[tokio::test]
async fn an_alias_of_a_required_field_costs_the_whole_account() {
    let (sandbox, _, token) = small(Line::Of2020).await;
    let query = "{ workspaceServiceAccounts(workspaceUuid: \"w1\") { made: createdAt label } }";
    let answer = graphql(&sandbox, &token, query, json!({})).await;
    let body = answer.json();
    assert_eq!(body["data"]["workspaceServiceAccounts"], json!([null]));
    let message = "Cannot return null for non-nullable field ServiceAccount.createdAt.";
    assert_eq!(body["errors"][0]["message"], message);
}

#[tokio::test]
async fn masks_an_old_key_only_where_its_date_is_selected() {
    let (sandbox, handle, token) = small(Line::Of2020).await;
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
    let (sandbox, handle, token) = small(Line::Of2020).await;
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
    let (sandbox, _, token) = small(Line::Of2020).await;
    let query = "{ a: workspaceServiceAccounts(workspaceUuid: \"w1\") { id }
        b: workspaceServiceAccounts(workspaceUuid: \"w2\") { id } }";
    let answer = graphql(&sandbox, &token, query, json!({})).await;
    let body = answer.json();
    assert_eq!(body["data"], json!({ "a": [{ "id": "a1" }], "b": null }));
    assert_eq!(body["errors"][0]["path"], json!(["b"]));
}

#[tokio::test]
async fn a_release_without_the_duplicate_check_makes_twins() {
    let (sandbox, handle, token) = small(Line::Of2020).await;
    handle.set_duplicate_check(false);
    try_create(&sandbox, &token).await.unwrap();
    try_create(&sandbox, &token).await.unwrap();
    assert_eq!(labels(&handle), ["ci", "new", "new"]);
}

#[tokio::test]
async fn shows_accounts_that_a_colleague_adds_meanwhile_in_order() {
    let (sandbox, handle, token) = small(Line::Of2020).await;
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
    let sandbox = Sandbox::start_line(0, Line::Of2020).await.unwrap();
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
    let (sandbox, _, token) = small(Line::Of2020).await;
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
async fn fields_that_the_api_resolves_itself_survive_an_alias() {
    let (sandbox, _, token) = small(Line::Of2020).await;
    let query = "{ workspaceServiceAccounts(workspaceUuid: \"w1\") {
        a: id b: entityType c: entityUuid d: roleBinding { role } e: label f: apiKey } }";
    let body = graphql(&sandbox, &token, query, json!({})).await.json();
    let row = json!({
        "a": "a1", "b": "WORKSPACE", "c": "w1", "d": { "role": "WORKSPACE_EDITOR" }, "e": null, "f": null,
    });
    assert_eq!(
        body,
        json!({ "data": { "workspaceServiceAccounts": [row] } })
    );
    let query = "{ workspaces { a: id b: label } }";
    let body = graphql(&sandbox, &token, query, json!({})).await.json();
    assert_eq!(
        body["data"]["workspaces"],
        json!([{ "a": "w1", "b": null }])
    );
}

#[tokio::test]
async fn a_fragment_without_a_type_fails_the_field_before_anything_is_done() {
    let (sandbox, handle, token) = small(Line::Of2020).await;
    let message = "Cannot read property 'name' of undefined";
    let create = CREATE.replace("{ id apiKey label }", "{ id ... { label } }");
    let body = graphql(&sandbox, &token, &create, new_ci()).await.json();
    assert_eq!(told(&body), (message, "INTERNAL_SERVER_ERROR"));
    assert_eq!(labels(&handle), ["ci"]);
    let query = "{ workspaces { id } workspaceServiceAccounts(workspaceUuid: \"w1\") { ...row } }
        fragment row on ServiceAccount { id ... { label } }";
    let body = graphql(&sandbox, &token, query, json!({})).await.json();
    let data = json!({ "workspaces": [{ "id": "w1" }], "workspaceServiceAccounts": null });
    assert_eq!((told(&body).0, &body["data"]), (message, &data));
    let query = "{ workspaces { ... on Workspace { label } } }";
    assert_eq!(graphql(&sandbox, &token, query, json!({})).await.code(), "");
}

const UPDATE: &str = "mutation($id: Uuid!, $payload: JSON!) { updateWorkspaceServiceAccount(
    serviceAccountUuid: $id, workspaceUuid: \"w1\", payload: $payload) { label } }";

#[tokio::test]
async fn an_update_ignores_an_unknown_role_and_takes_a_null_label() {
    let (sandbox, handle, token) = small(Line::Of2020).await;
    let payload = json!({ "label": null, "role": "BOGUS" });
    let variables = json!({ "id": "a1", "payload": payload });
    let body = graphql(&sandbox, &token, UPDATE, variables.clone())
        .await
        .json();
    let updated = json!({ "data": { "updateWorkspaceServiceAccount": { "label": null } } });
    assert_eq!(body, updated);
    let account = &handle.accounts()[0];
    assert_eq!((&*account.label, &*account.role), ("", "WORKSPACE_EDITOR"));
    let body = graphql(&sandbox, &token, UPDATE, variables).await.json();
    let message = "Service Account already exists with the name null";
    assert_eq!(told(&body), (message, "BAD_USER_INPUT"));
}

#[tokio::test]
async fn an_update_of_an_unknown_account_fails_in_the_words_of_the_database() {
    let (sandbox, _, token) = small(Line::Of2020).await;
    let variables = json!({ "id": "nobody", "payload": { "label": "x" } });
    let body = graphql(&sandbox, &token, UPDATE, variables).await.json();
    let message = "No Node for the model ServiceAccount with value nobody for id found.";
    assert_eq!(told(&body), (message, "INTERNAL_SERVER_ERROR"));
    assert_eq!(body["errors"][0]["path"], json!(["updateServiceAccount"]));
    let data = json!({ "updateWorkspaceServiceAccount": null });
    assert_eq!(body["data"], data);
}

#[tokio::test]
async fn the_label_of_an_orphan_can_be_created_nowhere() {
    let (sandbox, handle, token) = small(Line::Of2020).await;
    let gone = Entity::Workspace("gone".into());
    handle.add_account(NewAccount::new("new", Role::WorkspaceViewer, gone));
    handle.delete_workspace("gone");
    let before = labels(&handle);
    let body = try_create(&sandbox, &token).await.unwrap().json();
    let message = "Cannot read property 'workspace' of null";
    assert_eq!(told(&body), (message, "INTERNAL_SERVER_ERROR"));
    assert_eq!(labels(&handle), before);
    let other = json!({ "label": "other", "workspace": "w1", "role": "WORKSPACE_VIEWER" });
    assert_eq!(graphql(&sandbox, &token, CREATE, other).await.code(), "");
}

#[tokio::test]
async fn the_labels_of_system_accounts_may_be_alike() {
    let sandbox = Sandbox::start_line(0, Line::Of2020).await.unwrap();
    let create =
        "mutation { createSystemServiceAccount(label: \"x\", role: SYSTEM_VIEWER) { id } }";
    for _ in 0..2 {
        let answer = ask(&sandbox, Persona::SystemAdmin, create, json!({})).await;
        assert_eq!(answer.code(), "");
    }
}

#[tokio::test]
async fn the_keys_of_a_deleted_deployment_go_on_working() {
    let sandbox = Sandbox::start_line(0, Line::Of2020).await.unwrap();
    let handle = sandbox.handle();
    assert!(handle.delete_deployment(FORECASTS));
    assert!(!handle.delete_deployment("nowhere"));
    let accounts = handle.accounts();
    let account = accounts
        .iter()
        .find(|account| account.label == "forecasts-deploy");
    let list = "query($d: Uuid!) { deploymentServiceAccounts(deploymentUuid: $d) { id } }";
    let place = json!({ "d": FORECASTS });
    let own = graphql(&sandbox, &account.unwrap().key, list, place.clone()).await;
    assert_eq!(own.code(), "");
    let admin = ask(&sandbox, Persona::WorkspaceAdmin, list, place).await;
    assert_eq!(admin.code(), "FORBIDDEN");
}

#[tokio::test]
async fn knows_role_binding_and_no_role_bindings() {
    let (sandbox, _, token) = small(Line::Of2020).await;
    for (fields, status) in [
        ("roleBinding { role }", 200),
        ("roleBindings { role }", 400),
    ] {
        let list = LIST.replace("apiKey", fields);
        let answer = graphql(&sandbox, &token, &list, json!({ "workspace": "w1" })).await;
        assert_eq!(answer.status, status, "{fields}");
    }
    let answer = graphql(&sandbox, &token, "{ sysWorkspaces { id } }", json!({})).await;
    assert_eq!(answer.status, 400);
}
