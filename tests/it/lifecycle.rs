//! The end of a session: by the end of input, a signal, or a closed output; and the reads under way then.

use std::process::{Command as StdCommand, ExitStatus, Stdio};
use std::time::Duration;

use apc_sandbox::{Entity, Fault, NewAccount, On, Persona, Role, Sandbox};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::harness::*;
use crate::support::standin::{Play, StandIn};

const TOOL: &str = "get_service_accounts";

/// The signals that ask a process to end.
#[cfg(unix)]
const SIGNALS: [&str; 4] = ["-TERM", "-INT", "-HUP", "-QUIT"];

fn kill(signal: &str, process: u32) {
    let sent = StdCommand::new("kill")
        .args([signal, &process.to_string()])
        .status();
    assert!(sent.unwrap().success());
}

fn in_analytics() -> Value {
    json!({"workspace_id": ANALYTICS})
}

/// Waits for the end, which has to be a success. A request that hangs would hold it up for longer than a test waits.
async fn ends(session: &mut Session) {
    let status = session.wait().await;
    assert!(status.success(), "{status}");
}

async fn hanging() -> (Sandbox, StandIn, Session) {
    let sandbox = Sandbox::start(0).await.unwrap();
    let standin = StandIn::before(&sandbox).await;
    let session = Program::at(&sandbox, Persona::WorkspaceAdmin)
        .env("APC_API_URL", standin.url())
        // Longer than any test here waits.
        .env("APC_TIMEOUT", "300")
        .serve(Era::USUAL)
        .await;
    standin.arm(LIST, Play::Hang, false, 0);
    (sandbox, standin, session)
}

/// A call that the API has and does not answer.
async fn hanging_call(standin: &StandIn, session: &mut Session) -> u64 {
    let before = standin.seen(LIST);
    let id = session.send_call(TOOL, in_analytics()).await;
    until("the API has it", || standin.seen(LIST) > before).await;
    id
}

async fn until(what: &str, done: impl Fn() -> bool) {
    let waited = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    patient(what, waited).await;
}

#[tokio::test]
async fn reads_in_flight_at_the_end_of_input_are_answered_first() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = Session::start(Era::USUAL, &sandbox).await;
    let slow = Fault::Delay(Duration::from_millis(500));
    sandbox.handle().inject(slow, On::Field(LIST), 20);
    let mut sent = Vec::new();
    for _ in 0..20 {
        sent.push(session.send_call(TOOL, in_analytics()).await);
    }
    assert!(session.close_stdin_and_wait().await.success());
    for id in sent {
        assert_eq!(session.outcome(TOOL, id).await.structured()["total"], 4);
    }
}

#[tokio::test]
async fn a_read_that_hangs_delays_the_end_by_a_few_seconds_at_most() {
    let (_sandbox, standin, mut session) = hanging().await;
    hanging_call(&standin, &mut session).await;
    assert!(session.close_stdin_and_wait().await.success());
    assert_eq!(session.stderr().await, "");
}

