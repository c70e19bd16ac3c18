//! The contract in tools/: reads the checked-in entries and holds results against them.
//! Knows as much of JSON Schema as the flat schemas of this server use.

use std::path::PathBuf;

use serde_json::Value;

/// The folder of the entries.
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tools")
}

/// The checked-in entry of a tool.
pub fn entry(tool: &str) -> Value {
    let path = folder().join(format!("{tool}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    serde_json::from_str(&text).unwrap()
}

/// The result is what the tool's output schema promises, and nothing beside it.
#[track_caller]
pub fn assert_output(tool: &str, value: &Value) {
    let schema = &entry(tool)["outputSchema"];
    if let Err(problem) = conforms(value, schema) {
        panic!("{tool} promises otherwise: {problem} in {value}");
    }
}

fn conforms(value: &Value, schema: &Value) -> Result<(), String> {
    let fits = match schema["type"].as_str() {
        Some("object") => return object_conforms(value, schema),
        Some("array") => return array_conforms(value, schema),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_u64() || value.is_i64(),
        other => return Err(format!("a schema of type {other:?}")),
    };
    match fits {
        true => Ok(()),
        false => Err(format!("{value} does not fit {schema}")),
    }
}

fn object_conforms(value: &Value, schema: &Value) -> Result<(), String> {
    let object = value.as_object().ok_or("no object")?;
    for name in schema["required"].as_array().into_iter().flatten() {
        let name = name.as_str().unwrap_or_default();
        object.get(name).ok_or(format!("no {name}"))?;
    }
    for (name, member) in object {
        let expected = schema["properties"].get(name);
        let expected = expected.ok_or(format!("{name} is not in the schema"))?;
        conforms(member, expected).map_err(|problem| format!("{name}: {problem}"))?;
    }
    Ok(())
}

fn array_conforms(value: &Value, schema: &Value) -> Result<(), String> {
    let items = value.as_array().ok_or("no array")?;
    items
        .iter()
        .try_for_each(|item| conforms(item, &schema["items"]))
}
