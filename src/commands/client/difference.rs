//! The difference between the entry that is there and the new one, in lines for people. Shows no secret of either.

use std::iter;

use super::entry::Entry;
use crate::guards::secret::without_secret_shapes;
use crate::guards::text::on_one_line;

/// The old lines that go, and all new ones, each with its mark.
pub fn lines(old: Option<&Entry>, new: &Entry) -> Vec<String> {
    let old = old.map(|old| shown(old, new)).unwrap_or_default();
    let new = shown(new, new);
    let gone = old.iter().filter(|line| !new.contains(line));
    let mark = |line: &String| if old.contains(line) { " " } else { "+" };
    gone.map(|line| format!("- {line}"))
        .chain(new.iter().map(|line| format!("{} {line}", mark(line))))
        .collect()
}

/// The lines of an entry. A variable that is not in the new entry may hold anything, so its value is not shown.
fn shown(entry: &Entry, new: &Entry) -> Vec<String> {
    let safe = |text: &str| on_one_line(&without_secret_shapes(text));
    let command = iter::once(format!("command  {}", safe(&entry.command)));
    let arguments = entry.arguments.iter();
    let arguments = arguments.map(|argument| format!("argument {}", safe(argument)));
    let variables = entry.variables.iter().map(|(name, value)| {
        let is_shown = new.variables.contains_key(name) && !value.contains('@');
        let value = if is_shown {
            safe(value)
        } else {
            "(not shown)".to_owned()
        };
        format!("variable {}={value}", safe(name))
    });
    command.chain(arguments).chain(variables).collect()
}
