//! The user's word: what is asked, in both eras, and what is taken for a yes.

use std::time::Duration;

use apc_sandbox::{Fault, On, Persona, Role, Sandbox};
use serde_json::{Value, json};

use crate::support::clients::*;
use crate::support::harness::*;

async fn start(era: Era) -> (Sandbox, Session) {
    let sandbox = Sandbox::start(0).await.unwrap();
    let session = asking(&sandbox).serve(era).await;
    (sandbox, session)
}

/// Nothing was deleted, and the words say so.
#[track_caller]
fn assert_declined(sandbox: &Sandbox, outcome: &Outcome) {
    let text = outcome.refusal("declined");
    assert_says(text, &["Nothing was deleted"]);
    assert_eq!(mutations(&sandbox.handle()), 0, "{text}");
}

#[tokio::test]
async fn a_deletion_is_confirmed_in_every_version() {
    for era in Era::ALL {
        let (sandbox, mut session) = start(era).await;
        let question = session.pose(DELETE_TOOL, doomed(CI_DEPLOY)).await;
        let facts = [
            "ci-deploy",
            "WORKSPACE_EDITOR",
            "Analytics",
            ANALYTICS,
            "last used",
        ];
        assert_says(question.message(), &facts);
        assert_eq!(question.field()["type"], "boolean");
        assert_eq!(mutations(&sandbox.handle()), 0);
        let yes = question.accept(true);
        let gone = session.answer(question, yes).await;
        assert_eq!(gone.account()["id"], CI_DEPLOY);
        assert!(!exists(&sandbox.handle(), CI_DEPLOY), "{era:?}");
        assert_eq!(mutations(&sandbox.handle()), 1);
    }
}

#[tokio::test]
async fn the_key_of_a_question_says_what_is_asked() {
    let (_sandbox, mut session) = start(Era::Stateless).await;
    let question = session.pose(DELETE_TOOL, doomed(CI_DEPLOY)).await;
    assert_eq!(question.key, Some(format!("delete:{CI_DEPLOY}")));
    let question = session
        .pose(DELETE_TOOL, json!({"workspace_id": ANALYTICS}))
        .await;
    assert_eq!(question.key, Some(format!("select:{ANALYTICS}")));
}

#[tokio::test]
async fn whatever_is_not_a_clear_yes_is_a_no() {
    for era in Era::BOTH {
        let (sandbox, mut session) = start(era).await;
        let field = {
            let question = session.pose(DELETE_TOOL, doomed(CI_DEPLOY)).await;
            let field = keys(&question.params["requestedSchema"]["properties"])[0].to_owned();
            session.answer(question, json!({"action": "decline"})).await;
            field
        };
        let yes = json!({field.clone(): true});
        let answers = [
            json!({"action": "decline"}),
            json!({"action": "decline", "content": yes}),
            json!({"action": "cancel"}),
            json!({"action": "cancel", "content": yes}),
            json!({"action": "accept"}),
            json!({"action": "accept", "content": {}}),
            json!({"action": "accept", "content": null}),
            json!({"action": "accept", "content": {field.clone(): false}}),
            json!({"action": "accept", "content": {field.clone(): "true"}}),
            json!({"action": "accept", "content": {field.clone(): 1}}),
            json!({"action": "accept", "content": {field.clone(): null}}),
            json!({"action": "accept", "content": {field: [true]}}),
            json!({"action": "accept", "content": {"something": true}}),
            json!({"action": "ACCEPT", "content": yes}),
            json!({"content": yes}),
            json!({"error": {"code": -32603, "message": "no window to show it in"}}),
            json!({}),
        ];
        for answer in answers {
            let question = session.pose(DELETE_TOOL, doomed(CI_DEPLOY)).await;
            let outcome = session.answer(question, answer.clone()).await;
            assert_eq!(outcome.code(), "declined", "{era:?} {answer}");
            assert_declined(&sandbox, &outcome);
            assert_eq!(outcome.error()["service_account_id"], CI_DEPLOY);
        }
        assert!(exists(&sandbox.handle(), CI_DEPLOY));
    }
}

