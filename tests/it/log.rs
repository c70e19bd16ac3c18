//! The log never holds the server up: lines that nobody reads are dropped and counted.

use std::process::Stdio;

use apc_sandbox::{Persona, Sandbox};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};

use crate::support::clients::*;
use crate::support::harness::*;

/// More lines than the pipe of standard error and the queue before it can take.
const LINES: usize = 3_000;

/// A client that reads standard output and nothing of standard error.
struct Deaf {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    /// Its home has to outlive the server.
    _program: Program,
}

impl Deaf {
    async fn start(program: Program) -> Self {
        let mut child = program.command().stderr(Stdio::piped()).spawn().unwrap();
        let mut client = Self {
            input: child.stdin.take().unwrap(),
            output: BufReader::new(child.stdout.take().unwrap()).lines(),
            child,
            _program: program,
        };
        client.ask("initialize", opening("2025-11-25")).await;
        client
            .write(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)
            .await;
        client
    }

    async fn write(&mut self, line: &str) {
        let line = format!("{line}\n");
        let written = self.input.write_all(line.as_bytes());
        patient("the server reads", written).await.unwrap();
    }

    async fn ask(&mut self, method: &str, params: Value) -> Value {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        self.write(&request.to_string()).await;
        let line = patient("an answer comes", self.output.next_line()).await;
        serde_json::from_str(&line.unwrap().unwrap()).unwrap()
    }

    /// Sends lines that are worth a warning each.
    async fn provoke_warnings(&mut self) {
        for _ in 0..LINES {
            self.write(r#"{"jsonrpc":"2.0","surprise":true}"#).await;
        }
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_server_whose_standard_error_nobody_reads_answers_and_ends() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut client = Deaf::start(guarded(&sandbox, Persona::WorkspaceAdmin)).await;
    client.provoke_warnings().await;
    let call = json!({"name": CREATE_TOOL, "arguments": new("etl")});
    let created = client.ask("tools/call", call).await;
    assert_eq!(created["result"]["isError"], false, "{created}");
    let id = client.child.id().unwrap().to_string();
    let asked = std::process::Command::new("kill")
        .args(["-TERM", &id])
        .status();
    assert!(asked.unwrap().success());
    let ended = patient("the server ends", client.child.wait()).await;
    assert!(ended.unwrap().success());
}

#[tokio::test]
async fn dropped_lines_are_counted_when_there_is_room_again() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut client = Deaf::start(guarded(&sandbox, Persona::WorkspaceAdmin)).await;
    client.provoke_warnings().await;
    client.ask("tools/list", json!({})).await;
    let mut errors = client.child.stderr.take().unwrap();
    drop(client.input);
    let mut log = String::new();
    let read = errors.read_to_string(&mut log);
    patient("the server ends", read).await.unwrap();
    let (gaps, whole): (Vec<_>, Vec<_>) = log.lines().partition(|line| line.contains("missing="));
    let missing = gaps.iter().map(|line| line.rsplit_once('=').unwrap().1);
    let missing: usize = missing.map(|number| number.parse::<usize>().unwrap()).sum();
    assert!(
        missing > 0 && whole.len() > 256,
        "{missing} {}",
        whole.len()
    );
    assert_eq!(whole.len() + missing, LINES);
}

/// A server that has nothing to say has no thread for saying it.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_log_costs_no_thread_until_its_first_line() {
    let threads = |process: u32| {
        let tasks = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
        let names = tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")));
        names
            .filter(|name| name.as_ref().is_ok_and(|name| name == "log\n"))
            .count()
    };
    let mut session = guarded(&Sandbox::start(0).await.unwrap(), Persona::WorkspaceAdmin)
        .serve(Era::USUAL)
        .await;
    session.list_tools().await;
    assert_eq!(threads(session.id()), 0);
    session
        .raw_line(r#"{"jsonrpc":"2.0","surprise":true}"#)
        .await;
    let process = session.id();
    // A thread gives itself its name, after it was started.
    until("the thread of the log starts", || threads(process) == 1).await;
    assert!(session.close_stdin_and_wait().await.success());
    assert_eq!(session.stderr().await.lines().count(), 1);
}

#[tokio::test]
async fn a_line_in_utf16_is_named_as_that() {
    let ping = "{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"ping\"}\n";
    for text in [ping.to_owned(), format!("\u{feff}{ping}")] {
        let program = Program::bare();
        let mut child = program.command().spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        let line: Vec<_> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        input.write_all(&line).await.unwrap();
        drop(input);
        let ended = patient("the server ends", child.wait_with_output()).await;
        let ended = ended.unwrap();
        assert!(ended.status.success());
        assert_eq!(ended.stdout, b"");
        let log = String::from_utf8(ended.stderr).unwrap();
        assert_says(&log, &["WARN", "UTF-16", "UTF-8"]);
    }
}
