//! Flags, environment and astro login: their precedence, and the refusal of broken ones.

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

/// Values that nobody meant, in whichever setting, each with a word of the refusal.
const UNMEANT: [(&str, &str); 26] = [
    ("${NAME}", "placeholder"),
    ("${NAME:-x}", "placeholder"),
    ("${env:NAME}", "placeholder"),
    ("${input:name}", "placeholder"),
    ("${{ secrets.X }}", "placeholder"),
    ("$NAME", "placeholder"),
    ("$env:NAME", "placeholder"),
    ("$(cat token)", "placeholder"),
    ("%NAME%", "placeholder"),
    ("{env:NAME}", "placeholder"),
    ("{file:~/token}", "placeholder"),
    ("{{NAME}}", "placeholder"),
    ("{{ secrets.X }}", "placeholder"),
    ("#{NAME}", "placeholder"),
    ("__NAME__", "placeholder"),
    ("op://vault/item/field", "placeholder"),
    ("vault:secret/apc", "placeholder"),
    ("keychain:apc", "placeholder"),
    ("<your-token>", "placeholder"),
    ("[REDACTED]", "placeholder"),
    ("[your value]", "placeholder"),
    ("********", "placeholder"),
    ("\"value\"", "quotes"),
    ("'value'", "quotes"),
    ("`value`", "quotes"),
    ("\"${NAME}\"", "placeholder"),
];

#[tokio::test]
async fn a_value_that_nobody_meant_is_refused_by_name_in_every_setting() {
    let sandbox = sandbox().await;
    for variable in variables().await {
        for (value, says) in UNMEANT {
            let program = Program::bare()
                .env("APC_API_URL", sandbox.url())
                .env("APC_API_TOKEN", UNKNOWN_KEY)
                .env(&variable, value);
            let mut session = program.serve(Era::USUAL).await;
            let refused = list(&mut session).await;
            let text = refused.refusal("not_configured");
            assert_says(
                text,
                &[&format!("{variable} is "), says, "Nothing was sent"],
            );
            assert_eq!(names_below(session.home()), ".tmp", "{variable}={value}");
        }
    }
    assert_eq!(sandbox.handle().requests(), []);
}

#[tokio::test]
async fn a_value_that_nobody_meant_is_a_usage_error_in_every_flag() {
    let help = Program::bare().args(&["--help"]).run().await.stdout;
    let lines = help.lines().map(str::trim_start);
    let flags = lines.filter(|line| line.starts_with("--") && line.contains('<'));
    let flags: Vec<_> = flags
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(flags.len() > 12, "{help}");
    for flag in flags {
        for (value, says) in UNMEANT {
            let ended = Program::bare().args(&[flag, value]).run().await;
            assert_eq!(ended.status.code(), Some(2), "{flag} {value}");
            assert_says(&ended.stderr, &[&format!("{flag} is "), says]);
        }
    }
}

#[tokio::test]
async fn a_part_of_a_value_may_be_what_nobody_meant() {
    let sandbox = sandbox().await;
    for (variable, value) in [
        ("APC_DOMAIN", "houston.${DOMAIN}"),
        ("APC_DOMAIN", "houston.$DOMAIN"),
        ("APC_DOMAIN", "houston.<base-domain>"),
        ("APC_DOMAIN", "YOUR_DOMAIN"),
        ("APC_DOMAIN", "undefined"),
        ("APC_API_URL", "https://$HOST/v1"),
        ("APC_API_URL", "https://houston.{domain}/v1"),
        ("APC_API_URL", "https://%HOST%:443/v1"),
        ("APC_WORKSPACE_ID", "ckxxxxxxxxxxxxxxxxxxxxxxx"),
        ("APC_WORKSPACE_ID", "your-workspace-id"),
        ("APC_WORKSPACE_ID", "undefined"),
        ("APC_WORKSPACE_ID", "null"),
        (
            "APC_ALLOWED_WORKSPACES",
            "cmf3ana1y00010h6analytics,${MORE}",
        ),
        ("APC_KEY_DIR", "${HOME}/keys"),
        ("APC_KEY_DIR", "$HOME/keys"),
        ("APC_KEY_DIR", "%USERPROFILE%/keys"),
        ("APC_KEY_DIR", "none"),
        ("APC_AUDIT_LOG", "/srv/$USER/audit"),
        ("APC_AUDIT_LOG", "undefined"),
        ("APC_CA_CERT", "/srv/<you>/ca.pem"),
    ] {
        let program = Program::at(&sandbox, Persona::WorkspaceAdmin).env(variable, value);
        assert_not_configured(program, &[variable, "placeholder"]).await;
    }
    assert_eq!(sandbox.handle().requests(), []);
}

