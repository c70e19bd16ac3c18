//! Holds the sandbox to what the real API answered: every recorded exchange, over a socket.
//! Compares what the recordings call stable and nothing else.

use std::time::Duration;

use apc_sandbox::{Entity, NewAccount, Role, Sandbox, Store};
use chrono::TimeDelta;
use serde_json::Value;

use crate::support::{Answer, post};

const RECORDINGS: &str = include_str!("recordings.json");
const WS1: &str = "ckws1aaaa0000000000000000";
const WS2: &str = "ckws2bbbb0000000000000000";
const DEPLOYMENT: &str = "ckdep2aaaa000000000000000";
const SYSTEM_KEY: &str = "00000000000000000000000000000a01";

fn file() -> Value {
    serde_json::from_str(RECORDINGS).unwrap()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("{name} in {value}"))
}

fn workspace(id: &str) -> Entity {
    Entity::Workspace(id.into())
}

/// The installation the recordings describe.
fn seeds(file: &Value) -> Store {
    let mut store = Store::empty().deployment(DEPLOYMENT, "Deployment Two", WS2);
    for seed in file["seeds"]["workspaces"].as_array().unwrap() {
        store = store.workspace(text(seed, "id"), text(seed, "label"));
    }
    for (id, accounts) in file["seeds"]["workspace_accounts"].as_object().unwrap() {
        for account in accounts.as_array().unwrap() {
            store = store.account(seed_account(id, account));
        }
    }
    let system = NewAccount::new("seed-sys-admin", Role::SystemAdmin, Entity::System);
    let deployment = Entity::Deployment(DEPLOYMENT.into());
    let deployment = NewAccount::new("seed-dep2-admin", Role::DeploymentAdmin, deployment);
    store
        .account(NewAccount {
            id: Some("cksasysadminsa00000000000".into()),
            key: Some(SYSTEM_KEY.into()),
            category: Some("seed".into()),
            ..system
        })
        .account(NewAccount {
            id: Some("cksadep2adminsa0000000000".into()),
            category: Some("seed".into()),
            ..deployment
        })
        .user("ws1_editor", &[(Role::WorkspaceEditor, workspace(WS1))])
        .user("system_editor", &[(Role::SystemEditor, Entity::System)])
        .user("nobody", &[])
}

fn seed_account(workspace_id: &str, seed: &Value) -> NewAccount {
    let role = match text(&seed["roleBinding"], "role") {
        "WORKSPACE_ADMIN" => Role::WorkspaceAdmin,
        "WORKSPACE_EDITOR" => Role::WorkspaceEditor,
        "WORKSPACE_VIEWER" => Role::WorkspaceViewer,
        other => panic!("seed of role {other}"),
    };
    let old = text(seed, "id").starts_with("cksaws1oldsa");
    let age = Duration::from_secs(if old { 30 * 60 } else { 0 });
    let key = match old {
        true => "abcdef0123456789abcdef0123456789",
        false => text(seed, "apiKey"),
    };
    NewAccount {
        id: Some(text(seed, "id").into()),
        key: Some(key.into()),
        category: Some(text(seed, "category").into()),
        age,
        ..NewAccount::new(text(seed, "label"), role, workspace(workspace_id))
    }
}

fn authorization(sandbox: &Sandbox, caller: &str) -> Option<String> {
    let ws1_admin = "00000000000000000000000000000b01";
    let user = |name, hours| Some(sandbox.handle().sign_in(name, TimeDelta::hours(hours)));
    match caller {
        "ws1_admin" => Some(ws1_admin.into()),
        "ws1_admin_with_bearer" => Some(format!("Bearer {ws1_admin}")),
        "ws1_admin_with_lowercase_bearer" => Some(format!("bearer {ws1_admin}")),
        "ws1_viewer" => Some("00000000000000000000000000000b02".into()),
        "ws2_admin" => Some("00000000000000000000000000000c01".into()),
        "system_admin" => Some(SYSTEM_KEY.into()),
        "garbage" => Some("ffffffffffffffffffffffffffffffff".into()),
        "none" => None,
        "expired_jwt" => user("ws1_editor", -1),
        "ws1_editor" | "system_editor" | "nobody" => user(caller, 24),
        other => panic!("unknown caller {other}"),
    }
}

