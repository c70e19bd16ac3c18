//! The API as installations have it today: refusals, several roles an account, all workspaces of a system admin, and
//! what could not be read.

use std::time::Duration;

use apc_sandbox::{Breakage, Entity, Fault, Line, NewAccount, On, Persona, Role, Sandbox, Store};
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::clients::*;
use crate::support::harness::*;

const LINES: [Line; 2] = [Line::Today, Line::Of2020];

/// A refusal in the words of today's API, nothing done.
fn refusal() -> Fault {
    Fault::ErrorBefore {
        code: "INTERNAL_SERVER_ERROR".into(),
        message: "Insufficient permissions.".into(),
    }
}

fn workspace(id: &str) -> Entity {
    Entity::Workspace(id.into())
}

// Refusals.

#[tokio::test]
async fn a_viewer_is_denied_every_change_and_nothing_is_changed() {
    for (line, era) in LINES.into_iter().zip(Era::BOTH) {
        let sandbox = Sandbox::start_line(0, line).await.unwrap();
        let before = sandbox.handle().accounts();
        let program = guarded(&sandbox, Persona::WorkspaceViewer);
        let log = program.path(AUDIT);
        let mut session = program.args(&["--audit-log", &log]).serve(era).await;
        for (tool, arguments) in [
            (CREATE_TOOL, new("etl")),
            (DELETE_TOOL, deletion_of(MIGRATION)),
        ] {
            let refused = session.call(tool, arguments).await;
            let text = refused.refusal("permission_denied");
            assert_says(text, &["Nothing was changed", "WORKSPACE_EDITOR"]);
        }
        assert_eq!(sandbox.handle().accounts(), before);
        let outcomes: Vec<_> = audit(&session)
            .into_iter()
            .map(|line| line["outcome"].clone())
            .collect();
        assert_eq!(outcomes, ["permission_denied", "permission_denied"]);
        assert_eq!(names_in(&key_dir(&session)), Vec::<String>::new());
    }
}

#[tokio::test]
async fn everybody_is_denied_in_a_foreign_workspace() {
    for line in LINES {
        let sandbox = Sandbox::start_line(0, line).await.unwrap();
        let before = sandbox.handle().accounts();
        let mut session = guarded(&sandbox, Persona::WorkspaceEditor)
            .serve(Era::USUAL)
            .await;
        let foreign = json!({"workspace_id": DATA_SCIENCE});
        let one = json!({"workspace_id": DATA_SCIENCE, "service_account_id": NOTEBOOKS});
        let label = json!({"workspace_id": DATA_SCIENCE, "label": "etl"});
        for (tool, arguments) in [
            (GET_TOOL, foreign),
            (DELETE_TOOL, one),
            (CREATE_TOOL, label),
        ] {
            let refused = session.call(tool, arguments).await;
            assert_says(refused.refusal("permission_denied"), &["no such workspace"]);
        }
        assert_eq!(sandbox.handle().accounts(), before);
        assert_eq!(mutations(&sandbox.handle()), 0);
    }
}

#[tokio::test]
async fn a_creation_that_may_not_list_says_so_and_sends_nothing() {
    let sandbox = Sandbox::start(0).await.unwrap();
    sandbox.handle().inject(refusal(), On::Field(LIST), 1);
    let mut session = guarded(&sandbox, Persona::WorkspaceAdmin)
        .serve(Era::USUAL)
        .await;
    let refused = session.call(CREATE_TOOL, new("etl")).await;
    assert_says(
        refused.refusal("permission_denied"),
        &["may not list", "Nothing was created"],
    );
    assert_eq!(mutations(&sandbox.handle()), 0);
}

