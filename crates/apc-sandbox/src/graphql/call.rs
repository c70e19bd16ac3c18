//! A field that is being resolved: its arguments, its place in the document, and who asks.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use async_graphql::Value;
use async_graphql::dynamic::ResolverContext;
use serde_json::json;

use crate::graphql::words::Dialect;
use crate::handle::Handle;
use crate::line::Line;
use crate::state::refusal::Refusal;
use crate::state::roles::{Action, Entity};
use crate::state::store::Store;
use crate::state::tokens::Caller;

/// The sender of a request, with what was decided about its fields so far.
pub(crate) struct Asker {
    pub(crate) caller: Option<Caller>,
    /// The names in the answer of top-level fields with an untyped fragment, on which the API of 2020 crashes.
    pub(crate) untyped: HashSet<String>,
    /// The first verdict about each field.
    pub(crate) verdicts: Mutex<HashMap<String, Result<(), Refusal>>>,
}

pub(crate) struct Call<'a> {
    pub(crate) context: &'a ResolverContext<'a>,
    pub(crate) handle: &'a Handle,
    pub(crate) asker: &'a Asker,
}

impl<'a> Call<'a> {
    pub(crate) fn of(context: &'a ResolverContext<'a>) -> async_graphql::Result<Call<'a>> {
        Ok(Call {
            context,
            handle: context.data::<Handle>()?,
            asker: context.data::<Asker>()?,
        })
    }

    pub(crate) fn line(&self) -> Line {
        self.handle.line()
    }

    /// The field's name in the schema.
    pub(crate) fn field(&self) -> &str {
        self.context.field().name()
    }

    /// The field's name in the answer.
    pub(crate) fn key(&self) -> &str {
        let field = self.context.field();
        field.alias().unwrap_or(field.name())
    }

    /// Tells whether the field is asked for under another name, by which the API of 2020 loses most scalars.
    pub(crate) fn loses_scalars(&self) -> bool {
        self.line() == Line::Of2020 && self.key() != self.field()
    }

    /// Tells whether this field is selected below, directly or in a fragment, by whatever alias.
    pub(crate) fn selects(&self, field: &str) -> bool {
        self.context.look_ahead().field(field).exists()
    }

    /// The path of the field in the answer.
    pub(crate) fn path(&self) -> Value {
        let path = json!(self.context.path_node.as_ref());
        Value::from_json(path).unwrap_or_default()
    }

    /// An argument; none if it is null or was left out.
    pub(crate) fn argument(&self, name: &str) -> Option<&Value> {
        let value = self.context.args.as_index_map().get(name)?;
        (*value != Value::Null).then_some(value)
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        match self.argument(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Enum(name) => Some(name.to_string()),
            other => Some(other.to_string()),
        }
    }

    /// A required id. The API takes any value for one.
    pub(crate) fn id(&self, name: &str) -> String {
        self.text(name).unwrap_or_default()
    }

    pub(crate) fn account_id(&self) -> String {
        self.id("serviceAccountUuid")
    }

    pub(crate) fn workspace(&self) -> Entity {
        Entity::Workspace(self.id("workspaceUuid"))
    }

    pub(crate) fn deployment(&self) -> Entity {
        Entity::Deployment(self.id("deploymentUuid"))
    }

    pub(crate) fn store<T>(&self, with: impl FnOnce(&mut Store) -> T) -> T {
        with(&mut self.handle.scene().store)
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.store(|store| Dialect::of(store))
    }

    pub(crate) fn caller(&self) -> Result<&Caller, Refusal> {
        self.asker.caller.as_ref().ok_or(Refusal::Unauthenticated)
    }

    /// Refuses a caller that is unknown or lacks the right. Today the first verdict about a field holds for the whole
    /// request, whatever the arguments of later ones.
    pub(crate) fn authorize(&self, action: Action, entity: &Entity) -> Result<(), Refusal> {
        let judge = || {
            let caller = self.caller()?;
            let allowed = self.store(|store| store.allows(caller, action, entity));
            allowed.then_some(()).ok_or(Refusal::NotPermitted)
        };
        match self.line() {
            Line::Of2020 => judge(),
            Line::Today => {
                let verdicts = self.asker.verdicts.lock();
                let mut verdicts = verdicts.unwrap_or_else(PoisonError::into_inner);
                let first = verdicts.entry(self.field().into());
                first.or_insert_with(judge).clone()
            }
        }
    }
}
