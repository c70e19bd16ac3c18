//! A question that is open at a client of the handshake era, while its call waits.
//! The client hears of a long wait, and of a question that nobody will read the answer to.

use std::convert::Infallible;
use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::{
    CancelledNotificationParam, ClientResult, ElicitRequest, ElicitRequestParams, ElicitResult,
    RequestId, ServerRequest,
};
use rmcp::service::{Peer, PeerRequestOptions, RequestContext, ServiceError};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::progress::CallProgress;
use crate::session::shutdown::Shutdown;
use crate::tools::user::{Answer, MachineSign, Unanswered};

/// The time that a user may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(300);

/// The time between two signs of life.
const PROGRESS_EVERY: Duration = Duration::from_secs(10);

/// The call was taken back, or the session ended.
const CALL_ENDED: Answer = Answer::No(Unanswered::CallEnded);

/// Puts the question to the client and waits for its reply: a filled-in form and the time that it took, or the answer that
/// stands for any other end.
pub(super) async fn put(
    context: &RequestContext<RoleServer>,
    parameters: ElicitRequestParams,
    shutdown: &Shutdown,
    progress: CallProgress<'_>,
) -> Result<(ElicitResult, Duration), Answer> {
    if shutdown.has_begun() {
        return Err(CALL_ENDED);
    }
    let asked = Instant::now();
    let request = ServerRequest::ElicitRequest(ElicitRequest::new(parameters));
    let options = PeerRequestOptions::no_options();
    let sent = context.peer.send_cancellable_request(request, options);
    let mut sent = sent.await.map_err(|_| CALL_ENDED)?;
    let mut question = OpenQuestion {
        peer: context.peer.clone(),
        id: Some(sent.id.clone()),
        tracked: Some(shutdown.open_questions.token()),
    };
    let unanswered = tokio::select! {
        biased;
        () = shutdown.begins() => CALL_ENDED,
        () = context.ct.cancelled() => CALL_ENDED,
        reply = &mut sent.rx => {
            question.id = None;
            return match reply {
                Ok(Ok(ClientResult::ElicitResult(result))) => Ok((result, asked.elapsed())),
                Ok(Ok(_)) => Err(Answer::NoPerson(MachineSign::Unreadable)),
                Ok(Err(ServiceError::McpError(_))) => Err(Answer::NoPerson(MachineSign::Error)),
                Ok(Err(_)) | Err(_) => Err(CALL_ENDED),
            };
        }
        () = tokio::time::sleep(PATIENCE) => Answer::No(Unanswered::TimedOut),
        never = report_progress(progress) => match never {},
    };
    question.take_back().await;
    Err(unanswered)
}

/// Tells a client that wants to know that the call goes on. Clients end calls that are silent for a minute.
async fn report_progress(progress: CallProgress<'_>) -> Infallible {
    let began = Instant::now();
    loop {
        tokio::time::sleep(PROGRESS_EVERY).await;
        let waited = began.elapsed().as_secs();
        let message = "Waiting for the user's answer.";
        progress.tell(waited, PATIENCE.as_secs(), message).await;
    }
}

/// A question without an answer. Dropping it takes the question back.
struct OpenQuestion {
    peer: Peer<RoleServer>,
    id: Option<RequestId>,
    /// Held until the client has been told.
    tracked: Option<TaskTrackerToken>,
}

impl OpenQuestion {
    /// Tells the client, by a task of its own: the call may be dropped at any moment.
    async fn take_back(&mut self) {
        if let Some(told) = self.tell() {
            // It does not panic, and nobody aborts it.
            let _ = told.await;
        }
    }

    fn tell(&mut self) -> Option<JoinHandle<()>> {
        let runtime = tokio::runtime::Handle::try_current().ok()?;
        let reason = "The call that asked this question has ended.".to_owned();
        let cancelled = CancelledNotificationParam::new(Some(self.id.take()?), Some(reason));
        let (peer, tracked) = (self.peer.clone(), self.tracked.take());
        Some(runtime.spawn(async move {
            let _ = peer.notify_cancelled(cancelled).await;
            drop(tracked);
        }))
    }
}

