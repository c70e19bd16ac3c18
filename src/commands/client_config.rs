//! `apc-mcp client NAME`: prints the entry for a client's configuration, and the file that it belongs into.
//!
//! It prints no secret and writes no file. The entry works as it stands.

use std::io::Write;

use serde_json::{Value, json};

use crate::cli::ClientName;
use crate::config::Flags;
use crate::config::setting::{API_TOKEN_FILE, DOMAIN, SANDBOX};

/// The server's name in every configuration.
const ENTRY: &str = "apc-mcp";

/// Advice for a configuration that exists.
const ADD: &str = "If the file has such an object already, add the entry to it.";

/// Prints the entry on standard output and, on standard error, the file and the way to sign in.
///
/// # Errors
/// The path of this program is unknown or not UTF-8, or the output is closed.
pub fn run(name: ClientName, flags: &Flags) -> Result<(), Box<dyn std::error::Error>> {
    let program = std::env::current_exe()?.into_os_string().into_string();
    let program = program
        .map_err(|path| format!("the path of this program is not UTF-8: {}", path.display()))?;
    let arguments = flags.arguments()?;
    writeln!(anstream::stderr(), "{}", name.destination())?;
    writeln!(anstream::stdout(), "{}", name.snippet(&program, &arguments))?;
    writeln!(anstream::stderr(), "{}", credentials(flags))?;
    Ok(())
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

    fn destination(self) -> &'static str {
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

/// A TOML entry. TOML reads the escapes of JSON strings.
fn toml(program: &str, arguments: &[String]) -> String {
    format!(
        "[mcp_servers.{ENTRY}]\ncommand = {}\nargs = {}",
        json!(program),
        json!(arguments)
    )
}

fn credentials(flags: &Flags) -> String {
    let (domain, token_file) = (DOMAIN.name(), API_TOKEN_FILE.name());
    let advice = if flags.has(&SANDBOX) {
        return format!("{ADD} The sandbox needs no login.");
    } else if flags.has(&API_TOKEN_FILE) {
        "The token is read from its file at every call; it does not belong in here.".to_owned()
    } else {
        format!(
            "The token does not belong in here: run 'astro login DOMAIN' once, or give this command {domain} DOMAIN \
             {token_file} FILE as well."
        )
    };
    format!("{ADD} {advice} 'apc-mcp doctor' with the same flags checks it all.")
}
