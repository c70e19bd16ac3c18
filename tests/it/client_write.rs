//! `apc-mcp client NAME --write`: what it does to a client's own configuration, and what it leaves alone.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::harness::*;

fn writing(client: &str) -> Program {
    Program::bare().args(&["client", client, "--write", "--yes", "--read-only"])
}

fn text(program: &Program, path: &str) -> String {
    fs::read_to_string(program.path(path)).unwrap()
}

fn names(program: &Program, directory: &str) -> Vec<String> {
    let entries = fs::read_dir(program.path(directory)).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A client's program that writes down how it is called, and does what its script says.
#[cfg(unix)]
fn with_client(program: Program, name: &str, script: &str) -> Program {
    use std::os::unix::fs::PermissionsExt;

    let directory = program.path("bin");
    let calls = program.path("calls");
    let script = format!("#!/bin/sh\nprintf '%s\\n' \"$*\" >> '{calls}'\n{script}\n");
    let program = program.file(&format!("bin/{name}"), &script);
    let path = Path::new(&directory).join(name);
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    program.env("PATH", format!("{directory}:/usr/bin:/bin"))
}

#[tokio::test]
async fn the_entry_is_added_and_comments_and_other_entries_stay() {
    let before = "// mine\n{\n    \"theme\": \"dark\", // keep\n    \"context_servers\": {\n        \"other\": {\"command\": \"x\"}, /* last */\n    },\n}\n";
    let program = writing("zed").file(".config/zed/settings.json", before);
    let ended = program.run().await;
    assert!(ended.status.success(), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
    let after = text(&program, ".config/zed/settings.json");
    for kept in [
        "// mine\n",
        "\"theme\": \"dark\", // keep",
        "\"other\": {\"command\": \"x\"}",
        "/* last */",
    ] {
        assert!(after.contains(kept), "{kept}: {after}");
    }
    assert_says(&after, &["\"apc-mcp\"", "\"--read-only\""]);
    let copy = text(&program, ".config/zed/settings.json.before-apc-mcp-1");
    assert_eq!(copy, before);
    assert_says(
        &ended.stderr,
        &["settings.json", "before-apc-mcp-1", "--read-only"],
    );
}

#[tokio::test]
async fn every_client_whose_file_is_known_gets_an_entry_that_it_can_read() {
    for (client, file, root) in [
        ("cursor", ".cursor/mcp.json", "mcpServers"),
        (
            "claude-desktop",
            ".config/Claude/claude_desktop_config.json",
            "mcpServers",
        ),
        ("zed", ".config/zed/settings.json", "context_servers"),
        ("opencode", ".config/opencode/opencode.json", "mcp"),
        (
            "continue",
            ".continue/mcpServers/apc-mcp.json",
            "mcpServers",
        ),
        (
            "windsurf",
            ".codeium/windsurf/mcp_config.json",
            "mcpServers",
        ),
        ("jetbrains-junie", ".junie/mcp/mcp.json", "mcpServers"),
    ] {
        let program = writing(client);
        let ended = program.run().await;
        assert!(ended.status.success(), "{client}: {}", ended.stderr);
        let written: Value = serde_json::from_str(&text(&program, file)).unwrap();
        let printed = Program::bare()
            .args(&["client", client, "--read-only"])
            .run()
            .await;
        let printed: Value = serde_json::from_str(&printed.stdout).unwrap();
        assert_eq!(written[root], printed[root], "{client}");
        let again = program.run().await;
        assert!(again.status.success());
        assert_says(&again.stderr, &["there already", "Nothing was changed"]);
        let directory = Path::new(file).parent().unwrap().to_str().unwrap();
        assert_eq!(names(&program, directory).len(), 1, "{client}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_is_followed_and_stays_and_modes_are_kept() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    for (mode, expected) in [(0o600, 0o600), (0o644, 0o644), (0o400, 0o600)] {
        let program = writing("cursor")
            .file("dotfiles/mcp.json", "{}")
            .file(".cursor/x", "");
        let (real, link) = (
            program.path("dotfiles/mcp.json"),
            program.path(".cursor/mcp.json"),
        );
        fs::set_permissions(&real, fs::Permissions::from_mode(mode)).unwrap();
        symlink("../dotfiles/mcp.json", &link).unwrap();
        let ended = program.run().await;
        assert!(ended.status.success(), "{}", ended.stderr);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_says(&text(&program, "dotfiles/mcp.json"), &["apc-mcp"]);
        for path in [real, format!("{link}.before-apc-mcp-1")] {
            let now = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            assert_eq!(now, expected, "{path}");
        }
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_new_file_is_private() {
    use std::os::unix::fs::PermissionsExt;

    let program = writing("cursor");
    assert!(program.run().await.status.success());
    let mode = fs::metadata(program.path(".cursor/mcp.json"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_file_that_cannot_be_edited_for_certain_is_left_alone() {
    for (before, says) in [
        ("{\"mcpServers\": ", "not JSON"),
        ("[1]", "mcp.json: it is not an object"),
        (
            "{\"mcpServers\": {\"apc-mcp\": {}, \"apc-mcp\": {}}}",
            "'apc-mcp' is in it twice",
        ),
        (
            "{\"mcpServers\": {}, \"mcpServers\": {}}",
            "'mcpServers' is in it twice",
        ),
        (
            "{\"mcpServers\": []}",
            "'mcpServers' in it is not an object",
        ),
    ] {
        let program = writing("cursor").file(".cursor/mcp.json", before);
        let ended = program.run().await;
        assert_eq!(ended.status.code(), Some(1), "{before}");
        assert_says(&ended.stderr, &[says, "Nothing was changed", "mcp.json"]);
        assert_eq!(text(&program, ".cursor/mcp.json"), before);
        assert_eq!(names(&program, ".cursor"), ["mcp.json"], "{before}");
    }
}

#[tokio::test]
async fn an_entry_that_is_there_is_shown_with_the_difference_and_without_its_secrets() {
    let before = json!({"mcpServers": {"apc-mcp": {
        "command": "/old/apc-mcp", "args": ["--domain=acme.dev"], "env": {"APC_API_TOKEN": UNKNOWN_KEY},
    }}});
    let program = writing("cursor").file(".cursor/mcp.json", &before.to_string());
    let ended = program.run().await;
    assert!(ended.status.success(), "{}", ended.stderr);
    assert_says(
        &ended.stderr,
        &[
            "- command  /old/apc-mcp",
            "- argument --domain=(not shown)",
            "+ argument --read-only",
            "- variable APC_API_TOKEN=(not shown)",
        ],
    );
    assert!(!ended.stderr.contains(UNKNOWN_KEY));
    let after: Value = serde_json::from_str(&text(&program, ".cursor/mcp.json")).unwrap();
    assert_eq!(
        after["mcpServers"]["apc-mcp"]["args"],
        json!(["--read-only"])
    );
}

#[tokio::test]
async fn an_argument_of_the_old_entry_is_shown_only_if_it_cannot_hold_a_secret() {
    let arguments = [
        "run",
        "--rm",
        "--read-only",
        "HTTPS_PROXY=http://me:geheim@p:1",
        "APC_API_TOKEN=geheim-user-token",
        "--api-url=https://me:geheim@h.dev/v1",
        "--token=geheim",
        "https://h.dev/?token=geheim",
        "me:geheim@h.dev",
        "--password",
        "geheim",
        "-p",
        "geheim-word",
        "Geheim1",
    ];
    let before = json!({"mcpServers": {"apc-mcp": {
        "command": "APC_API_TOKEN=geheim apc-mcp",
        "args": arguments,
        "env": {"NO_PROXY": "geheim", "ASTRO_HOME": "/geheim"},
    }}});
    let program = writing("cursor")
        .file(".cursor/mcp.json", &before.to_string())
        .env("NO_PROXY", "acme.dev");
    let ended = program.run().await;
    assert!(ended.status.success(), "{}", ended.stderr);
    let printed = ended.stderr.to_lowercase();
    assert!(!printed.contains("geheim"), "{printed}");
    assert_says(
        &ended.stderr,
        &[
            "- command  (not shown)",
            "- argument run",
            "- argument --rm",
            "  argument --read-only",
            "- argument --api-url=(not shown)",
            "- argument --token=(not shown)",
            "- argument --password\n- argument (not shown)\n- argument -p\n- argument (not shown)",
            "- variable NO_PROXY=(not shown)",
            "+ variable NO_PROXY=acme.dev",
        ],
    );
}

#[tokio::test]
async fn nothing_is_written_where_nobody_can_be_asked() {
    let program = Program::bare()
        .args(&["client", "cursor", "--write"])
        .file(".cursor/mcp.json", "{}");
    let ended = program.run().await;
    assert_eq!(ended.status.code(), Some(1));
    assert_says(&ended.stderr, &["--yes", "+ command"]);
    assert_eq!(text(&program, ".cursor/mcp.json"), "{}");
    assert_eq!(names(&program, ".cursor"), ["mcp.json"]);
}

#[tokio::test]
async fn a_client_whose_file_is_not_certain_is_not_written() {
    let ended = writing("cline").run().await;
    assert_eq!(ended.status.code(), Some(1));
    assert_says(
        &ended.stderr,
        &["nothing was written", "'apc-mcp client cline'"],
    );
}

#[tokio::test]
async fn a_client_that_adds_servers_itself_and_is_not_installed_is_named() {
    for (client, program) in [
        ("claude-code", "'claude'"),
        ("codex", "'codex'"),
        ("gemini", "'gemini'"),
        ("vscode", "'code'"),
        ("qwen", "'qwen'"),
        ("copilot", "'copilot'"),
    ] {
        let ended = writing(client).run().await;
        assert_eq!(ended.status.code(), Some(1));
        assert_says(
            &ended.stderr,
            &[program, "PATH", &format!("'apc-mcp client {client}'")],
        );
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_client_that_can_adds_the_entry_itself() {
    let this = env!("CARGO_BIN_EXE_apc-mcp");
    for (client, program, expected) in [
        (
            "claude-code",
            "claude",
            format!("mcp add --scope user apc-mcp --env NO_PROXY=a b -- {this} --read-only"),
        ),
        (
            "gemini",
            "gemini",
            format!("mcp add --scope user --env NO_PROXY=a b apc-mcp {this} -- --read-only"),
        ),
        (
            "qwen",
            "qwen",
            format!("mcp add --scope user --env NO_PROXY=a b apc-mcp {this} -- --read-only"),
        ),
        (
            "copilot",
            "copilot",
            format!("mcp add apc-mcp --env NO_PROXY=a b -- {this} --read-only"),
        ),
        (
            "codex",
            "codex",
            format!(
                "mcp get apc-mcp --json\nmcp add apc-mcp --env NO_PROXY=a b -- {this} --read-only\nmcp get apc-mcp --json"
            ),
        ),
    ] {
        let silent = with_client(writing(client), program, "").env("NO_PROXY", "a b");
        let ended = silent.run().await;
        assert_eq!(ended.status.code(), Some(1), "{client}: {}", ended.stderr);
        assert_says(
            &ended.stderr,
            &["the entry does not show", "list of servers"],
        );
        assert_eq!(ended.stdout, "");
        assert_eq!(text(&silent, "calls").trim_end(), expected, "{client}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn an_entry_that_is_there_is_removed_by_the_client_first_and_comes_back_if_it_fails() {
    let before =
        json!({"mcpServers": {"apc-mcp": {"command": "old", "args": []}}, "other": 1}).to_string();
    let failing =
        "case \"$2\" in remove) printf '{}' > \"$HOME/.claude.json\";; add) exit 3;; esac";
    let program = with_client(
        writing("claude-code").file(".claude.json", &before),
        "claude",
        failing,
    );
    let ended = program.run().await;
    assert_eq!(ended.status.code(), Some(1));
    assert_says(
        &ended.stderr,
        &["claude mcp add", "exit status: 3", "as it was before"],
    );
    assert_eq!(text(&program, ".claude.json"), before);
    let calls = text(&program, "calls");
    let first = calls.lines().next().unwrap();
    assert_eq!(first, "mcp remove --scope user apc-mcp");
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_is_never_left_to_a_client_that_would_replace_it() {
    for (client, program, file) in [
        ("qwen", "qwen", ".qwen/settings.json"),
        ("copilot", "copilot", ".copilot/mcp-config.json"),
        ("gemini", "gemini", ".gemini/settings.json"),
    ] {
        let linked = writing(client)
            .file("real.json", "{\"a\": 1}")
            .file(file, "");
        fs::remove_file(linked.path(file)).unwrap();
        std::os::unix::fs::symlink("../real.json", linked.path(file)).unwrap();
        let linked = with_client(linked, program, "");
        assert!(linked.run().await.status.success());
        assert!(!Path::new(&linked.path("calls")).exists(), "{client}");
        assert!(
            fs::symlink_metadata(linked.path(file))
                .unwrap()
                .is_symlink()
        );
        assert_says(&text(&linked, "real.json"), &["\"a\": 1", "--read-only"]);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_was_changed_while_the_question_was_open_is_left_alone() {
    use crate::support::terminal::Terminal;

    let program = Program::bare()
        .args(&["client", "cursor", "--write", "--read-only"])
        .file(".cursor/mcp.json", "{}");
    let path = program.path(".cursor/mcp.json");
    let edited = "{\"mcpServers\": {\"other\": {\"command\": \"x\"}}}";
    let terminal = Terminal::open(80);
    let mut command = program.command();
    command.stdin(terminal.end()).stderr(terminal.end());
    let child = command.spawn().unwrap();
    drop(command);
    let person = terminal.when_shown("[y/N]", move |terminal| {
        fs::write(&path, edited).unwrap();
        std::io::Write::write_all(terminal, b"y\n").unwrap();
    });
    let output = patient("it ends", child.wait_with_output()).await.unwrap();
    let shown = patient("the terminal closes", person).await.unwrap();
    assert_eq!(output.status.code(), Some(1), "{shown}");
    let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_says(
        &shown,
        &["changed while the question was open", "Nothing was changed"],
    );
    assert_eq!(text(&program, ".cursor/mcp.json"), edited);
    assert_eq!(names(&program, ".cursor"), ["mcp.json"]);
}

#[tokio::test]
async fn other_members_of_the_entry_stay_and_are_named() {
    let before = json!({"mcpServers": {"apc-mcp": {
        "type": "stdio", "command": "old", "args": ["--read-only"],
        "envFile": "/x/.env", "disabled": true, "env": {"APC_TIMEOUT": 5},
    }}});
    let program = writing("cursor").file(".cursor/mcp.json", &before.to_string());
    let ended = program.run().await;
    assert!(ended.status.success(), "{}", ended.stderr);
    assert_says(
        &ended.stderr,
        &[
            "- command  old",
            "- variable APC_TIMEOUT=(not shown)",
            "'envFile', 'disabled'",
            "switched off: 'disabled' in it is true",
        ],
    );
    let after: Value = serde_json::from_str(&text(&program, ".cursor/mcp.json")).unwrap();
    let this = env!("CARGO_BIN_EXE_apc-mcp");
    let expected = json!({
        "type": "stdio", "command": this, "args": ["--read-only"],
        "envFile": "/x/.env", "disabled": true,
    });
    assert_eq!(after["mcpServers"]["apc-mcp"], expected);
    let again = program.run().await;
    assert_says(&again.stderr, &["there already", "switched off"]);
}

#[tokio::test]
async fn an_entry_with_a_variable_that_is_no_text_is_not_called_equal() {
    let this = env!("CARGO_BIN_EXE_apc-mcp");
    let before = json!({"mcpServers": {"apc-mcp": {
        "command": this, "args": ["--read-only"], "env": {"APC_TIMEOUT": 5},
    }}});
    let program = writing("cursor").file(".cursor/mcp.json", &before.to_string());
    let ended = program.run().await;
    assert!(!ended.stderr.contains("there already"), "{}", ended.stderr);
    let after: Value = serde_json::from_str(&text(&program, ".cursor/mcp.json")).unwrap();
    let expected = json!({"command": this, "args": ["--read-only"]});
    assert_eq!(after["mcpServers"]["apc-mcp"], expected);
}

#[cfg(unix)]
#[tokio::test]
async fn a_client_that_would_drop_members_of_the_entry_is_not_asked_to_write_it() {
    let before = json!({"mcpServers": {"apc-mcp": {"command": "old", "args": [], "trust": true}}});
    let program = writing("gemini").file(".gemini/settings.json", &before.to_string());
    let program = with_client(program, "gemini", "");
    assert!(program.run().await.status.success());
    assert!(!Path::new(&program.path("calls")).exists());
    let after: Value = serde_json::from_str(&text(&program, ".gemini/settings.json")).unwrap();
    let entry = &after["mcpServers"]["apc-mcp"];
    assert_eq!(
        (&entry["trust"], &entry["args"]),
        (&json!(true), &json!(["--read-only"]))
    );
}

#[cfg(unix)]
#[tokio::test]
async fn an_entry_that_the_client_wrote_is_seen_and_vscode_may_write_it_later() {
    let this = env!("CARGO_BIN_EXE_apc-mcp");
    let writes = format!(
        "echo '{{\"mcpServers\": {{\"apc-mcp\": {{\"command\": \"{this}\", \"args\": [\"--read-only\"]}}}}}}' > \"$HOME/.claude.json\""
    );
    let program = with_client(writing("claude-code"), "claude", &writes);
    let ended = program.run().await;
    assert!(ended.status.success(), "{}", ended.stderr);
    assert_says(&ended.stderr, &["written. Restart the client"]);
    let later = with_client(writing("vscode"), "code", "").run().await;
    assert!(later.status.success(), "{}", later.stderr);
    assert_says(&later.stderr, &["does not show yet"]);
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_a_failing_client_made_is_named() {
    let program = with_client(
        writing("claude-code"),
        "claude",
        "printf '{' > \"$HOME/.claude.json\"; exit 3",
    );
    let ended = program.run().await;
    assert_eq!(ended.status.code(), Some(1));
    let made = format!("The client made {}", program.path(".claude.json"));
    assert_says(&ended.stderr, &["exit status: 3", &made, "look at it"]);
    assert!(
        !ended.stderr.contains("as it was before"),
        "{}",
        ended.stderr
    );
}

#[cfg(unix)]
#[tokio::test]
async fn an_entry_that_codex_does_not_tell_is_not_overwritten() {
    for before in [
        "[mcp_servers.apc-mcp]\ncommand = \"old\"\n",
        "[mcp_servers.\"apc-mcp\"]\ncommand = \"old\"\n",
        "[mcp_servers]\napc-mcp = { command = \"old\" }\n",
    ] {
        let program = writing("codex").file(".codex/config.toml", before);
        let program = with_client(program, "codex", "exit 1");
        let ended = program.run().await;
        assert_eq!(ended.status.code(), Some(1));
        assert_says(&ended.stderr, &["codex mcp get", "Nothing was changed"]);
        assert_eq!(text(&program, ".codex/config.toml"), before);
        assert_eq!(text(&program, "calls"), "mcp get apc-mcp --json\n");
    }
}

#[tokio::test]
async fn a_byte_order_mark_stays_and_utf_16_is_named() {
    let program = writing("cursor").file(".cursor/mcp.json", "\u{feff}{\"a\": 1}");
    let ended = program.run().await;
    assert!(ended.status.success(), "{}", ended.stderr);
    let after = text(&program, ".cursor/mcp.json");
    let after = after.strip_prefix('\u{feff}').unwrap();
    assert!(!after.contains('\u{feff}'));
    let after: Value = serde_json::from_str(after).unwrap();
    assert_eq!(after["a"], 1);
    assert_eq!(
        after["mcpServers"]["apc-mcp"]["args"],
        json!(["--read-only"])
    );

    let program = writing("cursor").file(".cursor/mcp.json", "");
    let bytes = [0xff, 0xfe, b'{', 0, b'}', 0];
    fs::write(program.path(".cursor/mcp.json"), bytes).unwrap();
    let ended = program.run().await;
    assert_eq!(ended.status.code(), Some(1));
    assert_says(
        &ended.stderr,
        &["UTF-16", "save it as UTF-8", "Nothing was changed"],
    );
    assert_eq!(fs::read(program.path(".cursor/mcp.json")).unwrap(), bytes);
}
