//! The astro CLI's login: its file, its context, and the only URL that its token may go to.

use apc_sandbox::Persona;
use serde_json::{Value, json};

use crate::support::harness::*;
use crate::support::installation::*;

#[tokio::test]
async fn the_login_in_the_home_is_enough() {
    let sandbox = sandbox().await;
    outcome(Program::bare().file(LOGIN, &login_of(&sandbox)))
        .await
        .structured();
}

#[tokio::test]
async fn the_login_in_astro_home_is_the_one_that_counts() {
    let (ours, theirs) = (sandbox().await, sandbox().await);
    let program = Program::bare()
        .file("astro/.astro/config.yaml", &login_of(&ours))
        .file(LOGIN, &login_of(&theirs));
    let home = program.path("astro");
    outcome(program.env("ASTRO_HOME", home)).await.structured();
    assert_eq!(theirs.handle().requests(), []);
}

#[tokio::test]
async fn the_astro_folder_of_a_project_is_never_read() {
    let trap = sandbox().await;
    // The working directory is the home of the harness; the server's home is another one.
    let program = Program::bare().file(LOGIN, &login_of(&trap));
    let home = program.path("elsewhere");
    assert_not_configured(program.env("HOME", home), &["astro login"]).await;
    assert_eq!(trap.handle().requests(), []);
}

#[tokio::test]
async fn the_token_of_a_login_may_have_bearer_before_it() {
    let sandbox = sandbox().await;
    let token = sandbox.token(Persona::WorkspaceAdmin);
    let login = login(&sandbox.url(), &format!("Bearer {token}"));
    outcome(Program::bare().file(LOGIN, &login))
        .await
        .structured();
    assert_eq!(tokens(&sandbox), [token]);
}

#[tokio::test]
async fn the_token_of_a_login_goes_to_no_other_url() {
    let (ours, trap) = (sandbox().await, sandbox().await);
    let by_flag = Program::bare()
        .file(LOGIN, &login_of(&ours))
        .args(&["--api-url", &trap.url()]);
    let by_variable = Program::bare()
        .file(LOGIN, &login_of(&ours))
        .env("APC_API_URL", trap.url());
    for program in [by_flag, by_variable] {
        assert_not_configured(program, &["astro login", &trap.url()]).await;
    }
    assert_eq!(trap.handle().requests(), []);
    assert_eq!(ours.handle().requests(), []);
}

#[tokio::test]
async fn the_token_of_a_login_is_used_where_the_url_is_the_same() {
    let sandbox = sandbox().await;
    let program = Program::bare()
        .file(LOGIN, &login_of(&sandbox))
        .args(&["--api-url", &sandbox.url()]);
    outcome(program).await.structured();
}

#[tokio::test]
async fn a_domain_selects_the_context_of_the_login() {
    let sandbox = sandbox().await;
    let text = login_of(&sandbox).replace("context: localhost", "context: other.invalid");
    for variable in ["APC_DOMAIN", "ASTRO_DOMAIN"] {
        let program = Program::bare()
            .file(LOGIN, &text)
            .env(variable, "localhost");
        outcome(program).await.structured();
    }
    let program = Program::bare()
        .file(LOGIN, &text)
        .env("ASTRO_DOMAIN", "third.invalid")
        .env("APC_DOMAIN", "localhost");
    outcome(program).await.structured();
}

#[tokio::test]
async fn a_domain_that_the_login_does_not_know_gets_no_token() {
    let trap = sandbox().await;
    let program = Program::bare()
        .file(LOGIN, &login_of(&trap))
        .env("APC_DOMAIN", "acme.invalid");
    assert_not_configured(program, &["acme.invalid"]).await;
    assert_eq!(trap.handle().requests(), []);
}

#[tokio::test]
async fn a_login_that_cannot_be_used_is_explained_and_a_corrected_one_is_used() {
    let sandbox = sandbox().await;
    let whole = login_of(&sandbox);
    let logged_out = login(&sandbox.url(), "\"\"");
    let half = &whole[..whole.len() / 2];
    for broken in [
        "",
        "just text",
        "context: [",
        "context: \"\"",
        half,
        &logged_out,
    ] {
        let mut session = Program::bare().file(LOGIN, broken).serve(Era::USUAL).await;
        let refused = list(&mut session).await;
        assert_says(refused.refusal("not_configured"), &["astro login"]);
        session.write_file(LOGIN, &whole);
        assert_eq!(
            list(&mut session).await.structured()["total"],
            6,
            "{broken}"
        );
    }
}

#[tokio::test]
async fn a_changed_login_redirects_the_next_call() {
    let (first, second) = (sandbox().await, sandbox().await);
    let mut session = Program::bare()
        .file(LOGIN, &login_of(&first))
        .serve(Era::USUAL)
        .await;
    list(&mut session).await.structured();
    first.handle().clear_requests();
    session.write_file(LOGIN, &login_of(&second));
    list(&mut session).await.structured();
    assert_eq!(first.handle().requests(), []);
    assert!(!second.handle().requests().is_empty());
}

