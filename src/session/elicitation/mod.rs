//! Asks the user in both protocol eras: by `elicitation/create` while the call waits, or by a result
//! that asks and a second call that answers.
//! Tells the answer of a person from that of a client which answers for nobody.

mod form;
mod open_question;
mod progress;
mod sealed_state;

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rmcp::RoleServer;
use rmcp::model::{
    CallToolRequestParams, ElicitRequest, ElicitRequestParams, ElicitResult, InputRequest,
    InputRequiredResult, InputResponses, ProtocolVersion,
};
use rmcp::service::RequestContext;
use serde_json::json;

use crate::session::shutdown::Shutdown;
use crate::tools::user::{Answer, MachineSign, Question, Unanswered, User};
use form::{Titles, verdict};
use open_question::put;
use progress::CallProgress;
use sealed_state::OpenedState;

pub use sealed_state::Seal;

/// The shortest time in which a person reads a question and says no.
pub const REACTION_MIN: Duration = Duration::from_millis(100);

/// The user at the client's end, as far as the client can reach them.
pub struct RemoteUser {
    context: RequestContext<RoleServer>,
    /// The call's tool and arguments, which a state is bound to.
    call: Vec<u8>,
    /// True if the call has a member that only an answer has.
    brings_answer: bool,
    /// Taken by the first question: an answer answers one.
    round: Mutex<Option<BroughtAnswers>>,
    seal: Arc<Seal>,
    shutdown: Shutdown,
    /// The progress that the client has heard of. It only grows.
    reported: AtomicU64,
}

/// The answers that a call brings in the stateless era.
struct BroughtAnswers {
    answers: InputResponses,
    /// The state, if this process sealed it for this call.
    state: Option<OpenedState>,
}

/// A call as bytes. The same arguments in another order are the same call.
fn bytes_of(request: &CallToolRequestParams) -> Vec<u8> {
    let mut call = json!([request.name, request.arguments]);
    call.sort_all_objects();
    call.to_string().into_bytes()
}

impl RemoteUser {
    /// The user behind a call, with the answers that it brings. The end of input ends an open question.
    pub fn new(
        context: RequestContext<RoleServer>,
        request: &CallToolRequestParams,
        seal: Arc<Seal>,
        shutdown: Shutdown,
    ) -> Self {
        let user = Self {
            context,
            call: bytes_of(request),
            brings_answer: request.input_responses.is_some() || request.request_state.is_some(),
            round: Mutex::new(None),
            seal,
            shutdown,
            reported: AtomicU64::new(0),
        };
        // An older client means nothing by these members: its answers come as responses.
        if user.speaks(&ProtocolVersion::V_2026_07_28) {
            *user.lock_round() = BroughtAnswers::brought(request, &user.seal, &user.call);
        }
        user
    }

    fn speaks(&self, version: &ProtocolVersion) -> bool {
        let spoken = self.context.protocol_version();
        spoken.is_some_and(|spoken| spoken >= *version)
    }

    fn lock_round(&self) -> MutexGuard<'_, Option<BroughtAnswers>> {
        self.round.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, question: &Question) -> Answer {
        // An answer counts whatever its own call can show: a no stays a no.
        let round = self.lock_round().take();
        if let Some(round) = round.filter(|round| round.serves(&self.seal)) {
            return round.answer(question);
        }
        if !self.can_be_asked() {
            return Answer::CannotAsk;
        }
        let titles = match self.speaks(&ProtocolVersion::V_2025_11_25) {
            true => Titles::OneOf,
            false => Titles::EnumNames,
        };
        let Some(parameters) = form::request(question, titles) else {
            return Answer::CannotAsk;
        };
        if self.speaks(&ProtocolVersion::V_2026_07_28) {
            return self.suspend(question, parameters);
        }
        let progress = CallProgress::of(&self.context, &self.reported).onwards();
        match put(&self.context, parameters, &self.shutdown, progress).await {
            Ok((result, after)) => answered(question, &result, after),
            Err(answer) => answer,
        }
    }

    fn suspend(&self, question: &Question, parameters: ElicitRequestParams) -> Answer {
        let Some(state) = self.seal.seal(&self.call, question) else {
            return Answer::CannotAsk;
        };
        let request = InputRequest::Elicitation(ElicitRequest::new(parameters));
        let mut result =
            InputRequiredResult::from_input_requests([(question.key.clone(), request)].into());
        result.request_state = Some(state);
        Answer::InputRequired(Box::new(result))
    }
}

