//! API keys go to private files by default, and not to the model.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;

use apc_sandbox::{Fault, On, Persona, Sandbox};
use serde_json::json;

use crate::support::clients::*;
use crate::support::harness::*;

async fn start(era: Era) -> (Sandbox, Session) {
    let sandbox = Sandbox::start(0).await.unwrap();
    let session = guarded(&sandbox, Persona::WorkspaceAdmin).serve(era).await;
    (sandbox, session)
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

#[tokio::test]
async fn a_new_key_is_in_a_private_file_and_nowhere_else() {
    for era in Era::BOTH {
        let (sandbox, mut session) = start(era).await;
        let created = session.call(CREATE_TOOL, new("etl")).await;
        let real = truth(&sandbox.handle(), "etl");
        let file = created.structured()["api_key_file"].as_str().unwrap();
        let file = Path::new(file);
        assert!(file.is_absolute(), "{file:?}");
        assert_eq!(
            file.file_name().unwrap(),
            format!("{}.key", real.id).as_str()
        );
        assert_eq!(fs::read_to_string(file).unwrap(), real.key);
        assert_eq!(mode(file), 0o600);
        let directory = file.parent().unwrap();
        assert_eq!(directory, key_dir(&session));
        assert_eq!(mode(directory), 0o700);
        assert_eq!(names_in(directory).len(), 1);
        let masked = format!("{}…", &real.key[..6]);
        assert_eq!(created.account()["api_key"], masked);
        assert_eq!(created.structured().get("recovered"), None);
        let found = session.call(GET_TOOL, json!({"label": "etl"})).await;
        assert_eq!(found.column("api_key"), [masked]);
        session.end_without(&[real.key]).await;
    }
}

#[tokio::test]
async fn a_deleted_account_shows_no_key_either() {
    let (sandbox, mut session) = start(Era::USUAL).await;
    let fresh = sandbox
        .handle()
        .add_account(colleague("fresh", apc_sandbox::Role::WorkspaceViewer));
    let gone = session.call(DELETE_TOOL, deletion_of(&fresh.id)).await;
    let masked = format!("{}…", &fresh.key[..6]);
    assert_eq!(gone.account()["api_key"], masked);
    session.end_without(&[fresh.key]).await;
}

#[tokio::test]
async fn every_directory_that_is_made_is_private() {
    let (_sandbox, mut session) = start(Era::USUAL).await;
    session.call(CREATE_TOOL, new("etl")).await.structured();
    for made in [
        ".local",
        ".local/state",
        ".local/state/apc-mcp",
        ".local/state/apc-mcp/keys",
    ] {
        assert_eq!(mode(&session.home().join(made)), 0o700, "{made}");
    }
}

#[tokio::test]
async fn keys_go_below_xdg_state_home_where_it_is_set() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let program = guarded(&sandbox, Persona::WorkspaceAdmin);
    let state = program.path("elsewhere");
    let mut session = program
        .env("XDG_STATE_HOME", &state)
        .serve(Era::USUAL)
        .await;
    let created = session.call(CREATE_TOOL, new("etl")).await;
    let file = created.structured()["api_key_file"].as_str().unwrap();
    assert!(
        file.starts_with(&format!("{state}/apc-mcp/keys/")),
        "{file}"
    );
}

#[tokio::test]
async fn the_path_of_a_relative_directory_is_told_in_full() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let program = guarded(&sandbox, Persona::WorkspaceAdmin).args(&["--key-dir", "my/keys"]);
    let mut session = program.serve(Era::USUAL).await;
    let created = session.call(CREATE_TOOL, new("etl")).await;
    let file = created.structured()["api_key_file"]
        .as_str()
        .unwrap()
        .to_owned();
    let expected = fs::canonicalize(session.home()).unwrap().join("my/keys");
    assert_eq!(fs::canonicalize(&file).unwrap().parent().unwrap(), expected);
    assert!(Path::new(&file).is_absolute(), "{file}");
}