async fn send(sandbox: &Sandbox, step: &Value) -> Answer {
    let authorization = authorization(sandbox, text(step, "caller"));
    post(
        sandbox,
        authorization.as_deref(),
        &step["request"].to_string(),
    )
    .await
}

async fn replay(file: &Value, case: &Value) {
    let sandbox = Sandbox::start_with(0, seeds(file)).await.unwrap();
    for step in case["before"].as_array().unwrap() {
        send(&sandbox, step).await;
    }
    let answer = send(&sandbox, case).await;
    let name = text(case, "case");
    assert_eq!(u64::from(answer.status), case["status"], "{name}");
    assert_eq!(
        answer.header("content-type"),
        case["content_type"].as_str(),
        "{name}"
    );
    let body = answer.json();
    alike(&body, &case["body"], name);
    same_errors(&body, case, name);
}

fn same_errors(body: &Value, case: &Value, name: &str) {
    let errors = |body: &Value| body["errors"].as_array().cloned().unwrap_or_default();
    for (ours, theirs) in errors(body).iter().zip(errors(&case["body"])) {
        assert_eq!(
            ours["extensions"]["code"], theirs["extensions"]["code"],
            "{name}"
        );
        if case["status"] == 200 {
            assert_eq!(ours["message"], theirs["message"], "{name}");
            assert_eq!(ours["path"], theirs["path"], "{name}");
        }
    }
}

/// Same keys, same lengths, null where null is, and the same value where values are stable.
fn alike(ours: &Value, theirs: &Value, at: &str) {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            assert!(
                ours.keys().eq(theirs.keys()),
                "{at}: {ours:?} is not like {theirs:?}"
            );
            for (key, theirs) in theirs {
                if key != "locations" && key != "exception" {
                    alike_under(key, &ours[key], theirs, &format!("{at} > {key}"));
                }
            }
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            assert_eq!(ours.len(), theirs.len(), "{at}: {ours:?}");
            let pairs = ours.iter().zip(theirs);
            pairs.for_each(|(ours, theirs)| alike(ours, theirs, at));
        }
        _ => assert_eq!(ours.is_null(), theirs.is_null(), "{at}: {ours}"),
    }
}

fn alike_under(key: &str, ours: &Value, theirs: &Value, at: &str) {
    let stable = [
        "label",
        "category",
        "entityType",
        "entityUuid",
        "active",
        "role",
    ];
    let seeded = |key: &str| key.starts_with("00000000") || key.starts_with("abcdef");
    let seeded_key = key == "apiKey" && theirs.as_str().is_some_and(seeded);
    if stable.contains(&key) || seeded_key {
        assert_eq!(ours, theirs, "{at}");
    }
    alike(ours, theirs, at);
}

#[tokio::test]
async fn answers_every_recorded_request_as_the_api_did() {
    let file = file();
    let cases = file["recordings"].as_array().unwrap();
    assert_eq!(cases.len(), 52);
    for case in cases {
        replay(&file, case).await;
    }
}

#[test]
#[should_panic(expected = "is not like")]
fn the_comparison_notices_a_missing_key() {
    alike(
        &serde_json::json!({"a": {}}),
        &serde_json::json!({"a": {"b": 1}}),
        "guard",
    );
}

#[test]
#[should_panic(expected = "guard > a")]
fn the_comparison_notices_a_value_where_null_was() {
    alike(
        &serde_json::json!({"a": 1}),
        &serde_json::json!({"a": null}),
        "guard",
    );
}
