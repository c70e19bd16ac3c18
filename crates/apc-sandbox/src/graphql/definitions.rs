//! The schema of a line, read from its text: types, fields, arguments, and which of them may be null.

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    BaseType, ExecutableDocument, Field, FieldDefinition, OperationDefinition, OperationType, Type,
    TypeDefinition, TypeKind, TypeSystemDefinition,
};

use crate::line::Line;

/// The types of a schema, in the order of its text.
pub(crate) struct Definitions {
    pub(crate) types: Vec<TypeDefinition>,
}

/// A document with the operation that is asked for and the types that it asks of.
pub(crate) struct TypedDocument<'a> {
    pub(crate) definitions: &'a Definitions,
    pub(crate) document: &'a ExecutableDocument,
    pub(crate) operation: &'a OperationDefinition,
}

/// The text that a line's schema is made of.
pub(crate) fn text(line: Line) -> &'static str {
    match line {
        Line::Today => include_str!("schema-today.graphql"),
        Line::Of2020 => include_str!("schema-2020.graphql"),
    }
}

impl Definitions {
    pub(crate) fn of(line: Line) -> Result<Definitions, async_graphql::parser::Error> {
        let definitions = parse_schema(text(line))?.definitions.into_iter();
        let type_of = |definition| match definition {
            TypeSystemDefinition::Type(definition) => Some(definition.node),
            _ => None,
        };
        let types = definitions.filter_map(type_of).collect();
        Ok(Definitions { types })
    }

    fn find(&self, name: &str) -> Option<&TypeDefinition> {
        self.types.iter().find(|found| found.name.node == name)
    }

    pub(crate) fn field(&self, owner: &str, name: &str) -> Option<&FieldDefinition> {
        let TypeKind::Object(object) = &self.find(owner)?.kind else {
            return None;
        };
        let mut fields = object.fields.iter();
        let found = fields.find(|field| field.node.name.node == name)?;
        Some(&found.node)
    }

    /// The values of an enum; none for other types.
    pub(crate) fn values(&self, name: &str) -> Option<Vec<&str>> {
        let TypeKind::Enum(found) = &self.find(name)?.kind else {
            return None;
        };
        let values = found.values.iter();
        Some(values.map(|value| value.node.value.node.as_str()).collect())
    }
}

/// The type that an operation's fields belong to.
pub(crate) fn root(operation: &OperationDefinition) -> &'static str {
    match operation.ty {
        OperationType::Mutation => "Mutation",
        _ => "Query",
    }
}

/// The name of a type without lists and marks.
pub(crate) fn bare(ty: &Type) -> &str {
    match &ty.base {
        BaseType::Named(name) => name,
        BaseType::List(inner) => bare(inner),
    }
}

/// The name under which the answer shows a field.
pub(crate) fn key(field: &Field) -> String {
    field.response_key().node.to_string()
}
