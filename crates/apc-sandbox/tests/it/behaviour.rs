//! The behaviour that both lines have beyond the recordings: tokens, rights and bindings.

use apc_sandbox::{Entity, NewAccount, Persona, Role, Sandbox, Store};
use chrono::TimeDelta;
use serde_json::json;

use crate::support::{
    ANALYTICS, CREATE, DELETE, FORECASTS, KEY, LINES, LIST, LIST_WITHOUT_DATE, ask, both, graphql,
    is_silent, labels, new_ci, post, refusal, w1,
};

#[tokio::test]
async fn lists_each_persona_its_workspaces() {
    for line in LINES {
        let sandbox = Sandbox::start_line(0, line).await.unwrap();
        let expected = [
            (Persona::SystemAdmin, 0),
            (Persona::WorkspaceAdmin, 2),
            (Persona::WorkspaceEditor, 1),
            (Persona::WorkspaceViewer, 1),
            (Persona::DeploymentAdmin, 0),
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
}

#[tokio::test]
async fn lets_a_persona_create_as_far_as_its_role_goes() {
    for line in LINES {
        let sandbox = Sandbox::start_line(0, line).await.unwrap();
        let expected = [
            (Persona::SystemAdmin, ""),
            (Persona::WorkspaceAdmin, ""),
            (Persona::WorkspaceEditor, ""),
            (Persona::WorkspaceViewer, refusal(line)),
            (Persona::DeploymentAdmin, refusal(line)),
            (Persona::Nobody, refusal(line)),
        ];
        for (persona, code) in expected {
            let label = format!("{persona:?}");
            let variables =
                json!({ "label": label, "workspace": ANALYTICS, "role": "WORKSPACE_VIEWER" });
            let answer = ask(&sandbox, persona, CREATE, variables).await;
            assert_eq!(answer.code(), code, "{persona:?}");
        }
    }
}

#[tokio::test]
async fn gives_a_created_key_the_rights_of_its_role_until_it_is_deleted() {
    for (sandbox, handle, token) in both().await {
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
}

#[tokio::test]
async fn refuses_an_expired_token_like_an_unknown_one() {
    for (sandbox, handle, _) in both().await {
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
}

#[tokio::test]
async fn a_release_without_a_field_refuses_to_select_it() {
    for (sandbox, handle, token) in both().await {
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
}

#[tokio::test]
async fn a_field_can_be_lacking_on_one_type_only() {
    for (sandbox, handle, token) in both().await {
        handle.lack_field("ServiceAccount.label");
        let answer = graphql(&sandbox, &token, "{ workspaces { label } }", json!({})).await;
        assert_eq!(answer.status, 200);
        let answer = graphql(&sandbox, &token, CREATE, new_ci()).await;
        assert_eq!(answer.status, 400);
        assert_eq!(labels(&handle), ["ci"]);
    }
}

#[tokio::test]
async fn a_key_may_delete_its_own_account() {
    for (sandbox, handle, _) in both().await {
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
}

#[tokio::test]
async fn a_deployment_admin_administers_the_accounts_of_its_deployment() {
    let create = "mutation($deployment: Uuid!) { createDeploymentServiceAccount(
        label: \"x\", deploymentUuid: $deployment, role: DEPLOYMENT_VIEWER) { id } }";
    let list = "query($deployment: Uuid!) { deploymentServiceAccounts(deploymentUuid: $deployment) { label } }";
    for line in LINES {
        let sandbox = Sandbox::start_line(0, line).await.unwrap();
        let (admin, place) = (Persona::DeploymentAdmin, json!({ "deployment": FORECASTS }));
        assert_eq!(ask(&sandbox, admin, create, place.clone()).await.code(), "");
        let listed = ask(&sandbox, admin, list, place).await.json();
        let rows = listed["data"]["deploymentServiceAccounts"]
            .as_array()
            .unwrap()
            .len();
        assert_eq!(rows, 2);
        let elsewhere = ask(&sandbox, admin, list, json!({ "deployment": "d" })).await;
        assert_eq!(elsewhere.code(), refusal(line));
    }
}

#[tokio::test]
async fn an_account_stands_in_every_list_it_is_bound_to_and_goes_from_all_at_once() {
    for (sandbox, handle, token) in both().await {
        handle.add_account(NewAccount {
            id: Some("a2".into()),
            ..NewAccount::new("two", Role::WorkspaceViewer, Entity::Workspace("w2".into()))
        });
        let rows = async || {
            let variables = json!({ "workspace": "w1" });
            let body = graphql(&sandbox, &token, LIST, variables).await.json();
            body["data"]["workspaceServiceAccounts"]
                .as_array()
                .unwrap()
                .len()
        };
        assert_eq!(rows().await, 1);
        assert!(handle.bind("a2", Role::WorkspaceEditor, w1()));
        assert!(!handle.bind("nobody", Role::WorkspaceEditor, w1()));
        assert_eq!(rows().await, 2);
        let account = &handle.accounts()[1];
        let bindings: Vec<_> = account
            .bindings
            .iter()
            .map(|binding| &*binding.role)
            .collect();
        assert_eq!(bindings, ["WORKSPACE_VIEWER", "WORKSPACE_EDITOR"]);
        assert_eq!(account.bindings[1].entity, w1());
        let variables = json!({ "id": "a2", "workspace": "w1" });
        assert_eq!(
            graphql(&sandbox, &token, DELETE, variables).await.code(),
            ""
        );
        assert_eq!(labels(&handle), ["ci"]);
    }
}

#[tokio::test]
async fn a_deleted_workspace_leaves_orphans_whose_keys_are_never_answered() {
    for (sandbox, handle, token) in both().await {
        assert!(handle.delete_workspace("w1"));
        assert!(!handle.delete_workspace("w1"));
        assert!(handle.accounts()[0].bindings.is_empty());
        let list = graphql(&sandbox, &token, LIST, json!({ "workspace": "w1" })).await;
        assert_eq!(list.code(), refusal(handle.line()));
        for query in ["{ workspaces { id } }", "{ appConfig { version } }"] {
            assert!(is_silent(&sandbox, KEY, query).await, "{query}");
        }
    }
}

#[tokio::test]
async fn a_workspace_role_on_a_deployment_makes_a_key_that_is_never_answered() {
    for (sandbox, handle, _) in both().await {
        let key = "00000000000000000000000000000d01";
        handle.add_account(NewAccount {
            key: Some(key.into()),
            ..NewAccount::new("x", Role::WorkspaceAdmin, Entity::Deployment("d1".into()))
        });
        assert!(is_silent(&sandbox, key, "{ workspaces { id } }").await);
    }
}

#[tokio::test]
async fn the_handle_tells_the_line_and_the_api_its_version() {
    for (line, version) in LINES.iter().zip(["2.2.0-sandbox", "0.16.0-sandbox"]) {
        let sandbox = Sandbox::start_line(0, *line).await.unwrap();
        assert_eq!(sandbox.handle().line(), *line);
        let body = json!({ "query": "{ appConfig { version } }" }).to_string();
        let answer = post(&sandbox, None, &body).await.json();
        assert_eq!(answer["data"]["appConfig"]["version"], version);
    }
}

#[test]
fn a_line_is_named_today_or_2020() {
    for (line, name) in LINES.iter().zip(["today", "2020"]) {
        assert_eq!(name.parse(), Ok(*line));
        assert_eq!(line.to_string(), name);
    }
    let unknown = "2021".parse::<apc_sandbox::Line>().unwrap_err();
    let message = "the sandbox speaks no line '2021'; accepted: today, 2020";
    assert_eq!(unknown.to_string(), message);
}

#[tokio::test]
async fn a_role_without_rights_shows_a_workspace_and_refuses_its_list() {
    for line in LINES {
        let w2 = Entity::Workspace("w2".into());
        let grants = [(Role::WorkspaceAdmin, w1()), (Role::User, w2)];
        let store = Store::empty()
            .line(line)
            .workspace("w1", "One")
            .workspace("w2", "Two");
        let sandbox = Sandbox::start_with(0, store.user("admin", &grants))
            .await
            .unwrap();
        let token = sandbox.handle().sign_in("admin", TimeDelta::hours(1));
        let body = graphql(&sandbox, &token, "{ workspaces { id } }", json!({}))
            .await
            .json();
        assert_eq!(body["data"]["workspaces"].as_array().unwrap().len(), 2);
        for (workspace, code) in [("w1", ""), ("w2", refusal(line))] {
            let list = graphql(&sandbox, &token, LIST, json!({ "workspace": workspace })).await;
            assert_eq!(list.code(), code, "{workspace}");
        }
    }
}
