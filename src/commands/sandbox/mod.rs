//! `apc-mcp sandbox`: the embedded API on a port of its own, for any other program to try things on.
//! Also the guard of the sandbox that stands for an installation under --sandbox.

mod background;

use std::io;

use anstyle::Style;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::apc::installation::ApiUrl;
use crate::cli::SandboxOptions;
use crate::commands::Failed;
use crate::commands::terminal::print;
use crate::config::Config;
use crate::config::setting::{API_TOKEN, API_URL};
use crate::guards::secret::Secret;
use crate::session::shutdown;
use apc_sandbox::{Persona, Sandbox};

/// Guard of a running sandbox. Dropping it closes the port and deletes the key files.
pub struct EmbeddedSandbox {
    _sandbox: Sandbox,
    _keys: TempDir,
}

impl EmbeddedSandbox {
    /// Starts a sandbox where the settings want one.
    ///
    /// # Errors
    /// As for [`start`](Self::start).
    pub async fn if_wanted(config: &mut Config) -> io::Result<Option<Self>> {
        match config.sandbox {
            true => Self::start(config).await.map(Some),
            false => Ok(None),
        }
    }

    /// Starts a sandbox and makes it the installation. Fails if there is no port or no temporary directory to be had.
    pub async fn start(config: &mut Config) -> io::Result<Self> {
        let sandbox = Sandbox::start_line(0, config.sandbox_line).await?;
        let keys = TempDir::with_prefix("apc-mcp-sandbox-")?;
        let url = ApiUrl::parse(&sandbox.url()).map_err(io::Error::other)?;
        let token = Secret::new(sandbox.token(Persona::WorkspaceAdmin));
        config.set_sandbox(url, token, keys.path().join("keys"));
        Ok(Self {
            _sandbox: sandbox,
            _keys: keys,
        })
    }
}

const TITLE: Style = Style::new().bold();

const PERSONAS: [(&str, Persona); 6] = [
    ("system admin", Persona::SystemAdmin),
    ("workspace admin", Persona::WorkspaceAdmin),
    ("workspace editor", Persona::WorkspaceEditor),
    ("workspace viewer", Persona::WorkspaceViewer),
    ("deployment admin", Persona::DeploymentAdmin),
    ("nobody", Persona::Nobody),
];

/// Serves the sandbox until a signal comes, or has another process serve it. Fails if its line is a broken setting, or
/// the port is taken.
pub async fn run(options: SandboxOptions, config: &Config) -> Result<(), Failed> {
    let line = config.usable_sandbox_line()?;
    let port = options.port;
    if options.env && !options.background {
        return background::start(port, line);
    }
    let interrupted = CancellationToken::new();
    shutdown::cancel_on_signal(interrupted.clone());
    let sandbox = Sandbox::start_line(port, line)
        .await
        .map_err(|error| format!("port {port} of 127.0.0.1 cannot be served: {error}"))?;
    if options.background {
        print(background::variables(&sandbox))?;
        background::until_the_session_ends(&interrupted).await;
    } else {
        introduce(&sandbox)?;
        interrupted.cancelled().await;
    }
    Ok(())
}

fn introduce(sandbox: &Sandbox) -> io::Result<()> {
    let (url, handle) = (sandbox.url(), sandbox.handle());
    let (url_variable, token_variable) = (API_URL.variable(), API_TOKEN.variable());
    let line = handle.line();
    print(format!(
        "{TITLE}A sandbox of the Private Cloud API (line: {line}), with invented accounts, until interrupted{TITLE:#}"
    ))?;
    print(format!("{url_variable}={url}"))?;
    print(format!("\n{TITLE}tokens, for {token_variable}{TITLE:#}"))?;
    for (name, persona) in PERSONAS {
        print(format!("{name:<17} {}", sandbox.token(persona)))?;
    }
    for (kind, places) in [
        ("workspaces", handle.workspaces()),
        ("deployments", handle.deployments()),
    ] {
        print(format!("\n{TITLE}{kind}{TITLE:#}"))?;
        for (id, label) in places {
            print(format!("{id:<26} {label}"))?;
        }
    }
    let token = sandbox.token(Persona::WorkspaceAdmin);
    print(format!(
        "\nIn another terminal, as the workspace admin:\n\n{url_variable}={url} {token_variable}={token} apc-mcp call \
         get_service_accounts"
    ))
}