#[tokio::test]
async fn a_refusal_with_the_trace_of_its_stack_is_a_refusal() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let trace = "at resolve (/srv/houston/index.js:1:1)\n".repeat(2_000);
    let error = json!({"message": "Insufficient permissions.", "path": [CREATE],
        "extensions": {"code": "INTERNAL_SERVER_ERROR", "exception": {"stacktrace": [trace]}}});
    let body = json!({"errors": [error], "data": {CREATE: null}}).to_string();
    let fault = answer(200, "application/json", body, false);
    sandbox.handle().inject(fault, On::Field(CREATE), 1);
    let mut session = guarded(&sandbox, Persona::WorkspaceAdmin)
        .serve(Era::USUAL)
        .await;
    let refused = session.call(CREATE_TOOL, new("etl")).await;
    let text = refused.refusal("permission_denied");
    assert!(!text.contains("index.js"), "{text}");
}

#[tokio::test]
async fn a_colleagues_account_is_not_adopted_after_a_refusal() {
    for era in Era::BOTH {
        let sandbox = Sandbox::start(0).await.unwrap();
        let handle = sandbox.handle();
        let mut session = guarded(&sandbox, Persona::WorkspaceViewer).serve(era).await;
        let theirs = colleague("etl", Role::WorkspaceViewer);
        handle.add_account_on(On::Field(CREATE), theirs);
        let refused = session.call(CREATE_TOOL, new("etl")).await;
        refused.refusal("permission_denied");
        assert_eq!(names_in(&key_dir(&session)), Vec::<String>::new());
        session.end_without(&[truth(&handle, "etl").key]).await;
    }
}

#[tokio::test]
async fn a_refusal_is_known_by_its_words_whatever_stands_around_them() {
    let error =
        |code: Value| json!({"message": "Insufficient permissions.", "extensions": {"code": code}});
    for body in [
        json!({"errors": [error(json!("INTERNAL_SERVER_ERROR"))], "data": null}),
        json!({"errors": [error(json!("INTERNAL_SERVER_ERROR"))], "data": {LIST: null}}),
        json!({"errors": [error(json!("INTERNAL_SERVER_ERROR"))]}),
        json!({"errors": [error(json!(403))], "data": null}),
        json!({"errors": [error(json!({"a": 1}))], "data": null}),
        json!({"errors": [{"message": "Insufficient permissions.", "extensions": "x"}], "data": null}),
        json!({"errors": [{"message": "Not Authorised!"}], "data": null}),
    ] {
        let sandbox = Sandbox::start(0).await.unwrap();
        let fault = answer(200, "application/json", body.to_string(), false);
        sandbox.handle().inject(fault, On::Field(LIST), 1);
        let mut session = guarded(&sandbox, Persona::WorkspaceAdmin)
            .serve(Era::USUAL)
            .await;
        let refused = session
            .call(GET_TOOL, json!({"workspace_id": ANALYTICS}))
            .await;
        assert_eq!(refused.code(), "permission_denied", "{body}");
    }
}

#[tokio::test]
async fn a_bad_token_is_unauthenticated_in_the_words_of_either_branch() {
    for shield in [false, true] {
        let sandbox = Sandbox::start(0).await.unwrap();
        if shield {
            sandbox.handle().use_shield_words();
        }
        let expired = sandbox.handle().sign_in("admin", TimeDelta::days(-3));
        for (token, says) in [(UNKNOWN_KEY, "APC_API_TOKEN"), (&*expired, "expired on 20")] {
            let mut session = guarded_with(&sandbox, token).serve(Era::USUAL).await;
            for (tool, arguments) in [
                (GET_TOOL, json!({})),
                (GET_TOOL, json!({"workspace_id": ANALYTICS})),
                (CREATE_TOOL, new("etl")),
                (DELETE_TOOL, deletion_of(MIGRATION)),
            ] {
                let refused = session.call(tool, arguments).await;
                assert_says(refused.refusal("unauthenticated"), &[says]);
            }
        }
        assert_eq!(mutations(&sandbox.handle()), 0);
    }
}

#[tokio::test]
async fn an_expired_token_needs_no_question() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let expired = sandbox.handle().sign_in("admin", TimeDelta::days(-3));
    let mut session = guarded_with(&sandbox, &expired).serve(Era::USUAL).await;
    let one = json!({"workspace_id": ANALYTICS});
    session.call(GET_TOOL, one).await.refusal("unauthenticated");
    assert_eq!(sandbox.handle().requests().len(), 1);
}

