//! Every kind of answer of the API and of things in front of it, with the error code that it becomes.

use apc_sandbox::{Entity, Fault, Handle, NewAccount, On, Persona, Role, Sandbox};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta};
use serde_json::{Value, json};

use crate::support::harness::*;

const PAGE: &str = "<!DOCTYPE html><html><body>Sign in or go away</body></html>";
const ALWAYS: usize = 1_000;

fn page(status: u16) -> Fault {
    answer(status, &[("content-type", "text/html")], PAGE)
}

fn json_answer(status: u16, body: &Value) -> Fault {
    let json = [("content-type", "application/json")];
    answer(status, &json, &body.to_string())
}

fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Fault {
    let headers = headers.iter();
    Fault::Answer {
        status,
        headers: headers
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect(),
        body: body.to_owned(),
        executed: false,
    }
}

fn errors(code: &str, message: &str) -> Value {
    json!({"errors": [{"message": message, "extensions": {"code": code}}]})
}

fn errors_with_null(field: &str, code: &str, message: &str) -> Value {
    let mut body = errors(code, message);
    body["data"] = json!({field: null});
    body
}

async fn start() -> (Sandbox, Session) {
    let sandbox = Sandbox::start(0).await.unwrap();
    let session = Session::start(Era::USUAL, &sandbox).await;
    (sandbox, session)
}

async fn with_timeout(seconds: &str) -> (Sandbox, Session) {
    let sandbox = Sandbox::start(0).await.unwrap();
    let session = Program::at(&sandbox, Persona::WorkspaceAdmin)
        .env("APC_TIMEOUT", seconds)
        .serve(Era::USUAL)
        .await;
    (sandbox, session)
}

async fn get(session: &mut Session) -> Outcome {
    let one = json!({"workspace_id": ANALYTICS});
    session.call("get_service_accounts", one).await
}

async fn create(session: &mut Session) -> Outcome {
    let new = json!({"label": "etl", "workspace_id": ANALYTICS});
    session.call("create_service_account", new).await
}

async fn delete(session: &mut Session) -> Outcome {
    let one = json!({"service_account_id": CI_DEPLOY, "workspace_id": ANALYTICS});
    session.call("delete_service_account", one).await
}

/// A reading that meets this fault fails so, and the next one succeeds in the same session.
async fn assert_reading(fault: Fault, code: &str, says: &[&str]) {
    let (sandbox, mut session) = start().await;
    let handle = sandbox.handle();
    handle.inject(fault.clone(), On::Field(LIST), ALWAYS);
    let refused = get(&mut session).await;
    let text = refused.refusal(code);
    assert_says(text, says);
    assert!(!text.contains(PAGE), "{text}");
    handle.clear_faults();
    assert_eq!(
        get(&mut session).await.structured()["total"],
        4,
        "{fault:?}"
    );
}

/// A creation that meets this fault fails so, and was sent once.
async fn assert_creation(fault: Fault, code: &str) {
    let (sandbox, mut session) = start().await;
    sandbox.handle().inject(fault, On::Field(CREATE), ALWAYS);
    create(&mut session).await.refusal(code);
    assert_eq!(mutations(&sandbox.handle()), 1);
}

// Who am I, and what may I do.

#[tokio::test]
async fn a_token_that_the_api_does_not_know_is_unauthenticated_for_every_tool() {
    let sandbox = Sandbox::start(0).await.unwrap();
    for token in [UNKNOWN_KEY, "no-token-of-this-installation"] {
        let mut session = Program::with_token(&sandbox, token).serve(Era::USUAL).await;
        for refused in [
            get(&mut session).await,
            session.call("get_service_accounts", json!({})).await,
            create(&mut session).await,
            delete(&mut session).await,
        ] {
            let text = refused.refusal("unauthenticated");
            assert_says(text, &["APC_API_TOKEN", "Set a new token."]);
            assert!(!text.contains(token), "{text}");
            // The sandbox is reached by its address, which the astro CLI knows no login for.
            assert!(!text.contains("astro login"), "{text}");
        }
    }
}

