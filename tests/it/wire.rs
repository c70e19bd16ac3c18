//! Input lines of every kind: the session lives, requests are answered, and a line that is dropped leaves
//! one warning on standard error.

use std::collections::HashSet;
use std::time::Duration;

use apc_mcp::cli::Cli;
use apc_mcp::config::{Config, Environment};
use apc_mcp::guards::secret::Secrets;
use apc_mcp::session::LINE_MAX;
use apc_mcp::session::server::Server;
use apc_mcp::session::shutdown::Shutdown;
use apc_sandbox::{Fault, On, Sandbox};
use clap::Parser;
use proptest::prelude::*;
use proptest::test_runner::{Config as Cases, TestRunner};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, duplex};

use crate::support::harness::*;
use crate::support::standin::{Play, StandIn};

/// The lines of the log, once the session has ended.
async fn warnings(mut session: Session) -> Vec<String> {
    assert!(session.close_stdin_and_wait().await.success());
    let stderr = session.stderr().await;
    stderr.lines().map(str::to_owned).collect()
}

fn ping(id: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#)
}

/// The next line, as it is.
async fn answer(session: &mut Session) -> Value {
    let message = session.message().await;
    message.expect("an answer")
}

async fn opened() -> Session {
    Program::bare().serve(Era::USUAL).await
}

#[tokio::test]
async fn each_line_that_is_dropped_leaves_one_warning() {
    let deep = "[".repeat(200_000);
    for garbage in [
        &b"hello"[..],
        b"{",
        b"\xff\xfe\x00{}",
        b"5",
        b"\"text\"",
        b"null",
        b"{}",
        b"{\"jsonrpc\":\"2.0\",\"result\":3}",
        b"\x00\x00\x00",
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"",
        b"{\"jsonrpc\":\"2.0\",\"id\":\"\xff\",\"method\":5}",
        b"\x1b[31mred\xe2\x80\xaeturned",
        deep.as_bytes(),
    ] {
        let mut session = opened().await;
        session.raw_bytes(&[garbage, b"\n"].concat()).await;
        assert_eq!(session.list_tools().await.len(), 3);
        let warnings = warnings(session).await;
        let shown = String::from_utf8_lossy(&garbage[..garbage.len().min(60)]).into_owned();
        assert_eq!(warnings.len(), 1, "{shown}: {warnings:?}");
        assert_says(&warnings[0], &["WARN", "dropped"]);
        assert!(warnings[0].is_ascii(), "{warnings:?}");
    }
}

#[tokio::test]
async fn blank_lines_are_ignored_without_a_warning() {
    let mut session = opened().await;
    session.raw_bytes(b"\n \n\r\n\t\n\xef\xbb\xbf\n").await;
    assert_eq!(session.list_tools().await.len(), 3);
    assert_eq!(warnings(session).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_notification_or_response_before_the_handshake_leaves_one_warning() {
    for early in [
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}),
        json!({"jsonrpc": "2.0", "method": "unheard/of"}),
        json!({"jsonrpc": "2.0", "id": 9, "result": {}}),
        json!({"jsonrpc": "2.0", "id": 9, "error": {"code": 1, "message": "no"}}),
    ] {
        let mut session = Program::bare().spawn(Era::USUAL);
        session.raw_line(&early.to_string()).await;
        let reply = session.exchange("initialize", opening("2025-11-25")).await;
        assert!(reply["result"].is_object(), "{early}");
        assert_eq!(session.list_tools().await.len(), 3);
        let warnings = warnings(session).await;
        assert_eq!(warnings.len(), 1, "{early}: {warnings:?}");
    }
}

