//! MCP in all its versions, over the real pipes of the real executable.

use apc_sandbox::{Persona, Sandbox};
use serde_json::{Value, json};

use crate::harness::*;

const TOOLS: [&str; 3] = [
    "create_service_account",
    "delete_service_account",
    "get_service_accounts",
];
const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

fn assert_identity(info: &Value) {
    assert_eq!(info["name"], "apc-mcp");
    assert_eq!(info["version"], env!("CARGO_PKG_VERSION"));
    let title = info["title"].as_str().unwrap_or_default();
    assert!(title.contains("Astro Private Cloud"), "{info}");
}

fn assert_instructions(result: &Value) {
    let instructions = result["instructions"].as_str().unwrap_or_default();
    assert_says(instructions, &["get_service_accounts"]);
    assert!(
        instructions.chars().count() < 1_000,
        "short: {instructions}"
    );
}

fn names(tools: &[Value]) -> Vec<&str> {
    tools
        .iter()
        .filter_map(|tool| tool["name"].as_str())
        .collect()
}

#[tokio::test]
async fn each_version_that_begins_with_a_handshake_is_echoed() {
    for era in &Era::ALL[..4] {
        let mut session = Program::bare().spawn(*era);
        let reply = session.exchange("initialize", opening(era.version())).await;
        let result = &reply["result"];
        assert_eq!(result["protocolVersion"], era.version());
        assert!(result["capabilities"]["tools"].is_object(), "{reply}");
        assert_identity(&result["serverInfo"]);
        assert_instructions(result);
    }
}

#[tokio::test]
async fn discovery_tells_versions_and_identity() {
    let mut session = Program::bare().spawn(Era::Stateless);
    let reply = session.request("server/discover", json!({})).await;
    let result = &reply["result"];
    let versions: Vec<_> = Era::ALL.iter().map(|era| era.version()).collect();
    assert_eq!(result["supportedVersions"], json!(versions));
    assert!(result["capabilities"]["tools"].is_object(), "{reply}");
    assert_identity(&result["_meta"][SERVER_INFO]);
    assert_instructions(result);
}

#[tokio::test]
async fn the_tools_are_listed_by_name_in_every_version() {
    for era in Era::ALL {
        let mut session = Program::bare().serve(era).await;
        assert_eq!(names(&session.list_tools().await), TOOLS, "{era:?}");
    }
}

#[tokio::test]
async fn a_stateless_list_says_how_long_it_keeps_and_who_answers() {
    let mut session = Program::bare().serve(Era::Stateless).await;
    let reply = session.request("tools/list", json!({})).await;
    let result = &reply["result"];
    assert_eq!(result["ttlMs"], 300_000);
    assert_eq!(result["cacheScope"], "private");
    assert_identity(&result["_meta"][SERVER_INFO]);
}

#[tokio::test]
async fn a_stateless_result_says_who_answers_whether_it_succeeds_or_not() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = Session::start(Era::Stateless, &sandbox).await;
    let found = session.call("get_service_accounts", json!({})).await;
    assert!(!found.is_error());
    assert_identity(&found.result["_meta"][SERVER_INFO]);
    let refused = session.call("delete_service_account", json!({})).await;
    refused.refusal("invalid_arguments");
    assert_identity(&refused.result["_meta"][SERVER_INFO]);
}

#[tokio::test]
async fn an_account_is_created_listed_and_deleted_in_every_version() {
    for era in Era::ALL {
        let sandbox = Sandbox::start(0).await.unwrap();
        let mut session = Session::start(era, &sandbox).await;

        let new = json!({"label": "etl", "workspace_id": ANALYTICS});
        let created = session.call("create_service_account", new).await;
        let id = created.account()["id"].as_str().unwrap().to_owned();
        assert_eq!(truth(&sandbox.handle(), "etl").id, id, "{era:?}");

        let one = json!({"service_account_id": id});
        let found = session.call("get_service_accounts", one.clone()).await;
        assert_eq!(found.column("label"), ["etl"], "{era:?}");

        let deleted = session.call("delete_service_account", one.clone()).await;
        assert_eq!(deleted.account()["id"], *id, "{era:?}");
        assert!(!exists(&sandbox.handle(), &id), "{era:?}");

        let again = session.call("get_service_accounts", one).await;
        again.refusal("not_found");
    }
}