#[tokio::test]
async fn an_answer_to_another_question_is_no_answer() {
    let (sandbox, mut session) = start(Era::Stateless).await;
    let others = [
        format!("delete:{MIGRATION}"),
        format!("delete_own_key:{CI_DEPLOY}"),
        format!("select:{ANALYTICS}"),
        "delete".to_owned(),
        String::new(),
    ];
    for other in others {
        let question = session.pose(DELETE_TOOL, doomed(CI_DEPLOY)).await;
        let yes = question.accept(true);
        let outcome = session.answer_as(&other, question, yes).await;
        assert_declined(&sandbox, &outcome);
    }
}

#[tokio::test]
async fn a_yes_to_one_account_does_not_delete_another() {
    let (sandbox, mut session) = start(Era::Stateless).await;
    let question = session.pose(DELETE_TOOL, doomed(CI_DEPLOY)).await;
    let params = json!({
        "name": DELETE_TOOL,
        "arguments": doomed(MIGRATION),
        "inputResponses": {question.key.clone().unwrap(): question.accept(true)},
    });
    let id = session.send_request("tools/call", params).await;
    let outcome = session.outcome(DELETE_TOOL, id).await;
    assert_declined(&sandbox, &outcome);
}

#[tokio::test]
async fn an_account_that_changed_while_the_user_was_thinking_is_left_alone() {
    for era in Era::BOTH {
        for change in ["label", "role", "gone", "moved"] {
            let (sandbox, mut session) = start(era).await;
            let handle = sandbox.handle();
            let fresh = handle.add_account(colleague("fresh", Role::WorkspaceViewer));
            let question = session.pose(DELETE_TOOL, doomed(&fresh.id)).await;
            handle.remove_account(&fresh.id);
            let mut other = colleague("fresh", Role::WorkspaceViewer);
            other.id = Some(fresh.id.clone());
            match change {
                "label" => other.label = "production".into(),
                "role" => other.role = Role::WorkspaceAdmin,
                "moved" => other.entity = apc_sandbox::Entity::Workspace(DATA_SCIENCE.into()),
                _ => {}
            }
            if change != "gone" {
                handle.add_account(other);
            }
            let yes = question.accept(true);
            let outcome = session.answer(question, yes).await;
            assert!(outcome.is_error(), "{era:?} {change}");
            let expected = ["declined", "not_found"];
            assert!(
                expected.contains(&outcome.code()),
                "{era:?} {change}: {}",
                outcome.text()
            );
            assert_eq!(mutations(&handle), 0, "{era:?} {change}");
            assert_eq!(exists(&handle, &fresh.id), change != "gone");
        }
    }
}

#[tokio::test]
async fn an_account_selected_that_has_changed_meanwhile_is_left_alone() {
    for era in Era::BOTH {
        for change in ["label", "role", "gone"] {
            let (sandbox, mut session) = start(era).await;
            let handle = sandbox.handle();
            let fresh = handle.add_account(colleague("fresh", Role::WorkspaceViewer));
            let question = session
                .pose(DELETE_TOOL, json!({"workspace_id": ANALYTICS}))
                .await;
            handle.remove_account(&fresh.id);
            let mut other = colleague("fresh", Role::WorkspaceViewer);
            other.id = Some(fresh.id.clone());
            match change {
                "label" => drop(handle.add_account(colleague_of(other, "production"))),
                "role" => {
                    other.role = Role::WorkspaceAdmin;
                    handle.add_account(other);
                }
                _ => {}
            }
            let chosen = question.accept(fresh.id.clone());
            let outcome = session.answer(question, chosen).await;
            assert_declined(&sandbox, &outcome);
        }
    }
}

fn colleague_of(mut account: apc_sandbox::NewAccount, label: &str) -> apc_sandbox::NewAccount {
    account.label = label.into();
    account
}

