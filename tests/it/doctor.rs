//! `apc-mcp doctor`: each test breaks one thing, and the doctor names it with the way out.

use apc_sandbox::{Entity, Fault, Line, On, Persona, Role, Sandbox};
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::clients::TERRAFORM;
use crate::support::harness::*;

async fn sandbox() -> Sandbox {
    Sandbox::start(0).await.unwrap()
}

fn at(sandbox: &Sandbox, persona: Persona) -> Program {
    with_token(sandbox, &sandbox.token(persona))
}

/// Without the flags that other tests want.
fn with_token(sandbox: &Sandbox, token: &str) -> Program {
    Program::bare()
        .env("APC_API_URL", sandbox.url())
        .env("APC_API_TOKEN", token)
}

/// The printed report.
struct Report {
    lines: Vec<String>,
    usable: bool,
}

async fn examine(program: Program) -> Report {
    report_of(program.args(&["doctor"])).await
}

/// The report with the settings that are left at their default.
async fn examine_all(program: Program) -> Report {
    report_of(program.args(&["doctor", "--all"])).await
}

async fn report_of(program: Program) -> Report {
    let ended = program.run().await;
    assert!(!ended.stdout.contains('\u{1b}'), "{}", ended.stdout);
    let passed = match ended.stdout.contains("\nwarn") {
        true => "\nNo check failed. ",
        false => "\nAll checks passed.\n",
    };
    assert!(ended.stdout.contains(passed) == ended.status.success());
    assert!(
        ended.status.success() || ended.status.code() == Some(1),
        "{}",
        ended.stderr
    );
    Report {
        lines: ended.stdout.lines().map(str::to_owned).collect(),
        usable: ended.status.success(),
    }
}

impl Report {
    /// The line about a subject, which has to have that verdict and say that.
    #[track_caller]
    fn says(&self, verdict: &str, subject: &str, parts: &[&str]) -> &Self {
        let start = format!("{verdict:<4}  {subject}: ");
        let line = self.lines.iter().find(|line| line.starts_with(&start));
        let line = line.unwrap_or_else(|| panic!("no line {start:?} in {:#?}", self.lines));
        assert_says(line, parts);
        self
    }

    /// The lines that say it cannot work.
    fn failures(&self) -> Vec<&str> {
        let failed = self
            .lines
            .iter()
            .filter_map(|line| line.strip_prefix("fail  "));
        failed
            .map(|line| line.split(": ").next().unwrap())
            .collect()
    }

    #[track_caller]
    fn only_fails(&self, subjects: &[&str]) -> &Self {
        assert_eq!(self.failures(), subjects, "{:#?}", self.lines);
        assert_eq!(self.usable, subjects.is_empty());
        self
    }
}

#[tokio::test]
async fn a_sound_setup_passes_every_check() {
    let sandbox = sandbox().await;
    let program = at(&sandbox, Persona::WorkspaceAdmin);
    let report = examine(program).await;
    report
        .only_fails(&[])
        .says("ok", "--api-url", &[&sandbox.url(), "variable APC_API_URL"])
        .says("ok", "API URL", &[&sandbox.url()])
        .says("ok", "proxy", &["none"])
        .says("ok", "TLS", &["plain http"])
        .says(
            "ok",
            "platform",
            &["'2.2.0-sandbox'", "'sandbox.localhost'"],
        )
        .says(
            "ok",
            "token",
            &["accepted", "user's token", "APC_API_TOKEN", "expires on 20"],
        )
        .says(
            "ok",
            "workspaces",
            &[ANALYTICS, "'Analytics'", DATA_SCIENCE],
        )
        .says("ok", "key directory", &["apc-mcp/keys", "can be used"])
        .says("ok", "audit log", &["off"])
        .says(
            "ok",
            "deployments",
            &[
                &format!("1 in {ANALYTICS} 'Analytics'"),
                &format!("1 in {DATA_SCIENCE} 'Data Science'"),
            ],
        )
        .says(
            "ok",
            "policy",
            &["WORKSPACE_ADMIN or DEPLOYMENT_ADMIN", "30 changes a minute"],
        );
    assert_eq!(mutations(&sandbox.handle()), 0);
}