#[tokio::test]
async fn a_line_of_20_mb_is_refused_with_one_warning_and_takes_no_memory() {
    let mut session = opened().await;
    let megabyte = vec![b'x'; 1_000_000];
    session
        .raw_bytes(b"{\"jsonrpc\":\"2.0\",\"id\":77,\"method\":\"")
        .await;
    for _ in 0..20 {
        session.raw_bytes(&megabyte).await;
    }
    session.raw_bytes(b"\"}\n").await;
    assert_eq!(session.reply(77).await["error"]["code"], -32600);
    assert_eq!(session.list_tools().await.len(), 3);
    let peak = memory_peak(session.id());
    assert!(peak < 100 * 1024, "{peak} KiB");
    let warnings = warnings(session).await;
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert_says(&warnings[0], &["refused", "longer than"]);
}

/// Spaces that make any line too long.
fn padding() -> String {
    " ".repeat(LINE_MAX)
}

#[tokio::test]
async fn a_request_that_is_too_long_is_refused_under_the_id_at_its_beginning() {
    for era in Era::BOTH {
        let mut session = Program::bare().serve(era).await;
        for id in ["77", "-1", "\"a\"", "1.5"] {
            let request = format!(
                r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"{}}}"#,
                padding()
            );
            session.raw_line(&request).await;
            let refused = answer(&mut session).await;
            assert_eq!(refused["id"].to_string(), id);
            assert_eq!(refused["error"]["code"], -32600);
            let message = refused["error"]["message"].as_str().unwrap();
            assert_says(message, &["longer than 4194304 bytes", "nothing was done"]);
        }
        assert_eq!(session.list_tools().await.len(), 3);
    }
}

#[tokio::test]
async fn a_request_that_is_too_long_is_refused_under_the_id_at_its_end() {
    for era in Era::BOTH {
        let mut session = Program::bare().serve(era).await;
        for id in ["77", "-1", "\"a:}\"", "1.5"] {
            let request = format!(
                r#"{{"method":"ping","params":{{"x":"{}"}},"jsonrpc":"2.0","id":{id}}}"#,
                "\u{20ac}".repeat(LINE_MAX / 3)
            );
            session.raw_line(&request).await;
            let refused = answer(&mut session).await;
            assert_eq!(refused["id"].to_string(), id);
            assert_eq!(refused["error"]["code"], -32600);
        }
        assert_eq!(session.list_tools().await.len(), 3);
    }
}

#[tokio::test]
async fn a_line_that_is_too_long_and_shows_no_request_at_its_beginning_is_refused_without_an_id() {
    for line in [
        format!(
            r#"{{"jsonrpc":"2.0","params":{{}},{}"id":77,"method":"ping"}}"#,
            padding()
        ),
        format!(
            r#"{{"jsonrpc":"2.0","id":77,{}"method":"ping"}}"#,
            padding()
        ),
        format!(r#"{{"jsonrpc":"2.0","id":77,"result":{{}}{}}}"#, padding()),
        format!(
            r#"{{"jsonrpc":"2.0","id":"{}","method":"ping"{}}}"#,
            "x".repeat(5000),
            padding()
        ),
        padding() + "x",
    ] {
        let mut session = opened().await;
        session.raw_line(&line).await;
        let refused = answer(&mut session).await;
        assert_eq!(refused["error"]["code"], -32600);
        assert_eq!(refused.get("id"), None);
        assert_eq!(session.list_tools().await.len(), 3);
    }
}

#[tokio::test]
async fn a_line_that_cannot_be_read_never_answers_for_a_request_in_flight() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = Session::start(Era::USUAL, &sandbox).await;
    for line in [
        format!(
            r#"{{"jsonrpc":"2.0","id":ID,"method":"ping"{}}}"#,
            padding()
        ),
        r#"{"jsonrpc":"2.0","id":ID,"method":5}"#.to_owned(),
    ] {
        let slow = Fault::Delay(Duration::from_millis(300));
        sandbox.handle().inject(slow, On::Field(LIST), 1);
        let id = session
            .send_call("get_service_accounts", json!({"workspace_id": ANALYTICS}))
            .await;
        session.raw_line(&line.replace("ID", &id.to_string())).await;
        let found = session.outcome("get_service_accounts", id).await;
        assert_eq!(found.structured()["total"], 4);
    }
    let warnings = warnings(session).await;
    assert_eq!(warnings.len(), 2, "{warnings:?}");
}

