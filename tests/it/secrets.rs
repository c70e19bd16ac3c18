//! Secrets by value: whatever text leaves, no token and no key is in it.

use std::fs;

use apc_sandbox::{Fault, On, Persona, Role, Sandbox};
use serde_json::{Value, json};

use crate::support::clients::*;
use crate::support::harness::*;

const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJzb21lYm9keSJ9.c2lnbmF0dXJlc2lnbmF0dXJl";

async fn start(era: Era) -> (Sandbox, Session) {
    let sandbox = Sandbox::start(0).await.unwrap();
    let session = guarded(&sandbox, Persona::WorkspaceAdmin).serve(era).await;
    (sandbox, session)
}

/// An error in the API's words, instead of the work.
fn says(field: &str, code: &str, message: &str) -> Fault {
    let error = json!({"message": message, "extensions": {"code": code}});
    let body = json!({"errors": [error], "data": {field: null}});
    answer(200, "application/json", body.to_string(), false)
}

/// Does everything that a secret is part of, well and badly.
async fn busy_day(session: &mut Session, sandbox: &Sandbox) {
    let handle = sandbox.handle();
    session.call(CREATE_TOOL, new("etl")).await.structured();
    session
        .call(CREATE_TOOL, new("etl"))
        .await
        .refusal("already_exists");
    handle.inject(Fault::DropAfter, On::Field(CREATE), 1);
    session.call(CREATE_TOOL, new("lost")).await.structured();
    handle.inject(Fault::TruncateAfter, On::Field(DELETE), 1);
    session
        .call(DELETE_TOOL, deletion_of(CI_DEPLOY))
        .await
        .structured();
    session
        .call(DELETE_TOOL, deletion_of(NOTHING))
        .await
        .refusal("not_found");
    let own = handle.requests()[0].authorization.clone().unwrap();
    for field in [CREATE, DELETE, LIST] {
        let words = format!("{own} and {} and {JWT}", truth(&handle, "etl").key);
        handle.inject(says(field, "BAD_USER_INPUT", &words), On::Field(field), 1);
        let (tool, arguments) = match field {
            CREATE => (CREATE_TOOL, new("more")),
            DELETE => (DELETE_TOOL, deletion_of(MIGRATION)),
            _ => (GET_TOOL, json!({"workspace_id": ANALYTICS})),
        };
        session.call(tool, arguments).await.refusal("api_error");
    }
    handle.inject(page(401, false), On::Field(LIST), 1);
    session
        .call(GET_TOOL, json!({"workspace_id": ANALYTICS}))
        .await
        .refusal("unauthenticated");
    session.call(GET_TOOL, json!({"label": own})).await;
    session.call(GET_TOOL, json!({"workspace_id": own})).await;
    session.call(GET_TOOL, json!({})).await.structured();
}

#[tokio::test]
async fn no_secret_leaves_at_the_loudest_log_level() {
    for era in Era::BOTH {
        let sandbox = Sandbox::start(0).await.unwrap();
        let program = audited(&sandbox)
            .env("APC_LOG", "info")
            .env("RUST_LOG", "trace");
        let mut session = program.serve(era).await;
        let mut secrets = all_keys(&sandbox.handle());
        busy_day(&mut session, &sandbox).await;
        secrets.extend(all_keys(&sandbox.handle()));
        secrets.extend(sandbox.handle().requests()[0].authorization.clone());
        let log = fs::read_to_string(session.home().join(AUDIT)).unwrap();
        assert!(secrets.iter().all(|secret| !log.contains(secret)), "{log}");
        let stderr = session.end_without(&secrets).await;
        assert!(!stderr.is_empty(), "nothing was logged at all");
    }
}

#[tokio::test]
async fn a_log_file_holds_no_secret_either() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("log");
    let arguments = ["--log", "info", "--log-file", path.to_str().unwrap()];
    let program = guarded(&sandbox, Persona::WorkspaceAdmin).args(&arguments);
    let mut session = program.serve(Era::USUAL).await;
    let mut secrets = all_keys(&sandbox.handle());
    busy_day(&mut session, &sandbox).await;
    secrets.extend(all_keys(&sandbox.handle()));
    secrets.extend(sandbox.handle().requests()[0].authorization.clone());
    session.end_without(&secrets).await;
    let log = fs::read_to_string(path).unwrap();
    assert!(!log.is_empty());
    assert!(secrets.iter().all(|secret| !log.contains(secret)), "{log}");
}

