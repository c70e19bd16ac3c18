//! The program: parses the command line, starts the log, runs the command, and ends with an exit code.

mod call;
mod client;
mod demo;
mod doctor;
mod in_process;
mod sandbox;
mod shell;
mod terminal;
mod tools;

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use tokio::runtime::{Builder, Runtime};

use crate::cli::{self, Cli, Command};
use crate::commands::sandbox::EmbeddedSandbox;
use crate::config::setting::INSECURE;
use crate::config::{Audience, Config, Environment};
use crate::guards::logging;
use crate::guards::secret::Secrets;
use crate::session::server::Server;
use crate::session::shutdown::{self, Shutdown};

type Failed = Box<dyn std::error::Error>;

/// Runs the program from its command line to its exit code.
pub fn main() -> ExitCode {
    let cli = Cli::of_process();
    let environment = Environment::of_process();
    let config = Config::new(&cli.flags, &environment);
    let mut config = config.unwrap_or_else(|broken| cli::usage(broken).exit());
    if let Some(Command::Doctor(_) | Command::Call { .. }) = cli.command {
        config.reader = Audience::Terminal;
    }
    let secrets = Secrets::default();
    let (_log, opened) = logging::start(config.log, config.log_file.as_deref(), &secrets);
    if let Err(error) = opened {
        config.log_file_is_broken(error);
    }
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return explained(error),
    };
    let failed = match cli.command {
        None => logged,
        Some(_) => explained,
    };
    let done = runtime.block_on(run(cli, environment, config, secrets));
    // A read from standard input cannot be cancelled; waiting for it would hang.
    runtime.shutdown_background();
    done.unwrap_or_else(failed)
}

fn runtime() -> Result<Runtime, Failed> {
    // tokio panics where it cannot have the socket for signals.
    let built = std::panic::catch_unwind(|| Builder::new_current_thread().enable_all().build());
    let built = built.unwrap_or_else(|_| Err(io::Error::other("no socket for signals")));
    let advice = "The limit of open files (ulimit -n) may be too low.";
    Ok(built.map_err(|error| format!("the runtime cannot start: {error}. {advice}"))?)
}

/// The words for a person who starts the server by hand.
const WAITING: &str = "apc-mcp serves MCP on standard input and output, and waits for the messages of an MCP client; \
    Ctrl-C ends it. Clients start it by themselves: 'apc-mcp client NAME' prints what to put into their configuration. \
    'apc-mcp demo' shows what it does, 'apc-mcp doctor' checks the setup, 'apc-mcp --help' lists all commands.";

async fn run(
    cli: Cli,
    environment: Environment,
    config: Config,
    secrets: Secrets,
) -> Result<ExitCode, Failed> {
    shutdown::survive_file_size_limit();
    let uses_the_token = matches!(cli.command, None | Some(Command::Call { .. }));
    if uses_the_token && config.connecting.insecure {
        tracing::warn!(
            "{INSECURE} is on: TLS certificates are not verified, and anybody on the way can read the token"
        );
    }
    match cli.command {
        None => serve(config, secrets).await?,
        Some(Command::Demo) => demo::run(secrets).await?,
        Some(Command::Doctor(options)) => {
            return doctor::run(options, config, secrets, &environment).await;
        }
        Some(Command::Call { tool, arguments }) => {
            return call::run(&tool, &arguments, config, secrets).await;
        }
        Some(Command::Tools(options)) => tools::run(options, config, secrets).await?,
        Some(Command::Client(options)) => client::run(options, &config, &cli.flags, &environment)?,
        Some(Command::Sandbox(options)) => sandbox::run(options, &config).await?,
        Some(Command::Completions { shell }) => {
            let script = cli::completions(shell);
            terminal::print(String::from_utf8_lossy(&script).trim_end())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Tells the log of a server why it failed.
fn logged(error: Failed) -> ExitCode {
    tracing::error!(%error, "ended");
    ExitCode::FAILURE
}

/// Tells the person who typed the command why it failed.
fn explained(error: Failed) -> ExitCode {
    match error.downcast::<clap::Error>() {
        Ok(usage) => usage.exit(),
        Err(error) => drop(terminal::note_wrapped(&format!("apc-mcp: {error}"))),
    }
    ExitCode::FAILURE
}

async fn serve(mut config: Config, secrets: Secrets) -> Result<(), Failed> {
    if io::stdin().is_terminal() {
        terminal::note_wrapped(WAITING)?;
    }
    let shutdown = Shutdown::default();
    shutdown::cancel_on_signal(shutdown.signal.clone());
    let _sandbox = EmbeddedSandbox::if_wanted(&mut config).await?;
    let server = Server::new(config, secrets, shutdown).await;
    let (input, output) = rmcp::transport::stdio_pipes();
    Ok(shutdown::serve(server, input, output).await?)
}