#[tokio::test]
async fn a_token_is_not_known_to_be_good_where_the_list_of_workspaces_is_an_error() {
    for (code, message) in [
        (
            "INTERNAL_SERVER_ERROR",
            "Cannot read properties of undefined (reading 'roleBindings')",
        ),
        ("INTERNAL_SERVER_ERROR", "Insufficient permissions."),
        ("ANYTHING", "new words"),
    ] {
        let sandbox = Sandbox::start(0).await.unwrap();
        let handle = sandbox.handle();
        handle.inject(refusal(), On::Field(LIST), 1);
        let (code, message) = (code.to_owned(), message.to_owned());
        handle.inject(
            Fault::ErrorBefore { code, message },
            On::Field("workspaces"),
            1,
        );
        let mut session = guarded(&sandbox, Persona::WorkspaceAdmin)
            .serve(Era::USUAL)
            .await;
        let one = json!({"workspace_id": ANALYTICS});
        session.call(GET_TOOL, one).await.refusal("unauthenticated");
    }
}

#[tokio::test]
async fn a_token_in_doubt_is_told_with_the_words_of_the_api() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let database = Fault::ErrorBefore {
        code: "INTERNAL_SERVER_ERROR".into(),
        message:
            "\nInvalid `prisma.workspace.findMany()` invocation:\n\n\n  Can't reach database server."
                .into(),
    };
    let beside = json!({"errors": [{"message": "trouble"}], "data": {"workspaces": []}});
    let beside = answer(200, "application/json", beside.to_string(), false);
    for (fault, says) in [(database, "database server"), (beside, "trouble")] {
        sandbox.handle().inject(fault, On::Field("workspaces"), 1);
        let mut session = guarded(&sandbox, Persona::WorkspaceAdmin)
            .serve(Era::USUAL)
            .await;
        let refused = session.call(GET_TOOL, json!({})).await;
        let text = refused.refusal("unauthenticated");
        assert_says(text, &[says, "call again later", "Nothing was changed"]);
    }
}

// Roles and bindings.

#[tokio::test]
async fn a_list_shows_roles_and_takes_one_request() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = guarded(&sandbox, Persona::WorkspaceAdmin)
        .serve(Era::USUAL)
        .await;
    let found = session
        .call(GET_TOOL, json!({"workspace_id": ANALYTICS}))
        .await;
    let mut roles = found.column("role");
    roles.sort_unstable();
    assert_eq!(
        roles,
        [
            "WORKSPACE_ADMIN",
            "WORKSPACE_EDITOR",
            "WORKSPACE_EDITOR",
            "WORKSPACE_VIEWER"
        ]
    );
    assert_eq!(sandbox.handle().requests().len(), 1);
}

#[tokio::test]
async fn the_field_of_roles_is_remembered_and_its_lack_is_said_once() {
    for (lacking, first, has_role) in [
        (&["ServiceAccount.roleBindings"][..], 3, false),
        (&[][..], 2, true),
    ] {
        let line = if lacking.is_empty() {
            Line::Of2020
        } else {
            Line::Today
        };
        let sandbox = Sandbox::start_line(0, line).await.unwrap();
        lacking
            .iter()
            .for_each(|field| sandbox.handle().lack_field(field));
        let mut session = guarded(&sandbox, Persona::WorkspaceAdmin)
            .serve(Era::USUAL)
            .await;
        for requests in [first, 1, 1] {
            sandbox.handle().clear_requests();
            let one = json!({"workspace_id": ANALYTICS});
            let found = session.call(GET_TOOL, one).await;
            assert_eq!(found.accounts()[0].get("role").is_some(), has_role);
            assert_eq!(sandbox.handle().requests().len(), requests, "{line}");
        }
        session.close_stdin_and_wait().await;
        let warnings = session.stderr().await.matches("roles are missing").count();
        assert_eq!(warnings, usize::from(!has_role));
    }
}

