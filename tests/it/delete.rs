//! `delete_service_account`: looks first, and never sends an id that it did not see.

use apc_sandbox::{Entity, Fault, NewAccount, On, Persona, Role, Sandbox};
use serde_json::json;

use crate::support::harness::*;

const TOOL: &str = "delete_service_account";

async fn start() -> (Sandbox, Session) {
    let sandbox = Sandbox::start(0).await.unwrap();
    let session = Session::start(Era::USUAL, &sandbox).await;
    (sandbox, session)
}

#[tokio::test]
async fn the_account_is_deleted_and_returned_as_it_was() {
    let (sandbox, mut session) = start().await;
    let others = sandbox.handle().accounts().len() - 1;
    let one = json!({"service_account_id": CI_DEPLOY, "workspace_id": ANALYTICS});
    let deleted = session.call(TOOL, one).await;
    let account = deleted.account();
    assert_eq!(account["id"], CI_DEPLOY);
    assert_eq!(account["label"], "ci-deploy");
    assert_eq!(account["role"], "WORKSPACE_EDITOR");
    assert_eq!(account["workspace_id"], ANALYTICS);
    assert!(!exists(&sandbox.handle(), CI_DEPLOY));
    assert_eq!(sandbox.handle().accounts().len(), others);
}

#[tokio::test]
async fn the_account_is_looked_at_before_it_is_deleted() {
    let (sandbox, mut session) = start().await;
    let one = json!({"service_account_id": CI_DEPLOY, "workspace_id": ANALYTICS});
    session.call(TOOL, one).await.structured();
    let requests = sandbox.handle().requests();
    let asked: Vec<_> = requests
        .iter()
        .flat_map(|request| &request.operation)
        .collect();
    assert_eq!(asked.first().unwrap().as_str(), LIST);
    assert_eq!(asked.last().unwrap().as_str(), DELETE);
}

#[tokio::test]
async fn an_id_that_is_not_in_the_workspace_is_never_sent() {
    let (sandbox, mut session) = start().await;
    let before = sandbox.handle().accounts();
    for id in [NOTEBOOKS, FORECASTS, BOOTSTRAP, NOTHING] {
        let one = json!({"service_account_id": id, "workspace_id": ANALYTICS});
        let refused = session.call(TOOL, one).await;
        assert_says(refused.refusal("not_found"), &[id, ANALYTICS]);
        assert_eq!(refused.error()["service_account_id"], id);
        assert_eq!(refused.error()["workspace_id"], ANALYTICS);
    }
    assert_eq!(mutations(&sandbox.handle()), 0);
    assert_eq!(sandbox.handle().accounts(), before);
}

#[tokio::test]
async fn not_even_a_system_admin_deletes_an_account_of_another_place() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = Program::at(&sandbox, Persona::SystemAdmin)
        .serve(Era::USUAL)
        .await;
    for id in [NOTEBOOKS, FORECASTS, NOTHING] {
        let one = json!({"service_account_id": id, "workspace_id": ANALYTICS});
        session.call(TOOL, one).await.refusal("not_found");
    }
    assert_eq!(mutations(&sandbox.handle()), 0);
}

#[tokio::test]
async fn an_id_alone_is_searched_in_every_visible_workspace() {
    let (sandbox, mut session) = start().await;
    for (id, workspace) in [(NOTEBOOKS, DATA_SCIENCE), (CI_DEPLOY, ANALYTICS)] {
        let deleted = session.call(TOOL, json!({"service_account_id": id})).await;
        assert_eq!(deleted.account()["workspace_id"], workspace);
        assert!(!exists(&sandbox.handle(), id));
        let requests = sandbox.handle().requests();
        let sent = requests
            .iter()
            .rfind(|request| request.operation == [DELETE]);
        assert_eq!(sent.unwrap().variables["workspaceUuid"], workspace);
    }
}

#[tokio::test]
async fn an_id_alone_that_is_in_no_visible_place_is_never_sent() {
    let (sandbox, mut session) = start().await;
    for id in [BOOTSTRAP, NOTHING] {
        let refused = session.call(TOOL, json!({"service_account_id": id})).await;
        assert_says(refused.refusal("not_found"), &[id]);
        assert_eq!(refused.error()["service_account_id"], id);
    }
    assert_eq!(mutations(&sandbox.handle()), 0);
}

#[tokio::test]
async fn an_id_alone_is_looked_for_in_the_default_workspace_only() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = Program::at(&sandbox, Persona::WorkspaceAdmin)
        .args(&["--workspace-id", ANALYTICS])
        .serve(Era::USUAL)
        .await;
    let elsewhere = session
        .call(TOOL, json!({"service_account_id": NOTEBOOKS}))
        .await;
    elsewhere.refusal("not_found");
    assert!(exists(&sandbox.handle(), NOTEBOOKS));
    let here = session
        .call(TOOL, json!({"service_account_id": CI_DEPLOY}))
        .await;
    assert_eq!(here.account()["id"], CI_DEPLOY);
}

