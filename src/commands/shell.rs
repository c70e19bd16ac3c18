//! Words as a person can paste them into a shell.

/// The signs without a meaning of their own.
const PLAIN: &str = if cfg!(windows) {
    "-_./=:\\"
} else {
    "-_./=:,+@%"
};

/// One line that a shell splits into exactly these words.
pub fn line(words: &[String]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| quoted(word)).collect();
    quoted.join(" ")
}

/// One word, in quotes where a shell would read more into it than letters. PowerShell doubles a quote within quotes.
pub fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || PLAIN.contains(letter);
    if !word.is_empty() && !word.starts_with('=') && word.chars().all(is_plain) {
        return word.to_owned();
    }
    match cfg!(windows) {
        true => format!("'{}'", word.replace('\'', "''")),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_shell_reads_the_words_that_were_meant() {
        let words = [
            "a b",
            "it's",
            "",
            "$HOME",
            "{\"name\":\"x\"}",
            "a\nb",
            "`id`",
            "*",
            "--plain=1",
            "~",
        ];
        let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
        let script = format!("printf '%s\\0' {}", line(&words));
        let printed = std::process::Command::new("sh")
            .args(["-c", &script])
            .output()
            .unwrap();
        let printed = String::from_utf8(printed.stdout).unwrap();
        let read: Vec<_> = printed.split_terminator('\0').collect();
        assert_eq!(read, words);
    }
}
