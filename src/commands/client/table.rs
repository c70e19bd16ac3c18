//! The clients: the form of each one's configuration, the place of it, and the client's own command to add a server.

use std::path::PathBuf;

use etcetera::BaseStrategy;

use super::entry::{Entry, NAME};
use crate::cli::ClientName;
use crate::config::Environment;

/// The form of a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigFormat {
    /// Entries of a command and arguments under `mcpServers`.
    Common,
    /// VS Code's.
    Vscode,
    /// Zed's.
    Zed,
    /// Codex's, in TOML.
    Toml,
    /// OpenCode's: the command and its arguments are one list.
    Opencode,
    /// That of the Copilot CLI, which names the tools as well.
    Copilot,
}

impl ConfigFormat {
    /// The member that holds all entries.
    pub fn root(self) -> &'static str {
        match self {
            Self::Common | Self::Copilot => "mcpServers",
            Self::Vscode => "servers",
            Self::Zed => "context_servers",
            Self::Toml => "mcp_servers",
            Self::Opencode => "mcp",
        }
    }

    /// The member of an entry that holds its variables.
    pub fn variables(self) -> &'static str {
        match self {
            Self::Opencode => "environment",
            _ => "env",
        }
    }
}

/// A command of the client itself: the program and its arguments.
pub type CommandLine = Vec<String>;

impl ClientName {
    /// The form of its configuration.
    pub fn form(self) -> ConfigFormat {
        match self {
            Self::Vscode => ConfigFormat::Vscode,
            Self::Zed => ConfigFormat::Zed,
            Self::Codex => ConfigFormat::Toml,
            Self::Opencode => ConfigFormat::Opencode,
            Self::Copilot => ConfigFormat::Copilot,
            _ => ConfigFormat::Common,
        }
    }

    /// The client's own command that adds the entry for all projects of the user.
    pub fn adding(self, entry: &Entry) -> Option<CommandLine> {
        let start: &[&str] = match self {
            Self::ClaudeCode => &["claude", "mcp", "add", "--scope", "user", NAME],
            Self::Codex => &["codex", "mcp", "add", NAME],
            Self::Copilot => &["copilot", "mcp", "add", NAME],
            Self::Gemini => &["gemini", "mcp", "add", "--scope", "user"],
            Self::Qwen => &["qwen", "mcp", "add", "--scope", "user"],
            Self::Vscode => return Some(to_vscode(entry)),
            _ => return None,
        };
        let mut words = words(start);
        for (name, value) in &entry.variables {
            words.extend(["--env".to_owned(), format!("{name}={value}")]);
        }
        match self {
            // These two take the name and the command first, and only their arguments after the hyphens.
            Self::Gemini | Self::Qwen => {
                words.extend([NAME.to_owned(), entry.command.clone(), "--".to_owned()]);
            }
            _ => words.extend(["--".to_owned(), entry.command.clone()]),
        }
        words.extend(entry.arguments.iter().cloned());
        Some(words)
    }

    /// The client's own command that removes the entry. Its command to add would refuse, or keep variables of the old one.
    pub fn removing(self) -> Option<CommandLine> {
        let words: &[&str] = match self {
            Self::ClaudeCode => &["claude", "mcp", "remove", "--scope", "user", NAME],
            Self::Copilot => &["copilot", "mcp", "remove", NAME],
            Self::Gemini => &["gemini", "mcp", "remove", "--scope", "user", NAME],
            Self::Qwen => &["qwen", "mcp", "remove", "--scope", "user", NAME],
            _ => return None,
        };
        Some(self::words(words))
    }