#[tokio::test]
async fn the_lack_of_roles_is_said_once_whichever_lists_are_read() {
    let sandbox = Sandbox::start(0).await.unwrap();
    sandbox.handle().lack_field("ServiceAccount.roleBindings");
    let mut session = guarded(&sandbox, Persona::WorkspaceAdmin)
        .serve(Era::USUAL)
        .await;
    let all = json!({"include_deployments": true});
    session.call(GET_TOOL, all).await.structured();
    assert!(count(&sandbox.handle(), "deploymentServiceAccounts") > 0);
    session.close_stdin_and_wait().await;
    let warnings = session.stderr().await.matches("roles are missing").count();
    assert_eq!(warnings, 1);
}

#[tokio::test]
async fn an_account_of_two_workspaces_is_listed_in_both_with_its_other_roles() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let handle = sandbox.handle();
    handle.bind(NOTEBOOKS, Role::WorkspaceEditor, workspace(ANALYTICS));
    let mut session = guarded(&sandbox, Persona::WorkspaceAdmin)
        .serve(Era::USUAL)
        .await;
    for (place, role, other) in [
        (
            ANALYTICS,
            "WORKSPACE_EDITOR",
            format!("WORKSPACE_VIEWER {DATA_SCIENCE}"),
        ),
        (
            DATA_SCIENCE,
            "WORKSPACE_VIEWER",
            format!("WORKSPACE_EDITOR {ANALYTICS}"),
        ),
    ] {
        let one = json!({"workspace_id": place, "service_account_id": NOTEBOOKS});
        let found = session.call(GET_TOOL, one).await;
        let account = &found.accounts()[0];
        assert_eq!(account["role"], role);
        assert_eq!(account["other_bindings"], json!([other]));
    }
    let found = session.call(GET_TOOL, json!({"label": "dashboard"})).await;
    assert_eq!(found.accounts()[0].get("other_bindings"), None);
}

#[tokio::test]
async fn a_foreign_account_in_a_list_is_not_shown_and_not_deleted() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let foreign = json!([{
        "id": NOTEBOOKS, "label": "notebooks", "createdAt": "2026-01-01T00:00:00.000Z",
        "entityUuid": ANALYTICS, "workspaceUuid": ANALYTICS,
        "roleBindings": [{"role": "WORKSPACE_VIEWER", "workspace": {"id": DATA_SCIENCE}, "deployment": null}],
    }, {
        "id": CI_DEPLOY, "label": "ci-deploy", "createdAt": "2026-01-01T00:00:00.000Z",
        "entityUuid": null, "workspaceUuid": null, "roleBindings": [],
    }]);
    let body = json!({"data": {LIST: foreign}}).to_string();
    let fault = answer(200, "application/json", body, false);
    sandbox.handle().inject(fault, On::Field(LIST), 10);
    let mut session = guarded(&sandbox, Persona::WorkspaceAdmin)
        .serve(Era::USUAL)
        .await;
    let found = session
        .call(GET_TOOL, json!({"workspace_id": ANALYTICS}))
        .await;
    assert_eq!(found.column("id"), [CI_DEPLOY]);
    session
        .call(DELETE_TOOL, deletion_of(NOTEBOOKS))
        .await
        .refusal("not_found");
    assert_eq!(mutations(&sandbox.handle()), 0);
}

