//! `apc-mcp demo`: a conversation with the real server in this process, against the sandbox.
//! Talks to nothing outside this process.

use anstyle::{AnsiColor, Style};
use serde_json::{Map, Value, json};

use crate::commands::in_process::InProcessClient;
use crate::commands::sandbox::EmbeddedSandbox;
use crate::commands::terminal::{print, width, wrapped};
use crate::config::{Config, Environment, Flags};
use crate::guards::secret::Secrets;
use crate::guards::text::harmless_json;
use crate::session::elicitation::REACTION_MIN;
use crate::session::server::Server;
use crate::session::shutdown::Shutdown;

const TITLE: Style = Style::new().bold();
const ASKED: Style = AnsiColor::Cyan.on_default().bold();
const DONE: Style = AnsiColor::Green.on_default();
const ANSWERED: Style = AnsiColor::Magenta.on_default();
const REFUSED: Style = AnsiColor::Yellow.on_default();

type Failed = Box<dyn std::error::Error>;

/// Runs the demonstration and prints it.
///
/// # Errors
/// The server did not do what the demonstration shows.
pub async fn run(secrets: Secrets) -> Result<(), Failed> {
    // The user's own settings do not count here.
    let mut config = Config::new(&Flags::default(), &Environment::default())?;
    let _sandbox = EmbeddedSandbox::start(&mut config).await?;
    let server = Server::new(config, secrets, Shutdown::default()).await;
    let mut client = InProcessClient::connect(server);
    conversation(&mut client).await?;
    client.close().await
}

async fn conversation(client: &mut InProcessClient) -> Result<(), Failed> {
    say(
        TITLE,
        "A conversation with the real server, against its embedded sandbox. Nothing leaves this machine.",
    )?;
    client
        .open("apc-mcp demo", json!({"elicitation": {}}))
        .await?;
    let tools = ask(client, "tools/list", json!({})).await?;
    show_tools(&tools)?;

    let places = json!({"include_deployments": true, "limit": 0});
    let places = call(client, "get_service_accounts", places).await?;
    let workspace = text_at(&places, "/structuredContent/workspaces/0/id")?;
    let deployment = "/structuredContent/workspaces/0/deployments/0/id";
    let deployment = text_at(&places, deployment)?;
    let label = "nightly-etl";
    let new = json!({"label": label, "workspace_id": workspace, "role": "WORKSPACE_EDITOR"});
    let created = call(client, "create_service_account", new).await?;
    let id = text_at(&created, "/structuredContent/service_account/id")?;
    call(
        client,
        "get_service_accounts",
        json!({"workspace_id": workspace, "label": label}),
    )
    .await?;
    call(
        client,
        "create_service_account",
        json!({"label": "airflow-api", "deployment_id": deployment, "role": "DEPLOYMENT_EDITOR"}),
    )
    .await?;
    call(
        client,
        "create_service_account",
        json!({"label": "root", "workspace_id": workspace, "role": "SYSTEM_ADMIN"}),
    )
    .await?;
    call(
        client,
        "delete_service_account",
        json!({"service_account_id": id, "workspace_id": workspace}),
    )
    .await?;
    call(
        client,
        "get_service_accounts",
        json!({"workspace_id": workspace, "label": label}),
    )
    .await?;
    say(
        TITLE,
        "\nTo use it: 'apc-mcp client NAME' prints what to put into the configuration of an MCP client, such as claude-code \
         or cursor. To try it there with this sandbox first: 'apc-mcp client NAME --sandbox'. 'apc-mcp doctor' checks the \
         setup.",
    )
}

fn text_at(result: &Value, pointer: &str) -> Result<String, Failed> {
    let text = result.pointer(pointer).and_then(Value::as_str);
    text.map(str::to_owned)
        .ok_or_else(|| format!("no {pointer} in {result}").into())
}

fn show_tools(result: &Value) -> Result<(), Failed> {
    let tools = result
        .get("tools")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    for tool in tools {
        let name = text_at(&tool, "/name")?;
        let title = text_at(&tool, "/title")?;
        let arguments = tool
            .pointer("/inputSchema/properties")
            .and_then(Value::as_object);
        let arguments: Vec<_> = arguments
            .into_iter()
            .flatten()
            .map(|(name, _)| name.as_str())
            .collect();
        say(
            DONE,
            &format!("  {name}: {title} ({})", arguments.join(", ")),
        )?;
    }
    Ok(())
}

/// Sends a request and shows its method.
async fn ask(
    client: &mut InProcessClient,
    method: &str,
    parameters: Value,
) -> Result<Value, Failed> {
    say(ASKED, &format!("\n> {method}"))?;
    Ok(client.request(method, parameters).await?)
}

/// Calls a tool and shows both sides.
async fn call(client: &mut InProcessClient, tool: &str, arguments: Value) -> Result<Value, Failed> {
    say(ASKED, &format!("\n> {tool} {arguments}"))?;
    let parameters = json!({"name": tool, "arguments": arguments});
    let result = client
        .request_answering("tools/call", parameters, agree)
        .await?;
    match result.get("structuredContent") {
        Some(structured) => say(
            DONE,
            &indented(&harmless_json(&serde_json::to_string_pretty(structured)?)),
        )?,
        None => say(REFUSED, &indented(&text_at(&result, "/content/0/text")?))?,
    }
    Ok(result)
}

/// Shows the question before a deletion, and the yes that the user of this story says.
async fn agree(question: Value) -> Value {
    let asked = question.get("message").and_then(Value::as_str);
    let shown = say(
        ANSWERED,
        &indented(&format!("? {}", asked.unwrap_or_default())),
    );
    // A client that answers faster than a person is taken for nobody's yes or no.
    tokio::time::sleep(REACTION_MIN).await;
    let fields = question.pointer("/requestedSchema/properties");
    let names = fields.and_then(Value::as_object).into_iter().flatten();
    let yes: Map<_, _> = names.map(|(name, _)| (name.clone(), json!(true))).collect();
    match shown.and_then(|()| say(ANSWERED, "  The user says yes.")) {
        Ok(()) => json!({"action": "accept", "content": yes}),
        Err(_) => json!({"action": "cancel"}),
    }
}

fn indented(text: &str) -> String {
    text.lines()
        .map(|line| format!("  {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Prints a line, in colour where a terminal shows it.
fn say(style: Style, text: &str) -> Result<(), Failed> {
    let text = match style == TITLE {
        true => wrapped(text, 0, width()),
        false => text.to_owned(),
    };
    Ok(print(format!("{style}{text}{style:#}"))?)
}
