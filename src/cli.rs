//! The command line: flags and subcommands. Flags are made from the table of settings; `config` parses their values.

use std::fmt::Display;

use clap::error::ErrorKind;
use clap::{
    Arg, ArgAction, ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum,
};

pub use clap_complete::Shell;

use crate::config::Flags;
use crate::config::setting::{ALL, Setting, ValueForm};

/// MCP server for the service accounts of Astro Private Cloud
///
/// Without a command it serves MCP on standard input and output: put it into the configuration of
/// an MCP client. A flag beats its variable, a variable beats the astro login.
#[derive(Debug, Default, Parser)]
#[command(version, max_term_width = 100, after_help = after_help())]
pub struct Cli {
    /// The command; without one, the program serves.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The settings.
    #[command(flatten)]
    pub flags: Flags,
}

impl Cli {
    /// Parses the command line of this process. A usage error ends the process.
    pub fn of_process() -> Self {
        // Clients start a server without arguments, and building the parser is half the work of a start.
        match std::env::args_os().len() {
            0 | 1 => Self::default(),
            _ => Self::parse(),
        }
    }
}

/// The commands besides serving.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show a conversation with the tools against the embedded sandbox
    #[command(after_help = EXIT_CODES)]
    Demo,
    /// Check settings, connection, token and directories, and say what to do
    #[command(after_help = after_help())]
    Doctor(DoctorOptions),
    /// Call a tool and print its structured result
    #[command(after_help = after_help())]
    Call {
        /// Name of the tool, such as get_service_accounts
        tool: String,
        /// Its arguments: words such as label=ci limit=5, or one JSON object; - reads that from standard input
        #[arg(value_name = "KEY=VALUE")]
        arguments: Vec<String>,
    },
    /// Print the tools as a model sees them under the settings given here
    #[command(after_help = after_help())]
    Tools(ToolsOptions),
    /// Print or write the entry of a client's configuration, with the settings given here
    #[command(after_help = EXIT_CODES)]
    Client(ClientOptions),
    /// Serve the embedded sandbox on loopback, for any other program, until interrupted
    #[command(after_help = EXIT_CODES)]
    Sandbox(SandboxOptions),
    /// Print the completions for a shell
    #[command(after_help = EXIT_CODES)]
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: Shell,
    },
}

/// Options of the doctor
#[derive(Debug, Args)]
pub struct DoctorOptions {
    /// Show the settings that are left at their default as well
    #[arg(long)]
    pub all: bool,
    /// Print one JSON document: {"ok": true, "checks": [...]}
    #[arg(long)]
    pub json: bool,
}

/// Options of the list of tools
#[derive(Debug, Args)]
pub struct ToolsOptions {
    /// Print the list as a client gets it
    #[arg(long)]
    pub json: bool,
}

/// Options of the entry of a client
#[derive(Debug, Args)]
pub struct ClientOptions {
    /// The client
    #[arg(value_enum)]
    pub name: ClientName,
    /// Show the change of the client's configuration, ask, and make it
    #[arg(long)]
    pub write: bool,
    /// With --write: do not ask
    #[arg(long, requires = "write")]
    pub yes: bool,
}

/// Options of the sandbox
#[derive(Debug, Args)]
pub struct SandboxOptions {
    /// Port of 127.0.0.1; 0 takes any that is free
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// Serve in the background and print the lines that a shell evaluates: eval "$(apc-mcp sandbox --env)"
    #[arg(long)]
    pub env: bool,
    /// Be the process that --env starts
    #[arg(long, hide = true)]
    pub background: bool,
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
    /// OpenCode
    Opencode,
    /// GitHub Copilot CLI
    Copilot,
    /// Cline
    Cline,
    /// Continue
    Continue,
    /// Qwen Code
    Qwen,
    /// Windsurf
    Windsurf,
    /// Junie, by JetBrains
    JetbrainsJunie,
}

/// The exit codes of every command.
const EXIT_CODES: &str =
    "Exit codes: 0 done, 1 failed (the call, a check), 2 the command line is wrong.";

/// A usage error about the command line.
pub fn usage(problem: impl Display) -> clap::Error {
    Cli::command().error(ErrorKind::ValueValidation, problem)
}

/// A usage error about the command line of one command, with the usage of that command.
pub fn usage_of(name: &str, problem: impl Display) -> clap::Error {
    let mut program = Cli::command();
    program.build();
    match program.find_subcommand_mut(name) {
        Some(command) => command.error(ErrorKind::ValueValidation, problem),
        None => usage(problem),
    }
}

/// The script that completes commands and flags in a shell.
pub fn completions(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "apc-mcp", &mut script);
    script
}

impl Args for Flags {
    fn augment_args(command: clap::Command) -> clap::Command {
        command.args(ALL.iter().copied().filter_map(argument))
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let typed = ALL.iter().copied().filter(|setting| setting.flag.is_some());
        Ok(Self::new(typed.flat_map(|setting| {
            let texts = texts(setting, matches).into_iter();
            texts.map(move |text| (setting, text))
        })))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn argument(setting: &'static Setting) -> Option<Arg> {
    let flag = setting.flag?;
    let argument = Arg::new(flag)
        .long(flag.trim_start_matches("--"))
        .global(true)
        .help(setting.help());
    Some(match setting.form {
        ValueForm::Switch => argument.action(ArgAction::SetTrue),
        ValueForm::Text(name) | ValueForm::Path(name) => argument.value_name(name),
        ValueForm::List(name) => argument.value_name(name).action(ArgAction::Append),
    })
}

/// The texts of a flag; a switch that is on has the one that its variable may have.
fn texts(setting: &Setting, matches: &ArgMatches) -> Vec<String> {
    if setting.form == ValueForm::Switch {
        let on = matches.get_flag(setting.name());
        return on.then(|| true.to_string()).into_iter().collect();
    }
    let texts = matches.get_many::<String>(setting.name());
    texts.into_iter().flatten().cloned().collect()
}

/// The end of `--help`: the settings that have only a variable, and the exit codes.
fn after_help() -> String {
    let alone = ALL.iter().copied().filter(|setting| setting.flag.is_none());
    let lines = alone.map(|setting| format!("\n  {}  {}", setting.name(), setting.help));
    let title = "Variables without a flag, since arguments show in process lists:";
    format!("{title}{}\n\n{EXIT_CODES}", lines.collect::<String>())
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
        let flags = ALL.iter().copied().filter(|setting| setting.flag.is_some());
        let typed: Vec<_> = flags
            .map(|setting| match setting.form {
                ValueForm::Switch => setting.name().to_owned(),
                _ => format!("{}=/-x", setting.name()),
            })
            .collect();
        let words = ["apc-mcp".to_owned()].into_iter().chain(typed.clone());
        let cli = Cli::try_parse_from(words).unwrap();
        assert_eq!(cli.flags.arguments().unwrap(), typed);
    }

    #[test]
    fn a_relative_path_becomes_absolute() {
        let cli = Cli::try_parse_from(["apc-mcp", "--key-dir", "keys"]).unwrap();
        let expected = std::env::current_dir().unwrap().join("keys");
        let expected = [format!("--key-dir={}", expected.display())];
        assert_eq!(cli.flags.arguments().unwrap(), expected);
    }
}