#[tokio::test]
async fn a_last_line_that_is_too_long_and_has_no_end_is_refused() {
    let mut session = opened().await;
    session.raw_bytes(&vec![b'x'; 5_000_000]).await;
    session.close_stdin();
    assert_eq!(answer(&mut session).await["error"]["code"], -32600);
    let warnings = warnings(session).await;
    assert_eq!(warnings.len(), 1, "{warnings:?}");
}

#[tokio::test]
async fn a_last_line_without_a_line_feed_is_read() {
    let mut session = opened().await;
    session.raw_bytes(ping("99").as_bytes()).await;
    assert!(session.close_stdin_and_wait().await.success());
    assert!(session.has_reply(99));
}

#[tokio::test]
async fn a_request_is_answered_under_its_id_of_whatever_kind() {
    let mut session = opened().await;
    for id in [
        "0",
        "-7",
        "9007199254740993",
        "9223372036854775807",
        "-9223372036854775808",
        "\"\"",
        "\"7\"",
        "\"a\\n\\u0000\\u001b[31m\\u202e\"",
        "\"ü\"",
    ] {
        session.raw_line(&ping(id)).await;
        let answer = answer(&mut session).await;
        let sent: Value = serde_json::from_str(id).unwrap();
        assert_eq!(answer, json!({"jsonrpc": "2.0", "id": sent, "result": {}}));
    }
    let long = format!("\"{}\"", "x".repeat(100_000));
    session.raw_line(&ping(&long)).await;
    assert_eq!(answer(&mut session).await["id"], long.trim_matches('"'));
    assert_eq!(warnings(session).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_value_that_cannot_be_an_id_is_refused_and_a_number_is_given_back() {
    for (id, told) in [
        ("1.5", true),
        ("1e400", true),
        ("18446744073709551616", true),
        ("-99999999999999999999999", true),
        ("null", false),
        ("{}", false),
        ("[1]", false),
        ("true", false),
    ] {
        let mut session = opened().await;
        session.raw_line(&ping(id)).await;
        let answer = session.raw_answer().await;
        let field = format!("\"id\":{id},");
        assert!(answer.contains("-32600"), "{id}: {answer}");
        assert_eq!(answer.contains(&field), told, "{id}: {answer}");
        assert_eq!(session.list_tools().await.len(), 3);
        let warnings = warnings(session).await;
        assert_eq!(warnings.len(), 1, "{id}: {warnings:?}");
    }
}

#[tokio::test]
async fn a_batch_is_refused_once_and_nothing_in_it_is_done() {
    let mut session = opened().await;
    session
        .raw_line(&format!("[{},{}]", ping("91"), ping("92")))
        .await;
    let refused = answer(&mut session).await;
    assert_eq!(refused["error"]["code"], -32600);
    assert_eq!(session.list_tools().await.len(), 3);
    assert!(session.close_stdin_and_wait().await.success());
    assert!(!session.has_reply(91) && !session.has_reply(92));
}

#[tokio::test]
async fn a_request_that_nests_too_deep_is_answered() {
    let mut session = opened().await;
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    let call = format!(
        r#"{{"jsonrpc":"2.0","id":50,"method":"tools/call","params":{{"name":"get_service_accounts","arguments":{{"label":{deep}}}}}}}"#
    );
    session.raw_line(&call).await;
    let reply = session.reply(50).await;
    assert!(reply["error"]["code"].is_i64(), "{reply}");
    assert_eq!(session.list_tools().await.len(), 3);
}

#[tokio::test]
async fn a_request_with_text_that_is_no_text_is_answered() {
    for member in [
        &b"\"label\":\"\xff\xfe\""[..],
        br#""label":"\ud800""#,
        br#""label":"\udc00\ud800""#,
        br#""\ud800":1"#,
    ] {
        for era in Era::BOTH {
            let mut session = Program::bare().serve(era).await;
            let call = [
                br#"{"jsonrpc":"2.0","id":50,"method":"tools/call","params":{"name":"get_service_accounts","arguments":{"#,
                member,
                b"}}}\n",
            ];
            session.raw_bytes(&call.concat()).await;
            let reply = session.reply(50).await;
            assert!(reply["error"]["code"].is_i64(), "{reply}");
            assert_eq!(session.list_tools().await.len(), 3);
        }
    }
}

#[tokio::test]
async fn a_request_with_half_a_surrogate_pair_in_the_name_of_a_member_is_answered() {
    for era in Era::BOTH {
        let mut session = Program::bare().serve(era).await;
        for request in [
            r#"{"\ud800":1,"jsonrpc":"2.0","id":50,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":50,"method":"ping","\udc00\ud800":{}}"#,
        ] {
            session.raw_line(request).await;
            assert_eq!(session.reply(50).await["error"]["code"], -32600, "{era:?}");
        }
    }
}

#[tokio::test]
async fn a_call_without_parameters_has_invalid_parameters() {
    let mut session = opened().await;
    for params in [
        None,
        Some(json!({})),
        Some(json!({"name": 5})),
        Some(json!([])),
    ] {
        let reply = session.exchange("tools/call", params.clone()).await;
        assert_eq!(reply["error"]["code"], -32602, "{params:?}: {reply}");
    }
}

#[tokio::test]
async fn an_unknown_tool_or_method_is_refused_with_those_there_are() {
    let mut session = opened().await;
    let hostile = "x\n\u{1b}[31m\u{202e}\u{2028}";
    for name in ["get_service_account", "", hostile] {
        let reply = session.exchange("tools/call", json!({"name": name})).await;
        assert_eq!(reply["error"]["code"], -32602, "{reply}");
        let message = reply["error"]["message"].as_str().unwrap();
        let all = [
            "create_service_account",
            "delete_service_account",
            "get_service_accounts",
        ];
        assert_says(message, &all);
        assert_harmless(message);
    }
    for method in ["tools/unheard_of", "", hostile, &"m".repeat(100_000)] {
        let reply = session.exchange(method, json!({})).await;
        assert_eq!(reply["error"]["code"], -32601, "{reply}");
        let message = reply["error"]["message"].as_str().unwrap();
        assert_says(message, &["tools/call"]);
        assert_harmless(message);
        assert!(message.len() < 500, "{message}");
    }
}

#[tokio::test]
async fn a_request_whose_id_is_in_flight_is_dropped_and_the_first_is_answered() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = Session::start(Era::USUAL, &sandbox).await;
    let slow = Fault::Delay(Duration::from_millis(300));
    sandbox.handle().inject(slow, On::Field(LIST), 1);
    let id = session
        .send_call("get_service_accounts", json!({"workspace_id": ANALYTICS}))
        .await;
    session.raw_line(&ping(&id.to_string())).await;
    let found = session.outcome("get_service_accounts", id).await;
    assert_eq!(found.structured()["total"], 4);
    // Answered, the id is free again.
    session.raw_line(&ping(&id.to_string())).await;
    assert_eq!(session.reply(id).await["result"], json!({}));
    let warnings = warnings(session).await;
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert_says(&warnings[0], &["dropped", &id.to_string()]);
}

#[tokio::test]
async fn an_id_cannot_forge_a_line_of_the_log() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = Session::start(Era::USUAL, &sandbox).await;
    sandbox
        .handle()
        .inject(Fault::Delay(Duration::from_millis(300)), On::Field(LIST), 1);
    let id = json!("7\n2026-01-01 ERROR all is lost \u{1b}[31m\u{9b}32m\u{202e}\u{2028}");
    let params = json!({"name": "get_service_accounts", "arguments": {"workspace_id": ANALYTICS}});
    let call = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params});
    session.raw_line(&call.to_string()).await;
    session.raw_line(&call.to_string()).await;
    assert_eq!(answer(&mut session).await["id"], id);
    let warnings = warnings(session).await;
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert_harmless(&warnings[0]);
}

