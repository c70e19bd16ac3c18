//! The GraphQL engine of a line, built from the text of its schema.

use async_graphql::dynamic::{
    Enum, Field, FieldFuture, InputValue, Object, Scalar, Schema, SchemaBuilder, SchemaError,
    TypeRef,
};
use async_graphql::parser::types::{BaseType, FieldDefinition, Type, TypeDefinition, TypeKind};

use crate::graphql::account_fields;
use crate::graphql::call::Call;
use crate::graphql::definitions::Definitions;
use crate::graphql::mutations;
use crate::graphql::node::{Answer, Node};
use crate::graphql::place_fields;
use crate::graphql::queries;
use crate::graphql::reply::FAILED_AT;
use crate::graphql::words::{with, words};
use crate::handle::Handle;
use crate::line::Line;
use crate::state::refusal::Refusal;

/// An engine, the definitions it was made of, and the installation behind it.
pub(crate) struct Engine {
    pub(crate) handle: Handle,
    pub(crate) schema: Schema,
    pub(crate) definitions: Definitions,
}

impl Engine {
    pub(crate) fn new(handle: Handle) -> Result<Engine, SchemaError> {
        let definitions = Definitions::of(handle.line());
        let definitions = definitions.map_err(|error| SchemaError(error.to_string()))?;
        let builder = Schema::build("Query", Some("Mutation"), None).data(handle.clone());
        let schema = definitions.types.iter().fold(builder, register).finish()?;
        Ok(Engine {
            handle,
            schema,
            definitions,
        })
    }
}

fn register(builder: SchemaBuilder, definition: &TypeDefinition) -> SchemaBuilder {
    let name = definition.name.node.as_str();
    match &definition.kind {
        TypeKind::Scalar => builder.register(Scalar::new(name)),
        TypeKind::Enum(found) => {
            let values = found.values.iter();
            let values = values.map(|value| value.node.value.node.as_str());
            builder.register(Enum::new(name).items(values))
        }
        TypeKind::Object(found) => {
            let fields = found.fields.iter().map(|found| field(name, &found.node));
            builder.register(fields.fold(Object::new(name), Object::field))
        }
        // No schema of the API has others.
        _ => builder,
    }
}

fn field(owner: &str, definition: &FieldDefinition) -> Field {
    let ty = &definition.ty.node;
    let place = FieldPosition {
        owner: owner.into(),
        required: !ty.nullable,
    };
    let name = definition.name.node.as_str();
    let field = Field::new(name, reference(ty), move |context| {
        let place = place.clone();
        FieldFuture::new(async move {
            let call = Call::of(&context)?;
            let answer = place.answer(&call).await;
            answer.map_err(|refusal| {
                let error = words(refusal, call.dialect());
                with(error, FAILED_AT, call.path())
            })
        })
    });
    definition.arguments.iter().fold(field, |field, argument| {
        let (name, ty) = (&argument.node.name.node, &argument.node.ty.node);
        field.argument(InputValue::new(name.as_str(), reference(ty)))
    })
}

fn reference(ty: &Type) -> TypeRef {
    let base = match &ty.base {
        BaseType::Named(name) => TypeRef::named(name.as_str()),
        BaseType::List(inner) => TypeRef::List(Box::new(reference(inner))),
    };
    match ty.nullable {
        true => base,
        false => TypeRef::NonNull(Box::new(base)),
    }
}

/// The position of a field in the schema.
#[derive(Clone)]
struct FieldPosition {
    owner: String,
    required: bool,
}

impl FieldPosition {
    async fn answer(&self, call: &Call<'_>) -> Answer {
        let is_root = matches!(self.owner.as_str(), "Query" | "Mutation");
        let crashes = is_root && call.line() == Line::Of2020;
        if crashes && call.asker.untyped.contains(call.key()) {
            return Err(Refusal::Crash {
                property: "name",
                nothing: "undefined",
            });
        }
        let value = match self.owner.as_str() {
            "Query" => queries::resolve(call)?,
            "Mutation" => mutations::resolve(call).await?,
            _ => {
                let node = call.context.parent_value.downcast_ref();
                node.map_or(Ok(None), |node| of_node(node, call))?
            }
        };
        if value.is_none() && self.required {
            let field = format!("{}.{}", self.owner, call.field());
            return Err(Refusal::NoValue(field));
        }
        Ok(value)
    }
}

fn of_node(node: &Node, call: &Call<'_>) -> Answer {
    match node {
        Node::Account(view) => account_fields::account(view, call),
        Node::Binding(binding, account) => account_fields::binding(binding, account.as_ref(), call),
        Node::Workspace(workspace) => place_fields::workspace(workspace, call),
        Node::Deployment(deployment) => place_fields::deployment(deployment, call),
        Node::AppConfig => place_fields::app_config(call),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graphql::definitions::text;
    use crate::state::store::Store;

    /// The indented lines of a schema's text, with the head of their block.
    fn fields(sdl: &str) -> Vec<String> {
        let mut head = "";
        let mut fields = Vec::new();
        for line in sdl.lines().filter(|line| !line.trim().starts_with('#')) {
            match line.starts_with(char::is_whitespace) {
                true => fields.push(format!("{head} {}", line.trim())),
                false => head = line,
            }
        }
        fields.retain(|line| !line.starts_with("schema") && !line.trim().is_empty());
        fields.sort();
        fields
    }

    #[test]
    fn the_served_schema_is_the_documented_one() {
        for line in [Line::Today, Line::Of2020] {
            let handle = Handle::new(Store::empty().line(line));
            let Ok(engine) = Engine::new(handle) else {
                panic!("the schema of line {line} cannot be served");
            };
            assert_eq!(fields(&engine.schema.sdl()), fields(text(line)), "{line}");
        }
    }
}
