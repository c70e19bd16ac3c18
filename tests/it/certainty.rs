//! Nothing is claimed that is not certain: answers in part, errors of gateways in JSON, codes without words, and
//! values that are not known.

use std::time::Duration;

use apc_sandbox::{Entity, Fault, Handle, On, Persona, Role, Sandbox};
use serde_json::{Value, json};

use crate::support::clients::*;
use crate::support::harness::*;
use crate::support::standin::*;

async fn start(persona: Persona) -> (Sandbox, Session) {
    let sandbox = Sandbox::start(0).await.unwrap();
    let session = guarded(&sandbox, persona).serve(Era::USUAL).await;
    (sandbox, session)
}

fn json_answer(status: u16, body: &Value, executed: bool) -> Fault {
    answer(status, "application/json", body.to_string(), executed)
}

/// From the second list on, the API answers this; the look before a change sees the truth.
fn later_lists(handle: &Handle, body: &Value) {
    handle.inject(Fault::Delay(Duration::ZERO), On::Field(LIST), 1);
    handle.inject(json_answer(200, body, false), On::Field(LIST), 5);
}

/// An account as a colleague would have made it with the role of a viewer.
fn row(id: &str, label: &str) -> Value {
    json!({
        "id": id, "label": label, "apiKey": "5ec2e7".repeat(6)[..32], "category": null,
        "createdAt": "2026-11-25T00:00:00.000Z",
        "roleBindings": [{"role": "WORKSPACE_VIEWER", "workspace": {"id": ANALYTICS}, "deployment": null}],
    })
}

fn list(rows: Value, errors: Value) -> Value {
    json!({"data": {LIST: rows}, "errors": errors})
}

#[tokio::test]
async fn an_account_whose_category_is_not_known_is_not_adopted() {
    let failed = json!([{"message": "broken", "path": [LIST, 0, "category"]}]);
    let mut without_field = row("theirs", "etl");
    without_field.as_object_mut().unwrap().remove("category");
    for body in [
        list(json!([row("theirs", "etl")]), failed),
        list(
            json!([row("first", "other"), row("theirs", "etl")]),
            json!([{"message": "broken", "path": [LIST, 1, "category"]}]),
        ),
        list(json!([without_field]), json!(null)),
    ] {
        let (sandbox, mut session) = start(Persona::WorkspaceAdmin).await;
        later_lists(&sandbox.handle(), &body);
        sandbox
            .handle()
            .inject(Fault::DropBefore, On::Field(CREATE), 1);
        let refused = session.call(CREATE_TOOL, new("etl")).await;
        assert_says(
            refused.refusal("outcome_unknown"),
            &["'theirs'", "role or category is not shown"],
        );
        let mut names = names_in(&key_dir(&session));
        // A later call may still find out what came of it.
        names.retain(|name| !name.starts_with(".intent-"));
        assert_eq!(names, Vec::<String>::new());
    }
}

#[tokio::test]
async fn an_account_with_further_roles_is_told_to_have_them_and_not_adopted() {
    let mut account = row("theirs", "etl");
    account["roleBindings"] = json!([
        {"role": "WORKSPACE_VIEWER", "workspace": {"id": ANALYTICS}, "deployment": null},
        {"role": "WORKSPACE_ADMIN", "workspace": {"id": DATA_SCIENCE}, "deployment": null},
    ]);
    let (sandbox, mut session) = start(Persona::WorkspaceAdmin).await;
    later_lists(&sandbox.handle(), &list(json!([account]), json!(null)));
    sandbox
        .handle()
        .inject(Fault::DropBefore, On::Field(CREATE), 1);
    let refused = session.call(CREATE_TOOL, new("etl")).await;
    let text = refused.refusal("outcome_unknown");
    assert_says(text, &["'theirs'", "further roles", "another account"]);
    assert!(!text.contains("not shown"), "{text}");
}

