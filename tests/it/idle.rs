//! Connections that the other side has closed while they were idle: changes stay certain, and reads
//! recover.

use apc_sandbox::{Persona, Sandbox};
use serde_json::json;

use crate::harness::*;
use crate::standin::{Idle, Play, StandIn};

async fn start() -> (Sandbox, StandIn, Session) {
    let sandbox = Sandbox::start(0).await.unwrap();
    let standin = StandIn::before(&sandbox).await;
    let session = Program::at(&sandbox, Persona::WorkspaceAdmin)
        .env("APC_API_URL", standin.url())
        .serve(Era::USUAL)
        .await;
    (sandbox, standin, session)
}

async fn read(session: &mut Session) {
    let one = json!({"workspace_id": ANALYTICS});
    let found = session.call("get_service_accounts", one).await;
    assert!(found.structured()["total"].as_u64() >= Some(4));
}

#[tokio::test]
async fn changes_are_certain_and_reads_recover_however_idle_connections_end() {
    for idle in [Idle::AfterAnswer, Idle::AtNextRequest] {
        let (sandbox, standin, mut session) = start().await;
        standin.end_idle(idle);
        for round in 0..5 {
            read(&mut session).await;
            let new = json!({"label": format!("etl-{round}"), "workspace_id": ANALYTICS});
            let created = session.call("create_service_account", new).await;
            assert_eq!(created.structured().get("recovered"), None);
            read(&mut session).await;
            let one =
                json!({"service_account_id": created.account()["id"], "workspace_id": ANALYTICS});
            let deleted = session.call("delete_service_account", one).await;
            assert_eq!(deleted.structured().get("recovered"), None);
        }
        assert_eq!(mutations(&sandbox.handle()), 10);
    }
}

#[tokio::test]
async fn a_change_never_takes_a_connection_that_something_else_has_used() {
    let (_sandbox, standin, mut session) = start().await;
    read(&mut session).await;
    let before = standin.connections();
    for label in ["a", "b", "c"] {
        let new = json!({"label": label, "workspace_id": ANALYTICS});
        session
            .call("create_service_account", new)
            .await
            .structured();
        read(&mut session).await;
    }
    assert!(standin.connections() >= before + 3);
}

#[tokio::test]
async fn a_read_recovers_where_every_kept_connection_has_gone() {
    let (_sandbox, standin, mut session) = start().await;
    let mut sent = Vec::new();
    for _ in 0..16 {
        let one = json!({"workspace_id": ANALYTICS});
        sent.push(session.send_call("get_service_accounts", one).await);
    }
    for id in sent {
        session
            .outcome("get_service_accounts", id)
            .await
            .structured();
    }
    assert!(standin.connections() > 3, "too few to try them all");
    standin.end_idle(Idle::AtNextRequest);
    // There are fewer tries than kept connections.
    read(&mut session).await;
    standin.arm(LIST, Play::Reset, true, 0);
    let one = json!({"workspace_id": ANALYTICS});
    let lost = session.call("get_service_accounts", one).await;
    lost.refusal("unreachable");
    standin.disarm();
    read(&mut session).await;
}