#[tokio::test]
async fn the_end_of_input_ends_an_open_question_at_once() {
    for era in [Era::Handshake("2025-06-18"), Era::USUAL] {
        let (sandbox, mut session) = start(era).await;
        session.pose(DELETE_TOOL, doomed(CI_DEPLOY)).await;
        let (status, time) = timed(session.close_stdin_and_wait()).await;
        assert!(status.success());
        assert!(time < Duration::from_secs(3), "{time:?}");
        assert!(exists(&sandbox.handle(), CI_DEPLOY));
        assert_eq!(mutations(&sandbox.handle()), 0);
    }
}

#[tokio::test]
async fn taking_back_the_call_ends_its_question() {
    let (sandbox, mut session) = start(Era::USUAL).await;
    let id = session.send_call(DELETE_TOOL, doomed(CI_DEPLOY)).await;
    until_asked(&mut session).await;
    session.cancel(id).await;
    session.call(GET_TOOL, json!({})).await.structured();
    let request = session.questions.pop_front().unwrap();
    let late = json!({"jsonrpc": "2.0", "id": request["id"], "result": {"action": "accept", "content": {"answer": true}}});
    session.raw_line(&late.to_string()).await;
    session.call(GET_TOOL, json!({})).await.structured();
    session.close_stdin_and_wait().await;
    assert!(exists(&sandbox.handle(), CI_DEPLOY));
    assert_eq!(mutations(&sandbox.handle()), 0);
}

async fn until_asked(session: &mut Session) {
    while session.questions.is_empty() {
        let message = session.message().await.unwrap();
        session.file_away(message);
    }
}

#[tokio::test]
async fn other_calls_are_served_while_a_question_is_open() {
    let (sandbox, mut session) = start(Era::USUAL).await;
    let question = session.pose(DELETE_TOOL, doomed(CI_DEPLOY)).await;
    session.call(GET_TOOL, json!({})).await.structured();
    session.call(CREATE_TOOL, new("etl")).await.structured();
    let yes = question.accept(true);
    session.answer(question, yes).await.structured();
    assert!(!exists(&sandbox.handle(), CI_DEPLOY));
}

#[tokio::test]
async fn the_user_selects_from_the_accounts_of_a_workspace() {
    for era in Era::ALL {
        let (sandbox, mut session) = start(era).await;
        let question = session
            .pose(DELETE_TOOL, json!({"workspace_id": ANALYTICS}))
            .await;
        assert_says(
            question.message(),
            &[
                "Analytics",
                ANALYTICS,
                "for good",
                "without another question",
            ],
        );
        let titled = era.version() >= "2025-11-25";
        assert_eq!(question.field().get("oneOf").is_some(), titled, "{era:?}");
        assert_eq!(
            question.field().get("enumNames").is_some(),
            !titled,
            "{era:?}"
        );
        assert_eq!(question.field().get("enum").is_some(), !titled, "{era:?}");
        let choices = question.choices();
        let mut here = sandbox.handle().accounts();
        here.retain(|account| account.entity_uuid.as_deref() == Some(ANALYTICS));
        assert_eq!(choices.len(), here.len());
        for account in here {
            let (_, shown) = choices.iter().find(|(id, _)| *id == account.id).unwrap();
            assert_says(shown, &[&account.label, &account.role, "last used"]);
            assert!(!shown.contains(&account.key), "{shown}");
        }
        let chosen = question.accept(MIGRATION);
        let gone = session.answer(question, chosen).await;
        assert_eq!(gone.account()["id"], MIGRATION);
        assert!(!exists(&sandbox.handle(), MIGRATION));
        assert_eq!(mutations(&sandbox.handle()), 1);
    }
}