#[tokio::test]
async fn only_the_account_that_the_answer_named_is_taken() {
    let told = json!({"data": {CREATE: {"id": "ours", "apiKey": null}}});
    let (sandbox, mut session) = start(Persona::WorkspaceAdmin).await;
    later_lists(
        &sandbox.handle(),
        &list(json!([row("theirs", "etl")]), json!(null)),
    );
    sandbox
        .handle()
        .inject(json_answer(200, &told, false), On::Field(CREATE), 1);
    let refused = session.call(CREATE_TOOL, new("etl")).await;
    assert_says(refused.refusal("outcome_unknown"), &["'ours'"]);
    assert_eq!(refused.error()["service_account_id"], "ours");
    assert_eq!(names_in(&key_dir(&session)), Vec::<String>::new());
}

#[tokio::test]
async fn an_account_that_stood_in_the_list_as_a_foreign_one_was_seen() {
    let (sandbox, mut session) = start(Persona::WorkspaceAdmin).await;
    let handle = sandbox.handle();
    let mut foreign = row("moved", "etl");
    foreign["roleBindings"][0]["workspace"]["id"] = json!(DATA_SCIENCE);
    let before = list(json!([foreign]), json!(null));
    let after = list(json!([row("moved", "etl")]), json!(null));
    handle.inject(json_answer(200, &before, false), On::Field(LIST), 1);
    handle.inject(json_answer(200, &after, false), On::Field(LIST), 5);
    handle.inject(Fault::DropBefore, On::Field(CREATE), 1);
    let refused = session.call(CREATE_TOOL, new("etl")).await;
    assert_says(refused.refusal("outcome_unknown"), &["does not show it"]);
}

#[tokio::test]
async fn a_gateway_that_answers_in_json_is_a_lost_answer() {
    for (status, body) in [
        (403, json!({"errors": [{"message": "Forbidden"}]})),
        (
            500,
            json!({"errors": [{"message": "x", "extensions": {"code": "FORBIDDEN"}}]}),
        ),
        (502, json!({"errors": ["gateway timeout"]})),
        (
            504,
            json!({"errors": [{"message": "upstream request timeout"}]}),
        ),
        (400, json!({"errors": [{"message": "bad request"}]})),
        (408, json!({"message": "timeout"})),
    ] {
        let (sandbox, mut session) = start(Persona::WorkspaceAdmin).await;
        let fault = json_answer(status, &body, true);
        sandbox.handle().inject(fault.clone(), On::Field(CREATE), 1);
        let created = session.call(CREATE_TOOL, new("etl")).await;
        assert_eq!(created.structured()["recovered"], true, "{status} {body}");
        sandbox.handle().inject(fault, On::Field(DELETE), 1);
        let deleted = session.call(DELETE_TOOL, deletion_of(MIGRATION)).await;
        assert_eq!(deleted.structured()["recovered"], true, "{status} {body}");
    }
}

#[tokio::test]
async fn a_refusal_behind_a_status_that_is_not_the_apis_own_is_not_certain_and_adopts_nothing() {
    let refusals = [
        "Insufficient permissions.",
        "You do not have the appropriate permissions for that",
        "Not Authorised!",
    ];
    for ((status, data), words) in [
        (403, json!({"data": {CREATE: null}})),
        (500, json!({"data": null})),
        (502, json!({})),
        (400, json!({"data": null})),
    ]
    .into_iter()
    .flat_map(|case| refusals.map(|words| (case.clone(), words)))
    {
        let (sandbox, mut session) = start(Persona::WorkspaceAdmin).await;
        let mut body = data;
        body["errors"] = json!([{"message": words, "path": [CREATE],
            "extensions": {"code": "INTERNAL_SERVER_ERROR"}}]);
        let fault = json_answer(status, &body, true);
        sandbox.handle().inject(fault.clone(), On::Field(CREATE), 1);
        let refused = session.call(CREATE_TOOL, new("etl")).await;
        let real = truth(&sandbox.handle(), "etl");
        assert_says(refused.refusal("outcome_unknown"), &[&real.id]);
        assert_eq!(names_in(&key_dir(&session)), Vec::<String>::new());
        sandbox.handle().inject(fault, On::Field(DELETE), 1);
        let deleted = session.call(DELETE_TOOL, deletion_of(MIGRATION)).await;
        assert_eq!(deleted.structured()["recovered"], true, "{status} {body}");
    }
}