/// Binds an account of Analytics to something else as well.
fn further_bindings() -> [(Role, Entity, &'static str); 3] {
    [
        (Role::SystemAdmin, Entity::System, "SYSTEM_ADMIN"),
        (Role::WorkspaceViewer, workspace(DATA_SCIENCE), DATA_SCIENCE),
        (
            Role::DeploymentEditor,
            Entity::Deployment("cmf3dep1o00030h6forecasts".into()),
            "DEPLOYMENT_EDITOR",
        ),
    ]
}

#[tokio::test]
async fn an_account_with_further_roles_is_asked_about_even_under_never() {
    for era in Era::BOTH {
        for (role, entity, says) in further_bindings() {
            let sandbox = Sandbox::start(0).await.unwrap();
            let handle = sandbox.handle();
            handle.bind(MIGRATION, role, entity);
            let mut session = asking(&sandbox)
                .args(&["--confirm", "never"])
                .serve(era)
                .await;
            let question = session.pose(DELETE_TOOL, deletion_of(MIGRATION)).await;
            assert_says(question.message(), &["further roles", says]);
            let declined = session.answer(question, json!({"action": "decline"})).await;
            declined.refusal("declined");
            assert!(exists(&handle, MIGRATION));

            let question = session.pose(DELETE_TOOL, deletion_of(MIGRATION)).await;
            let yes = question.accept(true);
            let deleted = session.answer(question, yes).await;
            assert_eq!(deleted.account()["id"], MIGRATION);
            assert!(!exists(&handle, MIGRATION));
        }
    }
}

#[tokio::test]
async fn an_account_with_further_roles_stays_where_nobody_can_be_asked() {
    for era in Era::BOTH {
        for (role, entity, says) in further_bindings() {
            for confirm in ["auto", "always", "never"] {
                let sandbox = Sandbox::start(0).await.unwrap();
                let handle = sandbox.handle();
                handle.bind(MIGRATION, role, entity.clone());
                let mut session = guarded(&sandbox, Persona::WorkspaceAdmin)
                    .args(&["--confirm", confirm])
                    .serve(era)
                    .await;
                let refused = session.call(DELETE_TOOL, deletion_of(MIGRATION)).await;
                assert_says(refused.refusal("confirmation_required"), &[says]);
                assert_eq!(mutations(&handle), 0);
            }
        }
    }
}

#[tokio::test]
async fn a_system_role_on_the_workspace_itself_is_asked_about_on_either_line() {
    for line in LINES {
        let sandbox = Sandbox::start_line(0, line).await.unwrap();
        let handle = sandbox.handle();
        let powerful = handle.add_account(colleague("powerful", Role::SystemAdmin));
        let mut session = guarded(&sandbox, Persona::WorkspaceAdmin)
            .args(&["--confirm", "never"])
            .serve(Era::USUAL)
            .await;
        let refused = session.call(DELETE_TOOL, deletion_of(&powerful.id)).await;
        assert_says(
            refused.refusal("confirmation_required"),
            &["'SYSTEM_ADMIN'", "whole installation"],
        );
        assert!(exists(&handle, &powerful.id));
    }
}

#[tokio::test]
async fn roles_that_cannot_be_read_are_asked_about() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let row = json!({"id": CI_DEPLOY, "label": "ci-deploy", "createdAt": "2026-01-01T00:00:00.000Z", "roleBindings": null});
    let error = json!({"message": "broken", "path": [LIST, 0, "roleBindings"]});
    let body = json!({"errors": [error], "data": {LIST: [row]}}).to_string();
    let fault = answer(200, "application/json", body, false);
    sandbox.handle().inject(fault, On::Field(LIST), 10);
    let mut session = guarded(&sandbox, Persona::WorkspaceAdmin)
        .args(&["--confirm", "never"])
        .serve(Era::USUAL)
        .await;
    let refused = session.call(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
    assert_says(
        refused.refusal("confirmation_required"),
        &["could not show its roles"],
    );
}

#[tokio::test]
async fn a_role_that_was_added_while_the_user_was_thinking_makes_the_yes_void() {
    for era in Era::BOTH {
        let sandbox = Sandbox::start(0).await.unwrap();
        let handle = sandbox.handle();
        let mut session = asking(&sandbox).serve(era).await;
        let question = session.pose(DELETE_TOOL, deletion_of(MIGRATION)).await;
        handle.bind(MIGRATION, Role::SystemAdmin, Entity::System);
        let yes = question.accept(true);
        let refused = session.answer(question, yes).await;
        refused.refusal("declined");
        assert!(exists(&handle, MIGRATION));
    }
}

// Everywhere means everywhere.

#[tokio::test]
async fn a_system_admin_sees_every_workspace_without_naming_one() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = guarded(&sandbox, Persona::SystemAdmin)
        .serve(Era::USUAL)
        .await;
    let found = session.call(GET_TOOL, json!({})).await;
    assert_eq!(found.structured()["total"], 6);
    let workspaces = found.structured()["workspaces"].as_array().unwrap();
    assert_eq!(workspaces.len(), sandbox.handle().workspaces().len());
    assert!(
        sandbox
            .handle()
            .requests()
            .iter()
            .all(|request| request.operation.len() == 1),
        "one place a request"
    );
}