#[tokio::test]
async fn the_ways_out_are_told_if_nothing_is_set() {
    examine(Program::bare())
        .await
        .only_fails(&["installation and token"])
        .says(
            "fail",
            "installation and token",
            &["astro login", "APC_DOMAIN", "APC_API_TOKEN"],
        )
        .says(
            "warn",
            "astro login",
            &["none", ".astro/config.yaml does not exist"],
        );
}

#[tokio::test]
async fn a_flag_is_told_from_a_variable_and_a_default() {
    let sandbox = sandbox().await;
    let program = at(&sandbox, Persona::WorkspaceAdmin)
        .args(&["--timeout", "7", "--read-only"])
        .env("APC_TIMEOUT", "8")
        .env("APC_CONFIRM", "never");
    examine_all(program)
        .await
        .says("ok", "--timeout", &["7 s (flag)"])
        .says("ok", "--read-only", &["on (flag)"])
        .says("ok", "--confirm", &["never (variable APC_CONFIRM)"])
        .says("ok", "--max-role", &["ADMIN (default)"])
        .says("ok", "policy", &["only reads"]);
}

#[tokio::test]
async fn every_flag_of_the_help_has_its_line_where_all_are_asked_for() {
    let help = Program::bare().args(&["--help"]).run().await.stdout;
    let sandbox = sandbox().await;
    let report = examine_all(at(&sandbox, Persona::WorkspaceAdmin)).await;
    let flags = help.lines().filter_map(|line| {
        let flag = line.trim_start().strip_prefix("--")?;
        flag.split([' ', '=']).next()
    });
    let mut seen = 0;
    for flag in flags {
        report.says("ok", &format!("--{flag}"), &[]);
        seen += 1;
    }
    assert!(seen > 15, "{help}");
}

#[tokio::test]
async fn a_setting_that_nobody_has_set_is_not_shown_unless_asked_for() {
    let sandbox = sandbox().await;
    let report = examine(at(&sandbox, Persona::WorkspaceAdmin)).await;
    assert!(!report.lines.concat().contains("(default)"));
    report.says("ok", "APC_API_TOKEN", &["variable APC_API_TOKEN"]);
}

#[tokio::test]
async fn a_missing_token_is_never_green() {
    for program in [
        Program::bare(),
        Program::bare().env("APC_DOMAIN", "acme.invalid"),
    ] {
        examine_all(program)
            .await
            .says("warn", "APC_API_TOKEN", &["not set"])
            .says("warn", "--api-token-file", &["not set"])
            .says("ok", "--timeout", &["20 s (default)"]);
    }
}

#[tokio::test]
async fn the_summary_names_what_failed_and_what_is_warned_about() {
    let sandbox = sandbox().await;
    let program = at(&sandbox, Persona::WorkspaceAdmin).env("APC_TIMEOUT", "soon");
    let report = examine(program.args(&["--insecure"])).await;
    let summary = report.lines.last().unwrap();
    assert_eq!(
        summary,
        "2 checks failed: --timeout, API. Begin with the first one. 3 warnings: --insecure, policy, variables."
    );
    let missing = with_token(&sandbox, "").without("APC_API_TOKEN");
    assert_eq!(
        examine(missing).await.lines.last().unwrap(),
        "1 check failed: installation and token. 2 warnings: astro login, variables."
    );
}

/// The document that is printed for programs.
async fn document(program: Program) -> (Value, Option<i32>) {
    let ended = program.args(&["doctor", "--json"]).run().await;
    assert_eq!(ended.stderr, "");
    (
        serde_json::from_str(&ended.stdout).unwrap(),
        ended.status.code(),
    )
}

