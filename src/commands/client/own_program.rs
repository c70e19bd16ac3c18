//! A client's own program, run to change or tell its configuration.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::entry::NAME;

/// Runs a command of the client, or returns the reason why it failed. Its words go to standard error, so that standard
/// output stays empty.
pub fn run(program: &Path, words: &[String]) -> Result<(), String> {
    let ended = Command::new(program)
        .args(words.iter().skip(1))
        .stdin(Stdio::null())
        .stdout(io::stderr())
        .status();
    match ended {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(status.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

/// The entry as Codex tells it, whose file is in TOML.
pub fn told(program: &Path) -> Option<Value> {
    let ended = Command::new(program)
        .args(["mcp", "get", NAME, "--json"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()
        .filter(|ended| ended.status.success())?;
    let mut told: Value = serde_json::from_slice(&ended.stdout).ok()?;
    told.get_mut("transport").map(Value::take)
}
