//! `apc-mcp call` and `apc-mcp sandbox`: the tools from a terminal or a script.

use std::process::Stdio;

use apc_mcp::session::LINE_MAX;
use apc_sandbox::{Fault, On, Persona, Sandbox};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

use crate::support::harness::*;

async fn sandbox() -> Sandbox {
    Sandbox::start(0).await.unwrap()
}

fn call(sandbox: &Sandbox, arguments: &[&str]) -> Program {
    Program::at(sandbox, Persona::WorkspaceAdmin)
        .args(&["call"])
        .args(arguments)
}

/// A command for what the harness cannot do: write to its input, be a terminal, be interrupted.
fn command(sandbox: &Sandbox, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_apc-mcp"));
    command
        .args(arguments)
        .env_clear()
        // Nothing can be made below it, not even by root.
        .env("HOME", "/dev/null")
        .env("APC_API_URL", sandbox.url())
        .env("APC_API_TOKEN", sandbox.token(Persona::WorkspaceAdmin))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

#[cfg(unix)]
async fn interrupt(child: &Child) {
    let id = child.id().unwrap().to_string();
    let done = Command::new("kill").args(["-INT", &id]).status().await;
    assert!(done.unwrap().success());
}

#[tokio::test]
async fn the_structured_result_is_json_on_standard_output() {
    let sandbox = sandbox().await;
    let ended = call(&sandbox, &["get_service_accounts", r#"{"label": "ci-"}"#])
        .run()
        .await;
    assert!(ended.status.success(), "{}", ended.stderr);
    let result: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(result["service_accounts"][0]["id"], CI_DEPLOY);
    assert_eq!(ended.stderr, "");
}

#[tokio::test]
async fn a_call_may_have_no_arguments() {
    let sandbox = sandbox().await;
    let ended = call(&sandbox, &["get_service_accounts"]).run().await;
    let result: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(result["total"], 6);
}

#[tokio::test]
async fn arguments_come_from_standard_input_where_a_hyphen_stands_for_them() {
    let sandbox = sandbox().await;
    let mut command = command(&sandbox, &["call", "get_service_accounts", "-"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"{\"limit\": 1}\n").await.unwrap();
    drop(input);
    let output = patient("it ends", child.wait_with_output()).await.unwrap();
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(result["next_cursor"].is_string());
}

#[tokio::test]
async fn a_byte_order_mark_on_standard_input_is_dropped_and_utf16_is_named() {
    let sandbox = sandbox().await;
    let arguments = ["call", "get_service_accounts", "-"];
    let marked = "\u{feff}{\"limit\": 1}".as_bytes().to_vec();
    let output = run_with_input(command(&sandbox, &arguments), marked).await;
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result["service_accounts"].as_array().unwrap().len(), 1);
    let units = "\u{feff}{\"limit\": 1}".encode_utf16();
    let utf16 = units.flat_map(u16::to_le_bytes).collect();
    let output = run_with_input(command(&sandbox, &arguments), utf16).await;
    assert_eq!(output.status.code(), Some(2));
    let says = ["standard input", "UTF-16", "UTF-8"];
    assert_says(&String::from_utf8(output.stderr).unwrap(), &says);
}

/// Runs a command with so much on its input, to its end.
async fn run_with_input(mut command: Command, input: Vec<u8>) -> std::process::Output {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut to = child.stdin.take().unwrap();
    let written = tokio::spawn(async move { to.write_all(&input).await });
    let output = patient("it ends", child.wait_with_output()).await.unwrap();
    // It need not have read all of it.
    let _ = written.await.unwrap();
    output
}

fn label_of(length: usize) -> Vec<u8> {
    json!({"label": "x".repeat(length)})
        .to_string()
        .into_bytes()
}

#[tokio::test]
async fn arguments_that_do_not_fit_into_a_line_are_refused() {
    let sandbox = sandbox().await;
    for (length, code, says) in [
        (LINE_MAX - 20, 1, "longer than 4194304 bytes"),
        (LINE_MAX + 1, 2, "longer than 4194304 bytes"),
    ] {
        let command = command(&sandbox, &["call", "get_service_accounts", "-"]);
        let output = run_with_input(command, label_of(length)).await;
        assert_eq!(output.status.code(), Some(code), "{length}");
        assert_says(&String::from_utf8(output.stderr).unwrap(), &[says]);
    }
    assert_eq!(sandbox.handle().requests(), []);
}

#[tokio::test]
async fn arguments_that_just_fit_into_a_line_reach_the_tool() {
    let sandbox = sandbox().await;
    let command = command(&sandbox, &["call", "get_service_accounts", "-"]);
    let output = run_with_input(command, label_of(LINE_MAX - 200)).await;
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_says(&stderr, &["invalid_arguments: label is "]);
}

#[tokio::test]
async fn an_error_is_told_on_standard_error_and_by_the_exit_code() {
    let sandbox = sandbox().await;
    let ended = call(&sandbox, &["get_service_accounts", r#"{"limit": 201}"#])
        .run()
        .await;
    assert_eq!(ended.status.code(), Some(1));
    assert_eq!(ended.stdout, "");
    assert!(
        ended.stderr.starts_with("invalid_arguments: limit is 201"),
        "{}",
        ended.stderr
    );
}

#[tokio::test]
async fn without_settings_it_says_what_is_missing() {
    let ended = Program::bare()
        .args(&["call", "get_service_accounts"])
        .run()
        .await;
    assert_eq!(ended.status.code(), Some(1));
    assert_says(
        &ended.stderr,
        &["not_configured: ", "astro login", "APC_DOMAIN"],
    );
}

#[tokio::test]
async fn a_flag_that_cannot_be_used_is_corrected_in_the_command_and_not_in_the_shell() {
    let sandbox = sandbox().await;
    let program = Program::at(&sandbox, Persona::WorkspaceAdmin);
    let path = program.path("no/such/folder/log");
    let by_flag = program
        .run_with(&["call", "get_service_accounts", "--log-file", &path])
        .await;
    assert_says(
        &by_flag.stderr,
        &["--log-file names", "Correct it in the command"],
    );
    assert!(!by_flag.stderr.contains("this shell"), "{}", by_flag.stderr);
    let by_variable = program
        .env("APC_LOG_FILE", &path)
        .run_with(&["call", "get_service_accounts"])
        .await;
    assert_says(
        &by_variable.stderr,
        &["APC_LOG_FILE names", "Correct or unset it in this shell"],
    );
}

#[tokio::test]
async fn an_unknown_tool_is_refused_with_those_there_are() {
    let sandbox = sandbox().await;
    let ended = call(&sandbox, &["get_accounts"]).run().await;
    assert_eq!(ended.status.code(), Some(1));
    assert_says(&ended.stderr, &["'get_accounts'", "get_service_accounts"]);
    assert_eq!(sandbox.handle().requests(), []);
}

#[tokio::test]
async fn arguments_that_cannot_be_read_are_a_usage_error_that_says_how_to_write_them() {
    let sandbox = sandbox().await;
    for (wrong, says) in [
        (&["{"][..], &["EOF while parsing", "It is '{'"][..]),
        (&["[]"], &["JSON, and no object"]),
        (&["7"], &["JSON, and no object"]),
        (&[""], &["It is empty"]),
        (
            &["{label: ci}"],
            &["'{label: ci}'", "taken the quotes away, as PowerShell does"],
        ),
        (
            &["{label:", "ci}"],
            &["'{label: ci}'", "taken the quotes away, as PowerShell does"],
        ),
        (&["label"], &["'label' is not of the form key=value"]),
        (
            &["label=ci", "limit"],
            &["'limit' is not of the form key=value"],
        ),
        (&["label=ci", "label=cd"], &["label is given twice"]),
    ] {
        let ended = call(&sandbox, &["get_service_accounts"])
            .args(wrong)
            .run()
            .await;
        assert_eq!(ended.status.code(), Some(2), "{wrong:?}");
        assert_says(&ended.stderr, says);
        assert_says(&ended.stderr, &["Usage: apc-mcp call "]);
        let is_about_the_form = !ended.stderr.contains("twice");
        assert!(
            !is_about_the_form
                || ended
                    .stderr
                    .contains("apc-mcp call get_service_accounts label=ci")
        );
    }
    assert_eq!(sandbox.handle().requests(), []);
}

#[tokio::test]
async fn a_token_among_arguments_that_cannot_be_read_is_not_shown() {
    let ended = Program::bare()
        .args(&[
            "call",
            "get_service_accounts",
            &format!("{{label: {UNKNOWN_KEY}}}"),
        ])
        .run()
        .await;
    assert!(!ended.stderr.contains(UNKNOWN_KEY), "{}", ended.stderr);
}

#[tokio::test]
async fn arguments_are_words_that_need_no_quotes() {
    let sandbox = sandbox().await;
    let ended = call(&sandbox, &["get_service_accounts", "label=ci-", "limit=1"])
        .run()
        .await;
    assert!(ended.status.success(), "{}", ended.stderr);
    let result: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(result["service_accounts"][0]["id"], CI_DEPLOY);
    let id = format!("workspace_id={ANALYTICS}");
    let made = call(&sandbox, &["create_service_account", "label=7", &id])
        .run()
        .await;
    assert!(made.status.success(), "{}", made.stderr);
    truth(&sandbox.handle(), "7");
    for (word, says) in [("limit=many", "limit"), ("labels=ci", "labels")] {
        let ended = call(&sandbox, &["get_service_accounts", word]).run().await;
        assert_eq!(ended.status.code(), Some(1));
        assert_says(&ended.stderr, &["invalid_arguments: ", says]);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_reader_that_goes_is_no_failure() {
    let sandbox = sandbox().await;
    for arguments in [
        &["call", "get_service_accounts"][..],
        &["doctor"],
        &["demo"],
        &["tools"],
        &["client", "cursor"],
        &["completions", "bash"],
    ] {
        let mut command = command(&sandbox, arguments);
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let key_dir = tempfile::tempdir().unwrap();
        command.env("APC_KEY_DIR", key_dir.path().join("keys"));
        // Its output() would read what it prints.
        let child = command.stdout(writer).spawn().unwrap();
        let output = patient("it ends", child.wait_with_output()).await.unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {errors}");
        assert!(
            !errors.to_lowercase().contains("pipe"),
            "{arguments:?}: {errors}"
        );
    }
}

#[tokio::test]
async fn the_servers_policy_holds() {
    let sandbox = sandbox().await;
    let new = json!({"label": "etl", "workspace_id": ANALYTICS, "role": "WORKSPACE_ADMIN"});
    let ended = call(&sandbox, &["create_service_account", &new.to_string()])
        .args(&["--max-role", "WORKSPACE_VIEWER"])
        .run()
        .await;
    assert_says(&ended.stderr, &["not_allowed: ", "--max-role"]);
    assert_eq!(mutations(&sandbox.handle()), 0);
}

#[tokio::test]
async fn it_works_against_its_own_sandbox() {
    let ended = Program::bare()
        .args(&["--sandbox", "call", "get_service_accounts"])
        .run()
        .await;
    assert!(ended.status.success(), "{}", ended.stderr);
    assert!(!ended.stdout.contains('\u{1b}'));
}

#[tokio::test]
async fn without_a_terminal_nobody_is_asked() {
    let sandbox = sandbox().await;
    let one = json!({"service_account_id": MIGRATION, "workspace_id": ANALYTICS}).to_string();
    let ended = call(
        &sandbox,
        &["delete_service_account", &one, "--confirm", "always"],
    )
    .run()
    .await;
    assert_eq!(ended.status.code(), Some(1));
    assert_says(&ended.stderr, &["confirmation_required: "]);
    assert!(exists(&sandbox.handle(), MIGRATION));
}

#[cfg(unix)]
mod in_a_terminal {
    use super::*;
    use crate::support::terminal::{Terminal, typed};

    /// In place of an answer: the signal of Ctrl-C.
    const INTERRUPT: &str = "\u{3}";

    /// Answers what is asked at the end of these words, and returns all that was shown.
    async fn answered(
        sandbox: &Sandbox,
        arguments: &Value,
        asked: &str,
        answer: &str,
    ) -> (String, ProgramOutput) {
        let terminal = Terminal::open(80);
        let mut command = command(
            sandbox,
            &["call", "delete_service_account", &arguments.to_string()],
        );
        command.stdin(terminal.end()).stderr(terminal.end());
        let child = command.spawn().unwrap();
        // The command keeps the terminal's other end open otherwise, and reading would not end.
        drop(command);
        let id = child.id().unwrap().to_string();
        let person = match answer {
            INTERRUPT => terminal.when_shown(asked, move |_| {
                drop(
                    std::process::Command::new("kill")
                        .args(["-INT", &id])
                        .status(),
                );
            }),
            answer => terminal.when_shown(asked, typed(answer)),
        };
        let output = patient("it ends", child.wait_with_output()).await.unwrap();
        let ended = ProgramOutput {
            status: output.status,
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::new(),
        };
        (patient("the terminal closes", person).await.unwrap(), ended)
    }

    #[tokio::test]
    async fn a_deletion_is_asked_about_and_done_after_a_yes() {
        let sandbox = sandbox().await;
        let one = json!({"service_account_id": MIGRATION, "workspace_id": ANALYTICS});
        let (shown, ended) = answered(&sandbox, &one, "[y/N]", "y").await;
        assert!(ended.status.success(), "{shown}");
        assert_says(&shown, &["migration-2024"]);
        let result: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(result["service_account"]["id"], MIGRATION);
        assert!(!exists(&sandbox.handle(), MIGRATION));
    }

    #[tokio::test]
    async fn whatever_is_not_a_yes_is_a_no() {
        let sandbox = sandbox().await;
        let one = json!({"service_account_id": MIGRATION, "workspace_id": ANALYTICS});
        for answer in ["", "n", "maybe", "1"] {
            let (shown, ended) = answered(&sandbox, &one, "[y/N]", answer).await;
            assert_eq!(ended.status.code(), Some(1));
            assert_says(&shown, &["declined: "]);
        }
        assert!(exists(&sandbox.handle(), MIGRATION));
    }

    #[tokio::test]
    async fn an_interruption_is_no_yes_and_ends_it() {
        let sandbox = sandbox().await;
        let one = json!({"service_account_id": MIGRATION, "workspace_id": ANALYTICS});
        // The terminal makes an interruption of it for the processes that it controls, which a
        // test's child is not; so the signal is sent.
        let (shown, ended) = answered(&sandbox, &one, "[y/N]", INTERRUPT).await;
        assert_eq!(ended.status.code(), Some(1));
        assert_says(
            &shown,
            &["Interrupted at the question. Nothing was changed."],
        );
        assert!(!shown.contains("broke"), "{shown}");
        assert!(exists(&sandbox.handle(), MIGRATION));
    }

    #[tokio::test]
    async fn an_account_is_chosen_by_its_number() {
        let sandbox = sandbox().await;
        let all = json!({"workspace_id": ANALYTICS});
        // The yes is typed ahead, as fast as a machine.
        let (shown, ended) = answered(&sandbox, &all, "[1-5", "5\ny").await;
        assert!(ended.status.success(), "{shown}");
        let question = ["  1  None of these", "  5  ", "migration-2024", "[y/N]"];
        assert_says(&shown, &question);
        assert!(!exists(&sandbox.handle(), MIGRATION));
    }

    #[tokio::test]
    async fn a_number_of_no_account_is_asked_for_again() {
        let sandbox = sandbox().await;
        let all = json!({"workspace_id": ANALYTICS});
        let (shown, ended) = answered(&sandbox, &all, "[1-5", "9\nx\n5\ny").await;
        assert!(ended.status.success(), "{shown}");
        assert_eq!(shown.matches("That is no number from 1 to 5.").count(), 2);
        assert!(!exists(&sandbox.handle(), MIGRATION));
    }

    #[tokio::test]
    async fn no_number_of_an_account_deletes_none() {
        let sandbox = sandbox().await;
        let all = json!({"workspace_id": ANALYTICS});
        for answer in ["", "0\n", "1", "6\n", "y\n", "5\n", "5\nn", "5\n5"] {
            let (shown, ended) = answered(&sandbox, &all, "[1-5", answer).await;
            assert_eq!(ended.status.code(), Some(1), "{shown}");
            assert_says(&shown, &["declined: "]);
        }
        assert_eq!(mutations(&sandbox.handle()), 0);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_change_under_way_is_carried_through_after_a_signal() {
    let sandbox = sandbox().await;
    let slow = Fault::Delay(std::time::Duration::from_millis(700));
    sandbox.handle().inject(slow, On::Field(CREATE), 1);
    let new = json!({"label": "etl", "workspace_id": ANALYTICS}).to_string();
    let arguments = [
        "call",
        "create_service_account",
        &new,
        "--key-output",
        "show",
    ];
    let child = command(&sandbox, &arguments).spawn().unwrap();
    let sent = async {
        while mutations(&sandbox.handle()) == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    patient("the change is sent", sent).await;
    interrupt(&child).await;
    let output = patient("it ends", child.wait_with_output()).await.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result["service_account"]["label"], "etl");
    truth(&sandbox.handle(), "etl");
}

#[cfg(unix)]
#[tokio::test]
async fn the_sandbox_says_where_it_is_and_serves_until_interrupted() {
    let elsewhere = sandbox().await;
    let mut child = command(&elsewhere, &["sandbox"]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut shown = Vec::new();
    while !shown
        .last()
        .is_some_and(|line: &String| line.starts_with("In another terminal"))
    {
        let line = patient("a line comes", lines.next_line()).await.unwrap();
        shown.push(line.expect("it goes on"));
    }
    let after = |start: &str| {
        let line = shown.iter().find_map(|line| line.strip_prefix(start));
        line.unwrap_or_else(|| panic!("no {start} in {shown:?}"))
            .trim()
            .to_owned()
    };
    let url = after("APC_API_URL=");
    for persona in ["system admin", "workspace admin", "workspace viewer"] {
        let ended = Program::bare()
            .env("APC_API_URL", &url)
            .env("APC_API_TOKEN", after(persona))
            .args(&[
                "call",
                "get_service_accounts",
                &json!({"workspace_id": ANALYTICS}).to_string(),
            ])
            .run()
            .await;
        assert!(ended.status.success(), "{persona}: {}", ended.stderr);
    }
    assert_eq!(after(ANALYTICS), "Analytics");
    interrupt(&child).await;
    let status = patient("it ends", child.wait()).await.unwrap();
    assert!(status.success());
}

#[cfg(unix)]
#[tokio::test]
async fn a_shell_evaluates_the_lines_of_a_sandbox_in_the_background() {
    let this = env!("CARGO_BIN_EXE_apc-mcp");
    let script = format!(
        "eval \"$({this} sandbox --env)\" && {this} call get_service_accounts label=ci- && echo \"url=$APC_API_URL\""
    );
    let program = Program::bare().named("/bin/sh").args(&["-c", &script]);
    let ended = program.run().await;
    let killed = ended
        .stderr
        .lines()
        .find_map(|line| line.rsplit_once("kill "));
    let id = killed
        .unwrap_or_else(|| panic!("{}", ended.stderr))
        .1
        .to_owned();
    let done = Command::new("kill").arg(&id).status().await.unwrap();
    assert!(done.success(), "the sandbox was still there");
    assert!(ended.status.success(), "{}", ended.stderr);
    assert_says(&ended.stdout, &[CI_DEPLOY, "url=http://127.0.0.1:"]);
}

#[cfg(unix)]
#[tokio::test]
async fn the_line_for_another_terminal_can_be_pasted() {
    let elsewhere = sandbox().await;
    let mut child = command(&elsewhere, &["sandbox"]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = loop {
        let line = patient("a line comes", lines.next_line()).await.unwrap();
        let line = line.expect("it goes on");
        if line.ends_with("apc-mcp call get_service_accounts") {
            break line;
        }
    };
    let line = line.replace("apc-mcp", env!("CARGO_BIN_EXE_apc-mcp"));
    let ended = Program::bare()
        .named("/bin/sh")
        .args(&["-c", &line])
        .run()
        .await;
    assert!(ended.status.success(), "{}", ended.stderr);
    assert_says(&ended.stdout, &[CI_DEPLOY]);
}

#[tokio::test]
async fn a_port_that_is_taken_is_named_in_the_background_as_well() {
    let taken = sandbox().await;
    let port = taken.url().split([':', '/']).nth(4).unwrap().to_owned();
    let ended = Program::bare()
        .args(&["sandbox", "--env", "--port", &port])
        .run()
        .await;
    assert_eq!(ended.status.code(), Some(1));
    assert_says(&ended.stderr, &["apc-mcp: ", &port]);
    assert_eq!(ended.stdout, "");
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let taken = sandbox().await;
    let port = taken.url().split([':', '/']).nth(4).unwrap().to_owned();
    let ended = Program::bare()
        .args(&["sandbox", "--port", &port])
        .run()
        .await;
    assert_eq!(ended.status.code(), Some(1));
    assert_says(&ended.stderr, &["apc-mcp: ", &port]);
}
