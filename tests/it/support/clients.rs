//! Servers with every guard as it comes, and clients that can put a question to their user.
//! Knows what a question looks like in either era, so that the tests need not.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

use apc_sandbox::{AccountSnapshot, Entity, Fault, Handle, NewAccount, Persona, Role, Sandbox};
use serde_json::{Value, json};

use crate::support::harness::*;

pub const CREATE_TOOL: &str = "create_service_account";
pub const DELETE_TOOL: &str = "delete_service_account";
pub const GET_TOOL: &str = "get_service_accounts";

/// An admin of Analytics; the API masks its key.
pub const TERRAFORM: &str = "cmf3acc1o00060h6terraform";

/// The time in which the people of these tests say no. Every faster no is taken for the client's.
pub const REACTION: Duration = Duration::from_millis(150);

/// The name of the audit log of the tests' servers.
pub const AUDIT: &str = "audit.jsonl";

/// A server for a sandbox, with no setting but where it is and who signs in.
pub fn guarded(sandbox: &Sandbox, persona: Persona) -> Program {
    guarded_with(sandbox, &sandbox.token(persona))
}

/// The same with any token.
pub fn guarded_with(sandbox: &Sandbox, token: &str) -> Program {
    Program::bare()
        .env("APC_API_URL", sandbox.url())
        .env("APC_API_TOKEN", token)
}

/// A server with an audit log in its home.
pub fn audited(sandbox: &Sandbox) -> Program {
    let program = guarded(sandbox, Persona::WorkspaceAdmin);
    let path = program.path(AUDIT);
    program.args(&["--audit-log", &path])
}

/// A server for a client that can ask its user.
pub fn asking(sandbox: &Sandbox) -> Program {
    guarded(sandbox, Persona::WorkspaceAdmin).capable(can_ask())
}

/// The capabilities of a client that can show a form.
pub fn can_ask() -> Value {
    json!({"elicitation": {}})
}

/// Arguments of a creation in Analytics.
pub fn new(label: &str) -> Value {
    json!({"label": label, "workspace_id": ANALYTICS})
}

/// Arguments of a deletion from Analytics.
pub fn deletion_of(id: &str) -> Value {
    json!({"service_account_id": id, "workspace_id": ANALYTICS})
}

/// An account as a colleague would make it now.
pub fn colleague(label: &str, role: Role) -> NewAccount {
    NewAccount::new(label, role, Entity::Workspace(ANALYTICS.into()))
}

/// An answer with that status and body.
pub fn answer(status: u16, kind: &str, body: impl Into<String>, executed: bool) -> Fault {
    Fault::Answer {
        status,
        headers: vec![("content-type".into(), kind.into())],
        body: body.into(),
        executed,
    }
}

/// A page as ingresses and proxies show it.
pub fn page(status: u16, executed: bool) -> Fault {
    answer(
        status,
        "text/html",
        "<html><body>Sorry</body></html>",
        executed,
    )
}

/// No error, and null where the account should be.
pub fn null(field: &str, executed: bool) -> Fault {
    let body = json!({"data": {field: null}}).to_string();
    answer(200, "application/json", body, executed)
}

/// The accounts of this label, as they really are.
pub fn labelled(handle: &Handle, label: &str) -> Vec<AccountSnapshot> {
    let mut accounts = handle.accounts();
    accounts.retain(|account| account.label == label);
    accounts
}

/// The lines of the audit log of a server started with [`audited`], without those that announce a change.
pub fn audit(session: &Session) -> Vec<Value> {
    let mut lines = whole_audit(session);
    lines.retain(|line| line["outcome"] != "sent");
    lines
}

/// All lines of the audit log of a server started with [`audited`].
pub fn whole_audit(session: &Session) -> Vec<Value> {
    lines(&session.home().join(AUDIT))
}

/// The lines of a file, each of which is JSON.
pub fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        text.is_empty() || text.ends_with('\n'),
        "half a line: {text}"
    );
    let parsed = text.lines().map(serde_json::from_str);
    parsed
        .collect::<Result<_, _>>()
        .unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The default directory for keys.
pub fn key_dir(session: &Session) -> PathBuf {
    session.home().join(".local/state/apc-mcp/keys")
}