    /// The file of the user's own configuration, where it is known for certain.
    pub fn file(self, environment: &Environment) -> Option<PathBuf> {
        let home = etcetera::home_dir().ok()?;
        let of = |variable, usual: &str| {
            let set = environment.directory(variable);
            set.unwrap_or_else(|| home.join(usual))
        };
        Some(match self {
            Self::ClaudeCode => of("CLAUDE_CONFIG_DIR", "").join(".claude.json"),
            Self::ClaudeDesktop => applications()?.join("Claude/claude_desktop_config.json"),
            Self::Cursor => home.join(".cursor/mcp.json"),
            Self::Vscode => applications()?.join("Code/User/mcp.json"),
            Self::Codex => of("CODEX_HOME", ".codex").join("config.toml"),
            Self::Gemini => home.join(".gemini/settings.json"),
            Self::Zed => zed()?.join("settings.json"),
            Self::Opencode => opencode(&of("XDG_CONFIG_HOME", ".config").join("opencode")),
            Self::Copilot => of("COPILOT_HOME", ".copilot").join("mcp-config.json"),
            Self::Continue => {
                of("CONTINUE_GLOBAL_DIR", ".continue").join("mcpServers/apc-mcp.json")
            }
            Self::Qwen => home.join(".qwen/settings.json"),
            Self::Windsurf => home.join(".codeium/windsurf/mcp_config.json"),
            Self::JetbrainsJunie => home.join(".junie/mcp/mcp.json"),
            // Its editor extension and its command line each have a file of their own.
            Self::Cline => return None,
        })
    }

    /// The place of the snippet, in words.
    pub fn destination(self) -> &'static str {
        match self {
            Self::ClaudeCode => {
                "For Claude Code, into .mcp.json in a project's directory (Claude Code asks there once whether it may use \
                 it)."
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
                "For Gemini CLI, into ~/.gemini/settings.json, or .gemini/settings.json in a project's directory. In a \
                 folder that is not trusted it starts no server: see /permissions."
            }
            Self::Zed => {
                "For Zed, into ~/.config/zed/settings.json ('zed: open settings file' in the command palette), or \
                 .zed/settings.json in a project's directory."
            }
            Self::Opencode => {
                "For OpenCode, into ~/.config/opencode/opencode.json, or opencode.json in a project's directory."
            }
            Self::Copilot => "For the Copilot CLI, into ~/.copilot/mcp-config.json.",
            Self::Cline => {
                "For Cline, into cline_mcp_settings.json (MCP Servers, Configure, Configure MCP Servers); its command line \
                 has ~/.cline/data/settings/cline_mcp_settings.json."
            }
            Self::Continue => {
                "For Continue, into .continue/mcpServers/apc-mcp.json in a project's directory, or \
                 ~/.continue/mcpServers/apc-mcp.json."
            }
            Self::Qwen => {
                "For Qwen Code, into ~/.qwen/settings.json, or .qwen/settings.json in a project's directory."
            }
            Self::Windsurf => "For Windsurf, into ~/.codeium/windsurf/mcp_config.json.",
            Self::JetbrainsJunie => {
                "For Junie, into ~/.junie/mcp/mcp.json, or .junie/mcp/mcp.json in a project's directory."
            }
        }
    }
}

fn to_vscode(entry: &Entry) -> CommandLine {
    let mut server = entry.json(ConfigFormat::Common);
    if let Some(members) = server.as_object_mut() {
        members.insert("name".to_owned(), NAME.into());
    }
    words(&["code", "--add-mcp", &server.to_string()])
}

fn words(words: &[&str]) -> CommandLine {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// The directory in which desktop programs keep their configuration.
fn applications() -> Option<PathBuf> {
    let home = etcetera::home_dir().ok()?;
    match cfg!(target_os = "macos") {
        true => Some(home.join("Library/Application Support")),
        false => Some(etcetera::choose_base_strategy().ok()?.config_dir()),
    }
}

fn zed() -> Option<PathBuf> {
    let base = etcetera::choose_base_strategy().ok()?.config_dir();
    Some(base.join(if cfg!(windows) { "Zed" } else { "zed" }))
}

/// The file that OpenCode has, or would make.
fn opencode(directory: &std::path::Path) -> PathBuf {
    let commented = directory.join("opencode.jsonc");
    match commented.exists() {
        true => commented,
        false => directory.join("opencode.json"),
    }
}
