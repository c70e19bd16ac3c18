//! Lost answers: found again where the change was made, told as unknown where it is not certain.

use std::fs;
use std::time::Duration;

use apc_sandbox::{AccountSnapshot, Fault, Handle, NewAccount, On, Persona, Role, Sandbox};
use serde_json::json;

use crate::support::clients::*;
use crate::support::harness::*;

/// A server whose requests last a second at most.
async fn start(era: Era) -> (Sandbox, Session) {
    let sandbox = Sandbox::start(0).await.unwrap();
    let program = guarded(&sandbox, Persona::WorkspaceAdmin).env("APC_TIMEOUT", "1");
    let session = program.serve(era).await;
    (sandbox, session)
}

/// Every way in which the work is done and the answer lost.
fn done(field: &str) -> Vec<Fault> {
    vec![
        Fault::DropAfter,
        Fault::HangAfter,
        Fault::TruncateAfter,
        page(502, true),
        page(503, true),
        page(504, true),
        page(500, true),
        page(200, true),
        answer(200, "application/json", "", true),
        answer(200, "application/json", "{\"data\":", true),
        answer(200, "application/json", "{}", true),
        null(field, true),
        page(403, true),
        page(404, true),
        page(408, true),
        page(499, true),
    ]
}

/// An error of the API itself, after it has done its work.
fn error_after() -> Fault {
    Fault::ErrorAfter {
        code: "INTERNAL_SERVER_ERROR".into(),
        message: "Cannot return null for non-nullable field ServiceAccount.entityType.".into(),
    }
}

/// An error of the API itself, and nothing done.
fn error_before(message: &str) -> Fault {
    let error = json!({"message": message, "path": [CREATE], "extensions": {"code": "INTERNAL_SERVER_ERROR"}});
    let body = json!({"errors": [error], "data": {CREATE: null}});
    answer(200, "application/json", body.to_string(), false)
}

/// Creates an account, and has a colleague make one while the request is under way.
async fn create_beside(
    session: &mut Session,
    handle: &Handle,
    fault: Fault,
    colleagues: NewAccount,
) -> (AccountSnapshot, Outcome) {
    let before = mutations(handle);
    handle.inject(fault, On::Field(CREATE), 1);
    let call = session.send_call(CREATE_TOOL, new("etl")).await;
    until("the creation arrives", || mutations(handle) > before).await;
    let theirs = handle.add_account(colleagues);
    (theirs, session.outcome(CREATE_TOOL, call).await)
}

/// Every way in which nothing is done and nobody says so.
fn undone(field: &str) -> Vec<Fault> {
    vec![
        Fault::DropBefore,
        Fault::Hang,
        page(502, false),
        page(200, false),
        page(403, false),
        page(400, false),
        null(field, false),
    ]
}

/// One look before the mutation, one mutation, and after it at most two looks.
#[track_caller]
fn assert_looked_at_most_twice(handle: &Handle, mutation: &str) {
    let requests = handle.requests();
    assert_eq!(mutations(handle), 1);
    let at = requests
        .iter()
        .position(|request| request.operation == [mutation])
        .unwrap();
    let looks = requests[at + 1..]
        .iter()
        .filter(|request| request.operation == [LIST])
        .count();
    assert!((1..=2).contains(&looks), "{looks} looks");
    assert_eq!(requests.len(), at + 1 + looks, "something else was asked");
}

/// A creation that was made: the account, and its key in the file.
#[track_caller]
fn assert_recovered(handle: &Handle, created: &Outcome) {
    assert_eq!(created.structured()["recovered"], true);
    let real = truth(handle, "etl");
    assert_eq!(created.account()["id"], real.id);
    let file = created.structured()["api_key_file"].as_str().unwrap();
    assert_eq!(fs::read_to_string(file).unwrap(), real.key);
    let masked = format!("{}…", &real.key[..6]);
    assert_eq!(created.account()["api_key"], masked);
}

#[track_caller]
fn assert_unknown(session: &Session, outcome: &Outcome) {
    let text = outcome.refusal("outcome_unknown");
    assert_says(text, &["get_service_accounts"]);
    assert_eq!(outcome.error()["workspace_id"], ANALYTICS);
    assert_eq!(kept_in(&key_dir(session)), Vec::<String>::new());
}

