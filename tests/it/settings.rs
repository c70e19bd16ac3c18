//! Flags, environment, token file and astro login: which one counts, and where a token may go.

use std::time::Duration;

use apc_mcp::sandbox::{Persona, Sandbox};
use serde_json::json;

use crate::harness::*;

const LOGIN: &str = ".astro/config.yaml";

/// What the astro CLI writes for an API on this machine.
fn login(url: &str, token: &str) -> String {
    login_in(url, token, "")
}

/// The same, switched to a workspace.
fn login_in(url: &str, token: &str, workspace: &str) -> String {
    format!(
        "context: localhost\n\
         contexts:\n\
         \x20 localhost:\n\
         \x20   domain: localhost\n\
         \x20   token: {token}\n\
         \x20   workspace: \"{workspace}\"\n\
         houston: {{ dial_timeout: \"10\", skip_verify_tls: \"false\" }}\n\
         cloud: {{ api: {{ protocol: https, port: \"443\" }} }}\n\
         local: {{ houston: \"{url}\" }}\n"
    )
}

fn login_of(sandbox: &Sandbox) -> String {
    login(&sandbox.url(), &sandbox.token(Persona::WorkspaceAdmin))
}

async fn sandbox() -> Sandbox {
    Sandbox::start(0).await.unwrap()
}

async fn list(session: &mut Session) -> Outcome {
    session.call("get_service_accounts", json!({})).await
}

async fn outcome(program: Program) -> Outcome {
    list(&mut program.serve(Era::USUAL).await).await
}

/// Every tool refuses with the same words, and the tools are there all the same.
async fn assert_not_configured(program: Program, says: &[&str]) {
    let mut session = program.serve(Era::USUAL).await;
    assert_eq!(session.list_tools().await.len(), 3);
    let one = json!({"service_account_id": CI_DEPLOY, "workspace_id": ANALYTICS});
    for (tool, arguments) in [
        ("get_service_accounts", json!({})),
        (
            "create_service_account",
            json!({"label": "etl", "workspace_id": ANALYTICS}),
        ),
        ("delete_service_account", one),
    ] {
        let refused = session.call(tool, arguments).await;
        assert_says(refused.refusal("not_configured"), says);
    }
    assert!(session.close_stdin_and_wait().await.success());
}

/// The tokens that arrived, in order and without repetition.
fn tokens(sandbox: &Sandbox) -> Vec<String> {
    let requests = sandbox.handle().requests().into_iter();
    let mut tokens: Vec<_> = requests
        .filter_map(|request| request.authorization)
        .collect();
    tokens.dedup();
    tokens
}

// Nothing set.

#[tokio::test]
async fn without_settings_the_server_starts_and_every_call_tells_the_two_ways_out() {
    let ways = ["astro login", "APC_DOMAIN", "APC_API_TOKEN"];
    assert_not_configured(Program::bare(), &ways).await;
}

#[tokio::test]
async fn without_a_home_the_server_starts_as_well() {
    let program = Program::bare().without("HOME");
    // There may be a home in the system's user database; what matters is that it goes on.
    let mut session = program.serve(Era::USUAL).await;
    assert_eq!(session.list_tools().await.len(), 3);
}

#[tokio::test]
async fn a_login_made_after_the_start_takes_effect_at_the_next_call() {
    let sandbox = sandbox().await;
    let mut session = Program::bare().serve(Era::USUAL).await;
    list(&mut session).await.refusal("not_configured");
    session.write_file(LOGIN, &login_of(&sandbox));
    assert_eq!(list(&mut session).await.structured()["total"], 6);
}

// Precedence.

#[tokio::test]
async fn a_variable_beats_the_login() {
    let (ours, theirs) = (sandbox().await, sandbox().await);
    let program = Program::at(&ours, Persona::WorkspaceAdmin).file(LOGIN, &login_of(&theirs));
    outcome(program).await.structured();
    assert_eq!(theirs.handle().requests(), []);
}

#[tokio::test]
async fn a_flag_beats_its_variable() {
    let (ours, theirs) = (sandbox().await, sandbox().await);
    let program = Program::at(&ours, Persona::WorkspaceAdmin)
        .env("APC_API_URL", theirs.url())
        .args(&["--api-url", &ours.url()]);
    outcome(program).await.structured();
    assert_eq!(theirs.handle().requests(), []);
}

