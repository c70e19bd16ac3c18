//! `apc-mcp tools`: the tools as a model sees them under the settings given here.
//! Asks nothing of any installation.

use std::io;

use anstyle::Style;
use serde_json::{Value, json};

use crate::commands::in_process::InProcessClient;
use crate::commands::terminal::{coloured, note, print, width, wrapped};
use crate::config::Config;
use crate::guards::secret::Secrets;
use crate::session::server::Server;
use crate::session::shutdown::Shutdown;

const NAME: Style = Style::new().bold();

/// The members of a tool that clients hand to a model.
const SEEN: [&str; 3] = ["name", "description", "inputSchema"];

type Failed = Box<dyn std::error::Error>;

/// The form in which the tools are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Text for people.
    Text,
    /// The list as a client gets it.
    Json,
}

/// Prints the server's instructions and each tool.
///
/// # Errors
/// The server does not list its tools, or the output cannot be written.
pub async fn run(form: Form, config: Config, secrets: Secrets) -> Result<(), Failed> {
    let server = Server::new(config, secrets, Shutdown::default()).await;
    let mut client = InProcessClient::connect(server);
    let opened = client.open("apc-mcp tools", json!({})).await?;
    let listed = client.request("tools/list", json!({})).await?;
    client.close().await?;
    let tools = listed.get("tools").cloned().unwrap_or_default();
    if form == Form::Json {
        return Ok(print(coloured(&serde_json::to_string_pretty(&tools)?))?);
    }
    if let Some(instructions) = opened.get("instructions").and_then(Value::as_str) {
        print(wrapped(instructions, 0, width()))?;
    }
    let tools = tools.as_array().cloned().unwrap_or_default();
    for tool in &tools {
        show(tool)?;
    }
    let seen = tools.iter().map(characters).sum::<usize>();
    note(format!(
        "\n{} tools, {seen} characters of a conversation (name, description, inputSchema).",
        tools.len()
    ))?;
    Ok(())
}

fn show(tool: &Value) -> io::Result<()> {
    let text = |name| tool.get(name).and_then(Value::as_str).unwrap_or_default();
    print(format!("\n{NAME}{}{NAME:#}", text("name")))?;
    print(wrapped(text("description"), 0, width()))?;
    let schema = tool.get("inputSchema").cloned().unwrap_or_default();
    print(coloured(&format!("{schema:#}")))
}

fn characters(tool: &Value) -> usize {
    let seen: serde_json::Map<_, _> = SEEN
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), tool.get(*name)?.clone())))
        .collect();
    Value::Object(seen).to_string().chars().count()
}