#[tokio::test]
async fn a_token_that_has_expired_is_unauthenticated_since_its_date() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let token = sandbox.handle().sign_in("admin", TimeDelta::days(-3));
    let mut session = Program::with_token(&sandbox, &token)
        .serve(Era::USUAL)
        .await;
    let date = expiry(&token);
    for refused in [get(&mut session).await, create(&mut session).await] {
        assert_says(refused.refusal("unauthenticated"), &["expired", &date]);
    }
}

/// The day in a token's own `exp` claim.
fn expiry(token: &str) -> String {
    let claims = token.split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    let expires = DateTime::from_timestamp(claims["exp"].as_i64().unwrap(), 0).unwrap();
    expires.format("%Y-%m-%d").to_string()
}

#[tokio::test]
async fn a_good_token_without_the_permission_is_denied_and_not_unauthenticated() {
    let sandbox = Sandbox::start(0).await.unwrap();
    for persona in [Persona::WorkspaceViewer, Persona::Nobody] {
        let mut session = Program::at(&sandbox, persona).serve(Era::USUAL).await;
        create(&mut session).await.refusal("permission_denied");
    }
    let mut nobody = Program::at(&sandbox, Persona::Nobody)
        .serve(Era::USUAL)
        .await;
    get(&mut nobody).await.refusal("permission_denied");
    delete(&mut nobody).await.refusal("permission_denied");
}

#[tokio::test]
async fn a_change_that_is_refused_where_the_list_was_read_names_the_action_and_the_roles_for_it() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut viewer = Program::at(&sandbox, Persona::WorkspaceViewer)
        .serve(Era::USUAL)
        .await;
    let alone = json!({"service_account_id": CI_DEPLOY});
    for (refused, action) in [
        (create(&mut viewer).await, "but may not create any there"),
        (delete(&mut viewer).await, "but may not delete any there"),
        (
            viewer.call("delete_service_account", alone).await,
            "but may not delete any there",
        ),
    ] {
        let text = refused.refusal("permission_denied");
        let lists = format!("may list the service accounts of workspace '{ANALYTICS}'");
        assert_says(
            text,
            &[
                &lists,
                action,
                "Nothing was changed",
                "WORKSPACE_EDITOR or WORKSPACE_ADMIN",
                "Ask an admin of the workspace",
            ],
        );
        for untrue in ["no such workspace", "WORKSPACE_VIEWER", "limit 0"] {
            assert!(!text.contains(untrue), "{untrue}: {text}");
        }
        assert_eq!(refused.error()["workspace_id"], ANALYTICS);
    }
}

#[tokio::test]
async fn a_refusal_to_list_the_only_workspace_sends_to_no_call_that_ends_in_it() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = Program::at(&sandbox, Persona::WorkspaceViewer)
        .serve(Era::USUAL)
        .await;
    let refusal = errors_with_null(LIST, "INTERNAL_SERVER_ERROR", "Insufficient permissions.");
    sandbox
        .handle()
        .inject(json_answer(200, &refusal), On::Field(LIST), ALWAYS);
    for arguments in [json!({}), json!({"limit": 0})] {
        let refused = session.call("get_service_accounts", arguments).await;
        let text = refused.refusal("permission_denied");
        let fact = format!("may not list the service accounts of workspace '{ANALYTICS}'");
        assert_says(
            text,
            &[
                &fact,
                "Nothing was changed",
                "WORKSPACE_VIEWER",
                "Ask an admin of the workspace",
            ],
        );
        for untrue in ["limit 0", "creating", "no such workspace"] {
            assert!(!text.contains(untrue), "{untrue}: {text}");
        }
        assert_eq!(refused.error()["workspace_id"], ANALYTICS);
    }
}

#[tokio::test]
async fn newer_words_for_a_bad_token_are_understood() {
    for (code, message) in [
        ("UNAUTHENTICATED", "whatever"),
        ("AUTH_TOKEN_REFRESH_FAILED", "whatever"),
        ("INTERNAL_SERVER_ERROR", "Invalid token"),
        ("INTERNAL_SERVER_ERROR", "Expired token"),
    ] {
        let body = errors_with_null(LIST, code, message);
        assert_reading(
            json_answer(200, &body),
            "unauthenticated",
            &["APC_API_TOKEN"],
        )
        .await;
    }
}