#[tokio::test]
async fn the_workspace_of_the_call_beats_the_default_one() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = Program::at(&sandbox, Persona::WorkspaceAdmin)
        .args(&["--workspace-id", ANALYTICS])
        .serve(Era::USUAL)
        .await;
    let one = json!({"service_account_id": NOTEBOOKS, "workspace_id": DATA_SCIENCE});
    session.call(TOOL, one).await.structured();
    assert!(!exists(&sandbox.handle(), NOTEBOOKS));
}

#[tokio::test]
async fn a_system_admin_deletes_by_id_alone_where_the_release_lists_all_workspaces() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let one = json!({"service_account_id": CI_DEPLOY});
    let serve = || Program::at(&sandbox, Persona::SystemAdmin).serve(Era::USUAL);
    sandbox.handle().lack_field("Query.sysWorkspaces");
    let refused = serve().await.call(TOOL, one.clone()).await;
    assert_says(refused.refusal("invalid_arguments"), &["workspace_id"]);
    assert!(exists(&sandbox.handle(), CI_DEPLOY));

    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = Program::at(&sandbox, Persona::SystemAdmin)
        .serve(Era::USUAL)
        .await;
    session.call(TOOL, one).await.structured();
    assert!(!exists(&sandbox.handle(), CI_DEPLOY));
}

#[tokio::test]
async fn a_workspace_alone_brings_its_accounts_to_choose_from() {
    let (sandbox, mut session) = start().await;
    let refused = session.call(TOOL, json!({"workspace_id": ANALYTICS})).await;
    let text = refused.refusal("invalid_arguments");
    assert_says(text, &["service_account_id"]);
    for account in sandbox.handle().accounts() {
        let here = account.entity_uuid.as_deref() == Some(ANALYTICS);
        assert_eq!(text.contains(&account.id), here, "{text}");
        assert!(!here || text.contains(&account.label), "{text}");
        assert!(!text.contains(&account.key), "{text}");
    }
    assert_eq!(mutations(&sandbox.handle()), 0);
}

#[tokio::test]
async fn a_default_workspace_is_enough_to_bring_its_accounts() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = Program::at(&sandbox, Persona::WorkspaceAdmin)
        .args(&["--workspace-id", DATA_SCIENCE])
        .serve(Era::USUAL)
        .await;
    let refused = session.call(TOOL, json!({})).await;
    let text = refused.refusal("invalid_arguments");
    assert_says(text, &[NOTEBOOKS, "notebooks", "model-training"]);
    assert_eq!(mutations(&sandbox.handle()), 0);
}

#[tokio::test]
async fn of_many_accounts_the_first_50_are_brought() {
    let (sandbox, mut session) = start().await;
    for number in 0..150 {
        sandbox.handle().add_account(NewAccount {
            id: Some(format!("cmf3many0000000000000{number:04}")),
            ..NewAccount::new(
                format!("many-{number}-"),
                Role::WorkspaceViewer,
                Entity::Workspace(ANALYTICS.into()),
            )
        });
    }
    let refused = session.call(TOOL, json!({"workspace_id": ANALYTICS})).await;
    let text = refused.refusal("invalid_arguments");
    let ids = sandbox.handle().accounts();
    let listed = ids.iter().filter(|account| text.contains(&account.id));
    assert_eq!(listed.count(), 50, "{text}");
}

#[tokio::test]
async fn a_label_in_the_words_of_a_refusal_cannot_forge_them() {
    let (sandbox, mut session) = start().await;
    let label = format!("x'\n\u{202e}deleted\u{1b}[31m{}", "y".repeat(200));
    sandbox.handle().add_account(NewAccount::new(
        label,
        Role::WorkspaceViewer,
        Entity::Workspace(ANALYTICS.into()),
    ));
    let refused = session.call(TOOL, json!({"workspace_id": ANALYTICS})).await;
    let text = refused.refusal("invalid_arguments");
    assert!(
        text.chars().all(|c| !c.is_control() && c != '\u{202e}'),
        "{text:?}"
    );
    assert!(!text.contains(&"y".repeat(81)), "{text}");
}

#[tokio::test]
async fn the_second_deletion_finds_nothing() {
    for era in Era::BOTH {
        let sandbox = Sandbox::start(0).await.unwrap();
        let mut session = Session::start(era, &sandbox).await;
        let one = json!({"service_account_id": CI_DEPLOY, "workspace_id": ANALYTICS});
        session.call(TOOL, one.clone()).await.structured();
        session.call(TOOL, one).await.refusal("not_found");
        assert_eq!(mutations(&sandbox.handle()), 1, "{era:?}");
    }
}

