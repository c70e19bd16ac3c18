//! Asks the user in both protocol eras: by `elicitation/create` while the call waits, or by a result
//! that asks and a second call that answers.
//! Takes everything but a clear yes for a no.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rmcp::RoleServer;
use rmcp::model::{
    ElicitRequest, ElicitRequestParams, ElicitResult, ElicitationAction, ElicitationSchema,
    InputRequest, InputRequiredResult, InputResponses, ProtocolVersion,
};
use rmcp::service::RequestContext;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::tools::user::{Answer, Form, Question, User};

/// The time that a user may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// The one field of a question's form.
const FIELD: &str = "answer";

/// The user at the client's end, as far as the client can reach them.
pub struct RemoteUser {
    context: RequestContext<RoleServer>,
    answers: Option<InputResponses>,
    state: Option<String>,
    end_of_input: CancellationToken,
}

impl RemoteUser {
    /// The user behind a request, with the answers that the request brings. The end of input ends an
    /// open question.
    pub fn new(
        context: RequestContext<RoleServer>,
        answers: Option<InputResponses>,
        state: Option<String>,
        end_of_input: CancellationToken,
    ) -> Self {
        Self {
            context,
            answers,
            state,
            end_of_input,
        }
    }

    /// Tells whether the client can show a form. `{}` means form; `{"url": {}}` alone does not.
    fn can_be_asked(&self) -> bool {
        let capability = self
            .context
            .client_capabilities()
            .and_then(|capabilities| capabilities.elicitation);
        capability
            .is_some_and(|elicitation| elicitation.form.is_some() || elicitation.url.is_none())
    }

    fn speaks(&self, version: &ProtocolVersion) -> bool {
        let spoken = self.context.protocol_version();
        spoken.is_some_and(|spoken| spoken >= *version)
    }

    async fn answer(&self, question: &Question) -> Answer {
        if !self.can_be_asked() {
            return Answer::CannotAsk;
        }
        let Some(parameters) = self.request(question) else {
            return Answer::CannotAsk;
        };
        if !self.speaks(&ProtocolVersion::V_2026_07_28) {
            return self.wait(question, parameters).await;
        }
        match self.answers.as_ref().filter(|answers| !answers.is_empty()) {
            Some(answers) => self.answered(question, answers),
            None => suspend(question, parameters),
        }
    }

    /// Reads the answer of the second round. The question is made anew: if it reads otherwise by now,
    /// the yes was to something else.
    fn answered(&self, question: &Question, answers: &InputResponses) -> Answer {
        let Some(answer) = answers.get(&question.key) else {
            return Answer::No("the answer is to another question");
        };
        let Ok(result) = serde_json::from_value::<ElicitResult>(answer.clone()) else {
            return Answer::No("the answer is not one");
        };
        match verdict(question, result) {
            Answer::Yes(value) if !self.saw(question, &value) => {
                Answer::No("it has changed since the question")
            }
            verdict => verdict,
        }
    }

    fn saw(&self, question: &Question, value: &str) -> bool {
        let Some(state) = &self.state else {
            return true;
        };
        let shown: Value = serde_json::from_str(state).unwrap_or_default();
        shown.get(value).and_then(Value::as_str) == Some(shown_for(question, value))
    }

    async fn wait(&self, question: &Question, parameters: ElicitRequestParams) -> Answer {
        let asked = self
            .context
            .peer
            .create_elicitation_with_timeout(parameters, Some(PATIENCE));
        tokio::select! {
            biased;
            () = self.end_of_input.cancelled() => Answer::No("the client has left"),
            () = self.context.ct.cancelled() => Answer::No("the call was cancelled"),
            answer = asked => match answer {
                Ok(result) => verdict(question, result),
                Err(_) => Answer::No("the client brought no answer"),
            },
        }
    }

    fn request(&self, question: &Question) -> Option<ElicitRequestParams> {
        let field = match self.speaks(&ProtocolVersion::V_2025_11_25) {
            true => titled_field(&question.form),
            false => named_field(&question.form),
        };
        let form = json!({"type": "object", "properties": {FIELD: field}, "required": [FIELD]});
        let requested_schema =
            ElicitationSchema::from_json_schema(form.as_object()?.clone()).ok()?;
        Some(ElicitRequestParams::FormElicitationParams {
            meta: None,
            message: question.message.clone(),
            requested_schema,
        })
    }
}

impl User for RemoteUser {
    fn client(&self) -> String {
        let info = self.context.client_info();
        info.map(|info| format!("{}/{}", info.name, info.version))
            .unwrap_or_default()
    }

    fn ask<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Answer> {
        self.answer(question).boxed()
    }
}

fn suspend(question: &Question, parameters: ElicitRequestParams) -> Answer {
    let request = InputRequest::Elicitation(ElicitRequest::new(parameters));
    let mut result =
        InputRequiredResult::from_input_requests([(question.key.clone(), request)].into());
    result.request_state = Some(state(question).to_string());
    Answer::InputRequired(Box::new(result))
}

fn verdict(question: &Question, result: ElicitResult) -> Answer {
    match result.action {
        ElicitationAction::Accept => {}
        ElicitationAction::Decline => return Answer::No("the user declined"),
        _ => return Answer::No("the user cancelled"),
    }
    let value = result
        .content
        .as_ref()
        .and_then(|content| content.get(FIELD));
    match (&question.form, value) {
        (Form::Confirm { .. }, Some(Value::Bool(true))) => Answer::Yes(String::new()),
        (Form::Confirm { .. }, _) => Answer::No("the box was not ticked"),
        (Form::Select { choices, .. }, Some(Value::String(chosen)))
            if choices.iter().any(|(value, _)| value == chosen) =>
        {
            Answer::Yes(chosen.clone())
        }
        (Form::Select { .. }, _) => Answer::No("what was chosen is not there"),
    }
}

/// The text that the user saw for each possible yes.
fn state(question: &Question) -> Value {
    match &question.form {
        Form::Confirm { .. } => json!({"": question.message}),
        Form::Select { choices, .. } => choices.iter().cloned().collect(),
    }
}

fn shown_for<'a>(question: &'a Question, value: &str) -> &'a str {
    match &question.form {
        Form::Confirm { .. } => &question.message,
        Form::Select { choices, .. } => choices
            .iter()
            .find(|(choice, _)| choice == value)
            .map_or("", |(_, title)| title),
    }
}

/// The field of a form since version 2025-11-25, which gives each choice a title.
fn titled_field(form: &Form) -> Value {
    match form {
        Form::Confirm { title } => json!({"type": "boolean", "title": title, "default": false}),
        Form::Select { title, choices } => {
            let named: Vec<_> = choices
                .iter()
                .map(|(value, shown)| json!({"const": value, "title": shown}))
                .collect();
            json!({"type": "string", "title": title, "oneOf": named})
        }
    }
}

/// The field of a form in earlier versions.
fn named_field(form: &Form) -> Value {
    match form {
        Form::Select { title, choices } => {
            let (values, shown): (Vec<_>, Vec<_>) = choices.iter().cloned().unzip();
            json!({"type": "string", "title": title, "enum": values, "enumNames": shown})
        }
        Form::Confirm { .. } => titled_field(form),
    }
}
