//! Key directories that fail: what is refused, what it leaves behind, and what the advice says.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

use std::fs;
use std::path::Path;

use apc_sandbox::{Persona, Sandbox};
use serde_json::json;

use crate::support::clients::*;
use crate::support::harness::*;

/// A library with which calls of the C library fail, compiled into that directory.
fn failing_disk(directory: &Path) -> String {
    preloaded(directory, "refusals")
}

#[tokio::test]
async fn a_key_whose_write_fails_after_the_creation_is_got_by_the_next_list() {
    let directory = tempfile::tempdir().unwrap();
    let library = failing_disk(directory.path());
    let sandbox = Sandbox::start(0).await.unwrap();
    // The first write keeps the room, the second one is the key.
    let mut session = guarded(&sandbox, Persona::WorkspaceAdmin)
        .env("LD_PRELOAD", &library)
        .env("REFUSED", "write 28 /.pending- 2")
        .serve(Era::USUAL)
        .await;
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
    let mut session = Program::bare()
        .args(&["--sandbox"])
        .env("LD_PRELOAD", &library)
        .env("REFUSED", "write 28 /.pending- 2")
        .serve(Era::USUAL)
        .await;
    let outcome = session.call(CREATE_TOOL, new("etl")).await;
    let text = outcome.refusal("outcome_unknown");
    assert_says(text, &["Make room", "delete", "create it again"]);
    assert!(!text.contains("get_service_accounts"), "{text}");
}
