//! Connections to the API: made when first needed, kept between calls, closed by the other side, not read without end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use apc_sandbox::{Fault, On, Persona, Sandbox};
use serde_json::json;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use crate::support::harness::*;
use crate::support::standin::{Idle, Play, StandIn, answer_of};

/// Passes bytes on to a sandbox and counts the connections on the way.
struct Wire {
    url: String,
    connections: Arc<AtomicUsize>,
}

impl Wire {
    async fn to(sandbox: &Sandbox) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        let target = sandbox.url();
        let target = target.trim_start_matches("http://").trim_end_matches("/v1");
        let target = target.to_owned();
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let mut far = TcpStream::connect(&target).await.unwrap();
                tokio::spawn(async move { copy_bidirectional(&mut near, &mut far).await });
            }
        });
        Self { url, connections }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn nothing_connects_before_the_first_call() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let wire = Wire::to(&sandbox).await;
    let mut session = Program::at(&sandbox, Persona::WorkspaceAdmin)
        .env("APC_API_URL", &wire.url)
        .serve(Era::USUAL)
        .await;
    session.list_tools().await;
    session.call("delete_service_account", json!({})).await;
    assert_eq!(wire.connections(), 0);
}

#[tokio::test]
async fn readings_share_a_connection_between_calls() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let wire = Wire::to(&sandbox).await;
    let mut session = Program::at(&sandbox, Persona::WorkspaceAdmin)
        .env("APC_API_URL", &wire.url)
        .serve(Era::USUAL)
        .await;
    for _ in 0..10 {
        let one = json!({"workspace_id": ANALYTICS});
        session.call("get_service_accounts", one).await.structured();
    }
    // An idle one is dropped after 5 s, which only a very slow machine gets to see.
    assert!(
        wire.connections() < 10,
        "{} connections",
        wire.connections()
    );
}

#[tokio::test]
async fn an_answer_over_32_mib_is_not_read() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = Session::start(Era::USUAL, &sandbox).await;
    let large = Fault::Answer {
        status: 200,
        headers: vec![("content-type".into(), "application/json".into())],
        body: " ".repeat(32 * 1024 * 1024 + 1),
        executed: false,
    };
    sandbox.handle().inject(large, On::Field(LIST), 1);
    let one = json!({"workspace_id": ANALYTICS});
    let refused = session.call("get_service_accounts", one).await;
    assert_says(refused.refusal("api_error"), &["32 MiB"]);
}

/// A head that names a compression.
const GZIP: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\n";

/// A head that says that there is none.
const IDENTITY: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: identity\r\n";

/// A head of the same kind without it.
const UNNAMED: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";

#[tokio::test]
async fn a_body_that_was_compressed_unasked_is_named_as_that() {
    // The beginning of every gzip file.
    let gzip = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xff".as_slice();
    let brotli = b"\x8b\x02\x80\xff".as_slice();
    let named_brotli = GZIP.replace("gzip", "br");
    for (head, body, says) in [
        (GZIP, gzip, "'gzip'"),
        (UNNAMED, gzip, "'gzip'"),
        (&named_brotli, brotli, "'br'"),
    ] {
        let (sandbox, standin, mut session) = through_a_standin().await;
        standin.arm(LIST, Play::Bytes(answer_of(head, body)), false, 0);
        let one = json!({"workspace_id": ANALYTICS});
        let refused = session.call("get_service_accounts", one).await;
        assert_says(
            refused.refusal("api_error"),
            &["compression", says, "ingress"],
        );
        standin.arm(CREATE, Play::Bytes(answer_of(head, body)), true, 0);
        let new = json!({"label": "etl", "workspace_id": ANALYTICS});
        let created = session.call("create_service_account", new).await;
        assert_eq!(created.structured()["recovered"], true);
        assert_eq!(mutations(&sandbox.handle()), 1);
    }
}

#[tokio::test]
async fn a_body_that_only_claims_to_be_compressed_is_read() {
    let (_sandbox, standin, mut session) = through_a_standin().await;
    for head in [GZIP, IDENTITY] {
        standin.arm(LIST, Play::Head(head), true, 0);
        list(&mut session).await;
    }
}

#[tokio::test]
async fn the_words_of_a_refusal_fit_an_api_that_is_reached_by_its_address() {
    let (_sandbox, standin, mut session) = through_a_standin().await;
    let one = json!({"workspace_id": ANALYTICS});
    let head = "HTTP/1.1 407 Proxy Authentication Required\r\n";
    standin.arm(LIST, Play::Bytes(answer_of(head, b"")), false, 0);
    let refused = session.call("get_service_accounts", one.clone()).await;
    let text = refused.refusal("unreachable");
    assert_says(text, &["407", "used no proxy", "Nothing was changed"]);
    assert!(!text.contains("system's proxy settings"), "{text}");
    let head = "HTTP/1.1 429 Too Many Requests\r\nretry-after: 18446744073709551615\r\n";
    standin.arm(LIST, Play::Bytes(answer_of(head, b"")), false, 0);
    let refused = session.call("get_service_accounts", one.clone()).await;
    assert_says(refused.refusal("rate_limited"), &["Call again in 3600 s"]);
    let head = "HTTP/1.1 401 Unauthorized\r\n";
    standin.arm(LIST, Play::Bytes(answer_of(head, b"")), false, 0);
    let refused = session.call("get_service_accounts", one).await;
    let text = refused.refusal("unauthenticated");
    assert_says(text, &["Set a new token."]);
    assert!(!text.contains("astro login"), "{text}");
}

async fn through_a_standin() -> (Sandbox, StandIn, Session) {
    let sandbox = Sandbox::start(0).await.unwrap();
    let standin = StandIn::before(&sandbox).await;
    let session = Program::at(&sandbox, Persona::WorkspaceAdmin)
        .env("APC_API_URL", standin.url())
        .serve(Era::USUAL)
        .await;
    (sandbox, standin, session)
}

async fn list(session: &mut Session) {
    let one = json!({"workspace_id": ANALYTICS});
    let found = session.call("get_service_accounts", one).await;
    assert!(found.structured()["total"].as_u64() >= Some(4));
}

#[tokio::test]
async fn changes_are_certain_and_reads_recover_however_idle_connections_end() {
    for idle in [Idle::AfterAnswer, Idle::AtNextRequest] {
        let (sandbox, standin, mut session) = through_a_standin().await;
        standin.end_idle(idle);
        for round in 0..5 {
            list(&mut session).await;
            let new = json!({"label": format!("etl-{round}"), "workspace_id": ANALYTICS});
            let created = session.call("create_service_account", new).await;
            assert_eq!(created.structured().get("recovered"), None);
            list(&mut session).await;
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
    let (_sandbox, standin, mut session) = through_a_standin().await;
    list(&mut session).await;
    let before = standin.connections();
    for label in ["a", "b", "c"] {
        let new = json!({"label": label, "workspace_id": ANALYTICS});
        session
            .call("create_service_account", new)
            .await
            .structured();
        list(&mut session).await;
    }
    assert!(standin.connections() >= before + 3);
}

#[tokio::test]
async fn a_read_recovers_where_every_kept_connection_has_gone() {
    let (_sandbox, standin, mut session) = through_a_standin().await;
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
    // Fewer tries than kept connections.
    list(&mut session).await;
    standin.arm(LIST, Play::Reset, true, 0);
    let one = json!({"workspace_id": ANALYTICS});
    let lost = session.call("get_service_accounts", one).await;
    let text = lost.refusal("unreachable");
    assert!(!text.contains("several times"), "{text}");
    standin.disarm();
    list(&mut session).await;
}