#[tokio::test]
async fn a_safety_setting_that_cannot_be_read_never_falls_back_to_its_default() {
    let sandbox = sandbox().await;
    for (variable, value) in [
        ("APC_READ_ONLY", "yes"),
        ("APC_READ_ONLY", "on"),
        ("APC_READ_ONLY", "$READ_ONLY"),
        ("APC_READ_ONLY", "true false"),
        ("APC_ALLOWED_WORKSPACES", ","),
        ("APC_ALLOWED_WORKSPACES", "*"),
        ("APC_ALLOWED_WORKSPACES", "one two"),
        ("APC_ALLOWED_WORKSPACES", "[\"cmf3ana1y00010h6analytics\"]"),
        ("APC_MAX_ROLE", "viewer"),
        ("APC_MAX_ROLE", "OWNER"),
        ("APC_KEY_OUTPUT", "files"),
        ("APC_CONFIRM", "yes"),
        ("APC_CONFIRM", "Always"),
        ("APC_MAX_CHANGES_PER_MINUTE", "ten"),
        ("APC_MAX_CHANGES_PER_MINUTE", "-1"),
        ("APC_MAX_CHANGES_PER_MINUTE", "1.5"),
        ("APC_INSECURE", "no"),
        ("APC_TIMEOUT", "20m"),
    ] {
        let program = Program::at(&sandbox, Persona::WorkspaceAdmin).env(variable, value);
        assert_not_configured(program, &[variable, "Nothing was sent"]).await;
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

#[tokio::test]
async fn a_domain_with_credentials_and_a_url_with_a_query_are_shown_without_them() {
    let program = Program::bare().env("APC_DOMAIN", "me:geheim@acme.dev");
    let refused = outcome(program).await;
    let text = refused.refusal("not_configured");
    assert_says(text, &["APC_DOMAIN is 'acme.dev'", "credentials"]);
    assert!(!text.contains("geheim"), "{text}");
    let sandbox = sandbox().await;
    let url = format!("{}?token=geheim", sandbox.url());
    let program = Program::at(&sandbox, Persona::WorkspaceAdmin).env("APC_API_URL", url);
    let doctor = program.run_with(&["doctor"]).await;
    assert_says(&doctor.stdout, &[&sandbox.url()]);
    assert!(!doctor.stdout.contains("geheim"), "{}", doctor.stdout);
}

// Paths.

#[tokio::test]
async fn a_leading_tilde_is_the_home_directory_in_every_path() {
    let sandbox = sandbox().await;
    let token = sandbox.token(Persona::WorkspaceAdmin);
    let by_variable = Program::bare()
        .file("my/token", &token)
        .env("APC_API_URL", sandbox.url())
        .env("APC_API_TOKEN_FILE", "~/my/token")
        .env("APC_KEY_DIR", "~/my/keys")
        .env("APC_AUDIT_LOG", "~/my/audit")
        .env("APC_LOG", "info")
        .env("APC_LOG_FILE", "~/my/log");
    let flags = [
        "--api-token-file",
        "~/my/token",
        "--key-dir=~/my/keys",
        "--audit-log",
        "~/my/audit",
        "--log=info",
        "--log-file",
        "~/my/log",
    ];
    let by_flag = Program::bare()
        .file("my/token", &token)
        .env("APC_API_URL", sandbox.url())
        .args(&flags);
    for (label, program) in [("variable", by_variable), ("flag", by_flag)] {
        let home = program.path("my");
        let mut session = program.serve(Era::USUAL).await;
        let new = json!({"label": label, "workspace_id": ANALYTICS});
        let created = session.call("create_service_account", new).await;
        let file = created.structured()["api_key_file"].as_str().unwrap();
        assert!(file.starts_with(&format!("{home}/keys/")), "{file}");
        let unknown = json!({"workspace_id": "no id"});
        let refused = session.call("get_service_accounts", unknown).await;
        refused.refusal("invalid_arguments");
        assert!(session.close_stdin_and_wait().await.success());
        for written in ["audit", "log"] {
            let path = std::path::Path::new(&home).join(written);
            assert!(path.metadata().unwrap().len() > 0, "{written}");
        }
        assert!(!names_below(session.home()).contains('~'));
    }
}

#[tokio::test]
async fn the_home_of_another_user_is_refused_with_what_is_accepted() {
    for variable in [
        "APC_KEY_DIR",
        "APC_AUDIT_LOG",
        "APC_API_TOKEN_FILE",
        "APC_CA_CERT",
    ] {
        let program = Program::bare().env(variable, "~bob/x");
        assert_not_configured(program, &[variable, "~bob/x", "~/"]).await;
    }
}

#[tokio::test]
async fn the_astro_home_may_begin_with_a_tilde() {
    let sandbox = sandbox().await;
    let program = Program::bare()
        .file("my/.astro/config.yaml", &login_of(&sandbox))
        .env("ASTRO_HOME", "~/my");
    outcome(program).await.structured();
}

#[tokio::test]
async fn a_client_gets_the_whole_path_for_a_tilde() {
    let program = Program::bare().args(&["client", "cursor", "--key-dir", "~/keys"]);
    let home = program.path("keys");
    assert_says(&program.run().await.stdout, &[&format!("--key-dir={home}")]);
}

// Ways out.

/// Something that is not set up.
struct Missing {
    set: &'static [(&'static str, &'static str)],
    says: &'static [&'static str],
    misleading: &'static [&'static str],
}