#[tokio::test]
async fn a_directory_that_is_not_safe_stops_creations_before_anything_is_sent() {
    for unsafe_one in ["open", "group", "link", "file", "foreign"] {
        let sandbox = Sandbox::start(0).await.unwrap();
        let program = guarded(&sandbox, Persona::WorkspaceAdmin);
        let keys = program.path("keys");
        let mut session = program.args(&["--key-dir", &keys]).serve(Era::USUAL).await;
        let path = Path::new(&keys);
        match unsafe_one {
            "open" | "group" => {
                fs::create_dir(path).unwrap();
                let bits = if unsafe_one == "open" { 0o777 } else { 0o770 };
                fs::set_permissions(path, PermissionsExt::from_mode(bits)).unwrap();
            }
            "link" => {
                fs::create_dir(session.home().join("real")).unwrap();
                symlink(session.home().join("real"), path).unwrap();
            }
            "foreign" => {
                fs::create_dir(path).unwrap();
                if chown(path, Some(65534), None).is_err() {
                    continue; // Only root can make what is somebody else's.
                }
            }
            _ => fs::write(path, "").unwrap(),
        }
        let before = mode(path);
        let refused = session.call(CREATE_TOOL, new("etl")).await;
        let text = refused.refusal("not_configured");
        assert_says(text, &[&keys, "--key-dir", "APC_KEY_DIR"]);
        assert!(sandbox.handle().requests().is_empty(), "{unsafe_one}");
        assert_eq!(mode(path), before, "left as it is");
        assert!(names_in(&session.home().join("real")).is_empty());
        session.call(GET_TOOL, json!({})).await.structured();
        session
            .call(DELETE_TOOL, deletion_of(CI_DEPLOY))
            .await
            .structured();
    }
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_stops_creations_before_anything_is_sent() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let program = guarded(&sandbox, Persona::WorkspaceAdmin).file("file", "");
    let keys = program.path("file/keys");
    let mut session = program.args(&["--key-dir", &keys]).serve(Era::USUAL).await;
    let refused = session.call(CREATE_TOOL, new("etl")).await;
    assert_says(refused.refusal("not_configured"), &["--key-dir"]);
    assert!(sandbox.handle().requests().is_empty());
}

#[tokio::test]
async fn without_a_home_nothing_is_created() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let program = guarded(&sandbox, Persona::WorkspaceAdmin).env("HOME", "/proc/nowhere");
    let mut session = program.serve(Era::USUAL).await;
    session
        .call(CREATE_TOOL, new("etl"))
        .await
        .refusal("not_configured");
    assert!(sandbox.handle().requests().is_empty());
}

#[tokio::test]
async fn a_creation_that_fails_leaves_no_file() {
    let (sandbox, mut session) = start(Era::USUAL).await;
    let words = "Not today";
    let refusal = json!({"errors": [{"message": words, "extensions": {"code": "BAD_USER_INPUT"}}], "data": {CREATE: null}});
    let refusal = answer(200, "application/json", refusal.to_string(), false);
    sandbox.handle().inject(refusal, On::Field(CREATE), 1);
    let refused = session.call(CREATE_TOOL, new("etl")).await;
    assert_says(refused.refusal("api_error"), &[words]);
    session
        .call(CREATE_TOOL, new("ci-deploy"))
        .await
        .refusal("already_exists");
    let nowhere = json!({"label": "etl", "workspace_id": NOTHING});
    session
        .call(CREATE_TOOL, nowhere)
        .await
        .refusal("permission_denied");
    assert_eq!(names_in(&key_dir(&session)), Vec::<String>::new());
    sandbox
        .handle()
        .inject(Fault::DropBefore, On::Field(CREATE), 1);
    session
        .call(CREATE_TOOL, new("etl"))
        .await
        .refusal("outcome_unknown");
    assert_eq!(kept_in(&key_dir(&session)), Vec::<String>::new());
    assert_eq!(
        intents_in(&key_dir(&session)).len(),
        1,
        "it may still appear"
    );
}

