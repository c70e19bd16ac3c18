//! `apc-mcp sandbox`: the embedded API on a port of its own, for any other program to try things on.
//! Reads no setting, and ends with everything in it.

use std::io::Write;

use anstyle::Style;
use tokio_util::sync::CancellationToken;

use crate::sandbox::{Persona, Sandbox};
use crate::stdio;

const TITLE: Style = Style::new().bold();

const PERSONAS: [(&str, Persona); 5] = [
    ("system admin", Persona::SystemAdmin),
    ("workspace admin", Persona::WorkspaceAdmin),
    ("workspace editor", Persona::WorkspaceEditor),
    ("workspace viewer", Persona::WorkspaceViewer),
    ("nobody", Persona::Nobody),
];

/// Serves the sandbox until a signal comes.
///
/// # Errors
/// The port is taken, or nobody reads what is printed.
pub async fn run(port: u16) -> Result<(), Box<dyn std::error::Error>> {
    let interrupted = CancellationToken::new();
    stdio::cancel_on_signal(interrupted.clone());
    let sandbox = Sandbox::start(port)
        .await
        .map_err(|error| format!("port {port} of 127.0.0.1 cannot be served: {error}"))?;
    introduce(&sandbox)?;
    interrupted.cancelled().await;
    Ok(())
}

fn introduce(sandbox: &Sandbox) -> std::io::Result<()> {
    let mut out = anstream::stdout();
    let url = sandbox.url();
    writeln!(
        out,
        "{TITLE}A sandbox of the Private Cloud API, with invented accounts, until interrupted{TITLE:#}"
    )?;
    writeln!(out, "APC_API_URL={url}")?;
    writeln!(out, "\n{TITLE}tokens, for APC_API_TOKEN{TITLE:#}")?;
    for (name, persona) in PERSONAS {
        writeln!(out, "{name:<17} {}", sandbox.token(persona))?;
    }
    writeln!(out, "\n{TITLE}workspaces{TITLE:#}")?;
    for (id, label) in sandbox.handle().workspaces() {
        writeln!(out, "{id:<26} {label}")?;
    }
    writeln!(
        out,
        "\nIn another terminal: APC_API_URL={url} APC_API_TOKEN=<a token> apc-mcp call get_service_accounts"
    )?;
    out.flush()
}