/// The API could not read the key of the account that it made.
fn without_its_key(answer: &mut Value, field: &str) {
    answer["data"][field]["apiKey"] = json!(null);
    answer["errors"] = json!([{"message": "broken", "path": [field, "apiKey"]}]);
}

#[tokio::test]
async fn an_account_whose_key_the_api_failed_to_tell_is_named_and_not_adopted() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let network = StandIn::before(&sandbox).await;
    network.arm(CREATE, Play::Edit(without_its_key), true, 0);
    let mut session = guarded(&sandbox, Persona::WorkspaceAdmin)
        .env("APC_API_URL", network.url())
        .serve(Era::USUAL)
        .await;
    let refused = session.call(CREATE_TOOL, new("etl")).await;
    let real = truth(&sandbox.handle(), "etl");
    assert_says(refused.refusal("outcome_unknown"), &[&real.id]);
    assert_eq!(names_in(&key_dir(&session)), Vec::<String>::new());
}

#[tokio::test]
async fn a_code_alone_does_not_say_that_nothing_was_done() {
    for (code, message) in [
        ("BAD_USER_INPUT", "Something odd"),
        ("RESOURCE_NOT_FOUND", "The requested resource was not found"),
        ("FORBIDDEN", "service accounts are switched off"),
        ("GRAPHQL_VALIDATION_FAILED", "odd"),
        (
            "INTERNAL_SERVER_ERROR",
            "No Node for the model Workspace with value x",
        ),
    ] {
        let (sandbox, mut session) = start(Persona::WorkspaceAdmin).await;
        let (code, message) = (code.to_owned(), message.to_owned());
        let fault = Fault::ErrorAfter { code, message };
        sandbox.handle().inject(fault.clone(), On::Field(CREATE), 1);
        let refused = session.call(CREATE_TOOL, new("etl")).await;
        let real = truth(&sandbox.handle(), "etl");
        assert_says(refused.refusal("outcome_unknown"), &[&real.id]);
    }
}

#[tokio::test]
async fn a_creation_that_ended_in_an_error_is_not_refused_where_a_label_cannot_be_read() {
    let failed = json!([{"message": "broken", "path": [LIST, 0, "label"]}]);
    let mut unlabelled = row("a", "etl");
    unlabelled["label"] = Value::Null;
    let (sandbox, mut session) = start(Persona::WorkspaceAdmin).await;
    let fault = Fault::ErrorBefore {
        code: "INTERNAL_SERVER_ERROR".to_owned(),
        message: "trouble".to_owned(),
    };
    sandbox.handle().inject(fault, On::Field(CREATE), 1);
    later_lists(&sandbox.handle(), &list(json!([unlabelled]), failed));
    let refused = session.call(CREATE_TOOL, new("etl")).await;
    assert_says(
        refused.refusal("outcome_unknown"),
        &["trouble", "Not every account could be read"],
    );
}

#[tokio::test]
async fn a_duplicate_is_known_by_its_words_whatever_the_code() {
    let (sandbox, mut session) = start(Persona::WorkspaceAdmin).await;
    let fault = Fault::ErrorBefore {
        code: "INTERNAL_SERVER_ERROR".into(),
        message: "Service Account already exists with the name etl".into(),
    };
    sandbox.handle().inject(fault, On::Field(CREATE), 1);
    session
        .call(CREATE_TOOL, new("etl"))
        .await
        .refusal("already_exists");
}