#[cfg(unix)]
#[tokio::test]
async fn a_signal_before_the_handshake_ends_the_server_without_a_word() {
    for signal in SIGNALS {
        let mut session = Program::bare().spawn(Era::USUAL);
        // Once it answers, it listens for signals.
        session.exchange("ping", json!({})).await;
        kill(signal, session.id());
        ends(&mut session).await;
        assert_eq!(session.stderr().await, "", "{signal}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_signal_ends_an_open_session_with_success() {
    for signal in SIGNALS {
        let mut session = Program::bare().serve(Era::USUAL).await;
        session.list_tools().await;
        kill(signal, session.id());
        ends(&mut session).await;
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_signal_answers_calls_that_hang() {
    for signal in SIGNALS {
        let (_sandbox, standin, mut session) = hanging().await;
        let mut sent = Vec::new();
        for _ in 0..5 {
            sent.push(hanging_call(&standin, &mut session).await);
        }
        kill(signal, session.id());
        ends(&mut session).await;
        for id in sent {
            let stopped = session.outcome(TOOL, id).await;
            assert_says(
                stopped.refusal("internal_error"),
                &["cancelled", "stopping"],
            );
        }
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_signal_leaves_a_call_the_time_to_end() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = Session::start(Era::USUAL, &sandbox).await;
    let slow = Fault::Delay(Duration::from_millis(300));
    sandbox.handle().inject(slow, On::Field(LIST), 1);
    let id = session.send_call(TOOL, in_analytics()).await;
    let handle = sandbox.handle();
    until("the API has it", || count(&handle, LIST) == 1).await;
    kill("-TERM", session.id());
    ends(&mut session).await;
    assert_eq!(session.outcome(TOOL, id).await.structured()["total"], 4);
}

#[tokio::test]
async fn a_cancelled_read_drops_its_request_and_gets_no_answer() {
    let (_sandbox, standin, mut session) = hanging().await;
    let id = hanging_call(&standin, &mut session).await;
    let cancel =
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}});
    session.raw_line(&cancel.to_string()).await;
    until("the connection closes", || standin.left() == 1).await;
    standin.disarm();
    let next = session.call(TOOL, in_analytics()).await;
    assert_eq!(next.structured()["total"], 4);
    assert!(session.close_stdin_and_wait().await.success());
    assert!(!session.has_reply(id));
}

#[tokio::test]
async fn an_output_that_is_closed_ends_the_server() {
    let mut session = Program::bare().serve(Era::USUAL).await;
    session.close_stdout();
    session.notify("notifications/initialized").await;
    session
        .raw_line(r#"{"jsonrpc":"2.0","id":9,"method":"ping"}"#)
        .await;
    let status = session.exit().await;
    assert!(status.success(), "{status}");
}

#[tokio::test]
async fn an_output_that_nobody_reads_does_not_delay_the_end() {
    for by_signal in [false, true] {
        let mut session = Program::bare().serve(Era::USUAL).await;
        // Far more than a pipe holds.
        for id in 100..200 {
            let list = json!({"jsonrpc": "2.0", "id": id, "method": "tools/list"});
            session.raw_line(&list.to_string()).await;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        match by_signal {
            true => kill("-TERM", session.id()),
            false => session.close_stdin(),
        }
        let status = session.exit().await;
        assert!(status.success(), "{by_signal}: {status}");
    }
}

/// More than a pipe holds, and less than a page may have.
const LARGE: usize = 55_000;

#[cfg(unix)]
#[tokio::test]
async fn a_signal_cuts_no_large_answer_that_is_being_written() {
    for signal in SIGNALS {
        let sandbox = Sandbox::start(0).await.unwrap();
        for number in 0..200 {
            let label = format!("{number}-{}", "x".repeat(200));
            let analytics = Entity::Workspace(ANALYTICS.to_owned());
            let account = NewAccount::new(label, Role::WorkspaceViewer, analytics);
            sandbox.handle().add_account(account);
        }
        let mut session = Session::start(Era::USUAL, &sandbox).await;
        let handle = sandbox.handle();
        let mut sent = Vec::new();
        for number in 1..=5 {
            let all = json!({"workspace_id": ANALYTICS, "limit": 200});
            sent.push(session.send_call(TOOL, all).await);
            until("the API has it", || count(&handle, LIST) == number).await;
        }
        // Nobody reads yet, so the first answer fills the pipe.
        kill(signal, session.id());
        for id in sent {
            let found = session.outcome(TOOL, id).await;
            assert!(found.text().len() > LARGE, "{}", found.text().len());
        }
        ends(&mut session).await;
    }
}

/// The entries of the server's own directory for temporary files.
fn temporary_files(session: &Session) -> Vec<String> {
    let entries = std::fs::read_dir(session.home().join(".tmp")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

#[cfg(unix)]
#[tokio::test]
async fn a_sandbox_leaves_no_temporary_files_however_its_session_ends() {
    let ends = [&["end of input", "closed output"][..], &SIGNALS].concat();
    for end in ends {
        let program = Program::bare().args(&["--sandbox"]);
        let mut session = program.serve(Era::USUAL).await;
        let new = json!({"label": "etl", "workspace_id": ANALYTICS});
        let created = session.call("create_service_account", new).await;
        assert!(!created.is_error(), "{}", created.text());
        assert_eq!(temporary_files(&session).len(), 1, "{end}");
        match end {
            "end of input" => session.close_stdin(),
            "closed output" => {
                session.close_stdout();
                session
                    .raw_line(r#"{"jsonrpc":"2.0","id":9,"method":"ping"}"#)
                    .await;
            }
            signal => kill(signal, session.id()),
        }
        assert!(session.exit().await.success(), "{end}");
        assert_eq!(temporary_files(&session), Vec::<String>::new(), "{end}");
    }
}

// Files, sockets and terminals in place of pipes.

fn conversation() -> String {
    let open =
        json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": opening("2025-11-25")});
    let list = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"});
    format!("{open}\n{list}\n")
}

fn assert_conversation(output: &str) {
    let ids: Vec<_> = output
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].clone())
        .collect();
    assert_eq!(ids, [1, 2], "{output}");
}

#[tokio::test]
async fn files_serve_as_input_and_output() {
    let program = Program::bare().file("in", &conversation());
    let (input, output) = (program.path("in"), program.path("out"));
    let mut command = program.command();
    command
        .stdin(std::fs::File::open(input).unwrap())
        .stdout(std::fs::File::create(&output).unwrap());
    let status = patient("it ends", command.status()).await.unwrap();
    assert!(status.success());
    assert_conversation(&std::fs::read_to_string(output).unwrap());
}

/// The shell lowers the limit and becomes the server.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_server_that_may_open_too_few_files_says_so_and_fails() {
    for limit in [4, 5, 6, 7, 8] {
        let server = format!("ulimit -n {limit}; exec {}", env!("CARGO_BIN_EXE_apc-mcp"));
        let program = Program::bare().named("/bin/sh").args(&["-c", &server]);
        let ended = program.run().await;
        assert_eq!(ended.status.code(), Some(1), "{limit}: {}", ended.stderr);
        assert_says(
            &ended.stderr,
            &["apc-mcp: the runtime cannot start", "ulimit -n"],
        );
        assert_eq!(ended.stdout, "");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_socket_serves_as_input_and_output_and_a_signal_ends_it() {
    let program = Program::bare();
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let mut command = program.command();
    command
        .stdin(Stdio::from(std::os::fd::OwnedFd::from(
            theirs.try_clone().unwrap(),
        )))
        .stdout(Stdio::from(std::os::fd::OwnedFd::from(theirs)));
    let mut child = command.spawn().unwrap();
    drop(command);
    ours.set_nonblocking(true).unwrap();
    let mut ours = tokio::net::UnixStream::from_std(ours).unwrap();
    ours.write_all(conversation().as_bytes()).await.unwrap();
    let mut output = vec![0; 64 * 1024];
    let mut read = 0;
    while output[..read].iter().filter(|byte| **byte == b'\n').count() < 2 {
        read += patient("it answers", ours.read(&mut output[read..]))
            .await
            .unwrap();
    }
    assert_conversation(std::str::from_utf8(&output[..read]).unwrap());
    // The read from a socket blocks a thread, and the end must not wait for it.
    kill("-TERM", child.id().unwrap());
    let status = patient("it ends", child.wait()).await.unwrap();
    assert!(status.success(), "{status}");
}

/// `script` gives its command a terminal. Where it is not installed there is nothing to try.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_terminal_serves_as_input_and_a_signal_ends_it() {
    let program = Program::bare();
    let path = std::env::var("PATH").unwrap_or_default();
    let server = format!("exec {} 2>&1", env!("CARGO_BIN_EXE_apc-mcp"));
    let mut command = tokio::process::Command::new("script");
    command
        .args(["-qec", &server, "/dev/null"])
        .env_clear()
        .env("HOME", program.path(""))
        .env("PATH", path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    let Ok(mut child) = command.spawn() else {
        return;
    };
    let mut input = child.stdin.take().unwrap();
    let mut output = child.stdout.take().unwrap();
    input.write_all(conversation().as_bytes()).await.unwrap();
    let mut seen = String::new();
    let answered = async {
        let mut chunk = [0; 4096];
        while !seen.contains("\"tools\":[") {
            let read = output.read(&mut chunk).await.unwrap();
            assert_ne!(read, 0, "{seen}");
            seen.push_str(&String::from_utf8_lossy(&chunk[..read]));
        }
    };
    patient("it answers", answered).await;
    // Control-C, as a terminal sends it.
    input.write_all(b"\x03").await.unwrap();
    let drained = async {
        let _ = output.read_to_end(&mut Vec::new()).await;
        child.wait().await.unwrap()
    };
    let status: ExitStatus = patient("it ends", drained).await;
    assert!(status.success(), "{status}: {seen}");
}
