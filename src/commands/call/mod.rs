//! `apc-mcp call`: one call of a tool from a terminal or a script, on the same path as a client's.
//! Changes nothing about the call: the server's policy, questions and words are its own.

mod arguments;
mod question;

use std::cell::Cell;
use std::io;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use arguments::TypedArguments;
use serde_json::{Value, json};

use crate::commands::Failed;
use crate::commands::in_process::{InProcessClient, RequestError, list, text};
use crate::commands::sandbox::EmbeddedSandbox;
use crate::commands::terminal::{can_ask, coloured, note, print, width_of_errors, wrapped};
use crate::config::Config;
use crate::guards::secret::Secrets;
use crate::guards::text::{harmless_json, on_one_line};
use crate::session::server::Server;
use crate::session::shutdown::{self, Shutdown};

const CODE: Style = AnsiColor::Red.on_default().bold();

/// Calls the tool, prints its structured result, or its words on standard error.
/// Fails if the arguments cannot be read, or there is no server to call.
pub async fn run(
    tool: &str,
    words: &[String],
    mut config: Config,
    secrets: Secrets,
) -> Result<ExitCode, Failed> {
    let asking = !arguments::are_on_standard_input(words) && can_ask();
    let typed = arguments::parse(tool, words)?;
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
        TypedArguments::Words(_) => schema(&mut client, tool).await?,
        TypedArguments::Object(_) => Value::Null,
    };
    let parameters = json!({"name": tool, "arguments": arguments::fitted(typed, &schema)});
    let is_asking = Cell::new(false);
    let answering = async |asked: Value| {
        is_asking.set(true);
        let answer = question::answer(asked, &shutdown).await;
        is_asking.set(shutdown.signal.is_cancelled());
        answer
    };
    let called = client.request_answering("tools/call", parameters, answering);
    let result = called.await;
    let has_words = matches!(result, Ok(_) | Err(RequestError::Refused(_)));
    if is_asking.get() || (shutdown.signal.is_cancelled() && !has_words) {
        interrupted(is_asking.get())?;
        return Ok(ExitCode::FAILURE);
    }
    let code = show(result)?;
    client.close().await?;
    Ok(code)
}

/// The schema of the tool's arguments. A tool that does not exist has none; calling it says which there are.
async fn schema(client: &mut InProcessClient, tool: &str) -> Result<Value, RequestError> {
    let listed = client.request("tools/list", json!({})).await?;
    let mut tools = list(&listed, "/tools").iter();
    let found = tools.find(|one| text(one, "/name") == tool);
    let schema = found.and_then(|tool| tool.get("inputSchema"));
    Ok(schema.cloned().unwrap_or_default())
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
    let words = match result {
        Err(RequestError::Refused(message)) => message,
        Err(error) => return Err(error.into()),
        Ok(result) => match result.get("structuredContent") {
            Some(result) => {
                print(coloured(&harmless_json(&format!("{result:#}"))))?;
                return Ok(ExitCode::SUCCESS);
            }
            None => text(&result, "/content/0/text").to_owned(),
        },
    };
    refuse(&words)?;
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