#[tokio::test]
async fn a_401_is_unauthenticated() {
    assert_reading(page(401), "unauthenticated", &["APC_API_TOKEN"]).await;
    assert_creation(page(401), "unauthenticated").await;
}

#[tokio::test]
async fn a_page_of_a_firewall_is_no_denial_of_the_api() {
    for status in [400, 403, 404, 408, 451, 499] {
        let says = [&status.to_string(), "firewall"];
        assert_reading(page(status), "api_error", &says).await;
        assert_creation(page(status), "outcome_unknown").await;
    }
}

#[tokio::test]
async fn a_refusal_that_cannot_be_told_apart_is_neither_of_the_two() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = Program::at(&sandbox, Persona::Nobody)
        .serve(Era::USUAL)
        .await;
    sandbox
        .handle()
        .inject(page(500), On::Field("workspaces"), ALWAYS);
    get(&mut session).await.refusal("api_error");
}

// What is not the API's own answer.

#[tokio::test]
async fn a_page_instead_of_an_answer_is_an_api_error() {
    assert_reading(page(200), "api_error", &["login page"]).await;
    for status in [404, 413, 500, 502, 503, 504] {
        assert_reading(page(status), "api_error", &[&status.to_string()]).await;
    }
}

#[tokio::test]
async fn an_empty_body_is_an_api_error() {
    for status in [200, 431, 500] {
        assert_reading(answer(status, &[], ""), "api_error", &[]).await;
    }
}

#[tokio::test]
async fn json_that_is_no_answer_is_a_failure_and_no_crash() {
    for body in [
        "[]",
        "5",
        "null",
        "\"data\"",
        "{}",
        "[{\"data\":{}}]",
        "{\"data\":null}",
        "{\"data\":[]}",
        "{\"data\":{}}",
        "{\"data\":{\"workspaceServiceAccounts\":null}}",
        "{\"data\":{\"workspaceServiceAccounts\":\"none\"}}",
        "{\"data\":{\"workspaceServiceAccounts\":[{\"id\":5}]}}",
        "{\"data\":{\"workspaceServiceAccounts\":[{}]}}",
        "{\"errors\":[]}",
        "{\"data\":{\"workspaceServiceAccounts\":[",
    ] {
        let (sandbox, mut session) = start().await;
        let fault = answer(200, &[("content-type", "application/json")], body);
        sandbox.handle().inject(fault, On::Field(LIST), ALWAYS);
        let refused = get(&mut session).await;
        let code = refused.code().to_owned();
        assert!(
            ["api_error", "incompatible_api"].contains(&&*code),
            "{body}: {code}"
        );
        refused.refusal(&code);
    }
}

