//! Service accounts of deployments: every guard of the workspace level holds for them, on both lines of the API.

use apc_sandbox::{Entity, Fault, Handle, Line, NewAccount, On, Persona, Role, Sandbox, Store};
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::clients::*;
use crate::support::harness::*;
use crate::support::standin::*;

const LINES: [Line; 2] = [Line::Today, Line::Of2020];

const CREATE_THERE: &str = "createDeploymentServiceAccount";
const DELETE_THERE: &str = "deleteDeploymentServiceAccount";
const LIST_THERE: &str = "deploymentServiceAccounts";
const DEPLOYMENTS: &str = "workspaceDeployments";
const ALL: &str = "sysWorkspaces";

/// A deployment of nobody.
const NO_DEPLOYMENT: &str = "cmf3dep1o000z0h6unknownxx";

async fn start(line: Line, persona: Persona, arguments: &[&str]) -> (Sandbox, Session) {
    let sandbox = Sandbox::start_line(0, line).await.unwrap();
    let program = guarded(&sandbox, persona).args(arguments);
    let session = program.serve(Era::USUAL).await;
    (sandbox, session)
}

fn on_deployment(label: &str) -> Value {
    json!({"label": label, "deployment_id": DEPLOYMENT})
}

fn forecasts() -> Value {
    json!({"service_account_id": FORECASTS, "deployment_id": DEPLOYMENT})
}

/// A refusal in the words of this line, nothing done.
fn refusal(line: Line) -> Fault {
    Fault::ErrorBefore {
        code: match line {
            Line::Today => "INTERNAL_SERVER_ERROR".into(),
            Line::Of2020 => "FORBIDDEN".into(),
        },
        message: match line {
            Line::Today => "Insufficient permissions.".into(),
            Line::Of2020 => "You do not have the appropriate permissions for that".into(),
        },
    }
}

/// The fields of every request, in order.
fn asked(handle: &Handle) -> Vec<String> {
    let requests = handle.requests().into_iter();
    requests.flat_map(|request| request.operation).collect()
}

/// An account that a colleague makes on the deployment.
fn theirs(label: &str, role: Role) -> NewAccount {
    NewAccount::new(label, role, Entity::Deployment(DEPLOYMENT.into()))
}

// Creating.

#[tokio::test]
async fn an_account_of_a_deployment_is_created_listed_and_deleted() {
    for line in LINES {
        for persona in [
            Persona::WorkspaceAdmin,
            Persona::DeploymentAdmin,
            Persona::SystemAdmin,
        ] {
            let (sandbox, mut session) = start(line, persona, &[]).await;
            let mut new = on_deployment("airflow-api");
            new["role"] = json!("DEPLOYMENT_EDITOR");
            new["category"] = json!("ci");
            let created = session.call(CREATE_TOOL, new).await;
            let account = created.account().clone();
            assert_eq!(account["deployment_id"], DEPLOYMENT, "{line:?} {persona:?}");
            assert_eq!(account.get("workspace_id"), None);
            assert_eq!(account["role"], "DEPLOYMENT_EDITOR");
            let truth = truth(&sandbox.handle(), "airflow-api");
            assert_eq!(truth.role, "DEPLOYMENT_EDITOR");
            assert_eq!(truth.entity_uuid.as_deref(), Some(DEPLOYMENT));
            let file = created.structured()["api_key_file"].as_str().unwrap();
            assert_eq!(std::fs::read_to_string(file).unwrap(), truth.key);

            let listed = json!({"deployment_id": DEPLOYMENT, "label": "airflow"});
            let listed = session.call(GET_TOOL, listed).await;
            assert_eq!(listed.column("id"), [account["id"].as_str().unwrap()]);
            assert_eq!(listed.column("deployment_id"), [DEPLOYMENT]);

            let one = json!({"service_account_id": account["id"], "deployment_id": DEPLOYMENT});
            let deleted = session.call(DELETE_TOOL, one).await;
            assert_eq!(deleted.account()["deployment_id"], DEPLOYMENT);
            assert!(!exists(&sandbox.handle(), &truth.id));
            session.end_without(&[truth.key]).await;
        }
    }
}

#[tokio::test]
async fn the_role_on_a_deployment_is_that_of_a_viewer_unless_another_is_asked_for() {
    for line in LINES {
        let (sandbox, mut session) = start(line, Persona::WorkspaceAdmin, &[]).await;
        session
            .call(CREATE_TOOL, on_deployment("reader"))
            .await
            .account();
        assert_eq!(truth(&sandbox.handle(), "reader").role, "DEPLOYMENT_VIEWER");
        for role in ["DEPLOYMENT_VIEWER", "DEPLOYMENT_EDITOR", "DEPLOYMENT_ADMIN"] {
            let mut new = on_deployment(role);
            new["role"] = json!(role);
            session.call(CREATE_TOOL, new).await.account();
            assert_eq!(truth(&sandbox.handle(), role).role, role);
        }
    }
}

#[tokio::test]
async fn a_role_of_the_other_level_is_refused_with_the_right_one_named() {
    let (sandbox, mut session) = start(Line::Today, Persona::WorkspaceAdmin, &[]).await;
    for (place, id, role, right) in [
        (
            "deployment_id",
            DEPLOYMENT,
            "WORKSPACE_EDITOR",
            "DEPLOYMENT_EDITOR",
        ),
        (
            "deployment_id",
            DEPLOYMENT,
            "WORKSPACE_ADMIN",
            "DEPLOYMENT_ADMIN",
        ),
        (
            "workspace_id",
            ANALYTICS,
            "DEPLOYMENT_VIEWER",
            "WORKSPACE_VIEWER",
        ),
    ] {
        let new = json!({"label": "etl", place: id, "role": role});
        let refused = session.call(CREATE_TOOL, new).await;
        let text = refused.refusal("invalid_arguments");
        assert_says(
            text,
            &[
                &format!("role is '{role}'"),
                &format!("the same rank is {right}"),
            ],
        );
    }
    let both = json!({"label": "", "deployment_id": DEPLOYMENT, "role": "WORKSPACE_EDITOR"});
    let refused = session.call(CREATE_TOOL, both).await;
    let text = refused.refusal("invalid_arguments");
    assert_says(text, &["label is", "DEPLOYMENT_EDITOR"]);
    let unknown = json!({"label": "etl", "deployment_id": DEPLOYMENT, "role": "SYSTEM_ADMIN"});
    let refused = session.call(CREATE_TOOL, unknown).await;
    let accepted = "accepted: DEPLOYMENT_VIEWER, DEPLOYMENT_EDITOR, DEPLOYMENT_ADMIN.";
    assert_says(refused.refusal("invalid_arguments"), &[accepted]);
    assert_eq!(sandbox.handle().requests(), []);
}

#[tokio::test]
async fn the_highest_role_holds_on_deployments_as_well() {
    let (sandbox, mut session) = start(
        Line::Today,
        Persona::WorkspaceAdmin,
        &["--max-role", "DEPLOYMENT_EDITOR"],
    )
    .await;
    let mut new = on_deployment("etl");
    new["role"] = json!("DEPLOYMENT_ADMIN");
    let refused = session.call(CREATE_TOOL, new).await;
    let text = refused.refusal("not_allowed");
    assert_says(
        text,
        &["DEPLOYMENT_ADMIN", "DEPLOYMENT_EDITOR", "--max-role"],
    );
    assert_eq!(sandbox.handle().requests(), []);
    let mut new = on_deployment("etl");
    new["role"] = json!("DEPLOYMENT_EDITOR");
    session.call(CREATE_TOOL, new).await.account();
}