const MISSING: [Missing; 8] = [
    Missing {
        set: &[],
        says: &[
            "No installation is set",
            "astro login <domain>",
            "APC_DOMAIN",
            "APC_API_TOKEN",
        ],
        misleading: &["APC_API_URL"],
    },
    Missing {
        set: &[("APC_API_TOKEN", UNKNOWN_KEY)],
        says: &["APC_API_TOKEN is set", "APC_DOMAIN", "APC_API_URL"],
        misleading: &["astro login", "APC_API_TOKEN_FILE"],
    },
    Missing {
        set: &[("APC_DOMAIN", "acme.dev")],
        says: &[
            "There is no token for acme.dev",
            "astro login acme.dev",
            "APC_API_TOKEN or APC_API_TOKEN_FILE",
        ],
        misleading: &["APC_DOMAIN", "<domain>"],
    },
    Missing {
        set: &[("APC_API_URL", "https://houston.acme.dev:8443/v1")],
        says: &[
            "There is no token for https://houston.acme.dev:8443/v1",
            "astro login acme.dev",
            "APC_API_TOKEN",
        ],
        misleading: &["APC_DOMAIN", "<domain>"],
    },
    Missing {
        set: &[
            ("APC_API_URL", "houston.acme.dev"),
            ("APC_API_TOKEN", UNKNOWN_KEY),
        ],
        says: &[
            "APC_API_URL is 'houston.acme.dev'",
            "https://houston.acme.dev/v1",
            "Correct or ",
        ],
        misleading: &["astro login", "APC_DOMAIN"],
    },
    Missing {
        set: &[("APC_DOMAIN", "localhost"), ("APC_API_TOKEN", UNKNOWN_KEY)],
        says: &["localhost", "APC_API_URL", "http://localhost:8871/v1"],
        misleading: &["astro login"],
    },
    Missing {
        set: &[
            ("APC_DOMAIN", "acme.dev"),
            ("APC_API_TOKEN_FILE", "/nowhere/token"),
        ],
        says: &[
            "/nowhere/token",
            "APC_API_TOKEN_FILE",
            "takes effect at the next call",
        ],
        misleading: &["astro login", "APC_DOMAIN"],
    },
    Missing {
        set: &[("APC_DOMAIN", "acme.dev"), ("APC_API_TOKEN", "tooshort")],
        says: &["APC_API_TOKEN cannot be used", "16 characters"],
        misleading: &["astro login", "APC_DOMAIN", "tooshort"],
    },
];