#[tokio::test]
async fn a_passing_fault_of_a_gateway_costs_a_reading_nothing() {
    for fault in [page(502), page(503), page(504), Fault::DropBefore] {
        let (sandbox, mut session) = start().await;
        sandbox.handle().inject(fault, On::Field(LIST), 2);
        assert_eq!(get(&mut session).await.structured()["total"], 4);
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_the_token_does_not_go_along() {
    let elsewhere = Sandbox::start(0).await.unwrap();
    for status in [301, 302, 303, 307, 308] {
        let to = [("location", elsewhere.url())];
        let to = to.each_ref().map(|(name, value)| (*name, value.as_str()));
        let fault = answer(status, &to, "");
        assert_reading(fault.clone(), "api_error", &["redirect", "127.0.0.1"]).await;
        let (sandbox, mut session) = start().await;
        sandbox.handle().inject(fault, On::Field(CREATE), 1);
        assert!(create(&mut session).await.is_error());
    }
    assert_eq!(elsewhere.handle().requests(), []);
}

#[tokio::test]
async fn a_429_with_a_long_wait_is_rate_limited_at_once_with_the_seconds() {
    let wait = [("retry-after", "120")];
    assert_reading(answer(429, &wait, ""), "rate_limited", &["120"]).await;
    assert_creation(answer(429, &wait, ""), "rate_limited").await;
    let (sandbox, mut session) = start().await;
    let fault = answer(429, &wait, "");
    sandbox.handle().inject(fault, On::Field(LIST), ALWAYS);
    get(&mut session).await.refusal("rate_limited");
    assert_eq!(count(&sandbox.handle(), LIST), 1);
}

#[tokio::test]
async fn a_429_with_a_short_wait_costs_a_reading_that_wait() {
    let (sandbox, mut session) = start().await;
    let fault = answer(429, &[("retry-after", "1")], "");
    sandbox.handle().inject(fault, On::Field(LIST), 1);
    assert_eq!(get(&mut session).await.structured()["total"], 4);
}

#[tokio::test]
async fn an_address_where_nobody_listens_is_unreachable() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let program = Program::at(&sandbox, Persona::WorkspaceAdmin);
    drop(sandbox);
    let mut session = program.serve(Era::USUAL).await;
    for refused in [
        get(&mut session).await,
        create(&mut session).await,
        delete(&mut session).await,
    ] {
        assert_says(
            refused.refusal("unreachable"),
            &["127.0.0.1", "Nothing was sent"],
        );
    }
}

#[tokio::test]
async fn a_connection_that_is_always_dropped_may_be_tried_again_later() {
    let (sandbox, mut session) = start().await;
    let handle = sandbox.handle();
    handle.inject(Fault::DropBefore, On::Field(LIST), ALWAYS);
    let refused = get(&mut session).await;
    assert!(refused.is_error());
    assert_eq!(refused.error()["retryable"], true, "{}", refused.text());
}

#[tokio::test]
async fn a_reading_is_sent_three_times_with_a_longer_pause_before_the_third() {
    let (sandbox, mut session) = start().await;
    let handle = sandbox.handle();
    handle.inject(page(503), On::Field(LIST), ALWAYS);
    let begun = std::time::Instant::now();
    get(&mut session).await.refusal("api_error");
    // 50 ms and 200 ms.
    assert!(begun.elapsed() >= std::time::Duration::from_millis(250));
    let lists = handle.requests();
    let lists = lists
        .iter()
        .filter(|request| request.operation.iter().any(|field| field == LIST));
    assert_eq!(lists.count(), 3);
}

// Time.

#[tokio::test]
async fn a_reading_that_gets_no_answer_is_timed_out() {
    let (sandbox, mut session) = with_timeout("1").await;
    sandbox.handle().inject(Fault::Hang, On::Field(LIST), 1);
    get(&mut session).await.refusal("timed_out");
    assert_eq!(get(&mut session).await.structured()["total"], 4);
}

#[tokio::test]
async fn an_answer_that_does_not_end_is_timed_out() {
    let (sandbox, mut session) = with_timeout("1").await;
    let drip = Fault::SlowDrip(std::time::Duration::from_secs(5));
    sandbox.handle().inject(drip, On::Field(LIST), ALWAYS);
    get(&mut session).await.refusal("timed_out");
}

// A change whose answer is lost: never made a second time, never called a failure for certain.

/// The outcome is not known, or the server has found out for itself.
fn assert_unknown_or_recovered(outcome: &Outcome) {
    if outcome.is_error() {
        outcome.refusal("outcome_unknown");
    } else {
        assert_eq!(outcome.structured()["recovered"], true);
    }
}

#[tokio::test]
async fn a_creation_that_was_not_made_and_not_answered_is_unknown() {
    for fault in [page(500), page(502), page(200), Fault::DropBefore] {
        assert_creation(fault, "outcome_unknown").await;
    }
}

#[tokio::test]
async fn a_creation_that_was_made_and_not_answered_is_unknown_or_found_again() {
    let error = Fault::ErrorAfter {
        code: "INTERNAL_SERVER_ERROR".into(),
        message: "Something broke".into(),
    };
    for fault in [Fault::DropAfter, Fault::TruncateAfter, error] {
        let (sandbox, mut session) = start().await;
        sandbox.handle().inject(fault, On::Field(CREATE), ALWAYS);
        let outcome = create(&mut session).await;
        assert_unknown_or_recovered(&outcome);
        assert_says(&outcome.result.to_string(), &["etl"]);
        assert_eq!(mutations(&sandbox.handle()), 1);
    }
}

#[tokio::test]
async fn a_creation_that_hangs_is_unknown_or_found_again() {
    for (fault, made) in [(Fault::Hang, false), (Fault::HangAfter, true)] {
        let (sandbox, mut session) = with_timeout("1").await;
        sandbox.handle().inject(fault, On::Field(CREATE), ALWAYS);
        let outcome = create(&mut session).await;
        assert_unknown_or_recovered(&outcome);
        assert!(made || outcome.is_error());
        assert_eq!(mutations(&sandbox.handle()), 1);
    }
}

#[tokio::test]
async fn a_deletion_that_was_not_answered_is_unknown_or_found_out() {
    for (fault, made) in [
        (Fault::DropBefore, false),
        (page(502), false),
        (Fault::DropAfter, true),
        (Fault::TruncateAfter, true),
    ] {
        let (sandbox, mut session) = start().await;
        sandbox.handle().inject(fault, On::Field(DELETE), ALWAYS);
        let outcome = delete(&mut session).await;
        assert_unknown_or_recovered(&outcome);
        assert!(made || outcome.is_error());
        assert_eq!(exists(&sandbox.handle(), CI_DEPLOY), !made);
        assert_eq!(mutations(&sandbox.handle()), 1);
    }
}

#[tokio::test]
async fn a_change_that_was_refused_before_any_work_is_no_unknown_outcome() {
    for (status, body) in [
        (
            400,
            errors(
                "INTERNAL_SERVER_ERROR",
                "Variable \"$role\" got invalid value",
            ),
        ),
        (400, errors("GRAPHQL_PARSE_FAILED", "Syntax Error")),
        (
            400,
            errors("GRAPHQL_VALIDATION_FAILED", "Unknown argument \"role\""),
        ),
    ] {
        assert_creation(json_answer(status, &body), "incompatible_api").await;
    }
    assert_creation(page(413), "api_error").await;
}

#[tokio::test]
async fn a_change_that_was_certainly_not_made_says_so() {
    let away = [("location", "http://127.0.0.1:1/v1")];
    let of_the_change = [
        page(413),
        page(431),
        answer(302, &away, ""),
        answer(307, &[], ""),
        json_answer(200, &errors("BAD_USER_INPUT", "Something odd")),
        json_answer(200, &errors("BAD_USER_INPUT", "")),
        json_answer(200, &errors("RESOURCE_NOT_FOUND", "gone")),
        json_answer(200, &errors("GRAPHQL_VALIDATION_FAILED", "odd")),
        json_answer(200, &errors("UNAUTHENTICATED", "odd")),
        json_answer(200, &errors("FORBIDDEN", "Insufficient permissions.")),
        json_answer(200, &errors("", "Service Account already exists")),
        answer(429, &[("retry-after", "99")], ""),
    ];
    let of_the_look = [
        page(413),
        page(403),
        page(200),
        answer(302, &away, ""),
        json_answer(200, &errors("BAD_USER_INPUT", "Something odd")),
        json_answer(200, &json!({})),
    ];
    let of_the_change = of_the_change.map(|fault| (fault, [CREATE, DELETE]));
    let of_the_look = of_the_look.map(|fault| (fault, [LIST, LIST]));
    for (fault, [creation, deletion]) in of_the_change.into_iter().chain(of_the_look) {
        let (sandbox, mut session) = start().await;
        let handle = sandbox.handle();
        handle.inject(fault.clone(), On::Field(creation), 1);
        let created = create(&mut session).await;
        handle.inject(fault.clone(), On::Field(deletion), 1);
        let deleted = delete(&mut session).await;
        for refused in [created, deleted] {
            let text = refused.text();
            assert!(refused.is_error(), "{fault:?}: {text}");
            let said = text.to_lowercase().matches("nothing was ").count();
            assert_eq!(said, 1, "{fault:?}: {text}");
        }
        assert!(exists(&handle, CI_DEPLOY));
        assert!(!handle.accounts().iter().any(|one| one.label == "etl"));
    }
}

// The API's own errors.

#[tokio::test]
async fn a_document_that_the_api_does_not_understand_is_incompatible() {
    for code in [
        "GRAPHQL_PARSE_FAILED",
        "GRAPHQL_VALIDATION_FAILED",
        "INTERNAL_SERVER_ERROR",
    ] {
        let body = errors(code, "Unknown type \"Uuid\"");
        let fault = json_answer(400, &body);
        assert_reading(fault, "incompatible_api", &["Unknown type \"Uuid\""]).await;
    }
}

#[tokio::test]
async fn an_error_of_the_api_s_own_is_passed_on_in_its_words() {
    let body = errors_with_null(LIST, "INTERNAL_SERVER_ERROR", "The disk is full");
    let says = ["The disk is full", "INTERNAL_SERVER_ERROR"];
    assert_reading(json_answer(200, &body), "api_error", &says).await;
}

#[tokio::test]
async fn the_api_s_words_are_rid_of_secrets_and_of_what_could_mislead() {
    let (sandbox, mut session) = start().await;
    let token = sandbox.token(Persona::WorkspaceEditor);
    let message = format!("key {UNKNOWN_KEY} of {token}\n\u{1b}[31mred \u{202e}turned");
    let body = errors_with_null(LIST, "INTERNAL_SERVER_ERROR", &message);
    sandbox
        .handle()
        .inject(json_answer(200, &body), On::Field(LIST), 1);
    let refused = get(&mut session).await;
    let text = refused.refusal("api_error");
    assert!(
        !text.contains(UNKNOWN_KEY) && !text.contains(&token),
        "{text}"
    );
    assert!(
        text.chars().all(|c| !c.is_control() && c != '\u{202e}'),
        "{text:?}"
    );
}

#[tokio::test]
async fn a_key_that_the_api_quotes_in_a_label_does_not_show() {
    let (sandbox, mut session) = start().await;
    let new = truth(&sandbox.handle(), "model-training");
    let w = Entity::Workspace(DATA_SCIENCE.into());
    let label = format!("copy of {}", new.key);
    sandbox
        .handle()
        .add_account(NewAccount::new(&label, Role::WorkspaceViewer, w));
    let found = session
        .call("get_service_accounts", json!({"label": "copy of"}))
        .await;
    assert!(
        !found.column("label")[0].contains(&new.key),
        "{}",
        found.text()
    );
}

// Releases that lack a field.

/// The fields beside `id`, and what a result shows of them.
const FIELDS: [(&str, Option<&str>); 9] = [
    ("ServiceAccount.label", Some("label")),
    ("ServiceAccount.apiKey", Some("api_key")),
    ("ServiceAccount.category", Some("category")),
    ("ServiceAccount.active", Some("active")),
    ("ServiceAccount.createdAt", Some("created_at")),
    ("ServiceAccount.updatedAt", Some("updated_at")),
    ("ServiceAccount.lastUsedAt", Some("last_used_at")),
    ("ServiceAccount.roleBindings", Some("role")),
    ("RoleBinding.role", Some("role")),
];

// An account is active, and was never changed since its creation, unless a result says otherwise.
const SHOWN: [&str; 8] = [
    "api_key",
    "category",
    "created_at",
    "id",
    "label",
    "last_used_at",
    "role",
    "workspace_id",
];

fn lacking(handle: &Handle, fields: &[&str]) {
    for field in fields {
        handle.lack_field(field);
    }
}

async fn ci_deploy(session: &mut Session) -> Value {
    let one = json!({"service_account_id": CI_DEPLOY});
    let found = session.call("get_service_accounts", one).await;
    found.accounts()[0].clone()
}

#[tokio::test]
async fn a_field_that_a_release_lacks_costs_a_reading_that_field_alone() {
    for (field, shown) in FIELDS {
        let (sandbox, mut session) = start().await;
        lacking(&sandbox.handle(), &[field]);
        let account = ci_deploy(&mut session).await;
        let mut expected: Vec<_> = SHOWN
            .into_iter()
            .filter(|key| Some(*key) != shown)
            .collect();
        if shown == Some("created_at") {
            // Nothing is there that it could be equal to.
            expected.insert(expected.len() - 1, "updated_at");
        }
        assert_eq!(keys(&account), expected, "without {field}");
    }
}

#[tokio::test]
async fn several_fields_that_a_release_lacks_cost_a_reading_those_alone() {
    let (sandbox, mut session) = start().await;
    let old = [
        "roleBindings",
        "roleBinding",
        "category",
        "lastUsedAt",
        "updatedAt",
    ];
    lacking(&sandbox.handle(), &old);
    let account = ci_deploy(&mut session).await;
    let left = ["api_key", "created_at", "id", "label", "workspace_id"];
    assert_eq!(keys(&account), left);
}

#[tokio::test]
async fn a_release_that_lacks_everything_but_ids_is_still_read() {
    let (sandbox, mut session) = start().await;
    for (field, _) in FIELDS {
        lacking(&sandbox.handle(), &[field]);
    }
    lacking(&sandbox.handle(), &["Workspace.label"]);
    let found = session.call("get_service_accounts", json!({})).await;
    assert_eq!(found.structured()["total"], 6);
    assert_eq!(keys(&found.accounts()[0]), ["id", "workspace_id"]);
    let workspaces = found.structured()["workspaces"].as_array().unwrap();
    assert!(workspaces.contains(&json!({"id": ANALYTICS, "count": 4})));
}

#[tokio::test]
async fn an_old_key_stays_masked_where_the_release_has_no_date_to_mask_by() {
    let (sandbox, mut session) = start().await;
    lacking(&sandbox.handle(), &["createdAt"]);
    let account = ci_deploy(&mut session).await;
    let real = truth(&sandbox.handle(), "ci-deploy").key;
    assert_eq!(account["api_key"], format!("{}…", &real[..6]));
}

#[tokio::test]
async fn a_field_that_a_release_lacks_is_asked_for_once() {
    let (sandbox, mut session) = start().await;
    lacking(&sandbox.handle(), &["category"]);
    ci_deploy(&mut session).await;
    let refused = |handle: &Handle| {
        let requests = handle.requests().into_iter();
        requests
            .filter(|request| request.status == Some(400))
            .count()
    };
    let at_first = refused(&sandbox.handle());
    ci_deploy(&mut session).await;
    assert_eq!(refused(&sandbox.handle()), at_first);
}

#[tokio::test]
async fn a_field_that_a_release_lacks_costs_a_creation_nothing_but_that_field() {
    for field in [
        "label",
        "category",
        "active",
        "createdAt",
        "updatedAt",
        "lastUsedAt",
        "roleBinding",
    ] {
        let (sandbox, mut session) = start().await;
        lacking(&sandbox.handle(), &[field]);
        let created = create(&mut session).await;
        let real = truth(&sandbox.handle(), "etl");
        assert_eq!(created.account()["id"], real.id, "without {field}");
        let file = created.structured()["api_key_file"].as_str().unwrap();
        let kept = std::fs::read_to_string(file).unwrap();
        assert_eq!(kept, real.key, "without {field}");
        let twins = sandbox.handle().accounts().into_iter();
        assert_eq!(twins.filter(|account| account.label == "etl").count(), 1);
    }
}

#[tokio::test]
async fn several_fields_that_a_release_lacks_cost_a_creation_those_alone() {
    let (sandbox, mut session) = start().await;
    let old = [
        "category",
        "active",
        "lastUsedAt",
        "updatedAt",
        "roleBinding",
    ];
    lacking(&sandbox.handle(), &old);
    let created = create(&mut session).await;
    let left = [
        "api_key",
        "created_at",
        "id",
        "label",
        "role",
        "workspace_id",
    ];
    assert_eq!(keys(created.account()), left);
}

#[tokio::test]
async fn a_release_that_lacks_fields_is_deleted_from_all_the_same() {
    for (field, _) in FIELDS {
        let (sandbox, mut session) = start().await;
        lacking(&sandbox.handle(), &[field]);
        let deleted = delete(&mut session).await;
        assert_eq!(deleted.account()["id"], CI_DEPLOY, "without {field}");
        assert!(!exists(&sandbox.handle(), CI_DEPLOY), "without {field}");
    }
}

#[tokio::test]
async fn an_id_that_is_not_in_the_workspace_is_never_deleted_whatever_the_release_lacks() {
    for (field, _) in FIELDS {
        let (sandbox, mut session) = start().await;
        lacking(&sandbox.handle(), &[field]);
        for id in [NOTEBOOKS, FORECASTS, BOOTSTRAP] {
            let one = json!({"service_account_id": id, "workspace_id": ANALYTICS});
            let refused = session.call("delete_service_account", one).await;
            refused.refusal("not_found");
        }
        assert_eq!(mutations(&sandbox.handle()), 0, "without {field}");
    }
}