#[tokio::test]
async fn the_default_workspace_is_selected_from_where_a_call_names_none() {
    for era in Era::BOTH {
        let sandbox = Sandbox::start(0).await.unwrap();
        let mut session = asking(&sandbox)
            .args(&["--workspace-id", DATA_SCIENCE])
            .serve(era)
            .await;
        let question = session.pose(DELETE_TOOL, json!({})).await;
        assert_says(question.message(), &["Data Science"]);
        let chosen = question.accept(NOTEBOOKS);
        assert_eq!(
            session.answer(question, chosen).await.account()["id"],
            NOTEBOOKS
        );
    }
}

#[tokio::test]
async fn a_choice_that_was_not_offered_is_a_no() {
    for era in Era::BOTH {
        let (sandbox, mut session) = start(era).await;
        let everything = json!({"workspace_id": ANALYTICS});
        for chosen in [
            json!(NOTEBOOKS),
            json!(FORECASTS),
            json!(BOOTSTRAP),
            json!(NOTHING),
            json!("ci-deploy"),
            json!(""),
            json!([CI_DEPLOY]),
            json!(true),
            Value::Null,
        ] {
            let question = session.pose(DELETE_TOOL, everything.clone()).await;
            let answer = question.accept(chosen.clone());
            let outcome = session.answer(question, answer).await;
            assert_eq!(outcome.code(), "declined", "{era:?} {chosen}");
            assert_declined(&sandbox, &outcome);
        }
        for answer in [
            json!({"action": "decline"}),
            json!({"action": "cancel"}),
            json!({"action": "accept"}),
            json!({"error": {"code": 1, "message": "x"}}),
        ] {
            let question = session.pose(DELETE_TOOL, everything.clone()).await;
            let outcome = session.answer(question, answer).await;
            assert_declined(&sandbox, &outcome);
            assert_eq!(outcome.error()["workspace_id"], ANALYTICS);
        }
    }
}

#[tokio::test]
async fn an_account_that_came_after_the_question_cannot_be_its_answer() {
    for era in Era::BOTH {
        let (sandbox, mut session) = start(era).await;
        let question = session
            .pose(DELETE_TOOL, json!({"workspace_id": ANALYTICS}))
            .await;
        let late = sandbox
            .handle()
            .add_account(colleague("late", Role::WorkspaceViewer));
        let chosen = question.accept(late.id.clone());
        let outcome = session.answer(question, chosen).await;
        assert_declined(&sandbox, &outcome);
    }
}

#[tokio::test]
async fn more_than_100_accounts_are_listed_instead_of_shown_to_choose_from() {
    for era in Era::BOTH {
        let (sandbox, mut session) = start(era).await;
        for number in 0..96 {
            sandbox
                .handle()
                .add_account(colleague(&format!("many-{number}"), Role::WorkspaceViewer));
        }
        let question = session
            .pose(DELETE_TOOL, json!({"workspace_id": ANALYTICS}))
            .await;
        assert_eq!(question.choices().len(), 100);
        session.answer(question, json!({"action": "decline"})).await;
        sandbox
            .handle()
            .add_account(colleague("one-too-many", Role::WorkspaceViewer));
        let refused = session
            .call(DELETE_TOOL, json!({"workspace_id": ANALYTICS}))
            .await;
        assert_says(
            refused.refusal("invalid_arguments"),
            &["service_account_id", "one-too-many", "51 more"],
        );
        assert_eq!(mutations(&sandbox.handle()), 0);
    }
}

#[tokio::test]
async fn a_workspace_without_accounts_asks_nothing() {
    let (sandbox, mut session) = start(Era::USUAL).await;
    for account in sandbox.handle().accounts() {
        sandbox.handle().remove_account(&account.id);
    }
    let refused = session
        .call(DELETE_TOOL, json!({"workspace_id": ANALYTICS}))
        .await;
    refused.refusal("not_found");
}