#[tokio::test]
async fn a_label_that_only_the_api_says_is_taken_is_told_in_its_name() {
    let taken = Fault::ErrorBefore {
        code: "BAD_USER_INPUT".into(),
        message: "Service Account already exists with the name etl".into(),
    };
    let claim = "There is a service account 'etl'";
    let says = "The API says that the label 'etl' is taken";
    let without = list(json!([row("a", "other")]), json!(null)).to_string();
    for (later, seen) in [
        (
            answer(200, "application/json", without, false),
            "does not show",
        ),
        (page(500, false), "could not be read"),
    ] {
        let (sandbox, mut session) = start(Persona::WorkspaceAdmin).await;
        let handle = sandbox.handle();
        handle.inject(Fault::Delay(Duration::ZERO), On::Field(LIST), 1);
        handle.inject(later, On::Field(LIST), 5);
        handle.inject(taken.clone(), On::Field(CREATE), 1);
        let refused = session.call(CREATE_TOOL, new("etl")).await;
        let text = refused.refusal("already_exists");
        assert_says(text, &[says, seen, ANALYTICS, "Nothing was created"]);
        assert!(!text.contains(claim), "{text}");
        assert_eq!(refused.error().get("service_account_id"), None);
    }
    let (sandbox, mut session) = start(Persona::WorkspaceAdmin).await;
    let handle = sandbox.handle();
    handle.add_account_on(On::Field(CREATE), colleague("etl", Role::WorkspaceViewer));
    handle.inject(taken, On::Field(CREATE), 1);
    let refused = session.call(CREATE_TOOL, new("etl")).await;
    let text = refused.refusal("already_exists");
    assert_says(text, &[claim, &truth(&handle, "etl").id]);
    assert!(!text.contains(says), "{text}");
}

#[tokio::test]
async fn a_workspace_that_vanished_does_not_prove_a_deletion() {
    let (sandbox, mut session) = start(Persona::SystemAdmin).await;
    let handle = sandbox.handle();
    handle.inject(Fault::Hang, On::Field(DELETE), 1);
    let mut slow = guarded(&sandbox, Persona::SystemAdmin)
        .env("APC_TIMEOUT", "1")
        .serve(Era::USUAL)
        .await;
    let one = json!({"service_account_id": NOTEBOOKS, "workspace_id": DATA_SCIENCE});
    let call = slow.send_call(DELETE_TOOL, one.clone()).await;
    until("the deletion arrives", || mutations(&handle) == 1).await;
    handle.delete_workspace(DATA_SCIENCE);
    let refused = slow.outcome(DELETE_TOOL, call).await;
    assert_says(refused.refusal("outcome_unknown"), &["could not be read"]);
    session.call(DELETE_TOOL, one).await.refusal("not_found");
}

#[tokio::test]
async fn a_label_that_could_not_be_read_is_not_free() {
    let failed = json!([{"message": "broken", "path": [LIST, 0, "label"]}]);
    let mut unlabelled = row("a", "etl");
    unlabelled["label"] = Value::Null;
    let body = list(json!([unlabelled]), failed);
    let (sandbox, mut session) = start(Persona::WorkspaceAdmin).await;
    sandbox
        .handle()
        .inject(json_answer(200, &body, false), On::Field(LIST), 5);
    let refused = session.call(CREATE_TOOL, new("etl")).await;
    assert_says(
        refused.refusal("api_error"),
        &["not certain", "Nothing was created"],
    );
    assert_eq!(mutations(&sandbox.handle()), 0);
    let search = json!({"workspace_id": ANALYTICS, "label": "etl"});
    let found = session.call(GET_TOOL, search).await;
    assert_eq!(found.structured()["total"], 0);
    assert_says(&found.structured()["notes"].to_string(), &["1 account"]);
}

#[tokio::test]
async fn a_place_that_is_not_known_to_exist_gets_no_account() {
    let (sandbox, mut session) = start(Persona::SystemAdmin).await;
    sandbox
        .handle()
        .inject(page(500, false), On::Field("workspace"), 5);
    let nowhere = json!({"label": "etl", "workspace_id": NOTHING});
    session
        .call(CREATE_TOOL, nowhere)
        .await
        .refusal("api_error");
    assert_eq!(mutations(&sandbox.handle()), 0);
}

