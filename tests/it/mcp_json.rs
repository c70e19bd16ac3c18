//! mcp.json: both of its entries start the server, which is found in the `PATH`, with nothing to fill in.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::harness::*;

fn text() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("mcp.json");
    std::fs::read_to_string(path).expect("mcp.json is there")
}

fn entry(name: &str) -> Value {
    let mut config: Value = serde_json::from_str(&text()).expect("mcp.json is JSON");
    let entry = config["mcpServers"][name].take();
    assert!(entry.is_object(), "mcp.json has no entry {name}");
    entry
}

/// The program that a client starts by this entry, installed in the `PATH`.
fn program(name: &str) -> Program {
    let entry = entry(name);
    let installed = Path::new(env!("CARGO_BIN_EXE_apc-mcp")).parent().unwrap();
    let arguments: Vec<String> = serde_json::from_value(entry["args"].clone()).unwrap();
    let mut program = Program::bare()
        .named(entry["command"].as_str().unwrap())
        .args(&arguments)
        .env("PATH", installed.to_str().unwrap());
    for (variable, value) in entry["env"].as_object().into_iter().flatten() {
        program = program.env(variable, value.as_str().unwrap());
    }
    program
}

#[test]
fn the_configuration_holds_an_entry_to_use_and_one_to_try() {
    let config: Value = serde_json::from_str(&text()).unwrap();
    assert_eq!(keys(&config["mcpServers"]), ["apc-mcp", "apc-mcp-sandbox"]);
    for name in ["apc-mcp", "apc-mcp-sandbox"] {
        assert_eq!(entry(name)["command"], "apc-mcp");
    }
    assert_eq!(entry("apc-mcp-sandbox")["args"], json!(["--sandbox"]));
}

#[test]
fn the_configuration_asks_no_client_to_fill_anything_in() {
    assert!(!text().contains("${"));
}

#[tokio::test]
async fn the_real_entry_starts_lists_its_tools_and_says_what_is_missing() {
    for era in Era::ALL {
        let mut session = program("apc-mcp").serve(era).await;
        assert_eq!(session.list_tools().await.len(), 3, "{era:?}");
        let refused = session.call("get_service_accounts", json!({})).await;
        refused.refusal("not_configured");
        assert!(session.close_stdin_and_wait().await.success());
    }
}

#[tokio::test]
async fn the_sandbox_entry_starts_and_creates_an_account() {
    for era in Era::ALL {
        let mut session = program("apc-mcp-sandbox").serve(era).await;
        assert_eq!(session.list_tools().await.len(), 3, "{era:?}");
        let found = session.call("get_service_accounts", json!({})).await;
        let workspaces = found.structured()["workspaces"].as_array().unwrap();
        assert_eq!(workspaces.len(), 2);
        let new = json!({"label": "etl", "workspace_id": workspaces[0]["id"]});
        let created = session.call("create_service_account", new).await;
        assert_eq!(created.account()["label"], "etl");
        assert!(session.close_stdin_and_wait().await.success());
    }
}