#[tokio::test]
async fn a_role_that_does_not_exist_is_refused_in_every_version() {
    for era in Era::ALL {
        let sandbox = Sandbox::start(0).await.unwrap();
        let mut session = Session::start(era, &sandbox).await;
        let new = json!({"label": "root", "workspace_id": ANALYTICS, "role": "SYSTEM_ADMIN"});
        let refused = session.call("create_service_account", new).await;
        refused.refusal("invalid_arguments");
        assert_eq!(sandbox.handle().requests(), [], "{era:?}");
    }
}

#[tokio::test]
async fn a_ping_is_answered_before_and_after_the_handshake() {
    let mut session = Program::bare().spawn(Era::USUAL);
    assert_eq!(session.exchange("ping", None).await["result"], json!({}));
    session.exchange("initialize", opening("2025-11-25")).await;
    assert_eq!(session.exchange("ping", None).await["result"], json!({}));
}

#[tokio::test]
async fn a_tool_that_does_not_exist_is_an_error_that_names_those_that_do() {
    for era in Era::BOTH {
        let mut session = Program::bare().serve(era).await;
        let call = json!({"name": "update_service_account", "arguments": {}});
        let error = &session.request("tools/call", call).await["error"];
        assert_eq!(error["code"], -32602, "{era:?}");
        assert_says(error["message"].as_str().unwrap(), &TOOLS);
    }
}

#[tokio::test]
async fn a_method_that_does_not_exist_is_an_error() {
    for era in Era::BOTH {
        let mut session = Program::bare().serve(era).await;
        let error = &session.request("tools/destroy", json!({})).await["error"];
        assert_eq!(error["code"], -32601, "{era:?}");
    }
}

#[tokio::test]
async fn parameters_that_do_not_parse_are_no_unknown_method() {
    let mut session = Program::bare().serve(Era::USUAL).await;
    for params in [
        None,
        Some(json!({})),
        Some(json!({"arguments": {}})),
        Some(json!({"name": 5})),
        Some(json!({"name": "get_service_accounts", "arguments": []})),
        Some(json!({"name": "get_service_accounts", "arguments": "all"})),
    ] {
        let reply = session.exchange("tools/call", params.clone()).await;
        assert_eq!(reply["error"]["code"], -32602, "{params:?}: {reply}");
    }
    assert_eq!(session.list_tools().await.len(), 3);
}

#[tokio::test]
async fn a_call_may_leave_out_its_arguments() {
    let sandbox = Sandbox::start(0).await.unwrap();
    for era in Era::BOTH {
        let mut session = Session::start(era, &sandbox).await;
        let reply = session
            .request("tools/call", json!({"name": "get_service_accounts"}))
            .await;
        assert_eq!(reply["result"]["structuredContent"]["total"], 6, "{era:?}");
    }
}

#[tokio::test]
async fn nothing_but_a_request_opens_the_session_and_nothing_else_ends_it() {
    for early in [
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}),
        json!({"jsonrpc": "2.0", "method": "$/unheard-of"}),
        json!({"jsonrpc": "2.0", "id": 9, "result": {}}),
    ] {
        for era in Era::BOTH {
            let mut session = Program::bare().spawn(era);
            session.raw_line(&early.to_string()).await;
            if era == Era::USUAL {
                let reply = session.exchange("initialize", opening("2025-11-25")).await;
                assert!(reply["result"].is_object(), "{early}");
            }
            assert_eq!(session.list_tools().await.len(), 3, "{early}");
        }
    }
}

#[tokio::test]
async fn a_client_that_discovers_gives_up_and_falls_back_is_served() {
    let mut session = Program::bare().spawn(Era::USUAL);
    let discover = json!({"_meta": stateless_meta("2026-07-28")});
    session.exchange("server/discover", discover).await;
    session.notify("notifications/cancelled").await;
    let reply = session.exchange("initialize", opening("2025-06-18")).await;
    assert_eq!(reply["result"]["protocolVersion"], "2025-06-18");
    session.notify("notifications/initialized").await;
    assert_eq!(session.list_tools().await.len(), 3);
}

#[tokio::test]
async fn a_request_that_tells_nothing_of_itself_is_refused_and_the_handshake_still_works() {
    let mut session = Program::bare().spawn(Era::USUAL);
    let early = session.exchange("tools/list", json!({})).await;
    assert_eq!(early["error"]["code"], -32602, "{early}");
    let reply = session.exchange("initialize", opening("2025-11-25")).await;
    assert!(reply["result"].is_object(), "{reply}");
    assert_eq!(session.list_tools().await.len(), 3);
}

#[tokio::test]
async fn a_version_from_the_future_is_refused_and_the_session_goes_on() {
    let mut session = Program::bare().spawn(Era::Stateless);
    let params = json!({"_meta": stateless_meta("2099-01-01")});
    let reply = session.exchange("tools/list", params).await;
    assert_eq!(reply["error"]["code"], -32022, "{reply}");
    assert_eq!(session.list_tools().await.len(), 3);
}