#[tokio::test]
async fn a_creation_that_was_made_is_found_with_its_key() {
    for era in Era::BOTH {
        for fault in done(CREATE) {
            let (sandbox, mut session) = start(era).await;
            let handle = sandbox.handle();
            handle.inject(fault.clone(), On::Field(CREATE), 1);
            let asked = json!({"label": "etl", "workspace_id": ANALYTICS, "role": "WORKSPACE_EDITOR", "category": "jobs"});
            let created = session.call(CREATE_TOOL, asked).await;
            assert!(!created.is_error(), "{fault:?}: {}", created.text());
            assert_recovered(&handle, &created);
            assert_eq!(labelled(&handle, "etl").len(), 1);
            assert_looked_at_most_twice(&handle, CREATE);
            session.end_without(&[truth(&handle, "etl").key]).await;
        }
    }
}

#[tokio::test]
async fn a_found_key_is_shown_where_keys_are_shown() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let program = guarded(&sandbox, Persona::WorkspaceAdmin).args(&["--key-output", "show"]);
    let mut session = program.serve(Era::USUAL).await;
    sandbox
        .handle()
        .inject(Fault::DropAfter, On::Field(CREATE), 1);
    let created = session.call(CREATE_TOOL, new("etl")).await;
    assert_eq!(created.structured()["recovered"], true);
    assert_eq!(
        created.account()["api_key"],
        truth(&sandbox.handle(), "etl").key
    );
}

/// Runs the cases at once: each waits a second before it looks again.
async fn each<C, F: Future<Output = ()>>(
    cases: impl IntoIterator<Item = C>,
    case: impl Fn(C) -> F,
) {
    let running: Vec<_> = cases.into_iter().map(case).collect();
    futures_util::future::join_all(running).await;
}

#[tokio::test]
async fn a_creation_that_was_not_made_is_unknown() {
    each(undone(CREATE), async |fault: Fault| {
        let (sandbox, mut session) = start(Era::USUAL).await;
        let handle = sandbox.handle();
        let before = handle.accounts();
        handle.inject(fault.clone(), On::Field(CREATE), 1);
        let refused = session.call(CREATE_TOOL, new("etl")).await;
        assert_eq!(refused.code(), "outcome_unknown", "{fault:?}");
        assert_unknown(&session, &refused);
        assert_says(refused.text(), &["'etl'", ANALYTICS]);
        assert_eq!(handle.accounts(), before);
        assert_looked_at_most_twice(&handle, CREATE);
    })
    .await;
}

#[tokio::test]
async fn a_creation_that_shows_late_is_found_by_the_second_look() {
    let (sandbox, mut session) = start(Era::Stateless).await;
    let handle = sandbox.handle();
    handle.inject(
        Fault::Delay(Duration::from_millis(1500)),
        On::Field(CREATE),
        1,
    );
    let created = session.call(CREATE_TOOL, new("etl")).await;
    assert_recovered(&handle, &created);
    assert_looked_at_most_twice(&handle, CREATE);
}

#[tokio::test]
async fn a_label_that_is_taken_is_seen_before_anything_is_sent() {
    for era in Era::BOTH {
        let (sandbox, mut session) = start(era).await;
        let handle = sandbox.handle();
        let older = handle.add_account(colleague("etl", Role::WorkspaceViewer));
        let refused = session.call(CREATE_TOOL, new("etl")).await;
        let text = refused.refusal("already_exists");
        assert_says(
            text,
            &[&older.id, "WORKSPACE_VIEWER", "Nothing was created"],
        );
        assert_eq!(refused.error()["service_account_id"], older.id);
        assert_eq!(kept_in(&key_dir(&session)), Vec::<String>::new());
        assert_eq!(mutations(&handle), 0);
        assert_eq!(count(&handle, LIST), 1);
        session.end_without(&[older.key]).await;
    }
}

#[tokio::test]
async fn a_creation_costs_one_request_more_than_the_creation_itself() {
    let (sandbox, mut session) = start(Era::USUAL).await;
    session.call(CREATE_TOOL, new("etl")).await.structured();
    let handle = sandbox.handle();
    handle.clear_requests();
    session.call(CREATE_TOOL, new("next")).await.structured();
    let asked: Vec<_> = handle
        .requests()
        .into_iter()
        .flat_map(|request| request.operation)
        .collect();
    assert_eq!(asked, [LIST, CREATE]);
}

