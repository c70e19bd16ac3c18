//! The errors that the API's engine finds before it runs anything and our library does not: fields that a release
//! lacks, introspection, variables of another type, values that do not fit, strings in place of enum values.

use async_graphql::parser::types::{
    BaseType, ExecutableDocument, Field, FieldDefinition, OperationDefinition, Selection,
    SelectionSet, Type, VariableDefinition,
};
use async_graphql::{Pos, Positioned};
use serde_json::Value;

use crate::graphql::definitions::{Definitions, argument, bare, root};
use crate::graphql::reply::{VALIDATION_FAILED, error};
use crate::graphql::words::INTERNAL;
use crate::handle::{Handle, Scene};

const NO_INTROSPECTION: &str = "GraphQL introspection is not allowed by Apollo Server, but the query contained \
     __schema or __type. To enable introspection, pass introspection: true to ApolloServer in production";

pub(crate) struct Validation<'a> {
    pub(crate) definitions: &'a Definitions,
    pub(crate) document: &'a ExecutableDocument,
    pub(crate) operation: &'a OperationDefinition,
    pub(crate) variables: &'a Value,
}

/// A field and the type it is asked of.
struct Asked<'a> {
    owner: &'a str,
    field: &'a Positioned<Field>,
}

impl<'a> Validation<'a> {
    /// The document's errors; those of its variables only if it has no others.
    pub(crate) fn errors(&self, handle: &Handle) -> Vec<Value> {
        let scene = handle.scene();
        let fields = self.fields();
        let errors: Vec<_> = fields
            .iter()
            .flat_map(|asked| self.errors_of(asked, &scene))
            .collect();
        match errors.is_empty() {
            true => self.misfits(),
            false => errors,
        }
    }

    /// Every field of the document. Spread fragments are looked at where they are defined.
    fn fields(&self) -> Vec<Asked<'a>> {
        let mut fields = Vec::new();
        for (_, operation) in self.document.operations.iter() {
            let set = &operation.node.selection_set.node;
            self.collect(root(&operation.node), set, &mut fields);
        }
        for fragment in self.document.fragments.values() {
            let on = &fragment.node.type_condition.node.on.node;
            self.collect(on, &fragment.node.selection_set.node, &mut fields);
        }
        fields
    }

    fn collect(&self, owner: &'a str, set: &'a SelectionSet, fields: &mut Vec<Asked<'a>>) {
        for item in &set.items {
            match &item.node {
                Selection::Field(field) => {
                    fields.push(Asked { owner, field });
                    let definition = self.definitions.field(owner, &field.node.name.node);
                    if let Some(definition) = definition {
                        let inner = bare(&definition.ty.node);
                        self.collect(inner, &field.node.selection_set.node, fields);
                    }
                }
                Selection::InlineFragment(fragment) => {
                    let condition = fragment.node.type_condition.as_ref();
                    let inner = condition.map_or(owner, |condition| &condition.node.on.node);
                    self.collect(inner, &fragment.node.selection_set.node, fields);
                }
                Selection::FragmentSpread(_) => {}
            }
        }
    }

    fn errors_of(&self, asked: &Asked<'_>, scene: &Scene) -> Vec<Value> {
        let (owner, name) = (asked.owner, &asked.field.node.name);
        match name.node.as_str() {
            "__schema" | "__type" => {
                return vec![error(NO_INTROSPECTION, &[name.pos], VALIDATION_FAILED)];
            }
            "__typename" => return Vec::new(),
            _ => {}
        }
        let definition = self.definitions.field(owner, &name.node);
        let definition = definition.filter(|_| !scene.lacks(owner, &name.node));
        match definition {
            Some(definition) => self.errors_of_arguments(&asked.field.node, definition),
            None => {
                let message = format!("Cannot query field \"{}\" on type \"{owner}\".", name.node);
                vec![error(message, &[name.pos], VALIDATION_FAILED)]
            }
        }
    }

    fn errors_of_arguments(&self, field: &Field, definition: &FieldDefinition) -> Vec<Value> {
        let arguments = field.arguments.iter();
        let errors = arguments.filter_map(|(name, value)| {
            let wanted = &argument(definition, &name.node)?.ty.node;
            // The library does not export the type of literals.
            let literal = value.node.to_string();
            match literal.strip_prefix('$') {
                Some(variable) => self.misplaced(variable, wanted, value.pos),
                None => self.no_enum_value(&literal, wanted, value.pos),
            }
        });
        errors.collect()
    }

    /// The library takes a string for an enum's value; the API does not.
    fn no_enum_value(&self, literal: &str, wanted: &Type, at: Pos) -> Option<Value> {
        let name = bare(wanted);
        self.definitions.values(name)?;
        let message = format!("Expected type {name}, found {literal}.");
        let is_text = literal.starts_with('"');
        is_text.then(|| error(message, &[at], VALIDATION_FAILED))
    }

    /// A variable that is declared of another type. The library has this rule and never calls it.
    fn misplaced(&self, variable: &str, wanted: &Type, at: Pos) -> Option<Value> {
        let mut definitions = self.operation.variable_definitions.iter();
        let definition = definitions.find(|found| found.node.name.node == variable)?;
        let declared = &definition.node.var_type.node;
        let filled = !declared.nullable || definition.node.default_value.is_some();
        let fits = declared.base == wanted.base && (filled || wanted.nullable);
        let message = format!(
            "Variable \"${variable}\" of type \"{declared}\" used in position expecting type \"{wanted}\"."
        );
        let positions = [definition.pos, at];
        (!fits).then(|| error(message, &positions, VALIDATION_FAILED))
    }

    fn misfits(&self) -> Vec<Value> {
        let definitions = self.operation.variable_definitions.iter();
        let errors = definitions.filter_map(|definition| {
            let value = self.variables.get(definition.node.name.node.as_str());
            let message = self.misfit(&definition.node, value)?;
            Some(error(message, &[definition.pos], INTERNAL))
        });
        errors.collect()
    }

    /// The reason why a value does not fit its variable, if it does not.
    fn misfit(&self, definition: &VariableDefinition, value: Option<&Value>) -> Option<String> {
        let (name, wanted) = (&definition.name.node, &definition.var_type.node);
        match value {
            None if wanted.nullable || definition.default_value.is_some() => None,
            None => Some(format!(
                "Variable \"${name}\" of required type \"{wanted}\" was not provided."
            )),
            Some(Value::Null) if wanted.nullable => None,
            Some(Value::Null) => Some(format!(
                "Variable \"${name}\" of non-null type \"{wanted}\" must not be null."
            )),
            Some(value) => self
                .wrong_type(wanted, value)
                .map(|reason| format!("Variable \"${name}\" got invalid value {value}; {reason}")),
        }
    }

    fn wrong_type(&self, wanted: &Type, value: &Value) -> Option<String> {
        let BaseType::Named(name) = &wanted.base else {
            return None;
        };
        if name == "String" {
            let reason = "String cannot represent a non string value";
            return (!value.is_string())
                .then(|| format!("Expected type String. {reason}: {value}"));
        }
        let values = self.definitions.values(name)?;
        let fits = value.as_str().is_some_and(|value| values.contains(&value));
        (!fits).then(|| format!("Expected type {name}."))
    }
}
