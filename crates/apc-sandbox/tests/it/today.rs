//! The behaviour of the line of today beyond the recordings.

use std::time::Duration;

use apc_sandbox::{Entity, Handle, Line, NewAccount, Persona, Role, Sandbox};
use chrono::TimeDelta;
use serde_json::json;

use crate::support::{
    CREATE, FORECASTS, KEY, LIST, LIST_WITHOUT_DATE, ask, graphql, labels, new_ci, small, told,
    try_create,
};

pub const REFUSED: &str = "Insufficient permissions.";
pub const FORBIDDEN: &str = "You do not have the appropriate permissions for that";

pub async fn seeded() -> Sandbox {
    Sandbox::start_line(0, Line::Today).await.unwrap()
}

/// A token of the system level in the small installation.
pub fn root(handle: &Handle) -> String {
    let account = NewAccount::new("root", Role::SystemAdmin, Entity::System);
    handle.add_account(account).key
}

#[tokio::test]
async fn refuses_a_bad_token_and_a_missing_right_in_different_words() {
    let (sandbox, handle, _) = small(Line::Today).await;
    let stranger = handle
        .add_account(NewAccount::new("x", Role::User, Entity::System))
        .key;
    let expired = handle.sign_in("admin", TimeDelta::hours(-1));
    for query in [LIST, CREATE] {
        let body = graphql(&sandbox, &stranger, query, new_ci()).await.json();
        assert_eq!(told(&body), (REFUSED, "INTERNAL_SERVER_ERROR"));
        let body = graphql(&sandbox, &expired, query, new_ci()).await.json();
        assert_eq!(told(&body), (FORBIDDEN, "FORBIDDEN"));
    }
    let body = graphql(&sandbox, &expired, "{ workspaces { id } }", json!({}))
        .await
        .json();
    assert_eq!(told(&body), (FORBIDDEN, "FORBIDDEN"));
}

#[tokio::test]
async fn speaks_of_bad_tokens_in_the_words_of_the_branch_on_demand() {
    let (sandbox, handle, _) = small(Line::Today).await;
    handle.use_shield_words();
    let bad = "00000000000000000000000000000000";
    let body = graphql(&sandbox, bad, LIST, new_ci()).await.json();
    assert_eq!(told(&body), (REFUSED, "INTERNAL_SERVER_ERROR"));
    let body = graphql(&sandbox, bad, "{ workspaces { id } }", json!({}))
        .await
        .json();
    let crash = "Cannot read properties of undefined (reading 'roleBindings')";
    assert_eq!(told(&body), (crash, "INTERNAL_SERVER_ERROR"));
}

#[tokio::test]
async fn makes_twins_unless_the_release_checks_labels() {
    let (sandbox, handle, token) = small(Line::Today).await;
    try_create(&sandbox, &token).await.unwrap();
    try_create(&sandbox, &token).await.unwrap();
    assert_eq!(labels(&handle), ["ci", "new", "new"]);
    handle.set_duplicate_check(true);
    let refused = try_create(&sandbox, &token).await.unwrap();
    let message = "Service Account already exists with the name new";
    assert_eq!(told(&refused.json()), (message, "BAD_USER_INPUT"));
}

const ROW: &str = "entityType entityUuid workspaceUuid deploymentUuid";

#[tokio::test]
async fn tells_nothing_of_the_entity_of_an_account_with_one_binding() {
    let (sandbox, _, token) = small(Line::Today).await;
    let bare = json!({ "entityType": "SYSTEM", "entityUuid": null, "workspaceUuid": null, "deploymentUuid": null });
    let create = CREATE.replace("id apiKey label", ROW);
    let created = graphql(&sandbox, &token, &create, new_ci()).await.json();
    assert_eq!(created["data"]["createWorkspaceServiceAccount"], bare);
    let list = LIST.replace("id apiKey createdAt", ROW);
    let listed = graphql(&sandbox, &token, &list, json!({ "workspace": "w1" }))
        .await
        .json();
    assert_eq!(
        listed["data"]["workspaceServiceAccounts"],
        json!([bare, bare])
    );
}

