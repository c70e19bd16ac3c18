//! `apc-mcp demo`: a conversation with the real server in this process, against the sandbox.
//! Talks to nothing outside this process.

use anstyle::{AnsiColor, Style};
use serde_json::{Map, Value, json};

use crate::commands::Failed;
use crate::commands::in_process::{InProcessClient, list, text};
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

const OPENING: &str = "A conversation with the real server, against its embedded sandbox. Nothing leaves this machine.";
const ENDING: &str = "\nTo use it: 'apc-mcp client NAME' prints what to put into the configuration of an MCP client, such as \
    claude-code or cursor. To try it there with this sandbox first: 'apc-mcp client NAME --sandbox'. 'apc-mcp doctor' \
    checks the setup.";

/// Runs the demonstration and prints it. Fails if the server does not do what it shows.
pub async fn run(secrets: Secrets) -> Result<(), Failed> {
    // The user's own settings do not count here.
    let mut config = Config::new(&Flags::default(), &Environment::default())?;
    let _sandbox = EmbeddedSandbox::start(&mut config).await?;
    let server = Server::new(config, secrets, Shutdown::default()).await;
    let mut client = InProcessClient::connect(server);
    say(TITLE, &wrapped(OPENING, 0, width()))?;
    conversation(&mut client).await?;
    say(TITLE, &wrapped(ENDING, 0, width()))?;
    client.close().await
}

async fn conversation(client: &mut InProcessClient) -> Result<(), Failed> {
    let capabilities = json!({"elicitation": {}});
    client.open("apc-mcp demo", capabilities).await?;
    show_tools(client).await?;
    let places = json!({"include_deployments": true, "limit": 0});
    let places = call(client, "get_service_accounts", places).await?;
    let workspace = text_at(&places, "/structuredContent/workspaces/0/id")?;
    let deployment = text_at(&places, "/structuredContent/workspaces/0/deployments/0/id")?;
    let label = "nightly-etl";
    let new = json!({"label": label, "workspace_id": workspace, "role": "WORKSPACE_EDITOR"});
    let created = call(client, "create_service_account", new).await?;
    let id = text_at(&created, "/structuredContent/service_account/id")?;
    let by_label = json!({"workspace_id": workspace, "label": label});
    call(client, "get_service_accounts", by_label.clone()).await?;
    for new in [
        json!({"label": "airflow-api", "deployment_id": deployment, "role": "DEPLOYMENT_EDITOR"}),
        json!({"label": "root", "workspace_id": workspace, "role": "SYSTEM_ADMIN"}),
    ] {
        call(client, "create_service_account", new).await?;
    }
    let old = json!({"service_account_id": id, "workspace_id": workspace});
    call(client, "delete_service_account", old).await?;
    call(client, "get_service_accounts", by_label).await?;
    Ok(())
}

fn text_at<'a>(result: &'a Value, pointer: &str) -> Result<&'a str, Failed> {
    let text = result.pointer(pointer).and_then(Value::as_str);
    text.ok_or_else(|| format!("no {pointer} in {result}").into())
}

async fn show_tools(client: &mut InProcessClient) -> Result<(), Failed> {
    say(ASKED, "\n> tools/list")?;
    let listed = client.request("tools/list", json!({})).await?;
    for tool in list(&listed, "/tools") {
        let (name, title) = (text_at(tool, "/name")?, text_at(tool, "/title")?);
        let arguments = tool.pointer("/inputSchema/properties");
        let arguments = arguments.and_then(Value::as_object).into_iter().flatten();
        let arguments: Vec<_> = arguments.map(|(name, _)| name.as_str()).collect();
        let arguments = arguments.join(", ");
        say(DONE, &format!("  {name}: {title} ({arguments})"))?;
    }
    Ok(())
}

async fn call(client: &mut InProcessClient, tool: &str, arguments: Value) -> Result<Value, Failed> {
    say(ASKED, &format!("\n> {tool} {arguments}"))?;
    let parameters = json!({"name": tool, "arguments": arguments});
    let called = client.request_answering("tools/call", parameters, agree);
    let result = called.await?;
    match result.get("structuredContent") {
        Some(result) => say(DONE, &indented(&harmless_json(&format!("{result:#}"))))?,
        None => say(REFUSED, &indented(text_at(&result, "/content/0/text")?))?,
    }
    Ok(result)
}

/// Shows the question before a deletion, and the yes that the user of this story says.
async fn agree(question: Value) -> Value {
    let asked = format!("? {}", text(&question, "/message"));
    let shown = say(ANSWERED, &indented(&asked));
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
    format!("  {}", text.replace('\n', "\n  "))
}

/// Prints a text, in colour where a terminal shows it.
fn say(style: Style, text: &str) -> Result<(), Failed> {
    Ok(print(format!("{style}{text}{style:#}"))?)
}
