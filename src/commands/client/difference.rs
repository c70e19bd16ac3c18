//! The difference between the entry that is there and the new one, in lines for people. Shows no secret of either.

use std::iter;

use super::entry::Entry;
use crate::guards::secret::without_secret_shapes;
use crate::guards::text::on_one_line;

/// The form in which a value of the old entry shows that may be a secret.
const NOT_SHOWN: &str = "(not shown)";

/// The longest word of an old entry that shows.
const WORD_MAX: usize = 24;

/// The old lines that go, and all new ones, each with its mark.
pub fn lines(old: Option<&Entry>, new: &Entry) -> Vec<String> {
    let old = old.map(|old| shown(old, new)).unwrap_or_default();
    let new = shown(new, new);
    let gone = old.iter().filter(|line| !new.contains(line));
    let gone = gone.map(|line| format!("- {line}"));
    let mark = |line: &String| if old.contains(line) { " " } else { "+" };
    let there = new.iter().map(|line| format!("{} {line}", mark(line)));
    gone.chain(there).collect()
}

/// The lines of an entry. A value that is not in the new entry may be a secret of any form, so it is not shown.
fn shown(entry: &Entry, new: &Entry) -> Vec<String> {
    let command = iter::once(format!("command  {}", command(&entry.command, new)));
    let arguments = arguments(&entry.arguments, new);
    let arguments = arguments.map(|argument| format!("argument {argument}"));
    let variables = entry.variables.iter().map(|(name, value)| {
        let value = match new.variables.get(name) == Some(value) {
            true => safe(value),
            false => NOT_SHOWN.to_owned(),
        };
        format!("variable {}={value}", safe(name))
    });
    command.chain(arguments).chain(variables).collect()
}

fn safe(text: &str) -> String {
    on_one_line(&without_secret_shapes(text))
}

/// The program, unless it may be a whole command line.
fn command(command: &str, new: &Entry) -> String {
    let may_hold_a_secret = command.contains(['=', '@']) || command.contains("://");
    match command != new.command && (may_hold_a_secret || command.contains(" -")) {
        true => NOT_SHOWN.to_owned(),
        false => safe(command),
    }
}

/// The arguments. A word after a flag may be the value of the flag.
fn arguments<'a>(arguments: &'a [String], new: &'a Entry) -> impl Iterator<Item = String> + 'a {
    let before = iter::once(None).chain(arguments.iter().map(Some));
    arguments.iter().zip(before).map(|(argument, before)| {
        let follows_a_flag = before.is_some_and(|before| is_flag(before));
        if new.arguments.contains(argument)
            || is_flag(argument)
            || !follows_a_flag && is_word(argument)
        {
            return safe(argument);
        }
        match argument.split_once('=') {
            Some((flag, _)) if is_flag(flag) => format!("{}={NOT_SHOWN}", safe(flag)),
            _ => NOT_SHOWN.to_owned(),
        }
    })
}

/// Tells if an argument is the name of a flag and nothing more, such as `--read-only`.
fn is_flag(argument: &str) -> bool {
    let is_long = argument.strip_prefix("--").is_some_and(is_word);
    is_long || argument.starts_with('-') && argument.len() == 2
}

/// Tells if a text is a short word of small letters and hyphens, as no key is.
fn is_word(text: &str) -> bool {
    let is_letter = |letter: char| letter.is_ascii_lowercase() || letter == '-';
    (1..=WORD_MAX).contains(&text.len()) && !text.starts_with('-') && text.chars().all(is_letter)
}
