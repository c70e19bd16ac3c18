//! The fields of service accounts and of their bindings.

use async_graphql::dynamic::FieldValue;

use crate::graphql::call::Call;
use crate::graphql::node::{self, AccountView, Answer, Node, Seen, maybe, text, time};
use crate::line::Line;
use crate::state::account::{Account, Binding, Breakage};
use crate::state::roles::{Entity, Level};

pub(crate) fn account(view: &AccountView, call: &Call<'_>) -> Answer {
    let (field, account) = (call.field(), &view.account);
    let line = call.line();
    Ok(match field {
        "apiKey" | "label" | "category" | "active" | "lastUsedAt" | "createdAt" | "updatedAt"
            if call.loses_scalars() =>
        {
            None
        }
        "id" if account.breakage == Some(Breakage::Row) => None,
        "id" => text(&account.id),
        "apiKey" if view.masked => text(account.masked_key()),
        "apiKey" => text(&account.key),
        "label" => maybe(account.label.as_deref()),
        "category" => maybe(account.category.as_deref()),
        "active" => Some(FieldValue::value(true)),
        "lastUsedAt" => account.last_used_at.and_then(time),
        "createdAt" => time(account.created_at),
        "updatedAt" => time(account.updated_at),
        "roleBinding" | "roleBindings" if view.seen == Seen::Deleted => None,
        "roleBinding" => node::bindings(account).next().map(FieldValue::from),
        "roleBindings" => Some(FieldValue::list(node::bindings(account))),
        _ => entity_field(field, entity_shown(view, line), line),
    })
}

/// The entity that the account's own fields speak of. Today they are no help: they are empty, and where an account has
/// several bindings they speak of the last one, whatever list it stands in.
fn entity_shown(view: &AccountView, line: Line) -> Option<&Entity> {
    let bindings = &view.account.bindings;
    let binding = match (view.seen, line) {
        (Seen::Deleted, _) | (Seen::New, Line::Today) => None,
        (Seen::On(_), Line::Today) => bindings.last().filter(|_| bindings.len() > 1),
        (Seen::New, Line::Of2020) => bindings.first(),
        // Each read looks at bindings of its own level only.
        (Seen::On(level), Line::Of2020) => {
            let here = |binding: &&Binding| binding.grant.entity.level() == level;
            bindings.first().filter(here)
        }
    };
    binding.map(|binding| &binding.grant.entity)
}

fn entity_field(field: &str, entity: Option<&Entity>, line: Line) -> Option<FieldValue<'static>> {
    let level = entity.map(Entity::level);
    let id = entity.and_then(Entity::id);
    match (field, level, line) {
        ("entityType", Some(Level::Workspace), _) => text("WORKSPACE"),
        ("entityType", Some(Level::Deployment), _) | ("entityType", _, Line::Of2020) => {
            text("DEPLOYMENT")
        }
        ("entityType", _, Line::Today) => text("SYSTEM"),
        ("entityUuid", _, _) => maybe(id),
        ("workspaceUuid", Some(Level::Workspace), Line::Today) => maybe(id),
        ("deploymentUuid", Some(Level::Deployment), Line::Today) => maybe(id),
        _ => None,
    }
}

pub(crate) fn binding(binding: &Binding, account: Option<&Account>, call: &Call<'_>) -> Answer {
    let grant = &binding.grant;
    match (call.field(), &grant.entity) {
        ("id", _) => Ok(text(&binding.id)),
        ("role", _) => Ok(text(grant.role.name())),
        ("createdAt", _) => Ok(time(binding.created_at)),
        ("serviceAccount", entity) => {
            let seen = Seen::On(entity.level());
            Ok(account.map(|account| Node::account(call, account.clone(), seen).into()))
        }
        ("workspace", Entity::Workspace(id)) => node::workspace(call, id),
        ("deployment", Entity::Deployment(id)) => node::deployment(call, id),
        _ => Ok(None),
    }
}
