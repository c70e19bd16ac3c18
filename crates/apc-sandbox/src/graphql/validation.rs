//! The errors that the API's engine finds before it runs anything and our library does not: fields that a release
//! lacks, introspection, variables of another type, values that do not fit, strings in place of enum values.

use async_graphql::Pos;
use async_graphql::parser::types::{
    BaseType, Field, FieldDefinition, Selection, SelectionSet, Type, VariableDefinition,
};
use serde_json::Value;

use crate::graphql::definitions::{TypedDocument, bare, root};
use crate::graphql::reply::{VALIDATION_FAILED, error};
use crate::graphql::words::INTERNAL;
use crate::handle::Scene;

const NO_INTROSPECTION: &str = "GraphQL introspection is not allowed by Apollo Server, but the query contained \
     __schema or __type. To enable introspection, pass introspection: true to ApolloServer in production";

impl TypedDocument<'_> {
    /// The document's errors; those of its variables only if it has no others.
    pub(crate) fn errors(&self, variables: &Value, scene: &Scene) -> Vec<Value> {
        let mut errors = Vec::new();
        for (_, operation) in self.document.operations.iter() {
            let set = &operation.node.selection_set.node;
            self.check(root(&operation.node), set, scene, &mut errors);
        }
        for fragment in self.document.fragments.values() {
            let on = &fragment.node.type_condition.node.on.node;
            self.check(on, &fragment.node.selection_set.node, scene, &mut errors);
        }
        match errors.is_empty() {
            true => self.misfits(variables),
            false => errors,
        }
    }

    /// Checks the fields of a type and those below. Spread fragments are checked where they are defined.
    fn check(&self, owner: &str, set: &SelectionSet, scene: &Scene, errors: &mut Vec<Value>) {
        for item in &set.items {
            match &item.node {
                Selection::Field(field) => {
                    let field = &field.node;
                    errors.extend(self.errors_of(owner, field, scene));
                    if let Some(definition) = self.definitions.field(owner, &field.name.node) {
                        let inner = bare(&definition.ty.node);
                        self.check(inner, &field.selection_set.node, scene, errors);
                    }
                }
                Selection::InlineFragment(fragment) => {
                    let condition = fragment.node.type_condition.as_ref();
                    let inner = condition.map_or(owner, |condition| &condition.node.on.node);
                    self.check(inner, &fragment.node.selection_set.node, scene, errors);
                }
                Selection::FragmentSpread(_) => {}
            }
        }
    }

    fn errors_of(&self, owner: &str, field: &Field, scene: &Scene) -> Vec<Value> {
        let name = &field.name;
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
            Some(definition) => self.errors_of_arguments(field, definition),
            None => {
                let message = format!("Cannot query field \"{}\" on type \"{owner}\".", name.node);
                vec![error(message, &[name.pos], VALIDATION_FAILED)]
            }
        }
    }

    fn errors_of_arguments(&self, field: &Field, definition: &FieldDefinition) -> Vec<Value> {
        let arguments = field.arguments.iter();
        let errors = arguments.filter_map(|(name, value)| {
            let mut declared = definition.arguments.iter();
            let declared = declared.find(|declared| declared.node.name.node == name.node)?;
            let wanted = &declared.node.ty.node;
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

    fn misfits(&self, variables: &Value) -> Vec<Value> {
        let definitions = self.operation.variable_definitions.iter();
        let errors = definitions.filter_map(|definition| {
            let value = variables.get(definition.node.name.node.as_str());
            let message = self.misfit(&definition.node, value)?;
            Some(error(message, &[definition.pos], INTERNAL))
        });
        errors.collect()
    }

    /// The reason why a value does not fit its variable, if it does not.
    fn misfit(&self, definition: &VariableDefinition, value: Option<&Value>) -> Option<String> {
        let (name, wanted) = (&definition.name.node, &definition.var_type.node);
        let misfit = match value {
            None if wanted.nullable || definition.default_value.is_some() => return None,
            None => format!("of required type \"{wanted}\" was not provided."),
            Some(Value::Null) if wanted.nullable => return None,
            Some(Value::Null) => format!("of non-null type \"{wanted}\" must not be null."),
            Some(value) => {
                let reason = self.wrong_type(wanted, value)?;
                format!("got invalid value {value}; {reason}")
            }
        };
        Some(format!("Variable \"${name}\" {misfit}"))
    }

    fn wrong_type(&self, wanted: &Type, value: &Value) -> Option<String> {
        let BaseType::Named(name) = &wanted.base else {
            return None;
        };
        if name == "String" {
            let reason = "Expected type String. String cannot represent a non string value";
            return (!value.is_string()).then(|| format!("{reason}: {value}"));
        }
        let values = self.definitions.values(name)?;
        let fits = value.as_str().is_some_and(|value| values.contains(&value));
        (!fits).then(|| format!("Expected type {name}."))
    }
}