#[tokio::test]
async fn a_creation_on_a_deployment_reads_the_list_first_and_never_a_single_account() {
    for line in LINES {
        let (sandbox, mut session) = start(line, Persona::DeploymentAdmin, &[]).await;
        session
            .call(GET_TOOL, json!({"deployment_id": DEPLOYMENT}))
            .await
            .accounts();
        sandbox.handle().clear_requests();
        session
            .call(CREATE_TOOL, on_deployment("etl"))
            .await
            .account();
        assert_eq!(asked(&sandbox.handle()), [LIST_THERE, CREATE_THERE]);
        sandbox.handle().clear_requests();
        let taken = session.call(CREATE_TOOL, on_deployment("etl")).await;
        let text = taken.refusal("already_exists");
        assert_says(
            text,
            &["Nothing was created", DEPLOYMENT, "DEPLOYMENT_VIEWER"],
        );
        assert_eq!(taken.error()["deployment_id"], DEPLOYMENT);
        assert_eq!(asked(&sandbox.handle()), [LIST_THERE]);
    }
}

#[tokio::test]
async fn a_label_is_taken_per_place() {
    let (sandbox, mut session) = start(Line::Today, Persona::WorkspaceAdmin, &[]).await;
    session
        .call(CREATE_TOOL, on_deployment("etl"))
        .await
        .account();
    let beside = json!({"label": "etl", "workspace_id": DATA_SCIENCE});
    session.call(CREATE_TOOL, beside).await.account();
    assert_eq!(labelled(&sandbox.handle(), "etl").len(), 2);
}

#[tokio::test]
async fn creations_of_one_label_on_a_deployment_in_parallel_make_one_account() {
    for line in LINES {
        let (sandbox, mut session) = start(line, Persona::WorkspaceAdmin, &[]).await;
        let mut calls = Vec::new();
        for _ in 0..5 {
            calls.push(session.send_call(CREATE_TOOL, on_deployment("etl")).await);
        }
        let mut made = 0;
        for call in calls {
            let outcome = session.outcome(CREATE_TOOL, call).await;
            match outcome.is_error() {
                true => assert_eq!(outcome.code(), "already_exists"),
                false => made += 1,
            }
        }
        assert_eq!(made, 1);
        assert_eq!(labelled(&sandbox.handle(), "etl").len(), 1);
        assert_eq!(count(&sandbox.handle(), CREATE_THERE), 1);
    }
}

#[tokio::test]
async fn a_lost_creation_on_a_deployment_is_found_with_its_key() {
    for line in LINES {
        for fault in [Fault::DropAfter, page(502, true), null(CREATE_THERE, true)] {
            let (sandbox, mut session) = start(line, Persona::DeploymentAdmin, &[]).await;
            let handle = sandbox.handle();
            handle.add_account_on(
                On::Field(CREATE_THERE),
                theirs("etl", Role::DeploymentAdmin),
            );
            // In 2020 the label would be taken by then.
            handle.set_duplicate_check(false);
            handle.inject(fault, On::Field(CREATE_THERE), 1);
            let created = session.call(CREATE_TOOL, on_deployment("etl")).await;
            assert_eq!(created.structured()["recovered"], true, "{line:?}");
            let id = created.account()["id"].as_str().unwrap();
            let accounts = handle.accounts();
            let account = accounts.iter().find(|account| account.id == id).unwrap();
            assert_eq!(account.role, "DEPLOYMENT_VIEWER");
            let file = created.structured()["api_key_file"].as_str().unwrap();
            assert_eq!(std::fs::read_to_string(file).unwrap(), account.key);
        }
    }
}

#[tokio::test]
async fn nothing_is_adopted_on_a_deployment_after_an_answer_that_is_an_error() {
    let (sandbox, mut session) = start(Line::Today, Persona::DeploymentAdmin, &[]).await;
    let error = Fault::ErrorAfter {
        code: "INTERNAL_SERVER_ERROR".into(),
        message: "Something went wrong".into(),
    };
    sandbox.handle().inject(error, On::Field(CREATE_THERE), 1);
    let created = session.call(CREATE_TOOL, on_deployment("etl")).await;
    let made = truth(&sandbox.handle(), "etl");
    assert_says(created.refusal("outcome_unknown"), &[&made.id, DEPLOYMENT]);
    assert_eq!(created.error()["deployment_id"], DEPLOYMENT);
    assert_eq!(kept_in(&key_dir(&session)), Vec::<String>::new());
}

#[tokio::test]
async fn a_lost_creation_that_does_not_show_is_told_with_the_way_to_look_again() {
    let (sandbox, mut session) =
        start(Line::Today, Persona::DeploymentAdmin, &["--timeout", "0.5"]).await;
    sandbox
        .handle()
        .inject(Fault::DropBefore, On::Field(CREATE_THERE), 1);
    let created = session.call(CREATE_TOOL, on_deployment("etl")).await;
    let look = format!("deployment_id '{DEPLOYMENT}'");
    assert_says(
        created.refusal("outcome_unknown"),
        &["deployment does not show it", &look],
    );
}

// Deleting.

#[tokio::test]
async fn an_account_is_deleted_only_from_the_deployment_it_is_in() {
    for line in LINES {
        let (sandbox, mut session) = start(line, Persona::SystemAdmin, &[]).await;
        let before = sandbox.handle().accounts();
        for id in [CI_DEPLOY, BOOTSTRAP, NOTEBOOKS, NOTHING] {
            let one = json!({"service_account_id": id, "deployment_id": DEPLOYMENT});
            let refused = session.call(DELETE_TOOL, one).await;
            assert_says(refused.refusal("not_found"), &[id, DEPLOYMENT]);
        }
        let elsewhere = json!({"service_account_id": FORECASTS, "workspace_id": DATA_SCIENCE});
        session
            .call(DELETE_TOOL, elsewhere)
            .await
            .refusal("not_found");
        assert_eq!(mutations(&sandbox.handle()), 0);
        assert_eq!(sandbox.handle().accounts(), before);
    }
}

#[tokio::test]
async fn an_id_alone_is_searched_in_deployments_after_the_workspaces() {
    for line in LINES {
        for persona in [Persona::WorkspaceAdmin, Persona::SystemAdmin] {
            let (sandbox, mut session) = start(line, persona, &[]).await;
            let sees_all = line == Line::Today || persona == Persona::WorkspaceAdmin;
            let one = json!({"service_account_id": FORECASTS});
            if !sees_all {
                // This release lists no workspaces to a system-level token.
                session
                    .call(DELETE_TOOL, one)
                    .await
                    .refusal("invalid_arguments");
                continue;
            }
            let found = session.call(GET_TOOL, one.clone()).await;
            assert_eq!(found.column("deployment_id"), [DEPLOYMENT]);
            let deleted = session.call(DELETE_TOOL, one).await;
            assert_eq!(deleted.account()["deployment_id"], DEPLOYMENT);
            assert!(!exists(&sandbox.handle(), FORECASTS));
            sandbox.handle().clear_requests();
            let one = json!({"service_account_id": NOTEBOOKS});
            session.call(DELETE_TOOL, one).await.account();
            assert!(!asked(&sandbox.handle()).contains(&DEPLOYMENTS.to_owned()));
        }
    }
}

#[tokio::test]
async fn an_id_is_not_found_only_if_every_deployment_could_be_read() {
    for (field, says) in [
        (DEPLOYMENTS, "could not be listed"),
        (LIST_THERE, "Not read"),
    ] {
        let (sandbox, mut session) = start(Line::Today, Persona::WorkspaceAdmin, &[]).await;
        let missing = json!({"service_account_id": NOTHING});
        for tool in [GET_TOOL, DELETE_TOOL] {
            session
                .call(tool, missing.clone())
                .await
                .refusal("not_found");
            sandbox
                .handle()
                .inject(refusal(Line::Today), On::Field(field), 9);
            let unclear = session.call(tool, missing.clone()).await;
            assert_says(
                unclear.refusal("permission_denied"),
                &[says, "may still exist"],
            );
            sandbox.handle().clear_faults();
        }
        assert_eq!(mutations(&sandbox.handle()), 0);
    }
}

