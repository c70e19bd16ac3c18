//! The words of the API's refusals, as they were recorded. The errors of its engine are not here.

use async_graphql::{Error, ErrorExtensions, Value, value};

use crate::line::Line;
use crate::state::refusal::Refusal;
use crate::state::store::Store;

const FORBIDDEN: &str = "FORBIDDEN";
/// The code of failures inside, and of bad variables.
pub(crate) const INTERNAL: &str = "INTERNAL_SERVER_ERROR";
const BAD_INPUT: &str = "BAD_USER_INPUT";
const EXCEPTION: &str = "exception";
/// The extension that carries a path that the API shows instead of that of the failed field.
pub(crate) const SHOWN_PATH: &str = "shownPath";
const NO_PERMISSION_2020: &str = "You do not have the appropriate permissions for that";
const NO_PERMISSION_TODAY: &str = "Insufficient permissions.";

/// A way of speaking.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Of2020,
    Today,
    /// The branch of July 2020 that the releases of today come from.
    Shield,
}

impl Dialect {
    pub(crate) fn of(store: &Store) -> Dialect {
        match store.line {
            Line::Of2020 => Dialect::Of2020,
            Line::Today if store.uses_shield_words => Dialect::Shield,
            Line::Today => Dialect::Today,
        }
    }
}

/// An error with this code.
fn worded(code: &'static str, message: impl Into<String>) -> Error {
    with(Error::new(message), "code", code)
}

/// An error with one more extension.
pub(crate) fn with(error: Error, name: &str, value: impl Into<Value>) -> Error {
    error.extend_with(|_, extensions| extensions.set(name, value))
}

/// An error that in 2020 repeats its message as its exception; later releases keep it.
fn repeated(code: &'static str, message: &str, dialect: Dialect) -> Error {
    let error = worded(code, message);
    match dialect {
        Dialect::Of2020 => with(error, EXCEPTION, value!({ "message": message })),
        _ => error,
    }
}

/// The error that a refusal becomes, as the API words it.
pub(crate) fn words(refusal: Refusal, dialect: Dialect) -> Error {
    match (refusal, dialect) {
        (Refusal::Unauthenticated, Dialect::Of2020 | Dialect::Today)
        | (Refusal::NotPermitted, Dialect::Of2020) => {
            repeated(FORBIDDEN, NO_PERMISSION_2020, dialect)
        }
        (Refusal::Unauthenticated | Refusal::NotPermitted, _) => {
            worded(INTERNAL, NO_PERMISSION_TODAY)
        }
        (Refusal::Duplicate(label), _) => {
            let message = format!("Service Account already exists with the name {label}");
            worded(BAD_INPUT, message)
        }
        (Refusal::NotFound, _) => {
            let error = worded("RESOURCE_NOT_FOUND", "The requested resource was not found");
            let exception = value!({ "name": "ResourceNotFoundError" });
            with(error, EXCEPTION, exception)
        }
        (Refusal::NoRow { change, model, id }, Dialect::Of2020) => no_node(change, model, &id),
        (Refusal::NoRow { change, model, .. }, _) => worded(INTERNAL, no_record(change, model)),
        (Refusal::InvalidRole, _) => repeated(BAD_INPUT, "Invalid role", dialect),
        (Refusal::MissingArgument(names), _) => {
            let message = format!("A required argument was not sent: {names}");
            repeated(BAD_INPUT, &message, dialect)
        }
        // A crash in the words of the JavaScript engine of the time.
        (Refusal::Crash { property, nothing }, Dialect::Of2020) => {
            let message = format!("Cannot read property '{property}' of {nothing}");
            worded(INTERNAL, message)
        }
        (Refusal::Crash { property, nothing }, _) => {
            let message = format!("Cannot read properties of {nothing} (reading '{property}')");
            worded(INTERNAL, message)
        }
        (Refusal::NoValue(field), _) => no_value(&field),
        (Refusal::BrokenRow { list, index }, _) => {
            let path = value!([list, index, "id"]);
            with(no_value("ServiceAccount.id"), SHOWN_PATH, path)
        }
    }
}

fn no_value(field: &str) -> Error {
    let message = format!("Cannot return null for non-nullable field {field}.");
    worded(INTERNAL, message)
}

/// Errors of the first database layer come with a path of their own.
fn no_node(change: &str, model: &str, id: &str) -> Error {
    let message = format!("No Node for the model {model} with value {id} for id found.");
    let path = value!([(format!("{change}ServiceAccount"))]);
    let exception = value!({
        "result": {
            "data": null,
            "errors": [{
                "message": (message.clone()),
                "code": 3039,
                "locations": [{ "line": 2, "column": 3 }],
                "path": (path.clone()),
                "requestId": "local:sandbox",
            }],
            "status": 200,
        }
    });
    let error = with(worded(INTERNAL, message), EXCEPTION, exception);
    with(error, SHOWN_PATH, path)
}

/// Errors of the second database layer, Prisma 2, reach the client as they come, many lines long.
fn no_record(change: &str, model: &str) -> String {
    let unbound = format!(
        "No \\'{model}\\' record(s) (needed to inline the relation on \\'RoleBinding\\' record(s)) was found \
         for a nested connect on one-to-many relation \\'RoleBindingTo{model}\\'."
    );
    let cause = match change {
        "create" => &unbound,
        _ => "Record to update not found.",
    };
    format!(
        "\nInvalid `prisma.serviceAccount.{change}()` invocation:\n\n\n  Error occurred during query execution:\n\
         InterpretationError(\"Error for binding \\'0\\'\", Some(QueryGraphBuilderError(RecordNotFound(\"{cause}\"))))"
    )
}
