//! The audit log: a line for every change that was tried, whatever came of it.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use apc_sandbox::{Fault, On, Persona, Role, Sandbox};
use serde_json::{Value, json};

use crate::support::clients::*;
use crate::support::harness::*;

async fn start(era: Era) -> (Sandbox, Session) {
    let sandbox = Sandbox::start(0).await.unwrap();
    let session = audited(&sandbox).serve(era).await;
    (sandbox, session)
}

/// The line without its time, which has to be one, and without the id of its change.
#[track_caller]
fn timeless(line: &Value) -> Value {
    let mut line = line.clone();
    let change = line.as_object_mut().unwrap().remove("change").unwrap();
    assert_eq!(change.as_str().unwrap().len(), 16, "{change}");
    let time = line.as_object_mut().unwrap().remove("time").unwrap();
    let time = time.as_str().unwrap();
    assert!(
        time.ends_with('Z') && chrono::DateTime::parse_from_rfc3339(time).is_ok(),
        "{time}"
    );
    line
}

#[tokio::test]
async fn a_creation_and_a_deletion_are_two_lines_each() {
    for era in Era::BOTH {
        let (sandbox, mut session) = start(era).await;
        let asked = json!({"label": "etl", "workspace_id": ANALYTICS, "role": "WORKSPACE_EDITOR"});
        session.call(CREATE_TOOL, asked).await.structured();
        let id = truth(&sandbox.handle(), "etl").id;
        session
            .call(DELETE_TOOL, json!({"service_account_id": id}))
            .await
            .structured();
        let whole = whole_audit(&session);
        let lines: Vec<_> = whole.iter().map(timeless).collect();
        let line = |tool: &str, outcome: &str| {
            json!({
                "client": "harness/1", "tool": tool, "workspace_id": ANALYTICS,
                "service_account_id": id, "label": "etl", "role": "WORKSPACE_EDITOR", "outcome": outcome,
            })
        };
        let mut creation = line(CREATE_TOOL, "sent");
        creation
            .as_object_mut()
            .unwrap()
            .remove("service_account_id");
        let expected = [
            creation,
            line(CREATE_TOOL, "ok"),
            line(DELETE_TOOL, "sent"),
            line(DELETE_TOOL, "ok"),
        ];
        assert_eq!(lines, expected, "{era:?}");
        let changes: Vec<_> = whole.iter().map(|line| &line["change"]).collect();
        assert_eq!((changes[0], changes[2]), (changes[1], changes[3]));
        assert_ne!(changes[0], changes[2]);
        let mode = fs::metadata(session.home().join(AUDIT)).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[tokio::test]
async fn every_failure_is_a_line_with_its_code() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let program = audited(&sandbox).env("APC_TIMEOUT", "1");
    let settings = [
        "--max-role",
        "WORKSPACE_EDITOR",
        "--allow-workspace",
        ANALYTICS,
        "--max-changes-per-minute",
        "2",
    ];
    let mut session = program.args(&settings).serve(Era::USUAL).await;
    let mut expected = Vec::new();
    for (code, tool, arguments) in [
        (
            "invalid_arguments",
            CREATE_TOOL,
            json!({"label": "", "workspace_id": ANALYTICS}),
        ),
        (
            "invalid_arguments",
            CREATE_TOOL,
            json!({"label": "etl", "workspace_id": ANALYTICS, "extra": 1}),
        ),
        ("invalid_arguments", DELETE_TOOL, json!({})),
        (
            "invalid_arguments",
            DELETE_TOOL,
            json!({"workspace_id": ANALYTICS}),
        ),
        (
            "not_allowed",
            CREATE_TOOL,
            json!({"label": "etl", "workspace_id": DATA_SCIENCE}),
        ),
        (
            "not_allowed",
            CREATE_TOOL,
            json!({"label": "etl", "workspace_id": ANALYTICS, "role": "WORKSPACE_ADMIN"}),
        ),
        (
            "not_allowed",
            DELETE_TOOL,
            json!({"service_account_id": NOTEBOOKS, "workspace_id": DATA_SCIENCE}),
        ),
        ("not_found", DELETE_TOOL, deletion_of(NOTHING)),
        (
            "not_found",
            DELETE_TOOL,
            json!({"service_account_id": NOTEBOOKS}),
        ),
        ("already_exists", CREATE_TOOL, new("ci-deploy")),
        ("ok", DELETE_TOOL, deletion_of(MIGRATION)),
    ] {
        let outcome = session.call(tool, arguments).await;
        assert_eq!(outcome.is_error(), code != "ok", "{}", outcome.text());
        expected.push(code);
    }
    sandbox
        .handle()
        .inject(Fault::DropBefore, On::Field(CREATE), 1);
    session
        .call(CREATE_TOOL, new("etl"))
        .await
        .refusal("outcome_unknown");
    session
        .call(CREATE_TOOL, new("etl"))
        .await
        .refusal("rate_limited");
    expected.extend(["outcome_unknown", "rate_limited"]);
    let lines = audit(&session);
    let outcomes: Vec<_> = lines
        .iter()
        .map(|line| line["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(outcomes, expected);
    let refused = timeless(&lines[5]);
    assert_eq!(refused["workspace_id"], ANALYTICS);
    assert_eq!(refused["label"], "etl");
    assert_eq!(refused["role"], "WORKSPACE_ADMIN");
    assert_eq!(lines[4]["workspace_id"], DATA_SCIENCE);
    assert_eq!(lines[7]["service_account_id"], NOTHING);
}

#[tokio::test]
async fn a_refusal_of_the_api_is_a_line() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let program = guarded(&sandbox, Persona::WorkspaceViewer);
    let path = program.path(AUDIT);
    let mut session = program.env("APC_AUDIT_LOG", path).serve(Era::USUAL).await;
    session
        .call(CREATE_TOOL, new("etl"))
        .await
        .refusal("permission_denied");
    session
        .call(DELETE_TOOL, deletion_of(CI_DEPLOY))
        .await
        .refusal("permission_denied");
    let lines = audit(&session);
    assert!(
        lines
            .iter()
            .all(|line| line["outcome"] == "permission_denied")
    );
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1]["label"], "ci-deploy");
}