#[tokio::test]
async fn an_id_that_a_denied_place_may_hold_needs_another_token_and_no_waiting() {
    let missing = json!({"service_account_id": NOTHING});
    for (field, denials, place) in [
        (DEPLOYMENTS, 9, ANALYTICS),
        (LIST_THERE, 9, DEPLOYMENT),
        (LIST, 1, "workspace"),
    ] {
        for tool in [GET_TOOL, DELETE_TOOL] {
            let (sandbox, mut session) = start(Line::Today, Persona::WorkspaceAdmin, &[]).await;
            let handle = sandbox.handle();
            handle.inject(refusal(Line::Today), On::Field(field), denials);
            let denied = session.call(tool, missing.clone()).await;
            let text = denied.refusal("permission_denied");
            assert_says(text, &[place, "may not list", "another token"]);
            assert!(!text.contains("in a minute"), "{text}");
            handle.clear_faults();
            handle.inject(page(500, false), On::Field(field), 1);
            let troubled = session.call(tool, missing.clone()).await;
            let text = troubled.refusal("api_error");
            assert_says(text, &["Call again in a minute"]);
            assert!(!text.contains("another token"), "{text}");
        }
    }
}

#[tokio::test]
async fn a_lost_deletion_from_a_deployment_is_found_out_even_of_its_only_account() {
    for line in LINES {
        for persona in [Persona::DeploymentAdmin, Persona::SystemAdmin] {
            let (sandbox, mut session) = start(line, persona, &[]).await;
            sandbox
                .handle()
                .inject(Fault::DropAfter, On::Field(DELETE_THERE), 1);
            let deleted = session.call(DELETE_TOOL, forecasts()).await;
            assert_eq!(deleted.structured()["recovered"], true);
            assert!(!exists(&sandbox.handle(), FORECASTS));
        }
    }
}

#[tokio::test]
async fn a_list_of_a_deployment_that_is_gone_proves_no_deletion() {
    let (sandbox, mut session) =
        start(Line::Today, Persona::SystemAdmin, &["--timeout", "3"]).await;
    let handle = sandbox.handle();
    let both = json!({"service_account_id": FORECASTS, "deployment_id": DEPLOYMENT, "workspace_id": DATA_SCIENCE});
    handle.inject(Fault::Hang, On::Field(DELETE_THERE), 1);
    let call = session.send_call(DELETE_TOOL, both).await;
    until("the deletion was sent", || {
        count(&handle, DELETE_THERE) == 1
    })
    .await;
    handle.delete_deployment(DEPLOYMENT);
    let outcome = session.outcome(DELETE_TOOL, call).await;
    assert_says(outcome.refusal("outcome_unknown"), &["could not be read"]);
}

#[tokio::test]
async fn an_account_of_a_deployment_with_another_role_is_never_deleted_unasked() {
    for (elsewhere, named) in [
        (
            (Role::SystemAdmin, Entity::System),
            "SYSTEM_ADMIN".to_owned(),
        ),
        (
            (Role::WorkspaceEditor, Entity::Workspace(ANALYTICS.into())),
            format!("WORKSPACE_EDITOR {ANALYTICS}"),
        ),
    ] {
        let (sandbox, mut session) =
            start(Line::Today, Persona::SystemAdmin, &["--confirm", "never"]).await;
        sandbox.handle().bind(FORECASTS, elsewhere.0, elsewhere.1);
        let refused = session.call(DELETE_TOOL, forecasts()).await;
        assert_says(refused.refusal("confirmation_required"), &[&named]);
        let found = session
            .call(GET_TOOL, json!({"deployment_id": DEPLOYMENT}))
            .await;
        assert_eq!(found.accounts()[0]["other_bindings"], json!([named]));
        assert_eq!(found.accounts()[0]["role"], "DEPLOYMENT_EDITOR");
        assert_eq!(mutations(&sandbox.handle()), 0);
    }
}

/// The further place of an account, and its kind as results name it.
fn further_places() -> [(&'static str, &'static str, Entity, Role); 2] {
    let workspace = Entity::Workspace(DATA_SCIENCE.into());
    let deployment = Entity::Deployment(DEPLOYMENT.into());
    [
        (
            "workspace_id",
            DATA_SCIENCE,
            workspace,
            Role::WorkspaceViewer,
        ),
        (
            "deployment_id",
            DEPLOYMENT,
            deployment,
            Role::DeploymentViewer,
        ),
    ]
}

#[tokio::test]
async fn an_account_in_several_lists_is_never_deleted_unasked_where_bindings_do_not_show() {
    for (_, id, entity, role) in further_places() {
        let sandbox = Sandbox::start(0).await.unwrap();
        sandbox.handle().bind(CI_DEPLOY, role, entity);
        sandbox.handle().lack_field("ServiceAccount.roleBindings");
        let one = json!({"service_account_id": CI_DEPLOY});
        let mut session = guarded(&sandbox, Persona::WorkspaceAdmin)
            .args(&["--confirm", "never"])
            .serve(Era::USUAL)
            .await;
        let refused = session.call(DELETE_TOOL, one.clone()).await;
        let text = refused.refusal("confirmation_required");
        assert_says(text, &["rights elsewhere", "several places", ANALYTICS, id]);
        let only = json!({"service_account_id": MIGRATION});
        session.call(DELETE_TOOL, only).await.account();
        for era in Era::BOTH {
            let mut session = asking(&sandbox).serve(era).await;
            let question = session.pose(DELETE_TOOL, one.clone()).await;
            assert_says(question.message(), &["several places", ANALYTICS, id]);
            let outcome = session.answer(question, json!({"action": "decline"})).await;
            outcome.refusal("declined");
        }
        assert!(exists(&sandbox.handle(), CI_DEPLOY));
        let mut session = asking(&sandbox).serve(Era::Stateless).await;
        let question = session.pose(DELETE_TOOL, one).await;
        let yes = question.accept(true);
        session.answer(question, yes).await.account();
        assert!(!exists(&sandbox.handle(), CI_DEPLOY));
    }
}

#[tokio::test]
async fn an_account_in_several_lists_is_never_deleted_unasked_where_its_bindings_are_empty() {
    let (sandbox, mut session) = start(
        Line::Today,
        Persona::WorkspaceAdmin,
        &["--confirm", "never"],
    )
    .await;
    let bare = json!([{"id": CI_DEPLOY, "label": "ci-deploy", "roleBindings": []}]);
    for field in [LIST, LIST_THERE] {
        let body = json!({"data": {field: bare}}).to_string();
        let listed = answer(200, "application/json", body, false);
        sandbox.handle().inject(listed, On::Field(field), 9);
    }
    let one = json!({"service_account_id": CI_DEPLOY});
    let refused = session.call(DELETE_TOOL, one).await;
    let text = refused.refusal("confirmation_required");
    assert_says(text, &[ANALYTICS, DATA_SCIENCE, DEPLOYMENT, PROD_AIRFLOW]);
    assert_eq!(mutations(&sandbox.handle()), 0);
}

#[tokio::test]
async fn a_yes_to_an_account_of_one_list_is_none_to_one_of_two() {
    let sandbox = Sandbox::start(0).await.unwrap();
    sandbox.handle().lack_field("ServiceAccount.roleBindings");
    let mut session = asking(&sandbox).serve(Era::Stateless).await;
    let one = json!({"service_account_id": CI_DEPLOY});
    let question = session.pose(DELETE_TOOL, one).await;
    assert!(!question.message().contains("several places"));
    let yes = question.accept(true);
    let there = Entity::Deployment(DEPLOYMENT.into());
    sandbox
        .handle()
        .bind(CI_DEPLOY, Role::DeploymentViewer, there);
    session.answer(question, yes).await.refusal("declined");
    assert_eq!(mutations(&sandbox.handle()), 0);
}

