//! Flags and subcommands. Values are taken as text and parsed in `config`, together with the
//! environment's; nothing is read or decided here.

use clap::{Args, Parser, Subcommand};

/// MCP server for the service accounts of Astro Private Cloud
///
/// Without a command it serves MCP on standard input and output: put it into the configuration of
/// an MCP client. A flag beats its variable, a variable beats the astro login.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub struct Cli {
    /// What to do instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The settings.
    #[command(flatten)]
    pub flags: Flags,
}

/// What the program does besides serving.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show a conversation with the tools against the embedded sandbox
    Demo,
}

/// The settings that have a flag, as they were typed. Tokens have none: arguments show in process
/// lists.
#[derive(Debug, Default, Args)]
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
