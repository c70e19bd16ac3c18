//! A string that does not show itself, and the scrubbing of such strings out of text.
//! Refuses to print, log or serialise a secret; code that needs the value calls `expose`.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Deserializer};

use crate::guards::secret_set::SecretSet;

/// The text in place of a secret.
pub const REDACTED: &str = "[redacted]";

/// The text that hides the rest of a key, as the API writes it.
const STARS: &str = "**************************";

/// The number of characters that show of a masked key.
pub const SHOWN: usize = 6;

/// The fewest characters of a whole key. The API's have 32.
const WHOLE_MIN: usize = 16;

/// The text that hides the rest of a key where no character of its own does.
const DOTS: &str = "...";

/// The number of secrets that are remembered for scrubbing; the oldest is forgotten first.
const REMEMBERED: usize = 1_000;

/// A token or API key. `Debug` does not show it and there is no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value that must not show.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The first six characters, which show of a masked key.
    pub fn beginning(&self) -> &str {
        let end = self.0.char_indices().nth(SHOWN);
        end.map_or(&self.0, |(end, _)| self.0.get(..end).unwrap_or_default())
    }

    /// The value as the API masks it: six characters and 26 asterisks, or asterisks alone where
    /// six characters would be all of it.
    pub fn masked(&self) -> String {
        match self.beginning() {
            beginning if beginning.len() < self.0.len() => [beginning, STARS].concat(),
            _ => "*".repeat(SHOWN + STARS.len()),
        }
    }

    /// The value as results show it: at most its first six characters, and a sign for the rest.
    pub fn abbreviated(&self) -> String {
        let shown = Self::new(visible_part(&self.0).unwrap_or(&self.0));
        let beginning = shown.beginning();
        let is_all = beginning.len() == self.0.len();
        String::from(if is_all { "" } else { beginning }) + "…"
    }

    /// Tells whether a masked value may be this one: its visible part is the beginning of this one.
    pub fn may_be(&self, whole: &Self) -> bool {
        match visible_part(&self.0) {
            Some(shown) => whole.0.starts_with(shown),
            None => self == whole,
        }
    }

    /// Tells whether a masked value shows as many characters as the API shows by default.
    pub fn shows_enough(&self) -> bool {
        visible_part(&self.0).is_none_or(|shown| shown.len() >= SHOWN)
    }

    /// Tells whether the value is no whole key: somebody masked or cut it before it came here.
    pub fn is_masked(&self) -> bool {
        visible_part(&self.0).is_some()
    }
}

/// The part of a key that shows where the text is not the whole key, whatever sign hides the rest. None for a whole
/// key: letters, digits, `.`, `_` and `-` alone, and enough of them. A word in its place shows nothing.
pub fn visible_part(key: &str) -> Option<&str> {
    let end = key.find(|c| !is_token_character(c));
    let end = end.into_iter().chain(key.find(DOTS)).min();
    match end {
        Some(end) => key.get(..end),
        None if key.len() >= WHOLE_MIN => None,
        None if key.bytes().all(|byte| byte.is_ascii_hexdigit()) => Some(key),
        None => Some(""),
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

/// The secrets this process has met. Clones share one memory.
#[derive(Clone, Default)]
pub struct Secrets(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    values: SecretSet<Arc<str>>,
    by_age: VecDeque<Arc<str>>,
    /// Never forgotten.
    tokens: SecretSet<Arc<str>>,
}

impl Secrets {
    /// Remembers a secret, so that [`scrub`](Self::scrub) takes it out of every text from now on.
    pub fn remember(&self, value: &str) {
        let mut known = self.known();
        let value: Arc<str> = value.into();
        if !known.values.insert(Arc::clone(&value)) {
            return;
        }
        known.by_age.push_back(value);
        if known.by_age.len() > REMEMBERED
            && let Some(oldest) = known.by_age.pop_front()
        {
            known.values.remove(&oldest);
        }
    }

    /// Remembers a token of this server. It is never forgotten, however many keys come after it.
    pub fn remember_token(&self, token: &str) {
        self.known().tokens.insert(token.into());
    }

    /// The text without any remembered secret.
    pub fn scrub<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let known = self.known();
        match known.tokens.scrub(text) {
            Cow::Borrowed(text) => known.values.scrub(text),
            Cow::Owned(clean) => Cow::Owned(known.values.scrub(&clean).into_owned()),
        }
    }

    /// The same for text of its own: without a copy where there is no secret in it.
    pub fn scrubbed(&self, text: String) -> String {
        match self.scrub(&text) {
            Cow::Owned(clean) => clean,
            Cow::Borrowed(_) => text,
        }
    }

    /// Tells whether the text holds a remembered secret.
    pub fn are_in(&self, text: &str) -> bool {
        matches!(self.scrub(text), Cow::Owned(_))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The text without remembered secrets and without anything that has the shape of one: 32 hex
    /// digits or a JWT. For words that come from the API, which may quote keys never seen here.
    pub fn scrub_foreign(&self, text: &str) -> String {
        without_secret_shapes(&self.scrub(text))
    }
}

/// The text without anything that has the shape of a secret. For settings, which may hold a token by mistake.
pub fn without_secret_shapes(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_token_character) {
        let (before, from) = rest.split_at(start);
        let end = from.find(|c| !is_token_character(c)).unwrap_or(from.len());
        let (word, after) = from.split_at(end);
        clean.push_str(before);
        clean.push_str(if looks_secret(word) { REDACTED } else { word });
        rest = after;
    }
    clean.push_str(rest);
    clean
}

/// Tells whether the whole text has the shape of a secret: a key or a JWT, with nothing around it.
pub fn is_secret_shaped(text: &str) -> bool {
    text.chars().all(is_token_character) && looks_secret(text)
}

fn is_token_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '_')
}