#[tokio::test]
async fn a_yes_to_an_account_of_two_lists_is_none_to_one_of_three() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let handle = sandbox.handle();
    handle.lack_field("ServiceAccount.roleBindings");
    let there = Entity::Workspace(DATA_SCIENCE.into());
    handle.bind(CI_DEPLOY, Role::WorkspaceViewer, there);
    let mut session = asking(&sandbox).serve(Era::Stateless).await;
    let one = json!({"service_account_id": CI_DEPLOY});
    let question = session.pose(DELETE_TOOL, one).await;
    assert_says(question.message(), &["several places"]);
    let yes = question.accept(true);
    let there = Entity::Deployment(DEPLOYMENT.into());
    handle.bind(CI_DEPLOY, Role::DeploymentViewer, there);
    session.answer(question, yes).await.refusal("declined");
    assert_eq!(mutations(&handle), 0);
}

#[tokio::test]
async fn an_account_of_a_workspace_and_another_place_is_found_by_its_id_in_both() {
    for (kind, id, entity, role) in further_places() {
        let (sandbox, mut session) = start(Line::Today, Persona::WorkspaceAdmin, &[]).await;
        sandbox.handle().bind(CI_DEPLOY, role, entity);
        let one = json!({"service_account_id": CI_DEPLOY});
        let found = session.call(GET_TOOL, one).await;
        assert_eq!(found.structured()["total"], 2, "{id}");
        let rows = found.accounts();
        assert!(rows.iter().any(|row| row["workspace_id"] == ANALYTICS));
        assert!(rows.iter().any(|row| row[kind] == id), "{rows:?}");
    }
}

#[tokio::test]
async fn the_user_is_asked_before_a_deletion_from_a_deployment() {
    for era in Era::BOTH {
        let sandbox = Sandbox::start(0).await.unwrap();
        let mut session = asking(&sandbox).serve(era).await;
        let question = session.pose(DELETE_TOOL, forecasts()).await;
        assert_says(
            question.message(),
            &["'forecasts-deploy'", "deployment", DEPLOYMENT],
        );
        let no = json!({"action": "decline"});
        session.answer(question, no).await.refusal("declined");
        let mut both = forecasts();
        both["workspace_id"] = json!(DATA_SCIENCE);
        let question = session.pose(DELETE_TOOL, both).await;
        assert_says(question.message(), &["deployment 'Forecasts'"]);
        let yes = question.accept(true);
        session.answer(question, yes).await.account();
        assert!(!exists(&sandbox.handle(), FORECASTS));
    }
}

#[tokio::test]
async fn the_user_selects_from_the_accounts_of_a_deployment() {
    for era in Era::BOTH {
        let sandbox = Sandbox::start(0).await.unwrap();
        sandbox
            .handle()
            .add_account(theirs("second", Role::DeploymentViewer));
        let mut session = asking(&sandbox).serve(era).await;
        let place = json!({"deployment_id": DEPLOYMENT});
        let question = session.pose(DELETE_TOOL, place.clone()).await;
        let titles: Vec<_> = question
            .choices()
            .into_iter()
            .map(|(_, title)| title)
            .collect();
        assert_eq!(titles[0], "None of these");
        assert_eq!(titles.len(), 3);
        session.select(question, FORECASTS).await.account();
        assert!(!exists(&sandbox.handle(), FORECASTS));
        let mut cannot = guarded(&sandbox, Persona::WorkspaceAdmin).serve(era).await;
        let listed = cannot.call(DELETE_TOOL, place).await;
        assert_says(
            listed.refusal("invalid_arguments"),
            &["'second'", DEPLOYMENT],
        );
    }
}

#[tokio::test]
async fn the_own_account_of_a_deployment_is_asked_about_even_under_never() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let own = sandbox
        .handle()
        .add_account(theirs("own", Role::DeploymentAdmin));
    let program = guarded_with(&sandbox, &own.key).args(&["--confirm", "never"]);
    let mut session = program.serve(Era::USUAL).await;
    let one = json!({"service_account_id": own.id, "deployment_id": DEPLOYMENT});
    let refused = session.call(DELETE_TOOL, one).await;
    assert_says(
        refused.refusal("confirmation_required"),
        &["this server itself uses"],
    );
    assert!(exists(&sandbox.handle(), &own.id));
}

// The place.

#[tokio::test]
async fn a_deployment_has_to_be_in_the_workspace_that_is_named_beside_it() {
    for line in LINES {
        let (sandbox, mut session) = start(line, Persona::WorkspaceAdmin, &[]).await;
        for (tool, extra) in [
            (GET_TOOL, json!({})),
            (CREATE_TOOL, json!({"label": "etl"})),
            (DELETE_TOOL, json!({"service_account_id": FORECASTS})),
        ] {
            let mut wrong = extra.clone();
            wrong["workspace_id"] = json!(ANALYTICS);
            wrong["deployment_id"] = json!(DEPLOYMENT);
            sandbox.handle().clear_requests();
            let refused = session.call(tool, wrong).await;
            assert_says(refused.refusal("not_found"), &[DEPLOYMENT, ANALYTICS]);
            assert_eq!(asked(&sandbox.handle()), [DEPLOYMENTS]);
            let mut right = extra;
            right["workspace_id"] = json!(DATA_SCIENCE);
            right["deployment_id"] = json!(DEPLOYMENT);
            session.call(tool, right).await.structured();
        }
    }
}

#[tokio::test]
async fn the_default_workspace_steps_in_only_where_no_place_is_named() {
    let (sandbox, mut session) = start(
        Line::Today,
        Persona::WorkspaceAdmin,
        &["--workspace-id", ANALYTICS],
    )
    .await;
    session
        .call(CREATE_TOOL, on_deployment("etl"))
        .await
        .account();
    let place = truth(&sandbox.handle(), "etl").entity_uuid;
    assert_eq!(place.as_deref(), Some(DEPLOYMENT));
    session
        .call(CREATE_TOOL, json!({"label": "elt"}))
        .await
        .account();
    let place = truth(&sandbox.handle(), "elt").entity_uuid;
    assert_eq!(place.as_deref(), Some(ANALYTICS));
    session.call(DELETE_TOOL, forecasts()).await.account();
}

#[tokio::test]
async fn an_unknown_deployment_is_not_found_by_a_system_admin_and_refused_to_others() {
    let new = json!({"label": "etl", "deployment_id": NO_DEPLOYMENT});
    let one = json!({"service_account_id": FORECASTS, "deployment_id": NO_DEPLOYMENT});
    let all = json!({"deployment_id": NO_DEPLOYMENT});
    let calls = [(CREATE_TOOL, new), (DELETE_TOOL, one), (GET_TOOL, all)];
    for line in LINES {
        for persona in [Persona::WorkspaceAdmin, Persona::DeploymentAdmin] {
            let (sandbox, mut session) = start(line, persona, &[]).await;
            for (tool, arguments) in calls.clone() {
                let refused = session.call(tool, arguments).await;
                let text = refused.refusal("permission_denied");
                assert_says(
                    text,
                    &[
                        NO_DEPLOYMENT,
                        "deleted",
                        "does not exist",
                        "DEPLOYMENT_EDITOR",
                        "WORKSPACE_ADMIN",
                    ],
                );
                assert_eq!(refused.error()["deployment_id"], NO_DEPLOYMENT);
            }
            assert_eq!(mutations(&sandbox.handle()), 0);
        }
    }
    let (sandbox, mut session) = start(Line::Today, Persona::SystemAdmin, &[]).await;
    for (tool, arguments) in calls.clone() {
        session.call(tool, arguments).await.refusal("not_found");
    }
    assert_eq!(mutations(&sandbox.handle()), 0);
    // A release that does not list all workspaces cannot tell before; nothing is made there either.
    let (sandbox, mut session) = start(Line::Of2020, Persona::SystemAdmin, &[]).await;
    let before = sandbox.handle().accounts();
    let [(tool, arguments), ..] = calls;
    let refused = session.call(tool, arguments).await;
    assert_says(refused.refusal("api_error"), &["Nothing was created"]);
    assert_eq!(sandbox.handle().accounts(), before);
}

