//! A player behind a command line: any client with a model that can start a server over stdio.
//! The server stands between two copies of what passes, from which calls and characters are counted.

use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::Played;
use super::task::Task;
use crate::support::harness::Program;

/// Runs a player with the request of a task on its standard input. `MCP_CONFIG` is the path of a configuration with the
/// server in it, `MCP_SERVER` the shell command that starts it, and `REQUEST` the request once more. Its output is the
/// answer.
pub async fn play(player: &str, task: &Task, program: &Program) -> Played {
    let folder = TempDir::new().unwrap();
    let server = recorded(folder.path(), program);
    let entry = json!({"command": "sh", "args": ["-c", server]});
    let config = folder.path().join("mcp.json");
    let text = json!({"mcpServers": {"apc-mcp": entry}}).to_string();
    std::fs::write(&config, text).unwrap();
    let mut child = Command::new("sh")
        .args(["-c", player])
        .env("MCP_CONFIG", &config)
        .env("MCP_SERVER", &server)
        .env("REQUEST", &task.request)
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    // A player that takes the request from its environment need not read it here.
    let _ = input.write_all(task.request.as_bytes()).await;
    drop(input);
    let output = child.wait_with_output().await.unwrap();
    let (calls, characters) = counted(folder.path());
    Played {
        calls,
        characters,
        answer: String::from_utf8_lossy(&output.stdout).into_owned(),
    }
}

/// The shell command of the server, with a copy of each line that passes.
fn recorded(folder: &Path, program: &Program) -> String {
    let command = program.command();
    let command = command.as_std();
    let variables = command.get_envs();
    let variables = variables.filter_map(|(name, value)| Some((name, value?)));
    let set = variables
        .map(|(name, value)| format!("{}={}", name.display(), quoted(&value.to_string_lossy())));
    let words = [command.get_program()]
        .into_iter()
        .chain(command.get_args());
    let words = words.map(|word| quoted(&word.to_string_lossy()));
    let all: Vec<_> = set.chain(words).collect();
    let copy = |name: &str| quoted(&folder.join(name).to_string_lossy());
    format!(
        "tee -a {} | env -i PATH=\"$PATH\" {} | tee -a {}",
        copy("asked.jsonl"),
        all.join(" "),
        copy("answered.jsonl")
    )
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The calls that were made, and the characters of their results.
fn counted(folder: &Path) -> (usize, usize) {
    let lines = |name: &str| {
        let text = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        let lines = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        lines.collect::<Vec<Value>>()
    };
    let asked = lines("asked.jsonl");
    let calls = asked.iter().filter(|line| line["method"] == "tools/call");
    let ids: Vec<_> = calls.map(|call| &call["id"]).collect();
    let answered = lines("answered.jsonl");
    let texts = answered
        .iter()
        .filter(|line| line.get("method").is_none() && ids.contains(&&line["id"]))
        .filter_map(|line| line["result"]["content"][0]["text"].as_str());
    let characters = texts.map(|text| text.chars().count()).sum();
    (ids.len(), characters)
}