#[tokio::test]
async fn the_token_file_of_the_flag_beats_the_token_of_the_variable() {
    let sandbox = sandbox().await;
    let token = sandbox.token(Persona::WorkspaceAdmin);
    let program = Program::with_token(&sandbox, UNKNOWN_KEY).file("token", &token);
    let path = program.path("token");
    outcome(program.args(&["--api-token-file", &path]))
        .await
        .structured();
    assert_eq!(tokens(&sandbox), [token]);
}

#[tokio::test]
async fn the_workspace_of_the_flag_beats_the_variable_and_the_variable_the_login() {
    let sandbox = sandbox().await;
    let login = login_in(
        &sandbox.url(),
        &sandbox.token(Persona::WorkspaceAdmin),
        NOTHING,
    );
    let by_variable = Program::bare()
        .file(LOGIN, &login)
        .env("APC_WORKSPACE_ID", ANALYTICS);
    let by_flag = Program::bare()
        .file(LOGIN, &login)
        .env("APC_WORKSPACE_ID", NOTHING)
        .args(&["--workspace-id", ANALYTICS]);
    for program in [by_variable, by_flag] {
        let mut session = program.serve(Era::USUAL).await;
        let one = json!({"service_account_id": NOTEBOOKS});
        let refused = session.call("delete_service_account", one).await;
        assert_says(refused.refusal("not_found"), &[ANALYTICS]);
    }
}

#[tokio::test]
async fn the_url_beats_a_domain() {
    let sandbox = sandbox().await;
    let program = Program::at(&sandbox, Persona::WorkspaceAdmin).env("APC_DOMAIN", "acme.invalid");
    outcome(program).await.structured();
}

#[tokio::test]
async fn an_empty_setting_is_unset() {
    let sandbox = sandbox().await;
    let mut program = Program::bare().file(LOGIN, &login_of(&sandbox));
    for variable in [
        "APC_DOMAIN",
        "ASTRO_DOMAIN",
        "APC_API_URL",
        "APC_API_TOKEN",
        "APC_API_TOKEN_FILE",
        "APC_WORKSPACE_ID",
        "APC_TIMEOUT",
        "APC_CA_CERT",
        "APC_INSECURE",
        "APC_LOG",
        "APC_LOG_FILE",
        "APC_SANDBOX",
        "ASTRO_HOME",
    ] {
        program = program.env(variable, "");
    }
    outcome(program).await.structured();
    assert!(!sandbox.handle().requests().is_empty());
}

// Settings that are broken.

#[tokio::test]
async fn a_placeholder_that_a_client_did_not_fill_in_is_refused_by_name() {
    let sandbox = sandbox().await;
    for placeholder in ["${NAME}", "${env:NAME}", "${input:name}"] {
        for variable in [
            "APC_DOMAIN",
            "APC_API_URL",
            "APC_API_TOKEN",
            "APC_WORKSPACE_ID",
            "APC_TIMEOUT",
            "APC_INSECURE",
            "APC_CA_CERT",
        ] {
            let program = Program::at(&sandbox, Persona::WorkspaceAdmin).env(variable, placeholder);
            assert_not_configured(program, &[variable, placeholder, "placeholder"]).await;
        }
    }
    assert_eq!(sandbox.handle().requests(), []);
}

#[tokio::test]
async fn a_placeholder_is_not_passed_over_for_the_login() {
    let sandbox = sandbox().await;
    for variable in ["APC_API_TOKEN", "APC_API_TOKEN_FILE", "ASTRO_DOMAIN"] {
        let program = Program::bare()
            .file(LOGIN, &login_of(&sandbox))
            .env(variable, "${TOKEN}");
        assert_not_configured(program, &[variable, "${TOKEN}"]).await;
    }
    assert_eq!(sandbox.handle().requests(), []);
}

#[tokio::test]
async fn a_broken_variable_stops_every_call_and_not_the_server() {
    let sandbox = sandbox().await;
    for (variable, value) in [
        ("APC_TIMEOUT", "soon"),
        ("APC_TIMEOUT", "0"),
        ("APC_TIMEOUT", "-5"),
        ("APC_INSECURE", "maybe"),
        ("APC_SANDBOX", "perhaps"),
        ("APC_LOG", "loud"),
        ("APC_WORKSPACE_ID", "not an id"),
        ("APC_API_URL", "houston.acme.dev"),
        ("APC_API_URL", "ftp://acme.dev/v1"),
        ("APC_DOMAIN", "acme dev"),
    ] {
        let program = Program::at(&sandbox, Persona::WorkspaceAdmin).env(variable, value);
        assert_not_configured(program, &[variable, value]).await;
    }
    assert_eq!(sandbox.handle().requests(), []);
}