#[tokio::test]
async fn a_program_gets_the_checks_as_json() {
    let sandbox = sandbox().await;
    let (sound, code) = document(at(&sandbox, Persona::WorkspaceAdmin)).await;
    assert_eq!((&sound["ok"], code), (&json!(true), Some(0)));
    assert_eq!(keys(&sound), ["checks", "ok"]);
    let checks = sound["checks"].as_array().unwrap();
    for check in checks {
        let mut expected = vec!["name", "section", "text", "verdict"];
        if check.get("advice").is_some() {
            expected.insert(0, "advice");
        }
        assert_eq!(keys(check), expected);
    }
    let sections: Vec<_> = checks
        .iter()
        .map(|check| check["section"].as_str())
        .collect();
    for section in ["settings", "connection", "token", "machine", "clients"] {
        assert!(sections.contains(&Some(section)), "{section}");
    }

    let (missing, _) = document(Program::bare()).await;
    let checks = missing["checks"].as_array().unwrap();
    let failed = checks
        .iter()
        .find(|check| check["verdict"] == "fail")
        .unwrap();
    assert_says(
        failed["text"].as_str().unwrap(),
        &["No installation is set"],
    );
    assert_says(failed["advice"].as_str().unwrap(), &["astro login"]);

    let (broken, code) = document(with_token(&sandbox, UNKNOWN_KEY)).await;
    assert_eq!((&broken["ok"], code), (&json!(false), Some(1)));
    let checks = broken["checks"].as_array().unwrap();
    let failed: Vec<_> = checks
        .iter()
        .filter(|check| check["verdict"] == "fail")
        .collect();
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(failed[0]["name"], "token");
    assert_says(failed[0]["text"].as_str().unwrap(), &["refused the token"]);
    assert_says(failed[0]["advice"].as_str().unwrap(), &["token"]);
}

#[tokio::test]
async fn a_variable_that_a_client_may_not_pass_on_is_named() {
    let sandbox = sandbox().await;
    let program = at(&sandbox, Persona::WorkspaceAdmin)
        .env("APC_READ_ONLY", "true")
        .env("NO_PROXY", "*");
    examine(program).await.only_fails(&[]).says(
        "warn",
        "variables",
        &[
            "APC_API_URL",
            "APC_API_TOKEN",
            "APC_READ_ONLY",
            "NO_PROXY",
            "Codex",
            "apc-mcp client NAME",
            "except APC_API_TOKEN",
        ],
    );
    examine(Program::bare().args(&["--sandbox"])).await.says(
        "ok",
        "variables",
        &["the same settings"],
    );
}

#[tokio::test]
async fn the_advice_about_variables_is_true_of_the_entry() {
    for (variables, says) in [
        (
            [
                ("APC_LEVELS", "workspace"),
                ("HTTPS_PROXY", "http://me:geheim@proxy:1"),
            ],
            "holds them, except HTTPS_PROXY, and",
        ),
        (
            [
                ("ALL_PROXY", "http://me:geheim@proxy:1"),
                ("HTTPS_PROXY", "socks5://proxy"),
            ],
            "holds none of them",
        ),
        (
            [("APC_LEVELS", "workspace"), ("NO_PROXY", "acme.dev")],
            "holds them",
        ),
        (
            [("APC_LEVELS", "none"), ("NO_PROXY", "acme.dev")],
            "prints no entry",
        ),
    ] {
        let mut program = Program::bare().args(&["--sandbox"]);
        for (name, value) in variables {
            program = program.env(name, value);
        }
        let found = examine(program).await;
        found.says("warn", "variables", &[says]);
        if says == "holds them" {
            let lines = found.lines.join("\n");
            assert!(!lines.contains("except"), "{lines}");
        }
    }
    let program = Program::bare().args(&["--sandbox"]);
    let program = program.env("HTTP_PROXY", "http://proxy:1");
    let found = examine(program).await;
    found.says("ok", "variables", &["none counts here"]);
}

