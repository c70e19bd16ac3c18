//! `apc-mcp client NAME`: what to put into a client's configuration, and where.
//! Prints no secret and writes no file; what is printed works as it stands.

use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};

use crate::cli::{ClientName, Flags};

/// The server's name in every configuration.
const ENTRY: &str = "apc-mcp";

/// Prints the snippet on standard output and, on standard error, where it goes.
///
/// # Errors
/// The path of this program cannot be told, or nobody reads what is printed.
pub fn run(name: ClientName, flags: &Flags) -> Result<(), Box<dyn std::error::Error>> {
    let program = std::env::current_exe()?;
    let program = as_text(&program)?;
    let arguments = flags.arguments()?;
    writeln!(anstream::stderr(), "{}", name.place())?;
    writeln!(anstream::stdout(), "{}", name.snippet(program, &arguments))?;
    writeln!(anstream::stderr(), "{}", credentials(flags))?;
    Ok(())
}

fn as_text(path: &Path) -> Result<&str, String> {
    path.to_str().ok_or_else(|| {
        format!(
            "the path of this program, {}, is not UTF-8 and has no place in a configuration",
            path.display()
        )
    })
}

impl ClientName {
    fn snippet(self, program: &str, arguments: &[String]) -> String {
        let entry = json!({"command": program, "args": arguments});
        match self {
            Self::ClaudeCode | Self::ClaudeDesktop | Self::Cursor | Self::Gemini => {
                json_under("mcpServers", &entry)
            }
            Self::Vscode => {
                let typed = json!({"type": "stdio", "command": program, "args": arguments});
                json_under("servers", &typed)
            }
            Self::Zed => json_under("context_servers", &entry),
            Self::Codex => toml(program, arguments),
        }
    }

    fn place(self) -> &'static str {
        match self {
            Self::ClaudeCode => {
                "For Claude Code, into .mcp.json in a project's directory; or, for all of yours: \
                 claude mcp add --scope user apc-mcp -- COMMAND ARGS…, with the command and args below."
            }
            Self::ClaudeDesktop => {
                "For Claude Desktop, into claude_desktop_config.json (Settings, Developer, Edit Config), which is in \
                 ~/Library/Application Support/Claude on macOS, %APPDATA%\\Claude on Windows, ~/.config/Claude on Linux; \
                 then restart it."
            }
            Self::Cursor => {
                "For Cursor, into ~/.cursor/mcp.json, or .cursor/mcp.json in a project's directory."
            }
            Self::Vscode => {
                "For VS Code, into the file that 'MCP: Open User Configuration' in the command palette opens, or \
                 .vscode/mcp.json in a project's directory."
            }
            Self::Codex => {
                "For Codex, at the end of ~/.codex/config.toml, or .codex/config.toml in a project's directory."
            }
            Self::Gemini => {
                "For Gemini CLI, into ~/.gemini/settings.json, or .gemini/settings.json in a project's directory."
            }
            Self::Zed => {
                "For Zed, into ~/.config/zed/settings.json ('zed: open settings file' in the command palette), or \
                 .zed/settings.json in a project's directory."
            }
        }
    }
}

fn json_under(root: &str, entry: &Value) -> String {
    format!("{:#}", json!({root: {ENTRY: entry}}))
}

/// What JSON escapes in a string, TOML reads alike.
fn toml(program: &str, arguments: &[String]) -> String {
    format!(
        "[mcp_servers.{ENTRY}]\ncommand = {}\nargs = {}",
        json!(program),
        json!(arguments)
    )
}

fn credentials(flags: &Flags) -> &'static str {
    if flags.sandbox {
        return "Where the file has such an object already, add the entry to it. The sandbox needs no login.";
    }
    if flags.api_token_file.is_some() {
        return "Where the file has such an object already, add the entry to it. The token is read from its file at \
                every call; it does not belong in here. 'apc-mcp doctor' with the same flags checks it all.";
    }
    "Where the file has such an object already, add the entry to it. The token does not belong in here: run \
     'astro login DOMAIN' once, or give this command --domain DOMAIN --api-token-file FILE as well. \
     'apc-mcp doctor' with the same flags checks it all."
}