#[tokio::test]
async fn a_log_file_that_cannot_be_written_is_named() {
    let sandbox = sandbox().await;
    let program = Program::at(&sandbox, Persona::WorkspaceAdmin);
    let path = program.path("no/such/folder/log");
    let program = program.env("APC_LOG_FILE", path);
    assert_not_configured(program, &["APC_LOG_FILE"]).await;
}

#[tokio::test]
async fn a_ca_file_that_cannot_be_used_is_named() {
    for (file, text) in [("empty.pem", ""), ("odd.pem", "no certificate")] {
        let program = Program::bare().file(file, text);
        let path = program.path(file);
        let program = program
            .env("APC_API_URL", "https://127.0.0.1:1/v1")
            .env("APC_API_TOKEN", UNKNOWN_KEY)
            .env("APC_CA_CERT", path);
        assert_not_configured(program, &["APC_CA_CERT"]).await;
    }
}

#[tokio::test]
async fn a_long_value_in_the_wrong_setting_is_not_shown() {
    for variable in ["APC_TIMEOUT", "APC_DOMAIN", "APC_WORKSPACE_ID", "APC_LOG"] {
        let value = format!("{UNKNOWN_KEY} {UNKNOWN_KEY}");
        let refused = outcome(Program::bare().env(variable, value)).await;
        let text = refused.refusal("not_configured");
        assert_says(text, &[variable]);
        assert!(!text.contains(UNKNOWN_KEY), "{text}");
    }
}

#[tokio::test]
async fn a_url_with_credentials_is_refused_and_shown_without_them() {
    let program = Program::bare()
        .env("APC_API_URL", "https://me:geheim@houston.acme.dev/v1")
        .env("APC_API_TOKEN", UNKNOWN_KEY);
    let refused = outcome(program).await;
    let text = refused.refusal("not_configured");
    assert_says(text, &["APC_API_URL", "houston.acme.dev"]);
    assert!(!text.contains("geheim"), "{text}");
}

// The command line.

#[tokio::test]
async fn a_wrong_flag_is_a_usage_error() {
    for flag in [
        ["--timeout", "soon"],
        ["--api-url", "houston.acme.dev"],
        ["--api-url", "http://houston.acme.dev/v1"],
        ["--api-url", "https://api.astronomer.io/v1"],
        ["--domain", "acme dev"],
        ["--domain", "${DOMAIN}"],
        ["--workspace-id", "not an id"],
        ["--log", "loud"],
    ] {
        let ended = Program::bare().args(&flag).run().await;
        assert_eq!(ended.status.code(), Some(2), "{flag:?}: {}", ended.stderr);
        assert_eq!(ended.stdout, "", "{flag:?}");
        assert_says(&ended.stderr, &[flag[0]]);
    }
}

#[tokio::test]
async fn a_switch_that_does_not_exist_is_a_usage_error() {
    for arguments in [
        &["--no-such-switch"][..],
        &["--sandbox=maybe"],
        &["serve"],
        &["demo", "x"],
    ] {
        let ended = Program::bare().args(arguments).run().await;
        assert_eq!(ended.status.code(), Some(2), "{arguments:?}");
        assert_eq!(ended.stdout, "", "{arguments:?}");
    }
}