#[tokio::test]
async fn an_account_this_server_made_a_moment_ago_is_not_the_new_one() {
    for era in Era::BOTH {
        let (sandbox, mut session) = start(era).await;
        let handle = sandbox.handle();
        session.call(CREATE_TOOL, new("etl")).await.structured();
        handle.inject(Fault::DropAfter, On::Field(CREATE), 1);
        let refused = session.call(CREATE_TOOL, new("etl")).await;
        refused.refusal("already_exists");
        assert_eq!(kept_in(&key_dir(&session)).len(), 1);
        assert_eq!(labelled(&handle, "etl").len(), 1);
        assert_eq!(mutations(&handle), 1);
    }
}

#[tokio::test]
async fn an_account_a_colleague_made_meanwhile_is_not_taken() {
    let mut other_category = colleague("etl", Role::WorkspaceViewer);
    other_category.category = Some("theirs".into());
    let others = [colleague("etl", Role::WorkspaceAdmin), other_category];
    each(others, async |account| {
        let (sandbox, mut session) = start(Era::USUAL).await;
        let handle = sandbox.handle();
        let (theirs, refused) = create_beside(&mut session, &handle, Fault::Hang, account).await;
        assert_unknown(&session, &refused);
        assert_says(refused.text(), &[&theirs.id, "another role or category"]);
        assert_eq!(refused.error()["service_account_id"], theirs.id);
        session.end_without(&[theirs.key]).await;
    })
    .await;
}

#[tokio::test]
async fn an_account_whose_key_file_is_there_belongs_to_another_process() {
    let (sandbox, mut session) = start(Era::USUAL).await;
    let handle = sandbox.handle();
    let id = "cmf3theirs000000000000000";
    let directory = key_dir(&session);
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join(format!("{id}.key")), "theirs").unwrap();
    let mut same = colleague("etl", Role::WorkspaceViewer);
    same.id = Some(id.to_owned());
    let (_, refused) = create_beside(&mut session, &handle, Fault::Hang, same).await;
    assert_says(
        refused.refusal("outcome_unknown"),
        &["does not show it", "safe to create it again"],
    );
    assert_eq!(kept_in(&directory), [format!("{id}.key")]);
}

#[tokio::test]
async fn nothing_is_adopted_after_an_answer_that_is_an_error() {
    let (sandbox, mut session) = start(Era::USUAL).await;
    let handle = sandbox.handle();
    handle.inject(error_after(), On::Field(CREATE), 1);
    let refused = session.call(CREATE_TOOL, new("etl")).await;
    let real = truth(&handle, "etl");
    assert_unknown(&session, &refused);
    assert_eq!(refused.error()["service_account_id"], real.id);
    assert_says(refused.text(), &[&real.id, "Nobody here holds its key"]);
    assert_looked_at_most_twice(&handle, CREATE);
    session.end_without(&[real.key]).await;
}

#[tokio::test]
async fn an_error_after_which_the_label_is_not_there_created_nothing() {
    for message in [
        "Cannot read property 'workspace' of null",
        "\nInvalid `prisma.serviceAccount.create()` invocation:\n\n  many\n  lines\n\nAn operation failed. No record was found.",
    ] {
        let (sandbox, mut session) = start(Era::USUAL).await;
        let handle = sandbox.handle();
        handle.inject(error_before(message), On::Field(CREATE), 1);
        let refused = session.call(CREATE_TOOL, new("etl")).await;
        let text = refused.refusal("api_error");
        assert_says(text, &["Nothing was created", "another one"]);
        assert!(!text.contains("many"), "{text}");
        assert_eq!(kept_in(&key_dir(&session)), Vec::<String>::new());
        assert_looked_at_most_twice(&handle, CREATE);
    }
}

#[tokio::test]
async fn an_account_of_another_workspace_or_spelling_is_not_taken() {
    let (sandbox, mut session) = start(Era::USUAL).await;
    let handle = sandbox.handle();
    let mut elsewhere = colleague("etl", Role::WorkspaceViewer);
    elsewhere.entity = apc_sandbox::Entity::Workspace(DATA_SCIENCE.into());
    handle.add_account(elsewhere);
    handle.add_account(colleague("ETL", Role::WorkspaceViewer));
    handle.add_account(colleague("etl ", Role::WorkspaceViewer));
    handle.inject(Fault::DropBefore, On::Field(CREATE), 1);
    let refused = session.call(CREATE_TOOL, new("etl")).await;
    assert_unknown(&session, &refused);
}

