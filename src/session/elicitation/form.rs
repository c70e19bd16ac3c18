//! The form of a question, and the reading of a filled-in form.
//! Takes nothing but a clear yes for a yes.

use rmcp::model::{ElicitRequestParams, ElicitResult, ElicitationAction, ElicitationSchema};
use serde_json::{Value, json};

use crate::tools::user::{Answer, Form, Question, Unanswered};

/// The one field of a question's form.
const FIELD: &str = "answer";

/// The ways to give each choice a title.
#[derive(Clone, Copy)]
pub(super) enum Titles {
    /// `oneOf`, since version 2025-11-25.
    OneOf,
    /// `enumNames`, before that.
    EnumNames,
}

/// The parameters of the request that shows the question.
pub(super) fn request(question: &Question, titles: Titles) -> Option<ElicitRequestParams> {
    let field = field(&question.form, titles);
    let form = json!({"type": "object", "properties": {FIELD: field}, "required": [FIELD]});
    Some(ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: question.message.clone(),
        requested_schema: ElicitationSchema::from_json_schema(form.as_object()?.clone()).ok()?,
    })
}

/// No choice is a default: some clients preselect it, and one Enter would send it.
fn field(form: &Form, titles: Titles) -> Value {
    match (form, titles) {
        (Form::Confirm { title }, _) => {
            json!({"type": "boolean", "title": title, "default": false})
        }
        (Form::Select { title, choices }, Titles::OneOf) => {
            let named: Vec<_> = choices
                .iter()
                .map(|(value, shown)| json!({"const": value, "title": shown}))
                .collect();
            json!({"type": "string", "title": title, "oneOf": named})
        }
        (Form::Select { title, choices }, Titles::EnumNames) => {
            let (values, shown): (Vec<_>, Vec<_>) = choices.iter().cloned().unzip();
            json!({"type": "string", "title": title, "enum": values, "enumNames": shown})
        }
    }
}

/// The answer in a filled-in form.
pub(super) fn verdict(form: &Form, result: &ElicitResult) -> Answer {
    match result.action {
        ElicitationAction::Accept => {}
        ElicitationAction::Decline => return Answer::No(Unanswered::Declined),
        _ => return Answer::No(Unanswered::Cancelled),
    }
    let content = result.content.as_ref();
    match (form, content.and_then(|content| content.get(FIELD))) {
        (Form::Confirm { .. }, Some(Value::Bool(true))) => Answer::Yes(String::new()),
        (Form::Confirm { .. }, _) => Answer::No(Unanswered::NotTicked),
        (Form::Select { choices, .. }, Some(Value::String(chosen)))
            if choices.iter().any(|(value, _)| value == chosen) =>
        {
            Answer::Yes(chosen.clone())
        }
        (Form::Select { .. }, _) => Answer::No(Unanswered::NotOffered),
    }
}
