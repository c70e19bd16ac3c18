//! Many requests at once, answers that nobody reads, and no request at all.

use std::time::Duration;

use apc_sandbox::{Fault, On, Persona, Sandbox};
use serde_json::json;

use crate::support::harness::*;
use crate::support::standin::StandIn;

const TOOL: &str = "get_service_accounts";

/// The most requests to the API that are under way at once.
const AT_ONCE: usize = 64;

#[tokio::test]
async fn a_thousand_calls_in_flight_are_all_answered_with_64_upstream_at_once() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let standin = StandIn::before(&sandbox).await;
    let mut session = Program::at(&sandbox, Persona::WorkspaceAdmin)
        .env("APC_API_URL", standin.url())
        .serve(Era::USUAL)
        .await;
    // Slow enough that as many as may go at once do.
    let slow = Fault::Delay(Duration::from_millis(100));
    sandbox.handle().inject(slow, On::Field(LIST), 200);
    let mut peaks = Vec::new();
    for _ in 0..2 {
        let mut sent = Vec::new();
        for _ in 0..1000 {
            let one = json!({"workspace_id": ANALYTICS});
            sent.push(session.send_call(TOOL, one).await);
        }
        for id in sent {
            let found = session.outcome(TOOL, id).await;
            assert_eq!(found.structured()["total"], 4);
        }
        peaks.push(memory_peak(session.id()));
    }
    assert_eq!(standin.most_busy(), AT_ONCE);
    assert!(peaks[1] < 100 * 1024, "{peaks:?} KiB");
    assert!(peaks[1] < peaks[0] + peaks[0] / 4, "{peaks:?} KiB");
    assert!(session.close_stdin_and_wait().await.success());
    assert_eq!(session.stderr().await, "");
}

/// More requests than may be in flight and than the pipes hold.
const TOO_MANY: u64 = 20_000;

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_client_that_never_reads_is_not_read_without_end_and_loses_no_answer() {
    for line in [
        r#"{"jsonrpc":"2.0","id":ID,"method":"tools/list"}"#,
        r#"{"jsonrpc":"2.0","id":ID,"method":5}"#,
    ] {
        let mut session = Program::bare().serve(Era::USUAL).await;
        let before = memory_peak(session.id());
        let mut sent = 0;
        while sent < TOO_MANY
            && session
                .takes_line(&line.replace("ID", &(sent + 10).to_string()))
                .await
        {
            sent += 1;
        }
        assert!(sent < TOO_MANY, "read without end");
        let grown = memory_peak(session.id()) - before;
        assert!(grown < 30 * 1024, "{grown} KiB");
        // A part of the last line may have been taken, too. The input stays open: at its end the server gives a client
        // only some seconds to read.
        for id in 10..sent + 10 {
            assert_eq!(session.reply(id).await["id"], id);
        }
        session.close_stdin();
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_idle_server_has_one_thread() {
    let mut session = Program::bare().serve(Era::USUAL).await;
    session.list_tools().await;
    let threads = std::fs::read_dir(format!("/proc/{}/task", session.id())).unwrap();
    assert_eq!(threads.count(), 1);
}
