//! MCP in all its versions, over the real pipes of the real executable. `wire` has the lines that are no
//! messages.

use apc_sandbox::{Persona, Sandbox};
use serde_json::{Value, json};

use crate::support::harness::*;

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
async fn a_stateless_list_has_its_time_to_live_and_the_identity_of_the_server() {
    let mut session = Program::bare().serve(Era::Stateless).await;
    let reply = session.request("tools/list", json!({})).await;
    let result = &reply["result"];
    assert_eq!(result["ttlMs"], 300_000);
    assert_eq!(result["cacheScope"], "private");
    assert_identity(&result["_meta"][SERVER_INFO]);
}

#[tokio::test]
async fn a_stateless_result_has_the_identity_of_the_server() {
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
async fn a_method_that_does_not_exist_is_refused_with_those_that_do() {
    for era in Era::BOTH {
        let mut session = Program::bare().serve(era).await;
        for method in [
            "resources/list",
            "resources/templates/list",
            "resources/read",
            "resources/subscribe",
            "logging/setLevel",
            "subscriptions/listen",
            "tasks/get",
            "skills/list",
            "tools/destroy",
        ] {
            // Parameters that parse for each of them.
            let params = json!({"uri": "x:y", "level": "info", "taskId": "1", "notifications": {}});
            let error = &session.request(method, params).await["error"];
            assert_eq!(error["code"], -32601, "{era:?} {method}");
            let message = error["message"].as_str().unwrap();
            let there_is_none = format!("There is no method '{method}'.");
            assert_says(message, &[&there_is_none, "tools/call", "prompts/list"]);
        }
    }
}

#[tokio::test]
async fn the_methods_of_the_handshake_are_named_where_there_is_one() {
    for (era, named) in [(Era::USUAL, true), (Era::Stateless, false)] {
        let mut session = Program::bare().serve(era).await;
        let error = &session.request("unheard/of", json!({})).await["error"];
        let message = error["message"].as_str().unwrap();
        assert_eq!(message.contains("initialize, ping"), named, "{message}");
    }
    let mut session = Program::bare().serve(Era::Stateless).await;
    session.list_tools().await;
    let error = &session.request("ping", json!({})).await["error"];
    assert_says(error["message"].as_str().unwrap(), &["no method 'ping'"]);
}

#[tokio::test]
async fn parameters_that_do_not_parse_are_refused_with_their_fault() {
    for era in Era::BOTH {
        let mut session = Program::bare().serve(era).await;
        for (params, fault) in [
            (json!({}), "name is missing"),
            (json!({"arguments": {}}), "name is missing"),
            (
                json!({"name": 5}),
                "name is a number and has to be a string",
            ),
            (json!({"name": null}), "name is null and has to be a string"),
            (
                json!({"name": "get_service_accounts", "inputResponses": [], "arguments": null}),
                "inputResponses is a list and has to be an object",
            ),
            (
                json!({"name": "get_service_accounts", "requestState": {}}),
                "requestState is an object and has to be a string",
            ),
        ] {
            let error = &session.request("tools/call", params.clone()).await["error"];
            assert_eq!(error["code"], -32602, "{params}");
            let message = error["message"].as_str().unwrap();
            assert_says(message, &["tools/call", "name", "arguments", fault]);
        }
        let odd = json!({"name": "audit_service_accounts", "arguments": "all"});
        let error = &session.request("prompts/get", odd).await["error"];
        assert_eq!(error["code"], -32602, "{error}");
        let fault = "arguments is a string and has to be an object";
        assert_says(error["message"].as_str().unwrap(), &["prompts/get", fault]);
        assert_eq!(session.list_tools().await.len(), 3);
    }
    let mut session = Program::bare().serve(Era::USUAL).await;
    let reply = session.exchange("tools/call", None).await;
    assert_eq!(reply["error"]["code"], -32602, "{reply}");
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
async fn arguments_that_are_empty_in_an_odd_form_are_none() {
    let sandbox = Sandbox::start(0).await.unwrap();
    for era in Era::BOTH {
        let mut session = Session::start(era, &sandbox).await;
        for odd in [json!([]), json!(""), json!("  "), json!(null)] {
            let found = session.call("get_service_accounts", odd.clone()).await;
            assert_eq!(found.structured()["total"], 6, "{era:?} {odd}");
            let params = json!({"name": "audit_service_accounts", "arguments": odd});
            let prompt = session.request("prompts/get", params).await;
            assert!(prompt["result"].is_object(), "{era:?} {odd}: {prompt}");
        }
    }
}

#[tokio::test]
async fn arguments_that_are_no_object_are_refused_by_a_result_that_a_model_sees() {
    let sandbox = Sandbox::start(0).await.unwrap();
    for era in Era::BOTH {
        let mut session = Session::start(era, &sandbox).await;
        for tool in TOOLS {
            for (odd, kind) in [
                (json!("all"), "are a string"),
                (json!(r#"{"label": "x"}"#), "are a string"),
                (json!(["label", "x"]), "are a list"),
                (json!(5), "are a number"),
                (json!(true), "are a boolean"),
            ] {
                let refused = session.call(tool, odd).await;
                let text = refused.refusal("invalid_arguments");
                assert_says(text, &[tool, kind, "an object", "Nothing was done"]);
                let result = &refused.result;
                let is_stateless = era == Era::Stateless;
                assert_eq!(result["_meta"].get(SERVER_INFO).is_some(), is_stateless);
                assert_eq!(result["resultType"] == "complete", is_stateless);
            }
        }
        assert_eq!(sandbox.handle().requests(), [], "{era:?}");
        let odd = json!({"name": "unheard_of", "arguments": "x"});
        let error = &session.request("tools/call", odd).await["error"];
        assert_says(error["message"].as_str().unwrap(), &TOOLS);
    }
}

#[tokio::test]
async fn params_and_metadata_that_are_empty_in_an_odd_form_are_none() {
    let mut session = Program::bare().serve(Era::USUAL).await;
    for params in [
        json!([]),
        json!(""),
        json!(null),
        json!({"_meta": []}),
        json!({"_meta": "x"}),
        json!({"_meta": null}),
    ] {
        for method in ["tools/list", "prompts/list", "ping"] {
            let reply = session.exchange(method, params.clone()).await;
            assert!(reply["result"].is_object(), "{method} {params}: {reply}");
        }
    }
    let initialized =
        json!({"jsonrpc": "2.0", "method": "notifications/initialized", "params": []});
    session.raw_line(&initialized.to_string()).await;
    assert_eq!(session.list_tools().await.len(), 3);
    session.close_stdin_and_wait().await;
    assert_eq!(session.stderr().await, "");
}

#[tokio::test]
async fn a_session_with_a_handshake_is_told_where_to_find_what_it_would_discover() {
    let mut session = Program::bare().serve(Era::USUAL).await;
    for params in [
        None,
        Some(json!({})),
        Some(json!([])),
        Some(json!({"_meta": {}})),
    ] {
        let error = &session.exchange("server/discover", params).await["error"];
        assert_eq!(error["code"], -32601, "{error}");
        let message = error["message"].as_str().unwrap();
        assert_says(message, &["The result of initialize has the same"]);
    }
}

/// Requests that are answered with an error, of every kind there is.
fn wrong_requests() -> Vec<(&'static str, Value)> {
    let meta = |name: &str, value: Value| {
        let mut meta = stateless_meta("2026-07-28");
        meta[format!("io.modelcontextprotocol/{name}")] = value;
        json!({"_meta": meta})
    };
    vec![
        ("resources/list", json!({})),
        ("resources/templates/list", json!({})),
        ("resources/read", json!({"uri": "a:b"})),
        ("resources/subscribe", json!({"uri": "a:b"})),
        (
            "completion/complete",
            json!({"ref": {"type": "ref/prompt", "name": "x"}, "argument": {"name": "a", "value": "b"}}),
        ),
        ("logging/setLevel", json!({"level": "debug"})),
        ("logging/setLevel", json!({"level": 5})),
        ("sampling/createMessage", json!({})),
        ("tasks/list", json!({})),
        ("subscriptions/listen", json!({"notifications": {}})),
        ("skills/list", json!({})),
        ("notifications/initialized", json!({})),
        ("", json!({})),
        ("prompts/get", json!({})),
        ("prompts/get", json!({"name": "unheard-of"})),
        ("prompts/get", json!({"name": "rotate_service_account"})),
        (
            "prompts/get",
            json!({"name": "audit_service_accounts", "arguments": 5}),
        ),
        ("tools/call", json!({})),
        ("tools/call", json!({"name": "unheard_of"})),
        ("tools/call", json!({"name": []})),
        ("tools/list", json!("all")),
        ("tools/list", json!([1])),
        ("tools/list", meta("protocolVersion", json!("2099-01-01"))),
        (
            "tools/list",
            json!({"_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}}),
        ),
    ]
}

/// Tells whether a text is sentences: words from a capital letter, or from the name of a thing, to a full stop.
fn is_sentences(text: &str) -> bool {
    let words = text.split_whitespace().count();
    words >= 5 && text.ends_with('.') && !text.contains('\n')
}

#[tokio::test]
async fn every_text_of_a_protocol_error_is_a_sentence() {
    for era in Era::BOTH {
        let mut session = Program::bare().serve(era).await;
        for (method, params) in wrong_requests() {
            let reply = match params["_meta"].is_null() && params.is_object() {
                true => session.request(method, params.clone()).await,
                false => session.exchange(method, params.clone()).await,
            };
            let message = reply["error"]["message"].as_str();
            let message = message.unwrap_or_else(|| panic!("{era:?} {method} {params}: {reply}"));
            assert!(
                is_sentences(message),
                "{era:?} {method} {params}: {message}"
            );
        }
    }
    let mut session = Program::bare().spawn(Era::Stateless);
    for (method, params) in wrong_requests() {
        let reply = session.exchange(method, params).await;
        let message = reply["error"]["message"].as_str().unwrap();
        assert!(is_sentences(message), "{method}: {message}");
    }
}

#[tokio::test]
async fn metadata_that_lacks_a_part_is_answered_with_the_name_of_that_part() {
    const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
    const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
    let mut session = Program::bare().spawn(Era::Stateless);
    for (name, value) in [
        (VERSION, None),
        (VERSION, Some(json!(20260728))),
        (VERSION, Some(json!(null))),
        (CAPABILITIES, None),
    ] {
        let mut meta = stateless_meta("2026-07-28");
        let members = meta.as_object_mut().unwrap();
        members.remove(name);
        members.extend(value.map(|value| (name.to_owned(), value)));
        for method in ["tools/list", "server/discover"] {
            let error = &session.exchange(method, json!({"_meta": meta})).await["error"];
            assert_eq!(error["code"], -32602, "{meta}");
            let lacks = format!("lacks {name},");
            let message = error["message"].as_str().unwrap();
            assert_says(message, &[&lacks, "2026-07-28"]);
            assert!(!message.contains("Send initialize"), "{message}");
        }
    }
}

#[tokio::test]
async fn a_notification_or_response_before_the_handshake_does_not_end_the_session() {
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
async fn a_request_before_the_handshake_is_told_how_to_open_the_session() {
    let mut session = Program::bare().spawn(Era::USUAL);
    for method in ["tools/list", "server/discover", "unheard/of"] {
        let error = &session.exchange(method, json!({})).await["error"];
        assert_eq!(error["code"], -32602, "{error}");
        let message = error["message"].as_str().unwrap();
        assert_says(message, &["initialize", "params._meta"]);
    }
    let reply = session.exchange("initialize", opening("2025-11-25")).await;
    assert!(reply["result"].is_object(), "{reply}");
    assert_eq!(session.list_tools().await.len(), 3);
}

#[tokio::test]
async fn a_stateless_request_that_lacks_its_metadata_is_told_what_to_send() {
    let mut session = Program::bare().serve(Era::Stateless).await;
    session.list_tools().await;
    for method in ["tools/list", "ping", "server/discover"] {
        let error = &session.exchange(method, json!({})).await["error"];
        assert_eq!(error["code"], -32602, "{error}");
        let message = error["message"].as_str().unwrap();
        assert_says(message, &["io.modelcontextprotocol/clientCapabilities"]);
    }
    assert_eq!(session.list_tools().await.len(), 3);
}

/// Handshakes that clients have really sent, and some that are worse.
fn odd_handshakes() -> Vec<Value> {
    let with = |name: &str, value: Value| {
        let mut params = opening("2025-11-25");
        params[name] = value;
        params
    };
    let icons = json!({"name": "x", "version": "1", "icons": [{"src": "x", "sizes": "48x48"}]});
    vec![
        json!({"protocolVersion": "2025-11-25", "capabilities": {}}),
        json!({"protocolVersion": "2025-11-25"}),
        with("clientInfo", Value::Null),
        with("clientInfo", json!({"name": "x"})),
        with("clientInfo", icons),
        with("capabilities", json!([])),
        with("capabilities", json!({"roots": true})),
        with(
            "capabilities",
            json!({"experimental": [], "sampling": "yes"}),
        ),
        with("protocolVersion", json!(20251125)),
        with("_meta", json!([])),
        with("_meta", json!("x")),
        with("_meta", Value::Null),
        json!({}),
        json!([]),
        json!(["2025-11-25"]),
        json!("2025-11-25"),
        json!(5),
        json!(null),
    ]
}

#[tokio::test]
async fn a_handshake_in_an_odd_form_opens_the_session() {
    for params in odd_handshakes() {
        let mut session = Program::bare().spawn(Era::USUAL);
        let reply = session.exchange("initialize", params.clone()).await;
        assert_eq!(reply["result"]["protocolVersion"], "2025-11-25", "{params}");
        session.notify("notifications/initialized").await;
        assert_eq!(session.list_tools().await.len(), 3, "{params}");
    }
}

#[tokio::test]
async fn a_handshake_without_parameters_opens_the_session() {
    let mut session = Program::bare().spawn(Era::USUAL);
    let reply = session.exchange("initialize", None).await;
    assert_eq!(reply["result"]["protocolVersion"], "2025-11-25", "{reply}");
    assert_eq!(session.list_tools().await.len(), 3);
}

#[tokio::test]
async fn the_version_of_an_odd_handshake_is_kept() {
    let mut session = Program::bare().spawn(Era::USUAL);
    let params = json!({"protocolVersion": "2024-11-05", "capabilities": []});
    let reply = session.exchange("initialize", params).await;
    assert_eq!(reply["result"]["protocolVersion"], "2024-11-05", "{reply}");
}

#[tokio::test]
async fn a_stateless_request_in_an_odd_form_is_served() {
    for (key, value) in [
        ("clientCapabilities", json!([])),
        ("clientCapabilities", json!({"roots": true})),
        ("clientInfo", json!({"name": "x"})),
        (
            "clientInfo",
            json!({"name": "x", "version": "1", "icons": "x"}),
        ),
        ("clientInfo", json!(5)),
    ] {
        let mut session = Program::bare().spawn(Era::Stateless);
        let mut meta = stateless_meta("2026-07-28");
        meta[format!("io.modelcontextprotocol/{key}")] = value;
        for method in ["server/discover", "tools/list"] {
            let reply = session.exchange(method, json!({"_meta": meta})).await;
            assert!(reply["result"].is_object(), "{meta}: {reply}");
        }
    }
}

#[tokio::test]
async fn a_client_that_declares_forms_in_an_odd_form_is_asked() {
    let can_be_asked = [
        json!({"elicitation": []}),
        json!({"elicitation": true}),
        json!({"elicitation": {"form": true, "url": true}}),
        json!({"elicitation": {}, "roots": true}),
    ];
    let cannot = [
        json!({"elicitation": false, "roots": true}),
        json!({"elicitation": null, "roots": true}),
        json!({"elicitation": {"url": true}}),
    ];
    for era in Era::BOTH {
        for capabilities in &can_be_asked {
            let refused = deletion_unanswered(era, capabilities).await;
            assert!(!refused, "{era:?} {capabilities}");
        }
        for capabilities in &cannot {
            let refused = deletion_unanswered(era, capabilities).await;
            assert!(refused, "{era:?} {capabilities}");
        }
    }
}

/// Tells whether a deletion that has to be confirmed is refused because nobody can be asked.
async fn deletion_unanswered(era: Era, capabilities: &Value) -> bool {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = Program::at(&sandbox, Persona::WorkspaceAdmin)
        .args(&["--confirm", "always"])
        .capable(capabilities.clone())
        .serve(era)
        .await;
    let one = json!({"service_account_id": CI_DEPLOY, "workspace_id": ANALYTICS});
    session.send_call("delete_service_account", one).await;
    let message = session.message().await.unwrap();
    let asked = message["method"] == "elicitation/create"
        || message["result"]["resultType"] == "input_required";
    assert_ne!(asked, message["result"]["isError"] == true, "{message}");
    !asked
}

#[tokio::test]
async fn a_version_from_the_future_is_refused_and_the_session_goes_on() {
    let mut session = Program::bare().spawn(Era::Stateless);
    let params = json!({"_meta": stateless_meta("2099-01-01")});
    let error = &session.exchange("tools/list", params).await["error"];
    assert_eq!(error["code"], -32022, "{error}");
    let message = error["message"].as_str().unwrap();
    assert_says(message, &["'2099-01-01'", "2025-11-25, 2026-07-28"]);
    assert_eq!(error["data"]["requested"], "2099-01-01");
    assert_eq!(error["data"]["supported"].as_array().unwrap().len(), 5);
    assert_eq!(session.list_tools().await.len(), 3);
}

#[tokio::test]
async fn a_handshake_in_an_unknown_version_is_offered_a_known_one() {
    let mut session = Program::bare().spawn(Era::USUAL);
    let reply = session.exchange("initialize", opening("1999-01-01")).await;
    assert_eq!(reply["result"]["protocolVersion"], "2025-11-25");
}

#[tokio::test]
async fn lines_that_are_no_messages_do_not_end_the_session() {
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
async fn the_end_of_input_before_any_request_is_a_success() {
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
