//! The program: parses the command line, starts the log, runs the command, and ends with an exit code.

pub mod call;
pub mod client;
pub mod demo;
pub mod doctor;
pub mod in_process;
pub mod sandbox;
pub mod shell;
pub mod terminal;
pub mod tools;

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use tokio::runtime::{Builder, Runtime};

use crate::cli::{self, Cli, Command};
use crate::commands::client::Task;
use crate::commands::doctor::{Form, Shown};
use crate::commands::sandbox::{EmbeddedSandbox, Role};
use crate::config::setting::INSECURE;
use crate::config::{Config, Environment, Flags, Reader};
use crate::guards::logging;
use crate::guards::secret::Secrets;
use crate::session::server::Server;
use crate::session::shutdown::{self, Shutdown};

type Failed = Box<dyn std::error::Error>;

/// Runs the program from its command line to its exit code.
pub fn main() -> ExitCode {
    let cli = Cli::of_process();
    let environment = Environment::of_process();
    let mut config = match Config::new(&cli.flags, &environment) {
        Ok(config) => config,
        Err(broken) => cli::usage(broken).exit(),
    };
    if let Some(Command::Doctor { .. } | Command::Call { .. }) = cli.command {
        config.reader = Reader::Terminal;
    }
    let secrets = Secrets::default();
    let (_log, opened) = logging::start(config.log, config.log_file.as_deref(), &secrets);
    if let Err(error) = opened {
        config.log_file_is_broken(error);
    }
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return explained(error.into()),
    };
    let failed = match cli.command {
        None => logged,
        Some(_) => explained,
    };
    let typed = Typed {
        command: cli.command,
        flags: cli.flags,
        environment,
    };
    let done = runtime.block_on(run(typed, config, secrets));
    // A read from standard input cannot be cancelled; waiting for it would hang.
    runtime.shutdown_background();
    done.unwrap_or_else(failed)
}

/// The reason why nothing can run.
#[derive(Debug, thiserror::Error)]
#[error("the runtime cannot start: {0}. The limit of open files (ulimit -n) may be too low.")]
struct NoRuntime(#[from] io::Error);

fn runtime() -> Result<Runtime, NoRuntime> {
    // tokio panics where it cannot have the socket for signals.
    let built = std::panic::catch_unwind(|| Builder::new_current_thread().enable_all().build());
    Ok(built.unwrap_or_else(|_| Err(io::Error::other("no socket for signals")))?)
}

/// The words for a person who starts the server by hand.
const WAITING: &str = "apc-mcp serves MCP on standard input and output, and waits for the messages of an MCP client; \
    Ctrl-C ends it. Clients start it by themselves: 'apc-mcp client NAME' prints what to put into their configuration. \
    'apc-mcp demo' shows what it does, 'apc-mcp doctor' checks the setup, 'apc-mcp --help' lists all commands.";

/// The command line and the environment, as they were found.
struct Typed {
    command: Option<Command>,
    flags: Flags,
    environment: Environment,
}

async fn run(typed: Typed, config: Config, secrets: Secrets) -> Result<ExitCode, Failed> {
    shutdown::survive_file_size_limit();
    let Typed {
        command,
        flags,
        environment,
    } = typed;
    let uses_the_token = matches!(command, None | Some(Command::Call { .. }));
    if uses_the_token && config.connecting.insecure {
        tracing::warn!(
            "{INSECURE} is on: TLS certificates are not verified, and anybody on the way can read the token"
        );
    }
    match command {
        None => serve(config, secrets).await?,
        Some(Command::Demo) => demo::run(secrets).await?,
        Some(Command::Client { name, write, yes }) => {
            let task = match (write, yes) {
                (false, _) => Task::Print,
                (true, false) => Task::Write,
                (true, true) => Task::WriteUnasked,
            };
            client::run(name, task, &config, &flags, &environment)?;
        }
        Some(Command::Sandbox {
            port,
            env,
            background,
        }) => {
            let role = match (env, background) {
                (_, true) => Role::Background,
                (true, false) => Role::Starter,
                (false, false) => Role::Foreground,
            };
            sandbox::run(port, role, &config).await?;
        }
        Some(Command::Tools { json }) => {
            let form = if json {
                tools::Form::Json
            } else {
                tools::Form::Text
            };
            tools::run(form, config, secrets).await?;
        }
        Some(Command::Completions { shell }) => {
            let script = cli::completions(shell);
            terminal::print(String::from_utf8_lossy(&script).trim_end())?;
        }
        Some(Command::Doctor { all, json }) => {
            let form = if json { Form::Json } else { Form::Lines };
            let shown = if all { Shown::All } else { Shown::Set };
            return doctor::run(config, secrets, &environment, (form, shown)).await;
        }
        Some(Command::Call { tool, arguments }) => {
            return call::run(&tool, &arguments, config, secrets).await;
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
        Err(error) => {
            let words = format!("apc-mcp: {error}");
            drop(terminal::note(terminal::wrapped(
                &words,
                0,
                terminal::width_of_errors(),
            )));
        }
    }
    ExitCode::FAILURE
}

async fn serve(mut config: Config, secrets: Secrets) -> Result<(), Failed> {
    if io::stdin().is_terminal() {
        terminal::note(terminal::wrapped(WAITING, 0, terminal::width_of_errors()))?;
    }
    let shutdown = Shutdown::default();
    shutdown::cancel_on_signal(shutdown.signal.clone());
    let _sandbox = EmbeddedSandbox::if_wanted(&mut config).await?;
    let server = Server::new(config, secrets, shutdown).await;
    let (input, output) = rmcp::transport::stdio_pipes();
    Ok(shutdown::serve(server, input, output).await?)
}
