//! `apc-mcp tools`: the tools as a model sees them under the settings given here.
//! Asks nothing of any installation.

use std::io;

use anstyle::Style;
use serde_json::{Value, json};

use crate::cli::ToolsOptions;
use crate::commands::Failed;
use crate::commands::in_process::{InProcessClient, list, text};
use crate::commands::terminal::{coloured, note, print, print_wrapped};
use crate::config::Config;
use crate::guards::secret::Secrets;
use crate::session::server::Server;
use crate::session::shutdown::Shutdown;

const NAME: Style = Style::new().bold();

/// Prints the server's instructions and each tool.
///
/// # Errors
/// The server does not list its tools, or the output cannot be written.
pub async fn run(options: ToolsOptions, config: Config, secrets: Secrets) -> Result<(), Failed> {
    let server = Server::new(config, secrets, Shutdown::default()).await;
    let mut client = InProcessClient::connect(server);
    let opened = client.open("apc-mcp tools", json!({})).await?;
    let listed = client.request("tools/list", json!({})).await?;
    client.close().await?;
    let tools = list(&listed, "/tools");
    if options.json {
        return Ok(print(coloured(&serde_json::to_string_pretty(tools)?))?);
    }
    if let Some(instructions) = opened.get("instructions").and_then(Value::as_str) {
        print_wrapped(instructions)?;
    }
    for tool in tools {
        show(tool)?;
    }
    let (count, seen) = (tools.len(), tools.iter().map(characters).sum::<usize>());
    Ok(note(format!(
        "\n{count} tools, {seen} characters of a conversation (name, description, inputSchema)."
    ))?)
}

fn show(tool: &Value) -> io::Result<()> {
    print(format!("\n{NAME}{}{NAME:#}", text(tool, "/name")))?;
    print_wrapped(text(tool, "/description"))?;
    let schema = tool.get("inputSchema").unwrap_or(&Value::Null);
    print(coloured(&format!("{schema:#}")))
}

/// The characters of the members of a tool that clients hand to a model.
fn characters(tool: &Value) -> usize {
    let [name, description, schema] =
        ["name", "description", "inputSchema"].map(|name| tool.get(name));
    let seen = json!({"name": name, "description": description, "inputSchema": schema});
    seen.to_string().chars().count()
}