#[tokio::test]
async fn a_token_is_never_a_flag_and_not_repeated_where_it_is_tried() {
    for arguments in [
        vec!["--api-token".to_owned(), UNKNOWN_KEY.to_owned()],
        vec![format!("--api-token={UNKNOWN_KEY}")],
        vec![format!("--token={UNKNOWN_KEY}")],
    ] {
        let ended = Program::bare().args(&arguments).run().await;
        assert_eq!(ended.status.code(), Some(2));
        assert!(!ended.stderr.contains(UNKNOWN_KEY), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn help_names_every_setting() {
    let ended = Program::bare().args(&["--help"]).run().await;
    assert!(ended.status.success());
    for setting in [
        "demo",
        "--domain",
        "APC_DOMAIN",
        "ASTRO_DOMAIN",
        "--api-url",
        "APC_API_URL",
        "APC_API_TOKEN",
        "--api-token-file",
        "APC_API_TOKEN_FILE",
        "--workspace-id",
        "APC_WORKSPACE_ID",
        "--timeout",
        "APC_TIMEOUT",
        "--ca-cert",
        "APC_CA_CERT",
        "--insecure",
        "APC_INSECURE",
        "--log",
        "APC_LOG",
        "--log-file",
        "APC_LOG_FILE",
        "--sandbox",
        "APC_SANDBOX",
    ] {
        assert_says(&ended.stdout, &[setting]);
    }
}

#[tokio::test]
async fn the_version_is_that_of_the_crate() {
    let ended = Program::bare().args(&["--version"]).run().await;
    assert!(ended.status.success());
    assert_eq!(
        ended.stdout,
        concat!("apc-mcp ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

// Tokens.

#[tokio::test]
async fn a_token_that_cannot_be_one_is_refused_and_not_shown() {
    let sandbox = sandbox().await;
    for token in [
        "tooshort",
        "fifteen-letters",
        "with a blank inside it",
        "mit-ümlaut-und-länge",
    ] {
        let refused = outcome(Program::with_token(&sandbox, token)).await;
        let text = refused.refusal("not_configured");
        assert_says(text, &["APC_API_TOKEN"]);
        assert!(!text.contains(token), "{text}");
    }
    assert_eq!(sandbox.handle().requests(), []);
}

#[tokio::test]
async fn what_people_paste_around_a_token_is_stripped() {
    let sandbox = sandbox().await;
    let token = sandbox.token(Persona::WorkspaceAdmin);
    for pasted in [
        format!("Bearer {token}"),
        format!("  {token}\t"),
        format!(" bearer  {token}\n"),
    ] {
        outcome(Program::with_token(&sandbox, &pasted))
            .await
            .structured();
        let in_file = Program::bare()
            .file("token", &pasted)
            .env("APC_API_URL", sandbox.url());
        let path = in_file.path("token");
        outcome(in_file.env("APC_API_TOKEN_FILE", path))
            .await
            .structured();
    }
    assert_eq!(tokens(&sandbox), [token]);
}

#[tokio::test]
async fn a_rotated_token_file_takes_effect_at_the_next_call() {
    let sandbox = sandbox().await;
    let old = sandbox.token(Persona::WorkspaceEditor);
    let new = sandbox.token(Persona::WorkspaceAdmin);
    let program = Program::bare().file("token", &old);
    let path = program.path("token");
    let program = program
        .env("APC_API_URL", sandbox.url())
        .args(&["--api-token-file", &path]);
    let mut session = program.serve(Era::USUAL).await;

    assert_eq!(list(&mut session).await.structured()["total"], 4);
    session.write_file("token", UNKNOWN_KEY);
    let refused = list(&mut session).await;
    assert_says(refused.refusal("unauthenticated"), &["--api-token-file"]);
    session.write_file("token", &new);
    assert_eq!(list(&mut session).await.structured()["total"], 6);

    assert_eq!(tokens(&sandbox), [old, UNKNOWN_KEY.to_owned(), new]);
}

#[tokio::test]
async fn a_token_file_that_cannot_be_used_is_named() {
    let sandbox = sandbox().await;
    let large = "x".repeat(64 * 1024 + 1);
    for file in ["missing", "large", "folder", "empty"] {
        let program = Program::bare()
            .file("large", &large)
            .file("empty", "\n")
            .file("folder/inside", "");
        let path = program.path(file);
        let program = program
            .env("APC_API_URL", sandbox.url())
            .env("APC_API_TOKEN_FILE", &path);
        assert_not_configured(program, &["APC_API_TOKEN_FILE"]).await;
    }
    assert_eq!(sandbox.handle().requests(), []);
}

#[cfg(unix)]
#[tokio::test]
async fn a_token_file_that_is_a_pipe_is_refused_and_not_waited_for() {
    let sandbox = sandbox().await;
    let program = Program::bare().env("APC_API_URL", sandbox.url());
    let path = program.path("pipe");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    let refused = outcome(program.env("APC_API_TOKEN_FILE", &path)).await;
    assert_says(refused.refusal("not_configured"), &[&path, "regular file"]);
}

#[tokio::test]
async fn a_token_without_an_installation_goes_nowhere_not_even_to_the_login_s() {
    let trap = sandbox().await;
    let program = Program::bare()
        .file(LOGIN, &login_of(&trap))
        .env("APC_API_TOKEN", UNKNOWN_KEY);
    assert_not_configured(program, &["APC_API_TOKEN", "APC_DOMAIN"]).await;
    assert_eq!(trap.handle().requests(), []);
}

// The astro login.

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
async fn a_project_s_own_astro_folder_is_never_read() {
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
async fn a_login_that_cannot_be_used_is_explained_and_one_that_is_mended_is_used() {
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
async fn a_login_that_changes_changes_where_the_next_call_goes() {
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

#[tokio::test]
async fn the_workspace_of_the_login_is_the_default_one() {
    let sandbox = sandbox().await;
    let token = sandbox.token(Persona::WorkspaceAdmin);
    let login = login_in(&sandbox.url(), &token, DATA_SCIENCE);
    let by_login = Program::bare().file(LOGIN, &login);
    // The same URL from the settings: the login's workspace counts there as well.
    let beside = Program::at(&sandbox, Persona::WorkspaceAdmin).file(LOGIN, &login);
    for (label, program) in [("first", by_login), ("second", beside)] {
        let mut session = program.serve(Era::USUAL).await;
        let tools = session.list_tools().await;
        assert_eq!(tools[0]["inputSchema"]["required"], json!(["label"]));
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
        .serve(Era::USUAL)
        .await;
    let tools = session.list_tools().await;
    let required = &tools[0]["inputSchema"]["required"];
    assert_eq!(*required, json!(["label", "workspace_id"]));
    let new = json!({"label": "etl"});
    let refused = session.call("create_service_account", new).await;
    assert_says(refused.refusal("invalid_arguments"), &["workspace_id"]);
}

#[tokio::test]
async fn a_login_without_a_workspace_leaves_the_argument_required() {
    let sandbox = sandbox().await;
    let mut session = Program::bare()
        .file(LOGIN, &login_of(&sandbox))
        .serve(Era::USUAL)
        .await;
    let tools = session.list_tools().await;
    let required = &tools[0]["inputSchema"]["required"];
    assert_eq!(*required, json!(["label", "workspace_id"]));
}

// Where tokens may go.

#[tokio::test]
async fn the_hosted_product_is_refused_with_a_word_on_why() {
    for (variable, value) in [
        ("APC_DOMAIN", "astronomer.io"),
        ("APC_DOMAIN", "cloud.astronomer.io"),
        ("APC_DOMAIN", "https://cloud.astronomer-dev.io/x"),
        ("ASTRO_DOMAIN", "astronomer-stage.io"),
        ("APC_API_URL", "https://api.astronomer.io/v1"),
        ("APC_API_URL", "https://houston.astronomer-perf.io/v1"),
    ] {
        let program = Program::bare()
            .env(variable, value)
            .env("APC_API_TOKEN", UNKNOWN_KEY);
        assert_not_configured(program, &[variable, "hosted", "Private Cloud"]).await;
    }
}

#[tokio::test]
async fn a_login_to_the_hosted_product_is_refused_with_a_word_on_why() {
    let text = "context: astronomer.io\n\
                contexts:\n\
                \x20 astronomer_io:\n\
                \x20   domain: astronomer.io\n\
                \x20   token: Bearer 0123456789abcdef0123456789abcdef\n";
    let program = Program::bare().file(LOGIN, text);
    assert_not_configured(program, &["astronomer.io", "hosted"]).await;
}

#[tokio::test]
async fn plain_http_is_for_this_machine_only() {
    let program = Program::bare()
        .env("APC_API_URL", "http://houston.acme.invalid/v1")
        .env("APC_API_TOKEN", UNKNOWN_KEY);
    assert_not_configured(program, &["APC_API_URL", "http"]).await;
    let login = login("http://houston.acme.invalid/v1", UNKNOWN_KEY);
    assert_not_configured(Program::bare().file(LOGIN, &login), &["http"]).await;
}

#[tokio::test]
async fn a_domain_may_be_pasted_as_people_have_it() {
    for pasted in [
        "acme.invalid",
        "houston.acme.invalid",
        "https://app.acme.invalid/w/ck1/settings",
    ] {
        let program = Program::bare()
            .env("APC_DOMAIN", pasted)
            .env("APC_API_TOKEN", UNKNOWN_KEY)
            .env("APC_TIMEOUT", "2");
        let refused = outcome(program).await;
        // Nobody answers there; the host in the words is what matters.
        assert_says(refused.text(), &["houston.acme.invalid"]);
    }
}

#[tokio::test]
async fn this_machine_is_never_reached_through_a_proxy() {
    let (sandbox, proxy) = (sandbox().await, sandbox().await);
    let proxy_url = proxy.url().replace("/v1", "");
    let mut program = Program::at(&sandbox, Persona::WorkspaceAdmin);
    for variable in [
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "all_proxy",
    ] {
        program = program.env(variable, proxy_url.clone());
    }
    outcome(program).await.structured();
    assert_eq!(proxy.handle().requests(), []);
}

#[tokio::test]
async fn the_embedded_sandbox_ignores_url_token_and_login() {
    let trap = sandbox().await;
    let by_flag = Program::at(&trap, Persona::WorkspaceAdmin)
        .file(LOGIN, &login_of(&trap))
        .args(&["--sandbox"]);
    let by_variable = Program::at(&trap, Persona::WorkspaceAdmin)
        .file(LOGIN, &login_of(&trap))
        .env("APC_API_URL", "nonsense")
        .env("APC_SANDBOX", "1");
    for program in [by_flag, by_variable] {
        let found = outcome(program).await;
        let workspaces = found.structured()["workspaces"].as_array().unwrap();
        assert_eq!(workspaces.len(), 2);
    }
    assert_eq!(trap.handle().requests(), []);
}

// Secrets in what is written.

#[tokio::test]
async fn no_token_and_no_key_is_in_the_log_at_any_level() {
    let sandbox = sandbox().await;
    let token = sandbox.token(Persona::WorkspaceAdmin);
    for level in ["trace", "debug", "info"] {
        let mut session = Program::with_token(&sandbox, &token)
            .env("APC_LOG", level)
            .env("RUST_LOG", "trace")
            .serve(Era::USUAL)
            .await;
        let new = json!({"label": level, "workspace_id": ANALYTICS});
        let created = session.call("create_service_account", new).await;
        let id = created.account()["id"].clone();
        list(&mut session).await.structured();
        let doomed = json!({"service_account_id": id, "workspace_id": NOTHING});
        session.call("delete_service_account", doomed).await;
        let keys: Vec<_> = sandbox
            .handle()
            .accounts()
            .into_iter()
            .map(|a| a.key)
            .collect();

        assert!(session.close_stdin_and_wait().await.success());
        let log = session.stderr().await;
        assert!(!log.contains(&token), "{log}");
        assert!(!session.stdout().contains(&token));
        for key in keys {
            assert!(!log.contains(&key), "{log}");
        }
    }
}

#[tokio::test]
async fn a_log_file_takes_the_log_and_standard_error_stays_empty() {
    let sandbox = sandbox().await;
    let program = Program::with_token(&sandbox, UNKNOWN_KEY);
    let path = program.path("log");
    let mut session = program
        .args(&["--log", "trace", "--log-file", &path])
        .serve(Era::USUAL)
        .await;
    list(&mut session).await.refusal("unauthenticated");
    assert!(session.close_stdin_and_wait().await.success());
    let log = std::fs::read_to_string(&path).unwrap();
    assert_says(&log, &["unauthenticated"]);
    assert!(!log.contains(UNKNOWN_KEY), "{log}");
    assert_eq!(session.stderr().await, "");
}

#[tokio::test]
async fn what_goes_wrong_is_not_said_on_standard_error_by_default() {
    let mut session = Program::bare().serve(Era::USUAL).await;
    list(&mut session).await.refusal("not_configured");
    assert!(session.close_stdin_and_wait().await.success());
    assert_eq!(session.stderr().await, "");
}

#[tokio::test]
async fn the_time_for_a_request_is_that_of_the_setting() {
    let sandbox = sandbox().await;
    let hang = apc_mcp::sandbox::Fault::Hang;
    sandbox
        .handle()
        .inject(hang, apc_mcp::sandbox::On::Any, 1_000);
    let program = Program::at(&sandbox, Persona::WorkspaceAdmin)
        .env("APC_TIMEOUT", "300")
        .args(&["--timeout", "0.5"]);
    let refused = tokio::time::timeout(Duration::from_secs(15), outcome(program)).await;
    refused.expect("0.5 s and not 300 s").refusal("timed_out");
}
