//! Flags and subcommands. Values are taken as text and parsed in `config`, together with the
//! environment's; nothing is read or decided here.

use std::fmt::Display;
use std::io;
use std::path::Path;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

/// MCP server for the service accounts of Astro Private Cloud
///
/// Without a command it serves MCP on standard input and output: put it into the configuration of
/// an MCP client. A flag beats its variable, a variable beats the astro login.
#[derive(Debug, Default, Parser)]
#[command(version, max_term_width = 100)]
pub struct Cli {
    /// What to do instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The settings.
    #[command(flatten)]
    pub flags: Flags,
}

impl Cli {
    /// The command line of this process; one that cannot be used ends it with a usage error.
    pub fn of_process() -> Self {
        // Clients start a server without arguments, and building the parser is half the work of a start.
        match std::env::args_os().len() {
            0 | 1 => Self::default(),
            _ => Self::parse(),
        }
    }
}

/// What the program does besides serving.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show a conversation with the tools against the embedded sandbox
    Demo,
    /// Check settings, connection, token and directories, and say what to do
    Doctor,
    /// Call a tool and print its structured result
    Call {
        /// Name of the tool, such as get_service_accounts
        tool: String,
        /// Its arguments as a JSON object; - reads them from standard input [default: none]
        json: Option<String>,
    },
    /// Print what to put into a client's configuration, with the flags given here
    Client {
        /// The client
        #[arg(value_enum)]
        name: ClientName,
    },
    /// Serve the embedded sandbox on loopback, for any other program, until interrupted
    Sandbox {
        /// Port of 127.0.0.1; 0 takes any that is free
        #[arg(long, default_value_t = 0)]
        port: u16,
    },
}

/// The clients whose configuration is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ClientName {
    /// Claude Code
    ClaudeCode,
    /// Claude Desktop
    ClaudeDesktop,
    /// Cursor
    Cursor,
    /// Visual Studio Code
    Vscode,
    /// Codex
    Codex,
    /// Gemini CLI
    Gemini,
    /// Zed
    Zed,
}

/// A usage error: what is wrong with the command line.
pub fn usage(problem: impl Display) -> clap::Error {
    Cli::command().error(ErrorKind::ValueValidation, problem)
}

/// The settings that have a flag, as they were typed. Tokens have none: arguments show in process
/// lists.
#[derive(Debug, Clone, Default, Args)]
pub struct Flags {
    /// Base domain of the installation, such as acme.dev (APC_DOMAIN, ASTRO_DOMAIN; default: the
    /// astro login's current context)
    #[arg(long, global = true, value_name = "DOMAIN")]
    pub domain: Option<String>,
    /// URL of the API, such as `https://houston.acme.dev/v1`; wins over a domain (APC_API_URL)
    #[arg(long, global = true, value_name = "URL")]
    pub api_url: Option<String>,
    /// File that holds the API token, read at every call (APC_API_TOKEN_FILE; or the token itself
    /// in APC_API_TOKEN)
    #[arg(long, global = true, value_name = "FILE")]
    pub api_token_file: Option<String>,
    /// Workspace meant where a call to create or delete names none (APC_WORKSPACE_ID; default: the
    /// astro login's)
    #[arg(long, global = true, value_name = "ID")]
    pub workspace_id: Option<String>,
    /// Workspace that calls may be about; repeat it for more (APC_ALLOWED_WORKSPACES, separated by
    /// commas; default: all)
    #[arg(long, global = true, value_name = "ID")]
    pub allow_workspace: Vec<String>,
    /// Only read: get_service_accounts is the only tool (APC_READ_ONLY)
    #[arg(long, global = true)]
    pub read_only: bool,
    /// Highest role that may be created (APC_MAX_ROLE; default: WORKSPACE_ADMIN)
    #[arg(long, global = true, value_name = "ROLE")]
    pub max_role: Option<String>,
    /// Where API keys go: file (private files, masked in results) or show (into results)
    /// (APC_KEY_OUTPUT; default: file)
    #[arg(long, global = true, value_name = "WHERE")]
    pub key_output: Option<String>,
    /// Directory for key files (APC_KEY_DIR; default: apc-mcp/keys in the user's state directory)
    #[arg(long, global = true, value_name = "DIR")]
    pub key_dir: Option<String>,
    /// Ask the user before a deletion: auto (where the client can ask), always (else refuse), never
    /// (APC_CONFIRM; default: auto)
    #[arg(long, global = true, value_name = "WHEN")]
    pub confirm: Option<String>,
    /// Changes sent in a minute at most, 0 for any number (APC_MAX_CHANGES_PER_MINUTE; default: 30)
    #[arg(long, global = true, value_name = "NUMBER")]
    pub max_changes_per_minute: Option<String>,
    /// File that gets one JSON line per change tried (APC_AUDIT_LOG)
    #[arg(long, global = true, value_name = "FILE")]
    pub audit_log: Option<String>,
    /// Seconds for one API request, all included (APC_TIMEOUT; default: 20)
    #[arg(long, global = true, value_name = "SECONDS")]
    pub timeout: Option<String>,
    /// Further trusted certificate authorities (PEM), beside the system's (APC_CA_CERT)
    #[arg(long, global = true, value_name = "FILE")]
    pub ca_cert: Option<String>,
    /// Do not verify TLS certificates (APC_INSECURE)
    #[arg(long, global = true)]
    pub insecure: bool,
    /// Log level: off, error, warn, info, debug or trace (APC_LOG; default: warn)
    #[arg(long, global = true, value_name = "LEVEL")]
    pub log: Option<String>,
    /// File to log to instead of standard error (APC_LOG_FILE)
    #[arg(long, global = true, value_name = "FILE")]
    pub log_file: Option<String>,
    /// Use the embedded sandbox instead of an installation (APC_SANDBOX)
    #[arg(long, global = true)]
    pub sandbox: bool,
}

