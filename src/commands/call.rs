//! `apc-mcp call`: one call of a tool from a terminal or a script, on the same path as a client's.
//! Changes nothing about the call: the server's policy, questions and words are its own.

use std::io::{self, IsTerminal, Read, Write};
use std::process::ExitCode;

use serde_json::{Map, Value, json};

use crate::cli;
use crate::commands::in_process::{InProcessClient, RequestError};
use crate::commands::sandbox::EmbeddedSandbox;
use crate::config::Config;
use crate::guards::encoding;
use crate::guards::secret::Secrets;
use crate::guards::text::{harmless_json, on_one_line};
use crate::session::LINE_MAX;
use crate::session::elicitation::REACTION_MIN;
use crate::session::server::Server;
use crate::session::shutdown::{self, Shutdown};

/// The argument that stands for standard input.
const STDIN: &str = "-";

type Failed = Box<dyn std::error::Error>;

/// Calls the tool, prints its structured result, or its words on standard error.
///
/// # Errors
/// The arguments are not a JSON object, or there is no server to call.
pub async fn run(
    tool: &str,
    arguments: Option<&str>,
    mut config: Config,
    secrets: Secrets,
) -> Result<ExitCode, Failed> {
    let asking = arguments != Some(STDIN) && has_terminal();
    let arguments = object(arguments)?;
    let _sandbox = EmbeddedSandbox::if_wanted(&mut config).await?;
    let shutdown = Shutdown::default();
    shutdown::cancel_on_signal(shutdown.signal.clone());
    let mut client = InProcessClient::connect(Server::new(config, secrets, shutdown.clone()).await);
    let capabilities = match asking {
        true => json!({"elicitation": {}}),
        false => json!({}),
    };
    client.open("apc-mcp call", capabilities).await?;
    let parameters = json!({"name": tool, "arguments": arguments});
    let answering = async |question: Value| answer(question, &shutdown).await;
    let result = client
        .request_answering("tools/call", parameters, answering)
        .await;
    let code = show(result)?;
    client.close().await?;
    Ok(code)
}

/// Tells whether somebody can see a question and answer it: both ends are a terminal.
fn has_terminal() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

fn object(text: Option<&str>) -> Result<Map<String, Value>, Failed> {
    let parsed = match text {
        None => return Ok(Map::new()),
        Some(STDIN) => serde_json::from_slice(&standard_input()?),
        Some(text) => serde_json::from_str(text),
    };
    parsed.map_err(|error| {
        let text = format!(
            "the arguments of the tool are not a JSON object such as {{\"label\": \"ci\"}}: {error}"
        );
        cli::usage(text).into()
    })
}

/// Reads standard input, as much of it as a line of the protocol can hold.
fn standard_input() -> Result<Vec<u8>, Failed> {
    let mut bytes = Vec::new();
    let most = LINE_MAX as u64;
    io::stdin().lock().take(most + 1).read_to_end(&mut bytes)?;
    match bytes.len() > LINE_MAX {
        true => Err(cli::usage(format!(
            "the arguments of the tool are longer than {most} bytes"
        ))
        .into()),
        false => encoding::utf8(bytes).map_err(|problem| {
            cli::usage(format!("standard input cannot be read: {problem}")).into()
        }),
    }
}

fn show(result: Result<Value, RequestError>) -> Result<ExitCode, Failed> {
    let result = match result {
        Err(RequestError::Refused { message }) => {
            writeln!(anstream::stderr(), "{message}")?;
            return Ok(ExitCode::FAILURE);
        }
        result => result?,
    };
    if let Some(structured) = result.get("structuredContent") {
        let json = harmless_json(&serde_json::to_string_pretty(structured)?);
        writeln!(anstream::stdout(), "{json}")?;
        return Ok(ExitCode::SUCCESS);
    }
    let words = result.pointer("/content/0/text").and_then(Value::as_str);
    let words = on_one_line(words.unwrap_or("the server gave no reason"));
    writeln!(anstream::stderr(), "{words}")?;
    Ok(ExitCode::FAILURE)
}

/// Asks in the terminal. A signal is an answer as well.
async fn answer(question: Value, shutdown: &Shutdown) -> Value {
    // The server takes a faster no for a client's own. At a terminal it is a person's, typed ahead.
    let (answer, ()) = tokio::join!(typed(question, shutdown), tokio::time::sleep(REACTION_MIN));
    answer
}

async fn typed(question: Value, shutdown: &Shutdown) -> Value {
    // A read from a terminal cannot be cancelled; its thread is left behind.
    let asked = tokio::task::spawn_blocking(move || ask(&question).ok().flatten());
    let answer = tokio::select! {
        biased;
        () = shutdown.signal.cancelled() => return json!({"action": "cancel"}),
        answer = asked => answer.ok().flatten(),
    };
    match answer {
        Some(answer) => json!({"action": "accept", "content": answer}),
        None => json!({"action": "decline"}),
    }
}

/// Has the form filled in. Returns nothing for a no.
fn ask(question: &Value) -> io::Result<Option<Value>> {
    let mut terminal = anstream::stderr();
    let message = question.get("message").and_then(Value::as_str);
    for line in message.unwrap_or_default().lines() {
        writeln!(terminal, "{}", on_one_line(line))?;
    }
    let fields = question.pointer("/requestedSchema/properties");
    let Some((name, field)) = fields.and_then(Value::as_object).and_then(only) else {
        return Ok(None);
    };
    let choices = choices(field);
    for (number, (_, title)) in choices.iter().enumerate() {
        writeln!(terminal, "{:>3}  {}", number + 1, on_one_line(title))?;
    }
    let title = field.get("title").and_then(Value::as_str).unwrap_or(name);
    let accepted = match choices.len() {
        0 => "y/N".to_owned(),
        last => format!("1-{last}, nothing to cancel"),
    };
    write!(terminal, "{} [{accepted}] ", on_one_line(title))?;
    terminal.flush()?;
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    Ok(chosen(line.trim(), field, &choices).map(|value| json!({name: value})))
}

/// The one field that a question of this server has.
fn only(fields: &Map<String, Value>) -> Option<(&String, &Value)> {
    let mut all = fields.iter();
    all.next().filter(|_| all.next().is_none())
}

/// The choices, each with its title. A box to tick has none.
fn choices(field: &Value) -> Vec<(&Value, &str)> {
    let offered = field.get("oneOf").and_then(Value::as_array);
    let offered = offered.into_iter().flatten();
    offered
        .filter_map(|one| Some((one.get("const")?, one.get("title")?.as_str()?)))
        .collect()
}

fn chosen(line: &str, field: &Value, choices: &[(&Value, &str)]) -> Option<Value> {
    if field.get("type").is_some_and(|kind| kind == "boolean") {
        let yes = ["y", "yes"].contains(&line.to_ascii_lowercase().as_str());
        return yes.then_some(Value::Bool(true));
    }
    let number: usize = line.parse().ok()?;
    let (value, _) = choices.get(number.checked_sub(1)?)?;
    Some((*value).clone())
}