#[tokio::test]
async fn where_keys_are_shown_they_stand_in_api_key_alone() {
    for era in Era::BOTH {
        let sandbox = Sandbox::start(0).await.unwrap();
        let program = audited(&sandbox).args(&["--key-output", "show", "--log", "info"]);
        let mut session = program.serve(era).await;
        let created = session.call(CREATE_TOOL, new("etl")).await;
        let key = truth(&sandbox.handle(), "etl").key;
        assert_eq!(created.account()["api_key"], key);
        let evil = sandbox
            .handle()
            .add_account(colleague(&key, Role::WorkspaceViewer));
        let found = session
            .call(GET_TOOL, json!({"service_account_id": evil.id}))
            .await;
        assert_eq!(found.column("api_key"), [&evil.key]);
        let mut rest = found.structured().clone();
        rest["service_accounts"][0]["api_key"] = Value::Null;
        assert!(!rest.to_string().contains(&key), "{rest}");
        session
            .call(DELETE_TOOL, deletion_of(&evil.id))
            .await
            .structured();
        let log = fs::read_to_string(session.home().join(AUDIT)).unwrap();
        assert!(!log.contains(&key) && !log.contains(&evil.key), "{log}");
        session.close_stdin_and_wait().await;
        let stderr = session.stderr().await;
        assert!(
            !stderr.contains(&key) && !stderr.contains(&evil.key),
            "{stderr}"
        );
    }
}

#[tokio::test]
async fn the_words_of_the_api_lose_what_looks_like_a_secret() {
    for era in Era::BOTH {
        let (sandbox, mut session) = start(era).await;
        for secret in [
            UNKNOWN_KEY,
            &UNKNOWN_KEY.to_uppercase(),
            JWT,
            &format!("{UNKNOWN_KEY}{UNKNOWN_KEY}"),
        ] {
            for (field, tool, arguments) in [
                (CREATE, CREATE_TOOL, new("etl")),
                (DELETE, DELETE_TOOL, deletion_of(CI_DEPLOY)),
                (LIST, GET_TOOL, json!({"workspace_id": ANALYTICS})),
            ] {
                let words = format!("the key \"{secret}\", was refused: x{secret}x");
                for code in ["BAD_USER_INPUT", secret] {
                    sandbox
                        .handle()
                        .inject(says(field, code, &words), On::Field(field), 1);
                    let refused = session.call(tool, arguments.clone()).await;
                    assert!(refused.is_error(), "{}", refused.text());
                    let said = refused.result.to_string();
                    assert!(!said.contains(secret), "{era:?} {said}");
                }
            }
        }
        session
            .end_without(&[UNKNOWN_KEY.to_owned(), JWT.to_owned()])
            .await;
    }
}

#[tokio::test]
async fn a_key_is_not_half_shown_by_a_cut() {
    let (sandbox, mut session) = start(Era::USUAL).await;
    for before in 260..310 {
        let words = format!("{} {UNKNOWN_KEY}", "w".repeat(before));
        sandbox
            .handle()
            .inject(says(LIST, "BAD_USER_INPUT", &words), On::Field(LIST), 1);
        let refused = session
            .call(GET_TOOL, json!({"workspace_id": ANALYTICS}))
            .await;
        assert!(
            !refused.text().contains(&UNKNOWN_KEY[..8]),
            "{}",
            refused.text()
        );
    }
}

#[tokio::test]
async fn a_known_key_in_a_label_or_category_is_taken_out_of_results() {
    for era in Era::BOTH {
        let (sandbox, mut session) = start(era).await;
        let handle = sandbox.handle();
        session.call(CREATE_TOOL, new("etl")).await.structured();
        let key = truth(&handle, "etl").key;
        let mut evil = colleague(&format!("for {key}!"), Role::WorkspaceViewer);
        evil.category = Some(key.clone());
        let evil = handle.add_account(evil);
        let found = session
            .call(GET_TOOL, json!({"service_account_id": evil.id}))
            .await;
        let account = &found.accounts()[0];
        assert_eq!(account["label"], "for [redacted]!");
        assert_eq!(account["category"], "[redacted]");
        let listed = session
            .call(DELETE_TOOL, json!({"workspace_id": ANALYTICS}))
            .await;
        assert!(!listed.text().contains(&key), "{}", listed.text());
        let gone = session.call(DELETE_TOOL, deletion_of(&evil.id)).await;
        assert_eq!(gone.account()["label"], "for [redacted]!");
        session.end_without(&[key]).await;
    }
}

#[tokio::test]
async fn a_key_across_the_cut_of_a_label_is_not_half_shown() {
    let (sandbox, mut session) = start(Era::USUAL).await;
    let handle = sandbox.handle();
    session.call(CREATE_TOOL, new("etl")).await.structured();
    let key = truth(&handle, "etl").key;
    let label = format!("{}{key}", "w".repeat(60));
    handle.add_account(colleague(&label, Role::WorkspaceViewer));
    let listed = session
        .call(DELETE_TOOL, json!({"workspace_id": ANALYTICS}))
        .await;
    let text = listed.refusal("invalid_arguments");
    assert!(!text.contains(&key[..16]), "{text}");
}