#[tokio::test]
async fn the_rights_of_a_token_are_told() {
    let sandbox = sandbox().await;
    let admin = examine(at(&sandbox, Persona::WorkspaceAdmin)).await;
    admin.says(
        "ok",
        "rights",
        &["may list", "'Analytics'", "WORKSPACE_EDITOR"],
    );
    let system = examine(at(&sandbox, Persona::SystemAdmin)).await;
    system.says("ok", "rights", &["system level", "every workspace"]);
    let key = truth(&sandbox.handle(), "terraform").key;
    let own = examine(with_token(&sandbox, &key)).await;
    own.says(
        "ok",
        "rights",
        &[
            "the key of 'terraform'",
            "'WORKSPACE_ADMIN' in workspace",
            "creates and deletes",
        ],
    );
}

#[tokio::test]
async fn a_broken_variable_is_named_and_nothing_is_sent() {
    let sandbox = sandbox().await;
    for (variable, value, flag) in [
        ("APC_API_URL", "http://acme.dev", "--api-url"),
        ("APC_DOMAIN", "${DOMAIN}", "--domain"),
        ("ASTRO_DOMAIN", "a b", "--domain"),
        ("APC_API_TOKEN", "${TOKEN}", "APC_API_TOKEN"),
        ("APC_WORKSPACE_ID", "a b", "--workspace-id"),
        ("APC_ALLOWED_WORKSPACES", ",", "--allow-workspace"),
        ("APC_READ_ONLY", "maybe", "--read-only"),
        ("APC_MAX_ROLE", "OWNER", "--max-role"),
        ("APC_KEY_OUTPUT", "stdout", "--key-output"),
        ("APC_CONFIRM", "yes", "--confirm"),
        (
            "APC_MAX_CHANGES_PER_MINUTE",
            "-1",
            "--max-changes-per-minute",
        ),
        ("APC_TIMEOUT", "soon", "--timeout"),
        ("APC_INSECURE", "perhaps", "--insecure"),
        ("APC_LOG", "loud", "--log"),
        ("APC_SANDBOX", "perhaps", "--sandbox"),
        ("APC_SANDBOX_LINE", "2019", "--sandbox-line"),
    ] {
        let program = at(&sandbox, Persona::WorkspaceAdmin).env(variable, value);
        let report = examine(program).await;
        report
            .only_fails(&[flag, "API"])
            .says("fail", flag, &[variable, "corrected or unset"]);
    }
    assert_eq!(sandbox.handle().requests(), []);
}

#[tokio::test]
async fn a_log_file_that_cannot_be_opened_is_named() {
    let sandbox = sandbox().await;
    let program = at(&sandbox, Persona::WorkspaceAdmin);
    let path = program.path("missing/log");
    examine(program.env("APC_LOG_FILE", path))
        .await
        .only_fails(&["--log-file", "API"])
        .says("fail", "--log-file", &["APC_LOG_FILE", "cannot be opened"]);
}

#[tokio::test]
async fn two_tokens_are_refused() {
    let sandbox = sandbox().await;
    let program = at(&sandbox, Persona::WorkspaceAdmin);
    let path = program.path("missing");
    examine(program.env("APC_API_TOKEN_FILE", path))
        .await
        .only_fails(&["APC_API_TOKEN", "API"])
        .says("fail", "APC_API_TOKEN", &["APC_API_TOKEN_FILE", "both set"]);
}

#[tokio::test]
async fn a_host_without_an_address_is_named() {
    let program = Program::bare()
        .env("APC_DOMAIN", "no-such-host.invalid")
        .env("APC_API_TOKEN", UNKNOWN_KEY);
    examine(program).await.only_fails(&["DNS"]).says(
        "fail",
        "DNS",
        &["houston.no-such-host.invalid has no address", "VPN"],
    );
}

