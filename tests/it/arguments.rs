//! Every argument's type and bounds: what does not fit is named, and nothing reaches the API.

use apc_sandbox::Sandbox;
use serde_json::{Value, json};

use crate::support::harness::*;

const TEXT: &str = "1 to 255 characters";
const ID: &str = "1 to 128";
const ROLES: &str = "WORKSPACE_VIEWER, WORKSPACE_EDITOR, WORKSPACE_ADMIN";

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
        (json!(true), "true"),
        (json!([1]), "array"),
        (json!({}), "object"),
        (json!(1e300), "1e+300"),
        (json!(u64::MAX), "18446744073709551615"),
    ]
}

#[tokio::test]
async fn a_label_to_create_is_text_of_1_to_255_characters() {
    let mut values = bad_texts();
    values.push((json!(""), "''"));
    assert_refused("create_service_account", "label", TEXT, &values).await;
}

#[tokio::test]
async fn a_category_is_bounded_like_a_label() {
    assert_refused("create_service_account", "category", TEXT, &bad_texts()).await;
}

#[tokio::test]
async fn a_role_is_one_of_three_in_exactly_that_spelling() {
    let mut values = no_text();
    for name in [
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
    values.push((json!("x".repeat(256)), "xxx"));
    for filter in ["label", "role", "category"] {
        assert_refused("get_service_accounts", filter, TEXT, &values).await;
    }
}

#[tokio::test]
async fn a_limit_is_a_whole_number_from_0_to_200() {
    let mut values = bad_numbers();
    values.push((json!(201), "201"));
    assert_refused("get_service_accounts", "limit", "from 0 to 200", &values).await;
}

#[tokio::test]
async fn the_beginning_of_a_key_is_6_characters_at_least() {
    let mut values = no_text();
    values.push((json!("429b8"), "'429b8'"));
    values.push((json!("429b8***********"), "'429b8***"));
    values.push((json!("x".repeat(256)), "xxx"));
    assert_refused("get_service_accounts", "key_prefix", "first 6", &values).await;
}

#[tokio::test]
async fn unused_since_is_a_date_or_a_time() {
    let mut values = no_text();
    for text in [
        "yesterday",
        "90 days",
        "2026-13-01",
        "2026-02-30",
        "01.08.2026",
        "2026-08",
    ] {
        values.push((json!(text), text));
    }
    assert_refused(
        "get_service_accounts",
        "unused_since",
        "2026-08-01",
        &values,
    )
    .await;
}

#[tokio::test]
async fn an_order_is_oldest_or_newest() {
    let mut values = no_text();
    values.push((json!("descending"), "'descending'"));
    assert_refused("get_service_accounts", "order", "oldest, newest", &values).await;
}

#[tokio::test]
async fn a_broken_cursor_is_refused_with_the_way_on() {
    let mut values = no_text();
    for text in ["50", "next", "AAAA", "{}", "bm90IGEgY3Vyc29y", "ä"] {
        values.push((json!(text), "cursor is"));
    }
    assert_refused("get_service_accounts", "cursor", "leave it out", &values).await;
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
        ("get_service_accounts", "offset", "cursor"),
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

    let all = json!({"workspace_id": null, "service_account_id": null, "label": null, "limit": null, "cursor": null});
    let found = session.call("get_service_accounts", all).await;
    assert_eq!(found.structured()["total"], 7);

    let deletion = json!({"service_account_id": id, "workspace_id": null});
    session
        .call("delete_service_account", deletion)
        .await
        .structured();
}

#[tokio::test]
async fn an_empty_text_is_as_good_as_omitted() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = Session::start(Era::USUAL, &sandbox).await;

    let new = json!({"label": "new", "workspace_id": ANALYTICS, "role": "", "category": ""});
    let created = session.call("create_service_account", new).await;
    let id = created.account()["id"].clone();
    assert_eq!(truth(&sandbox.handle(), "new").role, "WORKSPACE_VIEWER");
    assert_eq!(truth(&sandbox.handle(), "new").category, None);

    let mut all = json!({});
    for argument in [
        "workspace_id",
        "service_account_id",
        "label",
        "role",
        "category",
        "key_prefix",
        "unused_since",
        "order",
        "limit",
        "cursor",
        "deployment_id",
        "include_deployments",
    ] {
        all[argument] = json!("");
    }
    let found = session.call("get_service_accounts", all).await;
    assert_eq!(found.structured()["total"], 7);

    let deletion = json!({"service_account_id": id, "workspace_id": ""});
    session
        .call("delete_service_account", deletion)
        .await
        .structured();
}

#[tokio::test]
async fn no_default_stands_in_for_a_place_of_a_creation_that_is_empty() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let program = Program::at(&sandbox, apc_sandbox::Persona::WorkspaceAdmin)
        .args(&["--workspace-id", ANALYTICS]);
    let mut session = program.serve(Era::USUAL).await;
    for (place, says) in [
        (
            json!({"workspace_id": ""}),
            "workspace_id is '' and deployment_id is missing",
        ),
        (
            json!({"deployment_id": ""}),
            "workspace_id is missing and deployment_id is ''",
        ),
        (
            json!({"workspace_id": "", "deployment_id": ""}),
            "workspace_id and deployment_id are both ''",
        ),
        (
            json!({"workspace_id": "", "deployment_id": null}),
            "workspace_id is '' and deployment_id is missing",
        ),
    ] {
        let mut new = place;
        new["label"] = json!("new");
        let refused = session.call("create_service_account", new).await;
        let text = refused.refusal("invalid_arguments");
        let default =
            format!("leaving both out, or null, means the default workspace '{ANALYTICS}'");
        assert_says(text, &[says, "one of them is needed", &default]);
    }
    assert_eq!(sandbox.handle().requests(), []);
    let program = Program::at(&sandbox, apc_sandbox::Persona::WorkspaceAdmin).args(&[
        "--workspace-id",
        ANALYTICS,
        "--levels",
        "workspace",
    ]);
    let mut session = program.serve(Era::USUAL).await;
    let new = json!({"label": "new", "workspace_id": ""});
    let refused = session.call("create_service_account", new).await;
    let text = refused.refusal("invalid_arguments");
    let default =
        format!("leaving workspace_id out, or null, means the default workspace '{ANALYTICS}'");
    assert_says(text, &["workspace_id is ''", &default]);
    assert!(!text.contains("deployment"), "{text}");
    assert_eq!(sandbox.handle().requests(), []);
}

#[tokio::test]
async fn all_faults_of_a_call_are_named_at_once() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = Session::start(Era::USUAL, &sandbox).await;
    let wrong = json!({
        "workspace_id": "a b", "label": 5, "role": [], "category": "x".repeat(256), "key_prefix": "ab",
        "unused_since": "soon", "order": "up", "limit": 1000, "cursor": "!", "offset": 3,
    });
    let refused = session.call("get_service_accounts", wrong.clone()).await;
    let text = refused.refusal("invalid_arguments");
    for argument in keys(&wrong) {
        assert!(
            text.contains(&format!("{argument} is ")) || text.contains("'offset' is not"),
            "{argument}: {text}"
        );
    }
    assert_eq!(sandbox.handle().requests(), []);
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
    for limit in [json!(0), json!(200), json!(10.0)] {
        session
            .call("get_service_accounts", json!({"limit": limit}))
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