#[tokio::test]
async fn the_users_no_is_a_line_and_a_round_that_only_asks_is_none() {
    for era in Era::BOTH {
        let sandbox = Sandbox::start(0).await.unwrap();
        let mut session = audited(&sandbox).capable(can_ask()).serve(era).await;
        let question = session.pose(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
        assert!(audit(&session).is_empty());
        session
            .answer(question, json!({"action": "decline"}))
            .await
            .refusal("declined");
        let question = session
            .pose(DELETE_TOOL, json!({"workspace_id": ANALYTICS}))
            .await;
        assert_eq!(audit(&session).len(), 1);
        session.select(question, MIGRATION).await.structured();
        let lines = audit(&session);
        assert_eq!(lines.len(), 2, "{era:?}");
        assert_eq!(lines[0]["outcome"], "declined");
        assert_eq!(lines[0]["service_account_id"], CI_DEPLOY);
        assert_eq!(lines[0]["label"], "ci-deploy");
        assert_eq!(lines[1]["outcome"], "ok");
        assert_eq!(lines[1]["service_account_id"], MIGRATION);
    }
}

#[tokio::test]
async fn confirmation_required_is_a_line() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = audited(&sandbox)
        .args(&["--confirm", "always"])
        .serve(Era::USUAL)
        .await;
    session
        .call(DELETE_TOOL, deletion_of(CI_DEPLOY))
        .await
        .refusal("confirmation_required");
    assert_eq!(audit(&session)[0]["outcome"], "confirmation_required");
}

#[tokio::test]
async fn reading_is_no_line() {
    let (_sandbox, mut session) = start(Era::USUAL).await;
    session.call(GET_TOOL, json!({})).await.structured();
    session
        .call(GET_TOOL, json!({"workspace_id": NOTHING}))
        .await;
    assert!(audit(&session).is_empty());
}

