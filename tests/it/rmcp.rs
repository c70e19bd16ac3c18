//! The faults of rmcp that `src/session` works around, each shown on rmcp alone. If a test here fails, rmcp
//! is mended, and the part of `src/session` that its tables name for that fault can go.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ElicitRequestParams,
    ElicitationSchema, ErrorData, ServerCapabilities, ServerConfig,
};
use rmcp::service::{RequestContext, ServerInitializeError};
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::{RoleServer, ServerHandler, serve_server};
use serde_json::{Value, json};
use tokio::io::{
    AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf, duplex,
};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::support::harness::{opening, stateless_meta};

/// The longest line that the transport of these tests reads.
const LINE_MAX: usize = 100_000;

/// Far longer than rmcp waits for anything. The clock is paused and jumps over it.
const LONG: Duration = Duration::from_secs(600);

/// A server with nothing around rmcp. Each tool is named for its behaviour.
#[derive(Clone, Default)]
struct Plain {
    finished: Arc<AtomicUsize>,
}

impl ServerHandler for Plain {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        match &*request.name {
            "panic" => panic!("as asked"),
            "ask" => drop(ask(&context).await),
            name => sleep(Duration::from_millis(name.parse().unwrap())).await,
        }
        self.finished.fetch_add(1, Ordering::SeqCst);
        Ok(CallToolResult::success(vec![ContentBlock::text(&*request.name)]).into())
    }
}

async fn ask(context: &RequestContext<RoleServer>) -> bool {
    let schema = json!({"type": "object", "properties": {}});
    let requested_schema = ElicitationSchema::from_json_schema(schema.as_object().unwrap().clone());
    let question = ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: "Well?".to_owned(),
        requested_schema: requested_schema.unwrap(),
    };
    let answer = context
        .peer
        .create_elicitation_with_timeout(question, Some(LONG));
    answer.await.is_ok()
}

type ServeResult = Result<(), ServerInitializeError>;

/// rmcp's own transport and session, and the client's end of it.
struct Session {
    input: WriteHalf<DuplexStream>,
    output: Lines<BufReader<ReadHalf<DuplexStream>>>,
    served: JoinHandle<ServeResult>,
    finished: Arc<AtomicUsize>,
}

impl Session {
    fn start() -> Self {
        let (near, far) = duplex(1024);
        let (input, output) = tokio::io::split(far);
        let transport = AsyncRwTransport::new_server(input, output).with_max_line_length(LINE_MAX);
        let server = Plain::default();
        let finished = Arc::clone(&server.finished);
        let served = tokio::spawn(async move {
            let session = serve_server(server, transport).await?;
            session.waiting().await.expect("rmcp does not panic");
            Ok(())
        });
        let (output, input) = tokio::io::split(near);
        Self {
            input,
            output: BufReader::new(output).lines(),
            served,
            finished,
        }
    }

    async fn open() -> Self {
        let mut session = Self::start();
        let mut params = opening("2025-11-25");
        params["capabilities"] = json!({"elicitation": {}});
        let reply = session.ask(json!(0), "initialize", params).await;
        assert!(reply["result"].is_object(), "{reply}");
        session
    }

    async fn line(&mut self, line: &str) {
        let line = format!("{line}\n");
        self.input.write_all(line.as_bytes()).await.unwrap();
    }

    async fn send(&mut self, id: Value, method: &str, params: Value) {
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.line(&request.to_string()).await;
    }

    /// Calls a tool, which takes so many milliseconds if its name is a number.
    async fn call(&mut self, id: Value, tool: &str) {
        self.send(id, "tools/call", json!({"name": tool})).await;
    }