#[tokio::test]
async fn a_client_that_cannot_show_a_form_is_not_asked() {
    let clients = [
        json!({}),
        json!({"elicitation": {"url": {}}}),
        json!({"sampling": {}, "roots": {}}),
    ];
    for era in Era::BOTH {
        for capabilities in &clients {
            let sandbox = Sandbox::start(0).await.unwrap();
            let program = guarded(&sandbox, Persona::WorkspaceAdmin).capable(capabilities.clone());
            let mut session = program.serve(era).await;
            let listed = session
                .call(DELETE_TOOL, json!({"workspace_id": ANALYTICS}))
                .await;
            assert_says(
                listed.refusal("invalid_arguments"),
                &[CI_DEPLOY, "ci-deploy"],
            );
            session
                .call(DELETE_TOOL, doomed(CI_DEPLOY))
                .await
                .structured();
            assert!(session.questions.is_empty(), "{era:?} {capabilities}");
        }
    }
}

#[tokio::test]
async fn a_client_that_can_show_a_form_among_others_is_asked() {
    for era in Era::BOTH {
        for capability in [
            json!({}),
            json!({"form": {}}),
            json!({"form": {}, "url": {}}),
        ] {
            let sandbox = Sandbox::start(0).await.unwrap();
            let program = asking(&sandbox).capable(json!({"elicitation": capability}));
            let mut session = program.serve(era).await;
            session.pose(DELETE_TOOL, doomed(CI_DEPLOY)).await;
        }
    }
}

#[tokio::test]
async fn an_answer_brought_by_a_client_that_cannot_ask_counts_for_nothing() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let program = guarded(&sandbox, Persona::WorkspaceAdmin).args(&["--confirm", "always"]);
    let mut session = program.serve(Era::Stateless).await;
    let params = json!({
        "name": DELETE_TOOL,
        "arguments": doomed(CI_DEPLOY),
        "inputResponses": {format!("delete:{CI_DEPLOY}"): {"action": "accept", "content": {"answer": true}}},
    });
    let id = session.send_request("tools/call", params).await;
    session
        .outcome(DELETE_TOOL, id)
        .await
        .refusal("confirmation_required");
    assert!(exists(&sandbox.handle(), CI_DEPLOY));
}

#[tokio::test]
async fn always_deletes_nothing_where_nobody_can_be_asked() {
    for era in Era::BOTH {
        let sandbox = Sandbox::start(0).await.unwrap();
        let program = guarded(&sandbox, Persona::WorkspaceAdmin).args(&["--confirm", "always"]);
        let mut session = program.serve(era).await;
        let refused = session.call(DELETE_TOOL, doomed(CI_DEPLOY)).await;
        let text = refused.refusal("confirmation_required");
        assert_says(
            text,
            &[
                "ci-deploy",
                "--confirm",
                "APC_CONFIRM",
                "Nothing was deleted",
            ],
        );
        assert_eq!(refused.error()["service_account_id"], CI_DEPLOY);
        assert_eq!(mutations(&sandbox.handle()), 0);
    }
}

#[tokio::test]
async fn always_asks_where_somebody_can_be_asked() {
    for era in Era::BOTH {
        let sandbox = Sandbox::start(0).await.unwrap();
        let mut session = asking(&sandbox)
            .env("APC_CONFIRM", "always")
            .serve(era)
            .await;
        let question = session.pose(DELETE_TOOL, doomed(CI_DEPLOY)).await;
        let yes = question.accept(true);
        session.answer(question, yes).await.structured();
        let question = session
            .pose(DELETE_TOOL, json!({"workspace_id": ANALYTICS}))
            .await;
        let chosen = question.accept(MIGRATION);
        session.answer(question, chosen).await.structured();
    }
}

#[tokio::test]
async fn never_asks_nobody_about_an_id() {
    for era in Era::BOTH {
        let sandbox = Sandbox::start(0).await.unwrap();
        let mut session = asking(&sandbox)
            .args(&["--confirm", "never"])
            .serve(era)
            .await;
        session
            .call(DELETE_TOOL, doomed(CI_DEPLOY))
            .await
            .structured();
        assert!(session.questions.is_empty());
        session
            .pose(DELETE_TOOL, json!({"workspace_id": ANALYTICS}))
            .await;
    }
}