#[tokio::test]
async fn a_deployment_without_accounts_takes_its_first_one_from_every_kind_of_caller() {
    for line in LINES {
        for persona in [
            Persona::WorkspaceAdmin,
            Persona::DeploymentAdmin,
            Persona::SystemAdmin,
        ] {
            let (sandbox, mut session) = start(line, persona, &[]).await;
            sandbox.handle().remove_account(FORECASTS);
            session
                .call(CREATE_TOOL, on_deployment("first"))
                .await
                .account();
            truth(&sandbox.handle(), "first");
        }
    }
}

/// What releases may answer to a caller that is not of the system level, and asks for all workspaces.
fn all_workspaces_not_told() -> [Value; 4] {
    let error = |code: &str, words: &str| {
        let error = json!({"message": words, "path": [ALL], "extensions": {"code": code}});
        json!({"errors": [error], "data": null})
    };
    [
        json!({"data": {ALL: []}}),
        json!({"data": {ALL: null}}),
        error("FORBIDDEN", "You may not do that"),
        error(
            "INTERNAL_SERVER_ERROR",
            "Cannot read property 'uuid' of undefined",
        ),
    ]
}

#[tokio::test]
async fn a_list_of_all_workspaces_that_is_not_told_says_nothing_of_a_deployment() {
    for body in all_workspaces_not_told() {
        let (sandbox, mut session) = start(Line::Today, Persona::DeploymentAdmin, &[]).await;
        sandbox.handle().remove_account(FORECASTS);
        let fault = answer(200, "application/json", body.to_string(), false);
        sandbox.handle().inject(fault, On::Field(ALL), 1);
        session
            .call(CREATE_TOOL, on_deployment("first"))
            .await
            .account();
        assert_eq!(count(&sandbox.handle(), ALL), 1);
    }
}

#[tokio::test]
async fn trouble_with_the_list_of_all_workspaces_stops_a_creation_that_depends_on_it() {
    let (sandbox, mut session) = start(Line::Today, Persona::SystemAdmin, &[]).await;
    sandbox.handle().remove_account(FORECASTS);
    sandbox.handle().inject(page(500, false), On::Field(ALL), 5);
    let refused = session.call(CREATE_TOOL, on_deployment("first")).await;
    refused.refusal("api_error");
    assert_eq!(mutations(&sandbox.handle()), 0);
}

#[tokio::test]
async fn a_token_of_a_deployment_is_asked_for_it_whatever_is_told_of_all_workspaces() {
    for body in all_workspaces_not_told() {
        let (sandbox, mut session) = start(Line::Today, Persona::DeploymentAdmin, &[]).await;
        let fault = answer(200, "application/json", body.to_string(), false);
        sandbox.handle().inject(fault, On::Field(ALL), 1);
        let refused = session.call(GET_TOOL, json!({})).await;
        assert_says(
            refused.refusal("permission_denied"),
            &["only roles on deployments", "deployment_id"],
        );
    }
}

// The allow-list.

#[tokio::test]
async fn under_an_allow_list_a_deployment_counts_as_its_workspace() {
    for line in LINES {
        let allow = ["--allow-workspace", DATA_SCIENCE];
        let (sandbox, mut session) = start(line, Persona::WorkspaceAdmin, &allow).await;
        session
            .call(CREATE_TOOL, on_deployment("etl"))
            .await
            .account();
        session.call(DELETE_TOOL, forecasts()).await.account();
        session
            .call(GET_TOOL, json!({"deployment_id": DEPLOYMENT}))
            .await
            .accounts();
        let by_id = json!({"service_account_id": truth(&sandbox.handle(), "etl").id});
        session.call(DELETE_TOOL, by_id).await.account();
    }
}

#[tokio::test]
async fn nothing_is_asked_of_a_deployment_that_is_in_no_allowed_workspace() {
    for line in LINES {
        let allow = ["--allow-workspace", ANALYTICS];
        let (sandbox, mut session) = start(line, Persona::WorkspaceAdmin, &allow).await;
        for (tool, extra) in [
            (GET_TOOL, json!({})),
            (CREATE_TOOL, json!({"label": "etl"})),
            (DELETE_TOOL, json!({"service_account_id": FORECASTS})),
            (DELETE_TOOL, json!({})),
        ] {
            for deployment in [DEPLOYMENT, NO_DEPLOYMENT] {
                for beside in [json!(null), json!(ANALYTICS), json!(DATA_SCIENCE)] {
                    let mut arguments = extra.clone();
                    arguments["deployment_id"] = json!(deployment);
                    arguments["workspace_id"] = beside;
                    let refused = session.call(tool, arguments).await;
                    let text = refused.refusal("not_allowed");
                    assert_says(
                        text,
                        &["--allow-workspace", "APC_ALLOWED_WORKSPACES", ANALYTICS],
                    );
                }
            }
        }
        let one = json!({"service_account_id": FORECASTS});
        session
            .call(DELETE_TOOL, one.clone())
            .await
            .refusal("not_found");
        session.call(GET_TOOL, one).await.refusal("not_found");
        let handle = sandbox.handle();
        assert_eq!(mutations(&handle), 0);
        let foreign = |request: &apc_sandbox::Recorded| {
            let deployment = request.variables.get("deploymentUuid");
            request.variables["workspaceUuid"] == DATA_SCIENCE
                || deployment.is_some_and(|id| id != PROD_AIRFLOW)
        };
        assert!(!handle.requests().iter().any(foreign));
    }
}

#[tokio::test]
async fn a_deployment_that_cannot_be_looked_for_is_not_allowed_or_told_as_trouble() {
    let allow = ["--allow-workspace", DATA_SCIENCE];
    let (sandbox, mut session) = start(Line::Today, Persona::DeploymentAdmin, &allow).await;
    let refused = session.call(CREATE_TOOL, on_deployment("etl")).await;
    assert_says(
        refused.refusal("not_allowed"),
        &["token of a deployment can list none"],
    );
    let (troubled, mut session) = start(Line::Today, Persona::WorkspaceAdmin, &allow).await;
    troubled
        .handle()
        .inject(page(500, false), On::Field(DEPLOYMENTS), 3);
    let trouble = session.call(CREATE_TOOL, on_deployment("etl")).await;
    assert_says(trouble.refusal("api_error"), &["nothing was asked of it"]);
    for sandbox in [sandbox, troubled] {
        assert_eq!(count(&sandbox.handle(), LIST_THERE), 0);
        assert_eq!(mutations(&sandbox.handle()), 0);
    }
}

// Tokens and refusals.

#[tokio::test]
async fn a_token_of_a_deployment_is_asked_to_name_it_and_works_with_it() {
    for line in LINES {
        let sandbox = Sandbox::start_line(0, line).await.unwrap();
        let key = sandbox
            .handle()
            .add_account(theirs("own", Role::DeploymentAdmin))
            .key;
        let user = sandbox.token(Persona::DeploymentAdmin);
        for token in [key, user] {
            let mut session = guarded_with(&sandbox, &token).serve(Era::USUAL).await;
            for (tool, arguments) in [
                (GET_TOOL, json!({})),
                (GET_TOOL, json!({"service_account_id": FORECASTS})),
                (DELETE_TOOL, json!({"service_account_id": FORECASTS})),
                (GET_TOOL, json!({"workspace_id": DATA_SCIENCE})),
            ] {
                let refused = session.call(tool, arguments).await;
                let text = refused.refusal("permission_denied");
                assert_says(text, &["deployment_id", "is valid"]);
            }
            let elsewhere = json!({"label": "etl", "workspace_id": DATA_SCIENCE});
            let refused = session.call(CREATE_TOOL, elsewhere).await;
            assert_says(refused.refusal("permission_denied"), &["deployment_id"]);
            let placeless = session.call(CREATE_TOOL, json!({"label": "etl"})).await;
            assert_says(placeless.refusal("invalid_arguments"), &["deployment_id"]);
            let found = session
                .call(GET_TOOL, json!({"deployment_id": DEPLOYMENT}))
                .await;
            assert!(found.column("id").contains(&FORECASTS));
            let beside = json!({"deployment_id": DEPLOYMENT, "workspace_id": DATA_SCIENCE});
            let refused = session.call(GET_TOOL, beside).await;
            assert_says(
                refused.refusal("permission_denied"),
                &["deployment_id alone"],
            );
        }
    }
}