#[tokio::test]
async fn a_port_that_nobody_serves_is_named() {
    let program = Program::bare()
        .env("APC_API_URL", "http://127.0.0.1:1/v1")
        .env("APC_API_TOKEN", UNKNOWN_KEY);
    examine(program).await.only_fails(&["connection"]).says(
        "fail",
        "connection",
        &["127.0.0.1", "port"],
    );
}

#[tokio::test]
async fn a_port_that_speaks_no_tls_is_named() {
    let sandbox = sandbox().await;
    let url = sandbox.url().replace("http://", "https://");
    let program = at(&sandbox, Persona::WorkspaceAdmin).env("APC_API_URL", url);
    examine(program).await.only_fails(&["TLS"]);
}

#[tokio::test]
async fn an_authority_file_that_cannot_be_read_is_named() {
    let sandbox = sandbox().await;
    let url = sandbox.url().replace("http://", "https://");
    let program = at(&sandbox, Persona::WorkspaceAdmin).env("APC_API_URL", url);
    let path = program.path("missing.pem");
    examine(program.env("APC_CA_CERT", path))
        .await
        .only_fails(&["TLS"])
        .says("fail", "TLS", &["--ca-cert (APC_CA_CERT)"]);
}

#[tokio::test]
async fn a_proxy_is_named_without_its_login() {
    let program = Program::bare()
        .env("APC_DOMAIN", "acme.invalid")
        .env("APC_API_TOKEN", UNKNOWN_KEY)
        .env("HTTPS_PROXY", "http://me:geheim@127.0.0.1:1");
    let report = examine(program).await;
    report
        .only_fails(&["proxy"])
        .says("ok", "proxy", &["http://127.0.0.1:1"])
        .says("ok", "DNS", &["left to the proxy"])
        .says("fail", "proxy", &["HTTPS_PROXY", "NO_PROXY"]);
    assert!(!report.lines.concat().contains("geheim"));
}

#[tokio::test]
async fn a_page_that_is_not_the_api_is_named() {
    let sandbox = sandbox().await;
    let page = Fault::Answer {
        status: 200,
        headers: Vec::new(),
        body: "<html>Sign in</html>".to_owned(),
        executed: false,
    };
    sandbox.handle().inject(page, On::Any, 9);
    examine(at(&sandbox, Persona::WorkspaceAdmin))
        .await
        .only_fails(&["platform"])
        .says("fail", "platform", &["login page"]);
}

#[tokio::test]
async fn a_release_that_does_not_tell_its_version_is_used_all_the_same() {
    let sandbox = sandbox().await;
    sandbox.handle().lack_field("appConfig");
    examine(at(&sandbox, Persona::WorkspaceAdmin))
        .await
        .only_fails(&[])
        .says("warn", "platform", &["does not tell its version"])
        .says("ok", "workspaces", &["'Analytics'"]);
}

#[tokio::test]
async fn a_token_that_is_refused_is_named_with_its_source() {
    let sandbox = sandbox().await;
    examine(with_token(&sandbox, UNKNOWN_KEY))
        .await
        .only_fails(&["token"])
        .says("fail", "token", &["refused the token from APC_API_TOKEN"]);
}

#[tokio::test]
async fn a_token_that_cannot_be_one_is_named_and_not_sent() {
    let sandbox = sandbox().await;
    examine(with_token(&sandbox, "too-short"))
        .await
        .only_fails(&["installation and token"])
        .says("ok", "APC_API_TOKEN", &["set, 9 characters"])
        .says(
            "fail",
            "installation and token",
            &["APC_API_TOKEN", "16 characters"],
        );
    let requests = sandbox.handle().requests();
    assert!(
        requests
            .iter()
            .all(|request| request.authorization.is_none())
    );
}