impl BroughtAnswers {
    /// Answers without a state are none: the client has not been asked. Nor are those whose state has served already.
    fn brought(request: &CallToolRequestParams, seal: &Seal, call: &[u8]) -> Option<Self> {
        let answers = request.input_responses.clone()?;
        let state = request.request_state.as_ref()?;
        let state = seal.open(call, state);
        let is_spent = state.as_ref().is_some_and(|state| seal.is_spent(state));
        (!answers.is_empty() && !is_spent).then_some(Self { answers, state })
    }

    /// Uses up the state, and tells whether no other call has done so meanwhile.
    fn serves(&self, seal: &Seal) -> bool {
        self.state.as_ref().is_none_or(|state| seal.spend(state))
    }

    fn answer(self, question: &Question) -> Answer {
        let Some(OpenedState { asked, age, .. }) = self.state else {
            return Answer::NoPerson(MachineSign::ForeignState);
        };
        if asked.key != question.key {
            return Answer::No(Unanswered::Changed);
        }
        let Some(answer) = self.answers.get(&question.key) else {
            return Answer::No(Unanswered::OtherQuestion);
        };
        let Ok(result) = serde_json::from_value::<ElicitResult>(answer.clone()) else {
            return Answer::NoPerson(MachineSign::Unreadable);
        };
        match answered(question, &result, age) {
            Answer::Yes(value) if !asked.showed(question, &value) => {
                Answer::No(Unanswered::Changed)
            }
            answer => answer,
        }
    }
}

/// The answer that came after this time. A yes counts however fast it is: whoever runs the client had it say so.
fn answered(question: &Question, result: &ElicitResult, after: Duration) -> Answer {
    match verdict(&question.form, result) {
        Answer::No(Unanswered::Declined | Unanswered::Cancelled) if after < REACTION_MIN => {
            Answer::NoPerson(MachineSign::AtOnce)
        }
        answer => answer,
    }
}

impl User for RemoteUser {
    /// Tells whether the client can show a form. `{}` means form; `{"url": {}}` alone does not.
    fn can_be_asked(&self) -> bool {
        let capabilities = self.context.client_capabilities();
        let shown = capabilities.and_then(|capabilities| capabilities.elicitation);
        shown.is_some_and(|shown| shown.form.is_some() || shown.url.is_none())
    }

    fn brings_answer(&self) -> bool {
        self.brings_answer
    }

    fn client(&self) -> String {
        let info = self.context.client_info();
        info.map_or_else(String::new, |info| {
            format!("{}/{}", info.name, info.version)
        })
    }

    fn selected(&self, key: &str) -> Option<String> {
        let round = self.lock_round();
        let state = round.as_ref()?.state.as_ref()?;
        let selection = state.asked.selection.as_ref()?;
        (selection.key == key).then(|| selection.value.clone())
    }

    fn report(&self, done: u64, total: u64, message: String) -> BoxFuture<'_, ()> {
        let progress = CallProgress::of(&self.context, &self.reported);
        async move { progress.tell(done, total, &message).await }.boxed()
    }

    fn ask<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Answer> {
        self.answer(question).boxed()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tools::user::Form;

    fn question(key: &str) -> Question {
        Question {
            key: key.to_owned(),
            message: "Delete it?".to_owned(),
            facts: String::new(),
            form: Form::Confirm {
                title: "Delete".to_owned(),
            },
            selection: None,
        }
    }

    #[test]
    fn a_yes_under_the_state_of_another_question_is_void() {
        let seal = Seal::default();
        let state = seal.seal(b"call", &question("delete:a")).unwrap();
        let yes = json!({"action": "accept", "content": {"answer": true}});
        for (key, counts) in [("delete:a", true), ("delete_own_key:a", false)] {
            let round = BroughtAnswers {
                answers: [(key.to_owned(), yes.clone())].into(),
                state: seal.open(b"call", &state),
            };
            let answer = round.answer(&question(key));
            assert_eq!(matches!(answer, Answer::Yes(_)), counts, "{answer:?}");
        }
    }
}
