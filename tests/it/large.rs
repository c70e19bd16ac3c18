//! Answers that are large or of a strange shape take bounded memory and hold nobody else up.

use std::time::Duration;

use apc_sandbox::Sandbox;
use serde_json::json;

use crate::support::clients::*;
use crate::support::harness::*;
use crate::support::standin::*;

/// The most memory that the server may have had at any time, in KiB, the answer included.
const MEMORY_MAX: u64 = 120 * 1024;

/// A session with a server whose API answers a list with these rows between the brackets.
async fn answered_with(rows: String) -> (Sandbox, StandIn, Session) {
    let sandbox = Sandbox::start(0).await.unwrap();
    let before = StandIn::before(&sandbox).await;
    let body = format!("{{\"data\":{{\"{LIST}\":[{rows}]}}}}");
    let answer = answer_of(OK_JSON, body.as_bytes());
    before.arm(LIST, Play::Bytes(answer), false, 0);
    let program = guarded(&sandbox, apc_sandbox::Persona::WorkspaceAdmin)
        .env("APC_API_URL", before.url())
        .env("APC_TIMEOUT", "300");
    let session = program.serve(Era::USUAL).await;
    (sandbox, before, session)
}

fn repeated(row: &str, bytes: usize) -> String {
    let mut rows = format!("{row},").repeat(bytes / (row.len() + 1));
    rows.pop();
    rows
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_answer_of_any_shape_takes_bounded_memory() {
    const MEBIBYTES: usize = 1024 * 1024;
    let many_bindings = format!(
        r#"{{"id":"a","label":"b","roleBindings":[{}]}}"#,
        repeated("null", 9 * MEBIBYTES)
    );
    for (rows, code) in [
        (repeated("null", 12 * MEBIBYTES), "incompatible_api"),
        (repeated("{}", 4 * MEBIBYTES), "incompatible_api"),
        (many_bindings, ""),
    ] {
        let (_sandbox, _before, mut session) = answered_with(rows).await;
        let id = session
            .send_call(GET_TOOL, json!({"workspace_id": ANALYTICS}))
            .await;
        let found = session.outcome(GET_TOOL, id).await;
        assert_eq!(found.code(), code);
        let peak = memory_peak(session.id());
        assert!(peak < MEMORY_MAX, "{peak} KiB for {}", found.result);
    }
}

/// The smaller one is read where other requests are answered as well, the larger one is first looked through elsewhere.
#[tokio::test]
async fn other_requests_are_answered_while_a_large_answer_is_read() {
    for mebibytes in [3, 5] {
        let rows = repeated("null", mebibytes * 1024 * 1024);
        let (_sandbox, before, mut session) = answered_with(rows).await;
        let call = session
            .send_call(GET_TOOL, json!({"workspace_id": ANALYTICS}))
            .await;
        let mut meanwhile = 0;
        while !session.has_reply(call) {
            let sent = before.delivered();
            session.exchange("ping", json!({})).await;
            meanwhile += sent;
        }
        assert!(meanwhile > 100, "{meanwhile}");
        session
            .outcome(GET_TOOL, call)
            .await
            .refusal("incompatible_api");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_signal_ends_the_server_while_a_large_answer_is_read() {
    for mebibytes in [3, 12] {
        let rows = repeated("null", mebibytes * 1024 * 1024);
        let (_sandbox, before, mut session) = answered_with(rows).await;
        let in_analytics = json!({"workspace_id": ANALYTICS});
        session.send_call(GET_TOOL, in_analytics).await;
        until("it is asked for", || before.seen(LIST) == 1).await;
        session.signal(rustix::process::Signal::TERM);
        let (status, time) = timed(session.exit()).await;
        assert!(status.success(), "{status}");
        assert!(time < Duration::from_secs(10), "{time:?}");
    }
}