#[tokio::test]
async fn a_system_admin_of_2020_has_to_name_a_workspace() {
    let sandbox = Sandbox::start_line(0, Line::Of2020).await.unwrap();
    let mut session = guarded(&sandbox, Persona::SystemAdmin)
        .serve(Era::USUAL)
        .await;
    let refused = session.call(GET_TOOL, json!({})).await;
    assert_says(
        refused.refusal("invalid_arguments"),
        &["workspace_id", "system-level"],
    );
    let one = json!({"workspace_id": ANALYTICS});
    assert_eq!(session.call(GET_TOOL, one).await.structured()["total"], 4);
}

#[tokio::test]
async fn a_token_without_workspaces_is_told_what_it_may_be() {
    for line in LINES {
        let sandbox = Sandbox::start_line(0, line).await.unwrap();
        for persona in [Persona::Nobody, Persona::DeploymentAdmin] {
            let mut session = guarded(&sandbox, persona).serve(Era::USUAL).await;
            let one = json!({"service_account_id": MIGRATION});
            for (tool, arguments) in [(GET_TOOL, json!({})), (DELETE_TOOL, one)] {
                let refused = session.call(tool, arguments).await;
                let text = refused.refusal("permission_denied");
                assert_says(
                    text,
                    &["no role in any workspace", "only roles on deployments"],
                );
            }
        }
    }
}

/// A user who is a member of both workspaces and may list the accounts of one.
async fn with_a_closed_workspace(line: Line) -> (Sandbox, String) {
    let store = Store::empty()
        .workspace("open", "Open")
        .workspace("closed", "Closed")
        .user(
            "member",
            &[
                (Role::WorkspaceAdmin, workspace("open")),
                (Role::User, workspace("closed")),
            ],
        )
        .account(NewAccount::new(
            "here",
            Role::WorkspaceViewer,
            workspace("open"),
        ))
        .account(NewAccount {
            id: Some("hidden".to_owned()),
            ..NewAccount::new("there", Role::WorkspaceViewer, workspace("closed"))
        })
        .line(line);
    let sandbox = Sandbox::start_with(0, store).await.unwrap();
    let token = sandbox.handle().sign_in("member", TimeDelta::days(1));
    (sandbox, token)
}

#[tokio::test]
async fn a_workspace_that_may_not_be_listed_is_named_beside_the_others() {
    for line in LINES {
        let (sandbox, token) = with_a_closed_workspace(line).await;
        let mut session = guarded_with(&sandbox, &token).serve(Era::USUAL).await;
        let found = session.call(GET_TOOL, json!({})).await;
        assert_eq!(found.column("label"), ["here"]);
        let notes = found.structured()["notes"].to_string();
        assert_says(&notes, &["'closed'", "'Closed'", "permission_denied"]);
        let workspaces = found.structured()["workspaces"].as_array().unwrap();
        assert!(workspaces.contains(&json!({"id": "closed", "label": "Closed"})));
        assert!(workspaces.contains(&json!({"id": "open", "label": "Open", "count": 1})));
    }
}

#[tokio::test]
async fn an_account_is_not_found_only_where_everything_could_be_read() {
    let (sandbox, token) = with_a_closed_workspace(Line::Today).await;
    let mut session = guarded_with(&sandbox, &token).serve(Era::USUAL).await;
    let hidden = json!({"service_account_id": "hidden"});
    for tool in [GET_TOOL, DELETE_TOOL] {
        let refused = session.call(tool, hidden.clone()).await;
        let text = refused.refusal("permission_denied");
        assert_says(text, &["not everything could be read", "'closed'"]);
    }
    assert_eq!(mutations(&sandbox.handle()), 0);
}