#[tokio::test]
async fn an_id_may_be_used_again_after_its_request_was_cancelled() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let standin = StandIn::before(&sandbox).await;
    let mut session = Program::at(&sandbox, apc_sandbox::Persona::WorkspaceAdmin)
        .env("APC_API_URL", standin.url())
        .serve(Era::USUAL)
        .await;
    standin.arm(LIST, Play::Hang, false, 0);
    let call = |arguments: Value| {
        let params = json!({"name": "get_service_accounts", "arguments": arguments});
        json!({"jsonrpc": "2.0", "id": "again", "method": "tools/call", "params": params})
    };
    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "again"}});
    for _ in 0..20 {
        session
            .raw_line(&call(json!({"workspace_id": ANALYTICS})).to_string())
            .await;
        // Both lines arrive before the cancelled call can have ended.
        let lines = format!("{cancel}\n{}", ping("\"again\""));
        session.raw_line(&lines).await;
        let answer = answer(&mut session).await;
        assert_eq!(
            answer,
            json!({"jsonrpc": "2.0", "id": "again", "result": {}})
        );
    }
    assert_eq!(warnings(session).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_cancellation_of_nothing_does_nothing() {
    let mut session = opened().await;
    for params in [
        json!({"requestId": 1}),
        json!({"requestId": "unheard of"}),
        json!({"requestId": null}),
        json!({"requestId": {}}),
        json!({}),
        Value::Null,
    ] {
        let cancel =
            json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params});
        session.raw_line(&cancel.to_string()).await;
        assert_eq!(session.list_tools().await.len(), 3, "{cancel}");
    }
}