#[tokio::test]
async fn the_length_of_a_token_is_told_without_bearer() {
    let sandbox = sandbox().await;
    let key = sandbox.token(Persona::WorkspaceViewer);
    examine(with_token(&sandbox, &format!("Bearer {key}")))
        .await
        .only_fails(&[])
        .says("ok", "APC_API_TOKEN", &["set, 32 characters"]);
}

#[tokio::test]
async fn an_expired_token_is_named_with_its_date() {
    let sandbox = sandbox().await;
    let token = sandbox.handle().sign_in("admin", TimeDelta::days(-3));
    examine(with_token(&sandbox, &token))
        .await
        .only_fails(&["token"])
        .says("fail", "token", &["it expired on 20"]);
}

#[tokio::test]
async fn a_token_that_expires_within_the_hour_is_warned_about() {
    let sandbox = sandbox().await;
    let token = sandbox.handle().sign_in("admin", TimeDelta::minutes(20));
    examine(with_token(&sandbox, &token))
        .await
        .only_fails(&[])
        .says("warn", "token", &["within the hour"]);
}

#[tokio::test]
async fn a_key_is_told_from_a_users_token() {
    let sandbox = sandbox().await;
    examine(at(&sandbox, Persona::WorkspaceViewer))
        .await
        .only_fails(&[])
        .says("ok", "APC_API_TOKEN", &["set, 32 characters"])
        .says("ok", "token", &["service account's key", "does not expire"]);
}

#[tokio::test]
async fn the_kind_of_caller_is_told() {
    let sandbox = sandbox().await;
    let kinds = [
        (Persona::WorkspaceAdmin, "ok", "bound to 2 workspaces"),
        (Persona::WorkspaceViewer, "ok", "bound to 1 workspace"),
        (
            Persona::SystemAdmin,
            "ok",
            "a system-level token, which sees 2 workspaces",
        ),
        (
            Persona::DeploymentAdmin,
            "warn",
            "only roles on deployments",
        ),
        (Persona::Nobody, "warn", "no role in any workspace"),
    ];
    for (persona, verdict, text) in kinds {
        examine(at(&sandbox, persona))
            .await
            .only_fails(&[])
            .says(verdict, "workspaces", &[text])
            .says("ok", "roles", &["several an account", "since 2021"]);
    }
    sandbox.handle().lack_field("Query.sysWorkspaces");
    examine(at(&sandbox, Persona::SystemAdmin))
        .await
        .only_fails(&[])
        .says("warn", "workspaces", &["workspace_id"]);
}

#[tokio::test]
async fn the_line_of_the_api_is_told() {
    let sandbox = Sandbox::start_line(0, Line::Of2020).await.unwrap();
    examine(at(&sandbox, Persona::WorkspaceAdmin))
        .await
        .only_fails(&[])
        .says("ok", "platform", &["0.16.0"])
        .says("ok", "roles", &["one an account", "2020"]);
    let bare = Sandbox::start(0).await.unwrap();
    bare.handle().lack_field("ServiceAccount.roleBindings");
    examine(at(&bare, Persona::WorkspaceAdmin))
        .await
        .only_fails(&[])
        .says("warn", "roles", &["shows none"]);
}

#[tokio::test]
async fn a_keys_own_account_is_told_with_all_its_roles() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let handle = sandbox.handle();
    let key = truth(&handle, "terraform").key;
    handle.bind(
        TERRAFORM,
        Role::WorkspaceViewer,
        Entity::Workspace(DATA_SCIENCE.into()),
    );
    let program = Program::with_token(&sandbox, &key);
    let report = examine(program).await;
    report.only_fails(&[]).says(
        "ok",
        "rights",
        &["'terraform'", "WORKSPACE_ADMIN", "WORKSPACE_VIEWER"],
    );
    assert!(!report.lines.iter().any(|line| line.contains(&key)));
}