#[tokio::test]
async fn roles_that_are_not_known_are_asked_about() {
    let here = json!({"id": ANALYTICS});
    for bindings in [
        json!([null]),
        json!([{"role": null, "workspace": here, "deployment": null}]),
        json!([{"role": "WORKSPACE_VIEWER", "workspace": null, "deployment": null}]),
        json!([{"role": "system.owner", "workspace": null, "deployment": null}]),
    ] {
        let (sandbox, _) = start(Persona::WorkspaceAdmin).await;
        let mut account = row("a", "etl");
        account["roleBindings"] = bindings.clone();
        let body = list(json!([account]), json!(null));
        sandbox
            .handle()
            .inject(json_answer(200, &body, false), On::Field(LIST), 5);
        let mut session = guarded(&sandbox, Persona::WorkspaceAdmin)
            .args(&["--confirm", "never"])
            .serve(Era::USUAL)
            .await;
        let refused = session.call(DELETE_TOOL, deletion_of("a")).await;
        let text = refused.refusal("confirmation_required");
        assert_says(text, &["could not show its roles in full"]);
        assert!(!text.contains("whole installation"), "{bindings}: {text}");
        let program = guarded(&sandbox, Persona::WorkspaceAdmin).capable(can_ask());
        let mut session = program.serve(Era::Stateless).await;
        let question = session.pose(DELETE_TOOL, deletion_of("a")).await;
        assert_eq!(question.key.as_deref(), Some("delete_other_roles:a"));
        assert_eq!(mutations(&sandbox.handle()), 0);
    }
}

#[tokio::test]
async fn a_role_that_one_account_does_not_show_is_no_fault_of_the_release() {
    let (sandbox, mut session) = start(Persona::WorkspaceAdmin).await;
    let mut account = row("a", "etl");
    account["roleBindings"] = json!([null]);
    let body = list(json!([account, row("b", "etl")]), json!(null));
    sandbox
        .handle()
        .inject(json_answer(200, &body, false), On::Field(LIST), 5);
    let viewers = json!({"workspace_id": ANALYTICS, "role": "WORKSPACE_VIEWER"});
    let found = session.call(GET_TOOL, viewers).await;
    assert_eq!(found.structured()["total"], 1);
    let notes = found.structured()["notes"].to_string();
    assert_says(&notes, &["1 account", "the API did not show the role"]);
}

#[tokio::test]
async fn where_no_roles_are_shown_an_account_is_deleted_from_the_place_that_is_named() {
    for has_the_field in [false, true] {
        let (sandbox, mut session) = start(Persona::WorkspaceAdmin).await;
        let handle = sandbox.handle();
        let elsewhere = Entity::Workspace(DATA_SCIENCE.into());
        assert!(handle.bind(MIGRATION, Role::WorkspaceViewer, elsewhere));
        match has_the_field {
            false => handle.lack_field("ServiceAccount.roleBindings"),
            true => {
                let mut account = row(MIGRATION, "migration-2024");
                account["roleBindings"] = json!([]);
                let listed = list(json!([account]), json!(null));
                handle.inject(json_answer(200, &listed, false), On::Field(LIST), 9);
            }
        }
        let alone = json!({"service_account_id": MIGRATION});
        let refused = session.call(DELETE_TOOL, alone).await;
        assert_says(
            refused.refusal("confirmation_required"),
            &["the lists of several places", ANALYTICS, DATA_SCIENCE],
        );
        assert_eq!(mutations(&handle), 0);
        let deleted = session.call(DELETE_TOOL, deletion_of(MIGRATION)).await;
        assert_eq!(deleted.account()["id"], MIGRATION);
        assert!(!exists(&handle, MIGRATION));
    }
}

