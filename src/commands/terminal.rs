//! Output for people: the width of the terminal, lines wrapped to it, and JSON in colours.
//! A reader that has gone, as with `| head`, is no failure of a command.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use terminal_size::{Height, Width};

const KEY: Style = AnsiColor::Cyan.on_default();
const TEXT: Style = AnsiColor::Green.on_default();

/// The width below which wrapping would only break words.
const WIDTH_MIN: usize = 30;

/// Prints a line on standard output. Fails if it cannot be written although somebody reads it.
pub fn print(line: impl Display) -> io::Result<()> {
    unless_gone(writeln!(anstream::stdout(), "{line}"))
}

/// Prints a line on standard error. Fails as [`print()`] does.
pub fn note(line: impl Display) -> io::Result<()> {
    unless_gone(writeln!(anstream::stderr(), "{line}"))
}

fn unless_gone(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Prints a text on standard output, wrapped to the width of the terminal.
pub fn print_wrapped(text: &str) -> io::Result<()> {
    print(wrapped(text, 0, width()))
}

/// Prints a text on standard error, wrapped to the width of the terminal.
pub fn note_wrapped(text: &str) -> io::Result<()> {
    note(wrapped(text, 0, width_of_errors()))
}

/// Tells if somebody can see a question and answer it: both ends are a terminal.
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Tells if a line that was typed is a yes.
pub fn is_yes(line: &str) -> bool {
    ["y", "yes"].contains(&line.trim().to_ascii_lowercase().as_str())
}

/// The width of standard output in columns, if it is a terminal.
pub fn width() -> Option<usize> {
    columns(terminal_size::terminal_size_of(io::stdout()))
}

/// The width of standard error in columns, if it is a terminal.
pub fn width_of_errors() -> Option<usize> {
    columns(terminal_size::terminal_size_of(io::stderr()))
}

fn columns(size: Option<(Width, Height)>) -> Option<usize> {
    let (Width(columns), _) = size?;
    Some(usize::from(columns).max(WIDTH_MIN))
}

/// Breaks a text between words so that no line is longer than `width`, where there is one. The lines after the first begin
/// with `indent` blanks, and the first one counts as beginning with as many. A longer word stays whole.
pub fn wrapped(text: &str, indent: usize, width: Option<usize>) -> String {
    let Some(width) = width else {
        return text.to_owned();
    };
    let mut lines = String::with_capacity(text.len());
    let mut column = indent;
    for word in text.split(' ') {
        let length = word.chars().count();
        if column > indent && column + 1 + length > width {
            lines.push('\n');
            lines.extend(std::iter::repeat_n(' ', indent));
            column = indent;
        } else if column > indent {
            lines.push(' ');
            column += 1;
        }
        lines.push_str(word);
        column += length;
    }
    lines
}

/// JSON as it is printed in lines, with colours that only a terminal shows.
pub fn coloured(json: &str) -> String {
    let lines: Vec<_> = json.lines().map(coloured_line).collect();
    lines.join("\n")
}

fn coloured_line(line: &str) -> String {
    let (blanks, rest) = line.split_at(line.len() - line.trim_start().len());
    let (key, value) = match rest.split_once("\": ") {
        Some((key, value)) if rest.starts_with('"') => (format!("{KEY}{key}\"{KEY:#}: "), value),
        _ => (String::new(), rest),
    };
    if !value.starts_with('"') {
        return format!("{blanks}{key}{value}");
    }
    let (text, comma) = value.split_at(value.trim_end_matches(',').len());
    format!("{blanks}{key}{TEXT}{text}{TEXT:#}{comma}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_longer_than_the_width_and_no_word_is_lost() {
        let text =
            "the quick brown fox jumps over the lazy dog and a-word-that-is-longer-than-a-line";
        let wrapped = wrapped(text, 6, Some(30));
        let words: Vec<_> = wrapped.split_whitespace().collect();
        assert_eq!(words.join(" "), text);
        for (number, line) in wrapped.lines().enumerate() {
            assert!(number == 0 || line.starts_with("      "), "{wrapped}");
            let is_one_word = line.trim().split(' ').count() == 1;
            let length = line.chars().count() + if number == 0 { 6 } else { 0 };
            assert!(length <= 30 || is_one_word, "{wrapped}");
        }
        assert!(wrapped.lines().count() > 3);
    }

    #[test]
    fn a_text_stays_as_it_is_where_there_is_no_width() {
        assert_eq!(wrapped("a  b", 6, None), "a  b");
    }

    #[test]
    fn colours_change_no_character_of_json() {
        let json = "{\n  \"a\\\": b\": \"c: \\\",\",\n  \"d\": [\n    \"e\",\n    1\n  ]\n}";
        let coloured = coloured(json);
        assert!(coloured.contains('\u{1b}'));
        assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), json);
    }
}
