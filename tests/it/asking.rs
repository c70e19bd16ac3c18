//! The user's word: what is asked, in both eras, and what is taken for a yes.

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
        let question = session.pose(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
        let facts = [
            "ci-deploy",
            "WORKSPACE_EDITOR",
            "Analytics",
            ANALYTICS,
            "last used",
        ];
        assert_says(question.message(), &facts);
        let used = question.message().split("last used '").nth(1).unwrap();
        let used = used.split('\'').next().unwrap();
        assert_eq!(used.len(), "2026-01-01T00:00:00Z".len(), "{used}");
        assert_eq!(question.field()["type"], "boolean");
        assert_eq!(question.field()["default"], false);
        assert_eq!(question.field()["title"], "Delete it (yes or no)");
        assert_eq!(mutations(&sandbox.handle()), 0);
        let yes = question.accept(true);
        let gone = session.answer(question, yes).await;
        assert_eq!(gone.account()["id"], CI_DEPLOY);
        assert_eq!(gone.structured()["deleted"], true);
        assert!(!exists(&sandbox.handle(), CI_DEPLOY), "{era:?}");
        assert_eq!(mutations(&sandbox.handle()), 1);
    }
}

#[tokio::test]
async fn the_key_of_a_question_says_what_is_asked() {
    let (_sandbox, mut session) = start(Era::Stateless).await;
    let question = session.pose(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
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
            let question = session.pose(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
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
        ];
        for answer in answers {
            let question = session.pose(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
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
        let question = session.pose(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
        let yes = question.accept(true);
        let outcome = session.answer_as(&other, question, yes).await;
        assert_declined(&sandbox, &outcome);
    }
}

#[tokio::test]
async fn a_yes_to_one_account_does_not_delete_another() {
    let (sandbox, mut session) = start(Era::Stateless).await;
    for key in [CI_DEPLOY, MIGRATION].map(|id| format!("delete:{id}")) {
        let question = session.pose(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
        let answers = json!({key: question.accept(true)});
        let brought = brought(deletion_of(MIGRATION), answers, question.state);
        let outcome = bring(&mut session, brought).await.outcome();
        assert_no_person(&sandbox, &outcome);
        let way_out = ["without an answer", "keeps the server running"];
        assert_says(outcome.text(), &way_out);
    }
    assert!(exists(&sandbox.handle(), MIGRATION));
}

/// A call that brings answers.
fn brought(arguments: Value, answers: Value, state: Option<Value>) -> Value {
    let mut params =
        json!({"name": DELETE_TOOL, "arguments": arguments, "inputResponses": answers});
    if let Some(state) = state {
        params["requestState"] = state;
    }
    params
}

async fn bring(session: &mut Session, params: Value) -> First {
    let arguments = params["arguments"].clone();
    let id = session.send_request("tools/call", params).await;
    session.next(DELETE_TOOL, arguments, id).await
}

/// Nothing was deleted, since no person was asked, and the words name the way out.
#[track_caller]
fn assert_no_person(sandbox: &Sandbox, outcome: &Outcome) {
    let text = outcome.refusal("confirmation_required");
    let way_out = [
        "Nothing was deleted",
        "--confirm never",
        "approval of each tool call",
    ];
    assert_says(text, &way_out);
    assert_eq!(mutations(&sandbox.handle()), 0, "{text}");
}

fn yes() -> Value {
    json!({"action": "accept", "content": {"answer": true}})
}

#[tokio::test]
async fn a_first_call_that_brings_its_answer_is_asked() {
    for confirm in ["auto", "always"] {
        let sandbox = Sandbox::start(0).await.unwrap();
        let program = asking(&sandbox).args(&["--confirm", confirm]);
        let mut session = program.serve(Era::Stateless).await;
        let answers = json!({format!("delete:{CI_DEPLOY}"): yes()});
        let question = bring(&mut session, brought(deletion_of(CI_DEPLOY), answers, None))
            .await
            .question();
        assert_eq!(mutations(&sandbox.handle()), 0);
        session.answer(question, yes()).await.structured();

        let place = json!({"workspace_id": ANALYTICS});
        let selected = json!({"action": "accept", "content": {"answer": MIGRATION}});
        let answers =
            json!({format!("select:{ANALYTICS}"): selected, format!("delete:{MIGRATION}"): yes()});
        let question = bring(&mut session, brought(place, answers, None)).await;
        assert_eq!(question.question().key, Some(format!("select:{ANALYTICS}")));
        assert!(exists(&sandbox.handle(), MIGRATION));
    }
}

/// The answers of a user who wants nothing deleted.
fn noes() -> [Value; 4] {
    let accepted = |content| json!({"action": "accept", "content": content});
    [
        json!({"action": "decline"}),
        json!({"action": "cancel"}),
        accepted(json!({"answer": false})),
        accepted(json!({})),
    ]
}

#[tokio::test]
async fn a_no_stays_a_no_in_a_call_that_says_it_cannot_ask() {
    for confirm in ["auto", "always"] {
        let sandbox = Sandbox::start(0).await.unwrap();
        let program = asking(&sandbox).args(&["--confirm", confirm]);
        let mut session = program.serve(Era::Stateless).await;
        for unable in [json!({}), json!({"elicitation": {"url": {}}})] {
            for no in noes() {
                session.capabilities = can_ask();
                let question = session.pose(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
                session.capabilities = unable.clone();
                let outcome = session.answer(question, no).await;
                assert_declined(&sandbox, &outcome);
                assert_eq!(outcome.error()["service_account_id"], CI_DEPLOY);
            }
        }
    }
}

#[tokio::test]
async fn a_call_that_brings_no_valid_answer_deletes_nothing_where_nobody_can_be_asked() {
    let answers = [
        json!({format!("delete:{CI_DEPLOY}"): yes()}),
        json!({format!("delete:{CI_DEPLOY}"): {"action": "decline"}}),
        json!({}),
    ];
    for era in Era::BOTH {
        for confirm in ["auto", "always", "never"] {
            let sandbox = Sandbox::start(0).await.unwrap();
            let program = guarded(&sandbox, Persona::WorkspaceAdmin).args(&["--confirm", confirm]);
            let mut session = program.serve(era).await;
            for answers in &answers {
                for state in [None, Some(json!("made up")), Some(json!(""))] {
                    let params = brought(deletion_of(CI_DEPLOY), answers.clone(), state);
                    let outcome = bring(&mut session, params).await.outcome();
                    outcome.refusal("confirmation_required");
                    assert_eq!(mutations(&sandbox.handle()), 0);
                }
            }
            let mut params = brought(deletion_of(CI_DEPLOY), json!({}), Some(json!("made up")));
            params.as_object_mut().unwrap().remove("inputResponses");
            let outcome = bring(&mut session, params).await.outcome();
            let text = outcome.refusal("confirmation_required");
            if confirm != "always" {
                assert_says(
                    text,
                    &["requestState", "no valid answer", "call again without"],
                );
            }
            assert!(exists(&sandbox.handle(), CI_DEPLOY));
        }
    }
}

#[tokio::test]
async fn an_answer_in_an_odd_form_deletes_nothing() {
    let odd = [
        json!({"inputResponses": []}),
        json!({"inputResponses": ""}),
        json!({"inputResponses": 5}),
        json!({"inputResponses": true}),
        json!({"requestState": 5}),
        json!({"requestState": []}),
        json!({"requestState": {}}),
        json!({"requestState": true}),
    ];
    for era in Era::BOTH {
        let sandbox = Sandbox::start(0).await.unwrap();
        let mut session = guarded(&sandbox, Persona::WorkspaceAdmin).serve(era).await;
        for members in &odd {
            let mut params = json!({"name": DELETE_TOOL, "arguments": deletion_of(CI_DEPLOY)});
            let members = members.as_object().unwrap().clone();
            params.as_object_mut().unwrap().extend(members);
            let reply = session.request("tools/call", params.clone()).await;
            assert_eq!(reply["error"]["code"], -32602, "{era:?} {params} {reply}");
            assert_eq!(mutations(&sandbox.handle()), 0);
        }
    }
}

#[tokio::test]
async fn a_yes_counts_in_a_call_that_says_it_cannot_ask() {
    let (sandbox, mut session) = start(Era::Stateless).await;
    let question = session.pose(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
    session.capabilities = json!({});
    session.answer(question, yes()).await.structured();
    assert!(!exists(&sandbox.handle(), CI_DEPLOY));
}

#[tokio::test]
async fn a_selection_counts_in_a_call_that_says_it_cannot_ask_and_deletes_nothing() {
    for confirm in ["auto", "never"] {
        let sandbox = Sandbox::start(0).await.unwrap();
        let program = asking(&sandbox).args(&["--confirm", confirm]);
        let mut session = program.serve(Era::Stateless).await;
        let place = json!({"workspace_id": ANALYTICS});
        for no in noes() {
            session.capabilities = can_ask();
            let question = session.pose(DELETE_TOOL, place.clone()).await;
            session.capabilities = json!({});
            assert_declined(&sandbox, &session.answer(question, no).await);

            session.capabilities = can_ask();
            let question = selected(&mut session, MIGRATION).await;
            session.capabilities = json!({});
            let no = json!({"action": "decline"});
            assert_declined(&sandbox, &session.answer(question, no).await);
        }
        session.capabilities = can_ask();
        let question = session.pose(DELETE_TOOL, place).await;
        session.capabilities = json!({});
        let chosen = question.accept(MIGRATION);
        let outcome = session.answer(question, chosen).await;
        let text = outcome.refusal("confirmation_required");
        assert_says(text, &["selected from a list", "service_account_id"]);
        assert_eq!(mutations(&sandbox.handle()), 0);
    }
}

#[tokio::test]
async fn a_no_about_roles_that_are_gone_by_now_is_a_no_under_never() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let program = asking(&sandbox).args(&["--confirm", "never"]);
    let mut session = program.serve(Era::Stateless).await;
    let label = "passing";
    let mut fresh = sandbox
        .handle()
        .add_account(colleague(label, Role::WorkspaceViewer));
    let handle = sandbox.handle();
    let entity = apc_sandbox::Entity::Workspace(DATA_SCIENCE.into());
    handle.bind(&fresh.id, Role::WorkspaceViewer, entity);
    let question = session.pose(DELETE_TOOL, deletion_of(&fresh.id)).await;
    handle.remove_account(&fresh.id);
    let mut alone = colleague(label, Role::WorkspaceViewer);
    alone.id = Some(fresh.id.clone());
    fresh = handle.add_account(alone);
    let outcome = session.answer(question, json!({"action": "decline"})).await;
    assert_declined(&sandbox, &outcome);
    assert!(exists(&handle, &fresh.id));
}

#[tokio::test]
async fn a_call_without_an_answer_is_asked_again_whatever_its_state() {
    let (_sandbox, mut session) = start(Era::Stateless).await;
    let question = session.pose(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
    for state in [question.state.unwrap(), json!("made up")] {
        let params = json!({"name": DELETE_TOOL, "arguments": deletion_of(CI_DEPLOY), "requestState": state, "inputResponses": {}});
        bring(&mut session, params).await.question();
    }
}

#[tokio::test]
async fn a_state_serves_one_answer_and_the_next_is_asked_anew() {
    let (sandbox, mut session) = start(Era::Stateless).await;
    let answers = json!({format!("delete:{CI_DEPLOY}"): yes()});
    let place = json!({"workspace_id": ANALYTICS});

    // Nothing came of the yes.
    let question = session.pose(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
    let state = question.state.clone();
    let broken = Fault::ErrorBefore {
        code: "INTERNAL_SERVER_ERROR".into(),
        message: "the database is down".into(),
    };
    sandbox.handle().inject(broken, On::Field(DELETE), 1);
    let failed = session.answer(question, yes()).await;
    failed.refusal("api_error");
    let second = brought(deletion_of(CI_DEPLOY), answers.clone(), state);
    bring(&mut session, second.clone()).await.question();
    session.capabilities = json!({});
    let outcome = bring(&mut session, second).await.outcome();
    outcome.refusal("confirmation_required");
    session.capabilities = can_ask();

    // It was a no.
    let question = session.pose(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
    let state = question.state.clone();
    session
        .answer(question, json!({"action": "decline"}))
        .await
        .refusal("declined");
    bring(
        &mut session,
        brought(deletion_of(CI_DEPLOY), answers, state),
    )
    .await
    .question();

    // It was a no about a selection.
    let question = selected(&mut session, MIGRATION).await;
    let state = question.state.clone();
    session
        .answer(question, json!({"action": "decline"}))
        .await
        .refusal("declined");
    let answers = json!({format!("delete:{MIGRATION}"): yes()});
    let question = bring(&mut session, brought(place, answers, state))
        .await
        .question();
    assert_eq!(question.key, Some(format!("select:{ANALYTICS}")));
    assert!(exists(&sandbox.handle(), CI_DEPLOY));
    assert!(exists(&sandbox.handle(), MIGRATION));
}

#[tokio::test]
async fn an_answer_under_the_state_of_another_process_is_nobodys() {
    let (sandbox, mut session) = start(Era::Stateless).await;
    let mut elsewhere = asking(&sandbox).serve(Era::Stateless).await;
    let question = elsewhere.pose(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
    let foreign = question.state.clone().unwrap().as_str().unwrap().to_owned();
    let question = session.pose(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
    let own = question.state.clone().unwrap().as_str().unwrap().to_owned();
    let flipped = match own.strip_prefix('A') {
        Some(rest) => format!("B{rest}"),
        None => format!("A{}", &own[1..]),
    };
    let shown = json!({"": question.message()}).to_string();
    let states = [
        foreign,
        flipped,
        own[..own.len() / 2].to_owned(),
        format!("{own}AAAA"),
        shown,
    ];
    for state in states
        .iter()
        .map(String::as_str)
        .chain(["", "{}", "made up"])
    {
        let answers = json!({format!("delete:{CI_DEPLOY}"): yes()});
        let params = brought(deletion_of(CI_DEPLOY), answers, Some(json!(state)));
        let outcome = bring(&mut session, params).await.outcome();
        assert_no_person(&sandbox, &outcome);
        assert_says(outcome.text(), &["starts the server anew for each call"]);
        assert_eq!(outcome.error()["service_account_id"], CI_DEPLOY);
    }
    let yes = question.accept(true);
    session.answer(question, yes).await.structured();
}

#[tokio::test]
async fn a_selection_under_a_foreign_state_is_nobodys() {
    let (sandbox, mut session) = start(Era::Stateless).await;
    let selected = json!({"action": "accept", "content": {"answer": MIGRATION}});
    let answers =
        json!({format!("select:{ANALYTICS}"): selected, format!("delete:{MIGRATION}"): yes()});
    let params = brought(
        json!({"workspace_id": ANALYTICS}),
        answers,
        Some(json!("made up")),
    );
    let outcome = bring(&mut session, params).await.outcome();
    assert_no_person(&sandbox, &outcome);
    assert_says(outcome.text(), &["service_account_id"]);
}

#[tokio::test]
async fn a_call_of_the_handshake_era_brings_no_answers() {
    for version in ["2024-11-05", "2025-11-25"] {
        let (sandbox, mut session) = start(Era::Handshake(version)).await;
        let answers = json!({format!("delete:{CI_DEPLOY}"): yes()});
        for state in [None, Some(json!("made up"))] {
            let params = brought(deletion_of(CI_DEPLOY), answers.clone(), state);
            let question = bring(&mut session, params).await.question();
            let outcome = session.answer(question, json!({"action": "decline"})).await;
            assert_declined(&sandbox, &outcome);
        }
    }
}

#[tokio::test]
async fn a_selection_of_one_era_does_not_lead_a_call_of_the_other() {
    let (_sandbox, mut session) = start(Era::USUAL).await;
    session.era = Era::Stateless;
    let question = selected(&mut session, MIGRATION).await;
    session.era = Era::USUAL;
    let answers = json!({format!("delete:{MIGRATION}"): yes()});
    let params = brought(json!({"workspace_id": ANALYTICS}), answers, question.state);
    let question = bring(&mut session, params).await.question();
    assert_says(question.message(), &["Which service account"]);
}

#[tokio::test]
async fn an_error_in_place_of_an_answer_is_no_persons() {
    let answers = [
        json!({"error": {"code": -32601, "message": "Method not found"}}),
        json!({"error": {"code": -32603, "message": "no window to show it in"}}),
        json!({"action": "ACCEPT", "content": {"answer": true}}),
        json!({"content": {"answer": true}}),
        json!({}),
    ];
    for era in Era::BOTH {
        let (sandbox, mut session) = start(era).await;
        for answer in &answers {
            let question = session.pose(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
            let outcome = session.answer(question, answer.clone()).await;
            assert_no_person(&sandbox, &outcome);
            let place = json!({"workspace_id": ANALYTICS});
            let question = session.pose(DELETE_TOOL, place).await;
            let outcome = session.answer(question, answer.clone()).await;
            assert_no_person(&sandbox, &outcome);
            assert_says(outcome.text(), &["service_account_id"]);
        }
    }
}

/// Replies that are no messages, to the request of this id.
fn unreadable_replies(id: &Value) -> Vec<Vec<u8>> {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let padding = " ".repeat(apc_mcp::session::LINE_MAX);
    let yes = r#"{"action":"accept","content":{"answer":true}"#;
    let invalid = [
        format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{yes},"note":""#).as_bytes(),
        b"\xff\"}}",
    ]
    .concat();
    let texts = [
        format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{yes},"note":{deep}}}}}"#),
        format!(r#"{{"result":{yes},"note":{deep}}},"jsonrpc":"2.0","id":{id}}}"#),
        format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{yes},"note":"\ud800"}}}}"#),
        format!(r#"{{"jsonrpc":"2.0","id":{id}}}"#),
        format!(r#"{{"jsonrpc":"2.0","id":{id},"error":"no window"}}"#),
        format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":"E1","message":"no"}}}}"#),
        format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{yes}}}{padding}}}"#),
        format!(r#"{{"result":{yes}{padding}}},"jsonrpc":"2.0","id":{id}}}"#),
    ];
    let mut replies: Vec<_> = texts.into_iter().map(String::into_bytes).collect();
    replies.push(invalid);
    replies
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_ends_its_question_and_is_no_persons() {
    let (sandbox, mut session) = start(Era::USUAL).await;
    for number in 0..unreadable_replies(&json!(0)).len() {
        let question = session.pose(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
        let reply = &unreadable_replies(&question.request)[number];
        session.raw_bytes(&[reply, &b"\n"[..]].concat()).await;
        let outcome = session.outcome(DELETE_TOOL, question.call).await;
        assert_no_person(&sandbox, &outcome);
        assert_eq!(session.notifications.len(), 0, "reply {number}");
    }
    assert!(exists(&sandbox.handle(), CI_DEPLOY));
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_ends_no_other_question() {
    let (sandbox, mut session) = start(Era::USUAL).await;
    let question = session.pose(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
    for other in [json!(4711), json!("x"), json!(null), json!(1.5)] {
        for reply in unreadable_replies(&other) {
            session.raw_bytes(&[&reply[..], b"\n"].concat()).await;
        }
    }
    session.call(GET_TOOL, json!({})).await.structured();
    let yes = question.accept(true);
    session.answer(question, yes).await.structured();
    assert!(!exists(&sandbox.handle(), CI_DEPLOY));
}

/// A machine may have to wait for the processor, and then looks like a person: one of many is quick enough.
async fn declined_at_once(session: &mut Session, arguments: &Value, action: &str) -> Outcome {
    for _ in 0..50 {
        let question = session.pose(DELETE_TOOL, arguments.clone()).await;
        let key = question.key.clone().unwrap_or_default();
        let answer = session.answer_at_once(&key, question, json!({"action": action}));
        let outcome = answer.await.outcome();
        if outcome.code() == "confirmation_required" {
            return outcome;
        }
    }
    panic!("no answer was taken for the client's");
}

#[tokio::test]
async fn a_no_that_comes_at_once_is_the_clients() {
    for era in Era::BOTH {
        let (sandbox, mut session) = start(era).await;
        for action in ["decline", "cancel"] {
            for arguments in [deletion_of(CI_DEPLOY), json!({"workspace_id": ANALYTICS})] {
                let outcome = declined_at_once(&mut session, &arguments, action).await;
                assert_no_person(&sandbox, &outcome);
                assert_says(outcome.text(), &["within 100 ms"]);
            }
        }
    }
}

/// A machine's error in place of an answer.
fn no_window() -> Value {
    json!({"error": {"code": -32601, "message": "Method not found"}})
}

#[tokio::test]
async fn a_server_on_never_is_not_told_to_start_with_never() {
    for era in Era::BOTH {
        let sandbox = Sandbox::start(0).await.unwrap();
        let program = asking(&sandbox).args(&["--confirm", "never"]);
        let mut session = program.serve(era).await;
        let place = json!({"workspace_id": ANALYTICS});
        let question = session.pose(DELETE_TOOL, place).await;
        let unselected = session.answer(question, no_window()).await;
        let question = selected(&mut session, MIGRATION).await;
        let unconfirmed = session.answer(question, no_window()).await;
        for outcome in [unselected, unconfirmed] {
            let text = outcome.refusal("confirmation_required");
            assert_says(text, &["Nothing was deleted", "service_account_id"]);
            assert!(!text.contains("--confirm"), "{text}");
        }
        assert_eq!(mutations(&sandbox.handle()), 0);
    }
}

#[tokio::test]
async fn a_selection_nobody_confirms_is_told_that_never_covers_an_id_alone() {
    for era in Era::BOTH {
        let (sandbox, mut session) = start(era).await;
        let place = json!({"workspace_id": ANALYTICS});
        let question = session.pose(DELETE_TOOL, place).await;
        let unselected = session.answer(question, no_window()).await;
        let question = selected(&mut session, MIGRATION).await;
        let unconfirmed = session.answer(question, no_window()).await;
        for outcome in [unselected, unconfirmed] {
            assert_no_person(&sandbox, &outcome);
            let covered = [
                "service_account_id",
                "asked about in any case",
                "named by its id",
            ];
            assert_says(outcome.text(), &covered);
        }
    }
}

#[tokio::test]
async fn a_yes_that_comes_at_once_is_a_yes() {
    for era in Era::BOTH {
        let (sandbox, mut session) = start(era).await;
        let question = session.pose(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
        let (key, yes) = (
            question.key.clone().unwrap_or_default(),
            question.accept(true),
        );
        let outcome = session.answer_at_once(&key, question, yes).await.outcome();
        assert_eq!(outcome.structured()["deleted"], true);
        assert!(!exists(&sandbox.handle(), CI_DEPLOY));
    }
}

#[tokio::test]
async fn an_accepted_question_whose_box_is_not_ticked_is_a_no_that_says_what_to_do() {
    for era in Era::BOTH {
        let (sandbox, mut session) = start(era).await;
        for content in [json!({}), json!({"answer": false})] {
            let question = session.pose(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
            let accepted = json!({"action": "accept", "content": content});
            let outcome = session.answer(question, accepted).await;
            assert_declined(&sandbox, &outcome);
            let help = ["'Delete it (yes or no)'", "True", "shows no box"];
            assert_says(outcome.text(), &help);
        }
    }
}

#[tokio::test]
async fn an_own_account_that_nobody_confirms_is_not_covered_by_never() {
    for era in Era::BOTH {
        let sandbox = Sandbox::start(0).await.unwrap();
        let key = truth(&sandbox.handle(), "terraform").key;
        let program = guarded_with(&sandbox, &key).capable(can_ask());
        let mut session = program.args(&["--confirm", "never"]).serve(era).await;
        let question = session.pose(DELETE_TOOL, deletion_of(TERRAFORM)).await;
        let error = json!({"error": {"code": -32601, "message": "Method not found"}});
        let outcome = session.answer(question, error).await;
        let text = outcome.refusal("confirmation_required");
        assert_says(text, &["--confirm never does not cover"]);
        assert_eq!(mutations(&sandbox.handle()), 0);
    }
}

#[tokio::test]
async fn an_account_that_changed_while_the_user_was_thinking_is_left_alone() {
    for era in Era::BOTH {
        for change in ["label", "role", "gone", "moved"] {
            let (sandbox, mut session) = start(era).await;
            let handle = sandbox.handle();
            let fresh = handle.add_account(colleague("fresh", Role::WorkspaceViewer));
            let question = session.pose(DELETE_TOOL, deletion_of(&fresh.id)).await;
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
            // The second call of the stateless era looks for the account before it looks at the answer.
            let expected = match (era, change) {
                (Era::Stateless, "gone" | "moved") => "not_found",
                _ => "declined",
            };
            outcome.refusal(expected);
            assert_eq!(mutations(&handle), 0, "{era:?} {change}");
            assert_eq!(exists(&handle, &fresh.id), change != "gone");
        }
    }
}

#[tokio::test]
async fn an_account_that_cannot_be_read_after_the_yes_is_not_called_vanished() {
    let (sandbox, mut session) = start(Era::USUAL).await;
    let handle = sandbox.handle();
    let question = session.pose(DELETE_TOOL, deletion_of(MIGRATION)).await;
    handle.inject(page(500, false), On::Any, 10);
    let yes = question.accept(true);
    let outcome = session.answer(question, yes).await;
    outcome.refusal("api_error");
    assert_eq!(mutations(&handle), 0);
    assert!(exists(&handle, MIGRATION));
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
        session.pose(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
        assert!(session.close_stdin_and_wait().await.success());
        assert!(exists(&sandbox.handle(), CI_DEPLOY));
        assert_eq!(mutations(&sandbox.handle()), 0);
    }
}

#[tokio::test]
async fn taking_back_the_call_takes_back_its_question() {
    for version in ["2024-11-05", "2025-11-25"] {
        let (sandbox, mut session) = start(Era::Handshake(version)).await;
        let question = session.pose(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
        session.cancel(question.call).await;
        until_told(&mut session, &question.request).await;
        let late = json!({"jsonrpc": "2.0", "id": question.request, "result": yes()});
        session.raw_line(&late.to_string()).await;
        session.call(GET_TOOL, json!({})).await.structured();
        session.close_stdin_and_wait().await;
        assert!(exists(&sandbox.handle(), CI_DEPLOY));
        assert_eq!(mutations(&sandbox.handle()), 0);
    }
}

#[tokio::test]
async fn the_end_of_input_takes_back_every_open_question() {
    let (sandbox, mut session) = start(Era::USUAL).await;
    let mut asked = Vec::new();
    for id in [CI_DEPLOY, MIGRATION] {
        asked.push(session.pose(DELETE_TOOL, deletion_of(id)).await.request);
    }
    session.close_stdin_and_wait().await;
    assert_eq!(session.notifications.len(), asked.len());
    for request in asked {
        let is_told = |told: &&Value| told["params"]["requestId"] == request;
        let told = session.notifications.iter().find(is_told).unwrap();
        assert_eq!(told["method"], "notifications/cancelled", "{told}");
    }
    assert_eq!(mutations(&sandbox.handle()), 0);
}

#[cfg(unix)]
#[tokio::test]
async fn a_signal_takes_back_every_open_question_and_answers_its_call() {
    use rustix::process::Signal;
    for signal in [Signal::TERM, Signal::HUP, Signal::INT, Signal::QUIT] {
        let (sandbox, mut session) = start(Era::USUAL).await;
        let mut asked = Vec::new();
        for id in [CI_DEPLOY, MIGRATION] {
            asked.push(session.pose(DELETE_TOOL, deletion_of(id)).await);
        }
        session.signal(signal);
        assert!(session.wait().await.success(), "{signal:?}");
        assert_eq!(session.notifications.len(), asked.len(), "{signal:?}");
        for question in asked {
            let is_told = |told: &&Value| told["params"]["requestId"] == question.request;
            let told = session.notifications.iter().find(is_told).unwrap();
            assert_eq!(told["method"], "notifications/cancelled", "{told}");
            let outcome = session.outcome(DELETE_TOOL, question.call).await;
            assert_says(outcome.refusal("declined"), &["session ended"]);
        }
        assert_eq!(mutations(&sandbox.handle()), 0);
    }
}

#[tokio::test]
async fn an_answered_question_is_not_taken_back() {
    let (_sandbox, mut session) = start(Era::USUAL).await;
    let question = session.pose(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
    let yes = question.accept(true);
    session.answer(question, yes).await.structured();
    session.close_stdin_and_wait().await;
    assert!(session.notifications.is_empty());
}

/// Waits until the client is told that this request is cancelled.
async fn until_told(session: &mut Session, request: &Value) {
    while session.notifications.is_empty() {
        let message = session.message().await.unwrap();
        session.file_away(message);
    }
    let told = session.notifications.pop_front().unwrap();
    assert_eq!(told["method"], "notifications/cancelled", "{told}");
    assert_eq!(told["params"]["requestId"], *request, "{told}");
}

#[tokio::test]
async fn other_calls_are_served_while_a_question_is_open() {
    let (sandbox, mut session) = start(Era::USUAL).await;
    let question = session.pose(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
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
            &["Analytics", ANALYTICS, "asked once more"],
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
        assert_eq!(choices.len(), here.len() + 1);
        assert_eq!(choices[0].1, "None of these");
        assert_eq!(question.field().get("default"), None);
        for account in here {
            let (_, shown) = choices.iter().find(|(id, _)| *id == account.id).unwrap();
            assert_says(shown, &[&account.label, &account.role]);
            assert!(!shown.contains(&account.key), "{shown}");
        }
        let chosen = question.accept(MIGRATION);
        let question = session.follow_up(question, chosen).await;
        assert_says(question.message(), &["migration-2024", "last used"]);
        assert_eq!(question.field()["type"], "boolean");
        assert_eq!(mutations(&sandbox.handle()), 0);
        let yes = question.accept(true);
        let gone = session.answer(question, yes).await;
        assert_eq!(gone.account()["id"], MIGRATION);
        assert!(!exists(&sandbox.handle(), MIGRATION));
        assert_eq!(mutations(&sandbox.handle()), 1);
    }
}

#[tokio::test]
async fn the_first_choice_selects_nothing() {
    for era in Era::BOTH {
        let (sandbox, mut session) = start(era).await;
        let place = json!({"workspace_id": ANALYTICS});
        let question = session.pose(DELETE_TOOL, place).await;
        let (first, _) = question.choices().remove(0);
        let nothing = question.accept(first);
        let outcome = session.answer(question, nothing).await;
        assert_declined(&sandbox, &outcome);
        assert_says(outcome.text(), &["chose none"]);
    }
}

#[tokio::test]
async fn a_selected_account_is_deleted_by_a_yes_and_nothing_else() {
    for era in Era::BOTH {
        for confirm in ["auto", "never"] {
            let sandbox = Sandbox::start(0).await.unwrap();
            let program = asking(&sandbox).args(&["--confirm", confirm]);
            let mut session = program.serve(era).await;
            let noes = [
                json!({"action": "decline"}),
                json!({"action": "accept", "content": {}}),
                json!({"action": "accept", "content": {"answer": MIGRATION}}),
            ];
            for no in noes {
                let question = selected(&mut session, MIGRATION).await;
                let outcome = session.answer(question, no).await;
                assert_declined(&sandbox, &outcome);
                assert_eq!(outcome.error()["service_account_id"], MIGRATION);
            }
        }
    }
}

/// The yes-or-no question about an account that was selected.
async fn selected(session: &mut Session, id: &str) -> Question {
    let question = session
        .pose(DELETE_TOOL, json!({"workspace_id": ANALYTICS}))
        .await;
    let chosen = question.accept(id);
    session.follow_up(question, chosen).await
}

#[tokio::test]
async fn a_selected_account_that_changes_before_the_yes_is_left_alone() {
    for era in Era::BOTH {
        for change in ["label", "gone"] {
            let (sandbox, mut session) = start(era).await;
            let handle = sandbox.handle();
            let fresh = handle.add_account(colleague("fresh", Role::WorkspaceViewer));
            let question = selected(&mut session, &fresh.id).await;
            handle.remove_account(&fresh.id);
            if change == "label" {
                let mut other = colleague("production", Role::WorkspaceViewer);
                other.id = Some(fresh.id.clone());
                handle.add_account(other);
            }
            let yes = question.accept(true);
            let outcome = session.answer(question, yes).await;
            assert_declined(&sandbox, &outcome);
        }
    }
}

#[tokio::test]
async fn the_title_of_a_choice_fits_48_characters_and_ends_with_the_role() {
    for era in Era::BOTH {
        let (sandbox, mut session) = start(era).await;
        for label in ["l".repeat(255), "'\u{202e}".repeat(20), "ü".repeat(26)] {
            sandbox
                .handle()
                .add_account(colleague(&label, Role::WorkspaceEditor));
        }
        let place = json!({"workspace_id": ANALYTICS});
        let question = session.pose(DELETE_TOOL, place).await;
        for (id, shown) in question.choices().into_iter().skip(1) {
            assert!(shown.chars().count() <= 48, "{shown}");
            let accounts = sandbox.handle().accounts();
            let account = accounts.iter().find(|account| account.id == id).unwrap();
            assert!(shown.ends_with(&format!("', {}", account.role)), "{shown}");
        }
    }
}

#[tokio::test]
async fn accounts_of_one_label_or_one_beginning_are_told_apart_by_the_end_of_their_ids() {
    let long = "a-label-that-is-longer-than-a-title-";
    let labels = ["twin", "twin", &format!("{long}1"), &format!("{long}2")];
    let ids = ["ckaa000001", "ckbb000001", "ckcc000002", "ckdd000003"];
    for era in Era::BOTH {
        let (sandbox, mut session) = start(era).await;
        for (label, id) in labels.iter().zip(ids) {
            let mut account = colleague(label, Role::WorkspaceEditor);
            account.id = Some(id.to_owned());
            sandbox.handle().add_account(account);
        }
        let place = json!({"workspace_id": ANALYTICS});
        let question = session.pose(DELETE_TOOL, place).await;
        let choices = question.choices();
        let shown = |id: &str| {
            choices
                .iter()
                .find(|(value, _)| value == id)
                .unwrap()
                .1
                .clone()
        };
        assert_eq!(shown(ids[0]), "'twin', WORKSPACE_EDITOR, …a000001");
        assert_eq!(shown(ids[1]), "'twin', WORKSPACE_EDITOR, …b000001");
        for (number, ending) in [(2, "c000002"), (3, "d000003")] {
            let title = shown(ids[number]);
            assert!(title.starts_with("'a-label-that"), "{title}");
            assert!(
                title.ends_with(&format!("…', WORKSPACE_EDITOR, …{ending}")),
                "{title}"
            );
            assert_eq!(title.chars().count(), 48, "{title}");
        }
        assert_eq!(shown(CI_DEPLOY), "'ci-deploy', WORKSPACE_EDITOR");
        let chosen = question.accept(ids[1]);
        let question = session.follow_up(question, chosen).await;
        assert_says(
            question.message(),
            &["'twin'", "id 'ckbb000001'", "created '"],
        );
        let yes = question.accept(true);
        session.answer(question, yes).await.structured();
        assert!(exists(&sandbox.handle(), ids[0]));
        assert!(!exists(&sandbox.handle(), ids[1]));
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
        let gone = session.select(question, NOTEBOOKS).await;
        assert_eq!(gone.account()["id"], NOTEBOOKS);
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
            assert_says(outcome.text(), &["not one of the choices"]);
        }
        for answer in [
            json!({"action": "decline"}),
            json!({"action": "cancel"}),
            json!({"action": "accept"}),
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
        assert_eq!(question.choices().len(), 101);
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

/// From now on the list of Analytics is this one, with errors beside it.
fn lists(sandbox: &Sandbox, rows: Value, errors: Value) {
    let body = json!({"data": {LIST: rows}, "errors": errors}).to_string();
    let listed = answer(200, "application/json", body, false);
    sandbox.handle().inject(listed, On::Field(LIST), 9);
}

#[tokio::test]
async fn a_workspace_whose_list_came_with_an_error_is_not_called_empty() {
    for era in Era::BOTH {
        let (sandbox, mut session) = start(era).await;
        lists(&sandbox, json!([]), json!([{"message": "broken"}]));
        let refused = session
            .call(DELETE_TOOL, json!({"workspace_id": ANALYTICS}))
            .await;
        assert_says(
            refused.refusal("api_error"),
            &[ANALYTICS, "not everything could be read", "may still exist"],
        );
        assert_eq!(refused.error()["workspace_id"], ANALYTICS);
    }
}

#[tokio::test]
async fn a_choice_from_a_list_that_was_read_in_part_says_so() {
    let account = |id: &str| json!({"id": id, "label": id, "roleBindings": []});
    let rows = json!([account("one"), null, account("two")]);
    let unread = ["1 account", "may still exist"];
    for era in Era::BOTH {
        let (sandbox, mut session) = start(era).await;
        let errors = json!([{"message": "broken", "path": [LIST, 1]}]);
        lists(&sandbox, rows.clone(), errors.clone());
        let place = json!({"workspace_id": ANALYTICS});
        let question = session.pose(DELETE_TOOL, place.clone()).await;
        assert_says(question.message(), &unread);
        assert_eq!(question.choices().len(), 3);
        let mut unasked = guarded(&sandbox, Persona::WorkspaceAdmin).serve(era).await;
        lists(&sandbox, rows.clone(), errors);
        let refused = unasked.call(DELETE_TOOL, place).await;
        let text = refused.refusal("invalid_arguments");
        assert_says(text, &["'one'", "'two'"]);
        assert_says(text, &unread);
    }
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
                .call(DELETE_TOOL, deletion_of(CI_DEPLOY))
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
            session.pose(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
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
        "arguments": deletion_of(CI_DEPLOY),
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
        let refused = session.call(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
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
        // The words of a question would have taken another one.
        assert_eq!(sandbox.handle().requests().len(), 1);
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
        let question = session.pose(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
        assert!(!question.message().contains("whole installation"));
        let yes = question.accept(true);
        session.answer(question, yes).await.structured();
        let question = session
            .pose(DELETE_TOOL, json!({"workspace_id": ANALYTICS}))
            .await;
        session.select(question, MIGRATION).await.structured();
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
            .call(DELETE_TOOL, deletion_of(CI_DEPLOY))
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
            let question = session.pose(DELETE_TOOL, deletion_of(&id)).await;
            assert_says(question.message(), &["this server itself uses"]);
            if era == Era::Stateless {
                assert_eq!(question.key, Some(format!("delete_own_key:{id}")));
            }
            let outcome = session.answer(question, json!({"action": "decline"})).await;
            assert_declined(&sandbox, &outcome);
            let question = session.pose(DELETE_TOOL, deletion_of(&id)).await;
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
            let refused = session.call(DELETE_TOOL, deletion_of(&id)).await;
            let text = refused.refusal("confirmation_required");
            assert_says(text, &["this server itself uses"]);
            assert!(!text.contains(&key));
            assert_eq!(mutations(&sandbox.handle()), 0);
            if confirm != "always" {
                session
                    .call(DELETE_TOOL, deletion_of(MIGRATION))
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
    let question = session.pose(DELETE_TOOL, deletion_of(TERRAFORM)).await;
    let yes = question.accept(true);
    let outcome = session
        .answer_as(&format!("delete:{TERRAFORM}"), question, yes)
        .await;
    assert_declined(&sandbox, &outcome);
}

#[tokio::test]
async fn the_question_after_a_selection_says_whether_the_account_is_the_servers_own() {
    for era in Era::BOTH {
        let sandbox = Sandbox::start(0).await.unwrap();
        let key = truth(&sandbox.handle(), "terraform").key;
        let program = guarded_with(&sandbox, &key).capable(can_ask());
        let mut session = program.serve(era).await;
        for id in [TERRAFORM, MIGRATION] {
            let question = selected(&mut session, id).await;
            let says = question.message().contains("this server itself uses");
            assert_eq!(says, id == TERRAFORM, "{}", question.message());
            session.answer(question, json!({"action": "decline"})).await;
        }
    }
}

#[tokio::test]
async fn nothing_is_asked_about_what_would_be_refused_anyway() {
    for era in Era::BOTH {
        let (sandbox, mut session) = start(era).await;
        session
            .call(DELETE_TOOL, deletion_of(NOTEBOOKS))
            .await
            .refusal("not_found");
        session
            .call(DELETE_TOOL, deletion_of(NOTHING))
            .await
            .refusal("not_found");
        session
            .call(DELETE_TOOL, json!({"service_account_id": BOOTSTRAP}))
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
        let question = session.pose(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
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
        let question = session.pose(DELETE_TOOL, deletion_of(&evil.id)).await;
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
        let gone = session.select(question, &evil.id).await;
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
        let question = session.pose(DELETE_TOOL, deletion_of(&evil.id)).await;
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
        for arguments in [deletion_of(CI_DEPLOY), json!({"workspace_id": ANALYTICS})] {
            let question = session.pose(DELETE_TOOL, arguments).await;
            let free_text = question.field()["type"] == "string"
                && question.field().get("enum").is_none()
                && question.field().get("oneOf").is_none();
            assert!(!free_text, "{}", question.params);
            session.answer(question, json!({"action": "decline"})).await;
        }
    }
}
