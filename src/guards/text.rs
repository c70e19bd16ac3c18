//! Foreign text in our own sentences: labels, messages of the API, names of clients.
//! Lets through nothing that could forge the words around it or change how they are shown.

/// The longest piece of foreign text in a sentence, in characters.
const QUOTED_MAX: usize = 80;

/// Foreign text in a sentence: quoted, harmless, cut at 80 characters.
pub fn quoted(text: &str) -> String {
    format!("'{}'", harmless(text, QUOTED_MAX))
}

/// Foreign text without quotes: controls and deceptive marks escaped, cut at that many characters.
pub fn harmless(text: &str, longest: usize) -> String {
    let mut clean = String::new();
    for character in text.chars().take(longest) {
        match character {
            '\'' | '\\' => clean.extend(['\\', character]),
            c => push_shown(&mut clean, c),
        }
    }
    if text.chars().nth(longest).is_some() {
        clean.push('…');
    }
    clean
}

fn push_shown(clean: &mut String, character: char) {
    match is_deceptive(character) {
        true => clean.extend(character.escape_default()),
        false => clean.push(character),
    }
}

/// The length from which a single line counts as a long message, in characters.
const LONG: usize = 280;

/// The first line and the last sentence of a long message: database layers write many lines between the two.
pub fn gist(message: &str) -> String {
    let lines = message.lines().map(str::trim);
    let mut lines = lines.filter(|line| !line.is_empty());
    let Some(first) = lines.next() else {
        return String::new();
    };
    match lines.next_back() {
        Some(last) => format!("{first} … {}", last_sentence(last)),
        None if first.chars().count() > LONG => {
            let beginning: String = first.chars().take(LONG / 2).collect();
            format!("{beginning} … {}", last_sentence(first))
        }
        None => first.to_owned(),
    }
}

fn last_sentence(line: &str) -> &str {
    let body = line.trim_end_matches(['.', '!', ' ']);
    let start = body.rfind(". ").map_or(0, |end| end + 2);
    line.get(start..).unwrap_or(line)
}

/// Text for a terminal, in one line: nothing in it moves the cursor or turns the writing.
pub fn on_one_line(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    text.chars().for_each(|c| push_shown(&mut clean, c));
    clean
}

/// Escapes all control and bidirectional characters in the strings of a JSON text: JSON itself escapes only some.
/// Line feeds, which stand between values and never within one, stay.
pub fn harmless_json(json: &str) -> String {
    let mut clean = String::with_capacity(json.len());
    for character in json.chars() {
        if character == '\n' || !is_deceptive(character) {
            clean.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            clean.push_str(&format!("\\u{unit:04x}"));
        }
    }
    clean
}

/// Controls, line separators, and marks that are invisible or turn the direction of writing.
pub fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_shows_no_deceptive_mark_and_reads_as_before() {
        let value = serde_json::json!({"label": "a\u{9b}31m\u{202e}b\u{e0041}\n"});
        let json = harmless_json(&serde_json::to_string_pretty(&value).unwrap());
        assert!(json.is_ascii(), "{json}");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&json).unwrap(),
            value
        );
    }

    #[test]
    fn foreign_text_cannot_forge_what_stands_around_it() {
        assert_eq!(quoted("ci"), "'ci'");
        assert_eq!(
            quoted("a' deleted\n\u{202e}x\u{1b}[31m"),
            r"'a\' deleted\n\u{202e}x\u{1b}[31m'"
        );
        assert_eq!(quoted(&"ü".repeat(81)), format!("'{}…'", "ü".repeat(80)));
    }

    #[test]
    fn the_gist_is_the_first_line_and_the_last_sentence() {
        let database = "\nInvalid `prisma.serviceAccount.create()` invocation:\n\n\n  Some hint. An operation failed: no record was found.\n";
        assert_eq!(
            gist(database),
            "Invalid `prisma.serviceAccount.create()` invocation: … An operation failed: no record was found."
        );
        for (message, expected) in [
            ("", ""),
            (" \n \n", ""),
            ("One line. Two sentences.", "One line. Two sentences."),
            ("first\nlast", "first … last"),
        ] {
            assert_eq!(gist(message), expected);
        }
        let line = format!("begin {}. The reason is here.", "x".repeat(400));
        let short = gist(&line);
        assert!(
            short.starts_with("begin x") && short.ends_with("… The reason is here."),
            "{short}"
        );
        assert!(short.chars().count() < 200, "{short}");
    }
}