#[tokio::test]
async fn tells_of_another_entity_where_an_account_has_several_bindings() {
    let (sandbox, handle, token) = small(Line::Today).await;
    handle.bind(
        "a1",
        Role::DeploymentViewer,
        Entity::Deployment("d1".into()),
    );
    let list = LIST.replace(
        "id apiKey createdAt",
        &format!("{ROW} roleBindings {{ role workspace {{ id }} deployment {{ id }} }}"),
    );
    let listed = graphql(&sandbox, &token, &list, json!({ "workspace": "w1" }))
        .await
        .json();
    let row = &listed["data"]["workspaceServiceAccounts"][0];
    assert_eq!(row["entityType"], "DEPLOYMENT");
    assert_eq!(row["entityUuid"], "d1");
    assert_eq!(row["deploymentUuid"], "d1");
    assert_eq!(row["workspaceUuid"], json!(null));
    // There is no deployment d1 in this installation.
    let bindings = json!([
        { "role": "WORKSPACE_EDITOR", "workspace": { "id": "w1" }, "deployment": null },
        { "role": "DEPLOYMENT_VIEWER", "workspace": null, "deployment": null },
    ]);
    assert_eq!(row["roleBindings"], bindings);
}

#[tokio::test]
async fn a_deletion_with_bindings_selected_is_an_error_although_the_account_is_gone() {
    let (sandbox, handle, token) = small(Line::Today).await;
    let delete = "mutation { deleteWorkspaceServiceAccount(
        serviceAccountUuid: \"a1\", workspaceUuid: \"w1\") { id roleBindings { role } } }";
    let body = graphql(&sandbox, &token, delete, json!({})).await.json();
    let message = "Cannot return null for non-nullable field ServiceAccount.roleBindings.";
    assert_eq!(told(&body), (message, "INTERNAL_SERVER_ERROR"));
    assert_eq!(body["data"], json!(null));
    assert!(handle.accounts().is_empty());
}

#[tokio::test]
async fn judges_a_mutation_by_the_arguments_of_the_first_of_its_kind() {
    let (sandbox, handle, token) = small(Line::Today).await;
    let deletes = |first: &str, second: &str| {
        let delete = |name: &str, workspace: &str| {
            format!(
                "{name}: deleteWorkspaceServiceAccount(serviceAccountUuid: \"a1\", workspaceUuid: \"{workspace}\") {{ id }}"
            )
        };
        format!(
            "mutation {{ {} {} }}",
            delete("a", first),
            delete("b", second)
        )
    };
    let body = graphql(&sandbox, &token, &deletes("w2", "w1"), json!({}))
        .await
        .json();
    let messages: Vec<_> = body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| &error["message"])
        .collect();
    assert_eq!(messages, [REFUSED, REFUSED]);
    assert_eq!(labels(&handle), ["ci"]);
    let body = graphql(&sandbox, &token, &deletes("w1", "w2"), json!({}))
        .await
        .json();
    assert_eq!(told(&body).1, "RESOURCE_NOT_FOUND");
}

#[tokio::test]
async fn masks_an_old_key_whatever_is_selected() {
    let (sandbox, handle, token) = small(Line::Today).await;
    handle.age("a1", Duration::from_secs(11 * 60));
    for query in [LIST, LIST_WITHOUT_DATE] {
        let body = graphql(&sandbox, &token, query, json!({ "workspace": "w1" }))
            .await
            .json();
        let key = &body["data"]["workspaceServiceAccounts"][0]["apiKey"];
        assert_eq!(*key, format!("{}{}", &KEY[..6], "*".repeat(26)));
    }
}

