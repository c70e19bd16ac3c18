//! The JSON of answers and errors, in the API's form.

use async_graphql::{Pos, Response, ServerError};
use serde_json::{Value, json};

use crate::graphql::definitions::TypedDocument;
use crate::graphql::words::SHOWN_PATH;

pub(crate) const VALIDATION_FAILED: &str = "GRAPHQL_VALIDATION_FAILED";

/// The extension that carries the path of a failed field, which the library leaves out.
pub(crate) const FAILED_AT: &str = "failedAt";

/// An HTTP status and the JSON that goes with it.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

pub(crate) fn error(message: impl Into<String>, positions: &[Pos], code: &str) -> Value {
    let (message, locations) = (message.into(), locations(positions));
    json!({ "message": message, "locations": locations, "extensions": { "code": code } })
}

fn locations(positions: &[Pos]) -> Vec<Value> {
    let location = |pos: &Pos| json!({ "line": pos.line, "column": pos.column });
    positions.iter().map(location).collect()
}

/// The answer to a request that was not executed.
pub(crate) fn refused(errors: Vec<Value>) -> Reply {
    let body = json!({ "errors": errors });
    Reply { status: 400, body }
}

/// The answer that the engine's response stands for.
pub(crate) fn executed(response: Response, typed: &TypedDocument<'_>) -> Reply {
    let mut data = response.data.into_json().unwrap_or_default();
    let failures: Option<(Vec<_>, Vec<_>)> = response.errors.iter().map(failed).collect();
    // Errors without a path come from the library's validation.
    let Some((paths, errors)) = failures else {
        let invalid =
            |problem: &ServerError| error(&*problem.message, &problem.locations, VALIDATION_FAILED);
        return refused(response.errors.iter().map(invalid).collect());
    };
    typed.put_nulls(&mut data, &paths);
    answer(data, errors)
}

pub(crate) fn answer(data: Value, errors: Vec<Value>) -> Reply {
    let body = match errors.is_empty() {
        true => json!({ "data": data }),
        false => json!({ "errors": errors, "data": data }),
    };
    Reply { status: 200, body }
}

/// The path of a failed field, and its error as it is shown.
fn failed(problem: &ServerError) -> Option<(Vec<Value>, Value)> {
    let mut extensions = json!(problem.extensions);
    let at = take(&mut extensions, FAILED_AT)?;
    // An error with a path of its own comes from the database layer, which knows no location.
    let (path, positions) = match take(&mut extensions, SHOWN_PATH) {
        Some(path) => (path, &[][..]),
        None => (at.clone(), &*problem.locations),
    };
    let shown = json!({
        "message": problem.message,
        "locations": locations(positions),
        "path": path,
        "extensions": extensions,
    });
    Some((at.as_array().cloned()?, shown))
}

fn take(extensions: &mut Value, name: &str) -> Option<Value> {
    extensions.as_object_mut()?.remove(name)
}
