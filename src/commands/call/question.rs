//! A question of the server, asked in the terminal. It answers nothing by itself.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::commands::in_process::{list, text};
use crate::commands::terminal::{is_yes, note, note_wrapped};
use crate::guards::text::on_one_line;
use crate::session::elicitation::REACTION_MIN;
use crate::session::shutdown::Shutdown;

/// Asks in the terminal. A signal is an answer as well.
pub async fn answer(question: Value, shutdown: &Shutdown) -> Value {
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
    for line in text(question, "/message").lines() {
        note_wrapped(&on_one_line(line))?;
    }
    // A question of this server has one field.
    let fields = question.pointer("/requestedSchema/properties");
    let fields = fields.and_then(Value::as_object);
    let only = fields.filter(|fields| fields.len() == 1);
    let Some((name, field)) = only.and_then(|fields| fields.iter().next()) else {
        return Ok(None);
    };
    let choices = choices(field);
    for (number, (_, title)) in choices.iter().enumerate() {
        note(format!("{:>3}  {}", number + 1, on_one_line(title)))?;
    }
    let title = field.get("title").and_then(Value::as_str).unwrap_or(name);
    let accepted = match choices.len() {
        0 => "y/N".to_owned(),
        last => format!("1-{last}, nothing to cancel"),
    };
    loop {
        write!(anstream::stderr(), "{} [{accepted}] ", on_one_line(title))?;
        let mut line = String::new();
        io::stdin().read_line(&mut line)?;
        let line = line.trim();
        let chosen = chosen(line, field, &choices);
        // Of choices only nothing is a no: a slip of the finger is none.
        if chosen.is_some() || line.is_empty() || choices.is_empty() {
            return Ok(chosen.map(|value| json!({name: value})));
        }
        let last = choices.len();
        note(format!("That is no number from 1 to {last}."))?;
    }
}

/// The choices, each with its title. A box to tick has none.
fn choices<'a>(field: &'a Value) -> Vec<(&'a Value, &'a str)> {
    let choice = |one: &'a Value| Some((one.get("const")?, one.get("title")?.as_str()?));
    list(field, "/oneOf").iter().filter_map(choice).collect()
}

fn chosen(line: &str, field: &Value, choices: &[(&Value, &str)]) -> Option<Value> {
    if text(field, "/type") == "boolean" {
        return is_yes(line).then_some(Value::Bool(true));
    }
    let number: usize = line.parse().ok()?;
    let (value, _) = choices.get(number.checked_sub(1)?)?;
    Some((*value).clone())
}