#[tokio::test]
async fn nothing_that_can_be_read_is_a_denial() {
    for line in LINES {
        let store = Store::empty()
            .workspace("closed", "Closed")
            .user("member", &[(Role::User, workspace("closed"))])
            .line(line);
        let sandbox = Sandbox::start_with(0, store).await.unwrap();
        let token = sandbox.handle().sign_in("member", TimeDelta::days(1));
        let mut session = guarded_with(&sandbox, &token).serve(Era::USUAL).await;
        let refused = session.call(GET_TOOL, json!({})).await;
        refused.refusal("permission_denied");
    }
}

#[tokio::test]
async fn a_workspace_in_trouble_costs_a_list_that_workspace_alone() {
    let sandbox = Sandbox::start(0).await.unwrap();
    sandbox
        .handle()
        .inject(page(500, false), On::Field(LIST), 1);
    let mut session = guarded(&sandbox, Persona::WorkspaceAdmin)
        .serve(Era::USUAL)
        .await;
    let found = session.call(GET_TOOL, json!({})).await;
    let total = found.structured()["total"].as_u64().unwrap();
    assert!(total < 6, "one workspace is missing: {total}");
    assert_says(&found.structured()["notes"].to_string(), &["api_error"]);
}

// What could be read in part.

#[tokio::test]
async fn an_account_that_the_api_cannot_show_is_counted_and_never_gone() {
    for line in LINES {
        let sandbox = Sandbox::start_line(0, line).await.unwrap();
        let handle = sandbox.handle();
        handle.break_account(MIGRATION, Breakage::Row);
        let mut session = guarded(&sandbox, Persona::WorkspaceAdmin)
            .serve(Era::USUAL)
            .await;
        let found = session
            .call(GET_TOOL, json!({"workspace_id": ANALYTICS}))
            .await;
        assert_eq!(found.structured()["total"], 3);
        let notes = found.structured()["notes"].to_string();
        assert_says(&notes, &["could not read 1 account", ANALYTICS]);

        let refused = session.call(DELETE_TOOL, deletion_of(MIGRATION)).await;
        assert_says(refused.refusal("api_error"), &["may still exist"]);
        let refused = session.call(CREATE_TOOL, new("etl")).await;
        assert_says(
            refused.refusal("api_error"),
            &["not certain", "Nothing was created"],
        );
        assert_eq!(mutations(&handle), 0);

        handle.inject(Fault::DropBefore, On::Field(DELETE), 1);
        let lost = session.call(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
        assert_says(lost.refusal("outcome_unknown"), &["still listed"]);
        session
            .call(DELETE_TOOL, deletion_of(CI_DEPLOY))
            .await
            .structured();
    }
}

#[tokio::test]
async fn an_account_that_may_be_among_the_unreadable_ones_is_not_gone() {
    let error = Fault::ErrorAfter {
        code: "INTERNAL_SERVER_ERROR".into(),
        message: "trouble".into(),
    };
    for lost in [Fault::DropBefore, error] {
        let sandbox = Sandbox::start(0).await.unwrap();
        let handle = sandbox.handle();
        let rows = json!([null, {"id": MIGRATION, "label": "migration-2024", "roleBindings": []}]);
        let error = json!({"message": "broken", "path": [LIST, 0, "id"]});
        let body = json!({"errors": [error], "data": {LIST: rows}}).to_string();
        // The look before the deletion shall see everything.
        handle.inject(Fault::Delay(Duration::ZERO), On::Field(LIST), 1);
        handle.inject(
            answer(200, "application/json", body, false),
            On::Field(LIST),
            5,
        );
        handle.inject(lost, On::Field(DELETE), 1);
        let mut session = guarded(&sandbox, Persona::WorkspaceAdmin)
            .serve(Era::USUAL)
            .await;
        let refused = session.call(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
        assert_says(
            refused.refusal("outcome_unknown"),
            &["Not every account could be read"],
        );
    }
}

#[tokio::test]
async fn a_list_that_an_account_has_broken_is_an_error_and_not_empty() {
    for line in LINES {
        let sandbox = Sandbox::start_line(0, line).await.unwrap();
        sandbox.handle().break_account(MIGRATION, Breakage::List);
        let mut session = guarded(&sandbox, Persona::WorkspaceAdmin)
            .serve(Era::USUAL)
            .await;
        let one = json!({"workspace_id": ANALYTICS});
        session.call(GET_TOOL, one).await.refusal("api_error");
        let found = session.call(GET_TOOL, json!({})).await;
        assert_eq!(found.structured()["total"], 2);
        assert_says(
            &found.structured()["notes"].to_string(),
            &[ANALYTICS, "api_error"],
        );
        session
            .call(DELETE_TOOL, deletion_of(MIGRATION))
            .await
            .refusal("api_error");
        assert_eq!(mutations(&sandbox.handle()), 0);
    }
}

// Creations.

#[tokio::test]
async fn no_clock_decides_what_became_of_a_creation() {
    for hours in [-1, 0, 1] {
        let sandbox = Sandbox::start(0).await.unwrap();
        let handle = sandbox.handle();
        handle.skew_clock(TimeDelta::hours(hours));
        handle.inject(Fault::DropAfter, On::Field(CREATE), 1);
        let mut session = guarded(&sandbox, Persona::WorkspaceAdmin)
            .serve(Era::USUAL)
            .await;
        let created = session.call(CREATE_TOOL, new("etl")).await;
        assert_eq!(created.structured()["recovered"], true, "{hours}");
        assert_eq!(created.account()["id"], truth(&handle, "etl").id);
    }
}

#[tokio::test]
async fn a_category_that_the_api_makes_blank_is_none() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let handle = sandbox.handle();
    handle.blank_categories();
    handle.inject(Fault::DropAfter, On::Field(CREATE), 1);
    let mut session = guarded(&sandbox, Persona::WorkspaceAdmin)
        .serve(Era::USUAL)
        .await;
    let created = session.call(CREATE_TOOL, new("etl")).await;
    assert_eq!(created.structured()["recovered"], true);
}

#[tokio::test]
async fn a_label_is_looked_for_where_the_api_does_not() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = guarded(&sandbox, Persona::WorkspaceAdmin)
        .serve(Era::USUAL)
        .await;
    let refused = session.call(CREATE_TOOL, new("ci-deploy")).await;
    let text = refused.refusal("already_exists");
    assert_says(text, &[CI_DEPLOY, "WORKSPACE_EDITOR", "created '20"]);
    assert_eq!(mutations(&sandbox.handle()), 0);
}