#[tokio::test]
async fn an_account_that_may_have_this_servers_key_is_asked_about() {
    for (shown, hidden) in [
        (0, "********"),
        (4, "********"),
        (6, "********"),
        (6, "…"),
        (6, "..."),
        (6, "••••••"),
        (6, ""),
        (0, "[REDACTED]"),
        (0, "hidden"),
    ] {
        let sandbox = Sandbox::start(0).await.unwrap();
        let key = truth(&sandbox.handle(), "terraform").key;
        let masked = format!("{}{hidden}", &key[..shown]);
        let mut account = row("a", "etl");
        account["apiKey"] = json!(masked);
        let body = list(json!([account]), json!(null));
        sandbox
            .handle()
            .inject(json_answer(200, &body, false), On::Field(LIST), 5);
        let mut session = guarded_with(&sandbox, &key)
            .args(&["--confirm", "never"])
            .serve(Era::USUAL)
            .await;
        let refused = session.call(DELETE_TOOL, deletion_of("a")).await;
        refused.refusal("confirmation_required");
    }
}

#[tokio::test]
async fn an_account_whose_key_was_not_read_may_be_this_servers_own() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let key = truth(&sandbox.handle(), "terraform").key;
    let failed = json!([{"message": "broken", "path": [LIST, 0, "apiKey"]}]);
    for (shown, errors) in [(json!(null), failed), (json!(""), json!(null))] {
        let mut account = row("a", "etl");
        account["apiKey"] = shown;
        let listed = || json_answer(200, &list(json!([account]), errors.clone()), false);
        sandbox.handle().inject(listed(), On::Field(LIST), 9);
        let mut session = guarded_with(&sandbox, &key)
            .args(&["--confirm", "never"])
            .serve(Era::USUAL)
            .await;
        let refused = session.call(DELETE_TOOL, deletion_of("a")).await;
        let text = refused.refusal("confirmation_required");
        assert_says(text, &["may be the one that this server itself uses"]);
        let program = guarded_with(&sandbox, &key).capable(can_ask());
        let mut session = program.serve(Era::Stateless).await;
        let question = session.pose(DELETE_TOOL, deletion_of("a")).await;
        assert_says(
            question.message(),
            &["may be the one that this server itself uses"],
        );
        assert_eq!(question.key.as_deref(), Some("delete_maybe_own_key:a"));
        assert_eq!(mutations(&sandbox.handle()), 0);
        sandbox.handle().clear_faults();
    }
}

#[tokio::test]
async fn a_token_that_is_no_key_has_no_account_of_its_own() {
    let (sandbox, _) = start(Persona::WorkspaceAdmin).await;
    sandbox.handle().lack_field("ServiceAccount.apiKey");
    let mut session = guarded(&sandbox, Persona::WorkspaceAdmin)
        .args(&["--confirm", "never"])
        .serve(Era::USUAL)
        .await;
    let deleted = session.call(DELETE_TOOL, deletion_of(MIGRATION)).await;
    assert_eq!(deleted.account()["id"], MIGRATION);
}

#[tokio::test]
async fn the_order_of_roles_does_not_matter() {
    let here =
        json!({"role": "WORKSPACE_VIEWER", "workspace": {"id": ANALYTICS}, "deployment": null});
    let there =
        json!({"role": "WORKSPACE_VIEWER", "workspace": {"id": DATA_SCIENCE}, "deployment": null});
    for era in Era::BOTH {
        let sandbox = Sandbox::start(0).await.unwrap();
        for turned in [false, true, false, true] {
            let mut account = row(MIGRATION, "migration-2024");
            account["roleBindings"] = match turned {
                true => json!([there, here]),
                false => json!([here, there]),
            };
            let body = list(json!([account]), json!(null));
            let fault = json_answer(200, &body, false);
            sandbox.handle().inject(fault, On::Field(LIST), 1);
        }
        let mut session = asking(&sandbox).serve(era).await;
        let question = session.pose(DELETE_TOOL, deletion_of(MIGRATION)).await;
        let yes = question.accept(true);
        let deleted = session.answer(question, yes).await;
        assert_eq!(deleted.account()["id"], MIGRATION, "{era:?}");
    }
}

