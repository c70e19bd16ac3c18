//! `get_service_accounts`: one workspace or all that are visible, filtered and in pages.

use apc_sandbox::{Entity, NewAccount, Persona, Role, Sandbox, Store};
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::harness::*;

const TOOL: &str = "get_service_accounts";

async fn start() -> (Sandbox, Session) {
    let sandbox = Sandbox::start(0).await.unwrap();
    let session = Session::start(Era::USUAL, &sandbox).await;
    (sandbox, session)
}

async fn as_persona(sandbox: &Sandbox, persona: Persona) -> Session {
    Program::at(sandbox, persona).serve(Era::USUAL).await
}

/// One workspace `w1` with these accounts in it, and its admin's session.
async fn with_labels(labels: &[&str]) -> (Sandbox, Session) {
    let w1 = Entity::Workspace("w1".into());
    let mut store = Store::empty()
        .workspace("w1", "One")
        .user("admin", &[(Role::WorkspaceAdmin, w1.clone())]);
    for (number, label) in labels.iter().enumerate() {
        store = store.account(NewAccount {
            id: Some(format!("a{number:04}")),
            ..NewAccount::new(*label, Role::WorkspaceViewer, w1.clone())
        });
    }
    let sandbox = Sandbox::start_with(0, store).await.unwrap();
    let token = sandbox.handle().sign_in("admin", TimeDelta::days(1));
    let session = Program::with_token(&sandbox, &token)
        .serve(Era::USUAL)
        .await;
    (sandbox, session)
}

#[tokio::test]
async fn without_arguments_every_visible_workspace_and_its_accounts_are_shown() {
    let (_sandbox, mut session) = start().await;
    let found = session.call(TOOL, json!({})).await;
    let result = found.structured();
    let workspaces = result["workspaces"].as_array().unwrap();
    assert_eq!(workspaces.len(), 2);
    for expected in [
        json!({"id": ANALYTICS, "label": "Analytics", "count": 4}),
        json!({"id": DATA_SCIENCE, "label": "Data Science", "count": 2}),
    ] {
        assert!(workspaces.contains(&expected), "{expected}");
    }
    assert_eq!(result["total"], 6);
    assert_eq!(result.get("next_offset"), None);
    let mut labels = found.column("label");
    labels.sort_unstable();
    let expected = [
        "ci-deploy",
        "dashboard",
        "migration-2024",
        "model-training",
        "notebooks",
        "terraform",
    ];
    assert_eq!(labels, expected);
}

#[tokio::test]
async fn an_account_is_shown_with_all_that_the_api_knows_of_it() {
    let (_sandbox, mut session) = start().await;
    let found = session
        .call(TOOL, json!({"service_account_id": CI_DEPLOY}))
        .await;
    let account = &found.accounts()[0];
    assert_eq!(account["id"], CI_DEPLOY);
    assert_eq!(account["label"], "ci-deploy");
    assert_eq!(account["role"], "WORKSPACE_EDITOR");
    assert_eq!(account["category"], "ci-cd");
    assert_eq!(account["workspace_id"], ANALYTICS);
    assert_eq!(account["active"], true);
    for field in ["created_at", "updated_at", "last_used_at", "api_key"] {
        assert!(account[field].is_string(), "{field}");
    }
}

#[tokio::test]
async fn a_value_that_is_absent_is_left_out() {
    let (_sandbox, mut session) = start().await;
    let found = session
        .call(TOOL, json!({"service_account_id": MIGRATION}))
        .await;
    let account = &found.accounts()[0];
    assert_eq!(account.get("category"), None);
    assert_eq!(account.get("last_used_at"), None);
}

#[tokio::test]
async fn an_old_key_is_masked_and_a_new_one_is_as_the_api_returns_it_where_keys_are_shown() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let program = Program::at(&sandbox, Persona::WorkspaceAdmin).args(&["--key-output", "show"]);
    let mut session = program.serve(Era::USUAL).await;
    let found = session.call(TOOL, json!({})).await;
    for account in found.accounts() {
        let label = account["label"].as_str().unwrap();
        let real = truth(&sandbox.handle(), label).key;
        let expected = match label {
            "model-training" => real,
            _ => format!("{}{}", &real[..6], "*".repeat(26)),
        };
        assert_eq!(account["api_key"], expected, "{label}");
    }
}

#[tokio::test]
async fn one_workspace_is_shown_alone() {
    let (_sandbox, mut session) = start().await;
    let found = session
        .call(TOOL, json!({"workspace_id": DATA_SCIENCE}))
        .await;
    assert_eq!(found.structured()["total"], 2);
    assert_eq!(found.structured().get("workspaces"), None);
    assert_eq!(found.column("workspace_id"), [DATA_SCIENCE; 2]);
}