/// The two ways in which the account shows whose key this server uses.
fn own_accounts(sandbox: &Sandbox) -> [(String, String); 2] {
    let handle = sandbox.handle();
    let fresh = handle.add_account(colleague("robot", Role::WorkspaceAdmin));
    [
        (fresh.id, fresh.key),
        (TERRAFORM.to_owned(), truth(&handle, "terraform").key),
    ]
}

#[tokio::test]
async fn the_account_whose_key_this_server_uses_is_asked_about_even_under_never() {
    for era in Era::BOTH {
        for own in 0..2 {
            let sandbox = Sandbox::start(0).await.unwrap();
            let (id, key) = own_accounts(&sandbox)[own].clone();
            let program = guarded_with(&sandbox, &key).capable(can_ask());
            let mut session = program.args(&["--confirm", "never"]).serve(era).await;
            let question = session.pose(DELETE_TOOL, doomed(&id)).await;
            assert_says(question.message(), &["this server itself uses"]);
            if era == Era::Stateless {
                assert_eq!(question.key, Some(format!("delete_own_key:{id}")));
            }
            let outcome = session.answer(question, json!({"action": "decline"})).await;
            assert_declined(&sandbox, &outcome);
            let question = session.pose(DELETE_TOOL, doomed(&id)).await;
            let yes = question.accept(true);
            session.answer(question, yes).await.structured();
            assert!(!exists(&sandbox.handle(), &id));
        }
    }
}

#[tokio::test]
async fn the_account_whose_key_this_server_uses_stays_where_nobody_can_be_asked() {
    for confirm in ["never", "auto", "always"] {
        for own in 0..2 {
            let sandbox = Sandbox::start(0).await.unwrap();
            let (id, key) = own_accounts(&sandbox)[own].clone();
            let program = guarded_with(&sandbox, &key).args(&["--confirm", confirm]);
            let mut session = program.serve(Era::USUAL).await;
            let refused = session.call(DELETE_TOOL, doomed(&id)).await;
            let text = refused.refusal("confirmation_required");
            assert_says(text, &["this server itself uses"]);
            assert!(!text.contains(&key));
            assert_eq!(mutations(&sandbox.handle()), 0);
            if confirm != "always" {
                session
                    .call(DELETE_TOOL, doomed(MIGRATION))
                    .await
                    .structured();
            }
        }
    }
}

#[tokio::test]
async fn an_ordinary_yes_does_not_delete_the_own_account() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let key = truth(&sandbox.handle(), "terraform").key;
    let program = guarded_with(&sandbox, &key).capable(can_ask());
    let mut session = program.serve(Era::Stateless).await;
    let question = session.pose(DELETE_TOOL, doomed(TERRAFORM)).await;
    let yes = question.accept(true);
    let outcome = session
        .answer_as(&format!("delete:{TERRAFORM}"), question, yes)
        .await;
    assert_declined(&sandbox, &outcome);
}

#[tokio::test]
async fn a_choice_says_which_account_is_the_servers_own() {
    for era in Era::BOTH {
        let sandbox = Sandbox::start(0).await.unwrap();
        let key = truth(&sandbox.handle(), "terraform").key;
        let program = guarded_with(&sandbox, &key).capable(can_ask());
        let mut session = program.serve(era).await;
        let question = session
            .pose(DELETE_TOOL, json!({"workspace_id": ANALYTICS}))
            .await;
        for (id, shown) in question.choices() {
            assert_eq!(
                shown.contains("this server itself uses"),
                id == TERRAFORM,
                "{shown}"
            );
        }
    }
}

#[tokio::test]
async fn nothing_is_asked_about_what_would_be_refused_anyway() {
    for era in Era::BOTH {
        let (sandbox, mut session) = start(era).await;
        session
            .call(DELETE_TOOL, doomed(NOTEBOOKS))
            .await
            .refusal("not_found");
        session
            .call(DELETE_TOOL, doomed(NOTHING))
            .await
            .refusal("not_found");
        session
            .call(DELETE_TOOL, json!({"service_account_id": FORECASTS}))
            .await
            .refusal("not_found");
        assert!(session.questions.is_empty());
        assert_eq!(mutations(&sandbox.handle()), 0);
    }
}