/// Tells whether the tool that creates accounts says that the server has a default workspace.
fn tells_a_default(tool: &Value) -> bool {
    let workspace = &tool["inputSchema"]["properties"]["workspace_id"];
    let described = workspace["description"].as_str().unwrap();
    described.contains("default")
}

#[tokio::test]
async fn the_workspace_of_the_login_is_the_default_one() {
    let sandbox = sandbox().await;
    let token = sandbox.token(Persona::WorkspaceAdmin);
    let login = login_in(&sandbox.url(), &token, DATA_SCIENCE);
    let by_login = Program::bare().file(LOGIN, &login);
    // The same URL from the settings: the login's workspace counts there as well.
    let beside = Program::at(&sandbox, Persona::WorkspaceAdmin).file(LOGIN, &login);
    for (label, program) in [("first", by_login), ("second", beside)] {
        let program = program.env("APC_LEVELS", "workspace");
        let mut session = program.serve(Era::USUAL).await;
        let tools = session.list_tools().await;
        assert!(tells_a_default(&tools[0]));
        let created = session
            .call("create_service_account", json!({"label": label}))
            .await;
        assert_eq!(created.account()["workspace_id"], DATA_SCIENCE);
    }
}

#[tokio::test]
async fn the_workspace_of_a_login_does_not_count_at_another_url() {
    let (ours, theirs) = (sandbox().await, sandbox().await);
    let login = login_in(&theirs.url(), UNKNOWN_KEY, DATA_SCIENCE);
    let mut session = Program::at(&ours, Persona::WorkspaceAdmin)
        .file(LOGIN, &login)
        .env("APC_LEVELS", "workspace")
        .serve(Era::USUAL)
        .await;
    let tools = session.list_tools().await;
    assert!(!tells_a_default(&tools[0]));
    let new = json!({"label": "etl"});
    let refused = session.call("create_service_account", new).await;
    assert_says(refused.refusal("invalid_arguments"), &["workspace_id"]);
}

#[tokio::test]
async fn a_login_without_a_workspace_gives_no_default_one() {
    let sandbox = sandbox().await;
    let mut session = Program::bare()
        .file(LOGIN, &login_of(&sandbox))
        .env("APC_LEVELS", "workspace")
        .serve(Era::USUAL)
        .await;
    let tools = session.list_tools().await;
    assert!(!tells_a_default(&tools[0]));
}

#[tokio::test]
async fn the_entry_of_a_context_is_found_whatever_its_case() {
    let sandbox = sandbox().await;
    let text = login_of(&sandbox).replace("context: localhost", "context: LocalHost");
    outcome(Program::bare().file(LOGIN, &text))
        .await
        .structured();
    let text = "context: Acme.Invalid\n\
                contexts:\n\
                \x20 acme_invalid:\n\
                \x20   domain: Acme.Invalid\n\
                \x20   token: 0123456789abcdef0123456789abcdef\n";
    for program in [
        Program::bare(),
        Program::bare().env("APC_DOMAIN", "ACME.invalid"),
        Program::bare().env("ASTRO_DOMAIN", "deployments.acme.invalid"),
    ] {
        let program = program.file(LOGIN, text).env("APC_TIMEOUT", "2");
        let refused = outcome(program).await;
        assert_says(
            refused.refusal("unreachable"),
            &["houston.acme.invalid:443"],
        );
    }
}

#[tokio::test]
async fn the_spelling_of_a_url_makes_no_other_url() {
    let sandbox = sandbox().await;
    let token = sandbox.token(Persona::WorkspaceAdmin);
    let by_name = sandbox.url().replace("127.0.0.1", "localhost");
    let port = by_name
        .trim_start_matches("http://localhost:")
        .trim_end_matches("/v1");
    for (spelled, login_url) in [
        (format!("http://localhost:{port}/v1/"), by_name.clone()),
        (format!("http://localhost.:{port}/v1"), by_name.clone()),
        (format!("HTTP://LocalHost:{port}/v1"), by_name.clone()),
        (format!("http://localhost.:{port}/v1//"), by_name.clone()),
        (by_name.clone(), format!("http://LocalHost.:{port}/v1/")),
    ] {
        let program = Program::bare()
            .file(LOGIN, &login_in(&login_url, &token, ANALYTICS))
            .env("APC_API_URL", &spelled);
        outcome(program).await.structured();
        // The workspace of the login counts as well.
        let mut session = Program::with_token(&sandbox, &token)
            .file(LOGIN, &login_in(&login_url, &token, ANALYTICS))
            .env("APC_API_URL", &spelled)
            .env("APC_LEVELS", "workspace")
            .serve(Era::USUAL)
            .await;
        let tools = session.list_tools().await;
        assert!(tells_a_default(&tools[0]), "{spelled}");
    }
}

