//! The advice of every error, followed to the letter: the next call succeeds, or ends with another error.
//! Each test reads from the text what it does next, and takes ids, seconds and roles from there.

use std::time::Duration;

use apc_sandbox::{Entity, Fault, On, Persona, Role, Sandbox};
use serde_json::json;

use crate::support::clients::*;
use crate::support::harness::*;
use crate::support::installation::{LOGIN, login_of};

/// The words of a text between two others.
#[track_caller]
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let rest = text.split_once(before);
    let rest = rest.unwrap_or_else(|| panic!("{before:?} is not in: {text}"));
    rest.1.split(after).next().unwrap()
}

/// Waits as long as the text says.
async fn wait(seconds: &str) {
    let seconds: u64 = seconds.trim().parse().unwrap();
    assert!(seconds <= 10, "{seconds}");
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

async fn start() -> (Sandbox, Session) {
    let sandbox = Sandbox::start(0).await.unwrap();
    let session = guarded(&sandbox, Persona::WorkspaceAdmin)
        .env("APC_TIMEOUT", "2")
        .serve(Era::USUAL)
        .await;
    (sandbox, session)
}

#[tokio::test]
async fn invalid_arguments_name_what_is_accepted() {
    let (_sandbox, mut session) = start().await;
    let mut new = json!({"label": "etl", "workspace_id": ANALYTICS, "role": "ADMIN"});
    let refused = session.call(CREATE_TOOL, new.clone()).await;
    let text = refused.refusal("invalid_arguments");
    new["role"] = json!(between(text, "accepted: ", ","));
    session.call(CREATE_TOOL, new).await.structured();

    let mut page = json!({"limit": 1000});
    let refused = session.call(GET_TOOL, page.clone()).await;
    let text = refused.refusal("invalid_arguments");
    let most: u64 = between(text, " to ", ".").parse().unwrap();
    page["limit"] = json!(most);
    session.call(GET_TOOL, page).await.structured();

    let refused = session.call(GET_TOOL, json!({"cursor": "50"})).await;
    assert_says(
        refused.refusal("invalid_arguments"),
        &["leave it out to begin anew"],
    );
    session.call(GET_TOOL, json!({})).await.structured();

    let nobody = json!({"workspace_id": ANALYTICS});
    let refused = session.call(DELETE_TOOL, nobody).await;
    let text = refused.refusal("invalid_arguments");
    let id = between(text, "(id, label): '", "'");
    session
        .call(DELETE_TOOL, deletion_of(id))
        .await
        .structured();
}

#[tokio::test]
async fn not_configured_names_a_login_that_counts_at_once() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = Program::bare().serve(Era::USUAL).await;
    let refused = session.call(GET_TOOL, json!({})).await;
    assert_says(
        refused.refusal("not_configured"),
        &["Run 'astro login", "takes effect at the next call"],
    );
    session.write_file(LOGIN, &login_of(&sandbox));
    session.call(GET_TOOL, json!({})).await.structured();
}

#[tokio::test]
async fn unauthenticated_names_the_place_of_the_token() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let program = Program::bare().file("token", UNKNOWN_KEY);
    let file = program.path("token");
    let program = program
        .env("APC_API_URL", sandbox.url())
        .env("APC_API_TOKEN_FILE", file);
    let mut session = program.serve(Era::USUAL).await;
    let refused = session.call(GET_TOOL, json!({})).await;
    let text = refused.refusal("unauthenticated");
    assert_says(text, &["Put a new token there; no restart is needed"]);
    session.write_file("token", &sandbox.token(Persona::WorkspaceAdmin));
    session.call(GET_TOOL, json!({})).await.structured();
}

#[tokio::test]
async fn permission_denied_names_the_role_that_would_do() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = guarded(&sandbox, Persona::WorkspaceViewer)
        .serve(Era::USUAL)
        .await;
    let refused = session.call(CREATE_TOOL, new("etl")).await;
    let text = refused.refusal("permission_denied");
    assert_says(
        text,
        &["Nothing was changed", "WORKSPACE_EDITOR", "Ask an admin"],
    );
    // It sends to no call that the token may make already, and that ends in the same refusal.
    assert!(!text.contains("call "), "{text}");
    let viewer = truth(&sandbox.handle(), "dashboard").id;
    let place = Entity::Workspace(ANALYTICS.into());
    assert!(sandbox.handle().bind(&viewer, Role::WorkspaceEditor, place));
    session.call(CREATE_TOOL, new("etl")).await.structured();
}

