//! The kind of a token and its date of expiry, read from its form.
//! Verifies nothing: the claims are the token's own word.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::guards::secret::Secret;

/// The kind of a token, read from its form as the API does: 32 characters without a dot are a
/// service account's key, anything else is a user's JWT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// The key of a service account; it does not expire.
    ServiceAccountKey,
    /// A user's token, with the moment it expires where that can be read from it.
    UserToken { expires: Option<DateTime<Utc>> },
}

impl TokenKind {
    /// Reads a token's kind. Nothing is verified: the claims are the token's own word.
    pub fn of(token: &Secret) -> Self {
        let text = token.expose();
        if text.chars().count() == 32 && !text.contains('.') {
            return Self::ServiceAccountKey;
        }
        Self::UserToken {
            expires: expiry(text),
        }
    }
}

fn expiry(jwt: &str) -> Option<DateTime<Utc>> {
    #[derive(Deserialize)]
    struct Claims {
        exp: f64,
    }
    let payload = jwt.split('.').nth(1)?.trim_end_matches('=');
    let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a saturated date is still a date or None"
    )]
    DateTime::from_timestamp(claims.exp as i64, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jwts_expiry_is_read_and_anything_else_has_none() {
        // {"exp":1793577600} = 2026-11-02
        let jwt = Secret::new("eyJhbGciOiJub25lIn0.eyJleHAiOjE3OTM1Nzc2MDB9.c2ln");
        let TokenKind::UserToken {
            expires: Some(expires),
        } = TokenKind::of(&jwt)
        else {
            panic!("the expiry was not read");
        };
        assert_eq!(expires.format("%Y-%m-%d").to_string(), "2026-11-02");
        assert_eq!(
            TokenKind::of(&Secret::new("no-jwt-at-all")),
            TokenKind::UserToken { expires: None }
        );
        assert_eq!(
            TokenKind::of(&Secret::new("a".repeat(32))),
            TokenKind::ServiceAccountKey
        );
    }
}
