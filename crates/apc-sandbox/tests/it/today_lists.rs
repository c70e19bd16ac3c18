//! The lists of the line of today beyond the recordings: who sees what, in which order.

use apc_sandbox::{Entity, Line, NewAccount, Persona, Role};
use serde_json::{Value, json};

use crate::support::{
    ANALYTICS, CREATE, DATA_SCIENCE, FORECASTS, LIST, ask, graphql, labels, post, small, told,
};
use crate::today::{FORBIDDEN, REFUSED, root, seeded};

#[tokio::test]
async fn shows_the_system_level_an_unknown_workspace_as_an_empty_one() {
    let (sandbox, handle, _) = small(Line::Today).await;
    let root = root(&handle);
    let unknown = json!({ "label": "x", "workspace": "nowhere", "role": "WORKSPACE_VIEWER" });
    let list = graphql(&sandbox, &root, LIST, unknown.clone()).await.json();
    assert_eq!(list["data"]["workspaceServiceAccounts"], json!([]));
    let query = "{ workspace(workspaceUuid: \"nowhere\") { id } }";
    let workspace = graphql(&sandbox, &root, query, json!({})).await.json();
    assert_eq!(workspace, json!({ "data": { "workspace": null } }));
    let created = graphql(&sandbox, &root, CREATE, unknown).await.json();
    let (message, code) = told(&created);
    assert!(message.starts_with("\nInvalid `prisma.serviceAccount.create()` invocation"));
    assert!(
        message.contains("No \\'Workspace\\' record(s)"),
        "{message}"
    );
    assert_eq!(
        (code, &created["data"]),
        ("INTERNAL_SERVER_ERROR", &json!(null))
    );
    assert_eq!(labels(&handle), ["ci", "root"]);
}

#[tokio::test]
async fn lists_all_workspaces_for_the_system_level_alone() {
    let sandbox = seeded().await;
    let query = "{ sysWorkspaces { id label } }";
    let body = ask(&sandbox, Persona::SystemAdmin, query, json!({}))
        .await
        .json();
    assert_eq!(body["data"]["sysWorkspaces"].as_array().unwrap().len(), 2);
    for persona in [
        Persona::WorkspaceAdmin,
        Persona::DeploymentAdmin,
        Persona::Nobody,
    ] {
        let body = ask(&sandbox, persona, query, json!({})).await.json();
        assert_eq!(
            told(&body),
            (REFUSED, "INTERNAL_SERVER_ERROR"),
            "{persona:?}"
        );
    }
    let body = post(&sandbox, None, &json!({ "query": query }).to_string())
        .await
        .json();
    assert_eq!(told(&body), (FORBIDDEN, "FORBIDDEN"));
    sandbox.handle().lack_field("Query.sysWorkspaces");
    let answer = ask(&sandbox, Persona::SystemAdmin, query, json!({})).await;
    assert_eq!(answer.status, 400);
    let message = "Cannot query field \"sysWorkspaces\" on type \"Query\".";
    assert_eq!(answer.json()["errors"][0]["message"], message);
}

#[tokio::test]
async fn a_system_viewer_sees_deployments_and_their_accounts_but_not_those_of_workspaces() {
    let sandbox = seeded().await;
    let viewer = NewAccount::new("viewer", Role::SystemViewer, Entity::System);
    let key = sandbox.handle().add_account(viewer).key;
    let place = json!({ "workspace": DATA_SCIENCE });
    let deployments = "query($workspace: Uuid!) { workspaceDeployments(workspaceUuid: $workspace) {
        id } }";
    let body = graphql(&sandbox, &key, deployments, place.clone())
        .await
        .json();
    let listed = json!([{ "id": FORECASTS }]);
    assert_eq!(body["data"]["workspaceDeployments"], listed);
    let body = graphql(&sandbox, &key, LIST, place.clone()).await.json();
    assert_eq!(told(&body), (REFUSED, "INTERNAL_SERVER_ERROR"));
    sandbox.handle().delete_workspace(DATA_SCIENCE);
    let body = graphql(&sandbox, &key, deployments, place).await.json();
    assert_eq!(body["data"]["workspaceDeployments"], json!([]));
}

#[tokio::test]
async fn lists_nothing_in_the_order_of_ids() {
    let sandbox = seeded().await;
    let ids = |body: &Value, field: &str| -> Vec<String> {
        let rows = body["data"][field].as_array().unwrap();
        rows.iter()
            .map(|row| row["id"].as_str().unwrap().into())
            .collect()
    };
    let admin = Persona::WorkspaceAdmin;
    let body = ask(&sandbox, admin, LIST, json!({ "workspace": ANALYTICS }))
        .await
        .json();
    let accounts = ids(&body, "workspaceServiceAccounts");
    assert!(accounts.len() > 1 && !accounts.is_sorted());
    let body = ask(&sandbox, admin, "{ workspaces { id } }", json!({}))
        .await
        .json();
    assert!(!ids(&body, "workspaces").is_sorted());
}

#[tokio::test]
async fn filters_workspaces_deployments_and_accounts_by_their_arguments() {
    let sandbox = seeded().await;
    let cases = [
        (
            Persona::WorkspaceAdmin,
            "workspaces(label: \"Analytics\")",
            1,
        ),
        (Persona::WorkspaceAdmin, "workspaces(label: \"Other\")", 0),
        (
            Persona::WorkspaceAdmin,
            "workspaceDeployments(workspaceUuid: \"cmf3dsc1e00020h6datascien\", releaseName: \"forecasts-0001\")",
            1,
        ),
        (
            Persona::WorkspaceAdmin,
            "workspaceDeployments(workspaceUuid: \"cmf3dsc1e00020h6datascien\", releaseName: \"other\")",
            0,
        ),
        (
            Persona::SystemAdmin,
            "serviceAccounts(entityType: SYSTEM)",
            1,
        ),
        (
            Persona::WorkspaceViewer,
            "serviceAccounts(entityType: WORKSPACE, entityUuid: \"cmf3ana1y00010h6analytics\")",
            4,
        ),
        (
            Persona::SystemAdmin,
            "serviceAccounts(entityType: WORKSPACE, serviceAccountUuid: \"cmf3acc1o00060h6terraform\")",
            1,
        ),
        (
            Persona::WorkspaceViewer,
            "serviceAccounts(entityType: WORKSPACE, serviceAccountUuid: \"cmf3acc1o00060h6terraform\")",
            1,
        ),
        (
            Persona::WorkspaceViewer,
            "serviceAccounts(entityType: WORKSPACE, serviceAccountUuid: \"cmf3acc1o00090h6notebooks\")",
            0,
        ),
    ];
    for (persona, field, count) in cases {
        let query = format!("{{ rows: {field} {{ id }} }}");
        let body = ask(&sandbox, persona, &query, json!({})).await.json();
        let rows = body["data"]["rows"].as_array();
        assert_eq!(rows.map(Vec::len), Some(count), "{field}: {body}");
    }
    for (field, message) in [
        ("serviceAccounts(entityType: SYSTEM)", REFUSED),
        (
            "serviceAccounts(entityType: WORKSPACE)",
            "A required argument was not sent: serviceAccountUuid or entityUuid",
        ),
    ] {
        let query = format!("{{ {field} {{ id }} }}");
        let body = ask(&sandbox, Persona::WorkspaceAdmin, &query, json!({}))
            .await
            .json();
        assert_eq!(told(&body).0, message, "{field}");
    }
}