#[tokio::test]
async fn what_the_settings_name_is_read_where_the_lists_of_workspaces_fail() {
    for (persona, field) in [
        (Persona::WorkspaceAdmin, "workspaces"),
        (Persona::SystemAdmin, "sysWorkspaces"),
    ] {
        let sandbox = Sandbox::start(0).await.unwrap();
        sandbox
            .handle()
            .inject(page(500, false), On::Field(field), 5);
        let mut session = guarded(&sandbox, persona)
            .args(&["--workspace-id", ANALYTICS])
            .serve(Era::USUAL)
            .await;
        let found = session.call(GET_TOOL, json!({})).await;
        assert_eq!(found.structured()["total"], 4, "{field}");
        let notes = found.structured()["notes"].to_string();
        assert_says(&notes, &["Only the workspaces of this server's settings"]);
        let unknown = json!({"service_account_id": NOTEBOOKS});
        session.call(GET_TOOL, unknown).await.refusal("api_error");
    }
}

#[tokio::test]
async fn a_workspace_that_is_listed_twice_is_read_once() {
    let (sandbox, mut session) = start(Persona::WorkspaceAdmin).await;
    let one = json!({"id": ANALYTICS, "label": "Analytics"});
    let twice = json!({"data": {"workspaces": [one, one]}});
    sandbox
        .handle()
        .inject(json_answer(200, &twice, false), On::Field("workspaces"), 1);
    let found = session.call(GET_TOOL, json!({})).await;
    assert_eq!(found.structured()["total"], 4);
    assert_eq!(count(&sandbox.handle(), LIST), 1);
}

#[tokio::test]
async fn a_field_that_a_release_lacks_is_known_by_its_words_whatever_the_code() {
    for extensions in [
        json!(null),
        json!({}),
        json!({"code": 400}),
        json!({"code": "NEW"}),
    ] {
        let (sandbox, mut session) = start(Persona::WorkspaceAdmin).await;
        let message = r#"Cannot query field "roleBindings" on type "ServiceAccount"."#;
        let body = json!({"errors": [{"message": message, "extensions": extensions}]});
        sandbox
            .handle()
            .inject(json_answer(400, &body, false), On::Field(LIST), 1);
        sandbox.handle().lack_field("ServiceAccount.roleBindings");
        let found = session
            .call(GET_TOOL, json!({"workspace_id": ANALYTICS}))
            .await;
        assert_eq!(found.structured()["total"], 4, "{extensions}");
    }
}

#[tokio::test]
async fn an_empty_workspace_that_was_just_listed_costs_one_request() {
    let (sandbox, mut session) = start(Persona::WorkspaceAdmin).await;
    for account in sandbox.handle().accounts() {
        sandbox.handle().remove_account(&account.id);
    }
    session.call(GET_TOOL, json!({})).await.structured();
    assert_eq!(sandbox.handle().requests().len(), 3);
}

// What was not read in full, and whom it concerns.

#[tokio::test]
async fn an_account_that_is_partly_read_hides_no_other_one() {
    let failed = json!([{"message": "broken", "path": [LIST, 0, "lastUsedAt"]}]);
    let body = list(json!([row("a", "etl")]), failed);
    let (sandbox, mut session) = start(Persona::WorkspaceAdmin).await;
    let fault = json_answer(200, &body, false);
    sandbox.handle().inject(fault, On::Field(LIST), 5);
    for tool in [GET_TOOL, DELETE_TOOL] {
        let refused = session.call(tool, deletion_of(NOTHING)).await;
        refused.refusal("not_found");
    }
}