#[tokio::test]
async fn a_workspace_admin_who_is_refused_on_a_deployment_hears_of_both_kinds_of_role() {
    for line in LINES {
        let (sandbox, mut session) = start(line, Persona::WorkspaceAdmin, &[]).await;
        for (field, tool, arguments) in [
            (LIST_THERE, GET_TOOL, json!({"deployment_id": DEPLOYMENT})),
            (LIST_THERE, CREATE_TOOL, on_deployment("etl")),
            (CREATE_THERE, CREATE_TOOL, on_deployment("etl")),
            (LIST_THERE, DELETE_TOOL, forecasts()),
            (DELETE_THERE, DELETE_TOOL, forecasts()),
        ] {
            sandbox.handle().inject(refusal(line), On::Field(field), 1);
            let refused = session.call(tool, arguments).await;
            let text = refused.refusal("permission_denied");
            assert_says(
                text,
                &[
                    "DEPLOYMENT_EDITOR",
                    "DEPLOYMENT_ADMIN",
                    "WORKSPACE_ADMIN",
                    "Nothing was",
                ],
            );
            let lists = format!("may list the service accounts of deployment '{DEPLOYMENT}', but");
            let is_change = field != LIST_THERE;
            assert_eq!(text.contains(&lists), is_change, "{text}");
            assert_eq!(text.contains("does not exist"), !is_change, "{text}");
        }
        assert!(exists(&sandbox.handle(), FORECASTS));
        assert_eq!(labelled(&sandbox.handle(), "etl").len(), 0);
    }
}

#[tokio::test]
async fn a_bad_token_is_unauthenticated_on_a_deployment_too() {
    for line in LINES {
        let sandbox = Sandbox::start_line(0, line).await.unwrap();
        let expired = sandbox.handle().sign_in("deployer", TimeDelta::days(-3));
        for token in [UNKNOWN_KEY, &expired] {
            let mut session = guarded_with(&sandbox, token).serve(Era::USUAL).await;
            for (tool, arguments) in [
                (GET_TOOL, json!({"deployment_id": DEPLOYMENT})),
                (CREATE_TOOL, on_deployment("etl")),
                (DELETE_TOOL, forecasts()),
            ] {
                session
                    .call(tool, arguments)
                    .await
                    .refusal("unauthenticated");
            }
        }
        assert_eq!(mutations(&sandbox.handle()), 0);
    }
}

// The audit log.

#[tokio::test]
async fn the_audit_log_names_the_deployment_and_its_workspace_where_it_is_known() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = audited(&sandbox).serve(Era::USUAL).await;
    session
        .call(CREATE_TOOL, on_deployment("etl"))
        .await
        .account();
    let mut both = on_deployment("elt");
    both["workspace_id"] = json!(DATA_SCIENCE);
    session.call(CREATE_TOOL, both).await.account();
    let by_id = json!({"service_account_id": FORECASTS});
    session.call(DELETE_TOOL, by_id).await.account();
    let mut wrong = on_deployment("etl");
    wrong["role"] = json!("WORKSPACE_ADMIN");
    session
        .call(CREATE_TOOL, wrong)
        .await
        .refusal("invalid_arguments");
    let known = |line: &Value| {
        let text = |name: &str| line[name].as_str().map(str::to_owned);
        (text("workspace_id"), text("deployment_id"), text("outcome"))
    };
    let lines: Vec<_> = whole_audit(&session).iter().map(known).collect();
    let row = |workspace: Option<&str>, outcome: &str| {
        (
            workspace.map(str::to_owned),
            Some(DEPLOYMENT.to_owned()),
            Some(outcome.to_owned()),
        )
    };
    assert_eq!(
        lines,
        [
            row(None, "sent"),
            row(None, "ok"),
            row(Some(DATA_SCIENCE), "sent"),
            row(Some(DATA_SCIENCE), "ok"),
            row(Some(DATA_SCIENCE), "sent"),
            row(Some(DATA_SCIENCE), "ok"),
            row(None, "invalid_arguments"),
        ]
    );
}

#[tokio::test]
async fn the_audit_log_names_the_workspace_in_which_an_allow_list_has_found_the_deployment() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = audited(&sandbox)
        .args(&["--allow-workspace", DATA_SCIENCE])
        .serve(Era::USUAL)
        .await;
    let created = session.call(CREATE_TOOL, on_deployment("etl")).await;
    created.account();
    let taken = session.call(CREATE_TOOL, on_deployment("etl")).await;
    taken.refusal("already_exists");
    session.call(DELETE_TOOL, forecasts()).await.account();
    let lines = whole_audit(&session);
    let outcomes: Vec<_> = lines.iter().map(|line| &line["outcome"]).collect();
    assert_eq!(outcomes, ["sent", "ok", "already_exists", "sent", "ok"]);
    for line in lines {
        assert_eq!(line["workspace_id"], DATA_SCIENCE, "{line}");
        assert_eq!(line["deployment_id"], DEPLOYMENT, "{line}");
    }
}

/// An empty list makes the server look for the deployment before it creates anything.
#[tokio::test]
async fn the_audit_log_names_the_workspace_in_which_the_look_has_found_the_deployment() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let program = guarded(&sandbox, Persona::SystemAdmin);
    let path = program.path("audit.jsonl");
    let mut session = program
        .args(&["--audit-log", &path])
        .serve(Era::USUAL)
        .await;
    let new = json!({"label": "etl", "deployment_id": PROD_AIRFLOW});
    session.call(CREATE_TOOL, new).await.account();
    let written = lines(path.as_ref());
    assert_eq!(written.len(), 2);
    for line in written {
        assert_eq!(line["workspace_id"], ANALYTICS, "{line}");
        assert_eq!(line["deployment_id"], PROD_AIRFLOW, "{line}");
    }
}

// Listing.

/// A system admin of many workspaces with as many deployments each, and an account in every place.
async fn large(workspaces: usize, deployments: usize) -> (Sandbox, Program) {
    let mut store = Store::empty().user("root", &[(Role::SystemAdmin, Entity::System)]);
    for workspace in 0..workspaces {
        let id = format!("workspace{workspace:03}");
        let place = Entity::Workspace(id.clone());
        store = store
            .workspace(&id, &format!("Workspace {workspace:03}"))
            .account(NewAccount::new("ci", Role::WorkspaceEditor, place));
        for deployment in 0..deployments {
            let inside = format!("deployment{workspace:03}x{deployment:02}");
            let place = Entity::Deployment(inside.clone());
            store = store
                .deployment(&inside, &format!("Airflow {deployment:02}"), &id)
                .account(NewAccount::new("dag", Role::DeploymentViewer, place));
        }
    }
    let sandbox = Sandbox::start_with(0, store).await.unwrap();
    let token = sandbox.handle().sign_in("root", TimeDelta::days(1));
    let program = guarded_with(&sandbox, &token);
    (sandbox, program)
}

