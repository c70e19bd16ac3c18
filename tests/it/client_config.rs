//! `apc-mcp client`: each client can read its snippet, and the snippet starts the server as it stands.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::harness::*;

/// Each client, and the object its configuration has entries in.
const CLIENTS: [(&str, &str); 14] = [
    ("claude-code", "mcpServers"),
    ("claude-desktop", "mcpServers"),
    ("cursor", "mcpServers"),
    ("vscode", "servers"),
    ("codex", "mcp_servers"),
    ("gemini", "mcpServers"),
    ("zed", "context_servers"),
    ("opencode", "mcp"),
    ("copilot", "mcpServers"),
    ("cline", "mcpServers"),
    ("continue", "mcpServers"),
    ("qwen", "mcpServers"),
    ("windsurf", "mcpServers"),
    ("jetbrains-junie", "mcpServers"),
];

async fn printed(client: &str, flags: &[&str]) -> ProgramOutput {
    let program = Program::bare().args(&["client", client]).args(flags);
    let ended = program.run().await;
    assert!(ended.status.success(), "{}", ended.stderr);
    ended
}

/// The entry as the client reads it, all of standard output being one file.
fn entry(client: &str, root: &str, text: &str) -> Value {
    let file: Value = match client {
        "codex" => toml::from_str(text).expect("TOML"),
        _ => serde_json::from_str(text).expect("JSON"),
    };
    assert_eq!(keys(&file), [root], "{client}");
    assert_eq!(keys(&file[root]), ["apc-mcp"], "{client}");
    file[root]["apc-mcp"].clone()
}

/// The command and its arguments. OpenCode has them in one list.
fn words(entry: &Value) -> Vec<String> {
    let parts = [&entry["command"], &entry["args"]];
    let texts = parts.into_iter().flat_map(|part| match part {
        Value::Array(several) => several.clone(),
        Value::Null => Vec::new(),
        one => vec![one.clone()],
    });
    texts
        .map(|text| text.as_str().unwrap().to_owned())
        .collect()
}

fn arguments(entry: &Value) -> Vec<String> {
    words(entry).split_off(1)
}

#[tokio::test]
async fn every_snippet_starts_this_program_which_lists_its_tools() {
    for (client, root) in CLIENTS {
        let printed = printed(client, &["--sandbox"]).await;
        let entry = entry(client, root, &printed.stdout);
        let command = &words(&entry)[0];
        assert!(Path::new(command).is_absolute() && Path::new(command).is_file());
        let program = Program::bare().named(command).args(&arguments(&entry));
        let mut session = program.serve(Era::USUAL).await;
        assert_eq!(session.list_tools().await.len(), 3, "{client}");
        let found = session.call("get_service_accounts", json!({})).await;
        assert!(!found.is_error(), "{}", found.text());
        assert!(session.close_stdin_and_wait().await.success());
    }
}

#[tokio::test]
async fn a_snippet_holds_nothing_that_a_client_would_have_to_fill_in() {
    for (client, root) in CLIENTS {
        let printed = printed(client, &[]).await;
        assert!(!printed.stdout.contains("${"), "{client}");
        let entry = entry(client, root, &printed.stdout);
        let expected: &[&str] = match client {
            "vscode" => &["args", "command", "type"],
            "copilot" => &["args", "command", "tools", "type"],
            "opencode" => &["command", "enabled", "type"],
            _ => &["args", "command"],
        };
        assert_eq!(keys(&entry), expected, "{client}");
        assert_eq!(arguments(&entry), Vec::<String>::new());
    }
}

#[tokio::test]
async fn vscode_is_told_the_transport() {
    let printed = printed("vscode", &[]).await;
    assert_eq!(entry("vscode", "servers", &printed.stdout)["type"], "stdio");
}

