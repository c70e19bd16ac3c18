//! A change outlives its call: the call is cancelled, the input ends, or a signal comes.
//! The audit log and the key directory tell how the change ended.

use std::fs;
use std::time::Duration;

use apc_sandbox::{Fault, On, Sandbox};
use rustix::process::Signal;
use serde_json::json;

use crate::support::clients::*;
use crate::support::harness::*;

/// Long enough to act in, short enough to wait for.
const WHILE: Duration = Duration::from_millis(700);

async fn start(era: Era) -> (Sandbox, Session) {
    let sandbox = Sandbox::start(0).await.unwrap();
    let session = audited(&sandbox).serve(era).await;
    (sandbox, session)
}

/// The creation was done, is audited, and its key kept.
#[track_caller]
fn assert_kept(sandbox: &Sandbox, session: &Session) {
    let real = truth(&sandbox.handle(), "etl");
    let file = key_dir(session).join(format!("{}.key", real.id));
    assert_eq!(fs::read_to_string(file).unwrap(), real.key);
    assert_eq!(kept_in(&key_dir(session)).len(), 1);
    let lines = audit(session);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0]["outcome"], "ok");
    assert_eq!(lines[0]["service_account_id"], real.id);
    assert_eq!(mutations(&sandbox.handle()), 1);
}

/// The change is undecided, is audited so, and nothing unpublished is left.
#[track_caller]
fn assert_undecided(session: &Session) {
    let lines = audit(session);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0]["outcome"], "outcome_unknown");
    assert_eq!(kept_in(&key_dir(session)), Vec::<String>::new());
}

async fn creation_under_way(sandbox: &Sandbox, session: &mut Session, fault: Fault) -> u64 {
    sandbox.handle().inject(fault, On::Field(CREATE), 1);
    let call = session.send_call(CREATE_TOOL, new("etl")).await;
    until("the creation arrives", || mutations(&sandbox.handle()) == 1).await;
    call
}

#[tokio::test]
async fn a_creation_whose_call_is_cancelled_is_finished() {
    for era in Era::BOTH {
        let (sandbox, mut session) = start(era).await;
        let call = creation_under_way(&sandbox, &mut session, Fault::Delay(WHILE)).await;
        session.cancel(call).await;
        until("it is audited", || !audit(&session).is_empty()).await;
        assert_kept(&sandbox, &session);
        session.close_stdin_and_wait().await;
        assert!(!session.has_reply(call), "nobody waits for it");
        assert_kept(&sandbox, &session);
    }
}

#[tokio::test]
async fn a_creation_whose_call_is_cancelled_is_found_again_when_its_answer_is_lost() {
    let (sandbox, mut session) = start(Era::USUAL).await;
    sandbox
        .handle()
        .inject(Fault::Delay(WHILE), On::Field(LIST), 1);
    let call = creation_under_way(&sandbox, &mut session, Fault::DropAfter).await;
    session.cancel(call).await;
    until("it is audited", || !audit(&session).is_empty()).await;
    assert_kept(&sandbox, &session);
}

