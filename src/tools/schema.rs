//! Flat JSON Schemas: what a model and every client can read.
//! Lets out no `$ref`, no combinators, no null types and no formats: clients drop or misread them.

use std::borrow::Cow;

use rmcp::model::JsonObject;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::arguments::{SearchText, Switch, Whole};
use crate::apc::{DeploymentId, Label, Role, ServiceAccountId, TEXT_MAX, WorkspaceId};

/// The schema of a tool's arguments, in the order of the struct. It says nothing of further arguments, which the server
/// refuses itself: two client libraries fail on `additionalProperties: false`.
pub fn input<T: JsonSchema>() -> JsonObject {
    flat::<T>(SchemaSettings::draft2020_12())
}

/// The schema of a tool's result.
pub fn output<T: JsonSchema>() -> JsonObject {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    flat::<T>(settings.with_transform(RecursiveTransform(without_bounds)))
}

/// Lets an argument be left out.
pub fn make_optional(schema: &mut JsonObject, argument: &str) {
    if let Some(Value::Array(names)) = schema.get_mut("required") {
        names.retain(|name| name != argument);
    }
}

/// Makes an argument one that has to be given.
pub fn make_required(schema: &mut JsonObject, argument: &str) {
    if let Some(Value::Array(names)) = schema.get_mut("required") {
        names.push(json!(argument));
    }
}

/// Takes an argument away.
pub fn remove(schema: &mut JsonObject, argument: &str) {
    if let Some(Value::Object(arguments)) = schema.get_mut("properties") {
        arguments.remove(argument);
    }
}

/// Sets a keyword of an argument; null takes it away.
pub fn set(schema: &mut JsonObject, argument: &str, keyword: &str, value: Value) {
    let arguments = schema.get_mut("properties");
    let argument = arguments.and_then(|arguments| arguments.get_mut(argument));
    let Some(Value::Object(argument)) = argument else {
        return;
    };
    match value {
        Value::Null => argument.remove(keyword),
        value => argument.insert(keyword.to_owned(), value),
    };
}

fn flat<T: JsonSchema>(settings: SchemaSettings) -> JsonObject {
    let inlined = settings.with(|settings| {
        settings.meta_schema = None;
        settings.inline_subschemas = true;
    });
    let schema = inlined
        .with_transform(RecursiveTransform(tidy))
        .into_generator()
        .into_root_schema_for::<T>();
    let mut object = Value::from(schema).as_object().cloned().unwrap_or_default();
    object.remove("title");
    object.remove("description");
    object
}

/// That a count is not negative is no news to a reader of results.
fn without_bounds(schema: &mut Schema) {
    if let Some(object) = schema.as_object_mut() {
        object.remove("minimum");
    }
}

/// An optional field is told by its absence from `required`, so null needs no mention.
fn tidy(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    object.remove("format");
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(values)) = object.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    let choices = object.get("anyOf").and_then(Value::as_array);
    let mut choices = choices.into_iter().flatten();
    let given = choices.find(|choice| choice.get("type") != Some(&json!("null")));
    if let Some(Value::Object(given)) = given.cloned() {
        object.remove("anyOf");
        for (key, value) in given {
            object.entry(key).or_insert(value);
        }
    }
}

macro_rules! inlined_schema {
    ($type:ty, $name:literal, $schema:expr) => {
        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                $schema
            }
        }
    };
}

pub(super) use inlined_schema;

inlined_schema!(WorkspaceId, "WorkspaceId", text());
inlined_schema!(DeploymentId, "DeploymentId", text());
inlined_schema!(ServiceAccountId, "ServiceAccountId", text());
inlined_schema!(Switch, "Switch", json_schema!({"type": "boolean"}));
inlined_schema!(
    Label,
    "Label",
    json_schema!({"type": "string", "maxLength": TEXT_MAX})
);
inlined_schema!(
    Role,
    "Role",
    json_schema!({"type": "string", "enum": Role::all().map(Role::name).collect::<Vec<_>>()})
);

inlined_schema!(SearchText, "SearchText", text());

/// The schema of an argument whose form its description tells.
pub fn text() -> Schema {
    json_schema!({"type": "string"})
}

impl<const MIN: u64, const MAX: u64> JsonSchema for Whole<MIN, MAX> {
    fn schema_name() -> Cow<'static, str> {
        "Whole".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "integer", "minimum": MIN, "maximum": MAX})
    }
}