#[tokio::test]
async fn a_key_whose_workspace_was_deleted_is_named_as_the_fault() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let key = truth(&sandbox.handle(), "notebooks").key;
    sandbox.handle().delete_workspace(DATA_SCIENCE);
    let program = Program::with_token(&sandbox, &key).env("APC_TIMEOUT", "1");
    examine(program)
        .await
        .only_fails(&["token"])
        .says("ok", "platform", &["2.2.0"])
        .says("fail", "token", &["workspace was deleted", "another token"]);
    assert_eq!(
        sandbox.handle().requests()[0].authorization,
        None,
        "the platform is asked without the token"
    );
}

#[tokio::test]
async fn a_token_file_that_can_be_used_is_no_warning() {
    let sandbox = sandbox().await;
    let program = at(&sandbox, Persona::WorkspaceAdmin)
        .without("APC_API_TOKEN")
        .file("token", &sandbox.token(Persona::WorkspaceAdmin));
    let path = program.path("token");
    examine(program.args(&["--api-token-file", &path]))
        .await
        .says("ok", "--api-token-file", &[&path]);
}

#[tokio::test]
async fn a_token_file_that_is_not_there_is_named_and_the_connection_checked() {
    let sandbox = sandbox().await;
    let program = at(&sandbox, Persona::WorkspaceAdmin).without("APC_API_TOKEN");
    let path = program.path("missing");
    examine(program.args(&["--api-token-file", &path]))
        .await
        .only_fails(&["installation and token"])
        .says(
            "fail",
            "installation and token",
            &[&path, "--api-token-file"],
        )
        .says("ok", "platform", &["2.2.0"]);
    let requests = sandbox.handle().requests();
    assert!(
        requests
            .iter()
            .all(|request| request.authorization.is_none())
    );
}

#[tokio::test]
async fn a_token_that_may_list_no_account_anywhere_fails() {
    let sandbox = sandbox().await;
    let all = sandbox.handle().workspaces().len();
    for refused in [all, 1] {
        let fault = Fault::ErrorBefore {
            code: "INTERNAL_SERVER_ERROR".into(),
            message: "Insufficient permissions.".into(),
        };
        sandbox.handle().inject(fault, On::Field(LIST), refused);
        let report = examine(at(&sandbox, Persona::WorkspaceAdmin)).await;
        let (failures, verdict) = match refused == all {
            true => (&["rights"][..], "fail"),
            false => (&[][..], "warn"),
        };
        report
            .only_fails(failures)
            .says(verdict, "rights", &["may not list", "WORKSPACE_VIEWER"]);
        sandbox.handle().clear_faults();
    }
}

#[tokio::test]
async fn a_workspace_that_does_not_exist_is_named_with_its_setting() {
    let sandbox = sandbox().await;
    for (variable, flag) in [
        ("APC_WORKSPACE_ID", "--workspace-id"),
        ("APC_ALLOWED_WORKSPACES", "--allow-workspace"),
    ] {
        let program = at(&sandbox, Persona::WorkspaceAdmin).env(variable, NOTHING);
        examine(program)
            .await
            .only_fails(&[flag])
            .says("fail", flag, &[NOTHING]);
    }
}

#[tokio::test]
async fn a_default_workspace_that_is_not_allowed_is_warned_about() {
    let sandbox = sandbox().await;
    let program = at(&sandbox, Persona::WorkspaceAdmin)
        .env("APC_WORKSPACE_ID", ANALYTICS)
        .env("APC_ALLOWED_WORKSPACES", DATA_SCIENCE);
    examine(program)
        .await
        .only_fails(&[])
        .says("warn", "--workspace-id", &[ANALYTICS, "--allow-workspace"])
        .says("ok", "policy", &["in one workspace"]);
}

#[tokio::test]
async fn a_key_directory_that_is_a_file_is_named() {
    let sandbox = sandbox().await;
    let program = at(&sandbox, Persona::WorkspaceAdmin).file("file", "");
    let path = program.path("file");
    examine(program.env("APC_KEY_DIR", &path))
        .await
        .only_fails(&["key directory"])
        .says("fail", "key directory", &[&path, "--key-dir (APC_KEY_DIR)"]);
}

