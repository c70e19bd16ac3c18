//! Parses, starts the log, runs. Holds the exit codes and nothing else.

use std::process::ExitCode;

use apc_mcp::cli::{Cli, Command};
use apc_mcp::config::{Config, Environment};
use apc_mcp::secret::Secrets;
use apc_mcp::server::{Ending, Playground, Server};
use apc_mcp::{demo, logging, stdio};
use clap::{CommandFactory, Parser};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut config = match Config::new(cli.flags, &Environment::of_process()) {
        Ok(config) => config,
        Err(broken) => Cli::command()
            .error(clap::error::ErrorKind::ValueValidation, broken)
            .exit(),
    };
    let secrets = Secrets::default();
    if let Err(error) = logging::start(config.log, config.log_file.as_deref(), &secrets) {
        config.log_file_is_broken(&error);
    }
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    else {
        return ExitCode::FAILURE;
    };
    let code = runtime.block_on(run(cli.command, config, secrets));
    // A read from standard input cannot be cancelled; waiting for it would hang.
    runtime.shutdown_background();
    code
}

async fn run(command: Option<Command>, config: Config, secrets: Secrets) -> ExitCode {
    let done = match command {
        None => serve(config, secrets).await,
        Some(Command::Demo) => demo::run(secrets).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "ended");
            ExitCode::FAILURE
        }
    }
}

async fn serve(mut config: Config, secrets: Secrets) -> Result<(), Box<dyn std::error::Error>> {
    if config.connecting.insecure {
        tracing::warn!(
            "--insecure (APC_INSECURE): TLS certificates are not verified, and whoever is between can read the token"
        );
    }
    let ending = Ending::default();
    stdio::cancel_on_signal(ending.signal.clone());
    let _playground = match config.sandbox {
        true => Some(Playground::enter(&mut config).await?),
        false => None,
    };
    let server = Server::new(config, secrets, ending).await;
    let (input, output) = rmcp::transport::stdio_pipes();
    Ok(stdio::serve(server, input, output).await?)
}
