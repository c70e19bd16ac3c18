//! Asking the user, in both protocol eras: `elicitation/create` while the call waits, or a result
//! that asks and a second call that answers.
//! Takes no answer for more than what was asked; whatever is not a clear yes is a no.

use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::{
    ElicitRequest, ElicitRequestParams, ElicitResult, ElicitationAction, ElicitationSchema,
    InputRequest, InputRequiredResult, InputResponses, ProtocolVersion,
};
use rmcp::service::RequestContext;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// How long a user may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// The one field of a question's form.
const FIELD: &str = "answer";

/// A question to the user.
#[derive(Debug, Clone)]
pub struct Question {
    /// What is asked, for instance `delete:<id>`: an answer to anything else is none to this.
    pub key: String,
    /// What the user reads.
    pub message: String,
    /// What may be answered.
    pub form: Form,
}

/// What may be answered.
#[derive(Debug, Clone)]
pub enum Form {
    /// A box to tick.
    Confirm {
        /// What stands beside the box.
        title: String,
    },
    /// One of these.
    Select {
        /// What stands above the choice.
        title: String,
        /// The values and what stands for them.
        choices: Vec<(String, String)>,
    },
}

/// What came of a question.
#[derive(Debug)]
pub enum Answer {
    /// The box was ticked, or this was chosen, and it was offered.
    Yes(String),
    /// Anything else: declined, cancelled, not ticked, not offered, no answer in time.
    No(&'static str),
    /// The client cannot ask.
    CannotAsk,
    /// The call ends with the question; a second call will bring the answer.
    Asked(Box<InputRequiredResult>),
}

/// The user behind a call, as far as the client can reach one.
#[derive(Clone)]
pub struct User {
    context: RequestContext<RoleServer>,
    answers: Option<InputResponses>,
    state: Option<String>,
    leaving: CancellationToken,
}

impl User {
    /// The user behind a request, with the answers that it brings. When the client is leaving, an
    /// open question is over.
    pub fn new(
        context: RequestContext<RoleServer>,
        answers: Option<InputResponses>,
        state: Option<String>,
        leaving: CancellationToken,
    ) -> Self {
        Self {
            context,
            answers,
            state,
            leaving,
        }
    }

    /// The client's name and version, in its own words.
    pub fn client(&self) -> String {
        let info = self.context.client_info();
        info.map(|info| format!("{}/{}", info.name, info.version))
            .unwrap_or_default()
    }

    /// Whether the client can show a form. `{}` means form; `{"url": {}}` alone does not.
    pub fn can_be_asked(&self) -> bool {
        let capability = self
            .context
            .client_capabilities()
            .and_then(|capabilities| capabilities.elicitation);
        capability
            .is_some_and(|elicitation| elicitation.form.is_some() || elicitation.url.is_none())
    }

    /// Asks, or takes the answer that the call brings.
    pub async fn ask(&self, question: &Question) -> Answer {
        if !self.can_be_asked() {
            return Answer::CannotAsk;
        }
        match self
            .answers
            .as_ref()
            .filter(|answers| self.is_stateless() && !answers.is_empty())
        {
            Some(answers) => self.answered(question, answers),
            None if self.is_stateless() => suspend(question, &self.request(question)),
            None => self.wait(question).await,
        }
    }

    fn is_stateless(&self) -> bool {
        self.context
            .protocol_version()
            .is_some_and(|version| version >= ProtocolVersion::V_2026_07_28)
    }

    /// The second round. The question is made anew from what is there now: what the user saw then
    /// has to be what is there now, or the yes was to something else.
    fn answered(&self, question: &Question, answers: &InputResponses) -> Answer {
        let Some(answer) = answers.get(&question.key) else {
            return Answer::No("the answer is to another question");
        };
        let Ok(result) = serde_json::from_value::<ElicitResult>(answer.clone()) else {
            return Answer::No("the answer is not one");
        };
        match question.verdict(result) {
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
        shown.get(value).and_then(Value::as_str) == Some(question.shown_for(value))
    }

    async fn wait(&self, question: &Question) -> Answer {
        let Some(parameters) = self.request(question) else {
            return Answer::CannotAsk;
        };
        let asked = self
            .context
            .peer
            .create_elicitation_with_timeout(parameters, Some(PATIENCE));
        tokio::select! {
            biased;
            () = self.leaving.cancelled() => Answer::No("the client has left"),
            () = self.context.ct.cancelled() => Answer::No("the call was cancelled"),
            answer = asked => match answer {
                Ok(result) => question.verdict(result),
                Err(_) => Answer::No("the client brought no answer"),
            },
        }
    }

    fn request(&self, question: &Question) -> Option<ElicitRequestParams> {
        let titled = self
            .context
            .protocol_version()
            .is_some_and(|version| version >= ProtocolVersion::V_2025_11_25);
        let form = json!({"type": "object", "properties": {FIELD: question.form.schema(titled)}, "required": [FIELD]});
        let requested_schema =
            ElicitationSchema::from_json_schema(form.as_object()?.clone()).ok()?;
        Some(ElicitRequestParams::FormElicitationParams {
            meta: None,
            message: question.message.clone(),
            requested_schema,
        })
    }
}

fn suspend(question: &Question, parameters: &Option<ElicitRequestParams>) -> Answer {
    let Some(parameters) = parameters else {
        return Answer::CannotAsk;
    };
    let request = InputRequest::Elicitation(ElicitRequest::new(parameters.clone()));
    let mut result =
        InputRequiredResult::from_input_requests([(question.key.clone(), request)].into());
    result.request_state = Some(question.state().to_string());
    Answer::Asked(Box::new(result))
}

impl Question {
    fn verdict(&self, result: ElicitResult) -> Answer {
        match result.action {
            ElicitationAction::Accept => {}
            ElicitationAction::Decline => return Answer::No("the user declined"),
            _ => return Answer::No("the user cancelled"),
        }
        let value = result
            .content
            .as_ref()
            .and_then(|content| content.get(FIELD));
        match (&self.form, value) {
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

    /// What the user saw for each possible yes.
    fn state(&self) -> Value {
        match &self.form {
            Form::Confirm { .. } => json!({"": self.message}),
            Form::Select { choices, .. } => choices.iter().cloned().collect(),
        }
    }

    fn shown_for(&self, value: &str) -> &str {
        match &self.form {
            Form::Confirm { .. } => &self.message,
            Form::Select { choices, .. } => choices
                .iter()
                .find(|(choice, _)| choice == value)
                .map_or("", |(_, title)| title),
        }
    }
}

impl Form {
    fn schema(&self, titled: bool) -> Value {
        match self {
            Self::Confirm { title } => json!({"type": "boolean", "title": title, "default": false}),
            Self::Select { title, choices } if titled => {
                let named: Vec<_> = choices
                    .iter()
                    .map(|(value, shown)| json!({"const": value, "title": shown}))
                    .collect();
                json!({"type": "string", "title": title, "oneOf": named})
            }
            Self::Select { title, choices } => {
                let (values, shown): (Vec<_>, Vec<_>) = choices.iter().cloned().unzip();
                json!({"type": "string", "title": title, "enum": values, "enumNames": shown})
            }
        }
    }
}
