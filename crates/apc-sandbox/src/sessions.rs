//! Who is calling: users' tokens, service accounts' keys, and the bindings behind them.
//! Tells no reason for not knowing somebody, as the API tells none.

use chrono::{DateTime, TimeDelta, Utc};

use super::ids;
use super::roles::Binding;
use super::store::{Store, now};

/// A token that was given out.
pub(super) struct Session {
    user: String,
    expires: DateTime<Utc>,
}

/// Somebody the API knows, with all they are bound to.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) bindings: Vec<Binding>,
}

impl Store {
    /// Gives out a user's token; a negative lifetime makes one that has expired.
    pub(super) fn sign_in(&mut self, user: &str, lifetime: TimeDelta) -> String {
        let expires = now() + lifetime;
        let issued = now().min(expires) - TimeDelta::minutes(1);
        let token = ids::jwt(user, issued, expires);
        let user = user.into();
        self.sessions
            .insert(token.clone(), Session { user, expires });
        token
    }

    /// The caller behind an `Authorization` header: a bare token, or exactly `Bearer ` before it.
    pub(super) fn caller(&self, authorization: Option<&str>) -> Option<Caller> {
        let value = authorization?;
        let token = value.strip_prefix("Bearer ").unwrap_or(value);
        let bindings = match token.len() == 32 && !token.contains('.') {
            true => self.key_holder(token)?,
            false => self.user_of(token)?,
        };
        Some(Caller { bindings })
    }

    fn key_holder(&self, key: &str) -> Option<Vec<Binding>> {
        let mut accounts = self.accounts.values();
        let account = accounts.find(|account| account.key == key)?;
        Some(vec![account.binding.clone()])
    }

    fn user_of(&self, token: &str) -> Option<Vec<Binding>> {
        let session = self.sessions.get(token)?;
        let bindings = self.users.get(&session.user)?;
        (session.expires > now()).then(|| bindings.clone())
    }
}
