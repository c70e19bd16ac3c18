//! The form of API tokens. A text that cannot be one is sent nowhere, and is not shown.

use super::placeholder::{Unmeant, ValueUse};
use super::values;
use crate::guards::secret::Secret;

/// The shortest token, in characters.
const TOKEN_MIN: usize = 16;

/// The characters of tokens beside letters and digits.
const TOKEN_MARKS: &str = "- . _ ~ + / =";

/// A reason why a text cannot be an API token.
#[derive(Debug, thiserror::Error)]
pub(super) enum TokenProblem {
    #[error("it {0}")]
    Unmeant(#[from] Unmeant),
    #[error(
        "it has {} in it, which is in no token (a token is letters, digits and {TOKEN_MARKS}); it may be a placeholder, \
         or hold more than the token",
        named(*.0)
    )]
    Character(char),
    #[error("it is shorter than {} characters", TOKEN_MIN)]
    Short,
}

/// The token without the blanks and the `Bearer` that people paste around it.
pub(super) fn bare_token(token: &Secret) -> Result<Secret, TokenProblem> {
    let text = without_scheme(token.expose());
    values::not_a_placeholder(text, ValueUse::Token)?;
    if let Some(foreign) = text.chars().find(|character| !is_of_token(*character)) {
        return Err(TokenProblem::Character(foreign));
    }
    if text.len() < TOKEN_MIN {
        return Err(TokenProblem::Short);
    }
    Ok(Secret::new(text))
}

fn is_of_token(character: char) -> bool {
    character.is_ascii_alphanumeric() || character != ' ' && TOKEN_MARKS.contains(character)
}

/// The words for one character.
fn named(character: char) -> String {
    match character {
        blank if blank.is_whitespace() => "a blank or a line break".to_owned(),
        shown if shown.is_ascii_graphic() || shown.is_alphanumeric() => format!("'{shown}'"),
        hidden => format!("the character U+{:04X}", u32::from(hidden)),
    }
}

/// The text of a token without `Bearer` and the blanks around it.
pub(super) fn without_scheme(token: &str) -> &str {
    let token = token.trim();
    match token.split_once(char::is_whitespace) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => rest.trim_start(),
        _ => token,
    }
}

/// The shown form of a token: its length.
pub fn token_in_words(token: &Secret) -> String {
    let bare = bare_token(token);
    let token = bare.as_ref().unwrap_or(token);
    let characters = token.expose().trim().chars().count();
    format!("set, {characters} characters")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_true_token_is_always_accepted(
            token in prop_oneof![
                "[0-9a-f]{32}",
                "[0-9A-Za-z]{31}[0-9]",
                "eyJ[0-9A-Za-z_-]{20,80}\\.eyJ[0-9A-Za-z_-]{20,200}\\.[0-9A-Za-z_-]{20,400}",
            ],
            before in prop_oneof![Just(""), Just(" "), Just("Bearer "), Just("bearer  ")],
            after in prop_oneof![Just(""), Just(" "), Just("\r\n")],
        ) {
            let pasted = Secret::new([before, &token, after].concat());
            let bare = bare_token(&pasted).unwrap();
            prop_assert_eq!(bare.expose(), token);
        }

        #[test]
        fn a_character_that_no_token_has_is_refused_wherever_it_stands(
            start in "[0-9a-f]{0,32}",
            foreign in any::<char>(),
            end in "[0-9a-f]{1,32}",
        ) {
            prop_assume!(!is_of_token(foreign));
            let token = format!("a{start}{foreign}{end}");
            prop_assert!(bare_token(&Secret::new(token)).is_err());
        }
    }
}