/// The names in a directory; none where there is none.
pub fn names_in(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The names in a directory of keys, but for the intents of creations that are not decided.
pub fn kept_in(directory: &Path) -> Vec<String> {
    let mut names = names_in(directory);
    names.retain(|name| !name.starts_with(".intent-"));
    names
}

/// The names of the intents in a directory of keys.
pub fn intents_in(directory: &Path) -> Vec<String> {
    let mut names = names_in(directory);
    names.retain(|name| name.starts_with(".intent-"));
    names
}

/// Waits until it is so.
pub async fn until(what: &str, mut so: impl FnMut() -> bool) {
    let waiting = async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    patient(what, waiting).await;
}

/// Measures the time that a future takes.
pub async fn timed<F: Future>(future: F) -> (F::Output, Duration) {
    let start = std::time::Instant::now();
    let output = future.await;
    (output, start.elapsed())
}

/// A question that the server has put, and the call that waits for the answer.
pub struct Question {
    /// The key of the question; only the stateless era has it.
    pub key: Option<String>,
    /// Message and form.
    pub params: Value,
    /// The state that the client sends back with the answer; only the stateless era has it.
    pub state: Option<Value>,
    /// The id of the call that waits.
    pub call: u64,
    /// The id of the server's request; only the handshake era has it.
    pub request: Value,
    tool: String,
    arguments: Value,
}

impl Question {
    pub fn message(&self) -> &str {
        self.params["message"].as_str().expect("a message")
    }

    /// The one field of the form.
    pub fn field(&self) -> &Value {
        let properties = self.params["requestedSchema"]["properties"].as_object();
        let properties = properties.expect("a form");
        assert_eq!(properties.len(), 1, "{properties:?}");
        properties.values().next().unwrap()
    }

    fn field_name(&self) -> String {
        keys(&self.params["requestedSchema"]["properties"])[0].to_owned()
    }

    /// An answer that accepts with this value.
    pub fn accept(&self, value: impl Into<Value>) -> Value {
        json!({"action": "accept", "content": {self.field_name(): value.into()}})
    }

    /// The choices, as value and title.
    pub fn choices(&self) -> Vec<(String, String)> {
        let field = self.field();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        match field["oneOf"].as_array() {
            Some(named) => named
                .iter()
                .map(|choice| (text(&choice["const"]), text(&choice["title"])))
                .collect(),
            None => {
                let values = field["enum"].as_array().expect("choices").iter();
                let names = field["enumNames"].as_array().expect("names").iter();
                values.map(text).zip(names.map(text)).collect()
            }
        }
    }
}

/// The first reaction to a call.
pub enum First {
    Question(Box<Question>),
    Outcome(Outcome),
}

impl First {
    #[track_caller]
    pub fn question(self) -> Question {
        match self {
            Self::Question(question) => *question,
            Self::Outcome(outcome) => panic!("it did not ask: {}", outcome.result),
        }
    }

    #[track_caller]
    pub fn outcome(self) -> Outcome {
        match self {
            Self::Outcome(outcome) => outcome,
            Self::Question(question) => panic!("it asked: {}", question.params),
        }
    }
}

impl Session {
    /// Calls a tool that has to ask the user.
    pub async fn pose(&mut self, tool: &str, arguments: Value) -> Question {
        self.first(tool, arguments).await.question()
    }

    /// Calls a tool up to its question or its end.
    pub async fn first(&mut self, tool: &str, arguments: Value) -> First {
        let call = self.send_call(tool, arguments.clone()).await;
        self.next(tool, arguments, call).await
    }

    /// The next question of a call that was sent, or its end.
    pub async fn next(&mut self, tool: &str, arguments: Value, call: u64) -> First {
        while !self.has_reply(call) && self.questions.is_empty() {
            let message = self.message().await.expect("the server runs");
            self.file_away(message);
        }
        let question = Question {
            key: None,
            params: Value::Null,
            state: None,
            call,
            request: Value::Null,
            tool: tool.to_owned(),
            arguments,
        };
        if let Some(request) = self.questions.pop_front() {
            assert_ne!(self.era, Era::Stateless, "{request}");
            assert_eq!(request["method"], "elicitation/create", "{request}");
            return First::Question(Box::new(Question {
                params: request["params"].clone(),
                request: request["id"].clone(),
                ..question
            }));
        }
        let outcome = self.outcome(tool, call).await;
        if outcome.result["resultType"] != "input_required" {
            return First::Outcome(outcome);
        }
        assert_eq!(self.era, Era::Stateless, "{}", outcome.result);
        let requests = outcome.result["inputRequests"].as_object().unwrap();
        assert_eq!(requests.len(), 1, "one question per call: {requests:?}");
        let (key, request) = requests.iter().next().unwrap();
        assert_eq!(request["method"], "elicitation/create");
        First::Question(Box::new(Question {
            key: Some(key.clone()),
            params: request["params"].clone(),
            state: outcome.result.get("requestState").cloned(),
            ..question
        }))
    }

    /// Answers as a person does, and waits for what comes of the call, which must not ask again.
    pub async fn answer(&mut self, question: Question, answer: Value) -> Outcome {
        let key = question.key.clone().unwrap_or_default();
        self.answer_as(&key, question, answer).await
    }

    /// Answers under a key; the older era knows none.
    pub async fn answer_as(&mut self, key: &str, question: Question, answer: Value) -> Outcome {
        if answer["action"] != "accept" {
            tokio::time::sleep(REACTION).await;
        }
        self.answer_at_once(key, question, answer).await.outcome()
    }

    /// Answers as a person does, and the call has to ask again.
    pub async fn follow_up(&mut self, question: Question, answer: Value) -> Question {
        let key = question.key.clone().unwrap_or_default();
        self.answer_at_once(&key, question, answer).await.question()
    }

    /// Answers without the time that a person takes.
    pub async fn answer_at_once(&mut self, key: &str, question: Question, answer: Value) -> First {
        let Question {
            tool,
            state,
            request,
            call,
            arguments,
            ..
        } = question;
        let call = match self.era {
            Era::Handshake(_) => {
                self.raw_line(&reply_line(&request, answer)).await;
                call
            }
            Era::Stateless => {
                let mut params =
                    json!({"name": tool, "arguments": arguments, "inputResponses": {key: answer}});
                if let Some(state) = state {
                    params["requestState"] = state;
                }
                self.send_request("tools/call", params).await
            }
        };
        self.next(&tool, arguments, call).await
    }

    /// Selects an account and says yes to the question that follows.
    pub async fn select(&mut self, question: Question, id: &str) -> Outcome {
        let chosen = question.accept(id);
        let question = self.follow_up(question, chosen).await;
        let yes = question.accept(true);
        self.answer(question, yes).await
    }

    /// Takes back a call.
    pub async fn cancel(&mut self, call: u64) {
        let params = json!({"requestId": call, "reason": "the user pressed stop"});
        let line = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params});
        self.raw_line(&line.to_string()).await;
    }

    /// Sends a signal.
    #[cfg(unix)]
    pub fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_raw(self.id().cast_signed()).unwrap();
        rustix::process::kill_process(id, signal).unwrap();
    }

    /// Ends the session and makes sure that none of these was written anywhere a client or a log sees.
    pub async fn end_without(mut self, secrets: &[String]) -> String {
        assert!(self.close_stdin_and_wait().await.success());
        let stderr = self.stderr().await;
        for secret in secrets {
            assert!(secret.len() >= 16, "no secret: {secret}");
            assert!(!self.stdout().contains(secret), "on stdout: {secret}");
            assert!(!stderr.contains(secret), "on stderr: {secret}");
        }
        stderr
    }
}

/// A client's reply: a result, or an error where it says `error`.
fn reply_line(id: &Value, answer: Value) -> String {
    let member = if answer.get("error").is_some() {
        "error"
    } else {
        "result"
    };
    let body = answer.get("error").cloned().unwrap_or(answer);
    json!({"jsonrpc": "2.0", "id": id, member: body}).to_string()
}

/// Every key there is.
pub fn all_keys(handle: &Handle) -> Vec<String> {
    handle
        .accounts()
        .into_iter()
        .map(|account| account.key)
        .collect()
}