fn assert_says_no_other(text: &str, says: &[&str], other: &[&str]) {
    assert_says(text, says);
    for word in other {
        assert!(!text.contains(word), "{word:?} is in: {text}");
    }
}

#[tokio::test]
async fn what_is_missing_gets_its_own_advice_in_the_words_of_a_client() {
    for missing in MISSING {
        let with = |program: Program, (name, value): &(&str, &str)| program.env(name, *value);
        let refused = outcome(missing.set.iter().fold(Program::bare(), with)).await;
        let text = refused.refusal("not_configured");
        assert_says_no_other(text, missing.says, missing.misleading);
        assert_says_no_other(text, &[], &["this shell"]);
    }
}

#[tokio::test]
async fn what_is_missing_gets_its_own_advice_in_the_words_of_a_terminal() {
    for missing in MISSING {
        let with = |program: Program, (name, value): &(&str, &str)| program.env(name, *value);
        let program = missing.set.iter().fold(Program::bare(), with);
        let call = program.run_with(&["call", "get_service_accounts"]).await;
        assert_eq!(call.status.code(), Some(1));
        assert_says_no_other(&call.stderr, missing.says, missing.misleading);
        let doctor = program.run_with(&["doctor"]).await;
        assert_eq!(doctor.status.code(), Some(1));
        for text in [&call.stderr, &doctor.stdout] {
            assert_says_no_other(text, &[], &["client's configuration", "restart"]);
        }
    }
}

#[tokio::test]
async fn a_client_is_told_that_a_variable_of_the_shell_may_not_reach_the_server() {
    let refused = outcome(Program::bare()).await;
    let says = ["client's configuration", "shell may not reach"];
    assert_says(refused.refusal("not_configured"), &says);
}

// Domains and URLs.

#[tokio::test]
async fn every_host_of_the_platform_leads_to_its_api_and_keeps_its_port() {
    for service in [
        "",
        "houston.",
        "app.",
        "deployments.",
        "registry.",
        "grafana.",
        "kibana.",
        "prometheus.",
        "alertmanager.",
        "mcp-server.",
    ] {
        let program = Program::bare()
            .env(
                "APC_DOMAIN",
                format!("https://{service}acme.invalid:8443/orbit-1/airflow"),
            )
            .env("APC_API_TOKEN", UNKNOWN_KEY)
            .env("APC_TIMEOUT", "2");
        let refused = outcome(program).await;
        // Nobody answers there; the words name host and port.
        let text = refused.refusal("unreachable");
        assert_says(text, &[" houston.acme.invalid:8443"]);
    }
}

#[tokio::test]
async fn a_url_without_the_version_is_named_as_that() {
    let sandbox = sandbox().await;
    let root = sandbox.url().replace("/v1", "");
    for url in [root.clone(), format!("{root}/"), format!("{root}/graphql")] {
        let program = Program::at(&sandbox, Persona::WorkspaceAdmin).env("APC_API_URL", &url);
        let refused = outcome(program).await;
        let text = refused.refusal("api_error");
        let says = [&sandbox.url(), "no /v1", "APC_API_URL"];
        assert_says_no_other(text, &says, &["firewall", "login page"]);
    }
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
    // After 300 s no test would wait any more.
    outcome(program).await.refusal("timed_out");
}