#[tokio::test]
async fn of_two_accounts_that_may_be_the_new_one_none_is_taken() {
    let (sandbox, mut session) = start(Era::USUAL).await;
    let handle = sandbox.handle();
    handle.set_duplicate_check(false);
    let same = colleague("etl", Role::WorkspaceViewer);
    let (_, refused) = create_beside(&mut session, &handle, Fault::HangAfter, same).await;
    assert_unknown(&session, &refused);
    let both = labelled(&handle, "etl");
    assert_eq!(both.len(), 2);
    for account in &both {
        assert_says(refused.text(), &[&account.id]);
    }
    assert_eq!(
        refused.error()["service_account_ids"]
            .as_array()
            .map(Vec::len),
        Some(2)
    );
    session.end_without(&all_keys(&handle)).await;
}

#[tokio::test]
async fn a_creation_whose_workspace_cannot_be_read_afterwards_is_unknown() {
    let faults = [Fault::DropBefore, page(502, false), Fault::Hang];
    each(faults, async |fault: Fault| {
        let (sandbox, mut session) = start(Era::USUAL).await;
        let handle = sandbox.handle();
        handle.inject(Fault::DropAfter, On::Field(CREATE), 1);
        handle.inject(Fault::Delay(Duration::ZERO), On::Field(LIST), 1);
        handle.inject(fault, On::Field(LIST), 10);
        let refused = session.call(CREATE_TOOL, new("etl")).await;
        assert_unknown(&session, &refused);
        assert_says(refused.text(), &["could not be read"]);
        assert_looked_at_most_twice(&handle, CREATE);
    })
    .await;
}

#[tokio::test]
async fn a_look_that_fails_is_made_up_for_by_the_second() {
    let (sandbox, mut session) = start(Era::USUAL).await;
    let handle = sandbox.handle();
    handle.inject(Fault::DropAfter, On::Field(CREATE), 1);
    handle.inject(Fault::Delay(Duration::ZERO), On::Field(LIST), 1);
    handle.inject(page(502, false), On::Field(LIST), 1);
    let created = session.call(CREATE_TOOL, new("etl")).await;
    assert_recovered(&handle, &created);
}

#[tokio::test]
async fn a_first_look_that_hangs_leaves_its_time_to_the_second() {
    let sandbox = Sandbox::start(0).await.unwrap();
    // With the time of a request that is usual, one look could take up all of it.
    let program = guarded(&sandbox, Persona::WorkspaceAdmin);
    let mut session = program.serve(Era::USUAL).await;
    let handle = sandbox.handle();
    handle.inject(Fault::DropAfter, On::Field(CREATE), 1);
    handle.inject(Fault::Delay(Duration::ZERO), On::Field(LIST), 1);
    handle.inject(Fault::Hang, On::Field(LIST), 1);
    let created = session.call(CREATE_TOOL, new("etl")).await;
    assert_recovered(&handle, &created);
}

#[tokio::test]
async fn on_a_release_that_shows_no_roles_a_lost_creation_is_told_and_not_taken() {
    let (sandbox, mut session) = start(Era::USUAL).await;
    let handle = sandbox.handle();
    handle.lack_field("ServiceAccount.roleBindings");
    handle.inject(Fault::DropAfter, On::Field(CREATE), 1);
    let refused = session.call(CREATE_TOOL, new("etl")).await;
    assert_unknown(&session, &refused);
    let real = truth(&handle, "etl");
    assert_says(
        refused.text(),
        &[&real.id, "its role or category is not shown"],
    );
    session.end_without(&[real.key]).await;
}

#[tokio::test]
async fn on_a_release_without_dates_the_key_of_a_lost_creation_is_masked() {
    let (sandbox, mut session) = start(Era::USUAL).await;
    let handle = sandbox.handle();
    handle.lack_field("ServiceAccount.createdAt");
    session.call(CREATE_TOOL, new("warm-up")).await.structured();
    handle.inject(Fault::DropAfter, On::Field(CREATE), 1);
    let refused = session.call(CREATE_TOOL, new("etl")).await;
    refused.refusal("outcome_unknown");
    assert_eq!(kept_in(&key_dir(&session)).len(), 1);
    session.end_without(&all_keys(&handle)).await;
}