#[tokio::test]
async fn an_argument_that_is_a_secret_is_not_repeated() {
    for era in Era::BOTH {
        let (sandbox, mut session) = start(era).await;
        session.call(GET_TOOL, json!({})).await.structured();
        let token = sandbox.handle().requests()[0]
            .authorization
            .clone()
            .unwrap();
        session.call(CREATE_TOOL, new("etl")).await.structured();
        let key = truth(&sandbox.handle(), "etl").key;
        let mut calls = Vec::new();
        for secret in [&token, &key] {
            calls.push((
                CREATE_TOOL,
                json!({"label": "x", "workspace_id": ANALYTICS, "role": secret}),
            ));
            calls.push((
                CREATE_TOOL,
                json!({"label": secret, "workspace_id": "no such/id"}),
            ));
            calls.push((DELETE_TOOL, deletion_of(secret)));
            calls.push((GET_TOOL, json!({"service_account_id": secret})));
            calls.push((GET_TOOL, json!({"workspace_id": secret})));
            calls.push((GET_TOOL, json!({secret.as_str(): 1})));
        }
        for (tool, arguments) in calls {
            let refused = session.call(tool, arguments).await;
            let said = refused.result.to_string();
            assert!(refused.is_error(), "{said}");
            assert!(
                !said.contains(&key) && !said.contains(&token[..token.len().min(60)]),
                "{said}"
            );
        }
        session.end_without(&[token, key]).await;
    }
}

#[tokio::test]
async fn the_token_is_never_quoted_back_by_a_page() {
    let (sandbox, mut session) = start(Era::USUAL).await;
    session.call(GET_TOOL, json!({})).await.structured();
    let token = sandbox.handle().requests()[0]
        .authorization
        .clone()
        .unwrap();
    for status in [200, 401, 403, 404, 500, 502] {
        let body = format!("<html>authorization: {token}</html>");
        sandbox
            .handle()
            .inject(answer(status, "text/html", body, false), On::Field(LIST), 5);
        let refused = session
            .call(GET_TOOL, json!({"workspace_id": ANALYTICS}))
            .await;
        assert!(refused.is_error());
        assert!(!refused.result.to_string().contains(&token));
        sandbox.handle().clear_faults();
    }
    session.end_without(&[token]).await;
}

/// Lists with more whole keys than are remembered, in which texts hold keys of that very list, whichever comes first.
#[tokio::test]
async fn a_list_is_scrubbed_against_all_of_its_own_keys() {
    const ACCOUNTS: usize = 2_500;
    let key = |number: usize| format!("{number:032x}");
    let row = |number: usize| {
        let other = key(ACCOUNTS - 1 - number);
        json!({
            "id": format!("ck{number}"), "apiKey": key(number), "label": format!("for {other}"),
            "category": other, "createdAt": "2026-01-01T00:00:00Z", "updatedAt": other,
            "roleBindings": [
                {"role": "WORKSPACE_VIEWER", "workspace": {"id": ANALYTICS}},
                {"role": other, "workspace": {"id": other}},
                {"role": "DEPLOYMENT_ADMIN", "deployment": {"id": other}},
            ],
        })
    };
    let rows: Vec<_> = (0..ACCOUNTS).map(row).collect();
    let listed = json!({"data": {LIST: rows}}).to_string();
    for era in Era::BOTH {
        let (sandbox, mut session) = start(era).await;
        let fault = answer(200, "application/json", listed.clone(), false);
        sandbox.handle().inject(fault, On::Field(LIST), 3);
        let mut cursor = Value::Null;
        for _ in 0..3 {
            let page = json!({"workspace_id": ANALYTICS, "limit": 200, "cursor": cursor});
            let found = session.call(GET_TOOL, page).await;
            assert_eq!(found.accounts().len(), 200);
            cursor = found.structured()["next_cursor"].clone();
            for account in found.accounts() {
                assert_eq!(account["label"], "for [redacted]");
                assert_eq!(account["other_bindings"][1], "DEPLOYMENT_ADMIN [redacted]");
                // Of its own key six characters show.
                let shown = account.to_string();
                assert!(!shown.contains(&"0".repeat(20)), "{shown}");
            }
        }
    }
}

#[tokio::test]
async fn a_label_of_a_workspace_is_scrubbed_against_keys_that_become_known_later() {
    let (sandbox, mut session) = start(Era::USUAL).await;
    let listed =
        json!({"data": {"workspaces": [{"id": ANALYTICS, "label": format!("for {UNKNOWN_KEY}")}]}});
    let fault = answer(200, "application/json", listed.to_string(), false);
    sandbox.handle().inject(fault, On::Field("workspaces"), 1);
    let account = json!({"id": "ck1", "label": "x", "apiKey": UNKNOWN_KEY, "createdAt": "2026-01-01T00:00:00Z"});
    let accounts = json!({"data": {LIST: [account]}}).to_string();
    let fault = answer(200, "application/json", accounts, false);
    sandbox.handle().inject(fault, On::Field(LIST), 1);
    let found = session.call(GET_TOOL, json!({})).await;
    assert_eq!(
        found.structured()["workspaces"][0]["label"],
        "for [redacted]"
    );
}