#[tokio::test]
async fn a_path_that_nobody_meant_is_refused_and_makes_no_file() {
    let sandbox = sandbox().await;
    let token = sandbox.token(Persona::WorkspaceAdmin);
    for variable in [
        "APC_KEY_DIR",
        "APC_LOG_FILE",
        "APC_AUDIT_LOG",
        "APC_API_TOKEN_FILE",
        "APC_CA_CERT",
    ] {
        for (value, says) in [
            ("file:///srv/x", "a URL"),
            ("https://acme.dev/x", "a URL"),
            ("keys-$USER", "placeholder"),
            ("$PWD-k", "placeholder"),
            ("$HOME.k", "placeholder"),
            ("${HOME/k", "placeholder"),
            ("keys-${USER", "placeholder"),
            ("%(HOME)s/k", "placeholder"),
            ("keys-%USERNAME%", "placeholder"),
            ("`pwd`/k", "placeholder"),
            ("keys-`id -un`", "placeholder"),
            ("~\\k", "~/"),
        ] {
            let mut program = Program::bare().env("APC_API_URL", sandbox.url());
            if variable != "APC_API_TOKEN_FILE" {
                program = program.env("APC_API_TOKEN", &token);
            }
            let mut session = program.env(variable, value).serve(Era::USUAL).await;
            let new = json!({"label": "etl", "workspace_id": ANALYTICS});
            let refused = session.call("create_service_account", new).await;
            let text = refused.refusal("not_configured");
            assert_says(
                text,
                &[&format!("{variable} is "), says, "Nothing was sent"],
            );
            assert_eq!(names_below(session.home()), ".tmp", "{variable}={value}");
        }
    }
    assert_eq!(sandbox.handle().requests(), []);
}

#[tokio::test]
async fn a_blank_path_is_unset_and_a_byte_order_mark_before_a_value_is_dropped() {
    let sandbox = sandbox().await;
    let paths = [
        "APC_KEY_DIR",
        "APC_LOG_FILE",
        "APC_AUDIT_LOG",
        "APC_CA_CERT",
    ];
    let mut blank = Program::at(&sandbox, Persona::WorkspaceAdmin).args(&["--key-dir", " "]);
    for variable in paths.iter().chain(&["APC_API_TOKEN_FILE"]) {
        blank = blank.env(variable, " \t");
    }
    let marked = Program::at(&sandbox, Persona::WorkspaceAdmin)
        .env("APC_API_URL", format!("\u{feff}{}", sandbox.url()))
        .env("APC_KEY_DIR", "\u{feff}keys")
        .env("APC_AUDIT_LOG", "\u{feff}audit");
    for (label, program, made) in [
        ("blank", blank, &[".local", ".tmp"][..]),
        ("marked", marked, &[".tmp", "audit", "keys"]),
    ] {
        let mut session = program.serve(Era::USUAL).await;
        let new = json!({"label": label, "workspace_id": ANALYTICS});
        session
            .call("create_service_account", new)
            .await
            .structured();
        let entries = std::fs::read_dir(session.home()).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, made);
    }
    let client = Program::bare()
        .args(&["client", "cursor"])
        .env("APC_KEY_DIR", " ");
    assert!(!client.run().await.stdout.contains("--key-dir"));
}