// Random input.

/// Serves one session over an in-memory pipe, and gives back the lines that came out.
async fn converse(pieces: Vec<Vec<u8>>) -> Vec<Value> {
    let config = Config::new(&Cli::parse_from(["apc-mcp"]).flags, &Environment::default());
    let server = Server::new(config.unwrap(), Secrets::default(), Shutdown::default()).await;
    let (mut to, input) = duplex(512);
    let (output, from) = duplex(512);
    let served = tokio::spawn(apc_mcp::session::shutdown::serve(server, input, output));
    let written = tokio::spawn(async move {
        for piece in pieces {
            to.write_all(&piece).await.unwrap();
            to.flush().await.unwrap();
            tokio::task::yield_now().await;
        }
    });
    let mut lines = BufReader::new(from).lines();
    let mut answers = Vec::new();
    while let Some(line) = patient("the server ends", lines.next_line()).await.unwrap() {
        answers.push(serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON: {line}")));
    }
    written.await.unwrap();
    served.await.unwrap().unwrap();
    answers
}

/// A line of input, and the id that has to be answered where it is a well-formed request.
#[derive(Clone, Debug)]
enum Input {
    Request(&'static str, Value),
    Garbage(Vec<u8>),
}

fn request() -> impl Strategy<Value = Input> {
    let arguments = prop_oneof![
        Just(json!({})),
        Just(json!({"label": "x"})),
        Just(json!({"limit": -1})),
        Just(Value::Null),
    ];
    let meta = prop_oneof![
        Just(Value::Null),
        Just(stateless_meta("2026-07-28")),
        Just(stateless_meta("2099-01-01")),
        Just(json!({"progressToken": 1})),
        Just(json!(5)),
    ];
    let method = prop::sample::select(vec![
        "ping",
        "tools/list",
        "tools/call",
        "initialize",
        "server/discover",
        "prompts/list",
        "prompts/get",
        "resources/list",
        "resources/subscribe",
        "subscriptions/listen",
        "completion/complete",
        "logging/setLevel",
        "tasks/get",
        "unheard/of",
    ]);
    (method, arguments, meta).prop_map(|(method, arguments, meta)| {
        let mut params = match method {
            "initialize" => opening("2025-11-25"),
            "tools/call" => json!({"name": "get_service_accounts", "arguments": arguments}),
            _ => arguments,
        };
        if !meta.is_null() && params.is_object() {
            params["_meta"] = meta;
        }
        Input::Request(method, params)
    })
}

fn garbage() -> impl Strategy<Value = Input> {
    let bytes = prop::collection::vec(any::<u8>(), 0..60)
        .prop_map(|bytes| bytes.into_iter().filter(|byte| *byte != b'\n').collect());
    let nearly = prop::sample::select(vec![
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":3}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}"#,
        r#"{"jsonrpc":"2.0","id":3,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":"x","result":{"action":"accept","content":{}}}"#,
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"?"}}"#,
        r#"{"jsonrpc":"2.0","id":-1,"method":"ping"}"#,
        r#"{"jsonrpc":"1.0","id":-2,"method":"ping"}"#,
        r#"{"id":-3,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#,
        r#"[{"jsonrpc":"2.0","id":-4,"method":"ping"}]"#,
        r#"{"jsonrpc":"2.0","id":-5,"method":"initialize"}"#,
        r#"{"jsonrpc":"2.0","id":-6,"method":"tools/call"}"#,
    ]);
    let cut = (nearly, any::<prop::sample::Index>(), any::<u8>()).prop_map(|(text, at, byte)| {
        let mut bytes = text.as_bytes().to_vec();
        match byte % 4 {
            0 => bytes.truncate(at.index(bytes.len())),
            1 if byte != b'\n' => {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            _ => {}
        }
        bytes
    });
    prop_oneof![1 => bytes, 3 => cut].prop_map(Input::Garbage)
}

/// Input lines cut into pieces, and the ids that have to be answered.
fn stream(opened: bool, inputs: &[Input], cuts: &[usize]) -> (Vec<Vec<u8>>, HashSet<u64>) {
    let mut bytes = Vec::new();
    let mut owed = HashSet::new();
    let mut add = |line: &[u8]| {
        bytes.extend_from_slice(line);
        bytes.push(b'\n');
    };
    if opened {
        // No garbage has an id of three digits, whatever byte of it is changed.
        let open = json!({"jsonrpc": "2.0", "id": 999, "method": "initialize", "params": opening("2025-11-25")});
        add(open.to_string().as_bytes());
        owed.insert(999);
    }
    for (number, input) in (1000..).zip(inputs) {
        match input {
            Input::Garbage(line) => add(line),
            Input::Request(method, params) => {
                let line =
                    json!({"jsonrpc": "2.0", "id": number, "method": method, "params": params});
                add(line.to_string().as_bytes());
                owed.insert(number);
            }
        }
    }
    add(ping("999999").as_bytes());
    owed.insert(999_999);
    let mut pieces = Vec::new();
    for cut in cuts {
        let rest = bytes.split_off(cut % (bytes.len() + 1));
        pieces.push(std::mem::replace(&mut bytes, rest));
    }
    pieces.push(bytes);
    (pieces, owed)
}

#[test]
fn well_formed_requests_are_answered_among_random_input_cut_anywhere() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let inputs = prop::collection::vec(prop_oneof![request(), garbage()], 0..12);
    let cuts = prop::collection::vec(any::<usize>(), 0..6);
    let mut runner = TestRunner::new(Cases {
        cases: 1500,
        failure_persistence: None,
        ..Cases::default()
    });
    let checked = runner.run(&(any::<bool>(), inputs, cuts), |(opened, inputs, cuts)| {
        let (pieces, owed) = stream(opened, &inputs, &cuts);
        let answers = runtime.block_on(converse(pieces));
        for id in owed {
            let for_it = answers.iter().filter(|answer| answer["id"] == id).count();
            prop_assert_eq!(for_it, 1, "{} of {:?}", id, answers);
        }
        Ok(())
    });
    checked.unwrap_or_else(|found| panic!("{found}"));
}