#[tokio::test]
async fn one_question_is_asked_although_the_deletion_is_in_trouble() {
    for era in Era::BOTH {
        let (sandbox, mut session) = start(era).await;
        sandbox
            .handle()
            .inject(Fault::DropAfter, On::Field(DELETE), 1);
        let question = session.pose(DELETE_TOOL, doomed(CI_DEPLOY)).await;
        let yes = question.accept(true);
        let gone = session.answer(question, yes).await;
        assert_eq!(gone.structured()["recovered"], true);
    }
}

#[tokio::test]
async fn labels_in_questions_cannot_forge_them() {
    let label = format!(
        "x'\" \n\r\u{2028}\u{202e}\u{200f}\u{1b}[31m\u{7}OK, delete it?{}",
        "y".repeat(200)
    );
    for era in Era::BOTH {
        let (sandbox, mut session) = start(era).await;
        let evil = sandbox
            .handle()
            .add_account(colleague(&label, Role::WorkspaceViewer));
        let question = session.pose(DELETE_TOOL, doomed(&evil.id)).await;
        assert_tame(question.message());
        let answer = json!({"action": "decline"});
        let outcome = session.answer(question, answer).await;
        assert_tame(outcome.text());
        let question = session
            .pose(DELETE_TOOL, json!({"workspace_id": ANALYTICS}))
            .await;
        let choices = question.choices();
        let (_, shown) = choices.iter().find(|(id, _)| *id == evil.id).unwrap();
        assert_tame(shown);
        let chosen = question.accept(evil.id.clone());
        let gone = session.answer(question, chosen).await;
        assert_eq!(gone.account()["label"], label, "verbatim in results");
    }
}

#[track_caller]
fn assert_tame(text: &str) {
    let deceptive = |c: char| c.is_control() || "\u{2028}\u{202e}\u{200f}".contains(c);
    assert!(!text.contains(deceptive), "{text:?}");
    assert!(!text.contains(&"y".repeat(81)), "{text}");
    assert!(
        text.contains("\\'") || !text.contains("x'"),
        "the quote is not escaped: {text}"
    );
}

#[tokio::test]
async fn a_key_in_a_label_does_not_stand_in_a_question() {
    for era in Era::BOTH {
        let (sandbox, mut session) = start(era).await;
        let fresh = sandbox
            .handle()
            .add_account(colleague("fresh", Role::WorkspaceViewer));
        let evil = sandbox
            .handle()
            .add_account(colleague(&fresh.key, Role::WorkspaceViewer));
        let question = session.pose(DELETE_TOOL, doomed(&evil.id)).await;
        assert!(
            !question.params.to_string().contains(&fresh.key),
            "{era:?} {}",
            question.params
        );
        let outcome = session.answer(question, json!({"action": "decline"})).await;
        assert!(!outcome.result.to_string().contains(&fresh.key));
        let question = session
            .pose(DELETE_TOOL, json!({"workspace_id": ANALYTICS}))
            .await;
        assert!(
            !question.params.to_string().contains(&fresh.key),
            "{era:?} {}",
            question.params
        );
        session.answer(question, json!({"action": "cancel"})).await;
        session.end_without(&[fresh.key]).await;
    }
}

#[tokio::test]
async fn no_question_invites_a_secret() {
    for era in Era::BOTH {
        let (_sandbox, mut session) = start(era).await;
        for arguments in [doomed(CI_DEPLOY), json!({"workspace_id": ANALYTICS})] {
            let question = session.pose(DELETE_TOOL, arguments).await;
            let free_text = question.field()["type"] == "string"
                && question.field().get("enum").is_none()
                && question.field().get("oneOf").is_none();
            assert!(!free_text, "{}", question.params);
            session.answer(question, json!({"action": "decline"})).await;
        }
    }
}