#[tokio::test]
async fn a_proxy_that_nobody_meant_is_refused_by_the_name_of_its_variable() {
    for (value, says) in [
        ("http://<user>:<password>@127.0.0.1:1", "placeholder"),
        ("http://me:<password>@127.0.0.1:1", "placeholder"),
        ("<user>:geheim@127.0.0.1:1", "placeholder"),
        ("http://me:{env:PASS}@127.0.0.1:1", "placeholder"),
        ("http://{env:USER}:geheim@127.0.0.1:1", "placeholder"),
        ("http://me:{{PASS}}@127.0.0.1:1", "placeholder"),
        ("http://me:********@127.0.0.1:1", "placeholder"),
        ("http://****:geheim@127.0.0.1:1", "placeholder"),
        ("http://me:••••@127.0.0.1:1", "placeholder"),
        ("http://me:[REDACTED]@127.0.0.1:1", "placeholder"),
        ("none", "unset it"),
        ("null", "unset it"),
        ("DIRECT", "unset it"),
        ("undefined", "unset it"),
        ("off", "unset it"),
        ("false", "unset it"),
    ] {
        for variable in ["HTTPS_PROXY", "all_proxy"] {
            let program = Program::bare()
                .env("APC_DOMAIN", "acme.invalid")
                .env("APC_API_TOKEN", UNKNOWN_KEY)
                .env("APC_TIMEOUT", "2")
                .env(variable, value);
            let refused = outcome(program).await;
            let text = refused.refusal("not_configured");
            assert_says(text, &[&format!("{variable} "), says]);
            assert!(!text.contains("geheim"), "{text}");
        }
    }
}

#[tokio::test]
async fn a_domain_with_an_empty_part_and_a_reference_to_a_file_are_refused() {
    for value in [
        ".acme.dev",
        "acme..dev",
        "houston..acme.dev",
        "https://app..acme.dev/w",
        "acme.dev..",
        "@file",
        "@acme.dev",
        "https://@acme.dev",
    ] {
        for variable in ["APC_DOMAIN", "ASTRO_DOMAIN"] {
            let program = Program::bare()
                .env(variable, value)
                .env("APC_API_TOKEN", UNKNOWN_KEY);
            let says = [&format!("{variable} is "), "a domain such as acme.dev"];
            assert_not_configured(program, &says).await;
        }
    }
    for value in ["https://houston..acme.dev/v1", "https://.acme.dev/v1"] {
        let program = Program::bare()
            .env("APC_API_URL", value)
            .env("APC_API_TOKEN", UNKNOWN_KEY);
        assert_not_configured(program, &["APC_API_URL is ", "whole URL"]).await;
    }
    let program = Program::bare()
        .env("APC_DOMAIN", "https://app.acme.invalid./w/@me")
        .env("APC_API_TOKEN", UNKNOWN_KEY)
        .env("APC_TIMEOUT", "2");
    assert_says(outcome(program).await.text(), &["houston.acme.invalid"]);
}

#[tokio::test]
async fn all_flags_that_are_wrong_are_named_at_once() {
    let wrong = ["--timeout", "x", "--max-role", "y", "--key-dir", "$HOME/k"];
    for command in [&[][..], &["doctor"], &["client", "cursor"]] {
        let program = Program::bare().args(command).args(&wrong);
        let ended = program.env("APC_LOG", "loud").run().await;
        assert_eq!(ended.status.code(), Some(2), "{}", ended.stderr);
        let says = [
            "--timeout is 'x'",
            "--max-role is 'y'",
            "--key-dir is '$HOME/k'",
        ];
        assert_says(&ended.stderr, &says);
        assert_eq!(ended.stdout, "");
    }
    let client = Program::bare()
        .args(&["client", "cursor"])
        .env("APC_TIMEOUT", "x")
        .env("APC_MAX_ROLE", "y");
    let ended = client.run().await;
    assert_eq!(ended.status.code(), Some(1));
    assert_says(
        &ended.stderr,
        &["APC_TIMEOUT is 'x'", "APC_MAX_ROLE is 'y'"],
    );
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

/// The names of all files below a directory, one after the other.
fn names_below(directory: &std::path::Path) -> String {
    let mut names = String::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        names.push_str(&entry.file_name().to_string_lossy());
        names.push_str(&names_below(&entry.path()));
    }
    names
}