fn looks_secret(word: &str) -> bool {
    has_long_hex_run(word) || looks_like_jwt(word)
}

/// API keys are 32 hex digits; a longer run holds one as well.
fn has_long_hex_run(word: &str) -> bool {
    word.split(|c: char| !c.is_ascii_hexdigit())
        .any(|run| run.len() >= 32)
}

/// Three base64url parts, the first the start of a JSON object (`{"` is `eyJ` in base64).
fn looks_like_jwt(word: &str) -> bool {
    word.find("eyJ")
        .and_then(|start| word.get(start..))
        .is_some_and(|jwt| jwt.len() >= 20 && jwt.matches('.').count() >= 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn a_secret_does_not_show_in_debug() {
        assert_eq!(format!("{:?}", Secret::new(KEY)), "Secret(…)");
    }

    #[test]
    fn a_mask_shows_six_characters_or_none() {
        assert_eq!(
            Secret::new(KEY).masked(),
            "012345**************************"
        );
        assert_eq!(
            Secret::new("1234567").masked(),
            "123456**************************"
        );
        for short in ["123456", "", "äöüäöü"] {
            assert_eq!(Secret::new(short).masked(), "*".repeat(32));
        }
    }

    #[test]
    fn a_key_is_whole_if_it_is_long_and_has_no_sign_that_hides_a_part() {
        let long = "0123456789abcdef";
        for whole in [KEY, long, "eyJhbGciOiJub25lIn0.e30..", "a-b_c.d-e_f.g-h_i"] {
            assert_eq!(visible_part(whole), None, "{whole}");
            assert!(!Secret::new(whole).is_masked(), "{whole}");
        }
        for (masked, visible) in [
            ("", ""),
            ("abcdef", "abcdef"),
            (&long[..15], &long[..15]),
            ("[REDACTED]", ""),
            ("REDACTED", ""),
            ("hidden", ""),
            ("abcdef…", "abcdef"),
            ("abcdef...", "abcdef"),
            ("abcdef..........................", "abcdef"),
            ("abcdef••••••••••••••••••••••••••", "abcdef"),
            ("0123456789abcdef\nxyz", long),
            (" 0123456789abcdef", ""),
            ("0123456789abcdeé", &long[..15]),
        ] {
            assert_eq!(visible_part(masked), Some(visible), "{masked}");
            assert!(Secret::new(masked).is_masked(), "{masked}");
        }
    }

    #[test]
    fn a_jwt_has_three_parts_and_some_length() {
        for (text, is_one) in [
            ("eyJhbGciOi.eyJ1dWlk.x", true),
            ("eyJhbGciOi.eyJ1dWlk_x", false),
            ("eyJhbGciOiJub25lIn0eyJ1dWlk", false),
            ("eyJhbGc.e30.x", false),
        ] {
            assert_eq!(is_secret_shaped(text), is_one, "{text}");
        }
    }

    #[test]
    fn results_show_six_characters_at_most() {
        for (key, shown) in [
            (KEY, "012345…"),
            ("012345**************************", "012345…"),
            ("01234567****", "012345…"),
            ("01****", "01…"),
            ("****", "…"),
            ("012345••••", "012345…"),
            ("0123456...", "012345…"),
            ("[REDACTED]", "…"),
            ("123456", "…"),
            ("", "…"),
        ] {
            assert_eq!(Secret::new(key).abbreviated(), shown, "{key}");
        }
    }

    #[test]
    fn a_remembered_secret_leaves_every_text() {
        let secrets = Secrets::default();
        secrets.remember("a-user-token-of-some-length");
        let text = secrets.scrub("header a-user-token-of-some-lengthx refused");
        assert_eq!(text, "header [redacted]x refused");
    }

    #[test]
    fn foreign_text_loses_what_looks_like_a_key_or_a_jwt() {
        let secrets = Secrets::default();
        let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjF9.c2ln";
        let text = secrets.scrub_foreign(&format!("key={KEY}, jwt ({jwt}) and ck1abc."));
        assert_eq!(text, "key=[redacted], jwt ([redacted]) and ck1abc.");
    }

    #[test]
    fn the_oldest_secret_is_forgotten_first() {
        let secrets = Secrets::default();
        for number in 0..REMEMBERED {
            secrets.remember(&format!("secret-number-{number:08}"));
        }
        let (oldest, next) = ("secret-number-00000000", "secret-number-00000001");
        assert_eq!(secrets.scrub(oldest), REDACTED);
        secrets.remember("secret-number-00001000");
        assert_eq!(secrets.scrub(oldest), oldest);
        assert_eq!(secrets.scrub(next), REDACTED);
        assert_eq!(secrets.scrub("secret-number-00001000"), REDACTED);
    }

    #[test]
    fn a_token_is_never_forgotten() {
        let secrets = Secrets::default();
        secrets.remember_token("a-user-token-of-some-length");
        for number in 0..=2 * REMEMBERED {
            secrets.remember(&format!("secret-number-{number:08}"));
        }
        let text = "secret-number-00002000 and a-user-token-of-some-length";
        assert_eq!(secrets.scrub(text), format!("{REDACTED} and {REDACTED}"));
        assert!(secrets.are_in("a-user-token-of-some-length"));
    }
}