#[tokio::test]
async fn flags_are_carried_over_and_paths_made_absolute() {
    for (client, root) in CLIENTS {
        let flags = [
            "--read-only",
            "--domain",
            "acme.dev",
            "--allow-workspace=ck1",
            "--allow-workspace=ck2",
            "--api-token-file",
            "secret \"token\"",
        ];
        let program = Program::bare().args(&["client", client]).args(&flags);
        let token_file = program.path("secret \"token\"");
        let ended = program.run().await;
        let mut carried = arguments(&entry(client, root, &ended.stdout));
        carried.sort();
        let expected = [
            "--allow-workspace=ck1",
            "--allow-workspace=ck2",
            &format!("--api-token-file={token_file}"),
            "--domain=acme.dev",
            "--read-only",
        ];
        assert_eq!(carried, expected, "{client}");
    }
}

#[tokio::test]
async fn the_file_and_the_way_to_sign_in_are_told_on_standard_error() {
    for (client, file) in [
        ("claude-code", ".mcp.json"),
        ("claude-desktop", "claude_desktop_config.json"),
        ("cursor", "~/.cursor/mcp.json"),
        ("vscode", ".vscode/mcp.json"),
        ("codex", "~/.codex/config.toml"),
        ("gemini", "~/.gemini/settings.json"),
        ("zed", "~/.config/zed/settings.json"),
    ] {
        let printed = printed(client, &[]).await;
        assert_says(&printed.stderr, &[file, "astro login", "--api-token-file"]);
    }
}

#[tokio::test]
async fn a_token_in_the_environment_stays_there_and_is_named() {
    let program = Program::bare()
        .args(&["client", "cursor"])
        .env("APC_API_TOKEN", UNKNOWN_KEY)
        .env("APC_DOMAIN", "acme.dev");
    let ended = program.run().await;
    assert!(!format!("{}{}", ended.stdout, ended.stderr).contains(UNKNOWN_KEY));
    assert_says(
        &ended.stderr,
        &["Not carried over: APC_API_TOKEN", "--api-token-file"],
    );
}

#[tokio::test]
async fn every_setting_of_the_environment_is_carried_over() {
    for (client, root) in CLIENTS {
        let program = Program::bare()
            .args(&["client", client, "--timeout", "9"])
            .env("APC_READ_ONLY", "1")
            .env("APC_ALLOWED_WORKSPACES", "ck1, ck2")
            .env("ASTRO_DOMAIN", "acme.dev")
            .env("APC_TIMEOUT", "8")
            .env("APC_INSECURE", "false")
            .env("APC_CA_CERT", "ca.pem")
            .env("HTTPS_PROXY", "http://proxy:3128")
            .env("NO_PROXY", "localhost,.acme.dev")
            .env("SSL_CERT_FILE", "/certs/all.pem");
        let authority = program.path("ca.pem");
        let ended = program.run().await;
        assert!(ended.status.success(), "{}", ended.stderr);
        let entry = entry(client, root, &ended.stdout);
        let mut carried = arguments(&entry);
        carried.sort();
        let expected = [
            "--allow-workspace=ck1",
            "--allow-workspace=ck2",
            &format!("--ca-cert={authority}"),
            "--domain=acme.dev",
            "--read-only",
            "--timeout=9",
        ];
        assert_eq!(carried, expected, "{client}");
        let variables = match client {
            "opencode" => &entry["environment"],
            _ => &entry["env"],
        };
        let expected = json!({
            "APC_INSECURE": "false",
            "HTTPS_PROXY": "http://proxy:3128",
            "NO_PROXY": "localhost,.acme.dev",
            "SSL_CERT_FILE": "/certs/all.pem",
        });
        assert_eq!(variables, &expected, "{client}");
    }
}

#[tokio::test]
async fn the_line_of_the_sandbox_is_not_the_sandbox() {
    let line = printed("cursor", &["--sandbox-line=2020"]).await;
    assert_says(&line.stderr, &["astro login"]);
    assert!(!line.stderr.contains("needs no login"), "{}", line.stderr);
    let sandbox = printed("cursor", &["--sandbox"]).await;
    assert_says(&sandbox.stderr, &["The sandbox needs no login."]);
}

