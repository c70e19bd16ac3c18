//! The objects and the values that answers are made of.

use async_graphql::Value;
use async_graphql::dynamic::FieldValue;
use chrono::{DateTime, SecondsFormat, Utc};

use crate::graphql::call::Call;
use crate::line::Line;
use crate::state::account::{Account, Binding, Breakage};
use crate::state::refusal::Refusal;
use crate::state::roles::{Entity, Level};
use crate::state::store::{Deployment, Workspace};

/// The value of a field. None is null, or an error where null is not allowed.
pub(crate) type Answer = Result<Option<FieldValue<'static>>, Refusal>;

/// An object, before its fields are asked for.
pub(crate) enum Node {
    Account(AccountView),
    /// A binding, and the account it belongs to unless it is a user's.
    Binding(Binding, Option<Account>),
    Workspace(Workspace),
    Deployment(Deployment),
    AppConfig,
}

/// An account as one operation shows it.
pub(crate) struct AccountView {
    pub(crate) account: Account,
    pub(crate) seen: Seen,
    pub(crate) masked: bool,
}

/// The operation that shows an account.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// The one that created it.
    New,
    /// The one that deleted it: its bindings are gone.
    Deleted,
    /// One that reads or updates accounts of this level.
    On(Level),
}

impl From<Node> for FieldValue<'static> {
    fn from(node: Node) -> FieldValue<'static> {
        FieldValue::owned_any(node)
    }
}

impl Node {
    pub(crate) fn account(call: &Call<'_>, account: Account, seen: Seen) -> Node {
        let (old, masks_new) = call.store(|store| {
            let old = account.is_old(store.now());
            (old, store.masks_new_keys)
        });
        // The API of 2020 masks an old key only where the date of its creation is selected as well.
        let notices_age = call.line() == Line::Today || call.selects("createdAt");
        let masked = (old && notices_age) || (masks_new && seen == Seen::New);
        Node::Account(AccountView {
            account,
            seen,
            masked,
        })
    }
}

pub(crate) fn text(text: impl Into<String>) -> Option<FieldValue<'static>> {
    Some(FieldValue::value(Value::String(text.into())))
}

pub(crate) fn maybe(text: Option<&str>) -> Option<FieldValue<'static>> {
    text.and_then(self::text)
}

/// A time in the API's spelling: UTC, with milliseconds.
pub(crate) fn time(time: DateTime<Utc>) -> Option<FieldValue<'static>> {
    text(time.to_rfc3339_opts(SecondsFormat::Millis, true))
}

pub(crate) fn one(node: Node) -> Answer {
    Ok(Some(node.into()))
}

pub(crate) fn many(nodes: impl IntoIterator<Item = Node>) -> Answer {
    Ok(Some(FieldValue::list(nodes)))
}

/// The list of an entity's accounts.
pub(crate) fn accounts_of(call: &Call<'_>, entity: &Entity) -> Answer {
    let found = call.store(|store| store.accounts_of(entity));
    accounts(call, found, entity.level())
}

/// A list of accounts, unless one of them breaks the whole list.
pub(crate) fn accounts(call: &Call<'_>, accounts: Vec<Account>, level: Level) -> Answer {
    let breaks = |account: &Account| account.breakage == Some(Breakage::List);
    if let Some(index) = accounts.iter().position(breaks) {
        let list = call.key().into();
        return Err(Refusal::BrokenRow { list, index });
    }
    let view = |account| Node::account(call, account, Seen::On(level));
    many(accounts.into_iter().map(view))
}

pub(crate) fn bindings(account: &Account) -> impl Iterator<Item = Node> {
    let bindings = account.bindings.iter().cloned();
    bindings.map(|binding| Node::Binding(binding, Some(account.clone())))
}

pub(crate) fn workspace(call: &Call<'_>, id: &str) -> Answer {
    let found = call.store(|store| store.find_workspace(id).cloned());
    Ok(found.map(|found| Node::Workspace(found).into()))
}

pub(crate) fn deployment(call: &Call<'_>, id: &str) -> Answer {
    let found = call.store(|store| store.find_deployment(id).cloned());
    Ok(found.map(|found| Node::Deployment(found).into()))
}