#[tokio::test]
async fn the_deployments_of_each_workspace_are_listed_with_their_names_and_counts() {
    for line in LINES {
        let (sandbox, mut session) = start(line, Persona::WorkspaceAdmin, &[]).await;
        let asked = json!({"include_deployments": true});
        let found = session.call(GET_TOOL, asked).await;
        let seeds = sandbox.handle().accounts().len();
        assert_eq!(
            found.structured()["total"],
            seeds - 1,
            "all but the system's"
        );
        let workspaces = found.structured()["workspaces"].as_array().unwrap();
        let of = |id: &str| workspaces.iter().find(|one| one["id"] == id).unwrap();
        let empty = json!([{
            "id": PROD_AIRFLOW, "label": "prod-airflow", "release_name": "prod-airflow-0001", "count": 0,
        }]);
        assert_eq!(of(ANALYTICS)["deployments"], empty);
        let expected = json!([{
            "id": DEPLOYMENT, "label": "Forecasts", "release_name": "forecasts-0001", "count": 1,
        }]);
        assert_eq!(of(DATA_SCIENCE)["deployments"], expected);
        let there: Vec<_> = found
            .accounts()
            .iter()
            .filter(|account| account["deployment_id"] == DEPLOYMENT)
            .map(|account| &account["id"])
            .collect();
        assert_eq!(there, [FORECASTS]);

        let one = json!({"include_deployments": true, "workspace_id": DATA_SCIENCE, "label": "forecasts"});
        let found = session.call(GET_TOOL, one).await;
        assert_eq!(found.column("id"), [FORECASTS]);
        let workspace = &found.structured()["workspaces"][0];
        assert_eq!(workspace["count"], 0);
        assert_eq!(workspace["deployments"], expected);

        let without = session
            .call(GET_TOOL, json!({"include_deployments": false}))
            .await;
        assert_eq!(without.structured()["total"], seeds - 2);
        assert_eq!(
            without.structured()["workspaces"][0].get("deployments"),
            None
        );
    }
}

#[tokio::test]
async fn a_deployment_that_is_listed_twice_is_read_once() {
    let (sandbox, mut session) = start(Line::Today, Persona::WorkspaceAdmin, &[]).await;
    let one = json!({"id": DEPLOYMENT, "label": "Forecasts"});
    let twice = json!({"data": {DEPLOYMENTS: [one, one]}}).to_string();
    let fault = answer(200, "application/json", twice, false);
    sandbox.handle().inject(fault, On::Field(DEPLOYMENTS), 1);
    let asked = json!({"workspace_id": DATA_SCIENCE, "include_deployments": true});
    let found = session.call(GET_TOOL, asked).await;
    let mut ids = found.column("id");
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), found.accounts().len(), "an account stands twice");
    assert_eq!(found.structured()["total"], ids.len());
    let shown = &found.structured()["workspaces"][0]["deployments"];
    assert_eq!(shown.as_array().unwrap().len(), 1, "{shown}");
    assert_eq!(count(&sandbox.handle(), LIST_THERE), 1);
}

#[tokio::test]
async fn include_deployments_is_true_or_false() {
    let (sandbox, mut session) = start(Line::Today, Persona::WorkspaceAdmin, &[]).await;
    for wrong in [json!("true"), json!(1), json!("yes"), json!([true])] {
        let asked = json!({"include_deployments": wrong});
        let refused = session.call(GET_TOOL, asked).await;
        let accepted = "accepted: true or false, without quotes";
        assert_says(refused.refusal("invalid_arguments"), &[accepted]);
    }
    assert_eq!(sandbox.handle().requests(), []);
}

#[tokio::test]
async fn the_deployments_of_a_workspace_that_does_not_exist_are_not_found() {
    let (_sandbox, mut session) = start(Line::Today, Persona::SystemAdmin, &[]).await;
    let asked = json!({"include_deployments": true, "workspace_id": NOTHING});
    session.call(GET_TOOL, asked).await.refusal("not_found");
}

#[tokio::test]
async fn what_could_not_be_read_of_deployments_is_in_the_notes() {
    for (field, says) in [
        (DEPLOYMENTS, "The deployments could not be listed"),
        (
            LIST_THERE,
            "Not read, so their accounts are missing here: deployment",
        ),
    ] {
        for line in LINES {
            let (sandbox, mut session) = start(line, Persona::WorkspaceAdmin, &[]).await;
            sandbox.handle().inject(refusal(line), On::Field(field), 9);
            let asked = json!({"include_deployments": true});
            let found = session.call(GET_TOOL, asked).await;
            let notes = found.structured()["notes"].to_string();
            assert_says(&notes, &[says, "permission_denied"]);
            assert!(!found.column("id").contains(&FORECASTS));
        }
    }
    let (sandbox, mut session) = start(Line::Today, Persona::WorkspaceAdmin, &[]).await;
    let broken = json!({"data": {DEPLOYMENTS: [null, {"id": DEPLOYMENT, "label": null, "releaseName": null}]},
        "errors": [{"message": "broken", "path": [DEPLOYMENTS, 0]}]});
    let fault = answer(200, "application/json", broken.to_string(), false);
    sandbox.handle().inject(fault, On::Field(DEPLOYMENTS), 1);
    let asked = json!({"include_deployments": true, "workspace_id": DATA_SCIENCE});
    let found = session.call(GET_TOOL, asked).await;
    assert!(found.column("id").contains(&FORECASTS));
    let notes = found.structured()["notes"].to_string();
    assert_says(&notes, &["1 of the deployments could not be read"]);
}

#[tokio::test]
async fn a_release_that_lists_no_deployments_costs_them_and_not_the_call() {
    let (sandbox, mut session) = start(Line::Today, Persona::WorkspaceAdmin, &[]).await;
    sandbox.handle().lack_field("Query.workspaceDeployments");
    let found = session
        .call(GET_TOOL, json!({"include_deployments": true}))
        .await;
    assert!(found.column("id").contains(&CI_DEPLOY));
    let notes = found.structured()["notes"].to_string();
    assert_says(
        &notes,
        &["deployments could not be listed", "incompatible_api"],
    );
    session
        .call(CREATE_TOOL, on_deployment("etl"))
        .await
        .account();
}

#[tokio::test]
async fn all_places_of_a_large_installation_are_read_by_at_most_16_lists_at_once() {
    let (sandbox, program) = large(20, 10).await;
    let network = StandIn::before(&sandbox).await;
    let mut session = program
        .env("APC_API_URL", network.url())
        .serve(Era::USUAL)
        .await;
    let found = session
        .call(GET_TOOL, json!({"include_deployments": true}))
        .await;
    assert_eq!(found.structured()["total"], 220);
    assert_eq!(found.structured().get("notes"), None);
    let most = network.most_busy();
    assert!((2..=16).contains(&most), "{most} at once");
}

/// Adds an account without an id, and an error about the last use of the first one.
fn broken_in_part(answer: &mut Value, field: &str) {
    let list = answer["data"][field].as_array_mut().unwrap();
    list.push(json!(null));
    answer["errors"] = json!([
        {"message": "broken", "path": [field, 0, "lastUsedAt"]},
        {"message": "broken", "path": [field, 1, "id"]},
    ]);
}

#[tokio::test]
async fn the_notes_on_many_places_stay_short() {
    let (sandbox, program) = large(25, 0).await;
    let network = StandIn::before(&sandbox).await;
    network.arm(LIST, Play::Edit(broken_in_part), true, 0);
    let unknown: Vec<_> = (0..30).map(|number| format!("unknown{number}")).collect();
    let known = (0..25).map(|number| format!("workspace{number:03}"));
    let allowed: Vec<_> = known.chain(unknown).collect();
    let mut session = program
        .env("APC_API_URL", network.url())
        .env("APC_ALLOWED_WORKSPACES", allowed.join(","))
        .serve(Era::USUAL)
        .await;
    let found = session.call(GET_TOOL, json!({})).await;
    assert_eq!(found.accounts().len(), 25);
    let notes = found.structured()["notes"].as_array().unwrap();
    let about = |words: &str| {
        let notes = notes.iter().filter_map(Value::as_str);
        let about: Vec<_> = notes.filter(|note| note.contains(words)).collect();
        assert_eq!(about.len(), 1, "{words}: {notes:?}", notes = about);
        about[0]
    };
    assert_says(about("everything of"), &["1 account in", "5 more"]);
    assert_says(about("may still exist"), &["1 account in", "5 more"]);
    assert_says(about("do not exist"), &["'unknown0'", "10 more"]);
    assert_eq!(notes.len(), 3, "{notes:?}");
}