#[tokio::test]
async fn every_row_of_the_settings_is_carried_over_or_named() {
    let help = Program::bare().args(&["--help"]).run().await.stdout;
    let is_variable = |word: &&str| word.starts_with("APC_");
    let words = help.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let variables: Vec<_> = words.filter(is_variable).collect();
    assert!(variables.len() > 15, "{help}");
    for variable in variables {
        let value = match variable {
            "APC_DOMAIN" => "acme.dev",
            "APC_API_URL" => "https://houston.acme.dev/v1",
            "APC_MAX_ROLE" => "VIEWER",
            "APC_KEY_OUTPUT" => "show",
            "APC_CONFIRM" => "never",
            "APC_LOG" => "info",
            "APC_SANDBOX_LINE" => "2020",
            "APC_READ_ONLY" | "APC_INSECURE" | "APC_SANDBOX" => "true",
            "APC_API_TOKEN" => UNKNOWN_KEY,
            "APC_LEVELS" => "workspace",
            _ => "7",
        };
        let program = Program::bare()
            .args(&["client", "cursor"])
            .env(variable, value);
        let ended = program.run().await;
        assert!(ended.status.success(), "{variable}: {}", ended.stderr);
        let entry = entry("cursor", "mcpServers", &ended.stdout);
        let is_named = ended
            .stderr
            .contains(&format!("Not carried over: {variable} "));
        assert_eq!(
            arguments(&entry).len() + usize::from(is_named),
            1,
            "{variable}"
        );
        assert_eq!(is_named, variable == "APC_API_TOKEN");
    }
}

#[tokio::test]
async fn a_proxy_with_a_password_is_named_and_not_carried_over() {
    for proxy in [
        "http://me:geheim@proxy:3128",
        "me:geheim@proxy:3128",
        "http://me:12#geheim@proxy:3128",
        "http://me:12/geheim@proxy:3128",
        "socks5://geheim@proxy",
    ] {
        let program = Program::bare()
            .args(&["client", "cursor"])
            .env("HTTPS_PROXY", proxy);
        let ended = program.run().await;
        let printed = format!("{}{}", ended.stdout, ended.stderr);
        assert!(!printed.contains("geheim"), "{printed}");
        let says = ["Not carried over: HTTPS_PROXY", "password"];
        assert_says(&ended.stderr, &says);
    }
}

#[tokio::test]
async fn a_sandbox_carries_no_setting_of_an_installation() {
    let variables = [
        ("APC_API_TOKEN_FILE", UNKNOWN_KEY),
        ("APC_API_URL", "https://me:geheim@houston.acme.dev/v1"),
        ("APC_DOMAIN", "${DOMAIN}"),
    ];
    let mut program = Program::bare()
        .args(&["client", "cursor"])
        .env("APC_SANDBOX", "1");
    for (name, value) in variables {
        program = program.env(name, value);
    }
    let ended = program.run().await;
    let printed = format!("{}{}", ended.stdout, ended.stderr);
    for (name, value) in variables {
        assert!(!printed.contains(value), "{printed}");
        assert_says(&ended.stderr, &[&format!("Not carried over: {name} ")]);
    }
    let entry = entry("cursor", "mcpServers", &ended.stdout);
    assert_eq!(arguments(&entry), ["--sandbox"]);
    let typed = Program::bare().args(&["client", "cursor", "--sandbox"]);
    let ended = typed
        .args(&["--api-url=https://me:geheim@h.dev/v1"])
        .run()
        .await;
    assert!(!format!("{}{}", ended.stdout, ended.stderr).contains("geheim"));
    assert_says(&ended.stderr, &["Not carried over: --api-url "]);
}