    async fn cancel(&mut self, id: Value) {
        let cancelled = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}});
        self.line(&cancelled.to_string()).await;
    }

    /// The next message, or nothing for a long time.
    async fn message(&mut self) -> Option<Value> {
        let line = timeout(LONG, self.output.next_line()).await.ok()?;
        Some(serde_json::from_str(&line.unwrap()?).unwrap())
    }

    async fn ask(&mut self, id: Value, method: &str, params: Value) -> Value {
        self.send(id, method, params).await;
        self.message().await.expect("an answer")
    }

    /// Tells whether nothing is answered before the next request.
    async fn was_silent(&mut self) -> bool {
        let reply = self.ask(json!("next"), "ping", json!({})).await;
        reply["id"] == "next"
    }

    async fn close_input(&mut self) {
        self.input.shutdown().await.unwrap();
    }

    async fn ended(self) -> Option<ServeResult> {
        let served = timeout(LONG, self.served).await.ok()?;
        Some(served.unwrap())
    }
}

// Of the transport.

#[tokio::test(start_paused = true)]
async fn a_notification_before_the_handshake_ends_the_session() {
    let mut session = Session::start();
    session.cancel(json!(1)).await;
    let ended = session.ended().await.unwrap();
    assert!(
        matches!(
            ended,
            Err(ServerInitializeError::ExpectedInitializeRequest(_))
        ),
        "{ended:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn of_two_requests_with_one_id_in_flight_one_is_never_answered() {
    let mut session = Session::open().await;
    session.call(json!(7), "100").await;
    session.call(json!(7), "200").await;
    assert_eq!(session.message().await.unwrap()["id"], 7);
    assert_eq!(session.message().await, None);
    assert_eq!(session.finished.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn the_late_answer_of_a_cancelled_call_passes_for_the_next_of_its_id() {
    let mut session = Session::open().await;
    session.call(json!(7), "100").await;
    session.cancel(json!(7)).await;
    session.call(json!(7), "200").await;
    let answer = session.message().await.unwrap();
    assert_eq!(answer["result"]["content"][0]["text"], "100", "{answer}");
}

#[tokio::test(start_paused = true)]
async fn requests_are_read_without_end_while_nobody_reads_the_answers() {
    let mut session = Session::open().await;
    let all = async {
        for id in 1..20_000 {
            session.send(json!(id), "ping", json!({})).await;
        }
    };
    timeout(LONG, all).await.expect("rmcp reads on");
}

#[tokio::test(start_paused = true)]
async fn an_id_that_rmcp_cannot_represent_is_left_out_of_the_answer() {
    let mut session = Session::open().await;
    for id in ["1.5", "18446744073709551616"] {
        session
            .line(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#))
            .await;
        let answer = session.message().await.unwrap();
        assert_eq!(answer["error"]["code"], -32600);
        assert_eq!(answer.get("id"), None, "{id}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_nests_too_deep_or_holds_half_a_surrogate_pair_is_dropped() {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    for params in [
        format!(r#"{{"a":{deep}}}"#),
        r#"{"a":"\ud800"}"#.to_owned(),
        r#"{"\ud800":1}"#.to_owned(),
    ] {
        let mut session = Session::open().await;
        session
            .line(&format!(
                r#"{{"jsonrpc":"2.0","id":7,"method":"ping","params":{params}}}"#
            ))
            .await;
        assert!(session.was_silent().await, "{params}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_line_that_is_too_long_is_dropped() {
    let mut session = Session::open().await;
    let params = json!({"name": "x".repeat(LINE_MAX)});
    session.send(json!(7), "tools/call", params).await;
    assert!(session.was_silent().await);
}

#[tokio::test(start_paused = true)]
async fn a_last_line_without_a_line_feed_is_dropped() {
    let mut session = Session::open().await;
    let ping = r#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#;
    session.input.write_all(ping.as_bytes()).await.unwrap();
    session.close_input().await;
    assert_eq!(session.message().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_does_not_parse_is_refused() {
    for params in [
        json!({"protocolVersion": "2025-11-25", "capabilities": {}}),
        json!({"protocolVersion": "2025-11-25", "capabilities": {"roots": true}, "clientInfo": {"name": "x", "version": "1"}}),
        json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x", "version": "1", "icons": "x"}}),
    ] {
        let mut session = Session::start();
        let reply = session.ask(json!(0), "initialize", params).await;
        let message = reply["error"]["message"].as_str().unwrap();
        assert!(message.contains("_meta"), "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_empty_list_in_the_place_of_an_object_makes_a_request_invalid() {
    let mut session = Session::open().await;
    for params in [json!([]), json!({"_meta": []})] {
        let reply = session.ask(json!(7), "tools/list", params).await;
        assert_eq!(reply["error"]["code"], -32600, "{reply}");
    }
    let call = json!({"name": "1", "arguments": []});
    let reply = session.ask(json!(7), "tools/call", call).await;
    assert_eq!(reply["error"]["code"], -32601, "{reply}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_read_leaves_its_question_open() {
    let mut session = Session::open().await;
    session.call(json!(7), "ask").await;
    let question = session.message().await.unwrap();
    let id = &question["id"];
    let broken = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"action":"\ud800"}}}}"#);
    session.line(&broken).await;
    assert!(session.was_silent().await);
    assert_eq!(session.finished.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn the_refusal_of_a_version_is_three_words() {
    let mut session = Session::start();
    let params = json!({"_meta": stateless_meta("2099-01-01")});
    let reply = session.ask(json!(7), "tools/list", params).await;
    let message = &reply["error"]["message"];
    assert_eq!(message, "Unsupported protocol version");
}

#[tokio::test(start_paused = true)]
async fn the_session_goes_on_after_the_output_is_closed() {
    let (mut input, theirs) = duplex(1024);
    let (output, _) = duplex(1024);
    let server = Plain::default();
    let transport = AsyncRwTransport::new_server(theirs, output);
    let session = rmcp::service::serve_directly(server.clone(), transport, None);
    for id in 1..=3 {
        let params = json!({"name": "1"});
        let call = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params});
        input
            .write_all(format!("{call}\n").as_bytes())
            .await
            .unwrap();
        sleep(LONG).await;
        assert_eq!(server.finished.load(Ordering::SeqCst), id);
    }
    assert!(!session.is_closed());
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_session_waits_for_an_output_that_nobody_reads() {
    let mut session = Session::open().await;
    for id in 1..100 {
        session.send(json!(id), "ping", json!({})).await;
    }
    session.close_input().await;
    assert!(session.ended().await.is_none());
}

// Of the server.

#[tokio::test(start_paused = true)]
async fn a_call_that_panics_is_never_answered() {
    let mut session = Session::open().await;
    session.call(json!(7), "panic").await;
    assert_eq!(session.message().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_cancelled_goes_on() {
    let mut session = Session::open().await;
    session.call(json!(7), "100").await;
    session.cancel(json!(7)).await;
    assert_eq!(session.message().await, None);
    assert_eq!(session.finished.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn parameters_that_do_not_parse_make_a_known_method_unknown() {
    let mut session = Session::open().await;
    let reply = session.ask(json!(7), "tools/call", json!({})).await;
    assert_eq!(
        reply["error"],
        json!({"code": -32601, "message": "tools/call"})
    );
}

#[tokio::test(start_paused = true)]
async fn the_refusal_of_a_method_is_its_name() {
    let mut session = Session::open().await;
    for method in ["resources/list", "logging/setLevel", "unheard/of"] {
        let params = json!({"level": "info"});
        let reply = session.ask(json!(7), method, params).await;
        assert_eq!(reply["error"], json!({"code": -32601, "message": method}));
    }
}

// Of the end.

#[tokio::test(start_paused = true)]
async fn the_end_of_input_before_the_handshake_is_an_error() {
    let mut session = Session::start();
    session.close_input().await;
    let ended = session.ended().await.unwrap();
    assert!(
        matches!(ended, Err(ServerInitializeError::ConnectionClosed(_))),
        "{ended:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_open_question_takes_up_five_seconds_at_the_end_of_input() {
    let mut session = Session::open().await;
    session.call(json!(7), "ask").await;
    let question = session.message().await.unwrap();
    assert_eq!(question["method"], "elicitation/create");
    let since = Instant::now();
    session.close_input().await;
    session.ended().await.unwrap().unwrap();
    assert!(since.elapsed() >= Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_takes_longer_gets_no_answer() {
    let mut session = Session::open().await;
    session.call(json!(7), "6000").await;
    session.close_input().await;
    assert_eq!(session.message().await, None);
}
