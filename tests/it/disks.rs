//! Key directories that fail: what is refused, what it leaves behind, and what the advice says.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use apc_sandbox::{Fault, On, Persona, Sandbox};
use rustix::process::Signal;
use serde_json::json;

use crate::support::clients::*;
use crate::support::harness::*;

/// A library with which calls of the C library fail, compiled into that directory.
fn failing_disk(directory: &Path) -> String {
    preloaded(directory, "refusals")
}

/// The program on a disk that refuses this.
fn refusing(program: Program, library: &str, refused: &str) -> Program {
    program.env("LD_PRELOAD", library).env("REFUSED", refused)
}

#[tokio::test]
async fn a_key_whose_write_fails_after_the_creation_is_got_by_the_next_list() {
    let directory = tempfile::tempdir().unwrap();
    let library = failing_disk(directory.path());
    let sandbox = Sandbox::start(0).await.unwrap();
    // The first write keeps the room, the second one is the key.
    let program = guarded(&sandbox, Persona::WorkspaceAdmin);
    let program = refusing(program, &library, "write 28 /.pending- 2");
    let mut session = program.serve(Era::USUAL).await;
    let outcome = session.call(CREATE_TOOL, new("etl")).await;
    let real = truth(&sandbox.handle(), "etl");
    let place = format!("get_service_accounts with workspace_id '{ANALYTICS}'");
    assert_says(
        outcome.refusal("outcome_unknown"),
        &[
            &real.id,
            "No space left",
            "Make room",
            &place,
            "within 10 minutes",
            "key is lost",
        ],
    );
    let found = session
        .call(GET_TOOL, json!({"workspace_id": ANALYTICS}))
        .await;
    let file = key_dir(&session).join(format!("{}.key", real.id));
    assert_says(
        &found.structured()["notes"].to_string(),
        &["recovered", file.to_str().unwrap()],
    );
    assert_eq!(fs::read_to_string(file).unwrap(), real.key);
    assert_eq!(names_in(&key_dir(&session)).len(), 1);
}

#[tokio::test]
async fn a_sandbox_whose_keys_go_with_it_does_not_promise_a_lost_key() {
    let directory = tempfile::tempdir().unwrap();
    let library = failing_disk(directory.path());
    let program = Program::bare().args(&["--sandbox"]);
    let program = refusing(program, &library, "write 28 /.pending- 2");
    let mut session = program.serve(Era::USUAL).await;
    let outcome = session.call(CREATE_TOOL, new("etl")).await;
    let text = outcome.refusal("outcome_unknown");
    assert_says(text, &["Make room", "delete", "create it again"]);
    assert!(!text.contains("get_service_accounts"), "{text}");
}

#[tokio::test]
async fn the_advice_about_a_key_directory_is_that_of_its_fault() {
    let directory = tempfile::tempdir().unwrap();
    let library = failing_disk(directory.path());
    let room = "Free some space there, raise the quota or the limit of file sizes (ulimit -f), or set --key-dir";
    for (refused, fault, advice) in [
        ("write 28 /.pending-", "No space left", room),
        ("write 122 /.pending-", "quota", room),
        ("write 27 /.pending-", "too large", room),
        ("open64 28 /.pending-", "No space left", room),
        ("write 28 /.intent-", "No space left", room),
        (
            "write 5 /.pending-",
            "error",
            "to a directory of your own on another disk",
        ),
        (
            "flock 37 /.intent-",
            "without file locks",
            "on a file system with file locks",
        ),
        (
            "open64 24 /.intent-",
            "Too many open files",
            "Raise the limit of open files (ulimit -n)",
        ),
        (
            "open64 13 /.intent-",
            "Permission denied",
            "that nobody else can write to",
        ),
    ] {
        let sandbox = Sandbox::start(0).await.unwrap();
        let program = guarded(&sandbox, Persona::WorkspaceAdmin);
        let program = refusing(program, &library, refused);
        let mut session = program.serve(Era::USUAL).await;
        let outcome = session.call(CREATE_TOOL, new("etl")).await;
        let text = outcome.refusal("not_configured");
        assert_says(text, &[fault, "Nothing was created", advice]);
        let is_other = advice != "that nobody else can write to";
        assert_ne!(text.contains("nobody else"), is_other, "{text}");
        assert_eq!(mutations(&sandbox.handle()), 0);
    }
}

#[tokio::test]
async fn a_directory_that_keeps_no_modes_is_told_with_the_file_systems_that_do() {
    let (sandbox, mut session) = shared_by_all().await;
    let outcome = session.call(CREATE_TOOL, new("etl")).await;
    assert_says(
        outcome.refusal("not_configured"),
        &["keeps no file modes", "on a file system that keeps them"],
    );
    assert_eq!(mutations(&sandbox.handle()), 0);
}

#[tokio::test]
async fn the_doctor_gives_the_advice_of_the_fault() {
    let directory = tempfile::tempdir().unwrap();
    let library = failing_disk(directory.path());
    let sandbox = Sandbox::start(0).await.unwrap();
    for (refused, advice) in [
        ("write 28 /.pending-", "Free some space there"),
        ("open64 24 /.pending-", "ulimit -n"),
    ] {
        let program = guarded(&sandbox, Persona::WorkspaceAdmin).args(&["doctor"]);
        let program = refusing(program, &library, refused);
        let told = program.run().await.stdout;
        assert_says(&told, &["fail  key directory: ", advice]);
    }
}

