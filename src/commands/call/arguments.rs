//! The arguments of a call as people type them: a JSON object, `-` for one on standard input, or `key=value` words, which
//! need no quotes and so pass through every shell.

use std::collections::BTreeMap;
use std::io::{self, Read};

use serde_json::{Map, Value};

use crate::cli;
use crate::guards::encoding;
use crate::guards::secret::without_secret_shapes;
use crate::guards::text::harmless;
use crate::session::LINE_MAX;

const STDIN: &str = "-";

/// The longest part of a refused text that is shown, in characters.
const SHOWN_MAX: usize = 60;

/// The arguments as they were typed.
#[derive(Debug, Clone, PartialEq)]
pub enum TypedArguments {
    /// A JSON object.
    Object(Map<String, Value>),
    /// Words, the value of each a text.
    Words(BTreeMap<String, String>),
}

/// Tells if the arguments come from standard input.
pub fn are_on_standard_input(words: &[String]) -> bool {
    matches!(words, [only] if only == STDIN)
}

/// Reads the words after the name of the tool. A usage error says what is wrong and how to write it.
pub fn parse(tool: &str, words: &[String]) -> Result<TypedArguments, clap::Error> {
    match words {
        [] => Ok(TypedArguments::Object(Map::new())),
        [only] if only == STDIN => object(tool, standard_input()?.as_slice(), "standard input"),
        // Windows splits what PowerShell has taken the quotes of.
        [first, ..] if !is_pair(first) && first.starts_with(['{', '[']) => {
            object(tool, words.join(" ").as_bytes(), "the argument")
        }
        [only] if is_json(only) => object(tool, only.as_bytes(), "the argument"),
        pairs => self::pairs(tool, pairs).map(TypedArguments::Words),
    }
}

/// The arguments with each word in the type that the tool's schema has for it. A word that does not fit stays a text: the
/// tool says what it accepts.
pub fn fitted(typed: TypedArguments, schema: &Value) -> Map<String, Value> {
    let words = match typed {
        TypedArguments::Object(object) => return object,
        TypedArguments::Words(words) => words,
    };
    let fit = |(key, word): (String, String)| {
        let kind = schema.pointer(&format!("/properties/{key}/type"));
        let is_text = kind.is_none_or(|kind| kind == "string");
        let parsed = serde_json::from_str(&word).ok().filter(|_| !is_text);
        (key, parsed.unwrap_or(Value::String(word)))
    };
    words.into_iter().map(fit).collect()
}

/// Tells whether a word can only be meant as JSON.
fn is_json(word: &str) -> bool {
    word.is_empty()
        || word.starts_with(['{', '[', '"'])
        || serde_json::from_str::<Value>(word).is_ok()
}

fn is_pair(word: &str) -> bool {
    let key = word.split_once('=').map(|(key, _)| key);
    key.is_some_and(|key| !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || c == '_'))
}

fn pairs(tool: &str, words: &[String]) -> Result<BTreeMap<String, String>, clap::Error> {
    let mut pairs = BTreeMap::new();
    for word in words {
        let pair = word.split_once('=').filter(|_| is_pair(word));
        let (key, value) = pair.ok_or_else(|| {
            let word = shown(word);
            usage(format!(
                "{word} is not of the form key=value. Write for instance: apc-mcp call {tool} label=ci"
            ))
        })?;
        if pairs.insert(key.to_owned(), value.to_owned()).is_some() {
            let twice = format!("{key} is given twice. Give each argument once");
            return Err(usage(twice));
        }
    }
    Ok(pairs)
}

fn object(tool: &str, text: &[u8], source: &str) -> Result<TypedArguments, clap::Error> {
    let problem = match serde_json::from_slice(text) {
        Ok(Value::Object(object)) => return Ok(TypedArguments::Object(object)),
        Ok(_) => "it is JSON, and no object".to_owned(),
        Err(error) => error.to_string(),
    };
    let text = String::from_utf8_lossy(text);
    let quotes = match text.trim_start().starts_with('{') && !text.contains('"') {
        true => " The shell has taken the quotes away, as PowerShell does.",
        false => "",
    };
    let text = shown(&text);
    Err(usage(format!(
        "{source} is not a JSON object such as '{{\"label\": \"ci\"}}': {problem}. It is {text}.{quotes} Without JSON, \
         write: apc-mcp call {tool} label=ci"
    )))
}

/// The beginning of a text that was typed, without anything in it that looks like a token.
fn shown(text: &str) -> String {
    match text.trim() {
        "" => "empty".to_owned(),
        text => format!("'{}'", harmless(&without_secret_shapes(text), SHOWN_MAX)),
    }
}

/// Reads standard input, as much of it as a line of the protocol can hold.
fn standard_input() -> Result<Vec<u8>, clap::Error> {
    let unreadable = |error| usage(format!("standard input cannot be read: {error}"));
    let mut bytes = Vec::new();
    let mut input = io::stdin().lock().take(LINE_MAX as u64 + 1);
    input.read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > LINE_MAX {
        return Err(usage(format!(
            "the arguments of the tool are longer than {LINE_MAX} bytes"
        )));
    }
    encoding::utf8(bytes).map_err(unreadable)
}

fn usage(problem: String) -> clap::Error {
    cli::usage_of("call", problem)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_word_gets_the_type_that_the_schema_has_for_it() {
        let schema = json!({"properties": {
            "label": {"type": "string"}, "limit": {"type": "integer"}, "deep": {"type": "boolean"},
        }});
        let words = ["label=7", "limit=7", "deep=true", "other=7", "label_of=a=b"];
        let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
        let typed = parse("t", &words).unwrap();
        let expected = json!({
            "label": "7", "limit": 7, "deep": true, "other": "7", "label_of": "a=b",
        });
        assert_eq!(Value::Object(fitted(typed, &schema)), expected);
    }

    #[test]
    fn a_word_that_does_not_fit_stays_a_text() {
        let schema = json!({"properties": {"limit": {"type": "integer"}}});
        let typed = parse("t", &["limit=many".to_owned()]).unwrap();
        assert_eq!(
            Value::Object(fitted(typed, &schema)),
            json!({"limit": "many"})
        );
    }
}