#[tokio::test]
async fn a_variable_that_is_broken_or_may_be_a_token_is_named_and_not_carried_over() {
    for (name, value) in [
        ("HTTPS_PROXY", UNKNOWN_KEY),
        ("https_proxy", "http://0123456789abcdef0123456789abcdef:80"),
        ("SSL_CERT_FILE", UNKNOWN_KEY),
        ("ASTRO_HOME", UNKNOWN_KEY),
        ("HTTPS_PROXY", "${HTTPS_PROXY}"),
        ("NO_PROXY", "${NO_PROXY}"),
        ("SSL_CERT_DIR", "$CERTIFICATES"),
        ("HTTPS_PROXY", "socks5://proxy:1080"),
        ("all_proxy", "ftp://proxy:3128"),
    ] {
        let program = Program::bare().args(&["client", "cursor"]).env(name, value);
        let ended = program.run().await;
        assert!(ended.status.success(), "{name}: {}", ended.stderr);
        let printed = format!("{}{}", ended.stdout, ended.stderr);
        assert!(!printed.contains(value), "{name}: {printed}");
        assert_says(&ended.stderr, &[&format!("Not carried over: {name} ")]);
    }
    let hash = "/certs/0123456789abcdef0123456789abcdef.pem";
    let program = Program::bare()
        .args(&["client", "cursor"])
        .env("SSL_CERT_FILE", hash);
    assert_says(&program.run().await.stdout, &[hash]);
}