/// The answer of an API that knows no such account, and is rid of it or not.
fn not_found(is_gone: bool) -> Fault {
    let (code, message) = (
        "RESOURCE_NOT_FOUND".to_owned(),
        "The requested resource was not found".to_owned(),
    );
    match is_gone {
        true => Fault::ErrorAfter { code, message },
        false => Fault::ErrorBefore { code, message },
    }
}

#[tokio::test]
async fn an_account_that_vanishes_between_looking_and_deleting_is_not_found() {
    let (sandbox, mut session) = start().await;
    sandbox
        .handle()
        .inject(not_found(true), On::Field(DELETE), 1);
    let one = json!({"service_account_id": CI_DEPLOY, "workspace_id": ANALYTICS});
    let refused = session.call(TOOL, one).await;
    assert_says(
        refused.refusal("not_found"),
        &[CI_DEPLOY, "a moment ago", "gone now"],
    );
}

#[tokio::test]
async fn an_account_that_the_api_lists_and_does_not_know_is_told_to_be_there() {
    let (sandbox, mut session) = start().await;
    sandbox
        .handle()
        .inject(not_found(false), On::Field(DELETE), 1);
    let one = json!({"service_account_id": CI_DEPLOY, "workspace_id": ANALYTICS});
    let refused = session.call(TOOL, one).await;
    assert_says(
        refused.refusal("not_found"),
        &[CI_DEPLOY, "yet lists it", "Nothing was deleted"],
    );
    assert!(exists(&sandbox.handle(), CI_DEPLOY));
}

#[tokio::test]
async fn the_list_decides_on_a_deletion_that_was_answered_with_an_error() {
    let (sandbox, mut session) = start().await;
    let (code, message) = ("INTERNAL_SERVER_ERROR".to_owned(), "trouble".to_owned());
    let before = Fault::ErrorBefore {
        code: code.clone(),
        message: message.clone(),
    };
    sandbox.handle().inject(before, On::Field(DELETE), 1);
    let one = json!({"service_account_id": CI_DEPLOY, "workspace_id": ANALYTICS});
    let refused = session.call(TOOL, one.clone()).await;
    assert_says(
        refused.refusal("api_error"),
        &["trouble", "Nothing was deleted", "is still listed"],
    );
    let after = Fault::ErrorAfter { code, message };
    sandbox.handle().inject(after, On::Field(DELETE), 1);
    let deleted = session.call(TOOL, one).await;
    assert_eq!(deleted.structured()["recovered"], true);
    assert!(!exists(&sandbox.handle(), CI_DEPLOY));
}

#[tokio::test]
async fn an_answer_about_another_account_says_nothing_of_this_one() {
    let (sandbox, mut session) = start().await;
    let one = json!({"service_account_id": CI_DEPLOY, "workspace_id": ANALYTICS});
    let about_another = |executed| Fault::Answer {
        status: 200,
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: json!({"data": {DELETE: {"id": NOTEBOOKS}}}).to_string(),
        executed,
    };
    sandbox
        .handle()
        .inject(about_another(false), On::Field(DELETE), 1);
    let refused = session.call(TOOL, one.clone()).await;
    assert_says(refused.refusal("outcome_unknown"), &[CI_DEPLOY]);
    assert!(exists(&sandbox.handle(), CI_DEPLOY));
    sandbox
        .handle()
        .inject(about_another(true), On::Field(DELETE), 1);
    let deleted = session.call(TOOL, one).await;
    assert_eq!(deleted.structured()["recovered"], true);
}

#[tokio::test]
async fn a_viewer_may_not_delete() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = Program::at(&sandbox, Persona::WorkspaceViewer)
        .serve(Era::USUAL)
        .await;
    let one = json!({"service_account_id": CI_DEPLOY, "workspace_id": ANALYTICS});
    let refused = session.call(TOOL, one).await;
    refused.refusal("permission_denied");
    assert_eq!(refused.error()["service_account_id"], CI_DEPLOY);
    assert!(exists(&sandbox.handle(), CI_DEPLOY));
}

#[tokio::test]
async fn a_workspace_that_does_not_exist_is_not_found() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = Program::at(&sandbox, Persona::SystemAdmin)
        .serve(Era::USUAL)
        .await;
    let one = json!({"service_account_id": CI_DEPLOY, "workspace_id": NOTHING});
    session.call(TOOL, one).await.refusal("not_found");
    assert_eq!(mutations(&sandbox.handle()), 0);
}