#[tokio::test]
async fn lines_are_added_to_those_that_are_there() {
    let (_sandbox, mut session) = start(Era::USUAL).await;
    session.write_file(AUDIT, "{\"older\":true}\n");
    session.call(CREATE_TOOL, new("etl")).await.structured();
    let lines = whole_audit(&session);
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0]["older"], true);
}

#[tokio::test]
async fn a_log_that_was_moved_away_begins_anew() {
    let (_sandbox, mut session) = start(Era::USUAL).await;
    session.call(CREATE_TOOL, new("one")).await.structured();
    let path = session.home().join(AUDIT);
    fs::rename(&path, path.with_extension("1")).unwrap();
    session.call(CREATE_TOOL, new("two")).await.structured();
    let lines = audit(&session);
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["label"], "two");
}

#[tokio::test]
async fn a_log_that_cannot_be_opened_stops_changes_and_not_reading() {
    for broken in ["missing/audit", "directory", "fifo", "forbidden"] {
        let sandbox = Sandbox::start(0).await.unwrap();
        let program = guarded(&sandbox, Persona::WorkspaceAdmin);
        let path = program.path(broken);
        let mut session = program
            .args(&["--audit-log", &path])
            .serve(Era::USUAL)
            .await;
        match broken {
            "directory" => fs::create_dir(&path).unwrap(),
            "fifo" => {
                let made = std::process::Command::new("mkfifo").arg(&path).status();
                assert!(made.unwrap().success());
            }
            "forbidden" => {
                fs::write(&path, "").unwrap();
                fs::set_permissions(&path, PermissionsExt::from_mode(0o400)).unwrap();
                if fs::OpenOptions::new().append(true).open(&path).is_ok() {
                    continue; // Root may write to it all the same.
                }
            }
            _ => {}
        }
        for (tool, arguments) in [
            (CREATE_TOOL, new("etl")),
            (DELETE_TOOL, deletion_of(CI_DEPLOY)),
        ] {
            let refused = session.call(tool, arguments).await;
            let text = refused.refusal("not_configured");
            assert_says(
                text,
                &[&path, "--audit-log", "APC_AUDIT_LOG", "Nothing was changed"],
            );
        }
        assert!(sandbox.handle().requests().is_empty(), "{broken}");
        session.call(GET_TOOL, json!({})).await.structured();
    }
}

/// Whatever stops the log, each call to change something has to end so, with nothing sent.
async fn assert_nothing_is_changed(session: &mut Session, sandbox: &Sandbox, path: &str) {
    let before = sandbox.handle().accounts().len();
    for (tool, arguments) in [
        (CREATE_TOOL, new("etl")),
        (DELETE_TOOL, deletion_of(CI_DEPLOY)),
    ] {
        let refused = session.call(tool, arguments).await;
        let text = refused.refusal("not_configured");
        assert_says(
            text,
            &[
                path,
                "cannot be written",
                "--audit-log",
                "Nothing was changed",
            ],
        );
    }
    assert_eq!(sandbox.handle().accounts().len(), before);
    assert_eq!(mutations(&sandbox.handle()), 0);
    assert_eq!(names_in(&key_dir(session)), [""; 0]);
    session.call(GET_TOOL, json!({})).await.structured();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn nothing_is_changed_where_the_disk_of_the_log_is_full() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let program = guarded(&sandbox, Persona::WorkspaceAdmin);
    let mut session = program
        .args(&["--audit-log", "/dev/full"])
        .serve(Era::USUAL)
        .await;
    assert_nothing_is_changed(&mut session, &sandbox, "/dev/full").await;
}

