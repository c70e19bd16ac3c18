//! `get_service_accounts`: one workspace or all that are visible, filtered and in pages.

use std::time::Duration;

use apc_sandbox::{Entity, Fault, NewAccount, On, Persona, Role, Sandbox, Store};
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
    assert_eq!(result.get("next_cursor"), None);
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
    let (sandbox, mut session) = start().await;
    let found = session
        .call(TOOL, json!({"service_account_id": CI_DEPLOY}))
        .await;
    let account = &found.accounts()[0];
    assert_eq!(account["id"], CI_DEPLOY);
    assert_eq!(account["label"], "ci-deploy");
    assert_eq!(account["role"], "WORKSPACE_EDITOR");
    assert_eq!(account["category"], "ci-cd");
    assert_eq!(account["workspace_id"], ANALYTICS);
    let key = truth(&sandbox.handle(), "ci-deploy").key;
    assert_eq!(account["api_key"], format!("{}…", &key[..6]));
    for field in ["created_at", "last_used_at"] {
        let time = account[field].as_str().unwrap();
        assert!(time.ends_with('Z') && time.len() == 20, "{field} {time}");
    }
}

#[tokio::test]
async fn a_value_that_is_absent_or_usual_is_left_out() {
    let (_sandbox, mut session) = start().await;
    let found = session
        .call(TOOL, json!({"service_account_id": MIGRATION}))
        .await;
    let account = &found.accounts()[0];
    for field in [
        "category",
        "last_used_at",
        "active",
        "updated_at",
        "other_bindings",
    ] {
        assert_eq!(account.get(field), None, "{field}");
    }
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
    assert!(found.structured()["next_cursor"].is_string());
}

