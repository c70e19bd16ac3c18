//! Flags, environment and astro login: their precedence, and the refusal of broken ones.

use std::time::Duration;

use apc_sandbox::Persona;
use serde_json::json;

use crate::support::harness::*;
use crate::support::installation::*;

/// Every variable that the help names.
async fn variables() -> Vec<String> {
    let help = Program::bare().args(&["--help"]).run().await.stdout;
    let words = help.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let variables = words.filter(|word| word.starts_with("APC_") || word.starts_with("ASTRO_"));
    let variables: Vec<_> = variables.map(str::to_owned).collect();
    assert!(variables.len() > 15, "{help}");
    variables
}

// Nothing set.

#[tokio::test]
async fn a_server_without_settings_starts_and_every_call_tells_the_two_ways_out() {
    let ways = ["astro login", "APC_DOMAIN", "APC_API_TOKEN"];
    assert_not_configured(Program::bare(), &ways).await;
}

#[tokio::test]
async fn a_server_without_a_home_starts() {
    let program = Program::bare().without("HOME");
    // The system's user database may know a home; the server has to start in any case.
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
    let login = login_of(&sandbox);
    let mut program = Program::bare().file(LOGIN, &login).env("ASTRO_HOME", "");
    for variable in variables().await {
        program = program.env(&variable, "");
    }
    outcome(program).await.structured();
    assert!(!sandbox.handle().requests().is_empty());
}

// Settings that are broken.

