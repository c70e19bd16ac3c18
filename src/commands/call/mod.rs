//! `apc-mcp call`: one call of a tool from a terminal or a script, on the same path as a client's.
//! Changes nothing about the call: the server's policy, questions and words are its own.

mod arguments;
pub mod question;

use std::cell::Cell;
use std::io::{self, IsTerminal};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use arguments::Typed;
use serde_json::{Value, json};

use crate::commands::in_process::{InProcessClient, RequestError};
use crate::commands::sandbox::EmbeddedSandbox;
use crate::commands::terminal::{coloured, note, print, width_of_errors, wrapped};
use crate::config::Config;
use crate::guards::secret::Secrets;
use crate::guards::text::{harmless_json, on_one_line};
use crate::session::server::Server;
use crate::session::shutdown::{self, Shutdown};

const CODE: Style = AnsiColor::Red.on_default().bold();

type Failed = Box<dyn std::error::Error>;

/// Calls the tool, prints its structured result, or its words on standard error.
///
/// # Errors
/// The arguments cannot be read, or there is no server to call.
pub async fn run(
    tool: &str,
    words: &[String],
    mut config: Config,
    secrets: Secrets,
) -> Result<ExitCode, Failed> {
    let asking = !arguments::are_on_standard_input(words) && has_terminal();
    let typed = arguments::read(tool, words)?;
    let _sandbox = EmbeddedSandbox::if_wanted(&mut config).await?;
    let shutdown = Shutdown::default();
    shutdown::cancel_on_signal(shutdown.signal.clone());
    let mut client = InProcessClient::connect(Server::new(config, secrets, shutdown.clone()).await);
    let capabilities = match asking {
        true => json!({"elicitation": {}}),
        false => json!({}),
    };
    client.open("apc-mcp call", capabilities).await?;
    let schema = match &typed {
        Typed::Words(_) => schema(&mut client, tool).await?,
        Typed::Object(_) => Value::Null,
    };
    let parameters = json!({"name": tool, "arguments": arguments::fitted(typed, &schema)});
    let is_asking = Cell::new(false);
    let answering = async |asked: Value| {
        is_asking.set(true);
        let answer = question::answer(asked, &shutdown).await;
        is_asking.set(shutdown.signal.is_cancelled());
        answer
    };
    let result = client
        .request_answering("tools/call", parameters, answering)
        .await;
    let has_words = matches!(result, Ok(_) | Err(RequestError::Refused { .. }));
    if is_asking.get() || (shutdown.signal.is_cancelled() && !has_words) {
        interrupted(is_asking.get())?;
        return Ok(ExitCode::FAILURE);
    }
    let code = show(result)?;
    client.close().await?;
    Ok(code)
}

/// Tells whether somebody can see a question and answer it: both ends are a terminal.
fn has_terminal() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// The schema of the tool's arguments. A tool that does not exist has none; calling it says which there are.
async fn schema(client: &mut InProcessClient, tool: &str) -> Result<Value, RequestError> {
    let listed = client.request("tools/list", json!({})).await?;
    let tools = listed.get("tools").and_then(Value::as_array);
    let found = tools
        .into_iter()
        .flatten()
        .find(|one| one.get("name").is_some_and(|name| name == tool));
    Ok(found
        .and_then(|tool| tool.get("inputSchema"))
        .cloned()
        .unwrap_or_default())
}

fn interrupted(at_a_question: bool) -> io::Result<()> {
    note(match at_a_question {
        true => "\nInterrupted at the question. Nothing was changed.",
        false => {
            "\nInterrupted. A change that was sent before may have been made: look with 'apc-mcp call get_service_accounts'."
        }
    })
}

fn show(result: Result<Value, RequestError>) -> Result<ExitCode, Failed> {
    let result = match result {
        Err(RequestError::Refused { message }) => {
            refuse(&message)?;
            return Ok(ExitCode::FAILURE);
        }
        result => result?,
    };
    if let Some(structured) = result.get("structuredContent") {
        let json = harmless_json(&serde_json::to_string_pretty(structured)?);
        print(coloured(&json))?;
        return Ok(ExitCode::SUCCESS);
    }
    let words = result.pointer("/content/0/text").and_then(Value::as_str);
    refuse(words.unwrap_or("the server gave no reason"))?;
    Ok(ExitCode::FAILURE)
}

/// Prints the words of a failed call, its code in colour.
fn refuse(words: &str) -> io::Result<()> {
    let words = wrapped(&on_one_line(words), 0, width_of_errors());
    match words.split_once(": ") {
        Some((code, rest)) if code.chars().all(|c| c.is_ascii_lowercase() || c == '_') => {
            note(format!("{CODE}{code}{CODE:#}: {rest}"))
        }
        _ => note(words),
    }
}