#[tokio::test]
async fn a_page_holds_50_accounts_unless_told_otherwise_and_200_at_most() {
    let labels = vec!["one-of-many"; 201];
    let (_sandbox, mut session) = with_labels(&labels).await;
    let found = session.call(TOOL, json!({})).await;
    assert_eq!(found.accounts().len(), 50);
    let all = session.call(TOOL, json!({"limit": 200})).await;
    assert_eq!(all.accounts().len(), 200);
    assert!(all.structured()["next_cursor"].is_string());
    session
        .call(TOOL, json!({"limit": 201}))
        .await
        .refusal("invalid_arguments");
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

/// An answer in place of the API's.
fn canned(body: &str) -> Fault {
    Fault::Answer {
        status: 200,
        headers: vec![("content-type".into(), "application/json".into())],
        body: body.to_owned(),
        executed: false,
    }
}

/// Every page of a call, one after the other.
async fn pages(session: &mut Session, arguments: &Value) -> Vec<Outcome> {
    let (mut pages, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let mut page = arguments.clone();
        page["cursor"] = cursor;
        let found = session.call(TOOL, page).await;
        cursor = found.structured()["next_cursor"].clone();
        pages.push(found);
        if cursor.is_null() {
            return pages;
        }
    }
}

fn labels_of(pages: &[Outcome]) -> Vec<&str> {
    pages.iter().flat_map(|page| page.column("label")).collect()
}

/// Two workspaces whose accounts were created in turns, and their admin's session. Label `n` is the `n`th oldest.
async fn in_turns(number: u64) -> (Sandbox, Session) {
    let places = ["w1", "w2"].map(|id| Entity::Workspace(id.into()));
    let mut store = Store::empty()
        .workspace("w1", "One")
        .workspace("w2", "Two")
        .user(
            "admin",
            &places.clone().map(|place| (Role::WorkspaceAdmin, place)),
        );
    for n in 0..number {
        let place = places[usize::try_from(n % 2).unwrap()].clone();
        store = store.account(NewAccount {
            // The ids tell nothing of the age.
            id: Some(format!("a{}", n * 7 % 10)),
            age: Duration::from_secs(3600 * (number - n)),
            ..NewAccount::new(n.to_string(), Role::WorkspaceViewer, place)
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
async fn the_pages_are_sorted_by_creation_over_all_places_in_both_orders() {
    let (_sandbox, mut session) = in_turns(7).await;
    for (order, expected) in [
        (json!(null), ["0", "1", "2", "3", "4", "5", "6"]),
        (json!("oldest"), ["0", "1", "2", "3", "4", "5", "6"]),
        (json!("newest"), ["6", "5", "4", "3", "2", "1", "0"]),
    ] {
        for limit in [1, 3, 7, 200] {
            let arguments = json!({"limit": limit, "order": order});
            let pages = pages(&mut session, &arguments).await;
            assert_eq!(labels_of(&pages), expected, "{arguments}");
            assert_eq!(pages.len(), 7_usize.div_ceil(limit), "{arguments}");
            for (number, page) in pages.iter().enumerate() {
                assert_eq!(page.structured()["total"], 7);
                let Some(counts) = page.structured()["workspaces"].as_array() else {
                    assert_ne!(number, 0);
                    continue;
                };
                // The first page says it for all.
                assert_eq!(number, 0);
                let counts: Vec<_> = counts.iter().map(|place| &place["count"]).collect();
                assert!(counts == [4, 3] || counts == [3, 4], "{counts:?}");
            }
        }
    }
}

#[tokio::test]
async fn accounts_of_one_moment_are_sorted_by_their_ids() {
    let w1 = Entity::Workspace("w1".into());
    let row = |id: &str| json!({"id": id, "label": id, "createdAt": "2026-01-01T00:00:00.000Z", "apiKey": "a".repeat(32)});
    let rows = ["c", "a", "d", "b"].map(row);
    let answer = json!({"data": {LIST: rows}}).to_string();
    let store = Store::empty()
        .workspace("w1", "One")
        .user("admin", &[(Role::WorkspaceAdmin, w1)]);
    let sandbox = Sandbox::start_with(0, store).await.unwrap();
    let token = sandbox.handle().sign_in("admin", TimeDelta::days(1));
    let mut session = Program::with_token(&sandbox, &token)
        .serve(Era::USUAL)
        .await;
    let fault = canned(&answer);
    sandbox.handle().inject(fault, On::Field(LIST), 4);
    let arguments = json!({"workspace_id": "w1", "limit": 1});
    let pages = pages(&mut session, &arguments).await;
    assert_eq!(labels_of(&pages), ["a", "b", "c", "d"]);
}

#[tokio::test]
async fn a_cursor_goes_on_behind_its_account_whatever_was_deleted_or_created_meanwhile() {
    let (sandbox, mut session) = in_turns(8).await;
    let mut page = json!({"limit": 3});
    let first = session.call(TOOL, page.clone()).await;
    assert_eq!(first.column("label"), ["0", "1", "2"]);
    // One that was seen, the one that the cursor is of, one that comes, and a new one.
    for label in ["0", "2", "4"] {
        let id = truth(&sandbox.handle(), label).id;
        assert!(sandbox.handle().remove_account(&id));
    }
    let new = NewAccount::new("new", Role::WorkspaceViewer, Entity::Workspace("w1".into()));
    sandbox.handle().add_account(new);
    page["cursor"] = first.structured()["next_cursor"].clone();
    let second = session.call(TOOL, page.clone()).await;
    assert_eq!(second.column("label"), ["3", "5", "6"]);
    assert_eq!(second.structured()["total"], 6);
    page["cursor"] = second.structured()["next_cursor"].clone();
    let third = session.call(TOOL, page).await;
    assert_eq!(third.column("label"), ["7", "new"]);
    assert_eq!(third.structured().get("next_cursor"), None);
}

#[tokio::test]
async fn a_cursor_is_for_the_same_other_arguments_and_for_any_process() {
    let (sandbox, mut session) = in_turns(8).await;
    let first = session.call(TOOL, json!({"limit": 2})).await;
    let cursor = first.structured()["next_cursor"].clone();
    let before = sandbox.handle().requests().len();
    for other in [
        json!({"limit": 3}),
        json!({"limit": 2, "workspace_id": "w1"}),
        json!({"limit": 2, "label": "1"}),
        json!({"limit": 2, "role": "WORKSPACE_VIEWER"}),
        json!({"limit": 2, "order": "newest"}),
        json!({"limit": 2, "unused_since": "2026-01-01"}),
        json!({}),
    ] {
        let mut page = other;
        page["cursor"] = cursor.clone();
        let refused = session.call(TOOL, page).await;
        let text = refused.refusal("invalid_arguments");
        assert_says(text, &["cursor", "same other arguments", "leave it out"]);
    }
    assert_eq!(sandbox.handle().requests().len(), before);
    let token = sandbox.handle().sign_in("admin", TimeDelta::days(1));
    let mut another = Program::with_token(&sandbox, &token)
        .serve(Era::Stateless)
        .await;
    let same =
        json!({"cursor": cursor, "limit": 2.0, "order": "oldest", "label": "", "role": null});
    let second = another.call(TOOL, same).await;
    assert_eq!(second.column("label"), ["2", "3"]);
}

#[tokio::test]
async fn a_limit_of_0_only_counts() {
    let (_sandbox, mut session) = start().await;
    for arguments in [
        json!({"limit": 0}),
        json!({"limit": 0, "label": "dash", "order": "newest"}),
    ] {
        let counted = session.call(TOOL, arguments.clone()).await;
        let result = counted.structured();
        let all = session
            .call(TOOL, json!({"label": arguments["label"]}))
            .await;
        assert_eq!(result["service_accounts"], json!([]));
        assert_eq!(result["total"], all.structured()["total"]);
        assert_eq!(result["workspaces"].as_array().unwrap().len(), 2);
        let listed = all.structured()["workspaces"].as_array().unwrap();
        for place in listed {
            assert!(result["workspaces"].as_array().unwrap().contains(place));
        }
        assert_eq!(result.get("next_cursor"), None);
    }
}

#[tokio::test]
async fn each_filter_shows_what_fits_and_counts_it() {
    let (sandbox, mut session) = start().await;
    let key = truth(&sandbox.handle(), "terraform").key;
    let fresh = truth(&sandbox.handle(), "model-training").key;
    let days_ago = |days| {
        (chrono::Utc::now() - TimeDelta::days(days))
            .date_naive()
            .to_string()
    };
    for (filter, expected) in [
        (json!({"role": "WORKSPACE_ADMIN"}), vec!["terraform"]),
        (
            json!({"role": "WORKSPACE_VIEWER"}),
            vec!["dashboard", "notebooks"],
        ),
        (json!({"category": "ci-cd"}), vec!["ci-deploy"]),
        (json!({"category": "ci"}), vec![]),
        (json!({"key_prefix": &key[..6]}), vec!["terraform"]),
        (
            json!({"key_prefix": format!("{}…", &key[..6])}),
            vec!["terraform"],
        ),
        (json!({"key_prefix": key}), vec!["terraform"]),
        (json!({"key_prefix": &fresh[..20]}), vec!["model-training"]),
        (
            json!({"key_prefix": format!("{}{}", &fresh[..20], "x")}),
            vec![],
        ),
        (
            json!({"unused_since": days_ago(6)}),
            vec!["migration-2024", "notebooks", "model-training"],
        ),
        (
            json!({"unused_since": days_ago(6), "workspace_id": ANALYTICS}),
            vec!["migration-2024"],
        ),
        (
            json!({"unused_since": days_ago(100)}),
            vec!["migration-2024", "model-training"],
        ),
        (
            json!({"label": "m*"}),
            vec!["migration-2024", "model-training"],
        ),
        (
            json!({"label": "*D*E*"}),
            vec!["ci-deploy", "model-training"],
        ),
        (
            json!({"label": "M*", "role": "WORKSPACE_EDITOR", "unused_since": days_ago(1)}),
            vec!["migration-2024", "model-training"],
        ),
        (json!({"label": "nothing-like-it"}), vec![]),
    ] {
        let found = session.call(TOOL, filter.clone()).await;
        let mut labels = found.column("label");
        labels.sort_unstable_by_key(|label| expected.iter().position(|one| one == label));
        assert_eq!(labels, expected, "{filter}");
        assert_eq!(found.structured()["total"], expected.len(), "{filter}");
        assert_eq!(found.structured().get("notes"), None, "{filter}");
        if let Some(workspaces) = found.structured()["workspaces"].as_array() {
            let counts = workspaces
                .iter()
                .map(|place| place["count"].as_u64().unwrap());
            assert_eq!(counts.clone().sum::<u64>(), expected.len() as u64);
            // Filters that drop everything still show every place.
            let with_matches = counts.filter(|count| *count > 0).count();
            let shown = if expected.is_empty() { 2 } else { with_matches };
            assert_eq!(workspaces.len(), shown, "{filter}");
        }
    }
}

#[tokio::test]
async fn a_role_that_no_account_has_is_answered_with_the_roles_that_they_have() {
    let (sandbox, mut session) = start().await;
    assert!(
        sandbox
            .handle()
            .bind(CI_DEPLOY, Role::SystemAdmin, Entity::System)
    );
    for role in [
        "SYSTEM_ADMIN",
        "ADMIN",
        "workspace_admin",
        "WORKSPACE_*",
        "DEPLOYMENT_ADMIN",
    ] {
        for filter in [
            json!({"role": role}),
            json!({"role": role, "label": "ci-*", "limit": 0}),
        ] {
            let found = session.call(TOOL, filter).await;
            assert_eq!(found.structured()["total"], 0, "{role}");
            let notes = found.structured()["notes"].to_string();
            assert_says(
                &notes,
                &[
                    &format!("the role '{role}'"),
                    "'WORKSPACE_ADMIN', 'WORKSPACE_EDITOR', 'WORKSPACE_VIEWER'",
                    "other_bindings",
                ],
            );
        }
    }
    let deployments = json!({"role": "DEPLOYMENT_ADMIN"});
    let found = session.call(TOOL, deployments).await;
    let notes = found.structured()["notes"].to_string();
    assert_says(&notes, &["include_deployments"]);
    let one = json!({"role": "SYSTEM_ADMIN", "workspace_id": DATA_SCIENCE});
    let found = session.call(TOOL, one).await;
    let notes = found.structured()["notes"].to_string();
    assert_says(&notes, &["'WORKSPACE_EDITOR', 'WORKSPACE_VIEWER'"]);
    // A role that accounts have is known, whatever the other filters drop.
    let other = json!({"role": "WORKSPACE_ADMIN", "label": "ci-*"});
    let found = session.call(TOOL, other).await;
    assert_eq!(found.structured()["total"], 0);
    assert_eq!(found.structured().get("notes"), None);
}

#[tokio::test]
async fn an_example_of_a_role_is_named_where_the_server_only_reads() {
    let program = Program::bare().args(&["--read-only"]);
    let tools = program.serve(Era::USUAL).await.list_tools().await;
    assert_says(
        tools[0]["inputSchema"]["properties"]["role"]["description"]
            .as_str()
            .unwrap(),
        &["WORKSPACE_ADMIN"],
    );
}

#[tokio::test]
async fn an_account_that_the_other_filters_drop_is_not_said_to_be_missing() {
    let (_sandbox, mut session) = start().await;
    let other = json!({"service_account_id": CI_DEPLOY, "role": "WORKSPACE_ADMIN"});
    let found = session.call(TOOL, other).await;
    assert_eq!(found.structured()["total"], 0);
    assert_eq!(found.structured()["workspaces"][0]["count"], 0);
}

#[tokio::test]
async fn a_filter_by_what_the_release_does_not_show_matches_nothing_and_says_why() {
    for (field, filter, why) in [
        (
            "roleBinding",
            json!({"role": "WORKSPACE_ADMIN"}),
            "does not show roles",
        ),
        (
            "ServiceAccount.category",
            json!({"category": "ci-cd"}),
            "did not show the category",
        ),
        (
            "ServiceAccount.lastUsedAt",
            json!({"unused_since": "2026-01-01"}),
            "did not show the last use",
        ),
        (
            "ServiceAccount.apiKey",
            json!({"key_prefix": "429b85"}),
            "fewer than 6 characters",
        ),
    ] {
        let sandbox = Sandbox::start(0).await.unwrap();
        sandbox.handle().lack_field(field);
        sandbox.handle().lack_field("roleBindings");
        let mut session = Session::start(Era::USUAL, &sandbox).await;
        let found = session.call(TOOL, filter.clone()).await;
        assert_eq!(found.structured()["total"], 0, "{filter}");
        let notes = found.structured()["notes"].to_string();
        assert_says(&notes, &[why, "has left out 6 accounts"]);
    }
}

#[tokio::test]
async fn a_last_use_that_could_not_be_read_is_not_taken_for_never() {
    for path in [json!([LIST, 0, "lastUsedAt"]), json!([LIST]), json!([])] {
        let (sandbox, mut session) = start().await;
        let row = json!({"id": "ck1", "label": "x", "createdAt": "2026-01-01T00:00:00Z", "lastUsedAt": null});
        let body = json!({
            "data": {LIST: [row]},
            "errors": [{"message": "x", "path": path}],
        });
        let fault = canned(&body.to_string());
        sandbox.handle().inject(fault, On::Field(LIST), 1);
        let found = session
            .call(
                TOOL,
                json!({"workspace_id": ANALYTICS, "unused_since": "2026-10-01"}),
            )
            .await;
        assert_eq!(found.structured()["total"], 0, "{path}");
        let notes = found.structured()["notes"].to_string();
        assert_says(&notes, &["unused_since", "1 account"]);
    }
}

#[tokio::test]
async fn a_date_of_another_json_type_costs_no_row() {
    let (sandbox, mut session) = start().await;
    let odd = [
        json!(1754000000000_u64),
        json!(-1.5),
        json!(true),
        json!([1, [2]]),
        json!({"at": {"s": 1}}),
    ];
    for field in ["createdAt", "updatedAt", "lastUsedAt"] {
        for value in &odd {
            let mut strange = json!({"id": "ck1", "label": "strange", "lastUsedAt": null});
            strange[field] = value.clone();
            let usual =
                json!({"id": "ck2", "label": "usual", "createdAt": "2026-01-01T00:00:00.000Z"});
            let body = json!({"data": {LIST: [strange, usual]}}).to_string();
            sandbox.handle().inject(canned(&body), On::Field(LIST), 1);
            let one = json!({"workspace_id": ANALYTICS, "unused_since": "2026-10-01"});
            let found = session.call(TOOL, one).await;
            // What cannot be read is not taken for never.
            let expected = match field {
                "lastUsedAt" => [].as_slice(),
                _ => ["strange"].as_slice(),
            };
            assert_eq!(found.column("label"), expected, "{field} {value}");
            sandbox.handle().inject(canned(&body), On::Field(LIST), 1);
            let found = session.call(TOOL, json!({"workspace_id": ANALYTICS})).await;
            assert_eq!(found.accounts().len(), 2, "{field} {value}");
            let row = found.accounts().iter().find(|row| row["id"] == "ck1");
            let shown = match field {
                "createdAt" => &row.unwrap()["created_at"],
                "updatedAt" => &row.unwrap()["updated_at"],
                _ => &row.unwrap()["last_used_at"],
            };
            let text = match value.is_number() {
                true => json!(value.to_string()),
                false => Value::Null,
            };
            assert_eq!(*shown, text, "{field} {value}");
        }
    }
}

#[tokio::test]
async fn an_account_of_two_workspaces_has_a_row_in_each() {
    let (sandbox, mut session) = start().await;
    let there = Entity::Workspace(DATA_SCIENCE.into());
    assert!(
        sandbox
            .handle()
            .bind(CI_DEPLOY, Role::WorkspaceViewer, there)
    );
    for limit in [1, 50] {
        let arguments = json!({"service_account_id": CI_DEPLOY, "limit": limit});
        let pages = pages(&mut session, &arguments).await;
        let rows: Vec<_> = pages.iter().flat_map(|page| page.accounts()).collect();
        let mut places: Vec<_> = rows
            .iter()
            .map(|row| (&row["workspace_id"], &row["role"]))
            .collect();
        places.sort_by_key(|(place, _)| place.to_string());
        assert_eq!(
            places,
            [
                (&json!(ANALYTICS), &json!("WORKSPACE_EDITOR")),
                (&json!(DATA_SCIENCE), &json!("WORKSPACE_VIEWER")),
            ]
        );
        assert!(pages.iter().all(|page| page.structured()["total"] == 2));
    }
}

#[tokio::test]
async fn now_is_the_clock_of_the_platform() {
    let (sandbox, mut session) = start().await;
    sandbox.handle().skew_clock(TimeDelta::hours(5));
    for arguments in [
        json!({}),
        json!({"workspace_id": ANALYTICS}),
        json!({"limit": 0}),
    ] {
        let found = session.call(TOOL, arguments).await;
        let now = found.structured()["now"].as_str().unwrap().to_owned();
        assert_eq!(now.len(), "2026-01-01T00:00:00Z".len());
        let now = chrono::DateTime::parse_from_rfc3339(&now).unwrap();
        let ahead = now.to_utc() - chrono::Utc::now();
        assert!(
            (ahead - TimeDelta::hours(5)).abs() < TimeDelta::minutes(5),
            "{ahead}"
        );
    }
}

#[tokio::test]
async fn a_page_is_cut_at_60_000_characters_and_the_next_one_goes_on() {
    let labels: Vec<String> = (0..30)
        .map(|n| format!("{n:02}{}", "ü".repeat(5_000)))
        .collect();
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let (_sandbox, mut session) = with_labels(&labels).await;
    let pages = pages(&mut session, &json!({"limit": 200})).await;
    assert_eq!(pages.len(), 3);
    for page in &pages {
        let length = page.text().chars().count();
        assert!(length <= 60_000, "{length}");
    }
    let mut seen = labels_of(&pages);
    seen.sort_unstable();
    assert_eq!(seen, labels);
}

/// So many workspaces, of which the last one has an account, and their admin's session.
async fn with_workspaces(count: usize) -> (Sandbox, Session) {
    let mut store = Store::empty();
    let mut bindings = Vec::new();
    for number in 0..count {
        let id = format!("w{number:024}");
        store = store.workspace(&id, &format!("Workspace number {number}"));
        bindings.push((Role::WorkspaceAdmin, Entity::Workspace(id.clone())));
    }
    let last = bindings[count - 1].1.clone();
    let account = NewAccount::new("lonely", Role::WorkspaceViewer, last);
    let store = store.user("admin", &bindings).account(account);
    let sandbox = Sandbox::start_with(0, store).await.unwrap();
    let token = sandbox.handle().sign_in("admin", TimeDelta::days(1));
    let session = Program::with_token(&sandbox, &token)
        .serve(Era::USUAL)
        .await;
    (sandbox, session)
}

#[tokio::test]
async fn a_filter_that_fits_shows_no_places_without_matches() {
    let (sandbox, mut session) = with_workspaces(400).await;
    let found = session.call(TOOL, json!({"label": "lone*"})).await;
    let workspaces = &found.structured()["workspaces"];
    let last = json!({"id": format!("w{:024}", 399), "label": "Workspace number 399", "count": 1});
    assert_eq!(*workspaces, json!([last]));
    assert_eq!(found.structured().get("notes"), None);
    let length = found.text().chars().count();
    assert!(length < 1_000, "{length}");
    // A place that could not be read may have some.
    let fault = Fault::ErrorBefore {
        code: "INTERNAL_SERVER_ERROR".into(),
        message: "trouble".into(),
    };
    sandbox.handle().inject_nth(fault, On::Field(LIST), 200);
    let found = session.call(TOOL, json!({"label": "lone*"})).await;
    let workspaces = found.structured()["workspaces"].as_array().unwrap();
    assert_eq!(workspaces.len(), 2);
    let unread = workspaces.iter().filter(|one| one.get("count").is_none());
    assert_eq!(unread.count(), 1);
    let nothing = json!({"label": "nothing-like-it", "limit": 1});
    let found = session.call(TOOL, nothing).await;
    let workspaces = found.structured()["workspaces"].as_array().unwrap();
    assert!(workspaces.len() > 100, "{}", workspaces.len());
}

#[tokio::test]
async fn a_filter_that_fits_shows_the_deployments_with_matches_alone() {
    let (_sandbox, mut session) = start().await;
    let all = json!({"include_deployments": true});
    let all = session.call(TOOL, all).await;
    let fitting = json!({"include_deployments": true, "label": "forecasts"});
    let found = session.call(TOOL, fitting).await;
    let deployments = |found: &Outcome| {
        let workspaces = found.structured()["workspaces"].as_array().unwrap();
        let lists = workspaces.iter().map(|one| one["deployments"].as_array());
        lists
            .map(|list| list.map_or(0, Vec::len))
            .collect::<Vec<_>>()
    };
    assert_eq!(deployments(&all), [1, 1]);
    assert_eq!(found.structured()["total"], 1);
    assert_eq!(deployments(&found), [1]);
    let workspace = &found.structured()["workspaces"][0];
    assert_eq!(workspace["id"], DATA_SCIENCE);
    assert_eq!(workspace["deployments"][0]["count"], 1);
}

#[tokio::test]
async fn the_ids_of_workspaces_that_fit_nowhere_are_to_be_asked_for() {
    let (_sandbox, mut session) = with_workspaces(1_000).await;
    let found = session.call(TOOL, json!({"limit": 0})).await;
    let notes = found.structured()["notes"].to_string();
    assert_says(
        &notes,
        &[
            "further workspaces do not fit here",
            "a platform administrator can tell their ids",
            "a workspace_id counts one of them",
        ],
    );
}

#[tokio::test]
async fn more_workspaces_than_fit_are_counted_in_the_notes() {
    let (_sandbox, mut session) = with_workspaces(400).await;
    let found = session.call(TOOL, json!({})).await;
    let result = found.structured();
    let workspaces = result["workspaces"].as_array().unwrap();
    assert_eq!(workspaces[0]["count"], 1);
    let unshown = 400 - workspaces.len();
    assert_says(
        &result["notes"].to_string(),
        &[
            &format!("{unshown} further workspaces"),
            "limit 0 has more room",
        ],
    );
    assert!(found.text().chars().count() < 21_000);
    assert_eq!(found.column("label"), ["lonely"]);
}