#[tokio::test]
async fn a_clear_no_is_not_looked_after() {
    for era in Era::BOTH {
        let (sandbox, mut session) = start(era).await;
        let handle = sandbox.handle();
        let patience = Fault::Answer {
            status: 429,
            headers: vec![("retry-after".into(), "7".into())],
            body: String::new(),
            executed: false,
        };
        handle.inject(patience, On::Field(CREATE), 1);
        let refused = session.call(CREATE_TOOL, new("etl")).await;
        refused.refusal("rate_limited");
        assert_eq!(refused.error()["retry_after_seconds"], 7);
        handle.inject(page(413, false), On::Field(CREATE), 1);
        session
            .call(CREATE_TOOL, new("etl"))
            .await
            .refusal("api_error");
        assert_eq!(mutations(&handle), 2);
        assert_eq!(count(&handle, LIST), 2, "one look before each");
    }
}

#[tokio::test]
async fn creations_of_one_label_in_parallel_make_one_account() {
    for era in Era::BOTH {
        for checked in [true, false] {
            let (sandbox, mut session) = start(era).await;
            let handle = sandbox.handle();
            handle.set_duplicate_check(checked);
            handle.inject(
                Fault::Delay(Duration::from_millis(200)),
                On::Field(CREATE),
                1,
            );
            let mut calls = Vec::new();
            for _ in 0..5 {
                calls.push(session.send_call(CREATE_TOOL, new("etl")).await);
            }
            let mut made = 0;
            for call in calls {
                let outcome = session.outcome(CREATE_TOOL, call).await;
                if outcome.is_error() {
                    outcome.refusal("already_exists");
                    let real = truth(&handle, "etl");
                    assert_eq!(outcome.error()["service_account_id"], real.id);
                } else {
                    made += 1;
                }
            }
            assert_eq!(made, 1, "{era:?} {checked}");
            assert_eq!(labelled(&handle, "etl").len(), 1);
            assert_eq!(kept_in(&key_dir(&session)).len(), 1);
        }
    }
}

#[tokio::test]
async fn parallel_creations_keep_their_turn_when_the_first_answer_is_lost() {
    let (sandbox, mut session) = start(Era::USUAL).await;
    let handle = sandbox.handle();
    handle.set_duplicate_check(false);
    handle.inject(Fault::DropAfter, On::Field(CREATE), 1);
    let first = session.send_call(CREATE_TOOL, new("etl")).await;
    let second = session.send_call(CREATE_TOOL, new("etl")).await;
    let first = session.outcome(CREATE_TOOL, first).await;
    assert_recovered(&handle, &first);
    let second = session.outcome(CREATE_TOOL, second).await;
    second.refusal("already_exists");
    assert_eq!(labelled(&handle, "etl").len(), 1);
    assert_eq!(count(&handle, CREATE), 1);
}

#[tokio::test]
async fn a_second_creation_waits_although_the_first_was_cancelled() {
    let (sandbox, mut session) = start(Era::USUAL).await;
    let handle = sandbox.handle();
    handle.set_duplicate_check(false);
    handle.inject(
        Fault::Delay(Duration::from_millis(400)),
        On::Field(CREATE),
        1,
    );
    let first = session.send_call(CREATE_TOOL, new("etl")).await;
    until("the creation arrives", || mutations(&handle) == 1).await;
    session.cancel(first).await;
    session
        .call(CREATE_TOOL, new("etl"))
        .await
        .refusal("already_exists");
    assert_eq!(labelled(&handle, "etl").len(), 1);
}

