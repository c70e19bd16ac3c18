//! Tokens: their form, the only URL that each may go to, and their absence from all output.

use apc_sandbox::Persona;
use serde_json::json;

use crate::support::harness::*;
use crate::support::installation::*;

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
async fn blanks_and_bearer_around_a_token_are_stripped() {
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
async fn a_token_file_may_have_64_kib_with_the_blanks_around_the_token() {
    let sandbox = sandbox().await;
    let token = sandbox.token(Persona::WorkspaceAdmin);
    let blanks = "\n".repeat(64 * 1024 - token.len());
    let program = Program::bare()
        .file("token", &(token + &blanks))
        .env("APC_API_URL", sandbox.url());
    let path = program.path("token");
    outcome(program.env("APC_API_TOKEN_FILE", path))
        .await
        .structured();
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

#[tokio::test]
async fn a_token_file_that_was_typed_is_corrected_in_the_command_and_no_check_of_the_doctor_praises_it()
 {
    let sandbox = sandbox().await;
    for content in ["", "short"] {
        let program = Program::bare()
            .env("APC_API_URL", sandbox.url())
            .file("token", content);
        let path = program.path("token");
        let call = ["call", "get_service_accounts", "--api-token-file", &path];
        let refused = program.run_with(&call).await;
        assert!(!refused.stderr.contains("this shell"), "{}", refused.stderr);
        let doctor = program
            .run_with(&["doctor", "--api-token-file", &path])
            .await;
        assert_says(
            &doctor.stdout,
            &["warn  --api-token-file: ", "no token can be read"],
        );
    }
    let program = Program::bare().env("APC_API_URL", sandbox.url());
    let path = program.path("missing");
    let call = ["call", "get_service_accounts", "--api-token-file", &path];
    let refused = program.run_with(&call).await;
    assert_says(&refused.stderr, &["or give --api-token-file another file"]);
}

#[tokio::test]
async fn a_token_that_nobody_meant_is_refused_wherever_it_comes_from() {
    let sandbox = sandbox().await;
    for (token, says) in [
        ("${APC_TOKEN}", "placeholder"),
        ("Bearer ${TOKEN}", "placeholder"),
        ("$APC_PRODUCTION_API_TOKEN", "placeholder"),
        ("%APC_PRODUCTION_API_TOKEN%", "placeholder"),
        ("{env:APC_PRODUCTION_TOKEN}", "placeholder"),
        ("${{ secrets.APC_TOKEN }}", "placeholder"),
        ("op://Engineering/APC/credential", "placeholder"),
        ("aws-sm://production/apc-token", "placeholder"),
        ("vault:secret/data/apc#token", "placeholder"),
        ("<your-api-token-goes-here>", "placeholder"),
        ("[REDACTED]", "placeholder"),
        ("***REDACTED***", "placeholder"),
        ("********************************", "placeholder"),
        ("••••••••••••••••", "placeholder"),
        ("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "placeholder"),
        ("429b85**************************", "masked"),
        ("429b85xxxxxxxxxxxxxxxxxxxxxxxxxx", "masked"),
        ("eyJhbGciOiJSUzI1NiJ9...", "masked"),
        ("changeme", "placeholder"),
        ("YOUR_TOKEN_HERE", "placeholder"),
        ("your-service-account-api-key", "placeholder"),
        ("undefined", "placeholder"),
        ("\"0123456789abcdef0123456789abcdef\"", "quotes"),
        ("'0123456789abcdef0123456789abcdef'", "quotes"),
        ("\"0123456789abcdef0123456789abcdef", "quotes"),
        (
            "{\"token\": \"0123456789abcdef0123456789abcdef\"}",
            "quotes",
        ),
        (
            "APC_API_TOKEN=0123456789abcdef0123456789abcdef",
            "value after it",
        ),
        (
            "export TOKEN=0123456789abcdef0123456789abcdef",
            "value after it",
        ),
        ("/run/secrets/apc-token", "APC_API_TOKEN_FILE"),
    ] {
        let by_variable = outcome(Program::with_token(&sandbox, token)).await;
        let in_file = Program::bare()
            .file("token", token)
            .env("APC_API_URL", sandbox.url());
        let path = in_file.path("token");
        let in_file = outcome(in_file.env("APC_API_TOKEN_FILE", path)).await;
        let quoted = format!("'{}'", token.replace('\'', "''"));
        let in_login = login(&sandbox.url(), &quoted);
        let in_login = outcome(Program::bare().file(LOGIN, &in_login)).await;
        for (refused, source) in [
            (by_variable, "APC_API_TOKEN"),
            (in_file, "APC_API_TOKEN_FILE"),
            (in_login, "astro login"),
        ] {
            let text = refused.refusal("not_configured");
            assert_says(text, &[source, says]);
            assert!(!text.contains("0123456789abcdef"), "{text}");
        }
    }
    assert_eq!(sandbox.handle().requests(), []);
}

#[tokio::test]
async fn a_value_with_a_character_that_no_token_has_is_not_sent_and_a_reference_of_any_form_is_named()
 {
    let sandbox = sandbox().await;
    let key = UNKNOWN_KEY;
    let with_end = |end: &str| format!("{key}{end}");
    let values = [
        ("$HOME/.astro/token".to_owned(), "placeholder"),
        ("%USERPROFILE%\\token.txt".to_owned(), "placeholder"),
        ("${APC_TOKEN_VALUE".to_owned(), "placeholder"),
        ("{env:ASTRO_TOKEN".to_owned(), "placeholder"),
        ("$$ASTRO_API_TOKEN_X".to_owned(), "has '$' in it"),
        ("%(ASTRO_API_TOKEN)s".to_owned(), "has '%' in it"),
        ("%env:ASTRO_TOKEN%".to_owned(), "has '%' in it"),
        ("((astro-api-token))".to_owned(), "has '(' in it"),
        ("@@ASTRO_API_TOKEN@@".to_owned(), "has '@' in it"),
        ("$[ASTRO_API_TOKEN_X]".to_owned(), "has '$' in it"),
        ("file:/run/secrets/token".to_owned(), "not resolved"),
        ("pass:foo/bar/token/x".to_owned(), "not resolved"),
        ("gopass:foo/bar/token/x".to_owned(), "not resolved"),
        ("secretKeyRef:apc/token".to_owned(), "not resolved"),
        ("C:\\Users\\me\\token.txt".to_owned(), "is a path"),
        (format!("token: {key}"), "value after it"),
        (format!("Authorization: Bearer {key}"), "value after it"),
        (format!("token:{key}"), "value after it"),
        (with_end(","), "has ',' in it"),
        (with_end(";"), "has ';' in it"),
        (with_end("\\n"), "has '\\' in it"),
        (format!("{key} {key}"), "has a blank"),
        ("mit-ümlaut-und-länge".to_owned(), "has 'ü' in it"),
        ("REDACTED_BY_POLICY".to_owned(), "placeholder"),
        ("YOUR.API.TOKEN.HERE".to_owned(), "placeholder"),
    ];
    for (value, says) in values {
        let by_variable = outcome(Program::with_token(&sandbox, &value)).await;
        let in_file = Program::bare()
            .file("token", &value)
            .env("APC_API_URL", sandbox.url());
        let path = in_file.path("token");
        let in_file = outcome(in_file.env("APC_API_TOKEN_FILE", path)).await;
        let in_login = login(&sandbox.url(), &format!("'{value}'"));
        let in_login = outcome(Program::bare().file(LOGIN, &in_login)).await;
        for (refused, source) in [
            (by_variable, "APC_API_TOKEN"),
            (in_file, "APC_API_TOKEN_FILE"),
            (in_login, "astro login"),
        ] {
            let text = refused.refusal("not_configured");
            assert_says(text, &[source, says]);
            assert!(!text.contains(key), "{text}");
        }
    }
    assert_eq!(sandbox.handle().requests(), []);
}

#[tokio::test]
async fn a_token_of_any_form_that_could_be_one_is_sent() {
    let sandbox = sandbox().await;
    let tokens_sent = [
        "00000000000000000000000000000000",
        "some-token-of-a-user",
        "my-token-for-the-tests",
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzb21lYm9keSJ9.xxxxxxxxxxxxc2ln-bmF0_dXJl",
        "Zm9vYmFyYmF6cXV4cXV1eA==",
    ];
    for token in tokens_sent {
        let refused = outcome(Program::with_token(&sandbox, token)).await;
        refused.refusal("unauthenticated");
    }
    assert_eq!(tokens(&sandbox), tokens_sent);
}

#[tokio::test]
async fn a_byte_order_mark_before_a_token_is_dropped_and_utf16_is_named() {
    let sandbox = sandbox().await;
    let token = sandbox.token(Persona::WorkspaceAdmin);
    let program = |bytes: &[u8]| {
        let program = Program::bare()
            .file("token", "")
            .env("APC_API_URL", sandbox.url());
        let path = program.path("token");
        std::fs::write(&path, bytes).unwrap();
        program.env("APC_API_TOKEN_FILE", path)
    };
    let marked = format!("\u{feff}{token}\r\n");
    outcome(program(marked.as_bytes())).await.structured();
    let units = format!("\u{feff}{token}");
    let little: Vec<_> = units.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<_> = units.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for bytes in [&little[..], &big, &little[2..]] {
        assert_not_configured(program(bytes), &["APC_API_TOKEN_FILE", "UTF-16", "UTF-8"]).await;
    }
    assert_eq!(tokens(&sandbox), [token]);
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
async fn a_token_without_an_installation_is_not_sent_to_that_of_the_login() {
    let trap = sandbox().await;
    let program = Program::bare()
        .file(LOGIN, &login_of(&trap))
        .env("APC_API_TOKEN", UNKNOWN_KEY);
    assert_not_configured(program, &["APC_API_TOKEN", "APC_DOMAIN"]).await;
    assert_eq!(trap.handle().requests(), []);
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
        // Nobody answers there; the words name the host.
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
    for level in ["error", "warn", "info"] {
        let mut session = Program::with_token(&sandbox, &token)
            .env("APC_LOG", level)
            .env("RUST_LOG", "trace")
            .serve(Era::USUAL)
            .await;
        let new = json!({"label": level, "workspace_id": ANALYTICS});
        let created = session.call("create_service_account", new).await;
        let id = created.account()["id"].clone();
        list(&mut session).await.structured();
        let deletion = json!({"service_account_id": id, "workspace_id": NOTHING});
        session.call("delete_service_account", deletion).await;
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
async fn no_library_logs_since_some_would_log_whole_messages() {
    let sandbox = sandbox().await;
    let mut session = Program::at(&sandbox, Persona::WorkspaceAdmin)
        .env("APC_LOG", "info")
        .serve(Era::USUAL)
        .await;
    session
        .call("get_service_accounts", json!({"label": "whole-message"}))
        .await
        .structured();
    assert!(session.close_stdin_and_wait().await.success());
    let log = session.stderr().await;
    for foreign in ["whole-message", "jsonrpc", "rmcp", "hyper", "reqwest"] {
        assert!(!log.contains(foreign), "{log}");
    }
}

#[tokio::test]
async fn a_log_file_takes_the_log_and_standard_error_stays_empty() {
    let sandbox = sandbox().await;
    let program = Program::with_token(&sandbox, UNKNOWN_KEY);
    let path = program.path("log");
    let mut session = program
        .args(&["--log", "info", "--log-file", &path])
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
async fn a_refused_call_is_not_logged_by_default() {
    let mut session = Program::bare().serve(Era::USUAL).await;
    list(&mut session).await.refusal("not_configured");
    assert!(session.close_stdin_and_wait().await.success());
    assert_eq!(session.stderr().await, "");
}