#[tokio::test]
async fn a_deletion_whose_call_is_cancelled_is_audited() {
    for era in Era::BOTH {
        let (sandbox, mut session) = start(era).await;
        sandbox
            .handle()
            .inject(Fault::Delay(WHILE), On::Field(DELETE), 1);
        let call = session.send_call(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
        until("the deletion arrives", || mutations(&sandbox.handle()) == 1).await;
        session.cancel(call).await;
        until("it is audited", || !audit(&session).is_empty()).await;
        assert_eq!(audit(&session)[0]["outcome"], "ok");
        assert!(!exists(&sandbox.handle(), CI_DEPLOY));
    }
}

#[tokio::test]
async fn a_change_whose_call_is_cancelled_while_it_looks_is_audited_as_cancelled() {
    for (tool, arguments) in [
        (CREATE_TOOL, new("etl")),
        (DELETE_TOOL, deletion_of(CI_DEPLOY)),
    ] {
        for era in Era::BOTH {
            let (sandbox, mut session) = start(era).await;
            let slow = Fault::Delay(Duration::from_secs(30));
            sandbox.handle().inject(slow, On::Field(LIST), 1);
            let call = session.send_call(tool, arguments.clone()).await;
            until("it looks", || count(&sandbox.handle(), LIST) == 1).await;
            session.cancel(call).await;
            until("it is audited", || !audit(&session).is_empty()).await;
            session.close_stdin_and_wait().await;
            let lines = audit(&session);
            assert_eq!(lines.len(), 1, "{lines:?}");
            assert_eq!(lines[0]["outcome"], "cancelled");
            assert_eq!(lines[0]["tool"], tool);
            assert_eq!(lines[0]["workspace_id"], ANALYTICS);
            assert_eq!(mutations(&sandbox.handle()), 0);
            assert_eq!(kept_in(&key_dir(&session)), Vec::<String>::new());
        }
    }
}

#[tokio::test]
async fn a_deletion_whose_call_is_cancelled_while_its_question_is_open_is_audited_as_cancelled() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let program = audited(&sandbox).capable(can_ask());
    let mut session = program.serve(Era::USUAL).await;
    let question = session.pose(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
    session.cancel(question.call).await;
    until("it is audited", || !audit(&session).is_empty()).await;
    assert_eq!(audit(&session)[0]["outcome"], "cancelled");
    assert_eq!(audit(&session)[0]["service_account_id"], CI_DEPLOY);
    assert_eq!(mutations(&sandbox.handle()), 0);
}

#[tokio::test]
async fn a_creation_under_way_at_the_end_of_input_is_finished() {
    for era in Era::BOTH {
        let (sandbox, mut session) = start(era).await;
        let call = creation_under_way(&sandbox, &mut session, Fault::Delay(2 * WHILE)).await;
        assert!(session.close_stdin_and_wait().await.success());
        assert_kept(&sandbox, &session);
        assert!(session.has_reply(call));
    }
}

#[tokio::test]
async fn a_creation_whose_call_is_cancelled_is_finished_at_the_end_of_input() {
    let (sandbox, mut session) = start(Era::USUAL).await;
    let call = creation_under_way(&sandbox, &mut session, Fault::Delay(2 * WHILE)).await;
    session.cancel(call).await;
    assert!(session.close_stdin_and_wait().await.success());
    assert_kept(&sandbox, &session);
}

#[tokio::test]
async fn a_change_that_hangs_at_the_end_of_input_is_given_up_after_5_seconds() {
    let (sandbox, mut session) = start(Era::USUAL).await;
    creation_under_way(&sandbox, &mut session, Fault::HangAfter).await;
    let (status, time) = timed(session.close_stdin_and_wait()).await;
    assert!(status.success());
    assert!(time >= Duration::from_secs(5), "{time:?}");
    assert_undecided(&session);
    assert_eq!(session.stderr().await.lines().count(), 1);
}

#[tokio::test]
async fn a_change_that_hangs_at_a_signal_is_given_up_within_two_seconds() {
    for signal in [Signal::TERM, Signal::INT] {
        for era in Era::BOTH {
            let (sandbox, mut session) = start(era).await;
            let call = creation_under_way(&sandbox, &mut session, Fault::HangAfter).await;
            assert!(kept_in(&key_dir(&session))[0].starts_with(".pending-"));
            session.signal(signal);
            session.wait().await;
            assert_undecided(&session);
            if session.has_reply(call) {
                let outcome = session.outcome(CREATE_TOOL, call).await;
                outcome.refusal("outcome_unknown");
            }
            let stderr = session.stderr().await;
            assert_eq!(stderr.lines().count(), 1, "{stderr}");
        }
    }
}

#[tokio::test]
async fn a_change_that_ends_soon_after_a_signal_is_finished() {
    for era in Era::BOTH {
        let (sandbox, mut session) = start(era).await;
        creation_under_way(&sandbox, &mut session, Fault::Delay(WHILE)).await;
        session.signal(Signal::TERM);
        assert!(session.wait().await.success());
        assert_kept(&sandbox, &session);
        assert_eq!(session.stderr().await, "");
    }
}

#[tokio::test]
async fn a_deletion_that_hangs_at_a_signal_is_audited_as_unknown() {
    let (sandbox, mut session) = start(Era::USUAL).await;
    sandbox.handle().inject(Fault::Hang, On::Field(DELETE), 1);
    session.send_call(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
    until("the deletion arrives", || mutations(&sandbox.handle()) == 1).await;
    session.signal(Signal::TERM);
    session.wait().await;
    let lines = audit(&session);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0]["outcome"], "outcome_unknown");
    assert_eq!(lines[0]["service_account_id"], CI_DEPLOY);
}

#[tokio::test]
async fn a_signal_ends_an_open_question() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = asking(&sandbox).serve(Era::USUAL).await;
    session.pose(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
    session.signal(Signal::TERM);
    session.wait().await;
    assert!(exists(&sandbox.handle(), CI_DEPLOY));
    assert_eq!(mutations(&sandbox.handle()), 0);
}

#[tokio::test]
async fn a_signal_ends_an_idle_server_at_once() {
    let (_sandbox, mut session) = start(Era::USUAL).await;
    session.call(GET_TOOL, json!({})).await.structured();
    session.signal(Signal::TERM);
    assert!(session.wait().await.success());
    assert_eq!(session.stderr().await, "");
}