/// A server whose files may grow to two blocks of 512 bytes, with a log that has so many bytes left.
#[cfg(target_os = "linux")]
async fn nearly_full(sandbox: &Sandbox, left: usize) -> Session {
    let server = format!("ulimit -f 2; exec {}", env!("CARGO_BIN_EXE_apc-mcp"));
    let filler = format!("{}\n", "x".repeat(1024 - left - 1));
    let program = guarded(sandbox, Persona::WorkspaceAdmin)
        .named("/bin/sh")
        .args(&["-c", &server])
        .file(AUDIT, &filler)
        .env("APC_KEY_OUTPUT", "show");
    let log = program.path(AUDIT);
    program.env("APC_AUDIT_LOG", log).serve(Era::USUAL).await
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn nothing_is_changed_where_only_a_part_of_the_line_fits() {
    for left in [0, 1, 50] {
        let sandbox = Sandbox::start(0).await.unwrap();
        let mut session = nearly_full(&sandbox, left).await;
        let path = session.home().join(AUDIT);
        assert_nothing_is_changed(&mut session, &sandbox, AUDIT).await;
        // A torn line never joins the next one.
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.len(), 1024);
        fs::write(&path, &text[1024 - left.max(1)..]).unwrap();
        session.call(CREATE_TOOL, new("etl")).await.structured();
        let text = fs::read_to_string(&path).unwrap();
        let whole = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let outcomes: Vec<_> = whole.map(|line| line["outcome"].clone()).collect();
        assert_eq!(outcomes, ["sent", "ok"], "{text}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_last_line_that_does_not_fit_is_warned_of_by_the_id_of_its_change() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = nearly_full(&sandbox, 400).await;
    let path = session.home().join(AUDIT);
    session.call(CREATE_TOOL, new("etl")).await.structured();
    let text = fs::read_to_string(&path).unwrap();
    let sent: Value = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
    assert_eq!(sent["outcome"], "sent");
    assert!(session.close_stdin_and_wait().await.success());
    let warned = session.stderr().await;
    let change = format!("change={}", sent["change"]);
    assert_says(
        &warned,
        &["audit log could not be written", &change, "outcome=\"ok\""],
    );
}

#[tokio::test]
async fn nothing_is_changed_where_the_log_vanishes_during_the_call() {
    for era in Era::BOTH {
        let sandbox = Sandbox::start(0).await.unwrap();
        let program = guarded(&sandbox, Persona::WorkspaceAdmin).file("logs/audit", "");
        let path = program.path("logs/audit");
        let program = program.args(&["--audit-log", &path]).capable(can_ask());
        let mut session = program.serve(era).await;
        let question = session.pose(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
        fs::remove_dir_all(session.home().join("logs")).unwrap();
        let yes = question.accept(true);
        let refused = session.answer(question, yes).await;
        assert_says(
            refused.refusal("not_configured"),
            &[&path, "Nothing was changed"],
        );
        assert_eq!(mutations(&sandbox.handle()), 0);
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_line_of_a_change_is_there_before_the_change_is_sent() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = audited(&sandbox).serve(Era::USUAL).await;
    sandbox.handle().inject(Fault::Hang, On::Field(CREATE), 1);
    session.send_call(CREATE_TOOL, new("etl")).await;
    until("it is sent", || mutations(&sandbox.handle()) == 1).await;
    let lines = whole_audit(&session);
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["outcome"], "sent");
    assert_eq!(lines[0]["label"], "etl");
    // A process that is killed now leaves that line.
    let status = std::process::Command::new("kill")
        .args(["-KILL", &session.id().to_string()])
        .status();
    assert!(status.unwrap().success());
    assert!(!session.wait().await.success());
    assert_eq!(whole_audit(&session), lines);
}

#[tokio::test]
async fn ten_processes_share_a_log_and_no_line_is_torn() {
    const PROCESSES: usize = 10;
    const CHANGES: usize = 5;
    let sandbox = Sandbox::start(0).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(AUDIT);
    let mut sessions = Vec::new();
    let mut calls = Vec::new();
    for process in 0..PROCESSES {
        let program = guarded(&sandbox, Persona::WorkspaceAdmin);
        let program = program.args(&["--audit-log", path.to_str().unwrap()]);
        let mut session = program.serve(Era::USUAL).await;
        for change in 0..CHANGES {
            let label = format!("{process}-{change}-{}", "x".repeat(200));
            calls.push((process, session.send_call(CREATE_TOOL, new(&label)).await));
        }
        sessions.push(session);
    }
    for (process, call) in calls {
        sessions[process]
            .outcome(CREATE_TOOL, call)
            .await
            .structured();
    }
    let mut outcomes = std::collections::BTreeMap::<_, Vec<_>>::new();
    for line in lines(&path) {
        let change = line["change"].as_str().unwrap().to_owned();
        outcomes
            .entry(change)
            .or_default()
            .push(line["outcome"].clone());
    }
    assert_eq!(outcomes.len(), PROCESSES * CHANGES);
    assert!(outcomes.values().all(|of_one| *of_one == ["sent", "ok"]));
}

#[tokio::test]
async fn a_label_that_would_be_two_lines_is_one() {
    let (sandbox, mut session) = start(Era::USUAL).await;
    let forged = format!(
        "x\n{{\"outcome\":\"ok\"}}\r\u{2028}\u{202e}\u{1b}[2K{}",
        "y".repeat(5000)
    );
    let evil = sandbox
        .handle()
        .add_account(colleague(&forged, Role::WorkspaceViewer));
    session
        .call(DELETE_TOOL, deletion_of(&evil.id))
        .await
        .structured();
    let text = fs::read_to_string(session.home().join(AUDIT)).unwrap();
    assert_eq!(text.lines().count(), 2);
    assert_eq!(text.matches('\n').count(), 2);
    assert!(
        !text.contains(['\r', '\u{2028}', '\u{202e}', '\u{1b}']),
        "{text}"
    );
    let label = audit(&session)[0]["label"].as_str().unwrap().to_owned();
    assert!(label.starts_with("x\n{\"outcome\":\"ok\"}"), "{label}");
}

#[tokio::test]
async fn a_client_whose_name_would_be_two_lines_is_one() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = audited(&sandbox).spawn(Era::USUAL);
    let mut params = opening(Era::USUAL.version());
    params["clientInfo"] =
        json!({"name": format!("a\n\u{202e}b\"{}", "c".repeat(500)), "version": "2\n"});
    session.exchange("initialize", params).await;
    session.notify("notifications/initialized").await;
    session.call(CREATE_TOOL, new("etl")).await.structured();
    let text = fs::read_to_string(session.home().join(AUDIT)).unwrap();
    assert_eq!(text.matches('\n').count(), 2);
    assert!(!text.contains('\u{202e}'));
    let client = audit(&session)[0]["client"].as_str().unwrap().to_owned();
    assert!(
        client.starts_with('a') && client.chars().count() < 200,
        "{client}"
    );
}

#[tokio::test]
async fn no_key_and_no_token_is_in_the_log() {
    let (sandbox, mut session) = start(Era::USUAL).await;
    let handle = sandbox.handle();
    let token = handle
        .requests()
        .first()
        .and_then(|request| request.authorization.clone());
    assert_eq!(token, None);
    session.call(CREATE_TOOL, new("etl")).await.structured();
    let token = handle.requests()[0].authorization.clone().unwrap();
    let key = truth(&handle, "etl").key;
    let evil = handle.add_account(colleague(&key, Role::WorkspaceViewer));
    session
        .call(DELETE_TOOL, deletion_of(&evil.id))
        .await
        .structured();
    session
        .call(CREATE_TOOL, new(&token[..200.min(token.len())]))
        .await;
    session
        .call(CREATE_TOOL, json!({"label": key, "workspace_id": NOTHING}))
        .await;
    let text = fs::read_to_string(session.home().join(AUDIT)).unwrap();
    assert_eq!(text.lines().count(), 6);
    for secret in [&key, &token] {
        assert!(!text.contains(secret.as_str()), "{text}");
    }
}

#[tokio::test]
async fn many_changes_at_once_are_a_line_each() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = audited(&sandbox).serve(Era::Stateless).await;
    let mut calls = Vec::new();
    for number in 0..20 {
        calls.push(
            session
                .send_call(CREATE_TOOL, new(&format!("n{number}")))
                .await,
        );
    }
    for call in calls {
        session.outcome(CREATE_TOOL, call).await.structured();
    }
    let mut labels: Vec<_> = audit(&session)
        .iter()
        .map(|line| line["label"].to_string())
        .collect();
    labels.sort();
    labels.dedup();
    assert_eq!(labels.len(), 20);
}