#[tokio::test]
async fn a_file_that_is_there_already_is_not_overwritten() {
    let (sandbox, mut session) = start(Era::USUAL).await;
    let program_dir = key_dir(&session);
    let id = "cmf3n3w1d00000h6thesameid";
    let canned = json!({"data": {CREATE: {
        "id": id, "label": "etl", "apiKey": UNKNOWN_KEY, "createdAt": "2026-11-23T00:00:00.000Z",
    }}});
    let canned = answer(200, "application/json", canned.to_string(), false);
    sandbox.handle().inject(canned, On::Field(CREATE), 2);
    let first = session.call(CREATE_TOOL, new("etl")).await;
    let first = first.structured()["api_key_file"]
        .as_str()
        .unwrap()
        .to_owned();
    fs::write(&first, "precious").unwrap();
    let second = session.call(CREATE_TOOL, new("etl-2")).await;
    let second = second.structured()["api_key_file"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_ne!(first, second);
    assert_eq!(fs::read_to_string(&first).unwrap(), "precious");
    assert_eq!(fs::read_to_string(&second).unwrap(), UNKNOWN_KEY);
    assert_eq!(names_in(&program_dir).len(), 2);
}

#[tokio::test]
async fn a_link_in_the_place_of_the_file_is_not_followed() {
    let (sandbox, mut session) = start(Era::USUAL).await;
    session.call(CREATE_TOOL, new("first")).await.structured();
    let id = "cmf3n3w1d00000h6thesameid";
    let target = session.home().join("target");
    symlink(&target, key_dir(&session).join(format!("{id}.key"))).unwrap();
    let canned = json!({"data": {CREATE: {"id": id, "label": "etl", "apiKey": UNKNOWN_KEY}}});
    let canned = answer(200, "application/json", canned.to_string(), false);
    sandbox.handle().inject(canned, On::Field(CREATE), 1);
    session.call(CREATE_TOOL, new("etl")).await.structured();
    assert!(!target.exists());
}

#[tokio::test]
async fn an_id_that_could_be_a_path_leaves_the_directory_by_no_way() {
    for id in [
        "../../evil",
        "/etc/evil",
        "a/b",
        "..",
        ".hidden",
        &"x".repeat(200),
    ] {
        let (sandbox, mut session) = start(Era::USUAL).await;
        let canned = json!({"data": {CREATE: {"id": id, "label": "etl", "apiKey": UNKNOWN_KEY}}});
        let canned = answer(200, "application/json", canned.to_string(), false);
        sandbox.handle().inject(canned, On::Field(CREATE), 1);
        let created = session.call(CREATE_TOOL, new("etl")).await;
        let file = created.structured()["api_key_file"].as_str().unwrap();
        assert_eq!(Path::new(file).parent().unwrap(), key_dir(&session), "{id}");
        assert_eq!(fs::read_to_string(file).unwrap(), UNKNOWN_KEY);
    }
}

#[tokio::test]
async fn a_key_that_cannot_be_written_is_told_with_the_account_and_what_to_do() {
    let (sandbox, mut session) = start(Era::USUAL).await;
    sandbox.handle().inject(
        Fault::Delay(std::time::Duration::from_millis(500)),
        On::Field(CREATE),
        1,
    );
    let call = session.send_call(CREATE_TOOL, new("etl")).await;
    until("the creation arrives", || mutations(&sandbox.handle()) == 1).await;
    fs::remove_dir_all(key_dir(&session)).unwrap();
    let outcome = session.outcome(CREATE_TOOL, call).await;
    let real = truth(&sandbox.handle(), "etl");
    let text = outcome.refusal("outcome_unknown");
    assert_says(text, &[&real.id, "delete", "its key is not kept anywhere"]);
    // The intent went with the directory: the next call finds nothing to recover.
    assert!(!text.contains("get_service_accounts"), "{text}");
    assert_eq!(outcome.error()["service_account_id"], real.id);
    session.end_without(&[real.key]).await;
}

#[tokio::test]
async fn show_hands_out_keys_as_the_api_does() {
    for era in Era::BOTH {
        let sandbox = Sandbox::start(0).await.unwrap();
        let program = guarded(&sandbox, Persona::WorkspaceAdmin).args(&["--key-output", "show"]);
        let mut session = program.serve(era).await;
        let created = session.call(CREATE_TOOL, new("etl")).await;
        let real = truth(&sandbox.handle(), "etl");
        assert_eq!(created.account()["api_key"], real.key);
        assert_eq!(created.structured().get("api_key_file"), None);
        let found = session.call(GET_TOOL, json!({"label": "etl"})).await;
        assert_eq!(found.column("api_key"), [&real.key]);
        assert!(!key_dir(&session).exists());
    }
}

#[tokio::test]
async fn a_sandbox_keeps_keys_where_a_directory_was_given() {
    let program = Program::bare().args(&["--sandbox"]);
    let mine = program.path("mine");
    let mut session = program.args(&["--key-dir", &mine]).serve(Era::USUAL).await;
    let created = session.call(CREATE_TOOL, new("etl")).await;
    let file = created.structured()["api_key_file"].as_str().unwrap();
    assert_eq!(Path::new(file).parent(), Some(Path::new(&mine)));
    session.close_stdin_and_wait().await;
    assert_eq!(names_in(Path::new(&mine)).len(), 1);
}

#[tokio::test]
async fn a_sandbox_keeps_keys_in_a_directory_that_goes_with_it() {
    for end in ["input", "signal"] {
        let program = Program::bare().args(&["--sandbox"]);
        let temporary = program.path("tmp");
        fs::create_dir(&temporary).unwrap();
        let program = program.env("TMPDIR", &temporary);
        let mut session = program.serve(Era::USUAL).await;
        let created = session.call(CREATE_TOOL, new("etl")).await;
        let file = created.structured()["api_key_file"].as_str().unwrap();
        let file = Path::new(file).to_owned();
        assert!(file.starts_with(&temporary), "{file:?}");
        assert_eq!(mode(&file), 0o600);
        if end == "signal" {
            session.signal(rustix::process::Signal::TERM);
            session.wait().await;
        } else {
            session.close_stdin_and_wait().await;
        }
        assert!(!file.exists());
        assert_eq!(
            names_in(Path::new(&temporary)),
            Vec::<String>::new(),
            "{end}"
        );
    }
}

/// The shell lowers the limit and becomes the server.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_key_that_would_not_fit_stops_the_creation_before_anything_is_sent() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let server = format!("ulimit -f 0; exec {}", env!("CARGO_BIN_EXE_apc-mcp"));
    let program = guarded(&sandbox, Persona::WorkspaceAdmin);
    let program = program.named("/bin/sh").args(&["-c", &server]);
    let mut session = program.serve(Era::USUAL).await;
    let keys = key_dir(&session);
    for _ in 0..2 {
        let refused = session.call(CREATE_TOOL, new("etl")).await;
        let text = refused.refusal("not_configured");
        assert_says(
            text,
            &[
                keys.to_str().unwrap(),
                "cannot take a key",
                "Nothing was created",
                "--key-dir",
            ],
        );
    }
    assert!(sandbox.handle().requests().is_empty());
    assert_eq!(names_in(&keys), Vec::<String>::new());
    // The server lives, and what needs no file works.
    session.call(GET_TOOL, json!({})).await.structured();
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[tokio::test]
async fn a_key_file_that_cannot_be_synced_is_a_success_with_a_warning() {
    let directory = tempfile::tempdir().unwrap();
    let library = preloaded(directory.path(), "fsync");
    for unsynced in ["directory", "key"] {
        let sandbox = Sandbox::start(0).await.unwrap();
        let mut session = guarded(&sandbox, Persona::WorkspaceAdmin)
            .env("LD_PRELOAD", &library)
            .env("UNSYNCED", unsynced)
            .serve(Era::USUAL)
            .await;
        let created = session.call(CREATE_TOOL, new("etl")).await;
        let notes = created.structured()["notes"].as_array().unwrap();
        assert_eq!(notes.len(), 1, "{notes:?}");
        assert_says(
            notes[0].as_str().unwrap(),
            &["could not be synced", "loses power", "Copy the key"],
        );
        let real = truth(&sandbox.handle(), "etl");
        let file = created.structured()["api_key_file"].as_str().unwrap();
        assert_eq!(fs::read_to_string(file).unwrap(), real.key, "{unsynced}");
    }
}

#[tokio::test]
async fn a_key_that_the_api_masks_on_creation_is_told_and_not_written() {
    for keys in ["file", "show"] {
        let sandbox = Sandbox::start(0).await.unwrap();
        sandbox.handle().mask_new_keys();
        let program = guarded(&sandbox, Persona::WorkspaceAdmin).args(&["--key-output", keys]);
        let mut session = program.serve(Era::USUAL).await;
        let outcome = session.call(CREATE_TOOL, new("etl")).await;
        let real = truth(&sandbox.handle(), "etl");
        let text = outcome.refusal("outcome_unknown");
        assert_says(text, &[&real.id, "masked", "Delete"]);
        assert_eq!(outcome.error()["service_account_id"], real.id);
        assert_eq!(names_in(&key_dir(&session)), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_key_that_is_not_whole_is_told_and_not_written_whatever_sign_hides_it() {
    let bullets = format!("abcdef{}", "•".repeat(26));
    let dots = format!("abcdef{}", ".".repeat(26));
    for shown in [
        "abcdef…",
        "abcdef...",
        "abcdef",
        "[REDACTED]",
        "abcdef••••",
        "abcdefabcdef\nabcdefabcdef",
        "0123456789abcde",
        &bullets,
        &dots,
    ] {
        let (sandbox, mut session) = start(Era::USUAL).await;
        let canned = json!({"data": {CREATE: {"id": "ck1", "label": "etl", "apiKey": shown}}});
        let canned = answer(200, "application/json", canned.to_string(), false);
        sandbox.handle().inject(canned, On::Field(CREATE), 1);
        let outcome = session.call(CREATE_TOOL, new("etl")).await;
        let text = outcome.refusal("outcome_unknown");
        assert_says(text, &["ck1", "masked", "Delete"]);
        assert_eq!(outcome.error()["service_account_id"], "ck1", "{shown}");
        let left = names_in(&key_dir(&session));
        assert_eq!(left, Vec::<String>::new(), "{shown}");
    }
}

#[tokio::test]
async fn an_id_that_is_a_secret_names_no_file() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let program = guarded(&sandbox, Persona::WorkspaceAdmin);
    let mut session = program.serve(Era::USUAL).await;
    // Another key, and the key of this very creation.
    for (label, id) in [
        ("one", "fedcba9876543210fedcba9876543210"),
        ("two", UNKNOWN_KEY),
    ] {
        let canned = json!({"data": {CREATE: {"id": id, "label": label, "apiKey": UNKNOWN_KEY}}});
        let canned = answer(200, "application/json", canned.to_string(), false);
        sandbox.handle().inject(canned, On::Field(CREATE), 1);
        session.call(CREATE_TOOL, new(label)).await;
        for name in names_in(&key_dir(&session)) {
            assert!(name.starts_with("key-") && !name.contains(id), "{name}");
        }
    }
    assert_eq!(names_in(&key_dir(&session)).len(), 2);
}