#[tokio::test]
async fn an_argument_that_holds_a_secret_is_refused_before_anything_is_sent() {
    for era in Era::BOTH {
        let (sandbox, mut session) = start(era).await;
        session.call(CREATE_TOOL, new("etl")).await.structured();
        let token = sandbox.handle().requests()[0]
            .authorization
            .clone()
            .unwrap();
        let key = truth(&sandbox.handle(), "etl").key;
        let sent = sandbox.handle().requests().len();
        for secret in [&token, &key] {
            for (tool, argument, mut arguments) in [
                (CREATE_TOOL, "label", new("x")),
                (CREATE_TOOL, "category", new("x")),
                (CREATE_TOOL, "workspace_id", new("x")),
                (DELETE_TOOL, "service_account_id", deletion_of("x")),
                (DELETE_TOOL, "workspace_id", deletion_of("x")),
                (GET_TOOL, "label", json!({})),
                (GET_TOOL, "workspace_id", json!({})),
                (GET_TOOL, "service_account_id", json!({})),
            ] {
                arguments[argument] = json!(format!("x{secret}"));
                let refused = session.call(tool, arguments).await;
                let text = refused.refusal("invalid_arguments");
                assert_says(
                    text,
                    &[
                        &format!("{argument} holds the API token"),
                        "Nothing was sent",
                    ],
                );
                assert!(!refused.result.to_string().contains(secret.as_str()));
            }
        }
        assert_eq!(sandbox.handle().requests().len(), sent);
        session.end_without(&[token, key]).await;
    }
}

#[tokio::test]
async fn a_token_in_a_variable_for_the_proxy_is_not_shown() {
    let hex = "fedcba9876543210fedcba9876543210";
    for variable in ["HTTPS_PROXY", "ALL_PROXY"] {
        for token in [hex, &hex.to_uppercase(), JWT] {
            for value in [
                token.to_owned(),
                format!("http://{token}"),
                format!("http://{token}:3128/"),
                format!("https://me:geheim@{token}"),
            ] {
                let program = Program::bare()
                    .env("APC_DOMAIN", "acme.invalid")
                    .env("APC_API_TOKEN", UNKNOWN_KEY)
                    .env(variable, &value);
                let told = program.run_with(&["doctor"]).await.stdout;
                let mut session = program.serve(Era::USUAL).await;
                let refused = session.call(GET_TOOL, json!({})).await;
                assert_says(refused.text(), &[variable, "[redacted]"]);
                for said in [refused.result.to_string(), told] {
                    let said = said.to_lowercase();
                    assert!(!said.contains(&token.to_lowercase()[..20]), "{said}");
                }
            }
        }
    }
}

#[tokio::test]
async fn no_refusal_of_a_request_repeats_the_token() {
    let token = "An.Opaque~Token/of+a.user=";
    let stateless =
        |name: &str, version: &str| json!({"name": name, "_meta": stateless_meta(version)});
    for (era, method, params) in [
        (Era::Stateless, "tools/list", stateless("x", token)),
        (Era::Stateless, "server/discover", stateless("x", token)),
        (Era::Stateless, token, stateless("x", "2026-07-28")),
        (Era::Stateless, "tools/call", stateless(token, "2026-07-28")),
        (
            Era::Stateless,
            "prompts/get",
            stateless(token, "2026-07-28"),
        ),
        (Era::USUAL, "tools/list", stateless("x", token)),
        (Era::USUAL, token, json!({})),
        (Era::USUAL, "tools/call", json!({"name": token})),
        (
            Era::USUAL,
            "tools/call",
            json!({"name": token, "arguments": 5}),
        ),
        (Era::USUAL, "prompts/get", json!({"name": token})),
    ] {
        let program = Program::bare()
            .env("APC_DOMAIN", "acme.invalid")
            .env("APC_API_TOKEN", token);
        let mut session = match era {
            Era::Stateless => program.spawn(era),
            Era::Handshake(_) => program.serve(era).await,
        };
        let reply = session.exchange(method, params).await;
        let error = &reply["error"];
        assert!(error["message"].is_string(), "{method}: {reply}");
        assert!(!reply.to_string().contains(token), "{reply}");
        assert!(reply.to_string().contains("[redacted]"), "{reply}");
        if error["code"] == -32022 {
            assert_eq!(error["data"]["requested"], "[redacted]");
        }
    }
}