/// The progress that a client has heard of: done, total and message.
fn progress(session: &Session) -> Vec<(u64, u64, String)> {
    let heard = session.notifications.iter();
    let heard = heard.filter(|message| message["method"] == "notifications/progress");
    heard
        .map(|message| {
            let params = &message["params"];
            assert_eq!(params["progressToken"], "watching");
            let number = |name: &str| params[name].as_f64().unwrap() as u64;
            let text = params["message"].as_str().unwrap().to_owned();
            (number("progress"), number("total"), text)
        })
        .collect()
}

#[tokio::test]
async fn a_client_that_asks_for_progress_hears_how_many_places_are_read() {
    for era in Era::BOTH {
        let (_sandbox, program) = large(20, 10).await;
        let mut session = program.serve(era).await;
        let mut params = json!({"name": GET_TOOL, "arguments": {"include_deployments": true}});
        if era == Era::Stateless {
            params["_meta"] = stateless_meta(era.version());
        }
        params["_meta"]["progressToken"] = json!("watching");
        let reply = session.exchange("tools/call", params).await;
        assert_eq!(reply["result"]["structuredContent"]["total"], 220);
        let heard = progress(&session);
        assert!((20..=45).contains(&heard.len()), "{heard:?}");
        assert!(
            heard.is_sorted_by(|before, after| before.0 < after.0),
            "{heard:?}"
        );
        assert_eq!(
            *heard.last().unwrap(),
            (220, 220, "read 220 of 220 places".to_owned())
        );

        let silent = session
            .call(GET_TOOL, json!({"include_deployments": true}))
            .await;
        assert_eq!(silent.structured()["total"], 220);
        assert_eq!(progress(&session).len(), heard.len());
    }
}

#[tokio::test]
async fn what_is_not_read_within_the_time_of_the_call_is_in_the_notes() {
    let (sandbox, program) = large(2, 3).await;
    sandbox
        .handle()
        .inject(Fault::Hang, On::Field(LIST_THERE), 4);
    let mut session = program.env("APC_TIMEOUT", "1").serve(Era::USUAL).await;
    let found = session
        .call(GET_TOOL, json!({"include_deployments": true}))
        .await;
    assert_eq!(found.structured()["total"], 4);
    let notes = found.structured()["notes"].to_string();
    assert_eq!(notes.matches("timed_out").count(), 4, "{notes}");
}

// A server that works on workspaces alone.

#[tokio::test]
async fn a_server_of_workspaces_alone_has_no_word_of_deployments() {
    for era in Era::BOTH {
        let sandbox = Sandbox::start(0).await.unwrap();
        let program = guarded(&sandbox, Persona::WorkspaceAdmin).args(&["--levels", "workspace"]);
        let mut session = match era {
            Era::Handshake(version) => {
                let mut session = program.spawn(era);
                let opened = session.exchange("initialize", opening(version)).await;
                assert_wordless(&opened["result"]);
                session.notify("notifications/initialized").await;
                session
            }
            Era::Stateless => {
                let mut session = program.serve(era).await;
                let found = session.request("server/discover", json!({})).await;
                assert_wordless(&found["result"]);
                session
            }
        };
        let tools = session.list_tools().await;
        assert_wordless(&json!(tools));
        let role = &tools[0]["inputSchema"]["properties"]["role"];
        let three = ["WORKSPACE_VIEWER", "WORKSPACE_EDITOR", "WORKSPACE_ADMIN"];
        assert_eq!(role["enum"], json!(three));
        assert_eq!(
            tools[0]["inputSchema"]["required"],
            json!(["label", "workspace_id"])
        );
        assert_wordless(&session.request("prompts/list", json!({})).await["result"]);
        for (prompt, arguments) in [
            ("audit_service_accounts", json!({})),
            (
                "rotate_service_account",
                json!({"service_account_id": CI_DEPLOY}),
            ),
        ] {
            let params = json!({"name": prompt, "arguments": arguments});
            assert_wordless(&session.request("prompts/get", params).await["result"]);
        }
        for (tool, arguments) in [
            (GET_TOOL, json!({})),
            (GET_TOOL, json!({"service_account_id": FORECASTS})),
            (CREATE_TOOL, new("etl")),
            (CREATE_TOOL, json!({})),
            (
                CREATE_TOOL,
                json!({"label": "etl", "workspace_id": NOTHING}),
            ),
            (DELETE_TOOL, json!({})),
            (DELETE_TOOL, json!({"service_account_id": NOTHING})),
            (DELETE_TOOL, deletion_of(CI_DEPLOY)),
        ] {
            assert_wordless(&session.call(tool, arguments).await.result);
        }
        assert_eq!(count(&sandbox.handle(), DEPLOYMENTS), 0);
    }
}

/// No word of deployments, however it ends. The label of an account is not the server's own word.
#[track_caller]
fn assert_wordless(told: &Value) {
    let text = told.to_string().to_lowercase().replace("ci-deploy", "");
    assert!(!text.contains("deploy"), "{told:#}");
}

#[tokio::test]
async fn a_call_about_deployments_names_the_flag_that_switches_them_off() {
    for (name, value) in [("--levels", "workspace"), ("APC_LEVELS", "workspace")] {
        let sandbox = Sandbox::start(0).await.unwrap();
        let program = guarded(&sandbox, Persona::SystemAdmin);
        let program = match name.starts_with("--") {
            true => program.args(&[name, value]),
            false => program.env(name, value),
        };
        let mut session = program.serve(Era::USUAL).await;
        for (tool, arguments) in [
            (GET_TOOL, json!({"deployment_id": DEPLOYMENT})),
            (GET_TOOL, json!({"include_deployments": true})),
            (CREATE_TOOL, on_deployment("etl")),
            (DELETE_TOOL, forecasts()),
            (DELETE_TOOL, json!({"deployment_id": DEPLOYMENT})),
        ] {
            let refused = session.call(tool, arguments).await;
            assert_says(refused.refusal("not_allowed"), &["--levels", "APC_LEVELS"]);
        }
        let role = json!({"label": "etl", "workspace_id": ANALYTICS, "role": "DEPLOYMENT_VIEWER"});
        let refused = session.call(CREATE_TOOL, role).await;
        let accepted = "accepted: WORKSPACE_VIEWER, WORKSPACE_EDITOR, WORKSPACE_ADMIN.";
        assert_says(refused.refusal("invalid_arguments"), &[accepted]);
        let one = json!({"service_account_id": FORECASTS});
        session.call(DELETE_TOOL, one).await.refusal("not_found");
        let params = json!({"name": "rotate_service_account",
            "arguments": {"service_account_id": FORECASTS, "deployment_id": DEPLOYMENT}});
        let refused = session.request("prompts/get", params).await;
        assert_says(refused["error"]["message"].as_str().unwrap(), &["--levels"]);
        let asked = asked(&sandbox.handle());
        assert!(
            !asked.iter().any(|field| field.contains("eployment")),
            "{asked:?}"
        );
    }
}

#[tokio::test]
async fn other_sets_of_levels_are_refused() {
    for levels in ["deployment", "workspace,system", "all"] {
        let ended = Program::bare().args(&["--levels", levels]).run().await;
        assert_eq!(ended.status.code(), Some(2), "{levels}");
        assert_says(
            &ended.stderr,
            &["--levels is", "workspace,deployment or workspace"],
        );
    }
    for arguments in [
        &["--levels", "workspace", "--levels", "deployment"][..],
        &["--levels=deployment,workspace"],
    ] {
        let mut session = Program::bare().args(arguments).serve(Era::USUAL).await;
        let tools = session.list_tools().await;
        assert!(tools[0]["inputSchema"]["properties"]["deployment_id"].is_object());
    }
}