#[tokio::test]
async fn the_default_workspace_does_not_narrow_the_list() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = Program::at(&sandbox, Persona::WorkspaceAdmin)
        .args(&["--workspace-id", DATA_SCIENCE])
        .serve(Era::USUAL)
        .await;
    let found = session.call(TOOL, json!({})).await;
    assert_eq!(found.structured()["total"], 6);
}

#[tokio::test]
async fn accounts_of_deployments_and_of_the_system_are_never_shown() {
    let (_sandbox, mut session) = start().await;
    let found = session.call(TOOL, json!({})).await;
    let ids = found.column("id");
    assert!(!ids.contains(&FORECASTS) && !ids.contains(&BOOTSTRAP));
}

#[tokio::test]
async fn a_label_is_searched_in_any_case_and_anywhere() {
    let (_sandbox, mut session) = with_labels(&["ci-Deploy", "Deploy", "nightly", "ÄRGER"]).await;
    for (text, expected) in [
        ("deploy", vec!["Deploy", "ci-Deploy"]),
        ("DEPLOY", vec!["Deploy", "ci-Deploy"]),
        ("ght", vec!["nightly"]),
        ("ärger", vec!["ÄRGER"]),
        ("-", vec!["ci-Deploy"]),
        (".*", vec![]),
    ] {
        let found = session.call(TOOL, json!({"label": text})).await;
        let mut labels = found.column("label");
        labels.sort_unstable();
        assert_eq!(labels, expected, "{text}");
        assert_eq!(found.structured()["total"], expected.len(), "{text}");
        let matches = &found.structured()["workspaces"][0]["count"];
        assert_eq!(*matches, expected.len(), "{text}");
    }
}

#[tokio::test]
async fn the_filters_hold_together() {
    let (_sandbox, mut session) = start().await;
    let both = json!({"workspace_id": ANALYTICS, "label": "E", "limit": 1});
    let found = session.call(TOOL, both).await;
    // ci-deploy and terraform: one of them is on the next page.
    assert_eq!(found.column("label").len(), 1);
    assert_eq!(found.structured()["total"], 2);
    assert_eq!(found.structured()["next_offset"], 1);
}

#[tokio::test]
async fn the_pages_together_are_the_whole_list() {
    let labels: Vec<String> = (0..7).map(|number| format!("label-{number}")).collect();
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let (_sandbox, mut session) = with_labels(&labels).await;
    let (mut seen, mut offset, mut pages) = (Vec::new(), json!(0), 0);
    while !offset.is_null() {
        let page = session
            .call(TOOL, json!({"limit": 3, "offset": offset}))
            .await;
        assert_eq!(page.structured()["total"], 7);
        seen.extend(page.column("label").into_iter().map(str::to_owned));
        offset = page.structured()["next_offset"].clone();
        pages += 1;
    }
    seen.sort();
    assert_eq!(seen, labels);
    assert_eq!(pages, 3);
}

#[tokio::test]
async fn a_page_that_ends_with_the_list_has_no_next_one() {
    let (_sandbox, mut session) = with_labels(&["a", "b", "c"]).await;
    for (limit, offset, shown) in [(3, 0, 3), (2, 1, 2), (1, 2, 1), (5, 3, 0), (5, 100, 0)] {
        let page = session
            .call(TOOL, json!({"limit": limit, "offset": offset}))
            .await;
        assert_eq!(page.accounts().len(), shown, "{limit} {offset}");
        assert_eq!(page.structured()["total"], 3);
        assert_eq!(
            page.structured().get("next_offset"),
            None,
            "{limit} {offset}"
        );
    }
}

#[tokio::test]
async fn a_page_holds_100_accounts_unless_told_otherwise() {
    let labels = vec!["one-of-many"; 101];
    let (_sandbox, mut session) = with_labels(&labels).await;
    let found = session.call(TOOL, json!({})).await;
    assert_eq!(found.accounts().len(), 100);
    assert_eq!(found.structured()["next_offset"], 100);
    let all = session.call(TOOL, json!({"limit": 1000})).await;
    assert_eq!(all.accounts().len(), 101);
}

#[tokio::test]
async fn an_account_is_found_by_its_id_in_whichever_workspace_it_is() {
    let (_sandbox, mut session) = start().await;
    for (id, workspace) in [(CI_DEPLOY, ANALYTICS), (NOTEBOOKS, DATA_SCIENCE)] {
        let found = session.call(TOOL, json!({"service_account_id": id})).await;
        assert_eq!(found.column("id"), [id]);
        assert_eq!(found.column("workspace_id"), [workspace]);
    }
}

#[tokio::test]
async fn an_id_in_no_list_is_not_found() {
    let (_sandbox, mut session) = start().await;
    for id in [NOTHING, BOOTSTRAP] {
        let refused = session.call(TOOL, json!({"service_account_id": id})).await;
        assert_says(refused.refusal("not_found"), &[id]);
        assert_eq!(refused.error()["service_account_id"], id);
    }
}

