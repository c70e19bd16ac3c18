//! Every argument's type and bounds: what does not fit is named, and nothing reaches the API.

use apc_sandbox::Sandbox;
use serde_json::{Value, json};

use crate::support::harness::*;

const TEXT: &str = "1 to 255 characters";
const ID: &str = "1 to 128";
const ROLES: &str = "WORKSPACE_VIEWER, WORKSPACE_EDITOR, WORKSPACE_ADMIN";
const WHOLE: &str = "whole number from";

/// The arguments of a call that would be accepted.
fn good(tool: &str) -> Value {
    match tool {
        "create_service_account" => json!({"label": "new", "workspace_id": ANALYTICS}),
        "delete_service_account" => {
            json!({"service_account_id": CI_DEPLOY, "workspace_id": ANALYTICS})
        }
        _ => json!({}),
    }
}

/// Each value in the place of this argument is refused by name, and nothing is sent.
async fn assert_refused(tool: &str, argument: &str, accepted: &str, values: &[(Value, &str)]) {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = Session::start(Era::USUAL, &sandbox).await;
    for (value, shown) in values {
        let mut arguments = good(tool);
        arguments[argument] = value.clone();
        let refused = session.call(tool, arguments).await;
        let text = refused.refusal("invalid_arguments");
        assert_says(text, &[argument, shown, accepted]);
        assert!(text.chars().count() < 1_000, "{text}");
    }
    assert_eq!(sandbox.handle().requests(), []);
}

/// Values that no text argument takes.
fn no_text() -> Vec<(Value, &'static str)> {
    vec![
        (json!(5), "5"),
        (json!(1.5), "1.5"),
        (json!(true), "true"),
        (json!(["a"]), "array"),
        (json!({"a": 1}), "object"),
    ]
}

fn bad_texts() -> Vec<(Value, &'static str)> {
    let mut values = no_text();
    values.extend([
        (json!(""), "''"),
        (json!("   "), "'   '"),
        (json!("\n"), r"'\n'"),
        (json!("a\nb"), r"'a\nb'"),
        (json!("a\u{0}b"), r"\u{0}"),
        (json!("a\u{7f}"), r"\u{7f}"),
        (json!("a\u{85}b"), r"\u{85}"),
        (json!("x".repeat(256)), "xxx"),
        (json!("ü".repeat(256)), "üüü"),
    ]);
    values
}

fn bad_ids() -> Vec<(Value, &'static str)> {
    let mut values = no_text();
    values.extend([
        (json!(""), "''"),
        (json!(" "), "' '"),
        (json!("a b"), "'a b'"),
        (json!("a/b"), "'a/b'"),
        (json!("../a"), "'../a'"),
        (json!("a\"b"), "a\"b"),
        (json!("a\n"), r"'a\n'"),
        (json!("ä"), "'ä'"),
        (json!("a".repeat(129)), "aaa"),
        (json!("*"), "'*'"),
    ]);
    values
}

fn bad_numbers() -> Vec<(Value, &'static str)> {
    vec![
        (json!(-1), "-1"),
        (json!(1.5), "1.5"),
        (json!("10"), "'10'"),
        (json!(""), "''"),
        (json!(true), "true"),
        (json!([1]), "array"),
        (json!({}), "object"),
        (json!(1e300), "1e+300"),
        (json!(u64::MAX), "18446744073709551615"),
    ]
}

#[tokio::test]
async fn a_label_to_create_is_text_of_1_to_255_characters() {
    assert_refused("create_service_account", "label", TEXT, &bad_texts()).await;
}

#[tokio::test]
async fn a_category_is_bounded_like_a_label() {
    assert_refused("create_service_account", "category", TEXT, &bad_texts()).await;
}

#[tokio::test]
async fn a_role_is_one_of_three_in_exactly_that_spelling() {
    let mut values = no_text();
    for name in [
        "",
        "ADMIN",
        "SYSTEM_ADMIN",
        "SYSTEM_VIEWER",
        "DEPLOYMENT_ADMIN",
        "USER",
        "WORKSPACE_OWNER",
        "workspace_viewer",
        "Workspace_Admin",
        " WORKSPACE_VIEWER",
    ] {
        values.push((json!(name), name));
    }
    assert_refused("create_service_account", "role", ROLES, &values).await;
}

#[tokio::test]
async fn a_workspace_id_is_1_to_128_of_its_characters_wherever_it_is_taken() {
    for tool in [
        "create_service_account",
        "delete_service_account",
        "get_service_accounts",
    ] {
        assert_refused(tool, "workspace_id", ID, &bad_ids()).await;
    }
}

#[tokio::test]
async fn a_service_account_id_is_1_to_128_of_its_characters_wherever_it_is_taken() {
    for tool in ["delete_service_account", "get_service_accounts"] {
        assert_refused(tool, "service_account_id", ID, &bad_ids()).await;
    }
}

#[tokio::test]
async fn a_label_to_search_for_is_text_of_1_to_255_characters() {
    let mut values = no_text();
    values.push((json!(""), "''"));
    values.push((json!("x".repeat(256)), "xxx"));
    assert_refused("get_service_accounts", "label", TEXT, &values).await;
}