#[tokio::test]
async fn a_deleted_workspace_in_the_settings_hides_no_account() {
    let (sandbox, _) = start(Persona::SystemAdmin).await;
    let allowed = format!("{ANALYTICS},{NOTHING}");
    let mut session = guarded(&sandbox, Persona::SystemAdmin)
        .env("APC_ALLOWED_WORKSPACES", allowed)
        .serve(Era::USUAL)
        .await;
    let missing = json!({"service_account_id": NOTHING});
    for tool in [GET_TOOL, DELETE_TOOL] {
        let refused = session.call(tool, missing.clone()).await;
        refused.refusal("not_found");
    }
    let found = session.call(GET_TOOL, json!({})).await;
    assert_says(&found.structured()["notes"].to_string(), &[NOTHING]);
}

/// The list of workspaces, by which a bad token is known, fails for the first requests of a call.
#[tokio::test]
async fn a_bad_token_is_never_said_to_be_valid_where_the_list_of_workspaces_fails_first() {
    const TRIES: usize = 3;
    for failing in [TRIES, 2 * TRIES] {
        let sandbox = Sandbox::start(0).await.unwrap();
        let mut session = guarded_with(&sandbox, UNKNOWN_KEY)
            .args(&["--allow-workspace", ANALYTICS])
            .serve(Era::USUAL)
            .await;
        let one = json!({"service_account_id": MIGRATION});
        for (tool, arguments) in [(GET_TOOL, json!({})), (DELETE_TOOL, one)] {
            sandbox
                .handle()
                .inject(page(502, false), On::Field("workspaces"), failing);
            let refused = session.call(tool, arguments).await;
            assert_eq!(refused.code(), "unauthenticated", "{tool} {failing}");
            let asked = count(&sandbox.handle(), "workspaces");
            assert!(asked > failing, "{tool}: {asked}");
            sandbox.handle().clear_requests();
        }
    }
}

#[tokio::test]
async fn a_workspace_of_the_settings_exists_only_if_the_api_says_so() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let allowed = format!("{ANALYTICS},{NOTHING}");
    let mut session = guarded(&sandbox, Persona::SystemAdmin)
        .env("APC_ALLOWED_WORKSPACES", allowed)
        .serve(Era::USUAL)
        .await;
    sandbox
        .handle()
        .inject(page(500, false), On::Field("workspace"), 1);
    let found = session.call(GET_TOOL, json!({})).await;
    assert_eq!(found.structured()["total"], 4);
    let workspaces = found.structured()["workspaces"].as_array().unwrap();
    let nothing = workspaces.iter().find(|one| one["id"] == NOTHING);
    assert_eq!(nothing, Some(&json!({"id": NOTHING})));
    let notes = found.structured()["notes"].to_string();
    assert_says(&notes, &[NOTHING, "not_found"]);
}

#[tokio::test]
async fn places_that_fail_alike_keep_the_code_of_their_failure() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = guarded(&sandbox, Persona::WorkspaceAdmin)
        .env("APC_TIMEOUT", "1")
        .serve(Era::USUAL)
        .await;
    let unknown = json!({"service_account_id": NOTHING});
    for (hanging, arguments) in [(2, json!({})), (2, unknown.clone()), (1, unknown)] {
        sandbox
            .handle()
            .inject(Fault::Hang, On::Field(LIST), hanging);
        let failed = session.call(GET_TOOL, arguments).await;
        failed.refusal("timed_out");
        assert_eq!(failed.error()["retryable"], true);
        assert_eq!(failed.error().get("workspace_id"), None);
    }
}

#[tokio::test]
async fn places_that_fail_in_different_ways_are_an_error_of_the_api() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = guarded(&sandbox, Persona::WorkspaceAdmin)
        .env("APC_TIMEOUT", "1")
        .serve(Era::USUAL)
        .await;
    sandbox.handle().inject(Fault::Hang, On::Field(LIST), 1);
    sandbox
        .handle()
        .inject(page(500, false), On::Field(LIST), 1);
    let failed = session.call(GET_TOOL, json!({})).await;
    assert_says(failed.refusal("api_error"), &["timed_out", "api_error"]);
}
