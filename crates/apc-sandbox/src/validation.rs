//! Finds what the API's engine refuses before it runs anything and our library does not: fields that a release
//! lacks, variables in the wrong place, values that do not fit. Executes nothing and corrects nothing.

use async_graphql::Positioned;
use async_graphql::parser::types::{
    BaseType, ExecutableDocument, Field, OperationDefinition, Selection, SelectionSet, Type,
    VariableDefinition,
};
use serde_json::Value;

use super::document::{INTERNAL, VALIDATION_FAILED, error};
use super::handle::Handle;
use super::roles::Role;

/// A field and the type it is asked of.
type Asked<'a> = (&'a str, &'a Positioned<Field>);

/// The document's errors; those of its variables only if it has no others.
pub(super) fn errors(
    document: &ExecutableDocument,
    operation: &OperationDefinition,
    variables: &Value,
    handle: &Handle,
) -> Vec<Value> {
    let fields = fields(document);
    let lacking = fields.iter().filter_map(|asked| lacking(*asked, handle));
    let misplaced = fields
        .iter()
        .flat_map(|(_, field)| misplaced(&field.node, operation));
    let errors: Vec<_> = lacking.chain(misplaced).collect();
    match errors.is_empty() {
        true => misfits(operation, variables),
        false => errors,
    }
}

/// Every field of the document. Spread fragments are looked at where they are defined.
fn fields(document: &ExecutableDocument) -> Vec<Asked<'_>> {
    let mut fields = Vec::new();
    for (_, operation) in document.operations.iter() {
        let root = match operation.node.ty.to_string().as_str() {
            "mutation" => "Mutation",
            _ => "Query",
        };
        collect(root, &operation.node.selection_set.node, &mut fields);
    }
    for fragment in document.fragments.values() {
        let on = &fragment.node.type_condition.node.on.node;
        collect(on, &fragment.node.selection_set.node, &mut fields);
    }
    fields
}

fn collect<'a>(type_name: &'a str, set: &'a SelectionSet, fields: &mut Vec<Asked<'a>>) {
    for item in &set.items {
        match &item.node {
            Selection::Field(field) => {
                fields.push((type_name, field));
                let inner = type_of(&field.node.name.node);
                collect(inner, &field.node.selection_set.node, fields);
            }
            Selection::InlineFragment(fragment) => {
                let condition = fragment.node.type_condition.as_ref();
                let inner = condition.map_or(type_name, |condition| &condition.node.on.node);
                collect(inner, &fragment.node.selection_set.node, fields);
            }
            Selection::FragmentSpread(_) => {}
        }
    }
}

/// The type a field leads to: in this schema its name tells.
fn type_of(field: &str) -> &'static str {
    match field {
        "workspace" | "workspaces" => "Workspace",
        "roleBinding" | "roleBindings" => "RoleBinding",
        "deployment" | "workspaceDeployments" => "Deployment",
        "appConfig" => "AppConfig",
        name if name.to_lowercase().contains("serviceaccount") => "ServiceAccount",
        _ => "",
    }
}

/// The type an argument wants, without its `!`: in this schema its name tells.
fn type_wanted(argument: &str) -> Option<(&'static str, &'static str)> {
    match argument {
        "label" => Some(("String", "!")),
        "category" => Some(("String", "")),
        "workspaceUuid" | "deploymentUuid" | "serviceAccountUuid" => Some(("Uuid", "!")),
        "role" => Some(("Role", "!")),
        "payload" => Some(("JSON", "!")),
        _ => None,
    }
}

fn lacking((type_name, field): Asked<'_>, handle: &Handle) -> Option<Value> {
    let name = &field.node.name;
    let lacks = handle.scene().lacks(type_name, &name.node);
    let message = format!(
        "Cannot query field \"{}\" on type \"{type_name}\".",
        name.node
    );
    lacks.then(|| error(message, &[name.pos], VALIDATION_FAILED))
}

/// Arguments whose variable is declared of another type; the library's own rule is never called.
fn misplaced(field: &Field, operation: &OperationDefinition) -> Vec<Value> {
    let arguments = field.arguments.iter();
    let errors = arguments.filter_map(|(argument, value)| {
        let literal = value.node.to_string();
        let used = literal.strip_prefix('$')?;
        let mut definitions = operation.variable_definitions.iter();
        let definition = definitions.find(|definition| definition.node.name.node == used)?;
        let message = misplacement(&argument.node, &definition.node)?;
        Some(error(
            message,
            &[definition.pos, value.pos],
            VALIDATION_FAILED,
        ))
    });
    errors.collect()
}

fn misplacement(argument: &str, definition: &VariableDefinition) -> Option<String> {
    let (wanted, mark) = type_wanted(argument)?;
    let (name, declared) = (&definition.name.node, &definition.var_type.node);
    let filled = !declared.nullable || definition.default_value.is_some();
    let fits = declared.base.to_string() == wanted && (filled || mark.is_empty());
    (!fits).then(|| {
        format!(
            "Variable \"${name}\" of type \"{declared}\" used in position expecting type \"{wanted}{mark}\"."
        )
    })
}

fn misfits(operation: &OperationDefinition, variables: &Value) -> Vec<Value> {
    let definitions = operation.variable_definitions.iter();
    let errors = definitions.filter_map(|definition| {
        let value = variables.get(definition.node.name.node.as_str());
        let message = misfit(&definition.node, value)?;
        Some(error(message, &[definition.pos], INTERNAL))
    });
    errors.collect()
}

/// Why a value does not fit its variable, if so.
fn misfit(definition: &VariableDefinition, value: Option<&Value>) -> Option<String> {
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
        Some(value) => wrong_type(wanted, value)
            .map(|reason| format!("Variable \"${name}\" got invalid value {value}; {reason}")),
    }
}

fn wrong_type(wanted: &Type, value: &Value) -> Option<String> {
    let BaseType::Named(name) = &wanted.base else {
        return None;
    };
    match name.as_str() {
        "String" if !value.is_string() => Some(format!(
            "Expected type String. String cannot represent a non string value: {value}"
        )),
        "Role" if value.as_str().and_then(Role::parse).is_none() => {
            Some("Expected type Role.".into())
        }
        _ => None,
    }
}