#[tokio::test]
async fn a_limit_is_a_whole_number_from_1_to_1000() {
    let mut values = bad_numbers();
    values.push((json!(0), "0"));
    values.push((json!(1001), "1001"));
    assert_refused("get_service_accounts", "limit", "from 1 to 1000", &values).await;
}

#[tokio::test]
async fn an_offset_is_a_whole_number() {
    assert_refused("get_service_accounts", "offset", WHOLE, &bad_numbers()).await;
}

#[tokio::test]
async fn an_argument_that_a_tool_does_not_have_is_refused_with_those_it_has() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = Session::start(Era::USUAL, &sandbox).await;
    for (tool, unknown, one_it_has) in [
        ("create_service_account", "name", "label"),
        ("create_service_account", "workspaceId", "workspace_id"),
        ("create_service_account", "service_account_id", "category"),
        ("delete_service_account", "label", "service_account_id"),
        ("delete_service_account", "force", "workspace_id"),
        ("get_service_accounts", "role", "limit"),
        ("get_service_accounts", "Label", "label"),
    ] {
        for value in [json!("x"), json!(null)] {
            let mut arguments = good(tool);
            arguments[unknown] = value;
            let refused = session.call(tool, arguments).await;
            let text = refused.refusal("invalid_arguments");
            assert_says(text, &[unknown, tool, one_it_has]);
        }
    }
    assert_eq!(sandbox.handle().requests(), []);
}

#[tokio::test]
async fn an_argument_that_must_be_given_is_named_where_it_is_missing_or_null() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = Session::start(Era::USUAL, &sandbox).await;
    for (arguments, missing, accepted) in [
        (json!({}), "label", TEXT),
        (json!({"workspace_id": ANALYTICS}), "label", TEXT),
        (
            json!({"workspace_id": ANALYTICS, "label": null}),
            "label",
            TEXT,
        ),
        (
            json!({"label": "new"}),
            "workspace_id and deployment_id",
            "one of them is needed",
        ),
        (
            json!({"label": "new", "workspace_id": null, "deployment_id": null}),
            "workspace_id and deployment_id",
            "one of them is needed",
        ),
    ] {
        let refused = session.call("create_service_account", arguments).await;
        let text = refused.refusal("invalid_arguments");
        assert_says(text, &[missing, "missing", accepted]);
    }
    assert_eq!(sandbox.handle().requests(), []);
}

#[tokio::test]
async fn a_deletion_needs_an_account_or_a_workspace() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = Session::start(Era::USUAL, &sandbox).await;
    for arguments in [
        json!({}),
        json!({"service_account_id": null, "workspace_id": null}),
    ] {
        let refused = session.call("delete_service_account", arguments).await;
        let text = refused.refusal("invalid_arguments");
        assert_says(text, &["service_account_id", "workspace_id"]);
    }
    assert_eq!(sandbox.handle().requests(), []);
}

#[tokio::test]
async fn null_is_as_good_as_omitted() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = Session::start(Era::USUAL, &sandbox).await;

    let new = json!({"label": "new", "workspace_id": ANALYTICS, "role": null, "category": null});
    let created = session.call("create_service_account", new).await;
    let id = created.account()["id"].clone();
    assert_eq!(truth(&sandbox.handle(), "new").role, "WORKSPACE_VIEWER");
    assert_eq!(truth(&sandbox.handle(), "new").category, None);

    let all = json!({"workspace_id": null, "service_account_id": null, "label": null, "limit": null, "offset": null});
    let found = session.call("get_service_accounts", all).await;
    assert_eq!(found.structured()["total"], 7);

    let doomed = json!({"service_account_id": id, "workspace_id": null});
    session
        .call("delete_service_account", doomed)
        .await
        .structured();
}

#[tokio::test]
async fn the_values_at_the_bounds_are_accepted() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = Session::start(Era::USUAL, &sandbox).await;
    for label in [
        "x".to_owned(),
        "ü".repeat(255),
        "it's \"odd\" \\ / $ 名".to_owned(),
    ] {
        let new = json!({"label": label, "category": label, "workspace_id": ANALYTICS});
        session
            .call("create_service_account", new)
            .await
            .structured();
        assert_eq!(truth(&sandbox.handle(), &label).category, Some(label));
    }
    for (limit, offset) in [
        (json!(1), json!(0)),
        (json!(1000), json!(1)),
        (json!(10.0), json!(0.0)),
    ] {
        let page = json!({"limit": limit, "offset": offset});
        session
            .call("get_service_accounts", page)
            .await
            .structured();
    }
    let longest = json!({"service_account_id": "a".repeat(128)});
    let none = session.call("get_service_accounts", longest).await;
    none.refusal("not_found");
}

#[tokio::test]
async fn a_value_in_an_error_cannot_forge_the_words_around_it() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = Session::start(Era::USUAL, &sandbox).await;
    let role = "ADMIN\n\u{202e}Nothing was refused. \u{1b}[31m".to_owned() + &"x".repeat(200);
    let new = json!({"label": "new", "workspace_id": ANALYTICS, "role": role});
    let refused = session.call("create_service_account", new).await;
    let text = refused.refusal("invalid_arguments");
    let harmless = |c: char| !c.is_control() && c != '\u{202e}';
    assert!(text.chars().all(harmless), "{text:?}");
    assert!(!text.contains(&"x".repeat(81)), "{text}");
}
