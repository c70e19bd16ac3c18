//! `apc-mcp client`: each client can read its snippet, and the snippet starts the server as it stands.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::harness::*;

/// Each client, and the object its configuration has entries in.
const CLIENTS: [(&str, &str); 7] = [
    ("claude-code", "mcpServers"),
    ("claude-desktop", "mcpServers"),
    ("cursor", "mcpServers"),
    ("vscode", "servers"),
    ("codex", "mcp_servers"),
    ("gemini", "mcpServers"),
    ("zed", "context_servers"),
];

async fn printed(client: &str, flags: &[&str]) -> Ended {
    let program = Program::bare().args(&["client", client]).args(flags);
    let ended = program.run().await;
    assert!(ended.status.success(), "{}", ended.stderr);
    ended
}

/// The entry as the client reads it, all of standard output being one file.
fn entry(client: &str, root: &str, text: &str) -> Value {
    let file: Value = match client {
        "codex" => toml::from_str(text).expect("TOML"),
        _ => serde_json::from_str(text).expect("JSON"),
    };
    assert_eq!(keys(&file), [root], "{client}");
    assert_eq!(keys(&file[root]), ["apc-mcp"], "{client}");
    file[root]["apc-mcp"].clone()
}

fn arguments(entry: &Value) -> Vec<String> {
    serde_json::from_value(entry["args"].clone()).unwrap()
}

#[tokio::test]
async fn every_snippet_starts_this_program_which_lists_its_tools() {
    for (client, root) in CLIENTS {
        let printed = printed(client, &["--sandbox"]).await;
        let entry = entry(client, root, &printed.stdout);
        let command = entry["command"].as_str().unwrap();
        assert!(Path::new(command).is_absolute() && Path::new(command).is_file());
        let program = Program::bare().named(command).args(&arguments(&entry));
        let mut session = program.serve(Era::USUAL).await;
        assert_eq!(session.list_tools().await.len(), 3, "{client}");
        let found = session.call("get_service_accounts", json!({})).await;
        assert!(!found.is_error(), "{}", found.text());
        assert!(session.close_stdin_and_wait().await.success());
    }
}

#[tokio::test]
async fn a_snippet_holds_nothing_that_a_client_would_have_to_fill_in() {
    for (client, root) in CLIENTS {
        let printed = printed(client, &[]).await;
        assert!(!printed.stdout.contains("${"), "{client}");
        let entry = entry(client, root, &printed.stdout);
        let expected: &[&str] = match client {
            "vscode" => &["args", "command", "type"],
            _ => &["args", "command"],
        };
        assert_eq!(keys(&entry), expected, "{client}");
        assert_eq!(entry["args"], json!([]));
    }
}

#[tokio::test]
async fn vscode_is_told_the_transport() {
    let printed = printed("vscode", &[]).await;
    assert_eq!(entry("vscode", "servers", &printed.stdout)["type"], "stdio");
}

#[tokio::test]
async fn flags_are_carried_over_and_paths_made_absolute() {
    for (client, root) in CLIENTS {
        let flags = [
            "--read-only",
            "--domain",
            "acme.dev",
            "--allow-workspace=ck1",
            "--allow-workspace=ck2",
            "--api-token-file",
            "secret \"token\"",
        ];
        let program = Program::bare().args(&["client", client]).args(&flags);
        let token_file = program.path("secret \"token\"");
        let ended = program.run().await;
        let mut carried = arguments(&entry(client, root, &ended.stdout));
        carried.sort();
        let expected = [
            "--allow-workspace=ck1",
            "--allow-workspace=ck2",
            &format!("--api-token-file={token_file}"),
            "--domain=acme.dev",
            "--read-only",
        ];
        assert_eq!(carried, expected, "{client}");
    }
}

#[tokio::test]
async fn the_file_and_the_way_to_sign_in_are_told_on_standard_error() {
    for (client, file) in [
        ("claude-code", ".mcp.json"),
        ("claude-desktop", "claude_desktop_config.json"),
        ("cursor", "~/.cursor/mcp.json"),
        ("vscode", ".vscode/mcp.json"),
        ("codex", "~/.codex/config.toml"),
        ("gemini", "~/.gemini/settings.json"),
        ("zed", "~/.config/zed/settings.json"),
    ] {
        let printed = printed(client, &[]).await;
        assert_says(&printed.stderr, &[file, "astro login", "--api-token-file"]);
    }
}

#[tokio::test]
async fn a_token_in_the_environment_stays_there() {
    let program = Program::bare()
        .args(&["client", "cursor"])
        .env("APC_API_TOKEN", UNKNOWN_KEY)
        .env("APC_DOMAIN", "acme.dev");
    let ended = program.run().await;
    assert!(!format!("{}{}", ended.stdout, ended.stderr).contains(UNKNOWN_KEY));
}

#[tokio::test]
async fn an_unknown_client_is_refused_with_those_there_are() {
    let ended = Program::bare().args(&["client", "emacs"]).run().await;
    assert_eq!(ended.status.code(), Some(2));
    assert_eq!(ended.stdout, "");
    for (client, _) in CLIENTS {
        assert_says(&ended.stderr, &[client]);
    }
}

#[tokio::test]
async fn a_broken_flag_is_refused_and_not_carried_over() {
    let program = Program::bare().args(&["client", "cursor", "--timeout", "soon"]);
    let ended = program.run().await;
    assert_eq!(ended.status.code(), Some(2));
    assert_says(&ended.stderr, &["--timeout is 'soon'"]);
}

/// The blocks of a language in the README.
fn blocks(language: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    let fence = format!("```{language}\n");
    let blocks = readme.split(&fence).skip(1);
    blocks
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn the_readme_shows_the_snippet_of_every_client() {
    let json = blocks("json")
        .into_iter()
        .map(|text| serde_json::from_str::<Value>(&text).unwrap());
    let toml = blocks("toml")
        .into_iter()
        .map(|text| toml::from_str::<Value>(&text).unwrap());
    let shown: Vec<Value> = json.chain(toml).collect();
    for (client, root) in CLIENTS {
        let printed = printed(client, &[]).await;
        let mut entry = entry(client, root, &printed.stdout);
        entry["command"] = json!("apc-mcp");
        let file = json!({root: {"apc-mcp": entry}});
        assert!(shown.contains(&file), "{client}: {file}");
    }
}