impl Flags {
    /// The flags as they would be typed again, from any directory.
    ///
    /// # Errors
    /// There is no current directory that a relative path could belong to.
    pub fn arguments(&self) -> io::Result<Vec<String>> {
        let valued = [
            ("--domain", &self.domain),
            ("--api-url", &self.api_url),
            ("--workspace-id", &self.workspace_id),
            ("--max-role", &self.max_role),
            ("--key-output", &self.key_output),
            ("--confirm", &self.confirm),
            ("--max-changes-per-minute", &self.max_changes_per_minute),
            ("--timeout", &self.timeout),
            ("--log", &self.log),
        ];
        let paths = [
            ("--api-token-file", &self.api_token_file),
            ("--key-dir", &self.key_dir),
            ("--audit-log", &self.audit_log),
            ("--ca-cert", &self.ca_cert),
            ("--log-file", &self.log_file),
        ];
        let switches = [
            ("--read-only", self.read_only),
            ("--insecure", self.insecure),
            ("--sandbox", self.sandbox),
        ];
        let switched = switches.into_iter().filter(|(_, on)| *on);
        let mut all: Vec<_> = switched.map(|(flag, _)| flag.to_owned()).collect();
        all.extend(
            valued
                .into_iter()
                .filter_map(|(flag, value)| Some(typed(flag, value.as_deref()?))),
        );
        all.extend(
            self.allow_workspace
                .iter()
                .map(|id| typed("--allow-workspace", id)),
        );
        for (flag, path) in paths {
            if let Some(path) = path.as_deref().filter(|path| !path.is_empty()) {
                let absolute = std::path::absolute(Path::new(path))?;
                all.push(typed(flag, &absolute.to_string_lossy()));
            }
        }
        Ok(all)
    }
}

/// In one piece, so that a value may begin with a hyphen.
fn typed(flag: &str, value: &str) -> String {
    format!("{flag}={value}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_arguments_are_what_the_parser_makes_of_none() {
        let parsed = format!("{:?}", Cli::try_parse_from(["apc-mcp"]).unwrap());
        assert_eq!(format!("{:?}", Cli::default()), parsed);
    }

    #[test]
    fn every_flag_survives_being_typed_again() {
        let mut command = Flags::augment_args(clap::Command::new("flags"));
        command.build();
        let flags = command
            .get_arguments()
            .filter(|flag| flag.get_id() != "help");
        let mut given: Vec<_> = flags
            .map(|flag| match flag.get_action().takes_values() {
                true => format!("--{}=/-x", flag.get_long().unwrap()),
                false => format!("--{}", flag.get_long().unwrap()),
            })
            .collect();
        let cli = Cli::try_parse_from(
            ["apc-mcp"]
                .into_iter()
                .chain(given.iter().map(String::as_str)),
        );
        let mut again = cli.unwrap().flags.arguments().unwrap();
        given.sort();
        again.sort();
        assert_eq!(given, again);
    }

    #[test]
    fn a_relative_path_becomes_one_that_holds_anywhere() {
        let flags = Flags {
            key_dir: Some("keys".to_owned()),
            ..Flags::default()
        };
        let expected = std::env::current_dir().unwrap().join("keys");
        assert_eq!(
            flags.arguments().unwrap(),
            [format!("--key-dir={}", expected.display())]
        );
    }
}