#[tokio::test]
async fn a_label_of_a_deleted_workspace_is_refused_and_another_one_works() {
    let sandbox = Sandbox::start_line(0, Line::Of2020).await.unwrap();
    sandbox.handle().delete_workspace(DATA_SCIENCE);
    let mut session = guarded(&sandbox, Persona::WorkspaceAdmin)
        .env("APC_TIMEOUT", "5")
        .serve(Era::USUAL)
        .await;
    let refused = session.call(CREATE_TOOL, new("notebooks")).await;
    let text = refused.refusal("api_error");
    assert_says(
        text,
        &[
            "Nothing was created",
            "another one",
            "workspace was deleted",
        ],
    );
    session
        .call(CREATE_TOOL, new("notebooks-2"))
        .await
        .structured();
}

#[tokio::test]
async fn an_unknown_workspace_is_not_found_before_anything_is_sent() {
    for line in LINES {
        let sandbox = Sandbox::start_line(0, line).await.unwrap();
        let mut session = guarded(&sandbox, Persona::SystemAdmin)
            .serve(Era::USUAL)
            .await;
        let nowhere = json!({"label": "etl", "workspace_id": NOTHING});
        session
            .call(CREATE_TOOL, nowhere)
            .await
            .refusal("not_found");
        assert_eq!(mutations(&sandbox.handle()), 0);
    }
}