impl Drop for OpenQuestion {
    fn drop(&mut self) {
        drop(self.tell());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rmcp::ServerHandler;
    use rmcp::model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData,
    };
    use rmcp::service::serve_server;
    use serde_json::{Value, json};
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines};
    use tokio::io::{ReadHalf, WriteHalf};

    use super::*;
    use crate::config::Config;
    use crate::guards::secret::Secrets;
    use crate::session::elicitation::{RemoteUser, Seal};
    use crate::session::transport::LineTransport;
    use crate::tools::SharedState;
    use crate::tools::user::{Form, Question, User};

    /// A server that asks a question in every call, and tells the answer. After this time it drops the question.
    struct Asking(Duration);

    impl ServerHandler for Asking {
        async fn call_tool(
            &self,
            request: CallToolRequestParams,
            context: RequestContext<RoleServer>,
        ) -> Result<CallToolResponse, ErrorData> {
            let question = Question {
                key: "delete:a".to_owned(),
                message: "Delete it?".to_owned(),
                facts: String::new(),
                form: Form::Confirm {
                    title: "Delete".to_owned(),
                },
                selection: None,
            };
            let seal = Arc::new(Seal::default());
            let user = RemoteUser::new(context, &request, seal, Shutdown::default());
            let answer = tokio::time::timeout(self.0, user.ask(&question)).await;
            let answer = answer.map_or("dropped".to_owned(), |answer| format!("{answer:?}"));
            Ok(CallToolResult::success(vec![ContentBlock::text(answer)]).into())
        }
    }

    struct Client {
        input: Lines<BufReader<ReadHalf<DuplexStream>>>,
        output: WriteHalf<DuplexStream>,
    }

    impl Client {
        /// A client whose call has been asked about, and the question.
        async fn asked(call_meta: Value) -> (Self, Value) {
            Self::asked_by(Asking(2 * PATIENCE), call_meta).await
        }

        async fn asked_by(server: Asking, call_meta: Value) -> (Self, Value) {
            let (near, far) = tokio::io::duplex(4096);
            let (input, output) = tokio::io::split(far);
            let shared = Arc::new(SharedState::new(Config::default(), Secrets::default()));
            let transport = LineTransport::new(input, output, shared, Shutdown::default());
            tokio::spawn(async move {
                serve_server(server, transport)
                    .await
                    .unwrap()
                    .waiting()
                    .await
            });
            let (input, output) = tokio::io::split(near);
            let mut client = Self {
                input: BufReader::new(input).lines(),
                output,
            };
            let opening = json!({"protocolVersion": "2025-11-25", "capabilities": {"elicitation": {}}, "clientInfo": {"name": "a", "version": "1"}});
            client.request(0, "initialize", opening).await;
            client.message().await;
            let call = json!({"name": "delete", "_meta": call_meta});
            client.request(1, "tools/call", call).await;
            let question = client.message().await;
            assert_eq!(question["method"], "elicitation/create", "{question}");
            (client, question)
        }

        async fn request(&mut self, id: u64, method: &str, params: Value) {
            let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
            self.send(&request).await;
        }

        async fn reply(&mut self, question: &Value, result: Value) {
            let reply = json!({"jsonrpc": "2.0", "id": question["id"], "result": result});
            self.send(&reply).await;
        }

        async fn send(&mut self, message: &Value) {
            let line = format!("{message}\n");
            self.output.write_all(line.as_bytes()).await.unwrap();
        }

        async fn message(&mut self) -> Value {
            let line = self.input.next_line().await.unwrap().unwrap();
            serde_json::from_str(&line).unwrap()
        }

        /// The answer as the call took it.
        async fn outcome(&mut self) -> String {
            let message = self.message().await;
            let text = message["result"]["content"][0]["text"].as_str();
            text.unwrap_or_else(|| panic!("{message}")).to_owned()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_with_a_progress_token_hears_of_the_wait_every_ten_seconds() {
        let (mut client, question) = Client::asked(json!({"progressToken": "p"})).await;
        let began = Instant::now();
        for seconds in [10_u32, 20, 30] {
            let told = client.message().await;
            assert_eq!(told["method"], "notifications/progress", "{told}");
            assert_eq!(told["params"]["progressToken"], "p");
            assert_eq!(
                told["params"]["progress"].as_f64(),
                Some(f64::from(seconds))
            );
            assert_eq!(began.elapsed().as_secs(), u64::from(seconds));
        }
        let yes = json!({"action": "accept", "content": {"answer": true}});
        client.reply(&question, yes).await;
        assert_eq!(client.outcome().await, r#"Yes("")"#);
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_is_taken_back_after_five_minutes() {
        let (mut client, question) = Client::asked(json!({})).await;
        let began = Instant::now();
        let told = client.message().await;
        assert_eq!(told["method"], "notifications/cancelled", "{told}");
        assert_eq!(told["params"]["requestId"], question["id"]);
        assert_eq!(began.elapsed().as_secs(), PATIENCE.as_secs());
        assert_eq!(client.outcome().await, "No(TimedOut)");
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_whose_call_is_dropped_is_taken_back() {
        let server = Asking(Duration::from_secs(1));
        let (mut client, question) = Client::asked_by(server, json!({})).await;
        let both = async { [client.message().await, client.message().await] };
        let both = tokio::time::timeout(PATIENCE, both).await.unwrap();
        let mut both = both.iter();
        let told = both.find(|message| message["method"].is_string()).unwrap();
        assert_eq!(told["method"], "notifications/cancelled", "{told}");
        assert_eq!(told["params"]["requestId"], question["id"]);
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_no_that_takes_a_persons_time_is_a_persons() {
        for (action, taken_for) in [("decline", "Declined"), ("cancel", "Cancelled")] {
            for (milliseconds, expected) in [
                (0, "NoPerson(AtOnce)".to_owned()),
                (90, "NoPerson(AtOnce)".to_owned()),
                (110, format!("No({taken_for})")),
            ] {
                let (mut client, question) = Client::asked(json!({})).await;
                tokio::time::sleep(Duration::from_millis(milliseconds)).await;
                client.reply(&question, json!({"action": action})).await;
                assert_eq!(client.outcome().await, expected, "{milliseconds} ms");
            }
        }
    }
}
