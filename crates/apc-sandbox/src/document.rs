//! Reads a GraphQL request as the API's engine does and turns what comes of it into the API's JSON.
//! Knows no sockets; which field does what is the schema's.

use async_graphql::parser::types::{ExecutableDocument, Field, OperationDefinition, Selection};
use async_graphql::parser::{self, parse_query};
use async_graphql::{PathSegment, Pos, Request, Response, ServerError, Variables};
use serde_json::{Map, Value, json};

use super::handle::Handle;
use super::operations::Api;
use super::validation::errors;

const PARSE_FAILED: &str = "GRAPHQL_PARSE_FAILED";
pub(super) const VALIDATION_FAILED: &str = "GRAPHQL_VALIDATION_FAILED";
/// Of bad variables as well as of failures inside.
pub(super) const INTERNAL: &str = "INTERNAL_SERVER_ERROR";
/// How the engine begins when a field that must have a value has none.
pub(super) const NOT_NULL: &str = "Cannot return null for non-nullable field";

/// A request's body, taken apart.
pub(super) struct Document {
    pub(super) query: String,
    pub(super) variables: Value,
    operation_name: Option<String>,
    parsed: Result<ExecutableDocument, parser::Error>,
}

/// An HTTP status and the JSON that goes with it.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Value,
}

impl Document {
    /// None if the body has no query.
    pub(super) fn new(body: &Value) -> Option<Document> {
        let query = body.get("query")?.as_str()?.to_string();
        let name = body.get("operationName").and_then(Value::as_str);
        Some(Document {
            parsed: parse_query(&query),
            query,
            variables: body.get("variables").cloned().unwrap_or_default(),
            operation_name: name.map(Into::into),
        })
    }

    /// The names of the top-level fields.
    pub(super) fn field_names(&self) -> Vec<String> {
        let fields = self.top_fields();
        fields.map(|field| field.name.node.to_string()).collect()
    }

    /// Asks the schema, unless the engine would not have got that far.
    pub(super) async fn execute(self, api: &Api, handle: &Handle, token: Option<&str>) -> Reply {
        let document = match &self.parsed {
            Ok(document) => document.clone(),
            Err(error) => return refused(vec![parse_error(error)]),
        };
        let errors = match self.operation(&document) {
            Some(operation) => errors(&document, operation, &self.variables, handle),
            None => Vec::new(),
        };
        if !errors.is_empty() {
            return refused(errors);
        }
        let caller = handle.scene().store.caller(token);
        let response = api.execute(self.into_request(document).data(caller)).await;
        reply(response)
    }

    /// An answer with this error and null for every field asked for.
    pub(super) fn failed(&self, code: &str, message: &str) -> Reply {
        let keys = self
            .top_fields()
            .map(|field| field.response_key().node.to_string());
        let data: Map<String, Value> = keys.map(|key| (key, Value::Null)).collect();
        let path: Vec<_> = data.keys().take(1).collect();
        let extensions = json!({ "code": code });
        let error =
            json!({ "message": message, "locations": [], "path": path, "extensions": extensions });
        let body = json!({ "errors": [error], "data": data });
        Reply { status: 200, body }
    }

    fn into_request(self, document: ExecutableDocument) -> Request {
        let mut request = Request::new(self.query).variables(Variables::from_json(self.variables));
        request.operation_name = self.operation_name;
        request.set_parsed_query(document);
        request
    }

    fn operation<'a>(&self, document: &'a ExecutableDocument) -> Option<&'a OperationDefinition> {
        let mut operations = document.operations.iter();
        let wanted = self.operation_name.as_deref();
        let named = |name: Option<&str>| wanted.is_none() || name == wanted;
        let found = operations.find(|(name, _)| named(name.map(|name| name.as_str())));
        found.map(|(_, operation)| &operation.node)
    }

    fn top_fields(&self) -> impl Iterator<Item = &Field> {
        let document = self.parsed.as_ref().ok();
        let operation = document.and_then(|document| self.operation(document));
        let set = operation.map(|operation| &operation.selection_set.node);
        let items = set.into_iter().flat_map(|set| &set.items);
        items.filter_map(|item| match &item.node {
            Selection::Field(field) => Some(&field.node),
            _ => None,
        })
    }
}

fn parse_error(problem: &parser::Error) -> Value {
    let positions: Vec<Pos> = problem.positions().collect();
    error(format!("Syntax Error: {problem}"), &positions, PARSE_FAILED)
}

pub(super) fn error(message: String, positions: &[Pos], code: &str) -> Value {
    let place = |pos: &Pos| json!({ "line": pos.line, "column": pos.column });
    let locations: Vec<_> = positions.iter().map(place).collect();
    json!({ "message": message, "locations": locations, "extensions": { "code": code } })
}

fn refused(errors: Vec<Value>) -> Reply {
    Reply {
        status: 400,
        body: json!({ "errors": errors }),
    }
}

/// An error with a path comes from the execution, one without from the validation before it.
fn reply(response: Response) -> Reply {
    let mut data = response.data.into_json().unwrap_or_default();
    let errors = response.errors;
    if errors.iter().any(|error| error.path.is_empty()) {
        return refused(errors.iter().map(validation_error).collect());
    }
    errors.iter().for_each(|error| leave_null(&mut data, error));
    let body = match errors.is_empty() {
        true => json!({ "data": data }),
        false => {
            let errors: Vec<_> = errors.iter().map(resolver_error).collect();
            json!({ "errors": errors, "data": data })
        }
    };
    Reply { status: 200, body }
}

/// Puts null where a field failed, which the library leaves out, or in its parent's place if it can't be null.
fn leave_null(data: &mut Value, error: &ServerError) {
    let above = usize::from(error.message.starts_with(NOT_NULL));
    let depth = error.path.len().saturating_sub(above);
    let mut at = Some(data);
    for segment in error.path.iter().take(depth) {
        at = at.and_then(|value| step(value, segment));
    }
    if let Some(failed) = at {
        *failed = Value::Null;
    }
}

/// The library makes null of an object none of whose fields succeeded.
fn step<'a>(value: &'a mut Value, segment: &PathSegment) -> Option<&'a mut Value> {
    match segment {
        PathSegment::Index(index) => value.get_mut(*index),
        PathSegment::Field(name) => {
            if value.is_null() {
                *value = json!({});
            }
            let object = value.as_object_mut()?;
            Some(object.entry(name.as_str()).or_insert(Value::Null))
        }
    }
}

fn validation_error(problem: &ServerError) -> Value {
    let message = problem
        .message
        .replacen("Unknown field", "Cannot query field", 1);
    error(message, &problem.locations, VALIDATION_FAILED)
}

/// Errors of the database layer come with its own path, `createServiceAccount`, and no location.
fn resolver_error(problem: &ServerError) -> Value {
    let extensions = json!(problem.extensions);
    let inner = extensions.pointer("/exception/result/errors/0/path");
    let mut shown = match inner {
        Some(_) => error(problem.message.clone(), &[], INTERNAL),
        None => error(problem.message.clone(), &problem.locations, INTERNAL),
    };
    if let Some(shown) = shown.as_object_mut() {
        let path = inner.cloned().unwrap_or_else(|| json!(problem.path));
        shown.insert("path".into(), path);
        if extensions.is_object() {
            shown.insert("extensions".into(), extensions);
        }
    }
    shown
}