#[tokio::test]
async fn a_placeholder_that_a_client_did_not_fill_in_is_refused_by_name() {
    let sandbox = sandbox().await;
    for placeholder in ["${NAME}", "${env:NAME}", "${input:name}"] {
        let program = Program::with_token(&sandbox, placeholder);
        assert_not_configured(program, &["APC_API_TOKEN", placeholder, "placeholder"]).await;
    }
    for variable in variables().await {
        let program = Program::bare()
            .env("APC_API_URL", sandbox.url())
            .env("APC_API_TOKEN", UNKNOWN_KEY)
            .env(&variable, "${NAME}");
        let refused = outcome(program).await;
        assert_says(refused.refusal("not_configured"), &[&variable, "${NAME}"]);
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
        ("APC_LOG", "debug"),
        ("APC_SANDBOX_LINE", "2021"),
        ("APC_MAX_ROLE", "SYSTEM_ADMIN"),
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

#[cfg(unix)]
#[tokio::test]
async fn a_log_file_that_is_a_pipe_is_refused_and_not_waited_for() {
    let sandbox = sandbox().await;
    let program = Program::at(&sandbox, Persona::WorkspaceAdmin);
    let path = program.path("pipe");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    let program = program.args(&["--log-file", &path]);
    assert_not_configured(program, &["--log-file", "regular file"]).await;
}

#[tokio::test]
async fn a_server_whose_log_file_is_broken_logs_to_standard_error() {
    let sandbox = sandbox().await;
    let program = Program::at(&sandbox, Persona::WorkspaceAdmin);
    let path = program.path("no/such/folder/log");
    let program = program.args(&["--log", "info", "--log-file", &path]);
    let mut session = program.serve(Era::USUAL).await;
    list(&mut session).await.refusal("not_configured");
    assert!(session.close_stdin_and_wait().await.success());
    assert_says(&session.stderr().await, &["not_configured"]);
}

#[tokio::test]
async fn a_log_level_that_logs_nothing_is_refused_with_those_that_do() {
    for level in ["debug", "trace"] {
        let ended = Program::bare().args(&["--log", level]).run().await;
        assert_eq!(ended.status.code(), Some(2), "{level}");
        let refused = format!("--log is '{level}'; accepted: off, error, warn, info");
        assert_says(&ended.stderr, &[&refused]);
    }
}

#[tokio::test]
async fn the_highest_role_may_be_a_rank_or_a_full_name() {
    for role in ["EDITOR", "WORKSPACE_EDITOR", "DEPLOYMENT_EDITOR"] {
        let program = Program::bare().env("APC_MAX_ROLE", role);
        let mut session = program.serve(Era::USUAL).await;
        let tools = session.list_tools().await;
        let roles = &tools[0]["inputSchema"]["properties"]["role"]["enum"];
        let expected = [
            "WORKSPACE_VIEWER",
            "WORKSPACE_EDITOR",
            "DEPLOYMENT_VIEWER",
            "DEPLOYMENT_EDITOR",
        ];
        assert_eq!(*roles, json!(expected));
    }
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
async fn the_version_is_that_of_the_crate() {
    let ended = Program::bare().args(&["--version"]).run().await;
    assert!(ended.status.success());
    assert_eq!(
        ended.stdout,
        concat!("apc-mcp ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

#[tokio::test]
async fn the_time_for_a_request_is_that_of_the_setting() {
    let sandbox = sandbox().await;
    let hang = apc_sandbox::Fault::Hang;
    sandbox.handle().inject(hang, apc_sandbox::On::Any, 1_000);
    let program = Program::at(&sandbox, Persona::WorkspaceAdmin)
        .env("APC_TIMEOUT", "300")
        .args(&["--timeout", "0.5"]);
    let refused = tokio::time::timeout(Duration::from_secs(15), outcome(program)).await;
    refused.expect("0.5 s and not 300 s").refusal("timed_out");
}

// Tokens in the wrong place.

/// A user token in the form of those that the platform gives out.
const JWT: &str = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzb21lYm9keSIsImV4cCI6MX0.c2lnbmF0dXJlLW9mLWl0";

#[tokio::test]
async fn a_token_in_any_setting_is_shown_by_nobody() {
    for variable in variables().await {
        for token in [UNKNOWN_KEY, JWT] {
            for value in [
                token.to_owned(),
                format!(" Bearer {token}"),
                format!("ck1,{token}"),
            ] {
                let program = Program::bare()
                    .env("APC_LOG", "info")
                    .env(&variable, &value);
                let doctor = program.run_with(&["doctor"]).await;
                let mut session = program.serve(Era::USUAL).await;
                let refused = list(&mut session).await;
                let new = json!({"label": "etl", "workspace_id": ANALYTICS});
                let creation = session.call("create_service_account", new).await;
                let names = names_below(session.home());
                session.close_stdin_and_wait().await;
                for shown in [
                    doctor.stdout,
                    doctor.stderr,
                    refused.result.to_string(),
                    creation.result.to_string(),
                    session.stderr().await,
                    names,
                ] {
                    assert!(!shown.contains(token), "{variable}={value}: {shown}");
                }
                if variable != "APC_API_TOKEN" {
                    assert_says(refused.refusal("not_configured"), &[&variable]);
                }
            }
        }
    }
}

#[tokio::test]
async fn a_token_in_a_path_or_a_url_is_not_shown() {
    let sandbox = sandbox().await;
    for variable in variables().await {
        let is_path = ["FILE", "DIR", "LOG", "CERT"]
            .iter()
            .any(|end| variable.ends_with(end));
        if variable == "APC_LOG" || !(is_path || variable == "APC_API_URL") {
            continue;
        }
        for token in [UNKNOWN_KEY, JWT] {
            let value = match variable.as_str() {
                "APC_API_URL" => format!("{}/{token}", sandbox.url()),
                _ => format!("missing/{token}"),
            };
            let mut program = Program::at(&sandbox, Persona::WorkspaceAdmin);
            if variable == "APC_API_TOKEN_FILE" {
                program = program.without("APC_API_TOKEN");
            }
            let program = program.env(&variable, &value);
            let doctor = program.run_with(&["doctor"]).await;
            // Of a log file that cannot be opened the doctor tells no path.
            let told = doctor.stdout.contains("[redacted]");
            assert_eq!(
                told,
                variable != "APC_LOG_FILE",
                "{variable}: {}",
                doctor.stdout
            );
            let mut session = program.serve(Era::USUAL).await;
            let label = format!("{variable} {}", token.len());
            let new = json!({"label": label, "workspace_id": ANALYTICS});
            let creation = session.call("create_service_account", new).await;
            session.close_stdin_and_wait().await;
            let log = session.stderr().await;
            let mut result = creation.result.to_string();
            if variable == "APC_KEY_DIR" {
                // The path of a key file is there to be used.
                let file = creation.structured()["api_key_file"].as_str().unwrap();
                assert!(file.contains(&value));
                result = result.replace(file, "");
            }
            for shown in [doctor.stdout, result, log] {
                assert!(!shown.contains(token), "{variable}: {shown}");
            }
        }
    }
}

/// The names of all files below a directory.
fn names_below(directory: &std::path::Path) -> String {
    let mut names = String::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        names.push_str(&entry.file_name().to_string_lossy());
        names.push_str(&names_below(&entry.path()));
    }
    names
}