#[tokio::test]
async fn an_id_of_another_workspace_is_not_found_in_this_one() {
    let (sandbox, mut session) = start().await;
    for id in [NOTEBOOKS, FORECASTS, BOOTSTRAP, NOTHING] {
        let one = json!({"service_account_id": id, "workspace_id": ANALYTICS});
        let refused = session.call(TOOL, one).await;
        assert_says(refused.refusal("not_found"), &[id, ANALYTICS]);
        assert_eq!(refused.error()["workspace_id"], ANALYTICS);
    }
    // The single read would have handed each of them out.
    assert_eq!(count(&sandbox.handle(), "workspaceServiceAccount"), 0);
}

#[tokio::test]
async fn a_workspace_that_does_not_exist_is_not_found() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = as_persona(&sandbox, Persona::SystemAdmin).await;
    let refused = session.call(TOOL, json!({"workspace_id": NOTHING})).await;
    assert_says(refused.refusal("not_found"), &[NOTHING]);
    assert_eq!(refused.error()["workspace_id"], NOTHING);
}

#[tokio::test]
async fn a_workspace_without_accounts_is_an_empty_list() {
    let (_sandbox, mut session) = with_labels(&[]).await;
    for arguments in [json!({}), json!({"workspace_id": "w1"})] {
        let found = session.call(TOOL, arguments).await;
        assert_eq!(found.structured()["total"], 0);
        assert_eq!(found.structured()["service_accounts"], json!([]));
    }
}

#[tokio::test]
async fn a_token_without_a_role_in_any_workspace_is_told_so() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = as_persona(&sandbox, Persona::Nobody).await;
    let refused = session.call(TOOL, json!({})).await;
    assert_says(
        refused.refusal("permission_denied"),
        &["no role in any workspace", "only roles on deployments"],
    );
}

#[tokio::test]
async fn a_system_admin_has_to_name_a_workspace_where_the_release_does_not_list_all() {
    let sandbox = Sandbox::start(0).await.unwrap();
    sandbox.handle().lack_field("Query.sysWorkspaces");
    let mut session = as_persona(&sandbox, Persona::SystemAdmin).await;
    let refused = session.call(TOOL, json!({})).await;
    assert_says(
        refused.refusal("invalid_arguments"),
        &["workspace_id", "system-level"],
    );
}

#[tokio::test]
async fn a_system_admin_reads_any_workspace_it_names() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = as_persona(&sandbox, Persona::SystemAdmin).await;
    let found = session.call(TOOL, json!({"workspace_id": ANALYTICS})).await;
    assert_eq!(found.structured()["total"], 4);
}

#[tokio::test]
async fn the_default_workspace_is_visible_to_a_token_that_lists_none() {
    let sandbox = Sandbox::start(0).await.unwrap();
    sandbox.handle().lack_field("Query.sysWorkspaces");
    let mut session = Program::at(&sandbox, Persona::SystemAdmin)
        .args(&["--workspace-id", ANALYTICS])
        .serve(Era::USUAL)
        .await;
    let found = session.call(TOOL, json!({})).await;
    assert_eq!(found.structured()["total"], 4);
    assert_eq!(found.structured()["workspaces"][0]["id"], ANALYTICS);
}

#[tokio::test]
async fn a_viewer_sees_its_own_workspace_alone() {
    let sandbox = Sandbox::start(0).await.unwrap();
    for persona in [Persona::WorkspaceViewer, Persona::WorkspaceEditor] {
        let mut session = as_persona(&sandbox, persona).await;
        let found = session.call(TOOL, json!({})).await;
        let workspaces = found.structured()["workspaces"].as_array().unwrap();
        let ids: Vec<&Value> = workspaces.iter().map(|one| &one["id"]).collect();
        assert_eq!(ids, [ANALYTICS], "{persona:?}");
        let foreign = session
            .call(TOOL, json!({"workspace_id": DATA_SCIENCE}))
            .await;
        foreign.refusal("permission_denied");
    }
}

#[tokio::test]
async fn labels_are_shown_verbatim_whatever_the_api_let_in() {
    let odd = [
        "",
        "  padded  ",
        "two\nlines",
        "\u{202e}backwards",
        "'; DROP TABLE --",
        "名前",
    ];
    let (_sandbox, mut session) = with_labels(&odd).await;
    let found = session.call(TOOL, json!({})).await;
    let mut labels = found.column("label");
    labels.sort_unstable_by_key(|label| odd.iter().position(|one| one == label));
    assert_eq!(labels, odd);
}

#[tokio::test]
async fn reading_changes_nothing() {
    let (sandbox, mut session) = start().await;
    let before = sandbox.handle().accounts();
    session.call(TOOL, json!({})).await.structured();
    assert_eq!(mutations(&sandbox.handle()), 0);
    assert_eq!(sandbox.handle().accounts(), before);
}