#[tokio::test]
async fn a_url_with_a_query_or_a_token_in_it_is_named_and_not_carried_over() {
    for (variable, flag, value) in [
        (
            "APC_API_URL",
            "--api-url",
            "https://houston.acme.dev/v1?token={}",
        ),
        (
            "APC_API_URL",
            "--api-url",
            "https://houston.acme.dev/v1?token=geheim",
        ),
        ("APC_API_URL", "--api-url", "https://houston.acme.dev/{}/v1"),
        ("APC_API_URL", "--api-url", "https://houston.acme.dev/v1#{}"),
        ("APC_DOMAIN", "--domain", "https://app.acme.dev/w/?token={}"),
    ] {
        let value = value.replace("{}", UNKNOWN_KEY);
        let client = || Program::bare().args(&["client", "cursor"]);
        for (name, program) in [
            (variable, client().env(variable, &value)),
            (flag, client().args(&[flag, &value])),
        ] {
            let ended = program.run().await;
            assert!(ended.status.success(), "{}", ended.stderr);
            let printed = format!("{}{}", ended.stdout, ended.stderr);
            assert!(!printed.contains(UNKNOWN_KEY), "{printed}");
            assert!(!printed.contains("geheim"), "{printed}");
            assert_says(&ended.stderr, &[&format!("Not carried over: {name} ")]);
            let entry = entry("cursor", "mcpServers", &ended.stdout);
            assert_eq!(arguments(&entry), Vec::<String>::new());
        }
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_variable_counts_for_the_server_of_a_client_as_it_counts_here() {
    let printed = |name: &'static str, value: &'static str| async move {
        let program = Program::bare().args(&["client", "cursor"]).env(name, value);
        let ended = program.run().await;
        assert!(ended.status.success(), "{}", ended.stderr);
        (entry("cursor", "mcpServers", &ended.stdout), ended.stderr)
    };
    // The directory for keys is the default one here, so it has to be the default one there.
    for ignored in ["~/st", "st", "./st"] {
        let (entry, told) = printed("XDG_STATE_HOME", ignored).await;
        assert_eq!(entry["env"], Value::Null, "{ignored}");
        assert_says(&told, &["Not carried over: XDG_STATE_HOME ", "absolute"]);
    }
    let (entry, _) = printed("XDG_STATE_HOME", "/var/st").await;
    assert_eq!(entry["env"]["XDG_STATE_HOME"], "/var/st");
    // Only a setting of this program may begin with the home directory.
    let (entry, _) = printed("SSL_CERT_FILE", "~/ca.pem").await;
    let file = entry["env"]["SSL_CERT_FILE"].as_str().unwrap();
    assert!(
        file.starts_with('/') && file.ends_with("/~/ca.pem"),
        "{file}"
    );
}

#[tokio::test]
async fn a_broken_variable_is_refused_before_anything_is_printed() {
    let program = Program::bare()
        .args(&["client", "cursor"])
        .env("APC_READ_ONLY", "maybe");
    let ended = program.run().await;
    assert_eq!(ended.status.code(), Some(1));
    assert_eq!(ended.stdout, "");
    assert_says(
        &ended.stderr,
        &["APC_READ_ONLY is 'maybe'", "Nothing was printed"],
    );
}

#[cfg(unix)]
#[tokio::test]
async fn the_name_on_the_path_is_taken_only_if_it_is_this_program() {
    let printed = |program: Program| async move {
        let ended = program.args(&["client", "cursor"]).run().await;
        words(&entry("cursor", "mcpServers", &ended.stdout))[0].clone()
    };
    let this = env!("CARGO_BIN_EXE_apc-mcp");
    let linked = Program::bare();
    std::fs::create_dir(linked.path("bin")).unwrap();
    std::os::unix::fs::symlink(this, linked.path("bin/apc-mcp")).unwrap();
    let path = linked.path("bin");
    assert_eq!(printed(linked.env("PATH", path)).await, "apc-mcp");

    let other = Program::bare();
    std::fs::create_dir(other.path("bin")).unwrap();
    std::os::unix::fs::symlink("/bin/true", other.path("bin/apc-mcp")).unwrap();
    let path = other.path("bin");
    assert_eq!(printed(other.env("PATH", path)).await, this);
}

#[cfg(unix)]
#[tokio::test]
async fn the_clients_own_command_is_one_line_that_a_shell_reads_as_it_was_meant() {
    for (client, start) in [
        ("claude-code", "claude mcp add "),
        ("codex", "codex mcp add "),
        ("gemini", "gemini mcp add "),
        ("qwen", "qwen mcp add "),
        ("copilot", "copilot mcp add "),
        ("vscode", "code --add-mcp "),
    ] {
        let ended = printed(client, &["--audit-log", "/it's a/log $1"]).await;
        let line = ended.stderr.lines().find(|line| line.starts_with(start));
        let line = line.unwrap_or_else(|| panic!("{client}: {}", ended.stderr));
        let script = format!("for word in {line}; do printf '%s\\n' \"$word\"; done");
        let read = std::process::Command::new("sh")
            .args(["-c", &script])
            .output()
            .unwrap();
        let read = String::from_utf8(read.stdout).unwrap();
        let last = read.lines().last().unwrap();
        match client {
            "vscode" => {
                let server: Value = serde_json::from_str(last).unwrap();
                assert_eq!(server["name"], "apc-mcp");
                assert_eq!(server["args"], json!(["--audit-log=/it's a/log $1"]));
            }
            _ => assert_eq!(last, "--audit-log=/it's a/log $1", "{client}"),
        }
    }
}

#[tokio::test]
async fn an_unknown_client_is_refused_with_those_there_are() {
    let ended = Program::bare().args(&["client", "emacs"]).run().await;
    assert_eq!(ended.status.code(), Some(2));
    assert_eq!(ended.stdout, "");
    for (client, _) in CLIENTS {
        assert_says(&ended.stderr, &[client]);
    }
}

#[tokio::test]
async fn a_broken_flag_is_refused_and_not_carried_over() {
    let program = Program::bare().args(&["client", "cursor", "--timeout", "soon"]);
    let ended = program.run().await;
    assert_eq!(ended.status.code(), Some(2));
    assert_says(&ended.stderr, &["--timeout is 'soon'"]);
}

/// The blocks of a language in the README.
fn blocks(language: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    let fence = format!("```{language}\n");
    let blocks = readme.split(&fence).skip(1);
    blocks
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn the_readme_shows_the_snippet_of_every_client() {
    let json = blocks("json")
        .into_iter()
        .map(|text| serde_json::from_str::<Value>(&text).unwrap());
    let toml = blocks("toml")
        .into_iter()
        .map(|text| toml::from_str::<Value>(&text).unwrap());
    let shown: Vec<Value> = json.chain(toml).collect();
    for (client, root) in CLIENTS {
        let printed = printed(client, &[]).await;
        let mut entry = entry(client, root, &printed.stdout);
        entry["command"] = match client {
            "opencode" => json!(["apc-mcp"]),
            _ => json!("apc-mcp"),
        };
        let file = json!({root: {"apc-mcp": entry}});
        assert!(shown.contains(&file), "{client}: {file}");
    }
}