#[tokio::test]
async fn another_port_is_another_url_and_a_missing_version_is_told() {
    let sandbox = sandbox().await;
    let text = "context: acme.invalid\n\
                contexts:\n\
                \x20 acme_invalid:\n\
                \x20   domain: acme.invalid\n\
                \x20   token: 0123456789abcdef0123456789abcdef\n";
    for (variable, value, says) in [
        (
            "APC_DOMAIN",
            "acme.invalid:8443",
            "https://houston.acme.invalid:8443/v1",
        ),
        (
            "APC_API_URL",
            "https://houston.acme.invalid:8443/v1",
            "another URL",
        ),
        ("APC_API_URL", "https://houston.acme.invalid", "no /v1"),
    ] {
        let program = Program::bare().file(LOGIN, text).env(variable, value);
        assert_not_configured(program, &["astro login", variable, says, "APC_API_TOKEN"]).await;
    }
    assert_eq!(sandbox.handle().requests(), []);
}

#[tokio::test]
async fn a_version_is_missed_only_where_nothing_else_tells_the_urls_apart() {
    let text = login("https://houston.acme.invalid/v1", UNKNOWN_KEY);
    for url in [
        "https://houston.acme.invalid:8443/v1",
        "https://houston.other.invalid",
    ] {
        let program = Program::bare().file(LOGIN, &text).env("APC_API_URL", url);
        let refused = outcome(program).await;
        let text = refused.refusal("not_configured");
        assert_says(text, &["another URL", url]);
        assert!(!text.contains("no /v1"), "{text}");
    }
}

#[tokio::test]
async fn a_login_whose_token_is_elsewhere_says_where() {
    let url = "http://127.0.0.1:1/v1";
    let without = login(url, "\"\"");
    let kept = format!("{{\"LocalHost\": {{\"token\": \"{UNKNOWN_KEY}\"}}}}");
    let elsewhere = format!("{{\"acme.dev\": {{\"token\": \"{UNKNOWN_KEY}\"}}}}");
    let file = |text: &str| {
        Program::bare()
            .file(LOGIN, &without)
            .file(".astro/credentials.json", text)
    };
    let program = file(&kept);
    let path = program.path(".astro/credentials.json");
    let says = ["astro login", &path, "APC_API_TOKEN_FILE"];
    let refused = outcome(program).await;
    let text = refused.refusal("not_configured");
    assert_says(text, &says);
    // Logging in again would not help.
    assert!(!text.contains("Run 'astro login"), "{text}");
    for text in [
        "",
        "{}",
        "[1]",
        &elsewhere,
        "{\"localhost\": {\"token\": \"\"}}",
    ] {
        let program = file(text);
        let doctor = program.run_with(&["doctor"]).await;
        let says = [
            "logged out",
            "keychain",
            "astro login localhost",
            "APC_API_TOKEN_FILE",
        ];
        assert_says(&doctor.stdout, &["logged out", "keychain"]);
        assert_not_configured(program, &says).await;
    }
}

#[tokio::test]
async fn a_login_file_with_a_byte_order_mark_is_read_and_utf16_is_named() {
    let sandbox = sandbox().await;
    let text = format!("\u{feff}{}", login_of(&sandbox));
    outcome(Program::bare().file(LOGIN, &text))
        .await
        .structured();
    let program = Program::bare().file(LOGIN, "");
    std::fs::write(program.path(LOGIN), b"\xff\xfec\0o\0").unwrap();
    assert_not_configured(program, &["astro login", "UTF-16"]).await;
}

#[tokio::test]
async fn an_astro_home_that_nobody_meant_is_named_as_the_thing_to_mend() {
    let trap = sandbox().await;
    for (home, says) in [
        ("${NAME}", "placeholder"),
        ("$NAME/x", "placeholder"),
        ("%NAME%", "placeholder"),
        ("<your-home>", "placeholder"),
        ("'/srv/me'", "quotes"),
        ("\"/srv/me\"", "quotes"),
        ("file:///srv/me", "a URL"),
        ("~bob/x", "~/"),
    ] {
        for (name, value) in [("APC_TIMEOUT", "9"), ("APC_DOMAIN", "acme.dev")] {
            let program = || {
                let program = Program::bare().file(LOGIN, &login_of(&trap));
                program.env("ASTRO_HOME", home).env(name, value)
            };
            let refused = outcome(program()).await;
            let text = refused.refusal("not_configured");
            let says = ["ASTRO_HOME is ", says, "Correct or remove ASTRO_HOME"];
            assert_says(text, &says);
            assert!(!text.contains("does not exist"), "{text}");
            let call = program().run_with(&["call", "get_service_accounts"]).await;
            assert_says(&call.stderr, &["Correct or unset ASTRO_HOME in this shell"]);
        }
        // A token of the settings needs no login.
        let program = Program::at(&trap, Persona::WorkspaceAdmin);
        outcome(program.env("ASTRO_HOME", home)).await.structured();
    }
    // A home that is blank is none.
    let program = Program::bare().file(LOGIN, &login_of(&trap));
    outcome(program.env("ASTRO_HOME", " ")).await.structured();
    let program = Program::bare().file("my/.astro/config.yaml", &login_of(&trap));
    let home = format!("\u{feff}{}", program.path("my"));
    outcome(program.env("ASTRO_HOME", home)).await.structured();
}
