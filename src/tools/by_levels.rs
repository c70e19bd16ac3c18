//! The schemas of a tool on the levels that the server works on.
//! A server that works on workspaces alone shows no argument, no field and no word about deployments.

use std::sync::Arc;

use rmcp::model::JsonObject;
use schemars::JsonSchema;
use serde_json::Value;

use super::schema;
use crate::guards::policy::Policy;

/// The arguments that are about deployments.
pub const ABOUT_DEPLOYMENTS: [&str; 2] = ["deployment_id", "include_deployments"];

const FIELDS: [&str; 2] = ["deployment_id", "deployments"];

/// The schema of a tool's result.
pub fn output<T: JsonSchema>(policy: &Policy) -> Arc<JsonObject> {
    let mut output = schema::output::<T>();
    if !policy.has_deployments() {
        output.values_mut().for_each(remove_fields);
    }
    Arc::new(output)
}

fn remove_fields(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.retain(|name, _| !FIELDS.contains(&name.as_str()));
            members.values_mut().for_each(remove_fields);
        }
        Value::Array(members) => members.iter_mut().for_each(remove_fields),
        _ => {}
    }
}

/// The two forms of the schema of arguments.
pub struct ByLevels {
    all: JsonObject,
    workspace_only: JsonObject,
}

impl ByLevels {
    /// A schema with every argument, and the one that comes of it without those about deployments; `reword` changes the
    /// descriptions that speak of them.
    pub fn new(all: JsonObject, reword: impl FnOnce(&mut JsonObject)) -> Self {
        let mut workspace_only = all.clone();
        for argument in ABOUT_DEPLOYMENTS {
            schema::remove(&mut workspace_only, argument);
        }
        reword(&mut workspace_only);
        Self {
            all,
            workspace_only,
        }
    }

    /// The form for this server.
    pub fn under(&self, policy: &Policy) -> &JsonObject {
        match policy.has_deployments() {
            true => &self.all,
            false => &self.workspace_only,
        }
    }
}