#[tokio::test]
async fn an_audit_log_that_cannot_be_opened_is_named() {
    let sandbox = sandbox().await;
    let program = at(&sandbox, Persona::WorkspaceAdmin);
    let path = program.path("missing/audit");
    examine(program.env("APC_AUDIT_LOG", &path))
        .await
        .only_fails(&["audit log"])
        .says("fail", "audit log", &[&path, "--audit-log (APC_AUDIT_LOG)"]);
}

#[tokio::test]
async fn protections_that_are_off_are_warned_about() {
    let sandbox = sandbox().await;
    let program = at(&sandbox, Persona::WorkspaceAdmin);
    examine(program.args(&["--insecure", "--key-output", "show"]))
        .await
        .only_fails(&[])
        .says("warn", "--insecure", &["--ca-cert"])
        .says("warn", "--key-output", &["model"])
        .says("ok", "key directory", &["not used"]);
}

#[tokio::test]
async fn the_astro_login_is_named_where_its_values_count() {
    let sandbox = sandbox().await;
    let login = json!({
        "context": "localhost",
        "contexts": {"localhost": {
            "domain": "localhost",
            "token": sandbox.token(Persona::WorkspaceAdmin),
            "workspace": ANALYTICS,
        }},
        "houston": {"skip_verify_tls": "true"},
        "local": {"houston": sandbox.url()},
    });
    let program = Program::bare().file(".astro/config.yaml", &login.to_string());
    examine(program)
        .await
        .only_fails(&[])
        .says("ok", "APC_API_TOKEN", &["set, ", "(astro login)"])
        .says("ok", "--workspace-id", &[ANALYTICS, "(astro login)"])
        .says("ok", "astro login", &["localhost", "token set, "])
        .says("ok", "token", &["from the astro login"])
        .says("warn", "skip_verify_tls", &["ignored", "--ca-cert"]);
}

#[tokio::test]
async fn a_sandbox_is_called_a_sandbox() {
    examine(Program::bare().args(&["--sandbox", "--sandbox-line", "2020"]))
        .await
        .only_fails(&[])
        .says("ok", "--sandbox-line", &["2020 (flag)"])
        .says("warn", "--sandbox", &["this is a sandbox"])
        .says("ok", "workspaces", &["'Analytics'"]);
}

#[tokio::test]
async fn no_token_is_printed() {
    let sandbox = sandbox().await;
    let token = sandbox.token(Persona::WorkspaceAdmin);
    for program in [
        with_token(&sandbox, &token),
        with_token(&sandbox, &token).env("APC_WORKSPACE_ID", &token),
        with_token(&sandbox, &token).env("APC_TIMEOUT", &token),
        with_token(&sandbox, &token).env("APC_API_URL", &token),
    ] {
        let report = examine(program).await;
        assert!(
            !report.lines.concat().contains(&token),
            "{:#?}",
            report.lines
        );
    }
}

#[tokio::test]
async fn a_label_cannot_forge_a_line() {
    let store = apc_sandbox::Store::empty()
        .workspace(ANALYTICS, "x'\nfail  token: no\u{1b}[31m\u{202e}")
        .user(
            "admin",
            &[(
                apc_sandbox::Role::WorkspaceAdmin,
                apc_sandbox::Entity::Workspace(ANALYTICS.to_owned()),
            )],
        );
    let sandbox = Sandbox::start_with(0, store).await.unwrap();
    let token = sandbox.handle().sign_in("admin", TimeDelta::days(1));
    examine(with_token(&sandbox, &token))
        .await
        .only_fails(&[])
        .says(
            "ok",
            "workspaces",
            &[r"'x\'\nfail  token: no\u{1b}[31m\u{202e}'"],
        );
}
