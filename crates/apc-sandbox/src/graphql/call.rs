//! A field that is being resolved: its arguments, its place in the document, and who asks.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use async_graphql::Value;
use async_graphql::dynamic::ResolverContext;
use serde_json::json;

use crate::handle::{Handle, Scene};
use crate::line::Line;
use crate::state::refusal::Refusal;
use crate::state::roles::{Action, Entity};
use crate::state::tokens::Caller;

/// The sender of a request, with what was decided about its fields so far.
pub(crate) struct Asker {
    line: Line,
    caller: Option<Caller>,
    /// Response keys of top-level fields on whose selection the API of 2020 crashes.
    pub(crate) unreadable: HashSet<String>,
    verdicts: Mutex<HashMap<String, Result<(), Refusal>>>,
}

impl Asker {
    pub(crate) fn new(line: Line, caller: Option<Caller>, unreadable: HashSet<String>) -> Asker {
        Asker {
            line,
            caller,
            unreadable,
            verdicts: Mutex::default(),
        }
    }

    /// The first verdict about a field holds for the whole request, whatever the arguments of later ones.
    fn first_verdict(
        &self,
        field: &str,
        judge: impl FnOnce() -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let mut verdicts = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
        verdicts.entry(field.into()).or_insert_with(judge).clone()
    }
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
        self.asker.line
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

    pub(crate) fn is_aliased(&self) -> bool {
        self.key() != self.field()
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

    pub(crate) fn workspace(&self) -> Entity {
        Entity::Workspace(self.id("workspaceUuid"))
    }

    pub(crate) fn deployment(&self) -> Entity {
        Entity::Deployment(self.id("deploymentUuid"))
    }

    pub(crate) fn look<T>(&self, at: impl FnOnce(&Scene) -> T) -> T {
        at(&self.handle.scene())
    }

    pub(crate) fn change<T>(&self, with: impl FnOnce(&mut Scene) -> T) -> T {
        with(&mut self.handle.scene())
    }

    pub(crate) fn caller(&self) -> Result<&Caller, Refusal> {
        self.asker.caller.as_ref().ok_or(Refusal::Unauthenticated)
    }

    /// Refuses a caller that is unknown or lacks the right. Today only the first of several equal fields is judged.
    pub(crate) fn authorize(&self, action: Action, entity: &Entity) -> Result<(), Refusal> {
        let judge = || {
            let caller = self.asker.caller.as_ref();
            self.look(|scene| scene.store.authorize(caller, action, entity))
        };
        match self.line() {
            Line::Of2020 => judge(),
            Line::Today => self.asker.first_verdict(self.field(), judge),
        }
    }
}
