//! A GraphQL request as the API's engine reads it.

use std::sync::Mutex;

use async_graphql::parser::types::{
    ExecutableDocument, Field, OperationDefinition, Selection, SelectionSet,
};
use async_graphql::parser::{self, parse_query};
use async_graphql::{Name, Pos, Request, Variables};
use serde_json::{Value, json};

use crate::graphql::call::Asker;
use crate::graphql::definitions::{TypedDocument, key, root};
use crate::graphql::engine::Engine;
use crate::graphql::reply::{Reply, VALIDATION_FAILED, answer, error, executed, refused};
use crate::state::tokens::Caller;

const PARSE_FAILED: &str = "GRAPHQL_PARSE_FAILED";

/// A request's body, taken apart.
pub(crate) struct Document {
    pub(crate) query: String,
    pub(crate) variables: Value,
    operation_name: Option<String>,
    parsed: Result<ExecutableDocument, parser::Error>,
}

impl Document {
    /// None if the body has no query.
    pub(crate) fn new(body: &Value) -> Option<Document> {
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
    pub(crate) fn field_names(&self) -> Vec<String> {
        let fields = self.top_fields();
        fields.map(|field| field.name.node.to_string()).collect()
    }

    /// Validates and executes.
    pub(crate) async fn execute(&self, engine: &Engine, caller: Option<Caller>) -> Reply {
        let document = match &self.parsed {
            Ok(document) => document,
            Err(problem) => {
                let positions: Vec<Pos> = problem.positions().collect();
                let message = format!("Syntax Error: {problem}");
                return refused(vec![error(message, &positions, PARSE_FAILED)]);
            }
        };
        let Some(operation) = self.operation() else {
            let name = self.operation_name.as_deref().unwrap_or_default();
            let message = format!("Unknown operation named \"{name}\".");
            return refused(vec![error(message, &[], VALIDATION_FAILED)]);
        };
        let typed = TypedDocument {
            definitions: &engine.definitions,
            document,
            operation,
        };
        let errors = typed.errors(&self.variables, &engine.handle.scene());
        if !errors.is_empty() {
            return refused(errors);
        }
        let fields = self.top_fields();
        let untyped = fields.filter(|field| has_untyped(document, field));
        let asker = Asker {
            caller,
            untyped: untyped.map(key).collect(),
            verdicts: Mutex::default(),
        };
        let request = self.request(document.clone()).data(asker);
        let response = engine.schema.execute(request).await;
        executed(response, &typed)
    }

    /// An answer with this error and null for every field asked for.
    pub(crate) fn failed(&self, engine: &Engine, code: &str, message: &str) -> Reply {
        let path: Vec<_> = self.top_fields().map(key).take(1).collect();
        let mut failure = error(message, &[], code);
        if let Some(failure) = failure.as_object_mut() {
            failure.insert("path".into(), json!(path));
        }
        answer(self.nothing(engine), vec![failure])
    }

    /// The data of an operation all of whose fields failed.
    fn nothing(&self, engine: &Engine) -> Value {
        let owner = self.operation().map_or("Query", root);
        let required = |field: &Field| {
            let definition = engine.definitions.field(owner, &field.name.node);
            definition.is_some_and(|definition| !definition.ty.node.nullable)
        };
        if self.top_fields().any(required) {
            return Value::Null;
        }
        let keys = self.top_fields().map(key);
        keys.map(|key| (key, Value::Null)).collect()
    }

    fn request(&self, document: ExecutableDocument) -> Request {
        let variables = Variables::from_json(self.variables.clone());
        let mut request = Request::new(&self.query).variables(variables);
        request.operation_name = self.operation_name.clone();
        request.set_parsed_query(document);
        request
    }

    fn operation(&self) -> Option<&OperationDefinition> {
        let mut operations = self.parsed.as_ref().ok()?.operations.iter();
        let wanted = self.operation_name.as_deref();
        let named = |name: Option<&Name>| wanted.is_none() || name.map(Name::as_str) == wanted;
        let (_, operation) = operations.find(|(name, _)| named(*name))?;
        Some(&operation.node)
    }

    fn top_fields(&self) -> impl Iterator<Item = &Field> {
        let operation = self.operation().into_iter();
        let items = operation.flat_map(|operation| &operation.selection_set.node.items);
        items.filter_map(|item| match &item.node {
            Selection::Field(field) => Some(&field.node),
            _ => None,
        })
    }
}

/// Tells whether there is an inline fragment without a type below the field, directly or in a fragment.
fn has_untyped(document: &ExecutableDocument, field: &Field) -> bool {
    is_within(document, &field.selection_set.node, 0)
}

fn is_within(document: &ExecutableDocument, set: &SelectionSet, depth: usize) -> bool {
    // Validation refuses fragments that contain themselves, but comes later.
    let deep = depth > document.fragments.len();
    let is_untyped = |item: &Selection| match item {
        Selection::Field(field) => is_within(document, &field.node.selection_set.node, depth),
        Selection::InlineFragment(fragment) => {
            fragment.node.type_condition.is_none()
                || is_within(document, &fragment.node.selection_set.node, depth)
        }
        Selection::FragmentSpread(spread) => {
            let fragment = document.fragments.get(&spread.node.fragment_name.node);
            fragment.is_some_and(|fragment| {
                is_within(document, &fragment.node.selection_set.node, depth + 1)
            })
        }
    };
    !deep && set.items.iter().any(|item| is_untyped(&item.node))
}
