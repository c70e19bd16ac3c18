//! The API's ways of saying no, word for word as it was recorded.
//! Decides nothing; parse, validation and variable errors are the engine's and not here.

use async_graphql::{Error, ErrorExtensionValues, Value, value};

/// Why the API does not do what it was asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Forbidden,
    Duplicate { label: String },
    NotFound,
    NoNode { model: &'static str, id: String },
    InvalidRole,
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Error {
        let (code, message, exception) = words(refusal);
        let mut extensions = ErrorExtensionValues::default();
        extensions.set("code", code);
        if exception != Value::Null {
            extensions.set("exception", exception);
        }
        Error {
            extensions: Some(extensions),
            ..Error::new(message)
        }
    }
}

/// The code, the message and what the API lets out of its insides.
fn words(refusal: Refusal) -> (&'static str, String, Value) {
    match refusal {
        Refusal::Forbidden => {
            let message = "You do not have the appropriate permissions for that";
            ("FORBIDDEN", message.into(), value!({ "message": message }))
        }
        Refusal::NotFound => (
            "RESOURCE_NOT_FOUND",
            "The requested resource was not found".into(),
            value!({ "name": "ResourceNotFoundError" }),
        ),
        Refusal::Duplicate { label } => {
            let message = format!("Service Account already exists with the name {label}");
            ("BAD_USER_INPUT", message, Value::Null)
        }
        Refusal::InvalidRole => ("BAD_USER_INPUT", "Invalid role".into(), Value::Null),
        Refusal::NoNode { model, id } => {
            let message = format!("No Node for the model {model} with value {id} for id found.");
            let exception = database_exception(&message);
            ("INTERNAL_SERVER_ERROR", message, exception)
        }
    }
}

/// What the database layer behind the API said, which the API passes on as it came.
fn database_exception(message: &str) -> Value {
    value!({
        "result": {
            "data": null,
            "errors": [{
                "message": message,
                "code": 3039,
                "locations": [{ "line": 2, "column": 3 }],
                "path": ["createServiceAccount"],
                "requestId": "local:sandbox",
            }],
            "status": 200,
        }
    })
}
