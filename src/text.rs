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
            c if is_deceptive(c) => clean.extend(c.escape_default()),
            c => clean.push(c),
        }
    }
    if text.chars().nth(longest).is_some() {
        clean.push('…');
    }
    clean
}

/// Text for a terminal, in one line: nothing in it moves the cursor or turns the writing.
pub fn on_one_line(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            c if is_deceptive(c) => clean.extend(c.escape_default()),
            c => clean.push(c),
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
    fn foreign_text_cannot_forge_what_stands_around_it() {
        assert_eq!(quoted("ci"), "'ci'");
        assert_eq!(
            quoted("a' deleted\n\u{202e}x\u{1b}[31m"),
            r"'a\' deleted\n\u{202e}x\u{1b}[31m'"
        );
        assert_eq!(quoted(&"ü".repeat(81)), format!("'{}…'", "ü".repeat(80)));
    }
}