#[tokio::test]
async fn a_deletion_that_was_made_is_found_out() {
    for era in Era::BOTH {
        for fault in done(DELETE) {
            let (sandbox, mut session) = start(era).await;
            let handle = sandbox.handle();
            handle.inject(fault.clone(), On::Field(DELETE), 1);
            let gone = session.call(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
            assert!(!gone.is_error(), "{fault:?}: {}", gone.text());
            assert_eq!(gone.structured()["recovered"], true, "{fault:?}");
            assert_eq!(gone.account()["label"], "ci-deploy");
            assert!(!exists(&handle, CI_DEPLOY));
            assert_looked_at_most_twice(&handle, DELETE);
        }
    }
}

#[tokio::test]
async fn a_deletion_that_was_not_made_is_unknown() {
    each(undone(DELETE), async |fault: Fault| {
        let (sandbox, mut session) = start(Era::Stateless).await;
        let handle = sandbox.handle();
        let before = handle.accounts();
        handle.inject(fault.clone(), On::Field(DELETE), 1);
        let refused = session.call(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
        assert_eq!(refused.code(), "outcome_unknown", "{fault:?}");
        assert_unknown(&session, &refused);
        assert_eq!(refused.error()["service_account_id"], CI_DEPLOY);
        assert_says(refused.text(), &["still listed"]);
        assert_eq!(handle.accounts(), before);
        assert_looked_at_most_twice(&handle, DELETE);
    })
    .await;
}

#[tokio::test]
async fn a_deletion_of_the_only_account_is_found_out_as_well() {
    let (sandbox, mut session) = start(Era::USUAL).await;
    let handle = sandbox.handle();
    for account in handle.accounts() {
        if account.id != CI_DEPLOY {
            handle.remove_account(&account.id);
        }
    }
    handle.inject(Fault::DropAfter, On::Field(DELETE), 1);
    let gone = session.call(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
    assert_eq!(gone.structured()["recovered"], true);
}

#[tokio::test]
async fn a_deletion_whose_workspace_cannot_be_read_afterwards_is_unknown() {
    let faults = [Fault::DropBefore, null(LIST, false)];
    each(faults, async |fault: Fault| {
        let (sandbox, mut session) = start(Era::USUAL).await;
        let handle = sandbox.handle();
        handle.inject(Fault::Delay(Duration::ZERO), On::Field(LIST), 1);
        handle.inject(fault, On::Field(LIST), 10);
        handle.inject(Fault::DropAfter, On::Field(DELETE), 1);
        let refused = session.call(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
        assert_unknown(&session, &refused);
        assert_says(refused.text(), &["could not be read"]);
        assert_looked_at_most_twice(&handle, DELETE);
    })
    .await;
}

#[tokio::test]
async fn a_list_that_is_refused_afterwards_does_not_prove_a_deletion() {
    let (sandbox, mut session) = start(Era::USUAL).await;
    let handle = sandbox.handle();
    let refusal = json!({
        "errors": [{"message": "You do not have the appropriate permissions for that", "extensions": {"code": "FORBIDDEN"}}],
        "data": {LIST: null},
    });
    handle.inject(Fault::Delay(Duration::ZERO), On::Field(LIST), 1);
    handle.inject(
        answer(200, "application/json", refusal.to_string(), false),
        On::Field(LIST),
        10,
    );
    handle.inject(Fault::DropBefore, On::Field(DELETE), 1);
    let refused = session.call(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
    assert_unknown(&session, &refused);
    assert!(exists(&handle, CI_DEPLOY));
    assert_eq!(mutations(&handle), 1);
}

#[tokio::test]
async fn beside_a_colleagues_account_of_another_role_the_one_that_was_asked_for_is_found() {
    let (sandbox, mut session) = start(Era::USUAL).await;
    let handle = sandbox.handle();
    handle.set_duplicate_check(false);
    let other = colleague("etl", Role::WorkspaceAdmin);
    let (theirs, created) = create_beside(&mut session, &handle, Fault::HangAfter, other).await;
    assert_eq!(created.structured()["recovered"], true);
    let mut ours = labelled(&handle, "etl");
    ours.retain(|account| account.id != theirs.id);
    assert_eq!(created.account()["id"], ours[0].id);
    let file = created.structured()["api_key_file"].as_str().unwrap();
    assert_eq!(fs::read_to_string(file).unwrap(), ours[0].key);
}

#[tokio::test]
async fn a_deletion_that_the_api_answered_with_an_error_is_found_out() {
    let (sandbox, mut session) = start(Era::USUAL).await;
    let handle = sandbox.handle();
    handle.inject(error_after(), On::Field(DELETE), 1);
    let gone = session.call(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
    assert_eq!(gone.structured()["recovered"], true);
    assert!(!exists(&handle, CI_DEPLOY));

    handle.inject(error_before("Some trouble"), On::Field(DELETE), 1);
    let refused = session.call(DELETE_TOOL, deletion_of(MIGRATION)).await;
    assert_says(
        refused.refusal("api_error"),
        &["Some trouble", "Nothing was deleted", "still listed"],
    );
    assert!(exists(&handle, MIGRATION));
}