#[tokio::test]
async fn a_handshake_in_an_unknown_version_is_offered_a_known_one() {
    let mut session = Program::bare().spawn(Era::USUAL);
    let reply = session.exchange("initialize", opening("1999-01-01")).await;
    assert_eq!(reply["result"]["protocolVersion"], "2025-11-25");
}

#[tokio::test]
async fn lines_that_are_no_messages_are_dropped() {
    for era in Era::BOTH {
        let mut session = Program::bare().serve(era).await;
        for garbage in [
            "",
            "  ",
            "hello",
            "{",
            "{\"jsonrpc\":\"2.0\",",
            "[]",
            "null",
            "5",
        ] {
            session.raw_line(garbage).await;
        }
        session.raw_bytes(b"\xff\xfe{}\n").await;
        session.raw_bytes(b"\r\n").await;
        assert_eq!(session.list_tools().await.len(), 3, "{era:?}");
    }
}

#[tokio::test]
async fn a_line_over_4_mib_is_dropped() {
    let mut session = Program::bare().serve(Era::USUAL).await;
    let label = "x".repeat(4 * 1024 * 1024);
    let call = json!({
        "jsonrpc": "2.0", "id": 99, "method": "tools/call",
        "params": {"name": "get_service_accounts", "arguments": {"label": label}},
    });
    session.raw_line(&call.to_string()).await;
    assert_eq!(session.list_tools().await.len(), 3);
    assert!(session.close_stdin_and_wait().await.success());
    assert!(!session.has_reply(99));
}

#[tokio::test]
async fn many_calls_at_once_are_all_answered() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = Session::start(Era::USUAL, &sandbox).await;
    let mut sent = Vec::new();
    for _ in 0..100 {
        sent.push(session.send_call("get_service_accounts", json!({})).await);
    }
    for id in sent {
        let found = session.outcome("get_service_accounts", id).await;
        assert_eq!(found.structured()["total"], 6);
    }
}

#[tokio::test]
async fn the_end_of_input_ends_the_server_with_success_and_without_a_word() {
    for era in Era::ALL {
        let mut session = Program::bare().serve(era).await;
        session.list_tools().await;
        assert!(session.close_stdin_and_wait().await.success(), "{era:?}");
        assert_eq!(session.stderr().await, "", "{era:?}");
    }
}

#[tokio::test]
async fn the_end_of_input_before_anything_was_said_is_no_failure() {
    let mut session = Program::bare().spawn(Era::USUAL);
    assert!(session.close_stdin_and_wait().await.success());
    assert_eq!(session.stdout(), "");
    assert_eq!(session.stderr().await, "");
}

#[tokio::test]
async fn a_call_in_flight_at_the_end_of_input_is_still_answered() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = Session::start(Era::USUAL, &sandbox).await;
    let new = json!({"label": "last", "workspace_id": ANALYTICS});
    let id = session.send_call("create_service_account", new).await;
    assert!(session.close_stdin_and_wait().await.success());
    let created = session.outcome("create_service_account", id).await;
    assert_eq!(created.account()["id"], truth(&sandbox.handle(), "last").id);
}

#[cfg(unix)]
#[tokio::test]
async fn a_signal_ends_the_server_with_success() {
    for signal in ["-TERM", "-INT"] {
        let mut session = Program::bare().serve(Era::USUAL).await;
        let id = session.id().to_string();
        let sent = std::process::Command::new("kill")
            .args([signal, &id])
            .status();
        assert!(sent.unwrap().success());
        assert!(session.wait().await.success(), "{signal}");
    }
}

#[tokio::test]
async fn the_sandbox_says_that_it_is_one() {
    let mut session = Program::bare().args(&["--sandbox"]).spawn(Era::USUAL);
    let reply = session.exchange("initialize", opening("2025-11-25")).await;
    let result = &reply["result"];
    let title = result["serverInfo"]["title"].as_str().unwrap();
    assert_says(title, &["sandbox"]);
    assert_says(result["instructions"].as_str().unwrap(), &["sandbox"]);
}

#[tokio::test]
async fn a_server_for_an_installation_does_not_call_itself_a_sandbox() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = Program::at(&sandbox, Persona::WorkspaceAdmin).spawn(Era::USUAL);
    let reply = session.exchange("initialize", opening("2025-11-25")).await;
    assert!(!reply.to_string().contains("sandbox"), "{reply}");
}