#[tokio::test]
async fn not_allowed_names_a_role_or_the_setting() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = guarded(&sandbox, Persona::WorkspaceAdmin)
        .args(&["--max-role", "EDITOR"])
        .serve(Era::USUAL)
        .await;
    let mut new = new("etl");
    new["role"] = json!("WORKSPACE_ADMIN");
    let refused = session.call(CREATE_TOOL, new.clone()).await;
    let text = refused.refusal("not_allowed");
    assert_says(text, &["take a lower role"]);
    new["role"] = json!(between(text, "above ", ","));
    session.call(CREATE_TOOL, new).await.structured();
}

#[tokio::test]
async fn declined_waits_for_the_user_to_ask_again() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = asking(&sandbox).serve(Era::USUAL).await;
    let question = session.pose(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
    let declined = session.answer(question, json!({"action": "decline"})).await;
    let text = declined.refusal("declined");
    assert_says(text, &["unless the user asks for it"]);
    let question = session.pose(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
    let yes = question.accept(true);
    session.answer(question, yes).await.structured();
}

#[tokio::test]
async fn confirmation_required_names_a_client_that_can_ask() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let always = &["--confirm", "always"];
    let program = guarded(&sandbox, Persona::WorkspaceAdmin).args(always);
    let mut session = program.serve(Era::USUAL).await;
    let refused = session.call(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
    let text = refused.refusal("confirmation_required");
    assert_says(text, &["this client cannot ask. Use a client that can"]);
    let mut session = asking(&sandbox).args(always).serve(Era::USUAL).await;
    let question = session.pose(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
    let yes = question.accept(true);
    session.answer(question, yes).await.structured();
}

#[tokio::test]
async fn not_found_names_the_call_that_searches_everything() {
    let (_sandbox, mut session) = start().await;
    let here = json!({"service_account_id": NOTEBOOKS, "workspace_id": ANALYTICS});
    let alone = json!({"service_account_id": NOTEBOOKS});
    for tool in [GET_TOOL, DELETE_TOOL] {
        let refused = session.call(tool, here.clone()).await;
        let text = refused.refusal("not_found");
        let advice = "call get_service_accounts with that service_account_id alone";
        assert_says(text, &[advice]);
        let found = session.call(GET_TOOL, alone.clone()).await;
        assert_eq!(found.column("id"), [NOTEBOOKS]);
    }
    session.call(DELETE_TOOL, alone.clone()).await.structured();
    for tool in [GET_TOOL, DELETE_TOOL] {
        let refused = session.call(tool, alone.clone()).await;
        let text = refused.refusal("not_found");
        assert_says(text, &["call get_service_accounts with limit 0"]);
        let places = session.call(GET_TOOL, json!({"limit": 0})).await;
        assert!(places.structured()["workspaces"][0]["id"].is_string());
    }
}

#[tokio::test]
async fn already_exists_names_three_ways_on() {
    let (sandbox, mut session) = start().await;
    let taken = session.call(CREATE_TOOL, new("ci-deploy")).await;
    let text = taken.refusal("already_exists");
    assert_says(text, &["three ways on"]);
    assert_says(text, &["under another label"]);
    let created = between(text, "created '", "'");
    assert_eq!(created.len(), "2026-01-01T00:00:00Z".len(), "{text}");
    session
        .call(CREATE_TOOL, new("ci-deploy-2"))
        .await
        .structured();
    assert_says(text, &["go on with that account"]);
    let id = between(text, "(id '", "'");
    let that = json!({"service_account_id": id});
    let found = session.call(GET_TOOL, that.clone()).await;
    assert_eq!(found.column("label"), ["ci-deploy"]);
    assert_says(text, &["delete that account and create it again"]);
    session.call(DELETE_TOOL, that).await.structured();
    session
        .call(CREATE_TOOL, new("ci-deploy"))
        .await
        .structured();
    assert_eq!(labelled(&sandbox.handle(), "ci-deploy").len(), 1);
}

#[tokio::test]
async fn rate_limited_names_the_seconds_to_wait() {
    let (sandbox, mut session) = start().await;
    let fault = Fault::Answer {
        status: 429,
        headers: vec![("retry-after".into(), "3".into())],
        body: String::new(),
        executed: false,
    };
    sandbox.handle().inject(fault, On::Field(CREATE), 1);
    let refused = session.call(CREATE_TOOL, new("etl")).await;
    let text = refused.refusal("rate_limited");
    assert_says(text, &["Nothing was done"]);
    wait(between(text, "Call again in ", " s")).await;
    session.call(CREATE_TOOL, new("etl")).await.structured();
}

#[tokio::test]
async fn unreachable_names_the_port_to_check() {
    let port = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().port()
    };
    let elsewhere = Sandbox::start(0).await.unwrap();
    let token = elsewhere.token(Persona::WorkspaceAdmin);
    let program = Program::bare()
        .env("APC_API_URL", format!("http://127.0.0.1:{port}/v1"))
        .env("APC_API_TOKEN", token);
    let mut session = program.serve(Era::USUAL).await;
    let refused = session.call(GET_TOOL, json!({})).await;
    let text = refused.refusal("unreachable");
    assert_says(text, &["Check the network", "port", "Nothing was sent"]);
    let _there = Sandbox::start(port).await.unwrap();
    // The network is mended; the token is one of another installation.
    let next = session.call(GET_TOOL, json!({})).await;
    next.refusal("unauthenticated");
}

#[tokio::test]
async fn timed_out_says_to_call_again() {
    let (sandbox, mut session) = start().await;
    sandbox.handle().inject(Fault::Hang, On::Field(LIST), 1);
    let one = json!({"workspace_id": ANALYTICS});
    let refused = session.call(GET_TOOL, one.clone()).await;
    assert_says(refused.refusal("timed_out"), &["Call again"]);
    session.call(GET_TOOL, one).await.structured();
}

#[tokio::test]
async fn outcome_unknown_of_a_creation_says_how_long_to_wait_and_when_to_create_again() {
    let (sandbox, mut session) = start().await;
    sandbox.handle().inject(Fault::Hang, On::Field(CREATE), 1);
    let unknown = session.call(CREATE_TOOL, new("etl")).await;
    let text = unknown.refusal("outcome_unknown").to_owned();
    wait(between(&text, "in the next ", " s")).await;
    let look = json!({
        "workspace_id": between(&text, "workspace_id '", "'"),
        "label": between(&text, "and label '", "'"),
    });
    let found = session.call(GET_TOOL, look).await;
    assert_eq!(found.structured()["total"], 0);
    assert_says(
        &text,
        &["if it is not there, it is safe to create it again"],
    );
    session.call(CREATE_TOOL, new("etl")).await.structured();
    assert_eq!(labelled(&sandbox.handle(), "etl").len(), 1);
}

#[tokio::test]
async fn outcome_unknown_of_a_creation_that_shows_later_ends_with_its_key_or_without_it() {
    let (sandbox, mut session) = start().await;
    sandbox
        .handle()
        .inject(Fault::HangAfter, On::Field(CREATE), 1);
    // The list is read once before, and cannot be read afterwards.
    for _ in 0..3 {
        sandbox.handle().inject_nth(Fault::Hang, On::Field(LIST), 2);
    }
    let unknown = session.call(CREATE_TOOL, new("etl")).await;
    let text = unknown.refusal("outcome_unknown").to_owned();
    sandbox.handle().clear_faults();
    wait(between(&text, "in the next ", " s")).await;
    let look = json!({"workspace_id": ANALYTICS, "label": "etl"});
    let found = session.call(GET_TOOL, look).await;
    assert_eq!(found.column("label"), ["etl"]);
    assert_says(&text, &["notes say where its key is"]);
    let notes = found.structured()["notes"].to_string();
    let file = key_dir(&session).join(format!("{}.key", found.column("id")[0]));
    assert_says(&notes, &[&file.display().to_string()]);
    let key = std::fs::read_to_string(file).unwrap();
    assert_eq!(key, truth(&sandbox.handle(), "etl").key);
}

#[tokio::test]
async fn outcome_unknown_of_a_deletion_says_how_long_to_wait_and_that_deleting_again_is_safe() {
    tokio::join!(unknown_deletion(true), unknown_deletion(false));
}

async fn unknown_deletion(is_done: bool) {
    let (sandbox, mut session) = start().await;
    let fault = match is_done {
        true => Fault::HangAfter,
        false => Fault::Hang,
    };
    sandbox.handle().inject(fault, On::Field(DELETE), 1);
    for _ in 0..3 {
        sandbox.handle().inject_nth(Fault::Hang, On::Field(LIST), 2);
    }
    let unknown = session.call(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
    let text = unknown.refusal("outcome_unknown").to_owned();
    sandbox.handle().clear_faults();
    wait(between(&text, "in the next ", " s")).await;
    let found = session
        .call(GET_TOOL, json!({"service_account_id": CI_DEPLOY}))
        .await;
    match is_done {
        true => {
            assert_says(&text, &["not_found means that it is deleted"]);
            found.refusal("not_found");
        }
        false => {
            assert_says(&text, &["safe to delete it again"]);
            session
                .call(DELETE_TOOL, deletion_of(CI_DEPLOY))
                .await
                .structured();
        }
    }
    assert!(!exists(&sandbox.handle(), CI_DEPLOY));
}

#[tokio::test]
async fn api_error_names_another_label_for_one_that_stays_taken() {
    let (sandbox, mut session) = start().await;
    let fault = Fault::ErrorBefore {
        code: "INTERNAL_SERVER_ERROR".into(),
        message: "Cannot read property 'workspace' of null".into(),
    };
    sandbox.handle().inject(fault, On::Field(CREATE), 1);
    let refused = session.call(CREATE_TOOL, new("etl")).await;
    let text = refused.refusal("api_error");
    assert_says(text, &["Nothing was created", "choose another one"]);
    session.call(CREATE_TOOL, new("etl-2")).await.structured();
}

#[tokio::test]
async fn incompatible_api_names_the_command_that_shows_the_release() {
    let sandbox = Sandbox::start(0).await.unwrap();
    sandbox.handle().lack_field(&format!("Query.{LIST}"));
    let mut session = Session::start(Era::USUAL, &sandbox).await;
    let one = json!({"workspace_id": ANALYTICS});
    let refused = session.call(GET_TOOL, one).await;
    let text = refused.refusal("incompatible_api");
    assert_says(text, &["tell the user", "'apc-mcp doctor'"]);
    let doctor = Program::at(&sandbox, Persona::WorkspaceAdmin).args(&["doctor"]);
    assert_says(&doctor.run().await.stdout, &["platform", "version '"]);
}

#[cfg(unix)]
#[tokio::test]
async fn internal_error_names_the_look_that_decides() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = guarded(&sandbox, Persona::WorkspaceAdmin)
        .serve(Era::USUAL)
        .await;
    sandbox.handle().inject(Fault::Hang, On::Field(LIST), 1);
    let call = session.send_call(CREATE_TOOL, new("etl")).await;
    until("the look hangs", || count(&sandbox.handle(), LIST) > 0).await;
    session.signal(rustix::process::Signal::TERM);
    let stopped = session.outcome(CREATE_TOOL, call).await;
    let text = stopped.refusal("internal_error");
    assert_says(text, &["check with get_service_accounts whether it did"]);
    let mut session = guarded(&sandbox, Persona::WorkspaceAdmin)
        .serve(Era::USUAL)
        .await;
    let found = session.call(GET_TOOL, json!({"label": "etl"})).await;
    assert_eq!(found.structured()["total"], 0);
    session.call(CREATE_TOOL, new("etl")).await.structured();
}

/// Every code that the README lists has a test here.
#[test]
fn every_error_of_the_readme_is_followed_here() {
    let readme = include_str!("../../README.md");
    let errors = readme.split("\n## Errors\n").nth(1).unwrap();
    let errors = errors.split("\n## ").next().unwrap();
    let rows = errors.lines().filter(|line| line.starts_with("| `"));
    let codes = rows.flat_map(|row| row.split('|').nth(1).unwrap().split('`').skip(1).step_by(2));
    let codes: Vec<_> = codes.collect();
    assert!(codes.len() >= 16, "{codes:?}");
    for code in codes {
        let followed = include_str!("advice.rs").contains(&format!("refusal(\"{code}\")"));
        assert!(followed, "no test follows the advice of {code}");
    }
}

/// The calls of a model come at once, and have to end as if they had come one after the other.
#[tokio::test]
async fn creations_at_once_end_as_creations_in_turn() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let mut session = guarded(&sandbox, Persona::WorkspaceAdmin)
        .args(&["--max-changes-per-minute", "8"])
        .serve(Era::USUAL)
        .await;
    let mut calls = Vec::new();
    for number in 0..12 {
        // Three of each label, and of one label as many as there are left.
        let label = format!("etl-{}", number / 3);
        calls.push(session.send_call(CREATE_TOOL, new(&label)).await);
    }
    let mut codes = Vec::new();
    for call in calls {
        codes.push(session.outcome(CREATE_TOOL, call).await.code().to_owned());
    }
    let of = |code: &str| codes.iter().filter(|one| *one == code).count();
    assert_eq!((of(""), of("already_exists")), (4, 8), "{codes:?}");
    assert_eq!(count(&sandbox.handle(), CREATE), 4);
    assert_eq!(kept_in(&key_dir(&session)).len(), 4);

    let mut calls = Vec::new();
    for number in 0..10 {
        let label = format!("other-{number}");
        calls.push(session.send_call(CREATE_TOOL, new(&label)).await);
    }
    let mut codes = Vec::new();
    for call in calls {
        codes.push(session.outcome(CREATE_TOOL, call).await.code().to_owned());
    }
    let of = |code: &str| codes.iter().filter(|one| *one == code).count();
    assert_eq!((of(""), of("rate_limited")), (4, 6), "{codes:?}");
    assert_eq!(count(&sandbox.handle(), CREATE), 8);
    for number in 0..4 {
        assert_eq!(
            labelled(&sandbox.handle(), &format!("etl-{number}")).len(),
            1
        );
    }
}