#[tokio::test]
async fn knows_role_bindings_and_no_role_binding() {
    let (sandbox, _, token) = small(Line::Today).await;
    let list = LIST.replace(
        "apiKey",
        "roleBindings { id role createdAt serviceAccount { id } }",
    );
    let body = graphql(&sandbox, &token, &list, json!({ "workspace": "w1" }))
        .await
        .json();
    let binding = &body["data"]["workspaceServiceAccounts"][0]["roleBindings"][0];
    assert_eq!(binding["role"], "WORKSPACE_EDITOR");
    assert_eq!(binding["serviceAccount"]["id"], "a1");
    assert!(binding["id"].is_string() && binding["createdAt"].is_string());
    let list = LIST.replace("apiKey", "roleBinding { role }");
    let answer = graphql(&sandbox, &token, &list, json!({ "workspace": "w1" })).await;
    let message = "Cannot query field \"roleBinding\" on type \"ServiceAccount\".";
    assert_eq!((answer.status, told(&answer.json()).0), (400, message));
}

#[tokio::test]
async fn an_update_takes_an_unchanged_label_and_ignores_the_role() {
    let (sandbox, handle, token) = small(Line::Today).await;
    let update = "mutation($id: Uuid!, $payload: JSON!) { updateWorkspaceServiceAccount(
        serviceAccountUuid: $id, workspaceUuid: \"w1\", payload: $payload) { label category } }";
    let payload = json!({ "label": "ci", "category": "x", "role": "SYSTEM_ADMIN" });
    let variables = json!({ "id": "a1", "payload": payload });
    let body = graphql(&sandbox, &token, update, variables).await.json();
    let updated = json!({ "label": "ci", "category": "x" });
    assert_eq!(body["data"]["updateWorkspaceServiceAccount"], updated);
    assert_eq!(handle.accounts()[0].role, "WORKSPACE_EDITOR");
    let variables = json!({ "id": "nobody", "payload": {} });
    let body = graphql(&sandbox, &token, update, variables).await.json();
    let (message, code) = told(&body);
    assert!(message.starts_with("\nInvalid `prisma.serviceAccount.update()` invocation"));
    assert_eq!(code, "INTERNAL_SERVER_ERROR");
}

#[tokio::test]
async fn reads_aliases_and_fragments_without_a_type() {
    let (sandbox, _, token) = small(Line::Today).await;
    let query = "{ workspaceServiceAccounts(workspaceUuid: \"w1\") { made: createdAt ... { name: label } } }";
    let body = graphql(&sandbox, &token, query, json!({})).await.json();
    let row = &body["data"]["workspaceServiceAccounts"][0];
    assert_eq!(row["name"], "ci");
    assert!(row["made"].is_string());
}

#[tokio::test]
async fn deletes_the_accounts_of_a_deployment_with_it() {
    let sandbox = seeded().await;
    let handle = sandbox.handle();
    let before = handle.accounts().len();
    let deployment = Entity::Deployment(FORECASTS.into());
    handle.bind(
        "cmf3acc1o00060h6terraform",
        Role::DeploymentAdmin,
        deployment,
    );
    let gone = Entity::Workspace("gone".into());
    handle.add_account(NewAccount::new("orphan", Role::WorkspaceViewer, gone));
    handle.delete_workspace("gone");
    assert!(handle.delete_deployment(FORECASTS));
    let after = handle.accounts();
    assert_eq!(after.len(), before);
    assert!(
        after
            .iter()
            .all(|account| account.label != "forecasts-deploy")
    );
    let other = after.iter().find(|account| account.label == "terraform");
    assert_eq!(other.unwrap().bindings.len(), 1);
    let create = "mutation { createDeploymentServiceAccount(label: \"x\",
        deploymentUuid: \"cmf3dep1o00030h6forecasts\", role: DEPLOYMENT_VIEWER) { id } }";
    let body = ask(&sandbox, Persona::SystemAdmin, create, json!({}))
        .await
        .json();
    assert!(told(&body).0.contains("No \\'Deployment\\' record(s)"));
}
