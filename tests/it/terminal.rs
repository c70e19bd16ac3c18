//! The program at a terminal: width, colours, the words of a server that waits, the tools, completions.

use crate::support::harness::*;

#[tokio::test]
async fn the_tools_are_printed_as_a_model_sees_them() {
    let ended = Program::bare().args(&["tools"]).run().await;
    assert!(ended.status.success(), "{}", ended.stderr);
    let mut session = Program::bare().serve(Era::USUAL).await;
    let tools = session.list_tools().await;
    for tool in &tools {
        assert_says(
            &ended.stdout,
            &[
                tool["name"].as_str().unwrap(),
                tool["description"].as_str().unwrap(),
            ],
        );
        assert_says(&ended.stdout, &[&format!("{:#}", tool["inputSchema"])]);
    }
    assert_says(
        &ended.stderr,
        &[&format!("{} tools, ", tools.len()), "characters"],
    );
    let json = Program::bare().args(&["tools", "--json"]).run().await;
    let listed: Vec<serde_json::Value> = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(listed, tools);
}

#[tokio::test]
async fn the_settings_shape_the_tools_that_are_printed() {
    let ended = Program::bare().args(&["tools", "--read-only"]).run().await;
    assert!(
        !ended.stdout.contains("\ncreate_service_account\n"),
        "{}",
        ended.stdout
    );
    assert_says(&ended.stdout, &["\nget_service_accounts\n"]);
}

#[tokio::test]
async fn completions_know_commands_and_flags() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let ended = Program::bare().args(&["completions", shell]).run().await;
        assert!(ended.status.success(), "{shell}: {}", ended.stderr);
        assert_says(&ended.stdout, &["doctor", "read-only"]);
        // The other shells are told no values of words without a flag.
        if ["bash", "zsh"].contains(&shell) {
            assert_says(&ended.stdout, &["jetbrains-junie"]);
        }
    }
}

#[tokio::test]
async fn the_exit_codes_are_told_by_the_help_of_every_command() {
    let help = Program::bare().args(&["--help"]).run().await.stdout;
    let list = help
        .split("\nCommands:\n")
        .nth(1)
        .unwrap()
        .split("\n\n")
        .next()
        .unwrap();
    let entries = list.lines().filter_map(|line| {
        line.strip_prefix("  ")
            .filter(|line| !line.starts_with(' '))
    });
    let names = entries.filter_map(|line| line.split_whitespace().next());
    let mut seen = 0;
    for name in names.filter(|name| *name != "help") {
        let help = Program::bare().args(&[name, "--help"]).run().await.stdout;
        assert_says(&help, &["Exit codes: 0 ", "1 failed", "2 "]);
        seen += 1;
    }
    assert!(seen >= 7, "{help}");
    assert_says(&help, &["Exit codes: "]);
}

#[cfg(unix)]
mod of_a_width {
    use super::*;
    use crate::support::terminal::{Terminal, typed};

    async fn shown(program: Program, columns: u16) -> String {
        let terminal = Terminal::open(columns);
        let mut command = program.command();
        command
            .env("TERM", "xterm")
            .stdin(std::process::Stdio::null())
            .stdout(terminal.end())
            .stderr(terminal.end());
        let mut child = command.spawn().unwrap();
        drop(command);
        let person = terminal.read();
        patient("it ends", child.wait()).await.unwrap();
        patient("the terminal closes", person).await.unwrap()
    }

    fn without_colours(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[tokio::test]
    async fn the_doctor_wraps_to_the_width_of_the_terminal() {
        for columns in [80, 120] {
            let program = Program::bare()
                .args(&["doctor", "--sandbox"])
                .env("APC_CONFIRM", "never");
            let shown = shown(program, columns).await;
            assert!(shown.contains('\u{1b}'), "{shown}");
            let plain = without_colours(&shown);
            let lines: Vec<_> = plain.lines().collect();
            let longest = lines.iter().map(|line| line.chars().count()).max().unwrap();
            assert!(
                longest <= columns.into() && longest > 60,
                "{longest}: {plain}"
            );
            assert!(
                lines.iter().any(|line| line.starts_with("      ")),
                "{plain}"
            );
            assert_says(&plain, &["No check failed."]);
        }
    }

    #[tokio::test]
    async fn no_color_is_honoured() {
        for arguments in [
            &["doctor", "--sandbox"][..],
            &["call", "get_service_accounts", "--sandbox"],
        ] {
            let coloured = shown(Program::bare().args(arguments), 80).await;
            assert!(coloured.contains('\u{1b}'), "{coloured}");
            let plain = shown(Program::bare().args(arguments).env("NO_COLOR", "1"), 80).await;
            assert!(!plain.contains('\u{1b}'), "{plain}");
        }
    }

    #[tokio::test]
    async fn an_error_wraps_and_its_code_is_coloured() {
        let program = Program::bare().args(&["call", "get_service_accounts"]);
        let shown = shown(program, 60).await;
        let plain = without_colours(&shown);
        assert!(plain.lines().count() > 1 && plain.lines().all(|line| line.chars().count() <= 60));
        assert!(plain.starts_with("not_configured: "), "{plain}");
        assert!(shown.starts_with('\u{1b}'), "{shown}");
    }

    #[tokio::test]
    async fn a_server_in_a_terminal_says_what_it_waits_for() {
        let terminal = Terminal::open(80);
        let program = Program::bare();
        let mut command = program.command();
        command.stdin(terminal.end()).stderr(terminal.end());
        let child = command.spawn().unwrap();
        drop(command);
        // Ctrl-D ends the input.
        let person = terminal.when_shown("commands.", typed("\u{4}"));
        let output = patient("it ends", child.wait_with_output()).await.unwrap();
        let shown = patient("the terminal closes", person).await.unwrap();
        assert_eq!(output.stdout, b"");
        let words = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_says(
            &words,
            &[
                "waits for the messages of an MCP client",
                "apc-mcp client NAME",
                "Ctrl-C",
            ],
        );
    }

    #[tokio::test]
    async fn a_change_of_a_configuration_is_asked_about() {
        for (answer, is_written) in [("y", true), ("", false), ("n", false)] {
            let program = Program::bare().args(&["client", "cursor", "--write"]);
            let terminal = Terminal::open(80);
            let mut command = program.command();
            command.stdin(terminal.end()).stderr(terminal.end());
            let child = command.spawn().unwrap();
            drop(command);
            let person = terminal.when_shown("Write it? [y/N]", typed(answer));
            let output = patient("it ends", child.wait_with_output()).await.unwrap();
            patient("the terminal closes", person).await.unwrap();
            assert_eq!(output.status.success(), is_written);
            let file = program.path(".cursor/mcp.json");
            assert_eq!(std::fs::exists(file).unwrap(), is_written);
        }
    }
}