/// A server whose intent for the label `etl` looks as on a file system without modes.
async fn shared_by_all() -> (Sandbox, Session) {
    let sandbox = Sandbox::start(0).await.unwrap();
    let handle = sandbox.handle();
    let mut session = guarded(&sandbox, Persona::WorkspaceAdmin)
        .serve(Era::USUAL)
        .await;
    handle.inject(
        Fault::Delay(std::time::Duration::from_millis(300)),
        On::Field(LIST),
        1,
    );
    let call = session.send_call(CREATE_TOOL, new("etl")).await;
    until("it is planned", || {
        !intents_in(&key_dir(&session)).is_empty()
    })
    .await;
    let name = intents_in(&key_dir(&session)).remove(0);
    session.outcome(CREATE_TOOL, call).await;
    handle.remove_account(&truth(&handle, "etl").id);
    handle.clear_requests();
    let path = key_dir(&session).join(name);
    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
    (sandbox, session)
}

/// Kills the program in the middle of a creation that the API has made.
async fn leave_unfinished(sandbox: &Sandbox, program: Program) {
    let handle = sandbox.handle();
    let mut session = program.serve(Era::USUAL).await;
    handle.inject(Fault::HangAfter, On::Field(CREATE), 1);
    session.send_call(CREATE_TOOL, new("lost")).await;
    until("it is created", || !labelled(&handle, "lost").is_empty()).await;
    session.signal(Signal::KILL);
    session.exit().await;
}

#[tokio::test]
async fn the_doctor_names_what_was_left_also_where_no_key_can_be_kept() {
    let directory = tempfile::tempdir().unwrap();
    let library = failing_disk(directory.path());
    let sandbox = Sandbox::start(0).await.unwrap();
    let keys = directory.path().join("keys");
    let at =
        || guarded(&sandbox, Persona::WorkspaceAdmin).args(&["--key-dir", keys.to_str().unwrap()]);
    leave_unfinished(&sandbox, at()).await;
    fs::write(keys.join(".pending-AbC123"), UNKNOWN_KEY).unwrap();
    let full = refusing(at(), &library, "write 28 /.pending-");
    for (program, advice) in [
        (full, None),
        (at().args(&["--read-only"]), Some("without --read-only")),
        (
            at().args(&["--key-output", "show"]),
            Some("without --key-output show"),
        ),
    ] {
        let told = program.args(&["doctor"]).run().await.stdout;
        assert_says(&told, &["unfinished creation: ", "'lost'", ANALYTICS]);
        assert_says(&told, &["unpublished key: ", ".pending-AbC123"]);
        if let Some(advice) = advice {
            assert_says(&told, &[advice]);
        }
        assert_eq!(names_in(&keys).len(), 3, "{told}");
    }
}

#[tokio::test]
async fn a_directory_that_is_refused_keeps_no_empty_intent() {
    let directory = tempfile::tempdir().unwrap();
    let library = failing_disk(directory.path());
    for refused in [
        "ftruncate64 95 /.intent-",
        "lseek64 95 /.intent-",
        "lseek64 95 /.intent- 2",
        "write 28 /.intent-",
    ] {
        let sandbox = Sandbox::start(0).await.unwrap();
        let program = guarded(&sandbox, Persona::WorkspaceAdmin);
        let program = refusing(program, &library, refused);
        let mut session = program.serve(Era::USUAL).await;
        let outcome = session.call(CREATE_TOOL, new("etl")).await;
        outcome.refusal("not_configured");
        let left = names_in(&key_dir(&session));
        assert_eq!(left, Vec::<String>::new(), "{refused}");
    }
    let (_sandbox, mut session) = shared_by_all().await;
    session
        .call(CREATE_TOOL, new("etl"))
        .await
        .refusal("not_configured");
    assert_eq!(intents_in(&key_dir(&session)), Vec::<String>::new());
}

#[tokio::test]
async fn an_intent_that_cannot_be_read_is_kept_with_what_it_says() {
    let directory = tempfile::tempdir().unwrap();
    let library = failing_disk(directory.path());
    let sandbox = Sandbox::start(0).await.unwrap();
    let keys = directory.path().join("keys");
    let at =
        || guarded(&sandbox, Persona::WorkspaceAdmin).args(&["--key-dir", keys.to_str().unwrap()]);
    leave_unfinished(&sandbox, at()).await;
    let before = names_in(&keys);
    let program = refusing(at(), &library, "lseek64 95 /.intent-");
    let mut session = program.serve(Era::USUAL).await;
    session
        .call(CREATE_TOOL, new("lost"))
        .await
        .refusal("not_configured");
    assert_eq!(names_in(&keys), before);
}

#[tokio::test]
async fn the_doctor_says_nothing_of_an_empty_intent() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let program = guarded(&sandbox, Persona::WorkspaceAdmin);
    let keys = program.path("keys");
    fs::create_dir(&keys).unwrap();
    for (name, text) in [(".intent-0123", ""), (".intent-4567", "{\"phase\"")] {
        fs::write(Path::new(&keys).join(name), text).unwrap();
    }
    let program = program.args(&["--key-dir", &keys, "doctor"]);
    let told = program.run().await;
    assert!(!told.stdout.contains(".intent-0123"), "{}", told.stdout);
    assert_says(&told.stdout, &[".intent-4567", "had sent anything"]);
    assert_eq!(names_in(Path::new(&keys)).len(), 2);
}
